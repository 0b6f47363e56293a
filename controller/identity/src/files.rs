//! A certificate and its key in two files, exchanged together: whatever ends the process meanwhile leaves the pair before
//! or the new one.
//!
//! The new pair is written beside. That the key takes its place is the moment of the exchange; where the certificate has not
//! followed it, the next reader has it follow.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::shown::ShownFault;

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// The key, PEM, mode 0600.
    pub key: PathBuf,
}

impl Pair {
    /// Reads both, after an exchange that was interrupted has come to its end.
    ///
    /// # Errors
    /// Names the file that is not what it should be.
    pub fn read(&self) -> Result<CertifiedKey, ShownFault> {
        let next = beside(&self.certificate);
        if next.exists() {
            if read(&next, &self.key).is_ok() {
                fs::rename(&next, &self.certificate).map_err(|error| fault(&self.certificate, &error))?;
            } else {
                // It was interrupted before its moment: nobody has used the new pair.
                let _ = fs::remove_file(&next);
                let _ = fs::remove_file(beside(&self.key));
            }
        }
        read(&self.certificate, &self.key)
    }

    /// Exchanges both.
    ///
    /// # Errors
    /// When they cannot be written, or do not belong together: then what was there is there still.
    pub fn replace(&self, certificate: &str, key: &str) -> Result<CertifiedKey, ShownFault> {
        let (next, next_key) = (beside(&self.certificate), beside(&self.key));
        let write = |path: &Path, text: &str, mode| {
            let _ = fs::remove_file(path);
            write_new(path, text.as_bytes(), mode).map_err(|error| fault(path, &error))
        };
        write(&next_key, key, 0o600)?;
        write(&next, certificate, 0o644)?;
        let read = read(&next, &next_key).inspect_err(|_| {
            let _ = fs::remove_file(&next);
            let _ = fs::remove_file(&next_key);
        })?;
        fs::rename(&next_key, &self.key).map_err(|error| fault(&self.key, &error))?;
        fs::rename(&next, &self.certificate).map_err(|error| fault(&self.certificate, &error))?;
        Ok(read)
    }
}

/// Writes a file that is not there yet, and has the disk keep it.
///
/// # Errors
/// When it is there, or cannot be written.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Writes a file in the place of what is there, whole or not at all.
///
/// # Errors
/// When it cannot be written: then what was there is there still.
pub fn write_over(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let next = beside(path);
    let _ = fs::remove_file(&next);
    write_new(&next, bytes, mode)?;
    fs::rename(&next, path)
}

/// Where what comes next is written.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".next");
    PathBuf::from(name)
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey, ShownFault> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |error: rustls::pki_types::pem::Error| ShownFault::File { path, why: error.to_string() }
    };
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect).map_err(file(certificate))?;
    if chain.is_empty() {
        return Err(ShownFault::File {
            path: certificate.to_owned(),
            why: "holds no certificate".to_owned(),
        });
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(file(key))?;
    let provider = rustls::crypto::ring::default_provider();
    Ok(CertifiedKey::from_der(chain, private, &provider)?)
}

fn fault(path: &Path, error: &io::Error) -> ShownFault {
    ShownFault::File { path: path.to_owned(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let made = rcgen::CertificateParams::new(vec!["controller-1".to_owned()]).expect("a name");
        (made.self_signed(&key).expect("signed").pem(), key.serialize_pem())
    }

    /// Interrupted at each of its steps: the pair before or the new one, and never one of each.
    #[test]
    fn an_exchange_is_whole_whenever_it_is_interrupted() {
        let ((old, old_key), (new, new_key)) = (pair(), pair());
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        for steps in 0..=4 {
            let folder = tempfile::tempdir().expect("a folder");
            let files = Pair { certificate: folder.path().join("a.pem"), key: folder.path().join("a.key") };
            write_new(&files.certificate, old.as_bytes(), 0o644).expect("written");
            write_new(&files.key, old_key.as_bytes(), 0o600).expect("written");
            let (next, next_key) = (beside(&files.certificate), beside(&files.key));
            let mut step = 0;
            let mut may = || {
                step += 1;
                step <= steps
            };
            if may() {
                write_new(&next_key, new_key.as_bytes(), 0o600).expect("written");
            }
            if may() {
                write_new(&next, new.as_bytes(), 0o644).expect("written");
            }
            if may() {
                fs::rename(&next_key, &files.key).expect("renamed");
            }
            if may() {
                fs::rename(&next, &files.certificate).expect("renamed");
            }
            let read = files.read().expect("a pair");
            assert_eq!(read.cert[0], der(if steps < 3 { &old } else { &new }), "after {steps} steps");
            assert!(!next.exists());
        }
    }

    #[test]
    fn what_does_not_belong_together_replaces_nothing() {
        use std::os::unix::fs::PermissionsExt as _;
        let ((old, old_key), (new, _)) = (pair(), pair());
        let folder = tempfile::tempdir().expect("a folder");
        let files = Pair { certificate: folder.path().join("a.pem"), key: folder.path().join("a.key") };
        write_new(&files.certificate, old.as_bytes(), 0o644).expect("written");
        write_new(&files.key, old_key.as_bytes(), 0o600).expect("written");
        assert!(files.replace(&new, &old_key).is_err());
        let (third, third_key) = pair();
        files.read().expect("the pair before");
        assert_eq!(fs::read_to_string(&files.certificate).expect("there"), old);
        files.replace(&third, &third_key).expect("a good pair");
        assert_eq!(fs::read_to_string(&files.certificate).expect("there"), third);
        assert_eq!(fs::metadata(&files.key).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "nothing is left beside");
    }
}
