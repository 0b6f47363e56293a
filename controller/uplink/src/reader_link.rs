//! The link from a vision process to the controller of its lanes: mutual TLS 1.3 over TCP, each message a 4-byte
//! big-endian length and that many bytes of JSON (at most [`crate::wire::LARGEST`]).
//!
//! Vision says [`FromVision::Hello`] first; the controller answers [`ToVision::Welcome`] or closes. The newest matters:
//! a sighting older than [`OLDEST_SIGHTING_MS`] is dropped by the sender and refused by the receiver.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A sighting older than this, in milliseconds from its frame, opens nothing.
pub const OLDEST_SIGHTING_MS: u64 = 1_000;

/// From vision to the controller. Grows only at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromVision {
    /// Who speaks: the certificate's common name and its cameras.
    Hello {
        /// The certificate's common name.
        vision: String,
        /// Names of its cameras.
        cameras: Vec<String>,
    },
    /// A face was seen.
    Sighting(Sighting),
    /// A camera came or went.
    Camera {
        /// Its name.
        camera: String,
        /// Whether pictures come.
        up: bool,
    },
    /// Sent every second when there is nothing else to say.
    Alive,
}

/// From the controller to vision. Grows only at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ToVision {
    /// Which of the cameras named are bound to a door or lane here; vision reports sightings of these alone.
    Welcome {
        /// Names of the bound cameras.
        cameras: Vec<String>,
    },
    /// What came of a sighting: vision stops repeating a granted track.
    Verdict {
        /// The camera.
        camera: String,
        /// The track.
        track: u64,
        /// Whether the door was released for it.
        granted: bool,
    },
}

/// One face, seen well enough to say something. Vision never decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// The camera's name.
    pub camera: String,
    /// One person's way through the picture; unique per camera and run.
    pub track: u64,
    /// 1 for the first sighting of a track, counting up.
    pub look: u32,
    /// When the frame was captured: UTC, microseconds.
    pub captured_at: i64,
    /// Who it looks like.
    pub face: Face,
    /// Whether a living person stands there.
    pub liveness: Liveness,
    /// Microseconds of each stage: `capture`, `detect`, `liveness`, `embed`, `search`, `send`.
    pub stages_us: BTreeMap<String, u64>,
    /// The gallery that was searched.
    pub gallery_version: u64,
}

/// The result of the search.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Face {
    /// The nearest person in the gallery, above vision's own floor.
    Known {
        /// The person.
        person: u64,
        /// Cosine similarity, -1 to 1.
        score: f32,
        /// Score minus that of the second-best person; the score itself when there is no second.
        margin: f32,
    },
    /// Nobody is near enough.
    Unknown {
        /// Cosine similarity of the nearest, if the gallery holds anybody.
        best: Option<f32>,
    },
}

/// The liveness check: one signal among several, never proof.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Liveness {
    /// Vision's judgement by its configured threshold.
    pub live: bool,
    /// Probability of a living face, 0 to 1.
    pub score: f32,
    /// Over how many frames.
    pub frames: u32,
}
