//! What all kinds share: senses of a line, lasting conditions, commands and their outcomes, timers.

use heapless::Vec;

/// What a debounced input line says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Sense {
    /// At rest.
    #[default]
    Rest,
    /// Operated.
    Active,
    /// The line is cut (supervised lines only).
    Cut,
    /// The line is shorted (supervised lines only).
    Short,
}

impl Sense {
    /// Whether a *safety* line asks for release: operated, or in any fault (a line that cannot report is taken to report).
    pub const fn demands_release(self) -> bool {
        match self {
            Sense::Rest => false,
            Sense::Active | Sense::Cut | Sense::Short => true,
        }
    }
}

/// The link from the board to its controller.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Link {
    /// The controller polls over a secured channel.
    Up,
    /// It does not.
    Down,
}

/// A point in time that may not be set. Microseconds since start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Timer {
    /// Not running.
    #[default]
    Idle,
    /// Fires at this time.
    Until(u64),
}

impl Timer {
    /// Whether it has fired at `now`.
    pub const fn due(self, now: u64) -> bool {
        match self {
            Timer::Idle => false,
            Timer::Until(at) => at <= now,
        }
    }

    /// When it fires.
    pub const fn at(self) -> Option<u64> {
        match self {
            Timer::Idle => None,
            Timer::Until(at) => Some(at),
        }
    }
}

/// The earlier of two deadlines, where either may be missing.
pub(crate) const fn sooner(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if a < b { a } else { b }),
        (Some(a), None) => Some(a),
        (None, b) => b,
    }
}

/// Something that lasts: reported when it begins and when it ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Condition {
    /// The fire contact has operated.
    Fire,
    /// The break-glass or emergency contact has operated.
    BreakGlass,
    /// The cover is off.
    Tamper,
    /// Mains has failed.
    MainsLost,
    /// The battery is low.
    BatteryLow,
    /// A supervised line is cut; the input's number.
    Cut(u8),
    /// A supervised line is shorted; the input's number.
    Shorted(u8),
    /// The controller does not answer.
    ControllerLost,
    /// Held open by command.
    HeldOpen,
    /// Locked by command: only the controller releases.
    LockedByCommand,
    /// Lockdown: entry is closed to everybody.
    Lockdown,
    /// The leaf did not reach its limit in time (lanes).
    LeafStuck,
    /// Beams are covered for longer than a passage takes, and an authority has run out meanwhile (lanes).
    BeamBlocked,
}

/// What a controller (or the board's own whitelist) may order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Order {
    /// Door: release for a time; 0 means the door's own strike time.
    Release,
    /// Hold open for a time.
    Hold,
    /// End grants and holds; for a time only the controller's own releases open, not the local whitelist.
    Lock,
    /// End grants and holds; for a time nothing but exits and life safety opens.
    Lockdown,
    /// End what was ordered: hold, lock and lockdown, and a door's running grant.
    Normal,
    /// Lane: let one person in.
    PassEntry,
    /// Let one person out. A door takes it as a request to exit; it is never refused.
    PassExit,
}

/// Who orders.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// The controller, by our own message or by the OSDP output command.
    Controller,
    /// The board's own signed whitelist, while the controller is away.
    Whitelist,
}

/// An order with its number and its time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Command {
    /// The controller's number of this command; 0 where it has none (OSDP OUT, whitelist).
    pub id: u64,
    /// What to do.
    pub order: Order,
    /// For how long, µs. 0 means the endpoint's own time for [`Order::Release`] and the passes; it is required for the lasting orders.
    pub for_us: u64,
    /// Who orders.
    pub source: Source,
}

/// What became of a command. A refusal is a value, not an error.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// Done now.
    Done,
    /// Its number was seen before: nothing was done again.
    Repeated,
    /// Not done.
    Refused(Refusal),
}

/// Why a command was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// Lockdown is in force.
    Lockdown,
    /// Locked by command, and the order is the whitelist's.
    Locked,
    /// This kind of endpoint does not know the order.
    WrongKind,
    /// A lasting order without a time.
    NoTime,
    /// As many authorised passages wait as a lane can keep.
    TooMany,
}

/// What a step asks its caller to do, in this order. `O` is the kind's outputs, `E` its events.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Effect<O, E> {
    /// Drive this output.
    Set(O, bool),
    /// Report this event.
    Event(E),
    /// Report that a condition has begun.
    Began(Condition),
    /// Report that it has ended.
    Ended(Condition),
    /// The outcome of the command that was this step's input.
    Answer(Outcome),
}

/// The most effects one step can have; a test over the reachable states holds it.
pub const MAX_EFFECTS: usize = 24;

/// The effects of one step, in order.
pub type Effects<O, E> = Vec<Effect<O, E>, MAX_EFFECTS>;

/// Pushes onto a list whose bound the exploration tests hold.
pub(crate) fn push<O, E>(effects: &mut Effects<O, E>, effect: Effect<O, E>) {
    let kept = effects.push(effect).is_ok();
    debug_assert!(kept, "a step has at most MAX_EFFECTS effects");
}

/// The condition a line's sense is, if it is one: `operated` when operated, a fault under the input's number.
pub(crate) const fn condition_of(sense: Sense, input: u8, operated: Option<Condition>) -> Option<Condition> {
    match sense {
        Sense::Rest => None,
        Sense::Active => operated,
        Sense::Cut => Some(Condition::Cut(input)),
        Sense::Short => Some(Condition::Shorted(input)),
    }
}

/// A safety line, and whether its contact has operated since the line was last at rest: a fire that burns through its own cable
/// goes on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SafetyLine {
    sense: Sense,
    operated: bool,
}

impl SafetyLine {
    pub(crate) const REST: SafetyLine = SafetyLine { sense: Sense::Rest, operated: false };

    /// What the line says now; `operated` is the condition that begins when its contact operates and ends at rest only.
    pub(crate) fn says<O, E>(
        &mut self,
        effects: &mut Effects<O, E>,
        sense: Sense,
        input: u8,
        operated: Condition,
    ) {
        let was = *self;
        self.sense = sense;
        self.operated = match sense {
            Sense::Rest => false,
            Sense::Active => true,
            Sense::Cut | Sense::Short => was.operated,
        };
        if self.operated && !was.operated {
            push(effects, Effect::Began(operated));
        }
        report_line(effects, was.sense, sense, input, None);
        if was.operated && !self.operated {
            push(effects, Effect::Ended(operated));
        }
    }

    pub(crate) const fn demands_release(self) -> bool {
        self.sense.demands_release()
    }

    /// What of it is in force: that it has operated, and its fault.
    pub(crate) fn conditions(self, input: u8, operated: Condition) -> impl Iterator<Item = Condition> {
        self.operated.then_some(operated).into_iter().chain(condition_of(self.sense, input, None))
    }
}

/// Reports a line's change: its condition when operated, and its faults under the input's number.
pub(crate) fn report_line<O, E>(
    effects: &mut Effects<O, E>,
    was: Sense,
    is: Sense,
    input: u8,
    operated: Option<Condition>,
) {
    if was == is {
        return;
    }
    if let Some(ended) = condition_of(was, input, operated) {
        push(effects, Effect::Ended(ended));
    }
    if let Some(began) = condition_of(is, input, operated) {
        push(effects, Effect::Began(began));
    }
}
