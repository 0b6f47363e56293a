//! Prints.

use opencv::core::{BORDER_CONSTANT, Mat, Scalar, copy_make_border};
use sighting::Face;

use super::{WIDTH, head, held_up};
use crate::look::Picture;

/// How a print looks.
struct Print {
    /// How much of the photograph is on it, as a multiple of the face's box.
    around: f32,
    /// Height of the picture on it, in pixels.
    tall: i32,
    /// White around the picture, in pixels.
    border: i32,
    /// How it is tilted, in degrees.
    tilt: f64,
}

const PRINTS: [Print; 6] = [
    Print { around: 2.2, tall: 300, border: 30, tilt: 0.0 },
    Print { around: 2.2, tall: 280, border: 20, tilt: 8.0 },
    Print { around: 1.6, tall: 240, border: 12, tilt: 0.0 },
    Print { around: 3.2, tall: 340, border: 15, tilt: -5.0 },
    Print { around: 20.0, tall: 320, border: 14, tilt: 0.0 },
    Print { around: 20.0, tall: 400, border: 14, tilt: 4.0 },
];

pub(super) fn all(photograph: &Picture, face: &Face) -> opencv::Result<Vec<Picture>> {
    let mut drawn = Vec::new();
    for &Print { around, tall, border, tilt } in &PRINTS {
        let Some(head) = head(photograph, face, around, tall, WIDTH - 2 * border - 2)? else { continue };
        let (white, mut paper) = (Scalar::new(244.0, 242.0, 240.0, 0.0), Mat::default());
        copy_make_border(&head, &mut paper, border, border, border, border, BORDER_CONSTANT, white)?;
        drawn.push(held_up(&paper, tilt)?);
    }
    Ok(drawn)
}
