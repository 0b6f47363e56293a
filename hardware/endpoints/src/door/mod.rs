//! A door: one or two readers, a lock, a contact, a request to exit.
//!
//! | OSDP number | input | active means | | output | on means |
//! |---|---|---|---|---|---|
//! | 0 | contact | open | | lock | **released** |
//! | 1 | rex | exit requested | | sounder | sounding |
//! | 2 | fire | fire contact operated | | reader_green | lit |
//! | 3 | break_glass | operated | | reader_red | lit |
//! | 4 | tamper | cover off | | reader_buzzer | sounding |
//! | 5 | mains | **failed** | | | |
//! | 6 | battery | **low** | | | |
//!
//! Outputs 0 and 1 may be commanded by OSDP OUT; the others follow LED and BUZ. Reader 0 is on the entry side, reader 1 (if any) on the exit
//! side. Display 0 is the reader's text line.

#[cfg(test)]
mod explore;
mod machine;
#[cfg(test)]
mod tests;

pub use machine::{Causes, Door, GRACE_US, Given, Leaf, MAX_RELEASE_US};

/// An input of the door board.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// Door contact: active = open.
    Contact,
    /// Request to exit.
    Rex,
    /// Fire contact.
    Fire,
    /// Break-glass (emergency exit) contact.
    BreakGlass,
    /// Cover.
    Tamper,
    /// Mains failed.
    Mains,
    /// Battery low.
    Battery,
}

impl Input {
    /// All inputs in OSDP order.
    pub const ALL: [Input; 7] = [
        Input::Contact,
        Input::Rex,
        Input::Fire,
        Input::BreakGlass,
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
            Input::Contact => "contact",
            Input::Rex => "rex",
            Input::Fire => "fire",
            Input::BreakGlass => "break_glass",
            Input::Tamper => "tamper",
            Input::Mains => "mains",
            Input::Battery => "battery",
        }
    }
}

/// An output of the door board.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// On = released.
    Lock,
    /// Local sounder.
    Sounder,
    /// Green light of the reader.
    ReaderGreen,
    /// Red light of the reader.
    ReaderRed,
    /// Buzzer of the reader.
    ReaderBuzzer,
}

impl Output {
    /// All outputs in OSDP order.
    pub const ALL: [Output; 5] =
        [Output::Lock, Output::Sounder, Output::ReaderGreen, Output::ReaderRed, Output::ReaderBuzzer];
    /// How many of them, from the first, OSDP OUT may command.
    pub const COMMANDED: u8 = 2;

    /// Its OSDP output number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Its name in the pin map.
    pub const fn name(self) -> &'static str {
        match self {
            Output::Lock => "lock",
            Output::Sounder => "sounder",
            Output::ReaderGreen => "reader_green",
            Output::ReaderRed => "reader_red",
            Output::ReaderBuzzer => "reader_buzzer",
        }
    }
}

/// Why a door is released. When several hold, the first in this order is reported.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// Fire contact operated, or its line in fault.
    Fire,
    /// Break-glass operated, or its line in fault.
    BreakGlass,
    /// Mains failed and the door is set to release then.
    MainsLoss,
    /// Request to exit.
    Rex,
    /// Held open by command.
    Hold,
    /// A release by the controller.
    Grant,
    /// A release by the board's own whitelist.
    Local,
}

/// What happened at the door. `id` is that of the command which released it, 0 if none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The lock was released, or a stronger cause took over.
    Released {
        /// Why.
        cause: Cause,
        /// By which command.
        id: u64,
    },
    /// The lock holds again.
    Locked,
    /// Opened while released (or within [`GRACE_US`] after), or somebody was let in while it stood open. Told once for everybody who was
    /// let in and had not been told of, whatever the cause.
    Opened {
        /// Why it was released.
        cause: Cause,
        /// By which command.
        id: u64,
    },
    /// Found open at the board's start.
    FoundOpen,
    /// Closed.
    Closed,
    /// Opened while locked.
    Forced,
    /// Open for longer than its time.
    HeldTooLong,
    /// Closed after it was forced.
    ClosedAfterForced,
    /// Closed after it was held too long.
    ClosedAfterHeld,
    /// Somebody was let in who has not opened it, [`GRACE_US`] after their time.
    NotOpened {
        /// By which command.
        id: u64,
    },
    /// Somebody asked to exit.
    ExitRequested,
}

/// When the lock holds again after an opening.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Relock {
    /// When the strike time has passed.
    AtTimeout,
    /// As soon as the door has opened (a strike that catches the leaf when it closes).
    OnOpen,
    /// As soon as the door has closed again, at the latest after the strike time.
    #[default]
    OnClose,
}

/// What a door does when mains fails while the battery carries the board.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum MainsLoss {
    /// Stay as it is.
    #[default]
    Keep,
    /// Release until mains is back (fail-safe egress).
    Release,
}

/// How a door behaves. Times in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Settings {
    /// Strike time when a command gives none: 1..=255 s; at least 3 s by default (IEC 60839-11-1).
    pub strike_s: core::num::NonZeroU8,
    /// How long a request to exit releases, from its press (and as long as it is pressed): 1..=255 s.
    pub exit_s: core::num::NonZeroU8,
    /// Open for longer than this is reported; 0 = never.
    pub held_s: u16,
    /// When it locks again.
    pub relock: Relock,
    /// At loss of mains.
    pub mains_loss: MainsLoss,
}

impl Default for Settings {
    fn default() -> Self {
        let five = core::num::NonZeroU8::new(5).expect("five is not zero");
        Settings {
            strike_s: five,
            exit_s: five,
            held_s: 30,
            relock: Relock::default(),
            mains_loss: MainsLoss::default(),
        }
    }
}
