//! A firmware image that the maker signed. The server takes no other, and no controller puts another on a bus; boards look for
//! themselves.

use std::sync::Arc;

use endpoints::vendor::BadBody;
use endpoints::vendor::firmware::{HEAD_LEN, Header, head};
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, UnparsedPublicKey};

/// An image that the maker signed, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its head.
    pub header: Header,
    /// Its file, as boards are sent it.
    pub file: Arc<[u8]>,
}

/// Why a file is no image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadImage {
    /// It is too short to have a head.
    #[error("it ends within its head")]
    Short,
    /// Its head.
    #[error("its head: {0}")]
    Head(BadBody),
    /// Another length than its head says.
    #[error("it has another length than its head says")]
    Length,
    /// None of the keys signed it.
    #[error("none of the maker's keys that are trusted has signed it")]
    Signature,
    /// Another image than its head says.
    #[error("its bytes are not those that its head was signed for")]
    Digest,
}

impl Image {
    /// Takes a file whose head one of these keys signed and whose bytes are those the head names.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(file: Arc<[u8]>, keys: &[[u8; 32]]) -> Result<Image, BadImage> {
        let first: &[u8; HEAD_LEN] = file.first_chunk().ok_or(BadImage::Short)?;
        let (header, signed, signature) = head(first).map_err(BadImage::Head)?;
        let ours = |key: &[u8; 32]| UnparsedPublicKey::new(&ED25519, key).verify(&signed, &signature).is_ok();
        if !keys.iter().any(ours) {
            return Err(BadImage::Signature);
        }
        if usize::try_from(header.file_len()) != Ok(file.len()) {
            return Err(BadImage::Length);
        }
        if digest(&SHA256, &file[HEAD_LEN..]).as_ref() != header.sha256 {
            return Err(BadImage::Digest);
        }
        Ok(Image { header, file })
    }

    /// SHA-256 of the file, 64 hexadecimal digits.
    pub fn sha256(&self) -> String {
        digest(&SHA256, &self.file).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
