//! Looking at a picture: where the faces are, how well they are seen, whether one lives, whose numbers they are.

mod align;
mod detector;
mod embedder;
mod liveness;
mod measures;
mod motion;
mod outline;

use std::path::Path;

use opencv::core::Mat;
use opencv::dnn::{DNN_BACKEND_OPENCV, DNN_TARGET_CPU, Net, NetTrait as _};

pub(crate) use align::{SIDE as ALIGNED, similarity};
pub use detector::Detector;
pub use embedder::{Embedder, aligned};
pub use liveness::{LivenessCheck, OUTLINED};
pub use measures::measure;
pub use motion::Motion;

use crate::models::{DETECTION, EMBEDDING, LIVENESS, Model, ModelError};

/// The three networks. One set a thread: a network holds its working memory.
pub struct Networks {
    /// Finds faces.
    pub detector: Detector,
    /// Tells living faces from pictures of faces.
    pub liveness: LivenessCheck,
    /// Turns a face into numbers.
    pub embedder: Embedder,
}

/// Why the networks cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Its content, although the hash was right.
    #[error("the {purpose} model cannot be loaded by this OpenCV")]
    Content {
        /// What it is for.
        purpose: &'static str,
        /// What OpenCV said.
        source: opencv::Error,
    },
}

impl Networks {
    /// Checks and loads all three.
    ///
    /// # Errors
    /// [`LoadError`], naming the model.
    pub fn load(folder: &Path, detect_size: u32) -> Result<Self, LoadError> {
        Ok(Self {
            detector: Detector::new(net(&DETECTION, folder)?, detect_size),
            liveness: LivenessCheck::new(net(&LIVENESS, folder)?),
            embedder: Embedder::new(net(&EMBEDDING, folder)?),
        })
    }
}

fn net(model: &Model, folder: &Path) -> Result<Net, LoadError> {
    let bytes = model.load(folder)?;
    let load = || -> opencv::Result<Net> {
        let mut net = opencv::dnn::read_net_from_onnx_buffer(&bytes.into())?;
        net.set_preferable_backend(DNN_BACKEND_OPENCV)?;
        net.set_preferable_target(DNN_TARGET_CPU)?;
        Ok(net)
    };
    load().map_err(|source| LoadError::Content { purpose: model.purpose, source })
}

/// A picture in OpenCV's own form: rows of blue, green, red bytes.
pub type Picture = Mat;
