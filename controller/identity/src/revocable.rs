//! Whom this device trusts: certificates of the site's authority that are not revoked.
//!
//! A session that was resumed shows no certificate: whoever listens with these verifiers issues no tickets.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};

use crate::list::{List, ListFault};
use crate::shown::ShownFault;

/// The site's authority, and whom it has revoked. Verifiers made of it know of every list that came since.
pub struct Trusted {
    authority: CertificateDer<'static>,
    inner: Arc<WebPkiServerVerifier>,
    clients: Arc<dyn ClientCertVerifier>,
    list: RwLock<Option<Arc<List>>>,
}

impl Trusted {
    /// The authority in a PEM file, which has revoked nobody that is known of.
    ///
    /// # Errors
    /// Names the file that is not what it should be.
    pub fn read(authority: &Path) -> Result<Arc<Self>, ShownFault> {
        let fault = |why: String| ShownFault::File { path: authority.to_owned(), why };
        let all: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(authority)
            .and_then(Iterator::collect)
            .map_err(|error| fault(error.to_string()))?;
        let first = all.first().cloned().ok_or_else(|| fault("holds no certificate".to_owned()))?;
        Self::of(first, all).map_err(|error| fault(error.to_string()))
    }

    pub(crate) fn of(
        authority: CertificateDer<'static>,
        all: Vec<CertificateDer<'static>>,
    ) -> Result<Arc<Self>, Error> {
        let mut roots = RootCertStore::empty();
        for root in all {
            roots.add(root)?;
        }
        let roots = Arc::new(roots);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let broken = |error: rustls::client::VerifierBuilderError| Error::General(error.to_string());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
        Ok(Arc::new(Self {
            authority,
            inner: WebPkiServerVerifier::builder_with_provider(roots, provider).build().map_err(broken)?,
            clients: clients.build().map_err(broken)?,
            list: RwLock::default(),
        }))
    }

    /// Takes a list, if the authority signed it and it is newer than the one known; whether it was.
    ///
    /// # Errors
    /// When it is none, or somebody else's: the one known stays.
    pub fn take(&self, pem: &[u8]) -> Result<bool, ListFault> {
        let list = List::read(pem, &self.authority)?;
        let mut held = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let newer = held.as_ref().is_none_or(|held| list.number > held.number);
        if newer {
            *held = Some(Arc::new(list));
        }
        Ok(newer)
    }

    /// The number of the list that is known.
    pub fn number(&self) -> Option<u64> {
        self.list.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|list| list.number)
    }

    /// Whether a certificate is revoked, as far as is known here.
    pub fn has_revoked(&self, certificate: &[u8]) -> bool {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner).clone();
        list.is_some_and(|list| list.has(certificate))
    }

    /// Whether a certificate is the authority's, for this name, and has not ended or been revoked by now.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, certificate: &CertificateDer<'_>, name: &str) -> Result<(), Error> {
        let name =
            ServerName::try_from(name.to_owned()).map_err(|error| Error::General(error.to_string()))?;
        let now =
            UnixTime::since_unix_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        self.inner.verify_server_cert(certificate, &[], &name, &[], now)?;
        self.not_revoked(certificate)
    }

    /// For a listener that takes devices of the site alone.
    pub fn of_clients(self: &Arc<Self>) -> Arc<dyn ClientCertVerifier> {
        Arc::new(OfClients(Arc::clone(self)))
    }

    /// For connections to servers of the site.
    pub fn of_servers(self: &Arc<Self>) -> Arc<dyn ServerCertVerifier> {
        Arc::new(OfServers(Arc::clone(self)))
    }

    fn not_revoked(&self, certificate: &[u8]) -> Result<(), Error> {
        if self.has_revoked(certificate) { Err(CertificateError::Revoked.into()) } else { Ok(()) }
    }
}

impl fmt::Debug for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trusted").field("list", &self.list).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct OfClients(Arc<Trusted>);

#[derive(Debug)]
struct OfServers(Arc<Trusted>);

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

impl ClientCertVerifier for OfClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.clients.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.clients.verify_client_cert(end_entity, intermediates, now)?;
        self.0.not_revoked(end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.clients.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.clients.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for OfServers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.0.inner.verify_server_cert(end_entity, intermediates, name, ocsp, now)?;
        self.0.not_revoked(end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
