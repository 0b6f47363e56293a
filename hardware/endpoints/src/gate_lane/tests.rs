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
    ended: Vec<Condition>,
}

impl Site {
    fn new() -> Site {
        let mut site = Site {
            lane: GateLane::new(Settings::default()),
            now: 0,
            events: Vec::new(),
            conditions: Vec::new(),
            ended: Vec::new(),
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
                Effect::Ended(c) => self.ended.push(c),
                Effect::Set(..) => {}
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

    /// Somebody walks past these beams in this order, two blocked at a time.
    fn walks_past<const N: usize>(&mut self, order: [usize; N]) {
        self.beam(order[0], true);
        for pair in order.windows(2) {
            self.beam(pair[1], true);
            self.beam(pair[0], false);
            self.wait(100);
        }
        self.beam(order[N - 1], false);
    }

    fn walks_in(&mut self) {
        self.walks_past([0, 1, 2, 3, 4]);
    }

    fn walks_out(&mut self) {
        self.walks_past([4, 3, 2, 1, 0]);
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
fn the_same_order_again_renews_its_time_and_adds_nobody() {
    let mut site = Site::new();
    for id in 1..=4 {
        site.order(id, Order::PassEntry, 0);
    }
    site.wait(4_000);
    assert!(site.lane.waits_for(2) && !site.lane.waits_for(5) && !site.lane.waits_for(0));
    assert_eq!(site.order(2, Order::PassEntry, 0), Outcome::Done);
    assert_eq!(site.lane.pending(Direction::Entry), 4);
    site.wait(4_000);
    assert_eq!(site.lane.pending(Direction::Entry), 4, "its time has begun anew");
    site.wait(2_000);
    assert!(!site.lane.waits_for(2));
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
fn a_bag_in_the_outer_beam_lets_nobody_else_in() {
    let mut site = Site::new();
    site.beam(0, true);
    site.order(7, Order::PassEntry, 0);
    site.leaf_arrives();
    site.walks_past([1, 2, 3, 4]);
    let passed = Event::Passed { direction: Direction::Entry, id: 7 };
    assert_eq!(site.events.last(), Some(&passed), "told although the lane is not clear");
    for _ in 0..2 {
        site.events.clear();
        site.walks_past([1, 2, 3, 4]);
        let alarm = |it: &Event| matches!(it, Event::Tailgating { .. } | Event::Forced { .. });
        assert!(site.events.iter().any(alarm), "{:?}", site.events);
        assert_eq!(site.events.last(), Some(&Event::Slipped { direction: Direction::Entry }));
    }
    site.events.clear();
    site.beam(0, false);
    site.leaf_arrives();
    assert_eq!(
        (&site.events[..], site.lane.leaf()),
        (&[][..], Leaf::Closed),
        "nothing is left of the authority"
    );
}

#[test]
fn close_behind_each_other_on_one_authority_is_tailgating() {
    let mut site = Site::new();
    site.beam(0, true);
    site.order(7, Order::PassEntry, 0);
    site.leaf_arrives();
    // The second is one beam behind the first all the way.
    for (beam, blocked) in [
        (1, true),
        (2, true),
        (1, false),
        (1, true),
        (3, true),
        (2, false),
        (2, true),
        (1, false),
        (4, true),
        (3, false),
        (3, true),
        (2, false),
        (4, false),
    ] {
        site.beam(beam, blocked);
    }
    assert_eq!(
        site.events[1..],
        [
            Event::Passed { direction: Direction::Entry, id: 7 },
            Event::Tailgating { direction: Direction::Entry }
        ]
    );
}

#[test]
fn a_wave_from_outside_does_not_hide_who_comes_in_on_an_exit() {
    let mut site = Site::new();
    site.beam(4, true);
    site.give(Given::Sense(Input::Rex, Sense::Active));
    site.leaf_arrives();
    site.beam(1, true);
    site.beam(1, false);
    site.events.clear();
    site.walks_past([0, 1, 2, 3]);
    assert!(site.events.contains(&Event::WrongWay { direction: Direction::Entry }), "{:?}", site.events);
}

#[test]
fn who_steps_back_and_goes_on_is_one_person() {
    let mut site = Site::new();
    site.order(7, Order::PassEntry, 0);
    site.leaf_arrives();
    for (beam, blocked) in [
        (0, true),
        (1, true),
        (0, false),
        (2, true),
        (1, false),
        (1, true),
        (2, false),
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
    assert_eq!(site.events[1..], [Event::Passed { direction: Direction::Entry, id: 7 }]);
}

#[test]
fn an_authority_does_not_last_for_as_long_as_a_beam_is_covered() {
    let mut site = Site::new();
    site.beam(0, true);
    site.order(7, Order::PassEntry, 0);
    site.leaf_arrives();
    site.wait(9_000);
    assert!(matches!(site.lane.leaf(), Leaf::Open { .. }), "somebody slow is let through");
    site.wait(2_000);
    assert_eq!(site.events.last(), Some(&Event::NotUsed { direction: Direction::Entry, id: 7 }));
    assert_eq!(site.conditions, [Condition::BeamBlocked]);
    assert!(
        site.lane.output(Output::Close) && site.lane.status().conditions.contains(&Condition::BeamBlocked)
    );
    // It is no lock: whoever is let in now still passes.
    site.order(8, Order::PassEntry, 0);
    site.leaf_arrives();
    site.walks_past([1, 2, 3, 4]);
    assert_eq!(site.events.last(), Some(&Event::Passed { direction: Direction::Entry, id: 8 }));
    site.beam(0, false);
    assert_eq!(site.ended, [Condition::BeamBlocked]);
}

#[test]
fn who_stays_in_the_lane_for_longer_than_a_passage_takes_is_an_alarm() {
    let mut site = Site::new();
    site.order(7, Order::PassEntry, 0);
    site.leaf_arrives();
    site.beam(0, true);
    site.beam(1, true);
    site.wait(11_000);
    assert!(site.events.contains(&Event::Tailgating { direction: Direction::Entry }), "{:?}", site.events);
    assert!(site.lane.output(Output::Sounder) && !site.lane.output(Output::Close), "not on somebody");
}

#[test]
fn four_beams_are_enough() {
    let mut site = Site::new();
    site.order(7, Order::PassEntry, 0);
    site.leaf_arrives();
    site.walks_past([0, 1, 3, 4]);
    assert_eq!(site.events[1..], [Event::Passed { direction: Direction::Entry, id: 7 }]);
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
fn a_fire_and_a_broken_glass_end_at_rest_only() {
    for (input, condition) in [(Input::Fire, Condition::Fire), (Input::BreakGlass, Condition::BreakGlass)] {
        let mut site = Site::new();
        for sense in [Sense::Active, Sense::Cut, Sense::Short] {
            site.give(Given::Sense(input, sense));
            assert!(site.lane.status().conditions.contains(&condition), "{sense:?}");
        }
        assert_eq!(site.ended, [Condition::Cut(input.number())]);
        site.give(Given::Sense(input, Sense::Rest));
        assert!(site.ended.contains(&condition) && site.lane.status().conditions.is_empty());
    }
}

#[test]
fn a_held_lane_opens_outward_and_stays_open_whoever_passes() {
    let mut site = Site::new();
    assert_eq!(site.order(1, Order::Hold, 3600), Outcome::Done);
    assert!(site.lane.output(Output::OpenExit), "nothing drives against those who leave");
    site.leaf_arrives();
    for order in [[4, 3, 2, 1, 0], [0, 1, 2, 3, 4]] {
        for beam in order {
            site.beam(beam, true);
            assert!(!site.lane.output(Output::Close) && site.lane.output(Output::OpenExit));
            assert!(site.lane.output(Output::EntryGreen) && site.lane.output(Output::ExitGreen));
            site.beam(beam, false);
        }
    }
    assert!(!site.events.contains(&Event::Reversed));
}

#[test]
fn a_lane_open_inward_when_the_hold_comes_stays_as_it_is() {
    let mut site = Site::new();
    site.order(7, Order::PassEntry, 0);
    site.leaf_arrives();
    site.order(1, Order::Hold, 3600);
    site.walks_out();
    assert_eq!(site.lane.leaf(), Leaf::Open { to: Direction::Entry }, "it is out of everybody's way");
    assert!(!site.lane.output(Output::Close));
    assert!(site.lane.output(Output::EntryGreen) && site.lane.output(Output::ExitGreen));
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
