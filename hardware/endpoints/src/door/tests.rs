//! A door's day, in the words of the trade.

extern crate std;

use std::vec;
use std::vec::Vec;

use super::{Cause, Door, Event, Given, Input, Output, Relock, Settings};
use crate::common::{Command, Condition, Effect, Link, Order, Outcome, Refusal, Sense, Source};

const SECOND: u64 = 1_000_000;

struct Site {
    door: Door,
    now: u64,
    events: Vec<Event>,
    conditions: Vec<(Condition, bool)>,
    outcome: Option<Outcome>,
}

impl Site {
    fn with(settings: Settings) -> Site {
        let mut site = Site {
            door: Door::new(settings),
            now: 0,
            events: Vec::new(),
            conditions: Vec::new(),
            outcome: None,
        };
        site.sense(Input::Contact, Sense::Rest);
        site
    }

    fn give(&mut self, given: Given) {
        for effect in self.door.step(self.now, given) {
            match effect {
                Effect::Event(e) => self.events.push(e),
                Effect::Began(c) => self.conditions.push((c, true)),
                Effect::Ended(c) => self.conditions.push((c, false)),
                Effect::Answer(o) => self.outcome = Some(o),
                Effect::Set(..) => {}
            }
        }
    }

    fn sense(&mut self, input: Input, sense: Sense) {
        self.give(Given::Sense(input, sense));
    }

    fn order(&mut self, order: Order, seconds: u64) -> Outcome {
        self.order_by(order, seconds, Source::Controller)
    }

    fn order_by(&mut self, order: Order, seconds: u64, source: Source) -> Outcome {
        self.give(Given::Command(Command { id: 42, order, for_us: seconds * SECOND, source }));
        self.outcome.take().unwrap()
    }

    fn lets_in(&mut self, id: u64) {
        let (order, source) = (Order::Release, Source::Controller);
        self.give(Given::Command(Command { id, order, for_us: 5 * SECOND, source }));
    }

    /// Who was named as having opened, and who as not.
    fn named(&self) -> (Vec<u64>, Vec<u64>) {
        let opened = |it: &Event| if let Event::Opened { id, .. } = it { Some(*id) } else { None };
        let not_opened = |it: &Event| if let Event::NotOpened { id } = it { Some(*id) } else { None };
        (self.events.iter().filter_map(opened).collect(), self.events.iter().filter_map(not_opened).collect())
    }

    /// Lets time pass, waking the door exactly at its deadlines.
    fn wait(&mut self, seconds: u64) {
        let end = self.now + seconds * SECOND;
        while let Some(at) = self.door.deadline().filter(|at| *at <= end) {
            self.now = at;
            self.give(Given::Tick);
            assert!(self.door.deadline().is_none_or(|next| next > at), "a deadline is met once");
        }
        self.now = end;
    }

    fn opens(&mut self) {
        self.sense(Input::Contact, Sense::Active);
    }

    fn closes(&mut self) {
        self.sense(Input::Contact, Sense::Rest);
    }

    fn released(&self) -> bool {
        self.door.output(Output::Lock)
    }
}

#[test]
fn granted_opened_closed_relocks_on_close() {
    let mut site = Site::with(Settings::default());
    assert_eq!(site.order(Order::Release, 0), Outcome::Done);
    assert!(site.released());
    site.wait(1);
    site.opens();
    site.wait(1);
    assert!(site.released());
    site.closes();
    assert!(!site.released());
    assert_eq!(
        site.events,
        [
            Event::Released { cause: Cause::Grant, id: 42 },
            Event::Opened { cause: Cause::Grant, id: 42 },
            Event::Closed,
            Event::Locked
        ]
    );
}

#[test]
fn strike_lasts_exactly_its_time() {
    for seconds in [1, 3, 255] {
        let mut site = Site::with(Settings { relock: Relock::AtTimeout, ..Settings::default() });
        site.order(Order::Release, seconds);
        site.now = seconds * SECOND - 1;
        site.give(Given::Tick);
        assert!(site.released());
        site.now += 1;
        site.give(Given::Tick);
        assert!(!site.released());
    }
    let mut site = Site::with(Settings::default());
    site.order(Order::Release, 3600);
    site.wait(255);
    assert!(!site.released(), "a release lasts at most 255 s");
}

#[test]
fn not_opened_after_grant() {
    let mut site = Site::with(Settings::default());
    site.order(Order::Release, 5);
    site.wait(6);
    assert!(site.events.contains(&Event::NotOpened { id: 42 }));
    assert!(!site.released());
}

#[test]
fn everybody_let_in_before_one_opening_is_named() {
    let mut site = Site::with(Settings::default());
    site.lets_in(1);
    site.wait(1);
    site.lets_in(2);
    site.opens();
    site.closes();
    site.wait(10);
    assert_eq!(site.named(), (vec![1, 2], vec![]));
}

#[test]
fn who_is_let_in_while_it_stands_open_has_gone_in() {
    let mut site = Site::with(Settings::default());
    site.lets_in(1);
    site.opens();
    site.lets_in(2);
    assert_eq!(site.events.last(), Some(&Event::Opened { cause: Cause::Grant, id: 2 }));
    site.closes();
    site.wait(10);
    assert_eq!(site.named(), (vec![1, 2], vec![]));
}

#[test]
fn a_request_to_exit_does_not_hide_who_was_let_in() {
    let mut site = Site::with(Settings::default());
    site.lets_in(1);
    site.sense(Input::Rex, Sense::Active);
    site.opens();
    assert_eq!(site.events.last(), Some(&Event::Opened { cause: Cause::Rex, id: 1 }));
    site.closes();
    site.wait(10);
    assert_eq!(site.named(), (vec![1], vec![]));
}

#[test]
fn who_opens_in_the_moment_of_locking_has_opened() {
    let mut site = Site::with(Settings::default());
    site.lets_in(1);
    site.wait(5);
    assert!(!site.released());
    site.now += 100_000;
    site.opens();
    site.wait(10);
    assert_eq!(site.named(), (vec![1], vec![]));
}

#[test]
fn a_lock_by_command_leaves_the_same_moment() {
    let mut site = Site::with(Settings::default());
    site.lets_in(1);
    site.order(Order::Lock, 60);
    assert_eq!(site.named(), (vec![], vec![]));
    site.wait(1);
    assert_eq!(site.named(), (vec![], vec![1]));
}

#[test]
fn who_did_not_open_is_told_in_time_whatever_else_releases() {
    let mut site = Site::with(Settings::default());
    site.order(Order::Hold, 3600);
    site.lets_in(1);
    site.wait(6);
    assert_eq!(site.named(), (vec![], vec![1]));
    site.opens();
    assert_eq!(site.events.last(), Some(&Event::Opened { cause: Cause::Hold, id: 0 }));
}

#[test]
fn of_more_than_four_let_in_at_once_the_first_is_given_up() {
    let mut site = Site::with(Settings::default());
    (1..=5).for_each(|id| site.lets_in(id));
    assert_eq!(site.named(), (vec![], vec![1]));
    site.opens();
    assert_eq!(site.named(), (vec![2, 3, 4, 5], vec![1]));
}

#[test]
fn relocks_on_open() {
    let mut site = Site::with(Settings { relock: Relock::OnOpen, ..Settings::default() });
    site.order(Order::Release, 5);
    site.opens();
    assert!(!site.released());
    site.wait(2);
    site.closes();
    assert!(!site.events.contains(&Event::Forced));
}

#[test]
fn forced_and_closed_after() {
    let mut site = Site::with(Settings::default());
    site.opens();
    assert!(site.door.output(Output::Sounder));
    site.closes();
    assert!(!site.door.output(Output::Sounder));
    assert_eq!(site.events, [Event::Forced, Event::ClosedAfterForced]);
}

#[test]
fn held_after_its_time_and_closed_after() {
    let mut site = Site::with(Settings::default());
    site.order(Order::Release, 5);
    site.opens();
    site.wait(29);
    assert!(!site.events.contains(&Event::HeldTooLong));
    site.wait(2);
    assert!(site.events.contains(&Event::HeldTooLong));
    site.closes();
    assert_eq!(site.events.last(), Some(&Event::ClosedAfterHeld));
}

#[test]
fn a_held_open_door_is_no_alarm_until_the_hold_ends() {
    let mut site = Site::with(Settings::default());
    site.order(Order::Hold, 3600);
    site.opens();
    site.wait(3590);
    assert!(!site.events.contains(&Event::HeldTooLong));
    site.wait(10 + 31);
    assert!(site.events.contains(&Event::HeldTooLong));
    assert_eq!(site.conditions, [(Condition::HeldOpen, true), (Condition::HeldOpen, false)]);
}

#[test]
fn exit_releases_in_lockdown_and_for_as_long_as_it_is_pressed() {
    let mut site = Site::with(Settings::default());
    site.order(Order::Lockdown, 3600);
    site.sense(Input::Rex, Sense::Active);
    site.wait(60);
    assert!(site.released());
    site.sense(Input::Rex, Sense::Rest);
    assert!(!site.released());
}

#[test]
fn a_short_press_releases_for_the_exit_time() {
    let mut site = Site::with(Settings::default());
    site.sense(Input::Rex, Sense::Active);
    site.sense(Input::Rex, Sense::Rest);
    site.wait(4);
    assert!(site.released());
    site.wait(1);
    assert!(!site.released());
}

#[test]
fn a_cut_fire_loop_releases_and_is_a_fault() {
    let mut site = Site::with(Settings::default());
    site.sense(Input::Fire, Sense::Cut);
    assert!(site.released());
    assert_eq!(site.conditions, [(Condition::Cut(Input::Fire.number()), true)]);
    site.sense(Input::Fire, Sense::Active);
    assert!(site.released());
    site.sense(Input::Fire, Sense::Rest);
    assert!(!site.released());
    assert_eq!(site.conditions.last(), Some(&(Condition::Fire, false)));
}

#[test]
fn a_fire_that_burns_through_its_own_cable_goes_on() {
    let cut = Condition::Cut(Input::Fire.number());
    let mut site = Site::with(Settings::default());
    for sense in [Sense::Active, Sense::Cut, Sense::Active, Sense::Short] {
        site.sense(Input::Fire, sense);
        assert!(site.released() && site.door.status().conditions.contains(&Condition::Fire), "{sense:?}");
    }
    assert_eq!(site.conditions[..3], [(Condition::Fire, true), (cut, true), (cut, false)]);
    assert!(!site.conditions.contains(&(Condition::Fire, false)), "it has not ended");
    site.sense(Input::Fire, Sense::Rest);
    assert_eq!(site.conditions.last(), Some(&(Condition::Fire, false)));
    assert!(!site.released() && site.door.status().conditions.is_empty());
}

#[test]
fn locked_by_command_the_controller_still_releases_the_whitelist_does_not() {
    let mut site = Site::with(Settings::default());
    site.order(Order::Lock, 60);
    assert_eq!(site.order_by(Order::Release, 5, Source::Whitelist), Outcome::Refused(Refusal::Locked));
    assert_eq!(site.order(Order::Release, 5), Outcome::Done);
    assert!(site.released());
}

#[test]
fn lasting_orders_need_a_time_and_lane_orders_are_refused() {
    let mut site = Site::with(Settings::default());
    assert_eq!(site.order(Order::Hold, 0), Outcome::Refused(Refusal::NoTime));
    assert_eq!(site.order(Order::PassEntry, 5), Outcome::Refused(Refusal::WrongKind));
}

#[test]
fn link_comes_and_goes_and_nothing_moves() {
    let mut site = Site::with(Settings::default());
    for link in [Link::Up, Link::Down, Link::Down, Link::Up] {
        site.give(Given::Link(link));
        assert!(!site.released());
    }
    assert_eq!(
        site.conditions,
        [
            (Condition::ControllerLost, false),
            (Condition::ControllerLost, true),
            (Condition::ControllerLost, false)
        ]
    );
}

#[test]
fn opening_in_the_moment_of_locking_is_not_forced() {
    let mut site = Site::with(Settings::default());
    site.order(Order::Release, 5);
    site.wait(5);
    site.now += 100_000;
    site.opens();
    assert!(!site.events.contains(&Event::Forced));
}

#[test]
fn found_open_at_start_is_not_forced() {
    let mut door = Door::new(Settings::default());
    let effects = door.step(0, Given::Sense(Input::Contact, Sense::Active));
    assert!(effects.contains(&Effect::Event(Event::FoundOpen)));
}

#[test]
fn a_release_says_when_it_ends() {
    let mut site = Site::with(Settings::default());
    let until = |site: &Site| site.door.released_until().map(|at| (at - site.now) / SECOND);
    assert_eq!(until(&site), None);
    assert_eq!(site.order(Order::Release, 7), Outcome::Done);
    assert_eq!(until(&site), Some(7));
    site.wait(2);
    site.sense(Input::Rex, Sense::Active);
    assert_eq!(until(&site), None, "for as long as it is pressed");
    site.wait(1);
    site.sense(Input::Rex, Sense::Rest);
    assert_eq!(until(&site), Some(4), "both have four seconds left");
    assert_eq!(site.order(Order::Hold, 60), Outcome::Done);
    assert_eq!(until(&site), Some(60));
    site.sense(Input::Fire, Sense::Active);
    assert_eq!(until(&site), None);
    site.sense(Input::Fire, Sense::Rest);
    site.wait(60);
    assert_eq!((until(&site), site.released()), (None, false));
}
