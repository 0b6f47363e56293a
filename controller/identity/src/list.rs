//! The authority's list of revoked certificates (RFC 5280, 5), as far as whoever is handed one must know: whether the
//! authority signed it, which number it has, and whose certificates stand on it.
//!
//! **A list has no end of its own.** One that is old refuses fewer than it should; one that had ended would refuse
//! everybody, and a building without its server would stand still. Which of two is the newer one says the number.

use std::collections::BTreeSet;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use thiserror::Error;

use crate::certificate::Certificate;
use crate::der::{
    self, FIRST, GENERALIZED_TIME, INTEGER, OBJECT, OCTETS, SEQUENCE, UTC_TIME, any, bits, element,
};
use crate::request::is_signed;

/// `2.5.29.20`, the list's number.
const NUMBER: &[u8] = &[0x55, 0x1D, 0x14];

/// A list that the authority signed.
#[derive(Clone, Debug)]
pub struct List {
    /// Its number: a later list has a higher one.
    pub number: u64,
    /// Serial numbers that are revoked, without leading zeros.
    pub serials: BTreeSet<Vec<u8>>,
}

/// Why a list is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ListFault {
    /// It is none.
    #[error("the list of revoked certificates is none in PEM form, with a number")]
    Form,
    /// It is somebody else's.
    #[error("the list of revoked certificates is not signed by the site's authority")]
    Signature,
}

impl List {
    /// Reads one, and checks that this authority signed it.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn read(pem: &[u8], authority: &CertificateDer<'_>) -> Result<Self, ListFault> {
        let der = CertificateRevocationListDer::from_pem_slice(pem).map_err(|_| ListFault::Form)?;
        let whole = element(&der, SEQUENCE).filter(|it| it.rest.is_empty()).ok_or(ListFault::Form)?;
        let signed = || {
            let said = element(whole.held, SEQUENCE)?;
            let algorithm = element(said.rest, SEQUENCE)?;
            Some((said, algorithm.held, bits(algorithm.rest)?.held))
        };
        let (said, algorithm, signature) = signed().ok_or(ListFault::Form)?;
        let key = Certificate::read(authority).ok_or(ListFault::Signature)?.key;
        if !is_signed(&key, algorithm, said.whole, signature) {
            return Err(ListFault::Signature);
        }
        let (number, serials) = contents(said.held).ok_or(ListFault::Form)?;
        Ok(Self { number, serials })
    }

    /// Whether a certificate stands on it.
    pub fn has(&self, certificate: &[u8]) -> bool {
        Certificate::read(certificate).is_some_and(|it| self.serials.contains(&it.serial))
    }
}

/// The number, and the serial numbers.
fn contents(said: &[u8]) -> Option<(u64, BTreeSet<Vec<u8>>)> {
    let mut rest = element(said, INTEGER)?.rest;
    // Algorithm, issuer.
    rest = element(rest, SEQUENCE)?.rest;
    rest = element(rest, SEQUENCE)?.rest;
    rest = der::time(rest)?.1;
    if matches!(rest.first(), Some(&UTC_TIME | &GENERALIZED_TIME)) {
        rest = der::time(rest)?.1;
    }
    let mut serials = BTreeSet::new();
    if rest.first() == Some(&SEQUENCE) {
        let entries = element(rest, SEQUENCE)?;
        rest = entries.rest;
        let mut left = entries.held;
        while !left.is_empty() {
            let entry = element(left, SEQUENCE)?;
            let serial = element(entry.held, INTEGER)?.held;
            let zeros = serial.iter().take_while(|byte| **byte == 0).count();
            serials.insert(serial[zeros..].to_vec());
            left = entry.rest;
        }
    }
    let extensions = element(rest, FIRST)?;
    let mut left = element(extensions.held, SEQUENCE)?.held;
    while !left.is_empty() {
        let extension = element(left, SEQUENCE)?;
        left = extension.rest;
        let kind = element(extension.held, OBJECT)?;
        if kind.held == NUMBER {
            let value =
                any(kind.rest).and_then(|it| if it.tag == OCTETS { Some(it) } else { any(it.rest) })?;
            let number = element(value.held, INTEGER)?.held;
            if number.is_empty() || number.len() > 9 || (number.len() == 9 && number[0] != 0) {
                return None;
            }
            return Some((number.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), serials));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyIdMethod,
        KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
    };

    use super::*;

    fn authority() -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).expect("signed");
        (certificate.der().clone(), Issuer::new(params, key))
    }

    fn list(number: u64, revoked: &[&[u8]], issuer: &Issuer<'_, KeyPair>) -> String {
        let revoked_certs = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: Some(rcgen::RevocationReason::KeyCompromise),
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(1970, 1, 2),
            next_update: date_time_ymd(2060, 1, 1),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(issuer).expect("signed").pem().expect("PEM")
    }

    #[test]
    fn number_and_serials_are_read_of_ones_own_authority_alone() {
        let ((certificate, issuer), (other, _)) = (authority(), authority());
        let pem = list(29_696_000, &[&[0x80, 1], &[7]], &issuer);
        let read = List::read(pem.as_bytes(), &certificate).expect("a good list");
        assert_eq!(read.number, 29_696_000);
        assert_eq!(read.serials, BTreeSet::from([vec![7], vec![0x80, 1]]));
        assert_eq!(List::read(pem.as_bytes(), &other).err(), Some(ListFault::Signature));
        let none = List::read(list(1, &[], &issuer).as_bytes(), &certificate).expect("an empty list");
        assert_eq!((none.number, none.serials.len()), (1, 0));
    }

    #[test]
    fn no_altered_list_is_taken_and_none_panics() {
        let (certificate, issuer) = authority();
        let pem = list(5, &[&[9; 16]], &issuer);
        let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        let der: &[u8] = &der;
        for at in 0..der.len() {
            let mut altered = der.to_vec();
            altered[at] ^= 1;
            let text = rcgen_pem(&altered);
            assert!(List::read(text.as_bytes(), &certificate).is_err(), "byte {at}");
            assert!(List::read(rcgen_pem(&der[..at]).as_bytes(), &certificate).is_err(), "cut at {at}");
        }
    }

    fn rcgen_pem(der: &[u8]) -> String {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|it| std::str::from_utf8(it).expect("base64")).collect();
        format!("-----BEGIN X509 CRL-----\n{}\n-----END X509 CRL-----\n", lines.join("\n"))
    }
}
