//! Every state a door can reach, and the laws that hold in all of them.

extern crate std;

use core::num::NonZeroU8;
use std::collections::{HashSet, VecDeque};
use std::vec::Vec;

use super::{Cause, Door, Event, Given, Input, Leaf, MainsLoss, Output, Relock, Settings};
use crate::common::{Command, Effect, Effects, Link, MAX_EFFECTS, Order, Outcome, Sense, Source};
use crate::status::{Alarms, LockNow, conditions_are_what_the_effects_say};

/// Time goes in steps of this length; all times of the explored doors are multiples of it.
const STEP_US: u64 = 500_000;

fn alphabet() -> Vec<Given> {
    let mut all = Vec::new();
    for input in [Input::Contact, Input::Rex, Input::Fire, Input::BreakGlass, Input::Mains] {
        all.push(Given::Sense(input, Sense::Rest));
        all.push(Given::Sense(input, Sense::Active));
    }
    for input in [Input::Contact, Input::Rex, Input::Fire] {
        all.push(Given::Sense(input, Sense::Cut));
    }
    let command = |order, for_us, source| Given::Command(Command { id: 0, order, for_us, source });
    for (id, source) in [(1, Source::Controller), (2, Source::Whitelist)] {
        all.push(Given::Command(Command { id, order: Order::Release, for_us: STEP_US, source }));
    }
    for order in [Order::Hold, Order::Lock, Order::Lockdown, Order::Normal, Order::PassExit] {
        all.push(command(order, STEP_US, Source::Controller));
    }
    all.push(Given::Link(Link::Up));
    all.push(Given::Link(Link::Down));
    all.push(Given::Tick);
    all
}

/// The lines as they are, whatever the door makes of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct World {
    fire: Sense,
    break_glass: Sense,
    rex: Sense,
    alarms: Alarms,
    /// Of the grants with numbers 1 and 2: let in, and nothing told of it yet.
    awaited: [bool; 2],
    /// Told not to have opened.
    given_up: [bool; 2],
}

impl World {
    fn given(&self, given: Given) -> World {
        let mut world = self.clone();
        if let Given::Sense(input, sense) = given {
            match input {
                Input::Fire => {
                    world.fire = sense;
                    Alarms::line(&mut world.alarms.fire, sense);
                }
                Input::BreakGlass => {
                    world.break_glass = sense;
                    Alarms::line(&mut world.alarms.break_glass, sense);
                }
                Input::Rex => world.rex = sense,
                Input::Contact | Input::Tamper | Input::Mains | Input::Battery => {}
            }
        }
        world
    }
}

impl World {
    /// The law: of everybody let in it is told that they opened, or that they did not, and nobody waits once it is open.
    fn every_grant_is_told_once(&mut self, given: Given, effects: &Effects<Output, Event>, after: &Door) {
        for (at, number) in [(0, 1), (1, 2)] {
            let granted =
                matches!(given, Given::Command(Command { id, order: Order::Release, .. }) if id == number);
            if granted && effects.contains(&Effect::Answer(Outcome::Done)) {
                self.awaited[at] = true;
                self.given_up[at] = false;
            }
            for effect in effects {
                match effect {
                    Effect::Event(Event::Opened { id, .. }) if *id == number => {
                        assert!(!self.given_up[at], "told not to have opened, and then to have: {after:?}");
                        self.awaited[at] = false;
                    }
                    Effect::Event(Event::NotOpened { id }) if *id == number => {
                        assert!(self.awaited[at], "{after:?}");
                        self.awaited[at] = false;
                        self.given_up[at] = true;
                    }
                    Effect::Event(_)
                    | Effect::Set(..)
                    | Effect::Began(_)
                    | Effect::Ended(_)
                    | Effect::Answer(_) => {}
                }
            }
        }
        let is_open = matches!(after.leaf(), Leaf::Open(_) | Leaf::HeldTooLong | Leaf::Forced);
        let awaited = self.awaited.contains(&true);
        assert!(!awaited || after.deadline().is_some() && !is_open, "nothing is told of them: {after:?}");
    }
}

fn released(door: &Door) -> bool {
    door.output(Output::Lock)
}

/// All laws, checked on one transition.
fn hold(world: &World, before: &Door, given: Given, after: &Door, effects: &Effects<Output, Event>) {
    fire_releases_whatever_else_holds(world, after);
    break_glass_releases_whatever_else_holds(world, after);
    nothing_denies_exit(world, given, after);
    link_change_never_opens(before, given, after);
    time_alone_never_opens(before, given, after);
    released_only_for_a_cause(after);
    every_timed_release_ends(after);
    lockdown_and_lock_close_to_grants(before, given, after);
    forced_means_it_was_locked(before, effects);
    outputs_are_what_the_effects_say(before, after, effects);
    every_command_is_answered_once(given, effects);
    conditions_are_what_the_effects_say(&before.status(), &after.status(), effects);
    world.alarms.end_only_at_rest(&after.status(), effects);
    the_status_says_what_the_lock_does(after);
    assert!(effects.len() < MAX_EFFECTS, "effects stay below their bound");
}

fn fire_releases_whatever_else_holds(world: &World, after: &Door) {
    assert!(world.fire == Sense::Rest || released(after), "fire: {world:?} {after:?}");
}

fn break_glass_releases_whatever_else_holds(world: &World, after: &Door) {
    assert!(world.break_glass == Sense::Rest || released(after), "break-glass: {world:?} {after:?}");
}

fn nothing_denies_exit(world: &World, given: Given, after: &Door) {
    assert!(world.rex != Sense::Active || released(after), "exit: {world:?} {after:?}");
    if matches!(given, Given::Command(Command { order: Order::PassExit, .. })) {
        assert!(released(after), "whoever may leave leaves: {after:?}");
    }
}

fn link_change_never_opens(before: &Door, given: Given, after: &Door) {
    if matches!(given, Given::Link(_)) {
        assert!(!released(after) || released(before), "link: {before:?} -> {after:?}");
        assert!(after.causes().0 & !before.causes().0 == 0, "link: {before:?} -> {after:?}");
    }
}

fn time_alone_never_opens(before: &Door, given: Given, after: &Door) {
    if given == Given::Tick {
        assert!(!released(after) || released(before), "time: {before:?} -> {after:?}");
    }
}

fn released_only_for_a_cause(after: &Door) {
    assert_eq!(released(after), !after.causes().is_empty(), "{after:?}");
}

fn every_timed_release_ends(after: &Door) {
    let timed = [Cause::Grant, Cause::Local, Cause::Hold].iter().any(|c| after.causes().contains(*c));
    assert!(!timed || after.deadline().is_some(), "{after:?}");
}

fn lockdown_and_lock_close_to_grants(before: &Door, given: Given, after: &Door) {
    if let Given::Command(Command { order: Order::Lock | Order::Lockdown, .. }) = given {
        for cause in [Cause::Grant, Cause::Local, Cause::Hold] {
            assert!(!after.causes().contains(cause), "{before:?} -> {after:?}");
        }
    }
}

fn forced_means_it_was_locked(before: &Door, effects: &Effects<Output, Event>) {
    if effects.contains(&Effect::Event(Event::Forced)) {
        assert!(!released(before), "{before:?}");
    }
}

fn outputs_are_what_the_effects_say(before: &Door, after: &Door, effects: &Effects<Output, Event>) {
    for output in Output::ALL {
        let said = effects.iter().fold(before.output(output), |on, effect| match effect {
            Effect::Set(o, level) if *o == output => *level,
            Effect::Set(..) | Effect::Event(_) | Effect::Began(_) | Effect::Ended(_) | Effect::Answer(_) => {
                on
            }
        });
        assert_eq!(said, after.output(output), "{output:?}: {before:?} -> {after:?}: {effects:?}");
    }
}

fn every_command_is_answered_once(given: Given, effects: &Effects<Output, Event>) {
    let answers = effects.iter().filter(|e| matches!(e, Effect::Answer(_))).count();
    assert_eq!(answers, usize::from(matches!(given, Given::Command(_))));
}

fn the_status_says_what_the_lock_does(after: &Door) {
    let says = matches!(after.status().lock, LockNow::Released(cause) if after.causes().contains(cause));
    assert_eq!(says, released(after), "{after:?}");
}

/// Walks all reachable states of a door with these settings; says how many there are.
fn explore(relock: Relock, mains_loss: MainsLoss) -> usize {
    let one = NonZeroU8::new(1).unwrap();
    let start = Door::new(Settings { strike_s: one, exit_s: one, held_s: 1, relock, mains_loss });
    let alphabet = alphabet();
    let start = (World::default(), start);
    let mut seen = HashSet::from([start.clone()]);
    let mut queue = VecDeque::from([start]);
    while let Some((world, before)) = queue.pop_front() {
        for given in &alphabet {
            let now = if *given == Given::Tick { STEP_US } else { 0 };
            let mut world = world.given(*given);
            let mut after = before.clone();
            let effects = after.step(now, *given);
            hold(&world, &before, *given, &after, &effects);
            world.every_grant_is_told_once(*given, &effects, &after);
            let after = (world, after.counted_from(now));
            if !seen.contains(&after) {
                seen.insert(after.clone());
                queue.push_back(after);
            }
        }
    }
    seen.len()
}

#[test]
fn life_safety_holds_in_every_reachable_state_relocking_on_close() {
    let states = explore(Relock::OnClose, MainsLoss::Release);
    assert!(states > 100_000, "only {states} states: the alphabet is too small");
}

#[test]
fn life_safety_holds_in_every_reachable_state_relocking_on_open() {
    explore(Relock::OnOpen, MainsLoss::Keep);
}

#[test]
fn life_safety_holds_in_every_reachable_state_relocking_at_timeout() {
    explore(Relock::AtTimeout, MainsLoss::Release);
}

#[test]
fn lockdown_refuses_everybody_but_those_who_leave() {
    let mut door = Door::new(Settings::default());
    door.step(0, Given::Sense(Input::Contact, Sense::Rest));
    let command = |order, source| Given::Command(Command { id: 7, order, for_us: 60_000_000, source });
    door.step(1, command(Order::Lockdown, Source::Controller));
    for source in [Source::Controller, Source::Whitelist] {
        let effects = door.step(2, command(Order::Release, source));
        assert!(effects.iter().any(|e| matches!(e, Effect::Answer(Outcome::Refused(_)))));
        assert!(!released(&door));
    }
    door.step(3, Given::Sense(Input::Rex, Sense::Active));
    assert!(released(&door));
    door.step(4, Given::Sense(Input::Contact, Sense::Active));
    assert!(matches!(door.leaf(), Leaf::Open(_)));
}
