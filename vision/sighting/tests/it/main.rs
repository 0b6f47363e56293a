//! The laws of looking and speaking.

mod lanes;
mod quality;
mod tracking;
mod watching;

use sighting::{Face, Frame, Measures, Point, Rect};

const FRAME: Frame = Frame { width: 640, height: 480 };
const MILLISECOND: u64 = 1_000;

/// A face that looks ahead, its left upper corner and width given.
fn face(x: f32, y: f32, width: f32) -> Face {
    let at = |along: f32, down: f32| Point { x: x + along * width, y: y + down * width };
    Face {
        rect: Rect { x, y, width, height: width * 1.35 },
        landmarks: [at(0.3, 0.5), at(0.7, 0.5), at(0.5, 0.74), at(0.34, 0.96), at(0.66, 0.96)],
        score: 0.93,
    }
}

fn clear() -> Measures {
    Measures { sharpness: 300.0, brightness: 120.0, contrast: 50.0 }
}
