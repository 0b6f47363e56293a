//! Certificates of the site: who we are, whom we trust, who the other side is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;

use crate::config::Tls;

/// Why the certificates cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file is not what it should be.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
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
    /// Key and certificate do not belong together, or the authority is none.
    #[error("the certificates cannot be used")]
    Unusable(#[from] rustls::Error),
    /// The authority cannot verify clients.
    #[error("the site's authority cannot verify clients")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// The controller's certificates, read once.
pub struct Identity {
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads the files; the certificate must be `name`'s.
    ///
    /// # Errors
    /// When a file cannot be read or is of somebody else.
    pub fn read(tls: &Tls, name: &str) -> Result<Identity, TlsError> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(&tls.ca)? {
            roots.add(authority).map_err(|error| fault(&tls.ca, error.to_string()))?;
        }
        let chain = certificates(&tls.certificate)?;
        let own = chain.first().ok_or_else(|| fault(&tls.certificate, "holds no certificate"))?;
        let found = common_name(own).ok_or_else(|| fault(&tls.certificate, "has no common name"))?;
        if found != name {
            let path = tls.certificate.clone();
            return Err(TlsError::OtherName { path, found, wanted: name.to_owned() });
        }
        let key =
            PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| fault(&tls.key, error.to_string()))?;
        Ok(Identity { roots: Arc::new(roots), chain, key })
    }

    /// For connections to the broker: TLS with our certificate.
    ///
    /// # Errors
    /// When key and certificate do not belong together.
    pub fn client(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let config = ClientConfig::builder()
            .with_root_certificates(self.roots.clone())
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())?;
        Ok(Arc::new(config))
    }

    /// For the reader link: TLS 1.3 alone, clients with a certificate of the site alone.
    ///
    /// # Errors
    /// When key and certificate do not belong together.
    pub fn server(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let verifier = WebPkiClientVerifier::builder(self.roots.clone()).build()?;
        let config = ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain.clone(), self.key.clone_key())?;
        Ok(Arc::new(config))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| fault(path, error.to_string()))?;
    let all: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| fault(path, error.to_string()))?;
    if all.is_empty() { Err(fault(path, "holds no certificate")) } else { Ok(all) }
}

fn fault(path: &Path, why: impl Into<String>) -> TlsError {
    TlsError::File { path: path.to_owned(), why: why.into() }
}

/// The subject's common name (RFC 5280, 4.1). Only to be asked of a certificate that was verified, or is our own.
pub fn common_name(certificate: &[u8]) -> Option<String> {
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    let (whole, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(whole, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest, VERSION)?.1;
    }
    // Serial number, signature algorithm, issuer, validity; then the subject.
    rest = element(rest, INTEGER)?.1;
    for _ in 0..3 {
        rest = element(rest, SEQUENCE)?.1;
    }
    let (mut subject, _) = element(rest, SEQUENCE)?;
    while !subject.is_empty() {
        let (set, after) = element(subject, SET)?;
        subject = after;
        let (pair, _) = element(set, SEQUENCE)?;
        let (kind, value) = element(pair, OBJECT)?;
        if kind == COMMON_NAME {
            let tag = *value.first()?;
            let (text, _) = element(value, tag)?;
            return matches!(tag, UTF8 | PRINTABLE).then(|| String::from_utf8(text.to_vec()).ok())?;
        }
    }
    None
}

const INTEGER: u8 = 0x02;
const OBJECT: u8 = 0x06;
const UTF8: u8 = 0x0C;
const PRINTABLE: u8 = 0x13;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xA0;

/// Content and rest of a DER element with that tag.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "site");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.self_signed(&key).expect("signed").der().to_vec()
    }

    #[test]
    fn the_common_name_is_found() {
        assert_eq!(common_name(&certificate("vision-1")).as_deref(), Some("vision-1"));
        assert_eq!(common_name(&certificate(&"x".repeat(200))), Some("x".repeat(200)));
    }

    #[test]
    fn no_part_of_a_certificate_is_read_beyond_its_end() {
        let whole = certificate("vision-1");
        for end in 0..whole.len() {
            assert_eq!(common_name(&whole[..end]), None);
        }
    }
}
