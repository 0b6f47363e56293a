//! What waits for the centre is settled by what holds when the waiting ends.

use domain::policy::PersonStatus;
use domain::request::{Liveness as Live, Shown};
use uplink::event::Access;

use super::super::decisions::Origin;
use super::*;

/// Ada stands at the lobby, and the centre is asked whether she may enter.
fn asking() -> Case {
    let mut case = Case::new(policy(shared));
    case.step(Input::Broker { up: true });
    case.step(Input::CentreHeard);
    case.face(1);
    assert_eq!((case.asks.len(), case.verdicts.len()), (1, 0));
    case.forget_orders();
    case
}

impl Case {
    fn centre_agrees(&mut self) {
        for ask in std::mem::take(&mut self.asks) {
            self.step(Input::Answer(uplink::ask::Answer { id: ask.id, objections: vec![] }));
        }
    }

    fn nobody_answers(&mut self) {
        self.wait(Duration::from_millis(401));
    }

    fn another_policy(&mut self, change: impl Fn(&mut PolicyParts)) {
        let mut parts = policy(shared).parts();
        parts.version = domain::ids::PolicyVersion(2);
        change(&mut parts);
        self.step(Input::Policy(Arc::new(Policy::try_from(parts).expect("it is right"))));
    }

    fn last_access(&self) -> &Access {
        let mut access = self.written.iter().rev().filter_map(|entry| match &entry.body {
            Body::Access(access) => Some(access),
            _ => None,
        });
        access.next().expect("a decision was written down")
    }
}

#[test]
fn what_changes_while_the_centre_is_asked_counts() {
    type Change = fn(&mut Case);
    let changes: [(&str, Change); 3] = [
        ("door-locked", |case| {
            let until = case.time().utc.0 + 3_600_000_000;
            case.command("lock", Action::Lock { door: LOBBY.0, until });
        }),
        ("person-suspended", |case| {
            case.another_policy(|parts| parts.people[0].status = PersonStatus::Suspended);
        }),
        ("no-access-level", |case| case.another_policy(|parts| parts.levels.clear())),
    ];
    let ends: [(&str, Change); 2] = [("agreed", Case::centre_agrees), ("no-answer", Case::nobody_answers)];
    for (why, change) in changes {
        for (centre, end) in ends {
            let mut case = asking();
            change(&mut case);
            end(&mut case);
            assert!(!case.ordered(0).contains(&Order::Release), "{why}, {centre}");
            assert_eq!(case.verdicts, [false], "{why}, {centre}");
            let access = case.last_access();
            assert_eq!((access.outcome, access.reasons[0].code.as_str()), (Outcome::Denied, why));
            assert_eq!(access.trace.centre, centre);
        }
    }
}

#[test]
fn whoever_must_show_more_by_now_is_asked_for_it_and_looked_at_again() {
    let mut case = asking();
    case.another_policy(|parts| parts.doors[0].otherwise = vec![Factors::FACE.and(Factors::CARD)]);
    case.centre_agrees();
    case.face(1);
    assert_eq!(case.verdicts, [false; 2], "the camera's next look counts");
    assert!(!case.ordered(0).contains(&Order::Release));
    case.another_policy(|_| ());
    case.face(1);
    case.centre_agrees();
    assert_eq!(case.ordered(0), [Order::Release]);
}

#[test]
fn a_face_for_whom_the_centre_is_asked_at_two_lanes_opens_one() {
    let mut case = asking();
    case.another_policy(|parts| parts.site.same_person_within = Duration::from_secs(3));
    let now = case.time();
    let shown =
        Shown::Face { person: PersonId(ADA), score: Score(9_000), margin: Score(9_000), live: Live::Live };
    let origin = Origin::Reader { board: BoardId(1), number: 0 };
    case.site.presented(now, YARD, Side::Entry, shown, now.utc, origin, BTreeMap::new());
    case.step(Input::Tick);
    assert_eq!(case.asks.len(), 2);
    case.forget_orders();
    case.centre_agrees();
    assert_eq!((case.ordered(0), case.ordered(1)), (vec![Order::Release], vec![]));
    assert_eq!(case.last_access().reasons[0].code, "just-granted-elsewhere");
}
