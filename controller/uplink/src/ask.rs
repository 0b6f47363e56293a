//! Questions only the centre can answer. The controller waits 400 ms, then settles on its own decision.

use serde::{Deserialize, Serialize};

use crate::event::{Reason, Side};

/// How long a controller waits for an answer, in milliseconds.
pub const DEADLINE_MS: u64 = 400;

/// May this person pass, by what only the centre knows?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Unique per controller run; the answer copies it.
    pub id: u64,
    /// After this (UTC, microseconds) nobody waits for the answer.
    pub expires_at: i64,
    /// The person.
    pub person: u64,
    /// The door or lane.
    pub door: u64,
    /// Which way.
    pub side: Side,
}

/// The centre's answer: no objection, or every one there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The question's id.
    pub id: u64,
    /// Empty: none.
    pub objections: Vec<Reason>,
}
