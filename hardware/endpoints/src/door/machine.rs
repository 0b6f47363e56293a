//! The door's machine: senses, commands and time in; outputs and events out.

mod awaited;
#[cfg(test)]
mod counted;
mod status;

use awaited::Awaited;

use super::{Cause, Event, Input, MainsLoss, Output, Relock, Settings};
use crate::common::{
    Command, Condition, Effect, Effects, Link, Order, Outcome, Refusal, Sense, Source, Timer,
};
use crate::common::{SafetyLine, push, report_line, sooner};

/// An opening this soon after the lock was set again still counts as authorised: the leaf moved before the contact was debounced.
pub const GRACE_US: u64 = 500_000;
/// The longest a single release lasts (255 s).
pub const MAX_RELEASE_US: u64 = 255_000_000;

type Out = Effects<Output, Event>;

/// A door.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Door {
    settings: Settings,
    mode: Mode,
    grant: Grant,
    awaited: Awaited,
    exit: Exit,
    fire: SafetyLine,
    break_glass: SafetyLine,
    mains: Sense,
    contact: Sense,
    lines: [Sense; 3],
    link: Link,
    leaf: Leaf,
    lock: Lock,
    sounder: bool,
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

/// Where the leaf is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Leaf {
    /// Not yet sensed since the start.
    Unknown,
    /// Closed.
    Closed,
    /// Open with authority; reported as held too long when the timer fires (idle while the door is free anyway).
    Open(Timer),
    /// Open for too long.
    HeldTooLong,
    /// Opened while locked.
    Forced,
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

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Grant {
    None,
    /// Released, nobody has opened yet.
    Waiting {
        until: u64,
        id: u64,
        source: Source,
    },
    /// Released and opened.
    Used {
        until: u64,
        id: u64,
        source: Source,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Exit {
    None,
    Pressed { until: u64 },
    Timed { until: u64 },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Lock {
    Locked,
    /// Locked a moment ago, for the cause and command named.
    JustLocked {
        until: u64,
        cause: Cause,
        id: u64,
    },
    Released {
        cause: Cause,
        id: u64,
    },
}

/// The causes that hold a door released now, one bit each in the order of [`Cause`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Causes(pub u8);

impl Causes {
    /// Whether `cause` is one of them.
    pub const fn contains(self, cause: Cause) -> bool {
        self.0 & (1 << cause as u8) != 0
    }

    /// Whether there is none: the door is locked.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn with(self, cause: Cause, holds: bool) -> Causes {
        if holds { Causes(self.0 | 1 << cause as u8) } else { self }
    }

    /// Free for everybody: an open leaf is then no matter for an alarm.
    fn free(self) -> bool {
        [Cause::Fire, Cause::BreakGlass, Cause::MainsLoss, Cause::Hold].iter().any(|c| self.contains(*c))
    }

    fn strongest(self) -> Option<Cause> {
        const ORDER: [Cause; 7] = [
            Cause::Fire,
            Cause::BreakGlass,
            Cause::MainsLoss,
            Cause::Rex,
            Cause::Hold,
            Cause::Grant,
            Cause::Local,
        ];
        ORDER.into_iter().find(|c| self.contains(*c))
    }
}

impl Door {
    /// A door at the board's start: locked, nothing sensed yet, the controller not yet heard.
    pub const fn new(settings: Settings) -> Door {
        Door {
            settings,
            mode: Mode::Normal,
            grant: Grant::None,
            awaited: Awaited::NOBODY,
            exit: Exit::None,
            fire: SafetyLine::REST,
            break_glass: SafetyLine::REST,
            mains: Sense::Rest,
            contact: Sense::Rest,
            lines: [Sense::Rest; 3],
            link: Link::Down,
            leaf: Leaf::Unknown,
            lock: Lock::Locked,
            sounder: false,
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

    /// When [`Door::step`] must be called at the latest, if nothing else happens.
    pub fn deadline(&self) -> Option<u64> {
        let mode = match self.mode {
            Mode::Normal => None,
            Mode::HeldOpen { until } | Mode::Locked { until } | Mode::Lockdown { until } => Some(until),
        };
        let grant = match self.grant {
            Grant::None => None,
            Grant::Waiting { until, .. } | Grant::Used { until, .. } => Some(until),
        };
        let exit = match self.exit {
            Exit::None | Exit::Pressed { .. } => None,
            Exit::Timed { until } => Some(until),
        };
        let lock = match self.lock {
            Lock::Locked | Lock::Released { .. } => None,
            Lock::JustLocked { until, .. } => Some(until),
        };
        let leaf = match self.leaf {
            Leaf::Open(timer) => timer.at(),
            Leaf::Unknown | Leaf::Closed | Leaf::HeldTooLong | Leaf::Forced => None,
        };
        sooner(sooner(sooner(mode, grant), sooner(exit, lock)), sooner(leaf, self.awaited.deadline()))
    }

    /// Whether this output is on. Outputs that follow LED and BUZ are not the machine's: they are off here.
    pub const fn output(&self, output: Output) -> bool {
        match output {
            Output::Lock => matches!(self.lock, Lock::Released { .. }),
            Output::Sounder => self.sounder,
            Output::ReaderGreen | Output::ReaderRed | Output::ReaderBuzzer => false,
        }
    }

    /// Where the leaf is.
    pub const fn leaf(&self) -> Leaf {
        self.leaf
    }

    /// Everything that holds the door released now.
    pub fn causes(&self) -> Causes {
        let granted = |by| match self.grant {
            Grant::None => false,
            Grant::Waiting { source, .. } | Grant::Used { source, .. } => source == by,
        };
        Causes::default()
            .with(Cause::Fire, self.fire.demands_release())
            .with(Cause::BreakGlass, self.break_glass.demands_release())
            .with(
                Cause::MainsLoss,
                self.mains == Sense::Active && self.settings.mains_loss == MainsLoss::Release,
            )
            .with(Cause::Rex, self.exit != Exit::None)
            .with(Cause::Hold, matches!(self.mode, Mode::HeldOpen { .. }))
            .with(Cause::Grant, granted(Source::Controller))
            .with(Cause::Local, granted(Source::Whitelist))
    }

    fn expire(&mut self, now: u64, out: &mut Out) {
        match self.mode {
            Mode::HeldOpen { until } | Mode::Locked { until } | Mode::Lockdown { until } if until <= now => {
                self.set_mode(Mode::Normal, out);
            }
            Mode::Normal | Mode::HeldOpen { .. } | Mode::Locked { .. } | Mode::Lockdown { .. } => {}
        }
        match self.grant {
            Grant::Waiting { until, .. } | Grant::Used { until, .. } if until <= now => {
                self.grant = Grant::None;
            }
            Grant::None | Grant::Waiting { .. } | Grant::Used { .. } => {}
        }
        if self.awaited.deadline().is_some_and(|until| until <= now) {
            for id in self.awaited.take() {
                push(out, Effect::Event(Event::NotOpened { id }));
            }
        }
        if matches!(self.exit, Exit::Timed { until } if until <= now) {
            self.exit = Exit::None;
        }
        if matches!(self.lock, Lock::JustLocked { until, .. } if until <= now) {
            self.lock = Lock::Locked;
        }
        if matches!(self.leaf, Leaf::Open(timer) if timer.due(now)) {
            self.leaf = Leaf::HeldTooLong;
            push(out, Effect::Event(Event::HeldTooLong));
        }
    }

    fn sense(&mut self, now: u64, input: Input, sense: Sense, out: &mut Out) {
        let number = input.number();
        match input {
            Input::Contact => {
                report_line(out, self.contact, sense, number, None);
                self.contact = sense;
                self.contact_says(now, sense, out);
            }
            Input::Rex => {
                report_line(out, self.lines[0], sense, number, None);
                if sense != self.lines[0] {
                    self.lines[0] = sense;
                    self.rex_says(now, sense, out);
                }
            }
            Input::Fire => self.fire.says(out, sense, number, Condition::Fire),
            Input::BreakGlass => self.break_glass.says(out, sense, number, Condition::BreakGlass),
            Input::Mains => {
                report_line(out, self.mains, sense, number, Some(Condition::MainsLost));
                self.mains = sense;
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

    /// The contact opened or closed. A faulty line says nothing of the leaf.
    fn contact_says(&mut self, now: u64, sense: Sense, out: &mut Out) {
        match (sense, self.leaf) {
            (Sense::Cut | Sense::Short, _)
            | (Sense::Rest, Leaf::Closed)
            | (Sense::Active, Leaf::Open(_) | Leaf::HeldTooLong | Leaf::Forced) => {}
            (Sense::Rest, Leaf::Unknown) => self.leaf = Leaf::Closed,
            (Sense::Active, Leaf::Unknown) => {
                self.leaf = Leaf::Open(self.held_from(now));
                push(out, Effect::Event(Event::FoundOpen));
                if let Some((cause, _)) = self.authority() {
                    self.name_awaited(cause, out);
                }
            }
            (Sense::Active, Leaf::Closed) => self.opened(now, out),
            (Sense::Rest, Leaf::Open(_)) => self.closed(Event::Closed, out),
            (Sense::Rest, Leaf::HeldTooLong) => self.closed(Event::ClosedAfterHeld, out),
            (Sense::Rest, Leaf::Forced) => self.closed(Event::ClosedAfterForced, out),
        }
    }

    /// What an opening now has behind it: why the door is released, or was a moment ago, and by which command.
    const fn authority(&self) -> Option<(Cause, u64)> {
        match self.lock {
            Lock::Locked => None,
            Lock::JustLocked { cause, id, .. } | Lock::Released { cause, id } => Some((cause, id)),
        }
    }

    fn opened(&mut self, now: u64, out: &mut Out) {
        let Some((cause, id)) = self.authority() else {
            self.leaf = Leaf::Forced;
            push(out, Effect::Event(Event::Forced));
            return;
        };
        self.leaf = Leaf::Open(self.held_from(now));
        if self.awaited.is_empty() {
            push(out, Effect::Event(Event::Opened { cause, id }));
        }
        self.name_awaited(cause, out);
        if let Grant::Waiting { until, id, source } = self.grant {
            self.grant = Grant::Used { until, id, source };
        }
        if self.settings.relock == Relock::OnOpen {
            self.end_used();
        }
    }

    /// Whoever was let in goes in by this opening.
    fn name_awaited(&mut self, cause: Cause, out: &mut Out) {
        for id in self.awaited.take() {
            push(out, Effect::Event(Event::Opened { cause, id }));
        }
    }

    fn closed(&mut self, event: Event, out: &mut Out) {
        self.leaf = Leaf::Closed;
        push(out, Effect::Event(event));
        if self.settings.relock == Relock::OnClose {
            self.end_used();
        }
    }

    /// Ends what one opening has used up: its grant, and the rest of an exit's time unless the button is still pressed.
    fn end_used(&mut self) {
        if matches!(self.grant, Grant::Used { .. }) {
            self.grant = Grant::None;
        }
        if matches!(self.exit, Exit::Timed { .. }) {
            self.exit = Exit::None;
        }
    }

    fn rex_says(&mut self, now: u64, sense: Sense, out: &mut Out) {
        match (sense, self.exit) {
            (Sense::Active, Exit::None | Exit::Pressed { .. } | Exit::Timed { .. }) => {
                self.exit = Exit::Pressed { until: now + seconds(self.settings.exit_s.get().into()) };
                push(out, Effect::Event(Event::ExitRequested));
            }
            (Sense::Rest | Sense::Cut | Sense::Short, Exit::Pressed { until }) => {
                self.exit = if until <= now { Exit::None } else { Exit::Timed { until } };
            }
            (Sense::Rest | Sense::Cut | Sense::Short, Exit::None | Exit::Timed { .. }) => {}
        }
    }

    fn command(&mut self, now: u64, command: Command, out: &mut Out) -> Outcome {
        let until = now.saturating_add(command.for_us);
        let lasting = matches!(command.order, Order::Hold | Order::Lock | Order::Lockdown);
        if lasting && command.for_us == 0 {
            return Outcome::Refused(Refusal::NoTime);
        }
        match command.order {
            Order::PassEntry => return Outcome::Refused(Refusal::WrongKind),
            Order::PassExit => self.let_out(now, command.for_us, out),
            Order::Release => return self.release(now, command, out),
            Order::Hold => match self.mode {
                Mode::Lockdown { .. } => return Outcome::Refused(Refusal::Lockdown),
                Mode::Normal | Mode::HeldOpen { .. } | Mode::Locked { .. } => {
                    self.set_mode(Mode::HeldOpen { until }, out);
                }
            },
            Order::Lock => {
                self.end_grant(now);
                self.set_mode(Mode::Locked { until }, out);
            }
            Order::Lockdown => {
                self.end_grant(now);
                self.set_mode(Mode::Lockdown { until }, out);
            }
            Order::Normal => {
                self.end_grant(now);
                self.set_mode(Mode::Normal, out);
            }
        }
        Outcome::Done
    }

    /// As if exit had been requested: nothing denies it.
    fn let_out(&mut self, now: u64, for_us: u64, out: &mut Out) {
        let for_us = match for_us {
            0 => seconds(self.settings.exit_s.get().into()),
            asked => asked.min(MAX_RELEASE_US),
        };
        let later = |until: u64| until.max(now + for_us);
        self.exit = match self.exit {
            Exit::None => Exit::Timed { until: now + for_us },
            Exit::Timed { until } => Exit::Timed { until: later(until) },
            Exit::Pressed { until } => Exit::Pressed { until: later(until) },
        };
        push(out, Effect::Event(Event::ExitRequested));
    }

    fn release(&mut self, now: u64, command: Command, out: &mut Out) -> Outcome {
        match (self.mode, command.source) {
            (Mode::Lockdown { .. }, _) => return Outcome::Refused(Refusal::Lockdown),
            (Mode::Locked { .. }, Source::Whitelist) => return Outcome::Refused(Refusal::Locked),
            (Mode::Locked { .. }, Source::Controller) | (Mode::Normal | Mode::HeldOpen { .. }, _) => {}
        }
        let for_us = match command.for_us {
            0 => seconds(self.settings.strike_s.get().into()),
            asked => asked.min(MAX_RELEASE_US),
        };
        let running = match self.grant {
            Grant::None => 0,
            Grant::Waiting { until, .. } | Grant::Used { until, .. } => until,
        };
        let until = running.max(now + for_us);
        self.grant = Grant::Waiting { until, id: command.id, source: command.source };
        if let Some(id) = self.awaited.push(command.id, until + GRACE_US) {
            push(out, Effect::Event(Event::NotOpened { id }));
        }
        Outcome::Done
    }

    fn link(&mut self, link: Link, out: &mut Out) {
        match (self.link, link) {
            (Link::Up, Link::Down) => push(out, Effect::Began(Condition::ControllerLost)),
            (Link::Down, Link::Up) => push(out, Effect::Ended(Condition::ControllerLost)),
            (Link::Up, Link::Up) | (Link::Down, Link::Down) => {}
        }
        self.link = link;
    }

    fn end_grant(&mut self, now: u64) {
        self.grant = Grant::None;
        self.awaited.at_most_until(now + GRACE_US);
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

    /// Brings lock, sounder and the held timer in line with the causes.
    fn settle(&mut self, now: u64, out: &mut Out) {
        let causes = self.causes();
        match (causes.strongest(), self.lock) {
            (None, Lock::Locked | Lock::JustLocked { .. }) => {}
            (None, Lock::Released { cause, id }) => {
                self.lock = Lock::JustLocked { until: now + GRACE_US, cause, id };
                self.awaited.at_most_until(now + GRACE_US);
                push(out, Effect::Set(Output::Lock, false));
                push(out, Effect::Event(Event::Locked));
            }
            (Some(cause), before) => {
                let id = self.grant_id(cause);
                let released = Lock::Released { cause, id };
                if !matches!(before, Lock::Released { .. }) {
                    push(out, Effect::Set(Output::Lock, true));
                }
                if before != released {
                    push(out, Effect::Event(Event::Released { cause, id }));
                }
                self.lock = released;
                if matches!(self.leaf, Leaf::Open(_) | Leaf::HeldTooLong | Leaf::Forced) {
                    self.name_awaited(cause, out);
                }
            }
        }
        self.leaf = match (self.leaf, causes.free()) {
            (Leaf::Open(_) | Leaf::HeldTooLong, true) => Leaf::Open(Timer::Idle),
            (Leaf::Open(Timer::Idle), false) => Leaf::Open(self.held_from(now)),
            (leaf @ (Leaf::Unknown | Leaf::Closed | Leaf::Forced), true | false)
            | (leaf @ (Leaf::Open(Timer::Until(_)) | Leaf::HeldTooLong), false) => leaf,
        };
        let sounder = matches!(self.leaf, Leaf::Forced | Leaf::HeldTooLong) && !causes.free();
        if sounder != self.sounder {
            self.sounder = sounder;
            push(out, Effect::Set(Output::Sounder, sounder));
        }
    }

    fn grant_id(&self, cause: Cause) -> u64 {
        match (cause, self.grant) {
            (Cause::Grant | Cause::Local, Grant::Waiting { id, .. } | Grant::Used { id, .. }) => id,
            (
                Cause::Fire
                | Cause::BreakGlass
                | Cause::MainsLoss
                | Cause::Rex
                | Cause::Hold
                | Cause::Grant
                | Cause::Local,
                _,
            ) => 0,
        }
    }

    fn held_from(&self, now: u64) -> Timer {
        match self.settings.held_s {
            0 => Timer::Idle,
            s => Timer::Until(now + seconds(s.into())),
        }
    }
}

const fn seconds(s: u64) -> u64 {
    s * 1_000_000
}
