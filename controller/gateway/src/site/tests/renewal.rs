//! Somebody shown again at a lane before they have passed.

use domain::request::{Liveness, Shown};
use endpoints::Outcome;
use endpoints::gate_lane::{Direction, Event};
use endpoints::vendor::{BoardEvent, EventsWriter, FromBoard, MAX_BODY, What};

use super::super::decisions::Origin;
use super::*;

const LANE: BoardId = BoardId(1);

impl Case {
    /// Ada stands before the lane; says by which order she was let in.
    fn ada_at_the_lane(&mut self) -> u64 {
        let now = self.time();
        let shown = Shown::Face {
            person: PersonId(ADA),
            score: Score(9_000),
            margin: Score(9_000),
            live: Liveness::Live,
        };
        let origin = Origin::Reader { board: LANE, number: 0 };
        self.forget_orders();
        self.site.presented(now, YARD, Side::Entry, shown, now.utc, origin, BTreeMap::new());
        self.step(Input::Tick);
        self.let_in()
    }

    /// The order by which somebody is let in at the lane.
    fn let_in(&self) -> u64 {
        let mut orders = self.orders.iter().filter_map(|(_, say)| match say {
            Say::Ours(ToBoard::Command { id, order: Order::PassEntry, .. }) => Some(*id),
            _ => None,
        });
        orders.next().expect("she is let in")
    }

    fn lane_tells(&mut self, seq: u32, event: Event) {
        let now = self.time();
        let mut body = [0; MAX_BODY];
        let mut writer = EventsWriter::new(&mut body, 0).expect("room");
        let what = What::Lane(event);
        writer.push(&BoardEvent { seq, boot: 1, uptime_ms: 0, utc_us: None, what }).expect("room");
        let used = writer.finish();
        let Ok(FromBoard::Events { epoch, events }) = FromBoard::decode(&body[..used]) else {
            panic!("it was just written")
        };
        self.site.board_events(now, LANE, epoch, events);
        self.step(Input::Tick);
    }

    fn lane_answers(&mut self, order: u64, outcome: Outcome) {
        let now = self.time();
        self.forget_orders();
        self.site.order_answered(now, LANE, order, outcome);
        self.step(Input::Tick);
    }
}

#[test]
fn until_somebody_has_passed_the_same_order_is_given_again() {
    let direction = Direction::Entry;
    let mut case = Case::new(policy(|_| ()));
    let first = case.ada_at_the_lane();
    case.wait(Duration::from_secs(1));
    assert_eq!(case.ada_at_the_lane(), first);
    case.lane_tells(1, Event::Passed { direction, id: first });
    let second = case.ada_at_the_lane();
    assert_ne!(second, first);
    case.lane_tells(2, Event::NotUsed { direction, id: second });
    assert_ne!(case.ada_at_the_lane(), second);
}

#[test]
fn a_board_that_cannot_renew_gets_a_new_order_and_whoever_passes_by_either_is_known() {
    let mut case = Case::new(policy(|_| ()));
    let first = case.ada_at_the_lane();
    case.lane_answers(first, Outcome::Repeated);
    assert!(case.orders.is_empty(), "it was said twice on the wire: nobody asked for more");
    assert_eq!(case.ada_at_the_lane(), first);
    case.lane_answers(first, Outcome::Repeated);
    assert_ne!(case.let_in(), first);
    case.lane_tells(1, Event::Passed { direction: Direction::Entry, id: first });
    assert!(case.site.state.presence(PersonId(ADA)).is_some());
}
