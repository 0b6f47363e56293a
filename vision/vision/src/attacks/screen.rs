//! Screens that show somebody: simulated, because no screen and no second camera are here.
//!
//! What a camera sees of a screen, as far as it can be computed: its transfer curve (contrast raised), its light in the
//! blacks, its colder white, the interference of its grid of coloured dots with the camera's (a sine for each colour, out
//! of step with the others), and the bezel. What is not computed: reflections, the refresh rate, the view from the side.

use opencv::core::{BORDER_CONSTANT, Mat, MatTraitConst as _, MatTraitManual as _, Scalar, copy_make_border};
use sighting::Face;

use super::{HEIGHT, WIDTH, head, held_up};
use crate::look::Picture;

struct Screen {
    /// How much of the photograph is on it, as a multiple of the face's box.
    around: f32,
    /// Height of the picture on it, in pixels.
    tall: i32,
    /// Black around the picture, in pixels.
    bezel: i32,
    /// How it is tilted, in degrees.
    tilt: f64,
    /// Exponent of the brightness.
    gamma: f32,
    /// Strength of the interference, a part of the brightness, and its period in pixels.
    moire: (f32, f32),
}

const DEVICES: [Screen; 4] = [
    Screen { around: 2.2, tall: 300, bezel: 10, tilt: 0.0, gamma: 1.2, moire: (0.06, 3.1) },
    Screen { around: 2.2, tall: 320, bezel: 6, tilt: 6.0, gamma: 1.1, moire: (0.03, 4.7) },
    Screen { around: 3.2, tall: 380, bezel: 22, tilt: 0.0, gamma: 1.3, moire: (0.10, 6.3) },
    Screen { around: 20.0, tall: 400, bezel: 26, tilt: -3.0, gamma: 1.2, moire: (0.05, 2.6) },
];
const MONITORS: [Screen; 2] = [
    Screen { around: 20.0, tall: HEIGHT, bezel: 0, tilt: 0.0, gamma: 1.2, moire: (0.05, 3.7) },
    Screen { around: 20.0, tall: HEIGHT, bezel: 0, tilt: 0.0, gamma: 1.4, moire: (0.10, 2.3) },
];
/// Direction of the interference, radians.
const ANGLE: f32 = 0.35;
/// The light of black, of 255.
const BLACK: f32 = 14.0;
/// A white of about 7,500 K: blue, green, red.
const WHITE: [f32; 3] = [1.06, 1.0, 0.93];

pub(super) fn devices(photograph: &Picture, face: &Face) -> opencv::Result<Vec<Picture>> {
    all(photograph, face, &DEVICES)
}

/// The photograph at the view's height; where it is narrower the lobby is seen beside it, as if the picture had it.
pub(super) fn monitors(photograph: &Picture, face: &Face) -> opencv::Result<Vec<Picture>> {
    all(photograph, face, &MONITORS)
}

fn all(photograph: &Picture, face: &Face, screens: &[Screen]) -> opencv::Result<Vec<Picture>> {
    let mut drawn = Vec::new();
    for screen in screens {
        let Screen { around, tall, bezel, tilt, .. } = *screen;
        let Some(mut shown) = head(photograph, face, around, tall, WIDTH - 2 * bezel)? else { continue };
        lit(&mut shown, screen)?;
        let (black, mut device) = (Scalar::new(24.0, 22.0, 22.0, 0.0), Mat::default());
        copy_make_border(&shown, &mut device, bezel, bezel, bezel, bezel, BORDER_CONSTANT, black)?;
        drawn.push(held_up(&device, tilt)?);
    }
    Ok(drawn)
}

fn lit(shown: &mut Mat, screen: &Screen) -> opencv::Result<()> {
    let columns = shown.cols().unsigned_abs() as usize;
    let (strength, period) = screen.moire;
    let (sin, cos) = ANGLE.sin_cos();
    for (at, pixel) in shown.data_bytes_mut()?.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let (x, y) = ((at % columns) as f32, (at / columns) as f32);
        let phase = (x * cos + y * sin) / period;
        for (colour, value) in pixel.iter_mut().enumerate() {
            let light = (f32::from(*value) / 255.0).powf(screen.gamma) * (255.0 - BLACK) + BLACK;
            let turn = (phase + colour as f32 / 3.0) * std::f32::consts::TAU;
            // Saturates: brighter than white is white.
            *value = (light * WHITE[colour] * (1.0 + strength * turn.sin())).round() as u8;
        }
    }
    Ok(())
}
