//! The model files: which they are, where they are, and that they are the right ones.

use std::path::{Path, PathBuf};

use ring::digest;
use thiserror::Error;

/// A network this process runs, pinned by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// What it does, as named in messages.
    pub purpose: &'static str,
    /// Its file in the models folder.
    pub file: &'static str,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: &'static str,
}

/// YuNet 2023mar (MIT): faces and five landmarks.
pub const DETECTION: Model = Model {
    purpose: "face detection",
    file: "face_detection_yunet_2023mar.onnx",
    sha256: "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
};

/// SFace (Apache-2.0): 128 numbers of an aligned face.
pub const EMBEDDING: Model = Model {
    purpose: "face embedding",
    file: "sface.onnx",
    sha256: "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
};

/// Three classes (MIT): a living face, and two kinds of picture.
pub const LIVENESS: Model = Model {
    purpose: "liveness",
    file: "fr_liveness.onnx",
    sha256: "afa783b7e902fdfcf323a7240cac2a1c580c25314ea4161129dc1b0d100dc32d",
};

/// Why a model cannot be used.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The file is not there or cannot be read.
    #[error("the {purpose} model {path} cannot be read")]
    Unreadable {
        /// What it is for.
        purpose: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its content is not the one this program was made for.
    #[error("the {purpose} model {path} has SHA-256 {found}, expected {expected}: it is not used")]
    WrongHash {
        /// What it is for.
        purpose: &'static str,
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
}

impl Model {
    /// Reads the file and checks its content. What was checked is what is returned: the file is not opened again.
    ///
    /// # Errors
    /// [`ModelError`], naming the file.
    pub fn load(&self, folder: &Path) -> Result<Vec<u8>, ModelError> {
        let path = folder.join(self.file);
        let bytes = std::fs::read(&path).map_err(|source| ModelError::Unreadable {
            purpose: self.purpose,
            path: path.clone(),
            source,
        })?;
        let found: String = digest::digest(&digest::SHA256, &bytes)
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if found != self.sha256 {
            return Err(ModelError::WrongHash { purpose: self.purpose, path, found, expected: self.sha256 });
        }
        Ok(bytes)
    }
}
