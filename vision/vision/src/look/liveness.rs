//! The liveness network: rejects paper prints, is not reliable on screens, and takes tight crops for pictures. One signal
//! among several, never proof.

use opencv::core::{CV_32F, Mat, MatTraitConst as _, MatTraitConstManual as _, Rect, Scalar, Size};
use opencv::dnn::{Net, NetTrait as _, blob_from_image};
use opencv::imgproc::{INTER_LINEAR, resize};
use sighting::Face;

use super::Picture;
use super::outline::outlined;

/// How much of the surroundings the network wants to see, as a multiple of the face's box.
const SURROUNDINGS: f32 = 2.7;
const SIDE: i32 = 128;
/// What is left of the probability when the face is on a sheet.
pub const OUTLINED: f32 = 0.2;

/// Tells living faces from pictures of faces.
pub struct LivenessCheck {
    net: Net,
}

impl LivenessCheck {
    pub(super) fn new(net: Net) -> Self {
        Self { net }
    }

    /// The probability, 0 to 1, that the face is a living one: the network's, but never above [`OUTLINED`] when the
    /// edges of a sheet or a screen are seen around the face.
    ///
    /// # Errors
    /// What OpenCV says.
    pub fn probability(&mut self, picture: &Picture, face: &Face) -> opencv::Result<f32> {
        let around = surroundings(face, picture.cols(), picture.rows());
        let mut crop = Mat::default();
        let size = Size::new(SIDE, SIDE);
        resize(&picture.roi(around)?, &mut crop, size, 0.0, 0.0, INTER_LINEAR)?;
        let blob = blob_from_image(&crop, 1.0, size, Scalar::default(), false, false, CV_32F)?;
        self.net.set_input(&blob, "", 1.0, Scalar::default())?;
        let output = self.net.forward_single_def()?;
        let scores = output.data_typed::<f32>()?;
        let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let all: f32 = scores.iter().map(|score| (score - highest).exp()).sum();
        let probability = scores.first().map_or(0.0, |live| (live - highest).exp() / all);
        if probability > OUTLINED && outlined(picture, face)? { Ok(OUTLINED) } else { Ok(probability) }
    }
}

/// The face's box made larger about its middle, shrunk as far as the picture is small and moved inside it: the proportions
/// the network was trained on stay.
fn surroundings(face: &Face, columns: i32, rows: i32) -> Rect {
    let (columns, rows) = (columns.max(1) as f32, rows.max(1) as f32);
    let (width, height) = (face.rect.width.max(1.0), face.rect.height.max(1.0));
    let scale = SURROUNDINGS.min(columns / width).min(rows / height);
    let (width, height) = (width * scale, height * scale);
    let middle = face.rect.centre();
    let x = (middle.x - width / 2.0).clamp(0.0, (columns - width).max(0.0));
    let y = (middle.y - height / 2.0).clamp(0.0, (rows - height).max(0.0));
    let (x, y) = (x as i32, y as i32);
    Rect::new(x, y, (width as i32).clamp(1, columns as i32 - x), (height as i32).clamp(1, rows as i32 - y))
}
