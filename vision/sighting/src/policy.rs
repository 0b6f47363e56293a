//! When to look, and when to speak.

use serde::{Deserialize, Serialize};

/// How much evidence a sighting needs. Times are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// People followed at once at most; further faces, the smallest, are not followed.
    pub most_tracks: usize,
    /// A face narrower than this part of the widest one stands behind it, and is not looked at until its turn: the door
    /// opens for whoever stands before it, not for somebody in the queue.
    pub behind: f32,
    /// Least overlap (intersection over union) with where a face was expected, for it to be the same one.
    pub same_overlap: f32,
    /// A face that was looked for and not seen for this long is gone.
    pub gone_after_ms: u64,
    /// A face is gone too when nobody looked for this long.
    pub unwatched_ms: u64,
    /// Mean probability of a living face that counts as live.
    pub live_from: f32,
    /// Frames that must be checked before anything is called live.
    pub live_frames: u32,
    /// Frames that must be checked before anything is called not live.
    pub spoof_frames: u32,
    /// Looks in a row that know nobody before "unknown" is said, and before whoever was known earlier is forgotten.
    pub unknown_looks: u32,
    /// Or this long after the first usable look.
    pub unknown_after_ms: u64,
    /// How many times better a look must be to be worth comparing again.
    pub better: f32,
    /// A person still there is compared again this often, so that nobody takes over another's track.
    pub recheck_ms: u64,
    /// Somebody who was called a picture is looked at again this often: a whole window of looks takes it back.
    pub recover_ms: u64,
    /// A person still there, not granted, is reported again after this long.
    pub again_ms: u64,
    /// When the door was released for everybody in view, faces are looked for this often instead of in every frame.
    pub settled_ms: u64,
    /// For this long after a camera last saw a person no other camera speaks for them.
    pub claim_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            most_tracks: 8,
            behind: 0.75,
            same_overlap: 0.25,
            gone_after_ms: 600,
            unwatched_ms: 2_000,
            live_from: 0.6,
            live_frames: 2,
            spoof_frames: 3,
            unknown_looks: 3,
            unknown_after_ms: 700,
            better: 1.2,
            recheck_ms: 500,
            recover_ms: 80,
            again_ms: 3_000,
            settled_ms: 120,
            claim_ms: 2_000,
        }
    }
}
