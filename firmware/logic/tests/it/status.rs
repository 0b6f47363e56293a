//! What a board says of itself to a controller that has just come.

use endpoints::door::{Cause, Event, Input};
use endpoints::vendor::{FromBoard, Kind, ToBoard, What};
use endpoints::{Condition, LeafNow, LockNow, Order, Status};
use osdp::cp::EventKind;

use crate::bench::{Bench, SECOND};

fn status(bench: &mut Bench) -> (u32, Status) {
    let answers = bench.ask_board(ToBoard::Status);
    let found = answers.iter().find_map(|kind| {
        let EventKind::Mfg { data, token: Some(_), .. } = kind else { return None };
        match FromBoard::decode(&data[..]) {
            Ok(FromBoard::Status { as_of, status, .. }) => Some((as_of, status)),
            Ok(
                FromBoard::Info(_)
                | FromBoard::Events { .. }
                | FromBoard::Outcome { .. }
                | FromBoard::Update(_),
            )
            | Err(_) => None,
        }
    });
    found.unwrap_or_else(|| panic!("a status among {answers:?}"))
}

#[test]
fn what_lasts_is_said_though_its_events_were_acknowledged_long_ago() {
    let mut bench = Bench::new(Kind::Door);
    bench.hello();
    let (_, now) = status(&mut bench);
    assert_eq!((now.leaf, now.lock, now.forced), (LeafNow::Closed, LockNow::Locked, false));
    assert!(now.conditions.is_empty(), "{now:?}");
    bench.input(Input::Contact.number(), true);
    bench.input(Input::Tamper.number(), true);
    bench.order(1, Order::Lock, 3_600_000);
    bench.until("told", |b| b.has(What::Door(Event::Forced)));
    bench.wait(3 * SECOND);
    let told = bench.events.last().expect("events were told").seq;
    let (as_of, now) = status(&mut bench);
    assert_eq!(as_of, told, "nothing is left to be told");
    assert_eq!((now.leaf, now.lock, now.forced), (LeafNow::Open, LockNow::Locked, true));
    assert!(
        now.conditions.contains(&Condition::Tamper) && now.conditions.contains(&Condition::LockedByCommand)
    );
    // The cause that would be named first goes before the others.
    bench.order(2, Order::Hold, 3_600_000);
    bench.input(Input::BreakGlass.number(), true);
    bench.wait(SECOND);
    assert_eq!(status(&mut bench).1.lock, LockNow::Released(Cause::BreakGlass));
}

#[test]
fn a_lane_says_where_its_leaf_is_and_why_it_lets_pass() {
    use endpoints::gate_lane::Input;
    let mut bench = Bench::new(Kind::GateLane);
    bench.hello();
    bench.input(Input::LeafClosed.number(), true);
    bench.wait(3 * SECOND);
    let (_, now) = status(&mut bench);
    assert_eq!((now.leaf, now.lock), (LeafNow::Closed, LockNow::Locked));
    bench.order(1, Order::Hold, 60_000);
    bench.input(Input::LeafClosed.number(), false);
    bench.wait(SECOND);
    let (_, now) = status(&mut bench);
    assert_eq!((now.leaf, now.lock), (LeafNow::Open, LockNow::Released(Cause::Hold)));
    assert_eq!(now.conditions[..], [Condition::HeldOpen]);
}
