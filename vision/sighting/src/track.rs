//! One person's way through the picture.

use crate::face::{Face, Rect};
use crate::policy::Policy;

/// A face followed from frame to frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Track {
    /// Unique for as long as the tracker lives; never used again.
    pub id: u64,
    /// Where it was last seen.
    pub rect: Rect,
    /// Speed of its middle, in pixels a second.
    velocity: (f32, f32),
    /// When it was last seen.
    pub seen: u64,
    /// Frames looked at since then, all without it.
    missed: u32,
}

/// Follows faces by overlap with where they are expected. Holds [`Policy::most_tracks`] at most.
#[derive(Debug, Default)]
pub struct Tracker {
    tracks: Vec<Track>,
    last_id: u64,
}

impl Tracker {
    /// Takes the faces of one frame; says for each which track it belongs to. `None`: there was no room to follow it.
    pub fn frame(&mut self, now: u64, faces: &[Face], policy: &Policy) -> Vec<Option<u64>> {
        self.tracks.retain(|track| !track.gone(now, policy));
        let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
        for (at, track) in self.tracks.iter().enumerate() {
            let expected = track.expected(now);
            for (index, face) in faces.iter().enumerate() {
                // Somebody who stops at once is where they were last seen.
                let overlap = expected.overlap(&face.rect).max(track.rect.overlap(&face.rect));
                if overlap >= policy.same_overlap {
                    pairs.push((overlap, at, index));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut of_face: Vec<Option<u64>> = vec![None; faces.len()];
        let mut taken = vec![false; self.tracks.len()];
        for (_, at, index) in pairs {
            if !taken[at] && of_face[index].is_none() {
                taken[at] = true;
                of_face[index] = Some(self.tracks[at].id);
                self.tracks[at].follow(now, faces[index].rect);
            }
        }
        for (track, _) in self.tracks.iter_mut().zip(&taken).filter(|(_, taken)| !**taken) {
            track.missed = track.missed.saturating_add(1);
        }
        let mut new: Vec<usize> = (0..faces.len()).filter(|&index| of_face[index].is_none()).collect();
        new.sort_by(|&a, &b| faces[b].rect.area().total_cmp(&faces[a].rect.area()));
        for index in new.into_iter().take(policy.most_tracks.saturating_sub(self.tracks.len())) {
            of_face[index] = Some(self.start(now, faces[index].rect));
        }
        of_face
    }

    /// The tracks that are followed now.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Gives a track a new number: somebody else stands in its place. `None` when it is gone.
    pub fn renew(&mut self, id: u64) -> Option<u64> {
        let track = self.tracks.iter_mut().find(|track| track.id == id)?;
        self.last_id += 1;
        track.id = self.last_id;
        Some(track.id)
    }

    fn start(&mut self, now: u64, rect: Rect) -> u64 {
        self.last_id += 1;
        self.tracks.push(Track { id: self.last_id, rect, velocity: (0.0, 0.0), seen: now, missed: 0 });
        self.last_id
    }
}

impl Track {
    /// Somebody is gone when they were looked for and not there. A machine so busy that it did not look has seen nobody
    /// leave: at a second a frame everybody would be somebody new in each, and nobody ever known.
    fn gone(&self, now: u64, policy: &Policy) -> bool {
        let after = if self.missed > 0 { policy.gone_after_ms } else { policy.unwatched_ms };
        now.saturating_sub(self.seen) >= after.max(policy.gone_after_ms) * 1_000
    }

    fn expected(&self, now: u64) -> Rect {
        let seconds = now.saturating_sub(self.seen) as f32 / 1e6;
        Rect {
            x: self.rect.x + self.velocity.0 * seconds,
            y: self.rect.y + self.velocity.1 * seconds,
            ..self.rect
        }
    }

    fn follow(&mut self, now: u64, rect: Rect) {
        let seconds = now.saturating_sub(self.seen) as f32 / 1e6;
        if seconds > 0.0 {
            let (from, to) = (self.rect.centre(), rect.centre());
            let measured = ((to.x - from.x) / seconds, (to.y - from.y) / seconds);
            // Half of the new measure: the detector's box trembles by a pixel or two.
            self.velocity = ((self.velocity.0 + measured.0) / 2.0, (self.velocity.1 + measured.1) / 2.0);
        }
        self.rect = rect;
        self.seen = now;
        self.missed = 0;
    }
}
