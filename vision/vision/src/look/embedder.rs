//! SFace: an aligned face becomes 128 numbers.

use gallery::Template;
use opencv::core::{BORDER_CONSTANT, CV_32F, Mat, MatTraitConstManual as _, Scalar, Size};
use opencv::dnn::{Net, NetTrait as _, blob_from_image};
use opencv::imgproc::{INTER_LINEAR, warp_affine};
use sighting::Face;

use super::Picture;
use super::align::{SIDE, similarity};

/// Turns a face into numbers.
pub struct Embedder {
    net: Net,
}

impl Embedder {
    pub(super) fn new(net: Net) -> Self {
        Self { net }
    }

    /// The template of one face of the picture; `None` if the network gave no direction (a broken picture).
    ///
    /// # Errors
    /// What OpenCV says.
    pub fn template(&mut self, picture: &Picture, face: &Face) -> opencv::Result<Option<Template>> {
        self.embed(&aligned(picture, face)?)
    }

    /// The template of an [`aligned`] face: the part of [`Embedder::template`] that the network does.
    ///
    /// # Errors
    /// What OpenCV says.
    pub fn embed(&mut self, aligned: &Picture) -> opencv::Result<Option<Template>> {
        let size = Size::new(SIDE, SIDE);
        let blob = blob_from_image(aligned, 1.0, size, Scalar::default(), true, false, CV_32F)?;
        self.net.set_input(&blob, "", 1.0, Scalar::default())?;
        let output = self.net.forward_single_def()?;
        Ok(Template::new(output.data_typed::<f32>()?).ok())
    }
}

/// The face turned, scaled and cut as the network was trained on it.
///
/// # Errors
/// What OpenCV says.
pub fn aligned(picture: &Picture, face: &Face) -> opencv::Result<Picture> {
    let matrix = similarity(&face.landmarks);
    let matrix = Mat::new_rows_cols_with_data(2, 3, &matrix)?;
    let mut aligned = Mat::default();
    let size = Size::new(SIDE, SIDE);
    warp_affine(picture, &mut aligned, &matrix, size, INTER_LINEAR, BORDER_CONSTANT, Scalar::default())?;
    Ok(aligned)
}
