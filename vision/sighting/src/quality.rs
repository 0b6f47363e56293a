//! Whether a look at a face is good enough to compare.

use serde::{Deserialize, Serialize};

use crate::face::{Face, Frame};

/// What a look must reach. Lengths are in pixels of the picture as captured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Least certainty of the detector, 0 to 1.
    pub least_certainty: f32,
    /// Least width of a face, in pixels.
    pub least_width: f32,
    /// Least sharpness, see [`Measures::sharpness`].
    pub least_sharpness: f32,
    /// Least mean brightness, 0 to 255.
    pub least_brightness: f32,
    /// Largest mean brightness, 0 to 255.
    pub most_brightness: f32,
    /// Least contrast, see [`Measures::contrast`].
    pub least_contrast: f32,
    /// How far the nose may lie from the middle between the eyes, as a part of the distance between the eyes: 0 is
    /// straight ahead, about 0.5 a quarter profile.
    pub most_turn: f32,
    /// How far the head may be raised or lowered: distance of the nose from its usual height between eyes and mouth, as
    /// a part of that height.
    pub most_nod: f32,
    /// How far the head may be tilted to a shoulder, in degrees.
    pub most_tilt: f32,
    /// Least part of the box inside the picture, 0 to 1.
    pub least_inside: f32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            least_certainty: 0.7,
            least_width: 48.0,
            least_sharpness: 12.0,
            least_brightness: 40.0,
            most_brightness: 225.0,
            least_contrast: 12.0,
            most_turn: 0.45,
            most_nod: 0.45,
            most_tilt: 30.0,
            least_inside: 0.9,
        }
    }
}

/// What was measured in the pixels of a face, scaled to a fixed size first so that the numbers compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measures {
    /// Variance of the Laplacian of the grey face at 112 x 112 pixels; a sharp face has some hundreds.
    pub sharpness: f32,
    /// Mean of the grey face, 0 to 255.
    pub brightness: f32,
    /// Standard deviation of the grey face.
    pub contrast: f32,
}

/// A look that is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// All of it in one number, 0 to 1; only for choosing the better of two looks.
    pub score: f32,
    /// Width of the face in pixels.
    pub width: f32,
    /// Sharpness, see [`Measures::sharpness`].
    pub sharpness: f32,
    /// Mean brightness, 0 to 255.
    pub brightness: f32,
    /// Sideways turn, see [`Limits::most_turn`]; negative to the picture's left.
    pub turn: f32,
    /// Nod, see [`Limits::most_nod`]; negative upwards.
    pub nod: f32,
    /// Tilt in degrees, clockwise positive.
    pub tilt: f32,
}

/// Why a look or a photograph will not do. What was measured and what it must reach stand beside the reason; the words
/// are somebody else's. Grows only at the end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Refusal {
    /// No face was found.
    NoFace,
    /// More than one face, and it is not clear whose the photograph is.
    SeveralFaces {
        /// How many.
        count: u32,
    },
    /// The detector is not sure that it is a face.
    Unsure {
        /// Its certainty.
        measured: f32,
        /// The least.
        least: f32,
    },
    /// Too few pixels.
    TooSmall {
        /// Width in pixels.
        measured: f32,
        /// The least.
        least: f32,
    },
    /// The edge of the picture cuts it.
    CutOff {
        /// The part inside.
        measured: f32,
        /// The least.
        least: f32,
    },
    /// Out of focus or moved.
    Blurred {
        /// Sharpness.
        measured: f32,
        /// The least.
        least: f32,
    },
    /// Too little light.
    TooDark {
        /// Mean brightness.
        measured: f32,
        /// The least.
        least: f32,
    },
    /// Too much light.
    TooBright {
        /// Mean brightness.
        measured: f32,
        /// The most.
        most: f32,
    },
    /// Grey in grey: fog, glare, a hand before the lens.
    TooFlat {
        /// Contrast.
        measured: f32,
        /// The least.
        least: f32,
    },
    /// Turned to a side.
    TurnedAway {
        /// Turn without its sign.
        measured: f32,
        /// The most.
        most: f32,
    },
    /// Raised or lowered.
    Nodding {
        /// Nod without its sign.
        measured: f32,
        /// The most.
        most: f32,
    },
    /// Tilted to a shoulder.
    Tilted {
        /// Degrees without their sign.
        measured: f32,
        /// The most.
        most: f32,
    },
}

/// Judges one look. The first reason found is the one given, the plainest to mend first: size before light before pose.
///
/// # Errors
/// The reason why the look will not do.
pub fn assess(face: &Face, measures: &Measures, frame: Frame, limits: &Limits) -> Result<Quality, Refusal> {
    let pose = Pose::of(face);
    let inside = face.rect.inside(frame);
    let width = face.rect.width;
    at_least(face.score, limits.least_certainty, |measured, least| Refusal::Unsure { measured, least })?;
    at_least(width, limits.least_width, |measured, least| Refusal::TooSmall { measured, least })?;
    at_least(inside, limits.least_inside, |measured, least| Refusal::CutOff { measured, least })?;
    at_least(measures.brightness, limits.least_brightness, |measured, least| Refusal::TooDark {
        measured,
        least,
    })?;
    at_most(measures.brightness, limits.most_brightness, |measured, most| Refusal::TooBright {
        measured,
        most,
    })?;
    at_least(measures.contrast, limits.least_contrast, |measured, least| Refusal::TooFlat {
        measured,
        least,
    })?;
    at_most(pose.turn.abs(), limits.most_turn, |measured, most| Refusal::TurnedAway { measured, most })?;
    at_most(pose.nod.abs(), limits.most_nod, |measured, most| Refusal::Nodding { measured, most })?;
    at_most(pose.tilt.abs(), limits.most_tilt, |measured, most| Refusal::Tilted { measured, most })?;
    at_least(measures.sharpness, limits.least_sharpness, |measured, least| Refusal::Blurred {
        measured,
        least,
    })?;
    let score = [
        // 112 pixels is what the embedding looks at: more adds nothing.
        (width / 112.0).min(1.0),
        (measures.sharpness / (8.0 * limits.least_sharpness.max(1.0))).clamp(0.05, 1.0).sqrt(),
        1.0 - 0.6 * (pose.turn.abs() / limits.most_turn).min(1.0),
        1.0 - 0.6 * (pose.nod.abs() / limits.most_nod).min(1.0),
        1.0 - 0.3 * (pose.tilt.abs() / limits.most_tilt).min(1.0),
        face.score.clamp(0.0, 1.0),
    ]
    .into_iter()
    .product();
    Ok(Quality {
        score,
        width,
        sharpness: measures.sharpness,
        brightness: measures.brightness,
        turn: pose.turn,
        nod: pose.nod,
        tilt: pose.tilt,
    })
}

/// The one face that a photograph is of. Faces under `ignored` of the largest one's width are bystanders.
///
/// # Errors
/// [`Refusal::NoFace`] or [`Refusal::SeveralFaces`].
pub fn the_one_face(faces: &[Face], ignored: f32) -> Result<&Face, Refusal> {
    let largest = faces.iter().max_by(|a, b| a.rect.width.total_cmp(&b.rect.width)).ok_or(Refusal::NoFace)?;
    let count = faces.iter().filter(|face| face.rect.width >= ignored * largest.rect.width).count();
    match count {
        1 => Ok(largest),
        _ => Err(Refusal::SeveralFaces { count: u32::try_from(count).unwrap_or(u32::MAX) }),
    }
}

// Written so that a measure that is not a number is refused.
fn at_least(measured: f32, least: f32, refuse: impl FnOnce(f32, f32) -> Refusal) -> Result<(), Refusal> {
    if measured >= least { Ok(()) } else { Err(refuse(measured, least)) }
}

fn at_most(measured: f32, most: f32, refuse: impl FnOnce(f32, f32) -> Refusal) -> Result<(), Refusal> {
    if measured <= most { Ok(()) } else { Err(refuse(measured, most)) }
}

struct Pose {
    turn: f32,
    nod: f32,
    tilt: f32,
}

impl Pose {
    /// Where the nose lies, in a frame of reference in which the eyes are level.
    fn of(face: &Face) -> Self {
        let [left, right, nose, mouth_left, mouth_right] = face.landmarks;
        let (dx, dy) = (right.x - left.x, right.y - left.y);
        let between = dx.hypot(dy).max(1e-3);
        let (cos, sin) = (dx / between, dy / between);
        // Coordinates along and across the line of the eyes, from their middle.
        let level = |x: f32, y: f32| {
            let (x, y) = (x - (left.x + right.x) / 2.0, y - (left.y + right.y) / 2.0);
            (x * cos + y * sin, y * cos - x * sin)
        };
        let (nose_along, nose_down) = level(nose.x, nose.y);
        let (_, mouth_down) =
            level((mouth_left.x + mouth_right.x) / 2.0, (mouth_left.y + mouth_right.y) / 2.0);
        Self {
            turn: nose_along / between,
            // The nose of the template that the embedding aligns to lies 0.49 of the way from the eyes to the mouth; people
            // looking ahead were seen from 0.5 to 0.65.
            nod: nose_down / mouth_down.max(1e-3) / 0.57 - 1.0,
            tilt: dy.atan2(dx).to_degrees(),
        }
    }
}
