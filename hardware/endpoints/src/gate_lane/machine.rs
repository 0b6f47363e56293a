//! The lane's machine: beams, limits, safety lines, commands and time in; drive, brake, lamps and events out.

#[cfg(test)]
mod counted;
mod leaf;
mod passage;
mod status;

use super::crossing::{Beams, Crossing};
use super::{Direction, Event, Input, Output, Settings};
use crate::common::{
    Command, Condition, Effect, Effects, Link, Order, Outcome, Refusal, Sense, Source, Timer,
};
use crate::common::{SafetyLine, push, report_line, sooner};

/// How many authorised passages may wait in each direction.
pub const MAX_PENDING: usize = 4;

type Out = Effects<Output, Event>;
type OutputSet = u16;

/// A gate lane.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GateLane {
    settings: Settings,
    mode: Mode,
    entry: Pending,
    exit: Pending,
    beams: Beams,
    crossing: Crossing,
    at_closed: bool,
    obstructed: bool,
    fire: SafetyLine,
    break_glass: SafetyLine,
    mains: Sense,
    lines: [Sense; 3],
    link: Link,
    leaf: Leaf,
    stuck: bool,
    /// Beams have been covered for too long.
    blocked: bool,
    driven: OutputSet,
}

/// What enters the machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Given {
    /// A debounced line says something.
    Sense(Input, Sense),
    /// A command.
    Command(Command),
    /// The link to the controller came or went.
    Link(Link),
    /// Nothing but time.
    Tick,
}

/// What the leaf does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Leaf {
    /// Closed and held by the brake.
    Closed,
    /// Driving open for somebody going this way.
    Opening {
        /// Which way.
        to: Direction,
        /// When it should be there, µs.
        until: u64,
    },
    /// Open for somebody going this way.
    Open {
        /// Which way.
        to: Direction,
    },
    /// Driving shut.
    Closing {
        /// The way it was open.
        from: Direction,
        /// When it should be there, µs.
        until: u64,
    },
    /// Not driven shut, brake off: free both ways.
    Free,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Mode {
    Normal,
    HeldOpen { until: u64 },
    Locked { until: u64 },
    Lockdown { until: u64 },
}

impl Mode {
    const fn condition(self) -> Option<Condition> {
        match self {
            Mode::Normal => None,
            Mode::HeldOpen { .. } => Some(Condition::HeldOpen),
            Mode::Locked { .. } => Some(Condition::LockedByCommand),
            Mode::Lockdown { .. } => Some(Condition::Lockdown),
        }
    }
}

/// Authorised passages not yet made, in one direction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Pending {
    ids: heapless::Vec<u64, MAX_PENDING>,
    /// Runs while any wait or somebody authorised is crossing this way.
    expires: Timer,
}

impl Pending {
    const fn none() -> Pending {
        Pending { ids: heapless::Vec::new(), expires: Timer::Idle }
    }

    fn count(&self) -> u8 {
        u8::try_from(self.ids.len()).expect("MAX_PENDING is small")
    }

    fn first(&self) -> u64 {
        self.ids.first().copied().unwrap_or(0)
    }

    /// Whether a passage waits that was authorised under this number; 0 is none.
    fn waits_for(&self, id: u64) -> bool {
        id != 0 && self.ids.contains(&id)
    }

    /// Takes the oldest authority, if there is one.
    fn take(&mut self) -> Option<u64> {
        (!self.ids.is_empty()).then(|| self.ids.remove(0))
    }
}

impl GateLane {
    /// A lane at the board's start: nothing authorised; the leaf is driven shut first, as nobody knows where it is.
    pub const fn new(settings: Settings) -> GateLane {
        GateLane {
            settings,
            mode: Mode::Normal,
            entry: Pending::none(),
            exit: Pending::none(),
            beams: Beams::ALL_CLEAR,
            crossing: Crossing::Empty,
            at_closed: false,
            obstructed: false,
            fire: SafetyLine::REST,
            break_glass: SafetyLine::REST,
            mains: Sense::Rest,
            lines: [Sense::Rest; 3],
            link: Link::Down,
            leaf: Leaf::Open { to: Direction::Exit },
            stuck: false,
            blocked: false,
            driven: 0,
        }
    }

    /// New settings; what runs keeps its times.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// One step: first what time alone has brought about by `now` (µs since start, never going back), then what is given.
    pub fn step(&mut self, now: u64, given: Given) -> Out {
        let mut out = Out::new();
        self.expire(now, &mut out);
        match given {
            Given::Sense(input, sense) => self.sense(now, input, sense, &mut out),
            Given::Command(command) => {
                let outcome = self.command(now, command, &mut out);
                push(&mut out, Effect::Answer(outcome));
            }
            Given::Link(link) => self.link(link, &mut out),
            Given::Tick => {}
        }
        self.settle(now, &mut out);
        out
    }

    /// When [`GateLane::step`] must be called at the latest, if nothing else happens.
    pub fn deadline(&self) -> Option<u64> {
        let mode = match self.mode {
            Mode::Normal => None,
            Mode::HeldOpen { until } | Mode::Locked { until } | Mode::Lockdown { until } => Some(until),
        };
        let leaf = match self.leaf {
            Leaf::Closed | Leaf::Open { .. } | Leaf::Free => None,
            Leaf::Opening { until, .. } | Leaf::Closing { until, .. } => Some(until),
        };
        sooner(sooner(mode, leaf), sooner(self.entry.expires.at(), self.exit.expires.at()))
    }

    /// Whether this output is on.
    pub const fn output(&self, output: Output) -> bool {
        self.driven & (1 << output.number()) != 0
    }

    /// What the leaf does.
    pub const fn leaf(&self) -> Leaf {
        self.leaf
    }

    /// How many authorised passages wait in this direction.
    pub fn pending(&self, direction: Direction) -> u8 {
        match direction {
            Direction::Entry => self.entry.count(),
            Direction::Exit => self.exit.count(),
        }
    }

    /// Whether a passage waits that was authorised by this command: the same again renews its time and authorises nobody else.
    pub fn waits_for(&self, id: u64) -> bool {
        self.entry.waits_for(id) || self.exit.waits_for(id)
    }

    /// Whether the lane must be free both ways.
    pub const fn must_be_free(&self) -> bool {
        self.fire.demands_release()
            || self.break_glass.demands_release()
            || matches!(self.mains, Sense::Active)
    }

    fn pending_mut(&mut self, direction: Direction) -> &mut Pending {
        match direction {
            Direction::Entry => &mut self.entry,
            Direction::Exit => &mut self.exit,
        }
    }

    /// Whether anybody may pass without an authority of their own.
    const fn is_free(&self) -> bool {
        self.must_be_free() || self.is_held()
    }

    fn expire(&mut self, now: u64, out: &mut Out) {
        match self.mode {
            Mode::HeldOpen { until } | Mode::Locked { until } | Mode::Lockdown { until } if until <= now => {
                self.set_mode(Mode::Normal, out);
            }
            Mode::Normal | Mode::HeldOpen { .. } | Mode::Locked { .. } | Mode::Lockdown { .. } => {}
        }
        for direction in [Direction::Entry, Direction::Exit] {
            if self.pending_mut(direction).expires.due(now) {
                self.drop_pending(direction, out);
                self.overdue(now, direction, out);
            }
        }
        match self.leaf {
            Leaf::Opening { to, until } if until <= now => self.leaf = Leaf::Open { to },
            Leaf::Closing { until, .. } if until <= now => {
                self.leaf = Leaf::Closed;
                self.set_stuck(!self.at_closed, out);
            }
            Leaf::Closed | Leaf::Opening { .. } | Leaf::Open { .. } | Leaf::Closing { .. } | Leaf::Free => {}
        }
    }

    fn sense(&mut self, now: u64, input: Input, sense: Sense, out: &mut Out) {
        let number = input.number();
        let active = sense == Sense::Active;
        match input {
            Input::BeamEntryOuter
            | Input::BeamEntryInner
            | Input::BeamSafety
            | Input::BeamExitInner
            | Input::BeamExitOuter => self.beam(now, number, active, out),
            Input::LeafClosed => self.closed_limit(active, out),
            Input::LeafOpen => {
                if let (true, Leaf::Opening { to, .. }) = (active, self.leaf) {
                    self.leaf = Leaf::Open { to };
                }
            }
            Input::Obstruction => self.obstructed = active,
            Input::Fire => self.fire.says(out, sense, number, Condition::Fire),
            Input::BreakGlass => self.break_glass.says(out, sense, number, Condition::BreakGlass),
            Input::Mains => {
                report_line(out, self.mains, sense, number, Some(Condition::MainsLost));
                self.mains = sense;
            }
            Input::Rex => {
                report_line(out, self.lines[0], sense, number, None);
                if active && self.lines[0] != Sense::Active {
                    push(out, Effect::Event(Event::ExitRequested));
                    self.let_pass(now, Direction::Exit, 0, 0, out);
                }
                self.lines[0] = sense;
            }
            Input::Tamper => {
                report_line(out, self.lines[1], sense, number, Some(Condition::Tamper));
                self.lines[1] = sense;
            }
            Input::Battery => {
                report_line(out, self.lines[2], sense, number, Some(Condition::BatteryLow));
                self.lines[2] = sense;
            }
        }
    }

    fn closed_limit(&mut self, active: bool, out: &mut Out) {
        let was = self.at_closed;
        self.at_closed = active;
        match (self.leaf, active) {
            (Leaf::Closing { .. }, true) => {
                self.leaf = Leaf::Closed;
                self.set_stuck(false, out);
            }
            (Leaf::Closed, true) => self.set_stuck(false, out),
            (Leaf::Closed, false) if was => {
                push(out, Effect::Event(Event::Forced { direction: Direction::Entry }));
            }
            (Leaf::Closed | Leaf::Opening { .. } | Leaf::Open { .. } | Leaf::Free, _)
            | (Leaf::Closing { .. }, false) => {}
        }
    }

    fn command(&mut self, now: u64, command: Command, out: &mut Out) -> Outcome {
        let until = now.saturating_add(command.for_us);
        let lasting = matches!(command.order, Order::Hold | Order::Lock | Order::Lockdown);
        if lasting && command.for_us == 0 {
            return Outcome::Refused(Refusal::NoTime);
        }
        match command.order {
            Order::Release => return Outcome::Refused(Refusal::WrongKind),
            Order::PassExit => {
                self.let_pass(now, Direction::Exit, command.id, command.for_us, out);
            }
            Order::PassEntry => match (self.mode, command.source) {
                (Mode::Lockdown { .. }, _) => return Outcome::Refused(Refusal::Lockdown),
                (Mode::Locked { .. }, Source::Whitelist) => return Outcome::Refused(Refusal::Locked),
                (Mode::Locked { .. }, Source::Controller) | (Mode::Normal | Mode::HeldOpen { .. }, _) => {
                    if self.entry.ids.is_full() && !self.entry.waits_for(command.id) {
                        return Outcome::Refused(Refusal::TooMany);
                    }
                    self.let_pass(now, Direction::Entry, command.id, command.for_us, out);
                }
            },
            Order::Hold => match self.mode {
                Mode::Lockdown { .. } => return Outcome::Refused(Refusal::Lockdown),
                Mode::Normal | Mode::HeldOpen { .. } | Mode::Locked { .. } => {
                    self.set_mode(Mode::HeldOpen { until }, out);
                }
            },
            Order::Lock => {
                self.drop_pending(Direction::Entry, out);
                self.set_mode(Mode::Locked { until }, out);
            }
            Order::Lockdown => {
                self.drop_pending(Direction::Entry, out);
                self.set_mode(Mode::Lockdown { until }, out);
            }
            Order::Normal => self.set_mode(Mode::Normal, out),
        }
        Outcome::Done
    }

    /// One more authorised passage. Of one that waits under this number, and at the limit, only the time starts again: an exit is
    /// never refused.
    fn let_pass(&mut self, now: u64, direction: Direction, id: u64, for_us: u64, out: &mut Out) {
        let for_us = match for_us {
            0 => seconds(self.settings.pass_s.get().into()),
            asked => asked.min(seconds(255)),
        };
        let pending = self.pending_mut(direction);
        if !pending.waits_for(id) && pending.ids.push(id).is_ok() {
            push(out, Effect::Event(Event::Authorised { direction, id }));
        }
        let pending = self.pending_mut(direction);
        pending.expires = Timer::Until(pending.expires.at().unwrap_or(0).max(now + for_us));
        // Somebody who stood at the reader and only now may pass.
        self.judge(now, out);
    }

    fn drop_pending(&mut self, direction: Direction, out: &mut Out) {
        while let Some(id) = self.pending_mut(direction).take() {
            push(out, Effect::Event(Event::NotUsed { direction, id }));
        }
        self.pending_mut(direction).expires = Timer::Idle;
    }

    fn link(&mut self, link: Link, out: &mut Out) {
        match (self.link, link) {
            (Link::Up, Link::Down) => push(out, Effect::Began(Condition::ControllerLost)),
            (Link::Down, Link::Up) => push(out, Effect::Ended(Condition::ControllerLost)),
            (Link::Up, Link::Up) | (Link::Down, Link::Down) => {}
        }
        self.link = link;
    }

    fn set_mode(&mut self, mode: Mode, out: &mut Out) {
        let (was, is) = (self.mode.condition(), mode.condition());
        self.mode = mode;
        if was != is {
            if let Some(ended) = was {
                push(out, Effect::Ended(ended));
            }
            if let Some(began) = is {
                push(out, Effect::Began(began));
            }
        }
    }

    fn set_blocked(&mut self, blocked: bool, out: &mut Out) {
        if blocked != self.blocked {
            self.blocked = blocked;
            let condition = Condition::BeamBlocked;
            push(out, if blocked { Effect::Began(condition) } else { Effect::Ended(condition) });
        }
    }

    fn set_stuck(&mut self, stuck: bool, out: &mut Out) {
        if stuck != self.stuck {
            self.stuck = stuck;
            push(
                out,
                if stuck { Effect::Began(Condition::LeafStuck) } else { Effect::Ended(Condition::LeafStuck) },
            );
        }
    }
}

const fn seconds(s: u64) -> u64 {
    s * 1_000_000
}
