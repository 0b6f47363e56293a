//! Mutual TLS, with the site's authority and nobody else's.

use std::sync::Arc;

use identity::{Pair, Shown, ShownFault, Trusted};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::{Resumption, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::{ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use thiserror::Error as ThisError;

use crate::config::Tls;

/// Why the certificates cannot be used.
#[derive(Debug, ThisError)]
pub enum TlsError {
    /// A file is missing or not PEM, or two do not belong together.
    #[error(transparent)]
    Files(#[from] ShownFault),
    /// They cannot be used.
    #[error("the certificate, its key and the authority do not fit together")]
    Set(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// This process's certificate, which is exchanged while it runs, and whom it trusts.
#[derive(Debug, Clone)]
pub struct Identity {
    /// What it shows.
    pub shown: Arc<Shown>,
    /// Whom it trusts.
    pub trusted: Arc<Trusted>,
}

impl Identity {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn read(files: &Tls) -> Result<Self, TlsError> {
        let trusted = Trusted::read(&files.authority)?;
        let pair = Pair { certificate: files.certificate.clone(), key: files.key.clone() };
        Ok(Self { shown: Shown::read(pair)?, trusted })
    }

    /// For connecting to a controller or to the broker: each connection shows the certificate that is there then.
    ///
    /// # Errors
    /// When TLS 1.3 is not to be had.
    pub fn client(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let mut config =
            ClientConfig::builder_with_provider(provider())
                .with_protocol_versions(&[&rustls::version::TLS13])
                .map_err(set)?
                .dangerous()
                .with_custom_certificate_verifier(self.trusted.of_servers())
                .with_client_cert_resolver(
                    Arc::clone(&self.shown) as Arc<dyn rustls::client::ResolvesClientCert>
                );
        // A session that is resumed is that of the certificate before.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }

    /// For a listener that only `caller` may connect to: the name must stand in the certificate that the site's authority
    /// issued.
    ///
    /// # Errors
    /// When TLS 1.3 is not to be had.
    pub fn server_for(&self, caller: &'static str) -> Result<Arc<ServerConfig>, TlsError> {
        let caller = ServerName::try_from(caller).map_err(set)?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(set)?
            .with_client_cert_verifier(Arc::new(OnlyOne { inner: self.trusted.of_clients(), caller }))
            .with_cert_resolver(Arc::clone(&self.shown) as Arc<dyn rustls::server::ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A session that is resumed shows no certificate.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(config))
    }
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
