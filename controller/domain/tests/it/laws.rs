//! Laws of the decision: each holds in every world.

use domain::decision::Outcome;
use domain::ids::{CredentialId, LevelId, PersonId};
use domain::policy::{
    AntiPassback, Credential, CredentialStatus, CredentialUse, Egress, EntryRule, FaceConsent, Level, Person,
    PersonStatus,
};
use domain::reason::{Reason, Rule};
use domain::request::{CredentialKind, Factors, Few, Liveness, Presented, Score, Shown, Side};
use domain::state::{Event, Override, OverrideMode, State};
use domain::time::{Utc, Validity};
use proptest::prelude::*;

use crate::house::CHIEF;
use crate::worlds::{World, any_request, any_shown, any_unknown, any_world, any_world_asked, nth, thorough};

/// Removes exactly what that reason says, by hand.
fn put_right(world: &mut World, reason: Reason) {
    let door = world.request.door;
    let at = world
        .parts
        .doors
        .iter()
        .position(|it| it.id == door)
        .expect("worlds with an unknown door are left out");
    let now = world.now;
    match reason {
        Reason::NothingShown => {
            let shown = Shown::Digest { kind: CredentialKind::Card, digest: nth(CredentialKind::Card, 1) };
            world.request.presented = Few::one(Presented { shown, at: now });
        }
        Reason::UnknownFace { score: of } => {
            let person = somebody(world);
            change_shown(world, |shown| match shown {
                Shown::UnknownFace { score, live } if *score == of => {
                    *shown = Shown::Face { person, score: Score(9999), margin: Score(9999), live: *live };
                }
                Shown::UnknownFace { .. } | Shown::Face { .. } | Shown::Digest { .. } => {}
            });
        }
        Reason::UnknownCredential { kind, tag } => enrol(world, kind, tag),
        Reason::WrongPin { .. } => enrol(world, CredentialKind::Pin, None),
        Reason::DifferentPeople { first, second } => {
            // Their things become things of the one the policy knows.
            let (first, second) = if knows(world, first) { (first, second) } else { (second, first) };
            for credential in world.parts.credentials.iter_mut().filter(|it| it.person == second) {
                credential.person = first;
            }
            change_shown(world, |shown| match shown {
                Shown::Face { person, .. } if *person == second => *person = first,
                Shown::UnknownFace { .. } | Shown::Face { .. } | Shown::Digest { .. } => {}
            });
        }
        Reason::CredentialStatus { credential, .. } => {
            let it = world.parts.credentials.iter_mut().find(|it| it.id == credential).expect("it was found");
            it.status = CredentialStatus::Active;
        }
        Reason::CredentialExpired { credential, .. } => {
            let it = world.parts.credentials.iter_mut().find(|it| it.id == credential).expect("it was found");
            it.validity = Validity::ALWAYS;
        }
        Reason::UnknownPerson { person } => world.parts.people.push(Person {
            id: person,
            validity: Validity::ALWAYS,
            status: PersonStatus::Active,
            face: FaceConsent::Given,
            clearance: 7,
            groups: vec![],
        }),
        Reason::PersonStatus { person, .. } => of(world, person).status = PersonStatus::Active,
        Reason::PersonExpired { person, .. } => of(world, person).validity = Validity::ALWAYS,
        Reason::FaceWithoutConsent { person } => of(world, person).face = FaceConsent::Given,
        Reason::FaceNotLive { .. } => change_shown(world, |shown| match shown {
            Shown::Face { live, .. } | Shown::UnknownFace { live, .. } => *live = Liveness::Live,
            Shown::Digest { .. } => {}
        }),
        Reason::FaceScore { .. } => change_shown(world, |shown| {
            if let Shown::Face { score, .. } = shown {
                *score = Score(9999);
            }
        }),
        Reason::FaceMargin { .. } => change_shown(world, |shown| {
            if let Shown::Face { margin, .. } = shown {
                *margin = Score(9999);
            }
        }),
        Reason::Combination { shown, .. } => {
            world.parts.doors[at].credential_rules.clear();
            let taken = if shown == Factors::PIN { Factors::PIN.and(Factors::CARD) } else { shown };
            world.parts.doors[at].otherwise = vec![taken];
        }
        Reason::NoLevel { .. } | Reason::OutsideSchedule { .. } => {
            let person = world.decide().trace.person.expect("levels are asked of people");
            of(world, person).groups = world.parts.groups.clone();
            let (groups, schedule) = (world.parts.groups.clone(), world.parts.schedules[0].id);
            world.parts.levels.push(Level { id: LevelId(50), groups, doors: vec![door], schedule });
        }
        Reason::DoorLocked { .. } | Reason::DoorLockedDown { .. } => {
            observe(world, Event::OverrideLifted(door))
        }
        Reason::ReaderLockedOut { .. } => {
            let side = world.request.side;
            observe(world, Event::TriesCleared(domain::state::Tried::Reader(door, side)));
        }
        Reason::CredentialLockedOut { credential, .. } => {
            observe(world, Event::TriesCleared(domain::state::Tried::Credential(credential)));
        }
        Reason::EntersTwice { .. } => world.parts.doors[at].anti_passback = AntiPassback::Off,
        Reason::JustGrantedElsewhere { .. } => {
            world.parts.site.same_person_within = std::time::Duration::ZERO
        }
        Reason::Unrecorded { .. } => world.parts.doors[at].unrecorded_entry = EntryRule::Allow,
        Reason::TooOld { factor, .. } => {
            let mut presented = Few::new();
            for it in world.request.presented.iter() {
                let at = if it.shown.factor() == factor { now } else { it.at };
                presented.push(Presented { at, ..*it }).expect("as many as before");
            }
            world.request.presented = presented;
        }
        Reason::UnknownDoor { .. }
        | Reason::LeavesTwice { .. }
        | Reason::WrongTries { .. }
        | Reason::Duress { .. } => {
            panic!("{reason:?} refuses nothing here")
        }
    }
}

fn of(world: &mut World, person: PersonId) -> &mut Person {
    world.parts.people.iter_mut().find(|it| it.id == person).expect("the reason names a known person")
}

fn knows(world: &World, person: PersonId) -> bool {
    world.parts.people.iter().any(|it| it.id == person)
}

/// Who it is about if the policy knows them, or whoever there is.
fn somebody(world: &mut World) -> PersonId {
    let people = &mut world.parts.people;
    if people.is_empty() {
        people.push(crate::house::person(PersonId(77), &[]));
    }
    let first = people[0].id;
    let policy = world.policy();
    world.decide().trace.person.filter(|id| policy.person(*id).is_some()).unwrap_or(first)
}

/// Makes the first unknown credential of that kind shown a credential of somebody.
fn enrol(world: &mut World, of: CredentialKind, tag: Option<u64>) {
    let policy = world.policy();
    let digest = world.request.presented.iter().find_map(|it| match it.shown {
        Shown::Digest { kind, digest } if kind == of && tag.is_none_or(|tag| tag == digest.tag()) => {
            policy.credential(&digest).is_none().then_some(digest)
        }
        Shown::Digest { .. } | Shown::Face { .. } | Shown::UnknownFace { .. } => None,
    });
    let (person, digest) = (somebody(world), digest.expect("the reason names something shown"));
    world.parts.credentials.push(Credential {
        id: CredentialId(1000 + digest.tag() % 1000),
        person,
        kind: of,
        digest,
        board_entry: None,
        validity: Validity::ALWAYS,
        status: CredentialStatus::Active,
        usage: CredentialUse::Ordinary,
    });
}

fn observe(world: &mut World, event: Event<'_>) {
    let policy = world.policy();
    world.state.observe(&policy, event);
}

fn change_shown(world: &mut World, change: impl Fn(&mut Shown)) {
    let mut presented = Few::new();
    for mut it in world.request.presented.iter().copied() {
        change(&mut it.shown);
        presented.push(it).expect("as many as before");
    }
    world.request.presented = presented;
}

fn entering(world: &World) -> bool {
    let door = world.parts.doors.iter().find(|it| it.id == world.request.door);
    world.request.side == Side::Entry && door.is_some_and(|it| it.egress == Egress::Exit)
}

proptest! {
    #![proptest_config(thorough())]

    #[test]
    fn no_rule_denies_exit(mut world in any_world()) {
        world.request.side = Side::Exit;
        prop_assert!(world.decide().is_granted());
        world.state = State::default();
        prop_assert!(world.decide().is_granted());
    }

    #[test]
    fn unknown_is_refused(world in any_world_asked(any_request(any_unknown()))) {
        prop_assume!(entering(&world));
        let decision = world.decide();
        prop_assert!(!decision.is_granted(), "{:?}", decision);
        prop_assert!(!decision.reasons().is_empty());
    }

    #[test]
    fn an_unknown_thing_among_known_ones_is_refused(world in any_world(), unknown in any_unknown()) {
        let mut world = world;
        prop_assume!(entering(&world));
        let _full = world.request.presented.push(Presented { shown: unknown, at: world.now });
        prop_assert!(!world.decide().is_granted());
    }

    #[test]
    fn all_failed_rules_are_listed(world in any_world(), which: prop::sample::Index) {
        let before = world.decide();
        prop_assume!(entering(&world) && !before.reasons().is_empty());
        let (reasons, fixed) = (before.reasons().to_vec(), which.index(before.reasons().len()));
        // What is wrong with a second person goes when the second person does.
        let mixed_up = matches!(reasons[fixed], Reason::DifferentPeople { .. })
            && reasons.iter().any(|it| matches!(it, Reason::UnknownPerson { .. } | Reason::FaceWithoutConsent { .. }));
        // Nobody's clearance is none: once it is somebody, theirs may be enough.
        let locked_down = |it: &Reason| matches!(it, Reason::DoorLockedDown { .. });
        let of_nobody = before.trace.person.is_none()
            && !locked_down(&reasons[fixed])
            && reasons.iter().any(locked_down);
        prop_assume!(!mixed_up && !of_nobody);
        let mut world = world;
        put_right(&mut world, reasons[fixed]);
        let after = world.decide();
        prop_assert!(reasons.len() == 1 || !after.is_granted(), "{:?} was not all: {:?}", reasons, after);
    }

    #[test]
    fn putting_right_what_is_listed_opens_in_the_end(world in any_world()) {
        prop_assume!(entering(&world));
        let mut world = world;
        for _ in 0..40 {
            let decision = world.decide();
            match &decision.outcome {
                // To be asked for more is as good: the factor is all that lacks.
                Outcome::Granted(_) | Outcome::NeedsMore { .. } => return Ok(()),
                Outcome::Denied(reasons) => put_right(&mut world, reasons[0]),
            }
        }
        prop_assert!(false, "still refused: {:?}", world.decide());
    }

    #[test]
    fn a_reason_for_every_failed_rule_and_a_remedy_for_every_reason(world in any_world()) {
        let decision = world.decide();
        let refusals = decision.reasons().len();
        let asks = usize::from(matches!(decision.outcome, Outcome::NeedsMore { .. }));
        prop_assert_eq!(decision.trace.would_pass.len(), refusals + asks);
        let denied = matches!(decision.outcome, Outcome::Denied(_));
        prop_assert_eq!(denied, refusals > 0, "refused without a reason");
        let nothing_failed = decision.trace.failed.bits() == 0;
        prop_assert_eq!(nothing_failed, refusals + asks + decision.alarms.len() == 0);
        prop_assert_eq!(decision.trace.failed.bits() & !decision.trace.asked.bits(), 0, "failed unasked");
    }

    #[test]
    fn more_rights_never_refuse(world in any_world(), seed in 0_usize..3, combination in 1_u8..16) {
        prop_assume!(world.decide().is_granted());
        let mut more = world.clone();
        for person in &mut more.parts.people {
            person.groups = more.parts.groups.clone();
            person.clearance = 7;
        }
        let (groups, schedule) = (more.parts.groups.clone(), more.parts.schedules[seed].id);
        let doors = more.parts.doors.iter().map(|it| it.id).collect();
        more.parts.levels.push(Level { id: LevelId(50), groups, doors, schedule });
        let combination = Factors::from_bits(combination).filter(|it| *it != Factors::PIN);
        for door in &mut more.parts.doors {
            door.otherwise.extend(combination);
        }
        prop_assert!(more.decide().is_granted());
    }

    #[test]
    fn a_lock_never_opens(world in any_world(), clearance in 0_u8..=8, lockdown: bool) {
        prop_assume!(!world.decide().is_granted());
        let mode = if lockdown { OverrideMode::Lockdown { clearance } } else { OverrideMode::Locked };
        let mut world = world;
        let was_locked = world.state.override_at(world.request.door, world.now).is_some();
        prop_assume!(!was_locked);
        let it = Override { mode, by: CHIEF, rank: 7, since: Utc::MIN, until: Utc::MAX };
        let door = world.request.door;
        observe(&mut world, Event::Overridden(door, it));
        prop_assert!(!world.decide().is_granted());
    }

    #[test]
    fn losing_or_regaining_a_link_never_opens(world in any_world()) {
        let before = world.decide();
        let now = world.now;
        let mut heard = world.clone();
        observe(&mut heard, Event::CentreHeard { at: now });
        prop_assert_eq!(heard.decide().outcome, before.outcome.clone());
        let mut lost = world;
        observe(&mut lost, Event::RecordLost { at: now });
        prop_assert!(before.is_granted() || !lost.decide().is_granted());
    }

    #[test]
    fn fire_refuses_nobody(world in any_world()) {
        prop_assume!(world.decide().is_granted());
        let mut world = world;
        for zone in world.parts.fire_zones.clone() {
            observe(&mut world, Event::FireBegan(zone));
        }
        prop_assert!(world.decide().is_granted());
    }

    #[test]
    fn duress_cannot_be_told_at_the_door(world in any_world_asked(any_request(any_shown()))) {
        let plain = world.decide();
        let mut world = world;
        for credential in &mut world.parts.credentials {
            if credential.kind == CredentialKind::Pin {
                credential.usage = CredentialUse::Duress;
            }
        }
        let forced = world.decide();
        prop_assert_eq!(&plain.outcome, &forced.outcome);
        let loud: Vec<_> = forced.alarms.iter().filter(|it| !it.is_silent()).collect();
        prop_assert_eq!(loud, plain.alarms.iter().collect::<Vec<_>>());
    }

    #[test]
    fn the_order_of_parts_means_nothing(world in any_world()) {
        let mut turned = world.clone();
        turned.parts.people.reverse();
        turned.parts.people.iter_mut().for_each(|it| it.groups = [&*it.groups, &*it.groups].concat());
        turned.parts.people.iter_mut().for_each(|it| it.groups.reverse());
        turned.parts.levels.iter_mut().for_each(|it| it.groups.reverse());
        turned.parts.levels.iter_mut().for_each(|it| it.doors.reverse());
        turned.parts.credentials.reverse();
        turned.parts.doors.reverse();
        turned.parts.levels.reverse();
        turned.parts.groups.reverse();
        turned.parts.areas.reverse();
        turned.parts.schedules.reverse();
        prop_assert_eq!(world.policy().parts(), turned.policy().parts());
        prop_assert_eq!(world.decide(), turned.decide());
    }

    #[test]
    fn a_preview_leaves_no_trace_in_the_state(world in any_world()) {
        let mut world = world;
        world.request.asked_by = domain::request::AskedBy::Preview(CHIEF);
        let (policy, before) = (world.policy(), format!("{:?}", world.state));
        let decision = world.decide();
        world.state.observe(&policy, Event::Decided { request: &world.request, decision: &decision });
        prop_assert_eq!(before, format!("{:?}", world.state));
    }

    #[test]
    fn a_wrong_try_is_counted_once_and_alarms_at_the_limit(tries in 1_u8..=5, wrong in 1_u64..20) {
        let mut parts = crate::house::parts();
        parts.site.wrong_tries = tries;
        let mut site = crate::house::Site::with(|it| *it = parts);
        let mut alarms = 0;
        for _ in 0..wrong {
            let answer = site.unknown_card().at(crate::house::LOBBY);
            alarms += answer.0.alarms.iter().filter(|it| matches!(it, Reason::WrongTries { .. })).count() as u64;
            prop_assert!(!answer.0.is_granted());
        }
        prop_assert_eq!(alarms, wrong / u64::from(tries));
        let locked = site.badge(crate::house::ADA).at(crate::house::LOBBY).0.trace.failed.has(Rule::WrongTries);
        prop_assert_eq!(locked, wrong >= u64::from(tries));
    }
}
