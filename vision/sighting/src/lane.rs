//! Several lanes beside each other, one face: the part of a picture that is a lane's own, and who speaks for a person
//! whom two cameras see.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::face::{Face, Frame};
use crate::policy::Policy;

/// The part of the picture in which people stand before this lane, as parts of its width.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lane {
    /// Its left edge, 0 to 1.
    pub left: f32,
    /// Its right edge, 0 to 1.
    pub right: f32,
}

/// Which camera speaks for whom. A person is one camera's at a time, so that two lanes never open to the same face.
#[derive(Debug, Default)]
pub struct Claims {
    held: BTreeMap<u64, Claim>,
}

#[derive(Debug)]
struct Claim {
    camera: String,
    track: u64,
    /// Width of the face when it was last compared, in pixels.
    width: f32,
    /// When it was last compared.
    seen: u64,
    granted: bool,
}

impl Default for Lane {
    fn default() -> Self {
        Self { left: 0.0, right: 1.0 }
    }
}

impl Lane {
    /// Whether the middle of the face lies in it.
    pub fn holds(&self, face: &Face, frame: Frame) -> bool {
        let at = face.rect.centre().x / frame.width.max(1) as f32;
        (self.left..=self.right).contains(&at)
    }
}

impl Claims {
    /// This camera has this person before it, with a face so many pixels wide; whether it may speak for them.
    ///
    /// The first camera may, until it has not seen them for [`Policy::claim_ms`]. Another one takes over when it sees the
    /// clearly larger face ([`Policy::better`] times as wide), unless the door was already released.
    pub fn claim(
        &mut self,
        now: u64,
        camera: &str,
        track: u64,
        person: u64,
        width: f32,
        policy: &Policy,
    ) -> bool {
        // Whoever was not seen for long enough is nobody's: no more are held than are followed.
        self.held.retain(|_, claim| now.saturating_sub(claim.seen) < policy.claim_ms * 1_000);
        match self.held.get_mut(&person) {
            Some(claim) if claim.camera == camera => {
                (claim.track, claim.width, claim.seen) = (track, width, now);
                true
            }
            Some(claim) if claim.granted || width < claim.width * policy.better => false,
            Some(_) | None => {
                let claim = Claim { camera: camera.to_owned(), track, width, seen: now, granted: false };
                self.held.insert(person, claim);
                true
            }
        }
    }

    /// The door was released for this track.
    pub fn granted(&mut self, camera: &str, track: u64) {
        for claim in self.held.values_mut() {
            claim.granted |= claim.camera == camera && claim.track == track;
        }
    }
}
