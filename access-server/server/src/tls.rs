//! Certificates and keys from PEM files into rustls.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use identity::Shown;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use uplink::enrol::SERVER_NAME;

fn chain(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .with_context(|| format!("{} is not a certificate in PEM form", path.display()))?;
    anyhow::ensure!(!chain.is_empty(), "{} holds no certificate", path.display());
    Ok(chain)
}

fn key(path: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path)
        .with_context(|| format!("{} is not a private key in PEM form", path.display()))
}

/// For browsers: no certificate is asked of them.
///
/// # Errors
/// Names the file that is not what it should be.
pub fn listener(certificate: &Path, private: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain(certificate)?, key(private)?)
        .with_context(|| {
            format!("{} and {} do not belong together", certificate.display(), private.display())
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The same port for browsers and for devices that have no certificate yet: whoever asks for the server by its own name is
/// shown the certificate that the site's authority issued for that name, with the authority, and everybody else the one for
/// browsers, which may be another's.
#[derive(Debug)]
pub struct Door {
    web: Arc<Shown>,
    own: Arc<Shown>,
    authority: CertificateDer<'static>,
}

impl Door {
    /// A door that shows these; the first certificate of `authority` is the site's.
    ///
    /// # Errors
    /// Names the file that is not what it should be.
    pub fn new(web: Arc<Shown>, own: Arc<Shown>, authority: &Path) -> anyhow::Result<Self> {
        let authority = chain(authority)?.swap_remove(0);
        Ok(Self { web, own, authority })
    }

    /// What listens.
    #[must_use]
    pub fn listener(self) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(Arc::new(self));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

impl ResolvesServerCert for Door {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if hello.server_name() != Some(SERVER_NAME) {
            return Some(self.web.current());
        }
        let own = self.own.current();
        let chain = own.cert.iter().take(1).chain([&self.authority]).cloned().collect();
        Some(Arc::new(CertifiedKey::new(chain, Arc::clone(&own.key))))
    }
}

/// Towards our own, with the certificate that is shown at the time.
///
/// # Errors
/// Names the file that is not what it should be.
pub fn client_of(authority: &Path, own: Arc<Shown>) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for root in chain(authority)? {
        roots.add(root).with_context(|| format!("{} is no authority", authority.display()))?;
    }
    let mut config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_root_certificates(roots)
        .with_client_cert_resolver(own);
    // A session that is resumed is that of the certificate before.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Towards our own: the site's authority and no other, TLS 1.3 and nothing older.
///
/// # Errors
/// Names the file that is not what it should be.
pub fn client(authority: &Path, certificate: &Path, private: &Path) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for root in chain(authority)? {
        roots.add(root).with_context(|| format!("{} is no authority", authority.display()))?;
    }
    let config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_root_certificates(roots)
        .with_client_auth_cert(chain(certificate)?, key(private)?)
        .with_context(|| {
            format!("{} and {} do not belong together", certificate.display(), private.display())
        })?;
    Ok(Arc::new(config))
}
