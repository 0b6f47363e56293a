//! A gate lane (speed gate): two readers, five beams across the lane, one leaf with its drive and brake.
//!
//! ```text
//! entry side |  outer  inner  [safety | leaf]  inner  outer  | exit side
//!   reader 0 |    0      1          2            3      4    | reader 1
//! ```
//!
//! | OSDP number | input | active means | | number | output | on means |
//! |---|---|---|---|---|---|---|
//! | 0..=4 | beams, from the entry side | blocked | | 0 | open_entry | driving open to let a person in |
//! | 5, 6 | leaf_closed, leaf_open | at that limit | | 1 | open_exit | driving open to let a person out |
//! | 7 | obstruction | drive over-current | | 2 | sounder | sounding |
//! | 8, 9 | fire, break_glass | operated | | 3 | close | driving shut |
//! | 10 | rex | exit requested | | 4 | brake | **held**; off is free both ways |
//! | 11 | tamper | cover off | | 5, 6 | entry_green, entry_red | lit |
//! | 12, 13 | mains, battery | failed, low | | 7, 8 | exit_green, exit_red | lit |
//!
//! Outputs 0 to 2 may be commanded by OSDP OUT: 0 lets one person in, 1 lets one out. A lane with four beams leaves `beam_safety`
//! unconnected: the inner two are safety beams as well.
//!
//! A lane that is held opens outward, or stays open as it stands, and closes on nobody: a hold may mean a fire elsewhere in the zone.
//!
//! What five beams cannot see: two people so close that no beam clears between them, and somebody carried. A body is told from another by
//! the beams it covers: beams at leg height would see two of everybody.

mod crossing;
#[cfg(test)]
mod explore;
mod machine;
#[cfg(test)]
mod tests;

pub use machine::{GateLane, Given, Leaf, MAX_PENDING};

/// An input of the gate-lane board.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// Outermost beam on the entry side.
    BeamEntryOuter,
    /// Beam before the leaf on the entry side.
    BeamEntryInner,
    /// Beam in the plane of the leaf.
    BeamSafety,
    /// Beam before the leaf on the exit side.
    BeamExitInner,
    /// Outermost beam on the exit side.
    BeamExitOuter,
    /// Leaf at its closed limit.
    LeafClosed,
    /// Leaf at its open limit.
    LeafOpen,
    /// The drive reports over-current.
    Obstruction,
    /// Fire contact.
    Fire,
    /// Break-glass (emergency) contact.
    BreakGlass,
    /// Request to exit: lets one person out.
    Rex,
    /// Cover.
    Tamper,
    /// Mains failed.
    Mains,
    /// Battery low.
    Battery,
}

impl Input {
    /// All inputs in OSDP order.
    pub const ALL: [Input; 14] = [
        Input::BeamEntryOuter,
        Input::BeamEntryInner,
        Input::BeamSafety,
        Input::BeamExitInner,
        Input::BeamExitOuter,
        Input::LeafClosed,
        Input::LeafOpen,
        Input::Obstruction,
        Input::Fire,
        Input::BreakGlass,
        Input::Rex,
        Input::Tamper,
        Input::Mains,
        Input::Battery,
    ];

    /// Its OSDP input number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Its name in the pin map.
    pub const fn name(self) -> &'static str {
        match self {
            Input::BeamEntryOuter => "beam_entry_outer",
            Input::BeamEntryInner => "beam_entry_inner",
            Input::BeamSafety => "beam_safety",
            Input::BeamExitInner => "beam_exit_inner",
            Input::BeamExitOuter => "beam_exit_outer",
            Input::LeafClosed => "leaf_closed",
            Input::LeafOpen => "leaf_open",
            Input::Obstruction => "obstruction",
            Input::Fire => "fire",
            Input::BreakGlass => "break_glass",
            Input::Rex => "rex",
            Input::Tamper => "tamper",
            Input::Mains => "mains",
            Input::Battery => "battery",
        }
    }
}

/// An output of the gate-lane board.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// Drive open to let a person in.
    OpenEntry,
    /// Drive open to let a person out.
    OpenExit,
    /// Local sounder.
    Sounder,
    /// Drive shut.
    Close,
    /// On = the leaf is held.
    Brake,
    /// Green light on the entry side.
    EntryGreen,
    /// Red light on the entry side.
    EntryRed,
    /// Green light on the exit side.
    ExitGreen,
    /// Red light on the exit side.
    ExitRed,
}

impl Output {
    /// All outputs in OSDP order.
    pub const ALL: [Output; 9] = [
        Output::OpenEntry,
        Output::OpenExit,
        Output::Sounder,
        Output::Close,
        Output::Brake,
        Output::EntryGreen,
        Output::EntryRed,
        Output::ExitGreen,
        Output::ExitRed,
    ];
    /// How many of them, from the first, OSDP OUT may command.
    pub const COMMANDED: u8 = 3;

    /// Its OSDP output number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Its name in the pin map.
    pub const fn name(self) -> &'static str {
        match self {
            Output::OpenEntry => "open_entry",
            Output::OpenExit => "open_exit",
            Output::Sounder => "sounder",
            Output::Close => "close",
            Output::Brake => "brake",
            Output::EntryGreen => "entry_green",
            Output::EntryRed => "entry_red",
            Output::ExitGreen => "exit_green",
            Output::ExitRed => "exit_red",
        }
    }
}

/// Which way somebody goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// In.
    Entry,
    /// Out.
    Exit,
}

impl Direction {
    /// The other way.
    pub const fn opposite(self) -> Direction {
        match self {
            Direction::Entry => Direction::Exit,
            Direction::Exit => Direction::Entry,
        }
    }
}

/// What happened in the lane. `id` is that of the command that authorised the passage, 0 if none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// A passage is authorised: the leaf opens.
    Authorised {
        /// Which way.
        direction: Direction,
        /// By which command.
        id: u64,
    },
    /// An authorised person has passed.
    Passed {
        /// Which way.
        direction: Direction,
        /// By which command.
        id: u64,
    },
    /// An authorised person came in and went back; the authority stays until its time ends.
    Abandoned {
        /// Which way.
        direction: Direction,
        /// By which command.
        id: u64,
    },
    /// Nobody used the authority in its time.
    NotUsed {
        /// Which way.
        direction: Direction,
        /// By which command.
        id: u64,
    },
    /// Somebody follows on another person's authority.
    Tailgating {
        /// Which way.
        direction: Direction,
    },
    /// Somebody comes in against the direction the leaf is open for.
    WrongWay {
        /// The way that person goes.
        direction: Direction,
    },
    /// Somebody is through, or the leaf was pushed, while it was closed.
    Forced {
        /// Which way.
        direction: Direction,
    },
    /// Somebody without authority has passed through.
    Slipped {
        /// Which way.
        direction: Direction,
    },
    /// The leaf met something while it closed, and opened again.
    Reversed,
    /// Somebody asked to exit.
    ExitRequested,
    /// The leaf became free both ways (fire, break-glass, loss of power).
    Freed,
    /// The leaf is under control again.
    Secured,
}

/// How a lane behaves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Settings {
    /// How long an authorised person has to come in: 1..=255 s.
    pub pass_s: core::num::NonZeroU8,
    /// How long the leaf takes from limit to limit at most: 1..=255 tenths of a second.
    pub travel_ds: core::num::NonZeroU8,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            pass_s: core::num::NonZeroU8::new(5).expect("five is not zero"),
            travel_ds: core::num::NonZeroU8::new(15).expect("fifteen is not zero"),
        }
    }
}
