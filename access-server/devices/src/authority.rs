//! The site's authority, as the server has it: its certificate always, its key where it lies on this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit::pki::{Authority, REVOKED};
use kit::problem::chain;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use uplink::enrol::Fingerprint;

/// What issuing certificates takes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Trust(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    authority: Option<Authority>,
    pem: String,
    der: CertificateDer<'static>,
    folder: PathBuf,
    broker: (String, u16),
}

/// Why the authority cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Its certificate.
    #[error("{path} is not a certificate in PEM form")]
    Certificate {
        /// The file.
        path: PathBuf,
    },
}

impl Trust {
    /// The authority whose certificate is this file. Its key is `ca.key` beside; where that is not there, or cannot be
    /// used, nothing is issued and nothing revoked, and all else goes on. Devices find the broker at `broker`.
    ///
    /// # Errors
    /// When the file is no certificate.
    pub fn open(certificate: &Path, broker: (String, u16)) -> Result<Self, TrustError> {
        let fault = || TrustError::Certificate { path: certificate.to_owned() };
        let pem = std::fs::read_to_string(certificate).map_err(|_| fault())?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| fault())?;
        let folder = certificate.parent().unwrap_or(Path::new(".")).to_owned();
        let key = folder.join("ca.key");
        let authority = key.exists().then(|| Authority::of_key(key)).transpose().unwrap_or_else(|error| {
            // Doors go on opening: only what is issued and revoked waits until that is mended.
            tracing::error!(error = %chain(&error), "the authority's key cannot be used: no certificate is issued or revoked");
            None
        });
        Ok(Self(Arc::new(Inner { authority, pem, der, folder, broker })))
    }

    /// What issues; none where the key is elsewhere.
    #[must_use]
    pub fn authority(&self) -> Option<&Authority> {
        self.0.authority.as_ref()
    }

    /// The authority's certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.0.pem
    }

    /// The same, DER.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.0.der
    }

    /// What codes name it by.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0.der)
    }

    /// Where certificates of the site lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// The list of revoked certificates, as the broker reads it.
    #[must_use]
    pub fn list(&self) -> PathBuf {
        self.0.folder.join(REVOKED)
    }

    /// Where devices find the broker.
    #[must_use]
    pub fn broker(&self) -> (&str, u16) {
        (&self.0.broker.0, self.0.broker.1)
    }
}
