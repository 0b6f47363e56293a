//! The site's keys: a directory of files that only the server's user may read, made once by `init`.
//!
//! Kept outside the database and never logged: a stolen database holds no template, no credential and cannot sign.

use std::fmt;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::Ed25519KeyPair;

use crate::journal::Signer;

const CREDENTIAL: &str = "credential.key";
const TEMPLATE: &str = "template.key";
const JOURNAL: &str = "journal.pk8";
/// The journal's public key: what an auditor needs beside the database.
const JOURNAL_PUBLIC: &str = "journal.pub";

/// The site's keys.
pub struct Keys {
    credential: [u8; 32],
    template: LessSafeKey,
    template_bytes: [u8; 32],
    journal: Signer,
}

/// Why the keys could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There are keys already: making new ones would make every template and credential unreadable.
    #[error("{0} holds keys already")]
    Exists(PathBuf),
    /// A file could not be written or read.
    #[error("the key file {path} could not be used")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read the file.
    #[error("the key file {0} may be read by others: its mode must be 0600")]
    Open(PathBuf),
    /// The file does not hold a key.
    #[error("the key file {0} does not hold a key")]
    Damaged(PathBuf),
}

/// The sealed bytes are not what was sealed under this key for this use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes cannot be opened")]
pub struct SealError;

impl Keys {
    /// Makes a new set in a directory (made with mode 0700).
    ///
    /// # Errors
    /// When the directory holds keys already or cannot be written.
    pub fn create(directory: &Path) -> Result<Self, KeyError> {
        let file = |source| KeyError::File { path: directory.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(file)?;
        if [CREDENTIAL, TEMPLATE, JOURNAL].iter().any(|name| directory.join(name).exists()) {
            return Err(KeyError::Exists(directory.to_owned()));
        }
        let random = SystemRandom::new();
        write_private(&directory.join(CREDENTIAL), &fresh(&random))?;
        write_private(&directory.join(TEMPLATE), &fresh(&random))?;
        let journal = Ed25519KeyPair::generate_pkcs8(&random).expect("the system's random source works");
        write_private(&directory.join(JOURNAL), journal.as_ref())?;
        let keys = Self::open(directory)?;
        write_private(&directory.join(JOURNAL_PUBLIC), keys.journal.public_key())?;
        Ok(keys)
    }

    /// Reads the set made by [`Self::create`].
    ///
    /// # Errors
    /// When a file is missing, damaged, or may be read by others.
    pub fn open(directory: &Path) -> Result<Self, KeyError> {
        let credential = read_key(&directory.join(CREDENTIAL))?;
        let template = read_key(&directory.join(TEMPLATE))?;
        let path = directory.join(JOURNAL);
        let journal =
            Ed25519KeyPair::from_pkcs8(&read_private(&path)?).map_err(|_| KeyError::Damaged(path))?;
        Ok(Self::from_parts(credential, template, journal))
    }

    /// Keys that live in memory only: for tests.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn ephemeral() -> Self {
        let random = SystemRandom::new();
        let journal = Ed25519KeyPair::generate_pkcs8(&random).expect("the system's random source works");
        let journal = Ed25519KeyPair::from_pkcs8(journal.as_ref()).expect("made a line above");
        Self::from_parts(fresh(&random), fresh(&random), journal)
    }

    fn from_parts(credential: [u8; 32], template_bytes: [u8; 32], journal: Ed25519KeyPair) -> Self {
        let template = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &template_bytes).expect("32 bytes"));
        Self { credential, template, template_bytes, journal: Signer::new(journal) }
    }

    /// The key of the credential digests (HMAC-SHA256), which controllers hold too.
    #[must_use]
    pub fn credential(&self) -> &[u8; 32] {
        &self.credential
    }

    /// The key under which requests are told apart that may hold a PIN or a card.
    pub(crate) fn requests(&self) -> hmac::Key {
        let own = hmac::Key::new(hmac::HMAC_SHA256, &self.template_bytes);
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&own, b"gatehouse requests").as_ref())
    }

    /// The raw template key (AES-256-GCM), for the vision process's sealed gallery.
    #[must_use]
    pub fn template(&self) -> &[u8; 32] {
        &self.template_bytes
    }

    /// Seals bytes for storage: nonce, ciphertext, tag. `bound_to` (as a person's id) must be the same on opening, so
    /// that a sealed row cannot be moved to another person.
    #[must_use]
    pub fn seal(&self, bound_to: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).expect("the system's random source works");
        let mut sealed = plain.to_vec();
        self.template
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound_to), &mut sealed)
            .expect("shorter than 64 GiB");
        [&nonce[..], &sealed].concat()
    }

    /// Opens what [`Self::seal`] made.
    ///
    /// # Errors
    /// When it was altered, cut, or bound to something else.
    pub fn unseal(&self, bound_to: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError)?;
        let mut bytes = sealed.to_vec();
        let plain = self
            .template
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(bound_to), &mut bytes)
            .map_err(|_| SealError)?
            .len();
        bytes.truncate(plain);
        Ok(bytes)
    }

    /// The public key that the journal's checkpoints are signed under (Ed25519, 32 bytes).
    #[must_use]
    pub fn journal_public(&self) -> &[u8] {
        self.journal.public_key()
    }

    pub(crate) fn signer(&self) -> &Signer {
        &self.journal
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// Reads the journal's public key without touching the secret ones.
///
/// # Errors
/// When the file cannot be read.
pub fn journal_public(directory: &Path) -> Result<Vec<u8>, KeyError> {
    let path = directory.join(JOURNAL_PUBLIC);
    fs::read(&path).map_err(|source| KeyError::File { path, source })
}

/// Writes a file that did not exist, readable by its owner alone.
///
/// # Errors
/// When it exists or cannot be written.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
}

/// Reads a file that its owner alone may read.
///
/// # Errors
/// When it cannot be read, or others can read it too.
pub(crate) fn read_private(path: &Path) -> Result<Vec<u8>, KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(KeyError::Open(path.to_owned()));
    }
    fs::read(path).map_err(failed)
}

fn read_key(path: &Path) -> Result<[u8; 32], KeyError> {
    read_private(path)?.try_into().map_err(|_| KeyError::Damaged(path.to_owned()))
}

fn fresh(random: &SystemRandom) -> [u8; 32] {
    let mut key = [0; 32];
    random.fill(&mut key).expect("the system's random source works");
    key
}
