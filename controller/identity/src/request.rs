//! Requests for certificates (PKCS#10, RFC 2986): made with a new key, and read as the server takes them.
//!
//! Keys are of one kind, ECDSA on P-256: what devices make, and every peer of theirs knows.

use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use thiserror::Error;

use crate::der::{BITS, FIRST, INTEGER, OBJECT, SEQUENCE, bits, element};

/// ecPublicKey, of the curve secp256r1.
const P256: &[u8] =
    &[OBJECT, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1, OBJECT, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
/// ecdsa-with-SHA256.
const ECDSA_SHA256: &[u8] = &[OBJECT, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2];
/// Bytes of an uncompressed point.
const POINT: usize = 65;

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RequestFault {
    /// No PKCS#10.
    #[error("the request is none in the form of PKCS#10")]
    Form,
    /// Another kind of key.
    #[error("the key is not of the kind ECDSA P-256")]
    Key,
    /// Whoever sends it has not shown that the key is theirs.
    #[error("the request is not signed with the key that it is for")]
    Signature,
}

/// A key just made, and the request for its certificate.
pub struct NewKey {
    /// The private key, PEM. Never logged, never sent.
    pub private: String,
    /// The request, DER.
    pub request: Vec<u8>,
}

impl NewKey {
    /// Makes one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn make() -> Result<Self, rcgen::Error> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = rcgen::CertificateParams::new(Vec::new())?;
        // The server knows whom it is for, and asks nobody.
        params.distinguished_name = rcgen::DistinguishedName::new();
        let request = params.serialize_request(&key)?.der().to_vec();
        Ok(Self { private: key.serialize_pem(), request })
    }
}

impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewKey(..)")
    }
}

/// The key that a request is for, as an uncompressed point: whoever made the request has its private half. What else the
/// request says (a name, wishes) is not looked at.
///
/// # Errors
/// Why it is not taken.
pub fn key_of_request(request: &[u8]) -> Result<Vec<u8>, RequestFault> {
    let whole = element(request, SEQUENCE).filter(|it| it.rest.is_empty()).ok_or(RequestFault::Form)?;
    let read = || {
        let info = element(whole.held, SEQUENCE)?;
        let version = element(info.held, INTEGER).filter(|it| it.held == [0])?;
        let subject = element(version.rest, SEQUENCE)?;
        let key = element(subject.rest, SEQUENCE)?;
        let attributes = element(key.rest, FIRST)?;
        let algorithm = element(info.rest, SEQUENCE)?;
        let signature = bits(algorithm.rest)?;
        (attributes.rest.is_empty() && signature.rest.is_empty()).then_some((
            info.whole,
            key.whole,
            algorithm.held,
            signature.held,
        ))
    };
    let (info, key, algorithm, signature) = read().ok_or(RequestFault::Form)?;
    let point = point(key).ok_or(RequestFault::Key)?;
    if algorithm != ECDSA_SHA256 {
        return Err(RequestFault::Key);
    }
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
    public.verify(info, signature).map_err(|_| RequestFault::Signature)?;
    Ok(point.to_vec())
}

/// The point of a public key, if it is of our kind.
pub(crate) fn point(key: &[u8]) -> Option<&[u8]> {
    let key = element(key, SEQUENCE)?;
    let kind = element(key.held, SEQUENCE).filter(|it| it.held == P256)?;
    let point = bits(kind.rest).filter(|it| it.tag == BITS && it.rest.is_empty())?;
    (point.held.len() == POINT && point.held[0] == 4).then_some(point.held)
}

/// Whether something was signed by the holder of a public key of our kind, as X.509 signs.
pub(crate) fn is_signed(key: &[u8], algorithm: &[u8], what: &[u8], signature: &[u8]) -> bool {
    let Some(point) = point(key).filter(|_| algorithm == ECDSA_SHA256) else { return false };
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(what, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_whoever_it_names() {
        let ours = NewKey::make().expect("a key");
        assert_eq!(key_of_request(&ours.request).map(|point| point.len()), Ok(POINT));
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(vec!["controller-2".to_owned()]).expect("a name");
        params.distinguished_name.push(rcgen::DnType::CommonName, "controller-2");
        let named = params.serialize_request(&key).expect("signed");
        assert_eq!(key_of_request(named.der()), Ok(key.public_key_raw().to_vec()));
    }

    #[test]
    fn a_key_that_is_anothers_is_not_taken() {
        let (ours, theirs) = (NewKey::make().expect("a key"), NewKey::make().expect("another"));
        let point = key_of_request(&ours.request).expect("good");
        let other = key_of_request(&theirs.request).expect("good");
        let at = theirs.request.windows(POINT).position(|it| it == other).expect("it is in there");
        let mut forged = theirs.request;
        forged[at..at + POINT].copy_from_slice(&point);
        assert_eq!(key_of_request(&forged), Err(RequestFault::Signature));
    }

    #[test]
    fn another_kind_of_key_is_named() {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let request = rcgen::CertificateParams::default().serialize_request(&key).expect("signed");
        assert_eq!(key_of_request(request.der()), Err(RequestFault::Key));
    }

    #[test]
    fn no_cut_or_altered_request_is_taken_and_none_panics() {
        let whole = NewKey::make().expect("a key").request;
        for at in 0..whole.len() {
            assert!(key_of_request(&whole[..at]).is_err());
            let mut altered = whole.clone();
            altered[at] ^= 0x01;
            assert!(key_of_request(&altered).is_err(), "byte {at}");
        }
        assert_eq!(key_of_request(&[whole, vec![0]].concat()), Err(RequestFault::Form));
    }
}
