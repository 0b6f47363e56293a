//! A lane's board under a panel.

use endpoints::gate_lane::{Direction, Event, Input, Output};
use endpoints::vendor::{Kind, What};
use endpoints::{Order, Outcome};
use osdp::OutputAction;

use crate::bench::{Bench, SECOND};

#[test]
fn lets_one_in_by_message_and_one_out_by_output() {
    let mut bench = Bench::new(Kind::GateLane);
    bench.hello();
    bench.wait(2 * SECOND);
    assert!(bench.is_on(Output::Brake.number()));
    assert_eq!(bench.order(3, Order::PassEntry, 0), Outcome::Done);
    // Again before anybody has passed: its time begins anew.
    assert_eq!(bench.order(3, Order::PassEntry, 0), Outcome::Done);
    assert!(bench.is_on(Output::OpenEntry.number()));
    for (beam, blocked) in [
        (0, true),
        (1, true),
        (0, false),
        (2, true),
        (1, false),
        (3, true),
        (2, false),
        (4, true),
        (3, false),
        (4, false),
    ] {
        bench.input(beam, blocked);
        bench.wait(100_000);
    }
    bench.until("passed", |b| b.has(What::Lane(Event::Passed { direction: Direction::Entry, id: 3 })));
    assert_eq!(bench.order(3, Order::PassEntry, 0), Outcome::Repeated, "it has been used");
    bench.wait(3 * SECOND);
    bench.out(Output::OpenExit.number(), OutputAction::OnForTimer, 50);
    assert!(bench.is_on(Output::OpenExit.number()));
    bench.input(Input::Fire.number(), true);
    bench.wait(10_000);
    assert!(!bench.is_on(Output::Brake.number()));
}
