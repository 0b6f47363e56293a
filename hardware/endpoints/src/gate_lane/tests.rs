//! A lane's day, in the words of the trade.

extern crate std;

use std::vec::Vec;

use super::{Direction, Event, GateLane, Given, Input, Leaf, Output, Settings};
use crate::common::{Command, Condition, Effect, Order, Outcome, Refusal, Sense, Source};

const BEAMS: [Input; 5] = [
    Input::BeamEntryOuter,
    Input::BeamEntryInner,
    Input::BeamSafety,
    Input::BeamExitInner,
    Input::BeamExitOuter,
];

struct Site {
    lane: GateLane,
    now: u64,
    events: Vec<Event>,
    conditions: Vec<Condition>,
}

impl Site {
    fn new() -> Site {
        let mut site = Site {
            lane: GateLane::new(Settings::default()),
            now: 0,
            events: Vec::new(),
            conditions: Vec::new(),
        };
        site.give(Given::Tick);
        site.leaf_arrives();
        site.events.clear();
        site
    }

    fn give(&mut self, given: Given) -> Option<Outcome> {
        let mut outcome = None;
        for effect in self.lane.step(self.now, given) {
            match effect {
                Effect::Event(e) => self.events.push(e),
                Effect::Began(c) => self.conditions.push(c),
                Effect::Ended(_) | Effect::Set(..) => {}
                Effect::Answer(o) => outcome = Some(o),
            }
        }
        outcome
    }

    fn order(&mut self, id: u64, order: Order, seconds: u64) -> Outcome {
        let for_us = seconds * 1_000_000;
        self.give(Given::Command(Command { id, order, for_us, source: Source::Controller })).unwrap()
    }

    fn beam(&mut self, beam: usize, blocked: bool) {
        self.give(Given::Sense(BEAMS[beam], if blocked { Sense::Active } else { Sense::Rest }));
    }

    fn wait(&mut self, ms: u64) {
        let end = self.now + ms * 1000;
        while let Some(at) = self.lane.deadline().filter(|at| *at <= end) {
            self.now = at;
            self.give(Given::Tick);
        }
        self.now = end;
        self.give(Given::Tick);
    }

    /// The drive brings the leaf to its limit, whichever it drives to.
    fn leaf_arrives(&mut self) {
        for _ in 0..4 {
            self.now += 100_000;
            match self.lane.leaf() {
                Leaf::Opening { .. } => {
                    self.give(Given::Sense(Input::LeafClosed, Sense::Rest));
                    self.give(Given::Sense(Input::LeafOpen, Sense::Active));
                }
                Leaf::Closing { .. } => {
                    self.give(Given::Sense(Input::LeafOpen, Sense::Rest));
                    self.give(Given::Sense(Input::LeafClosed, Sense::Active));
                }
                Leaf::Closed | Leaf::Open { .. } | Leaf::Free => return,
            }
        }
    }

    /// Somebody walks through beams in this order, two blocked at a time.
    fn walks(&mut self, order: [usize; 5]) {
        self.beam(order[0], true);
        for pair in order.windows(2) {
            self.beam(pair[1], true);
            self.beam(pair[0], false);
            self.wait(100);
        }
        self.beam(order[4], false);
    }

    fn walks_in(&mut self) {
        self.walks([0, 1, 2, 3, 4]);
    }

    fn walks_out(&mut self) {
        self.walks([4, 3, 2, 1, 0]);
    }
}

#[test]
fn let_in_passes_and_the_leaf_closes() {
    let mut site = Site::new();
    assert!(site.lane.output(Output::Brake));
    assert_eq!(site.order(7, Order::PassEntry, 0), Outcome::Done);
    assert!(site.lane.output(Output::OpenEntry) && !site.lane.output(Output::Brake));
    assert!(site.lane.output(Output::EntryGreen) && site.lane.output(Output::ExitRed));
    site.leaf_arrives();
    site.walks_in();
    assert!(site.lane.output(Output::Close));
    site.leaf_arrives();
    assert_eq!(site.lane.leaf(), Leaf::Closed);
    assert_eq!(
        site.events,
        [
            Event::Authorised { direction: Direction::Entry, id: 7 },
            Event::Passed { direction: Direction::Entry, id: 7 }
        ]
    );
}

#[test]
fn let_out_passes() {
    let mut site = Site::new();
    site.order(8, Order::PassExit, 0);
    site.leaf_arrives();
    site.walks_out();
    assert!(site.events.contains(&Event::Passed { direction: Direction::Exit, id: 8 }));
}

#[test]
fn who_stands_at_the_reader_before_the_grant_passes_too() {
    let mut site = Site::new();
    site.beam(0, true);
    site.wait(2000);
    site.order(9, Order::PassEntry, 0);
    site.leaf_arrives();
    site.walks_in();
    assert_eq!(site.events.last(), Some(&Event::Passed { direction: Direction::Entry, id: 9 }));
}

#[test]
fn goes_back_and_then_passes_after_all() {
    let mut site = Site::new();
    site.order(7, Order::PassEntry, 0);
    site.leaf_arrives();
    site.beam(0, true);
    site.beam(1, true);
    site.beam(1, false);
    site.beam(0, false);
    assert_eq!(site.events.last(), Some(&Event::Abandoned { direction: Direction::Entry, id: 7 }));
    site.walks_in();
    assert_eq!(site.events.last(), Some(&Event::Passed { direction: Direction::Entry, id: 7 }));
}

#[test]
fn nobody_comes() {
    let mut site = Site::new();
    site.order(7, Order::PassEntry, 0);
    site.leaf_arrives();
    site.wait(5000);
    assert_eq!(site.events.last(), Some(&Event::NotUsed { direction: Direction::Entry, id: 7 }));
    assert!(site.lane.output(Output::Close));
}

#[test]
fn second_person_behind_the_first_is_tailgating_and_slips() {
    let mut site = Site::new();
    site.order(7, Order::PassEntry, 0);
    site.leaf_arrives();
    for (beam, blocked) in
        [(0, true), (1, true), (0, false), (2, true), (1, false), (3, true), (2, false), (0, true)]
    {
        site.beam(beam, blocked);
    }
    assert_eq!(site.events.last(), Some(&Event::Tailgating { direction: Direction::Entry }));
    assert!(site.lane.output(Output::Sounder));
    for (beam, blocked) in [
        (4, true),
        (3, false),
        (1, true),
        (0, false),
        (4, false),
        (2, true),
        (1, false),
        (3, true),
        (2, false),
        (4, true),
        (3, false),
        (4, false),
    ] {
        site.beam(beam, blocked);
    }
    assert_eq!(
        site.events[2..],
        [
            // The leaf shut between the two and met the second.
            Event::Reversed,
            Event::Passed { direction: Direction::Entry, id: 7 },
            Event::Slipped { direction: Direction::Entry }
        ]
    );
}

#[test]
fn two_with_two_grants_are_no_tailgating() {
    let mut site = Site::new();
    site.order(7, Order::PassEntry, 0);
    site.order(8, Order::PassEntry, 0);
    assert_eq!(site.lane.pending(Direction::Entry), 2);
    site.leaf_arrives();
    site.walks_in();
    assert!(matches!(site.lane.leaf(), Leaf::Open { .. }));
    site.walks_in();
    let passed: Vec<_> = site.events.iter().filter(|e| matches!(e, Event::Passed { .. })).collect();
    assert_eq!(passed.len(), 2);
    assert!(!site.events.iter().any(|e| matches!(e, Event::Tailgating { .. })));
}

#[test]
fn somebody_against_the_way_is_wrong_way_and_the_leaf_closes_when_clear() {
    let mut site = Site::new();
    site.order(7, Order::PassEntry, 0);
    site.leaf_arrives();
    site.beam(4, true);
    site.beam(3, true);
    assert_eq!(site.events.last(), Some(&Event::WrongWay { direction: Direction::Exit }));
    assert!(!site.lane.output(Output::Close), "somebody stands in the leaf's way");
    site.beam(3, false);
    assert!(site.lane.output(Output::Close));
}

#[test]
fn through_a_closed_leaf_is_forced() {
    let mut site = Site::new();
    site.walks_in();
    assert_eq!(
        site.events,
        [Event::Forced { direction: Direction::Entry }, Event::Slipped { direction: Direction::Entry }]
    );
}

#[test]
fn standing_at_the_reader_is_no_alarm() {
    let mut site = Site::new();
    site.beam(0, true);
    site.wait(60_000);
    site.beam(0, false);
    assert_eq!(site.events, []);
}

#[test]
fn reverses_when_something_comes_in_its_way() {
    let mut site = Site::new();
    site.order(7, Order::PassEntry, 0);
    site.leaf_arrives();
    site.walks_in();
    assert!(site.lane.output(Output::Close));
    site.beam(2, true);
    assert!(!site.lane.output(Output::Close) && site.lane.output(Output::OpenEntry));
    assert!(site.events.contains(&Event::Reversed));
    site.leaf_arrives();
    site.beam(2, false);
    assert!(site.lane.output(Output::Close));
}

#[test]
fn over_current_reverses() {
    let mut site = Site::new();
    site.order(7, Order::PassEntry, 0);
    site.leaf_arrives();
    site.wait(6000);
    assert!(site.lane.output(Output::Close));
    site.give(Given::Sense(Input::Obstruction, Sense::Active));
    assert!(!site.lane.output(Output::Close) && site.events.contains(&Event::Reversed));
}

#[test]
fn fire_frees_both_ways_and_everybody_passes() {
    let mut site = Site::new();
    site.give(Given::Sense(Input::Fire, Sense::Active));
    assert!(!site.lane.output(Output::Brake) && site.lane.output(Output::OpenExit));
    site.walks_out();
    site.walks_in();
    assert!(!site.events.iter().any(|e| matches!(e, Event::Forced { .. } | Event::WrongWay { .. })));
    site.give(Given::Sense(Input::Fire, Sense::Rest));
    assert!(site.events.contains(&Event::Secured) && site.lane.output(Output::Close));
}

#[test]
fn power_loss_frees_without_driving() {
    let mut site = Site::new();
    site.give(Given::Sense(Input::Mains, Sense::Active));
    for output in [Output::OpenEntry, Output::OpenExit, Output::Close, Output::Brake] {
        assert!(!site.lane.output(output));
    }
}

#[test]
fn lockdown_refuses_entry_and_lets_out() {
    let mut site = Site::new();
    site.order(1, Order::Lockdown, 60);
    assert_eq!(site.order(2, Order::PassEntry, 0), Outcome::Refused(Refusal::Lockdown));
    assert_eq!(site.order(3, Order::PassExit, 0), Outcome::Done);
    assert!(site.lane.output(Output::OpenExit));
}

#[test]
fn exits_beyond_the_limit_are_still_let_out() {
    let mut site = Site::new();
    for id in 1..=9 {
        assert_eq!(site.order(id, Order::PassExit, 0), Outcome::Done);
        let outcome = site.order(100 + id, Order::PassEntry, 0);
        assert_eq!(outcome == Outcome::Refused(Refusal::TooMany), id > 4);
    }
}

#[test]
fn a_leaf_that_never_arrives_is_reported() {
    let mut site = Site::new();
    site.order(7, Order::PassEntry, 0);
    site.leaf_arrives();
    site.walks_in();
    site.give(Given::Sense(Input::LeafClosed, Sense::Rest));
    site.wait(1500);
    assert_eq!(site.conditions, [Condition::LeafStuck]);
}
