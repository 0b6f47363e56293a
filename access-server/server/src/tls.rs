//! Certificates and keys from PEM files into rustls.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

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
