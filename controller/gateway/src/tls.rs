//! Certificates of the site: who we are, and whom we trust.

use std::path::PathBuf;
use std::sync::Arc;

use identity::{Pair, Shown, ShownFault, Trusted, common_name};
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, ServerConfig};
use thiserror::Error;

use crate::config::Tls;

/// Why the certificates cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file is not what it should be.
    #[error(transparent)]
    Files(#[from] ShownFault),
    /// The certificate is somebody else's.
    #[error("{}: the certificate is for `{found}`, the configuration says `{wanted}`", path.display())]
    OtherName {
        /// The certificate's file.
        path: PathBuf,
        /// Its common name.
        found: String,
        /// The configuration's name.
        wanted: String,
    },
}

/// The controller's certificate, which is exchanged while it runs, and whom it trusts.
#[derive(Debug)]
pub struct Identity {
    /// What it shows.
    pub shown: Arc<Shown>,
    /// Whom it trusts.
    pub trusted: Arc<Trusted>,
}

impl Identity {
    /// Reads the files; the certificate must be `name`'s.
    ///
    /// # Errors
    /// When a file cannot be read or is of somebody else.
    pub fn read(tls: &Tls, name: &str) -> Result<Identity, TlsError> {
        let trusted = Trusted::read(&tls.ca)?;
        let shown = Shown::read(Pair { certificate: tls.certificate.clone(), key: tls.key.clone() });
        // Whose it is says more than that it does not fit its key.
        let found = match &shown {
            Ok(shown) => shown.says().map(|it| it.name),
            Err(_) => CertificateDer::from_pem_file(&tls.certificate).ok().and_then(|it| common_name(&it)),
        };
        match found {
            Some(found) if found != name => {
                let path = tls.certificate.clone();
                return Err(TlsError::OtherName { path, found, wanted: name.to_owned() });
            }
            Some(_) | None => {}
        }
        let shown = shown?;
        Ok(Identity { shown, trusted })
    }

    /// For connections to the broker: TLS with our certificate. Each shows the one that is there then.
    pub fn client(&self) -> Arc<ClientConfig> {
        let mut config =
            ClientConfig::builder()
                .dangerous()
                .with_custom_certificate_verifier(self.trusted.of_servers())
                .with_client_cert_resolver(
                    Arc::clone(&self.shown) as Arc<dyn rustls::client::ResolvesClientCert>
                );
        // A session that is resumed is that of the certificate before.
        config.resumption = Resumption::disabled();
        Arc::new(config)
    }

    /// For the reader link: TLS 1.3 alone, clients with a certificate of the site alone that is not revoked.
    pub fn server(&self) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
            .with_client_cert_verifier(self.trusted.of_clients())
            .with_cert_resolver(Arc::clone(&self.shown) as Arc<dyn rustls::server::ResolvesServerCert>);
        // A session that is resumed shows no certificate.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Arc::new(config)
    }
}
