//! Every state a lane can reach, and the laws that hold in all of them. Walks share the laws: with traffic, with somebody at every beam
//! against one authority, and with fire, power, faults and commands; together their alphabets hold everything.

extern crate std;

mod walkers;

use core::num::NonZeroU8;
use std::collections::{HashSet, VecDeque};
use std::vec::Vec;

use super::{Direction, Event, GateLane, Given, Input, Leaf, Output, Settings};
use walkers::Walkers;

use crate::common::{Command, Condition, Effect, Effects, Link, MAX_EFFECTS, Order, Outcome, Sense, Source};
use crate::status::{Alarms, LockNow, conditions_are_what_the_effects_say};

/// Time goes in steps of this length; all times of the explored lane are multiples of it.
const STEP_US: u64 = 1_000_000;

fn both(inputs: &[Input]) -> impl Iterator<Item = Given> + '_ {
    inputs.iter().flat_map(|i| [Given::Sense(*i, Sense::Active), Given::Sense(*i, Sense::Rest)])
}

fn command(order: Order) -> Given {
    // An exit has the number of a request to exit, so that both reach the same states.
    let id = u64::from(order != Order::PassExit);
    Given::Command(Command { id, order, for_us: STEP_US, source: Source::Controller })
}

/// Anybody anywhere in the lane, and these orders.
fn traffic(orders: &[Order]) -> Vec<Given> {
    both(&[
        Input::BeamEntryOuter,
        Input::BeamEntryInner,
        Input::BeamSafety,
        Input::BeamExitInner,
        Input::BeamExitOuter,
    ])
    .chain(orders.iter().map(|order| command(*order)))
    .chain([Given::Tick])
    .collect()
}

fn trouble() -> Vec<Given> {
    both(&[
        Input::BeamEntryOuter,
        Input::BeamSafety,
        Input::LeafClosed,
        Input::LeafOpen,
        Input::Obstruction,
        Input::Fire,
        Input::BreakGlass,
        Input::Rex,
        Input::Mains,
    ])
    .chain([Given::Sense(Input::Fire, Sense::Cut)])
    .chain([Order::PassEntry, Order::PassExit, Order::Hold, Order::Lockdown, Order::Normal].map(command))
    .chain([Given::Tick])
    .collect()
}

/// The lines as they are, whatever the lane makes of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct World {
    fire: Sense,
    break_glass: Sense,
    mains: Sense,
    beams: [Sense; 5],
    obstruction: Sense,
    alarms: Alarms,
    /// Where all beams are in the alphabet.
    walkers: Option<Walkers>,
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
                Input::Mains => world.mains = sense,
                Input::Obstruction => world.obstruction = sense,
                Input::BeamEntryOuter => world.beams[0] = sense,
                Input::BeamEntryInner => world.beams[1] = sense,
                Input::BeamSafety => world.beams[2] = sense,
                Input::BeamExitInner => world.beams[3] = sense,
                Input::BeamExitOuter => world.beams[4] = sense,
                Input::LeafClosed | Input::LeafOpen | Input::Rex | Input::Tamper | Input::Battery => {}
            }
        }
        world
    }

    /// Where a beam has changed.
    fn beam(&self, before: &World) -> Option<(usize, bool)> {
        let beam = (0..5).find(|beam| self.beams[*beam] != before.beams[*beam])?;
        Some((beam, self.beams[beam] == Sense::Active))
    }

    fn must_be_free(&self) -> bool {
        [self.fire, self.break_glass, self.mains].iter().any(|line| *line != Sense::Rest)
    }

    /// Something is where the leaf sweeps.
    fn leaf_is_in_the_way(&self) -> bool {
        self.beams[1..4].contains(&Sense::Active) || self.obstruction == Sense::Active
    }
}

/// All laws, checked on one transition.
fn hold(world: &World, before: &GateLane, given: Given, after: &GateLane, effects: &Effects<Output, Event>) {
    free_both_ways_on_fire_and_power_loss(world, after);
    never_closes_on_a_blocked_safety_beam(world, after);
    held_or_burning_it_never_turns_inward_nor_closes(world, before, after);
    link_change_never_opens(before, given, after);
    time_alone_authorises_nobody(before, given, after);
    nothing_denies_exit(given, after, effects);
    one_drive_at_a_time_and_never_against_the_brake(after);
    stands_open_only_for_a_reason(after);
    every_crossing_ends(after);
    lockdown_lets_nobody_in(given, effects, after);
    outputs_are_what_the_effects_say(before, after, effects);
    conditions_are_what_the_effects_say(&before.status(), &after.status(), effects);
    world.alarms.end_only_at_rest(&after.status(), effects);
    the_status_says_what_the_leaf_does(after);
    assert!(effects.len() < MAX_EFFECTS, "effects stay below their bound");
}

fn free_both_ways_on_fire_and_power_loss(world: &World, after: &GateLane) {
    if world.must_be_free() {
        assert!(!after.output(Output::Brake) && !after.output(Output::Close), "{after:?}");
        assert!(!after.output(Output::OpenEntry), "nothing drives against those who leave: {after:?}");
    }
}

fn never_closes_on_a_blocked_safety_beam(world: &World, after: &GateLane) {
    assert!(!(world.leaf_is_in_the_way() && after.output(Output::Close)), "{world:?} {after:?}");
}

/// Whichever line it came from: an order of the controller for a fire elsewhere in the zone is a hold here.
fn held_or_burning_it_never_turns_inward_nor_closes(world: &World, before: &GateLane, after: &GateLane) {
    let burning = world.alarms.fire || world.alarms.break_glass;
    let held = after.status().conditions.contains(&Condition::HeldOpen);
    if burning || held {
        assert!(!after.output(Output::Close), "{before:?} -> {after:?}");
        let stood_inward = match before.leaf() {
            Leaf::Opening { to, .. } | Leaf::Open { to } | Leaf::Closing { from: to, .. } => {
                to == Direction::Entry
            }
            Leaf::Closed | Leaf::Free => false,
        };
        assert!(!after.output(Output::OpenEntry) || stood_inward && !burning, "{before:?} -> {after:?}");
        assert!(after.output(Output::ExitGreen), "whoever leaves sees that they may: {after:?}");
    }
}

fn opens(lane: &GateLane) -> bool {
    lane.output(Output::OpenEntry) || lane.output(Output::OpenExit)
}

fn link_change_never_opens(before: &GateLane, given: Given, after: &GateLane) {
    if matches!(given, Given::Link(_)) {
        assert!(!opens(after) || opens(before), "{before:?} -> {after:?}");
        assert_eq!(before.output(Output::Brake), after.output(Output::Brake));
    }
}

fn time_alone_authorises_nobody(before: &GateLane, given: Given, after: &GateLane) {
    if given == Given::Tick {
        for direction in [Direction::Entry, Direction::Exit] {
            assert!(after.pending(direction) <= before.pending(direction), "{before:?} -> {after:?}");
        }
    }
}

fn nothing_denies_exit(given: Given, after: &GateLane, effects: &Effects<Output, Event>) {
    if matches!(given, Given::Command(Command { order: Order::PassExit, .. })) {
        assert!(effects.contains(&Effect::Answer(Outcome::Done)), "{after:?}");
        assert!(after.pending(Direction::Exit) > 0, "{after:?}");
    }
    if effects.contains(&Effect::Event(Event::ExitRequested)) {
        assert!(after.pending(Direction::Exit) > 0, "{after:?}");
    }
    // Whoever may leave finds the leaf not shut, unless somebody who may enter is at it.
    let entering = after.pending(Direction::Entry) > 0 || after.lets_in_now();
    if after.pending(Direction::Exit) > 0 && !entering {
        assert!(!matches!(after.leaf(), Leaf::Closed), "{after:?}");
    }
}

fn one_drive_at_a_time_and_never_against_the_brake(after: &GateLane) {
    let drives =
        [Output::OpenEntry, Output::OpenExit, Output::Close].iter().filter(|o| after.output(**o)).count();
    assert!(drives <= 1, "{after:?}");
    assert!(drives == 0 || !after.output(Output::Brake), "{after:?}");
}

/// The leaf stands open, with nothing under way, only for somebody who may pass, for somebody in its way, or by order.
fn stands_open_only_for_a_reason(after: &GateLane) {
    let nobody = after.nobody_inside()
        && after.pending(Direction::Entry) == 0
        && after.pending(Direction::Exit) == 0
        && !after.is_obstructed()
        && after.deadline().is_none();
    if nobody && !after.must_be_free() {
        assert!(!matches!(after.leaf(), Leaf::Open { .. }), "{after:?}");
    }
    if after.alarmed_inside()
        && !after.safety_zone_blocked()
        && !after.is_obstructed()
        && !after.must_be_free()
    {
        let let_out = after.pending(Direction::Exit) > 0;
        let held = matches!(after.leaf(), Leaf::Open { .. }) && after.deadline().is_some();
        assert!(!matches!(after.leaf(), Leaf::Open { .. }) || let_out || held, "{after:?}");
    }
}

/// Nobody keeps the leaf open for longer than a passage takes.
fn every_crossing_ends(after: &GateLane) {
    if after.lets_through_now() && !after.must_be_free() {
        assert!(after.deadline().is_some(), "{after:?}");
    }
}

fn the_status_says_what_the_leaf_does(after: &GateLane) {
    let lets_pass = !after.output(Output::Close) && !after.output(Output::Brake);
    assert_eq!(after.status().lock != LockNow::Locked, lets_pass, "{after:?}");
}

fn lockdown_lets_nobody_in(given: Given, effects: &Effects<Output, Event>, after: &GateLane) {
    let begun = effects.contains(&Effect::Began(Condition::Lockdown));
    if begun && matches!(given, Given::Command(_)) {
        assert_eq!(after.pending(Direction::Entry), 0, "{after:?}");
    }
}

fn outputs_are_what_the_effects_say(before: &GateLane, after: &GateLane, effects: &Effects<Output, Event>) {
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

/// Walks all states that this alphabet reaches with at most one authority waiting in each direction.
fn explore(alphabet: &[Given], walkers: Option<Walkers>) -> usize {
    let one = NonZeroU8::new(1).unwrap();
    let mut start = GateLane::new(Settings { pass_s: one, travel_ds: NonZeroU8::new(10).unwrap() });
    // The lane has seen already that its middle beam is not left out.
    for sense in [Sense::Active, Sense::Rest] {
        start.step(0, Given::Sense(Input::BeamSafety, sense));
    }
    let start = (World { walkers, ..World::default() }, start);
    let mut seen = HashSet::from([start.clone()]);
    let mut queue = VecDeque::from([start]);
    while let Some((world_before, before)) = queue.pop_front() {
        for given in alphabet {
            let full = |direction| before.pending(direction) >= 1;
            let beyond = match given {
                Given::Command(Command { order: Order::PassEntry, .. }) => full(Direction::Entry),
                Given::Command(Command { order: Order::PassExit, .. })
                | Given::Sense(Input::Rex, Sense::Active) => full(Direction::Exit),
                Given::Command(_) | Given::Sense(..) | Given::Link(_) | Given::Tick => false,
            };
            if beyond {
                continue;
            }
            let now = if *given == Given::Tick { STEP_US } else { 0 };
            let mut world = world_before.given(*given);
            let mut after = before.clone();
            let effects = after.step(now, *given);
            hold(&world, &before, *given, &after, &effects);
            let beam = world.beam(&world_before);
            if let Some(walkers) = &mut world.walkers {
                let beams = world.beams.map(|it| it == Sense::Active);
                walkers.one_for_each_authority(beam, beams, &effects, &after);
            }
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
fn life_safety_holds_in_every_reachable_state_with_traffic() {
    let links = [Link::Up, Link::Down].map(Given::Link);
    let alphabet = [traffic(&[Order::PassEntry, Order::PassExit]), links.to_vec()].concat();
    let states = explore(&alphabet, None);
    assert!(states > 300_000, "only {states} states: the alphabet is too small");
}

#[test]
fn one_authority_is_for_one_person_in_every_reachable_state() {
    for order in [Order::PassEntry, Order::PassExit] {
        let states = explore(&traffic(&[order]), Some(Walkers::default()));
        assert!(states > 300_000, "only {states} states: the alphabet is too small");
    }
}

#[test]
fn life_safety_holds_in_every_reachable_state_in_trouble() {
    let states = explore(&trouble(), None);
    assert!(states > 500_000, "only {states} states: the alphabet is too small");
}
