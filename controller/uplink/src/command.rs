//! Commands to a controller. They carry an id and an expiry, are never retained and never queued across a reconnect.

use serde::{Deserialize, Serialize};

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// 128 random bits in hexadecimal: the same id twice is carried out once.
    pub id: String,
    /// After this (UTC, microseconds) it does nothing.
    pub expires_at: i64,
    /// Who gave it: an operator's pseudonymous id.
    pub by: u64,
    /// That operator's rank, 0 to 255; an override of higher rank is not lifted by a lower one.
    pub rank: u8,
    /// What to do.
    pub action: Action,
}

/// What to do. Grows only at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Release the door once, as a grant would.
    Release {
        /// The door or lane.
        door: u64,
        /// Which way, for a lane.
        side: crate::event::Side,
    },
    /// Hold it open until the time given (UTC, microseconds).
    HoldOpen {
        /// The door or lane.
        door: u64,
        /// When the override ends by itself.
        until: i64,
    },
    /// Keep it locked against every entry until the time given. Exits stay free.
    Lock {
        /// The door or lane.
        door: u64,
        /// When the override ends by itself.
        until: i64,
    },
    /// Back to its schedule.
    Normal {
        /// The door or lane.
        door: u64,
    },
    /// Open the install window of a board that has no key yet, or of all of a bus that have none, until the time given, at most
    /// [`LONGEST_WINDOW`] from now: meanwhile they are spoken to with the key that everybody knows, to be given their own.
    OpenInstall {
        /// The bus's name.
        bus: String,
        /// The board's OSDP address; without it every board of the bus.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<u8>,
        /// When the window closes by itself.
        until: i64,
    },
    /// Close it.
    CloseInstall {
        /// The bus's name.
        bus: String,
        /// The board's OSDP address; without it every board of the bus.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<u8>,
    },
}

/// An install window is open no longer, in microseconds.
pub const LONGEST_WINDOW: i64 = 600_000_000;
/// Whoever opens one has at least this rank: a manager.
pub const WINDOW_RANK: u8 = 4;

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The command's id.
    pub id: String,
    /// When it was settled: UTC, microseconds.
    pub at: i64,
    /// How.
    pub settled: Settled,
}

/// How a command was settled. Grows only at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settled {
    /// The board confirmed it.
    Done,
    /// It came after its expiry and did nothing.
    Expired,
    /// No such door on this controller.
    UnknownDoor,
    /// An override of higher rank stands.
    Outranked,
    /// The board did not answer in time.
    BoardOffline,
    /// The board answered that it cannot.
    Refused,
    /// No such board on this controller.
    UnknownBoard,
    /// The boards have their keys already.
    HasKey,
}
