//! The certificate that a process shows, which may be exchanged while it runs: whoever connects next is shown the new one.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;

use crate::certificate::Certificate;
use crate::files::Pair;

/// Why a certificate cannot be shown.
#[derive(Debug, Error)]
pub enum ShownFault {
    /// A file is not what it should be.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Key and certificate do not belong together.
    #[error("the certificate and its key do not belong together")]
    Unusable(#[from] rustls::Error),
}

/// A certificate and its key, as they are shown now.
#[derive(Debug)]
pub struct Shown {
    files: Pair,
    now: RwLock<Arc<CertifiedKey>>,
}

impl Shown {
    /// Reads them.
    ///
    /// # Errors
    /// Names the file that is not what it should be.
    pub fn read(files: Pair) -> Result<Arc<Self>, ShownFault> {
        let now = RwLock::new(Arc::new(files.read()?));
        Ok(Arc::new(Self { files, now }))
    }

    /// Exchanges them, on the disk and for whoever connects next.
    ///
    /// # Errors
    /// When that fails: then what was shown is shown still.
    pub fn replace(&self, certificate: &str, key: &str) -> Result<(), ShownFault> {
        let read = Arc::new(self.files.replace(certificate, key)?);
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    /// Reads the files again, which another program may have exchanged; whether they hold another certificate now.
    ///
    /// # Errors
    /// When they are no pair: then what was shown is shown still.
    pub fn read_again(&self) -> Result<bool, ShownFault> {
        let read = Arc::new(self.files.read()?);
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        let changed = now.cert != read.cert;
        *now = read;
        Ok(changed)
    }

    /// What the certificate says.
    pub fn says(&self) -> Option<Certificate> {
        Certificate::read(self.current().cert.first()?)
    }

    /// The certificate and its key.
    pub fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}
