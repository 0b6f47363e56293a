//! Mutual TLS, with the site's authority and nobody else's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};
use thiserror::Error as ThisError;

use crate::config::Tls;

/// Why the certificates cannot be used.
#[derive(Debug, ThisError)]
pub enum TlsError {
    /// A file is missing or not PEM.
    #[error("{path} cannot be used as PEM")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The files do not fit together.
    #[error("the certificate, its key and the authority do not fit together")]
    Set(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a connection is for: the broker also speaks TLS 1.2, our own links speak 1.3 alone.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// For connecting to a controller or to the broker.
///
/// # Errors
/// [`TlsError`], naming the file.
pub fn client(files: &Tls) -> Result<Arc<ClientConfig>, TlsError> {
    let (chain, key) = identity(files)?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(set)?
        .with_root_certificates(roots(&files.authority)?)
        .with_client_auth_cert(chain, key)
        .map_err(set)?;
    Ok(Arc::new(config))
}

/// For a listener that only `caller` may connect to: the name must stand in the certificate that the site's authority
/// issued.
///
/// # Errors
/// [`TlsError`], naming the file.
pub fn server_for(files: &Tls, caller: &'static str) -> Result<Arc<ServerConfig>, TlsError> {
    let (chain, key) = identity(files)?;
    let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(&files.authority)?), provider())
        .build()
        .map_err(set)?;
    let caller = ServerName::try_from(caller).map_err(set)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(set)?
        .with_client_cert_verifier(Arc::new(OnlyOne { inner, caller }))
        .with_single_cert(chain, key)
        .map_err(set)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn identity(files: &Tls) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(bad(&files.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(bad(&files.key))?;
    Ok((chain, key))
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(bad(path))?;
    for certificate in certificates {
        roots.add(certificate).map_err(set)?;
    }
    Ok(roots)
}

fn bad(path: &Path) -> impl FnOnce(rustls::pki_types::pem::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::File { path, source }
}

fn set(error: impl std::error::Error + Send + Sync + 'static) -> TlsError {
    TlsError::Set(Box::new(error))
}

/// Takes a certificate of the site's authority that is good for one name.
#[derive(Debug)]
struct OnlyOne {
    inner: Arc<dyn ClientCertVerifier>,
    caller: ServerName<'static>,
}

impl ClientCertVerifier for OnlyOne {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, &self.caller)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
