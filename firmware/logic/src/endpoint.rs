//! One board, any kind of endpoint: inputs and outputs by their OSDP numbers.

use endpoints::vendor::{BoardSettings, Kind, KindSettings, What};
use endpoints::{Command, Effect, Effects, Link, Outcome, Sense, Status, door, gate_lane};

/// The endpoint's machine.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    Door(door::Door),
    GateLane(gate_lane::GateLane),
}

/// What goes in, inputs by number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given {
    Sense(u8, Sense),
    Command(Command),
    Link(Link),
    Tick,
}

/// What comes out, beside the outputs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening {
    What(What),
    Answer(Outcome),
}

impl Endpoint {
    pub(crate) fn new(kind: KindSettings) -> Endpoint {
        match kind {
            KindSettings::Door(settings) => Endpoint::Door(door::Door::new(settings)),
            KindSettings::GateLane(settings) => Endpoint::GateLane(gate_lane::GateLane::new(settings)),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Endpoint::Door(_) => Kind::Door,
            Endpoint::GateLane(_) => Kind::GateLane,
        }
    }

    /// Whether settings are for this kind.
    pub(crate) fn takes(&self, settings: &BoardSettings) -> bool {
        match (self, settings.kind) {
            (Endpoint::Door(_), KindSettings::Door(_))
            | (Endpoint::GateLane(_), KindSettings::GateLane(_)) => true,
            (Endpoint::Door(_), KindSettings::GateLane(_))
            | (Endpoint::GateLane(_), KindSettings::Door(_)) => false,
        }
    }

    /// New settings; those of another kind change nothing.
    pub(crate) fn set_settings(&mut self, settings: KindSettings) {
        match (self, settings) {
            (Endpoint::Door(door), KindSettings::Door(settings)) => door.set_settings(settings),
            (Endpoint::GateLane(lane), KindSettings::GateLane(settings)) => lane.set_settings(settings),
            (Endpoint::Door(_), KindSettings::GateLane(_))
            | (Endpoint::GateLane(_), KindSettings::Door(_)) => {}
        }
    }

    /// One step of the machine; what happens is told in order, not gathered: a step is taken at every look, and a list is a kilobyte.
    pub(crate) fn step(&mut self, now: u64, given: Given, tell: impl FnMut(Happening)) {
        match self {
            Endpoint::Door(machine) => {
                let given = match given {
                    Given::Sense(number, sense) => match door::Input::ALL.get(usize::from(number)) {
                        Some(input) => door::Given::Sense(*input, sense),
                        None => return,
                    },
                    Given::Command(command) => door::Given::Command(command),
                    Given::Link(link) => door::Given::Link(link),
                    Given::Tick => door::Given::Tick,
                };
                happenings(&machine.step(now, given), What::Door, tell);
            }
            Endpoint::GateLane(machine) => {
                let given = match given {
                    Given::Sense(number, sense) => match gate_lane::Input::ALL.get(usize::from(number)) {
                        Some(input) => gate_lane::Given::Sense(*input, sense),
                        None => return,
                    },
                    Given::Command(command) => gate_lane::Given::Command(command),
                    Given::Link(link) => gate_lane::Given::Link(link),
                    Given::Tick => gate_lane::Given::Tick,
                };
                happenings(&machine.step(now, given), What::Lane, tell);
            }
        }
    }

    /// Whether somebody still waits to pass by this command: given again, it renews their time.
    pub(crate) fn waits_for(&self, id: u64) -> bool {
        match self {
            Endpoint::Door(_) => false,
            Endpoint::GateLane(lane) => lane.waits_for(id),
        }
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        match self {
            Endpoint::Door(door) => door.deadline(),
            Endpoint::GateLane(lane) => lane.deadline(),
        }
    }

    /// How it stands now.
    pub(crate) fn status(&self) -> Status {
        match self {
            Endpoint::Door(door) => door.status(),
            Endpoint::GateLane(lane) => lane.status(),
        }
    }

    /// The machine's outputs, bit n the output with OSDP number n.
    pub(crate) fn outputs(&self) -> u16 {
        match self {
            Endpoint::Door(machine) => door::Output::ALL
                .into_iter()
                .filter(|o| machine.output(*o))
                .fold(0, |bits, o| bits | 1 << o.number()),
            Endpoint::GateLane(machine) => gate_lane::Output::ALL
                .into_iter()
                .filter(|o| machine.output(*o))
                .fold(0, |bits, o| bits | 1 << o.number()),
        }
    }
}

/// What a kind has, as the panel and the lamps need to know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) inputs: u8,
    pub(crate) commanded: u8,
    pub(crate) tamper: u8,
    pub(crate) mains: u8,
    pub(crate) sounder: u8,
}

pub(crate) const fn shape(kind: Kind) -> Shape {
    match kind {
        Kind::Door => Shape {
            inputs: door::Input::ALL.len() as u8,
            commanded: door::Output::COMMANDED,
            tamper: door::Input::Tamper.number(),
            mains: door::Input::Mains.number(),
            sounder: door::Output::Sounder.number(),
        },
        Kind::GateLane => Shape {
            inputs: gate_lane::Input::ALL.len() as u8,
            commanded: gate_lane::Output::COMMANDED,
            tamper: gate_lane::Input::Tamper.number(),
            mains: gate_lane::Input::Mains.number(),
            sounder: gate_lane::Output::Sounder.number(),
        },
    }
}

fn happenings<O: Copy, E: Copy>(
    effects: &Effects<O, E>,
    event: impl Fn(E) -> What,
    mut tell: impl FnMut(Happening),
) {
    for effect in effects {
        match *effect {
            // Outputs are read from the machine after each step.
            Effect::Set(..) => {}
            Effect::Event(e) => tell(Happening::What(event(e))),
            Effect::Began(condition) => tell(Happening::What(What::Began(condition))),
            Effect::Ended(condition) => tell(Happening::What(What::Ended(condition))),
            Effect::Answer(outcome) => tell(Happening::Answer(outcome)),
        }
    }
}
