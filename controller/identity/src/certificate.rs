//! What a certificate says (RFC 5280, 4.1). Only to be believed of one that was verified, or is our own.

use std::net::IpAddr;

use crate::der::{self, FIRST, INTEGER, OBJECT, OCTETS, PRINTABLE, SEQUENCE, SET, UTF8, any, element};
use crate::request::is_signed;

/// `[3]`, constructed.
const EXTENSIONS: u8 = 0xA3;
/// `[2]` and `[7]` of a general name.
const DNS_NAME: u8 = 0x82;
const ADDRESS: u8 = 0x87;

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its serial number, without leading zeros.
    pub serial: Vec<u8>,
    /// The subject's common name; empty when it has none.
    pub name: String,
    /// From when it is good: UTC, microseconds.
    pub from: i64,
    /// When it ends.
    pub until: i64,
    /// The subject's public key (`SubjectPublicKeyInfo`, DER).
    pub key: Vec<u8>,
    /// Names and addresses that it is good for.
    pub hosts: Vec<String>,
}

impl Certificate {
    /// Reads one in DER; nothing when it is none.
    pub fn read(certificate: &[u8]) -> Option<Self> {
        let whole = element(certificate, SEQUENCE).filter(|it| it.rest.is_empty())?;
        let mut rest = element(whole.held, SEQUENCE)?.held;
        if rest.first() == Some(&FIRST) {
            rest = any(rest)?.rest;
        }
        let serial = element(rest, INTEGER)?;
        let algorithm = element(serial.rest, SEQUENCE)?;
        let issuer = element(algorithm.rest, SEQUENCE)?;
        let validity = element(issuer.rest, SEQUENCE)?;
        let subject = element(validity.rest, SEQUENCE)?;
        let key = element(subject.rest, SEQUENCE)?;
        let (from, until) = der::time(validity.held)?;
        let (until, _) = der::time(until)?;
        let zeros = serial.held.iter().take_while(|byte| **byte == 0).count();
        Some(Self {
            serial: serial.held[zeros..].to_vec(),
            name: name(subject.held)?.unwrap_or_default(),
            from,
            until,
            key: key.whole.to_vec(),
            hosts: hosts(key.rest)?,
        })
    }
}

/// Whether an authority signed a certificate, whatever it says of dates and names.
pub fn is_issued_by(certificate: &[u8], authority: &[u8]) -> bool {
    let read = || {
        let whole = element(certificate, SEQUENCE).filter(|it| it.rest.is_empty())?;
        let said = element(whole.held, SEQUENCE)?;
        let algorithm = element(said.rest, SEQUENCE)?;
        let signature = der::bits(algorithm.rest)?;
        let key = Certificate::read(authority)?.key;
        Some(is_signed(&key, algorithm.held, said.whole, signature.held))
    };
    read().unwrap_or(false)
}

/// The subject's common name.
pub fn common_name(certificate: &[u8]) -> Option<String> {
    Certificate::read(certificate).map(|it| it.name).filter(|name| !name.is_empty())
}

/// The subject's other names, of what follows the key; empty where it has none.
fn hosts(mut rest: &[u8]) -> Option<Vec<String>> {
    const OTHER_NAMES: &[u8] = &[0x55, 0x1D, 0x11];
    while !rest.is_empty() && rest.first() != Some(&EXTENSIONS) {
        rest = any(rest)?.rest;
    }
    if rest.is_empty() {
        return Some(Vec::new());
    }
    let mut extensions = element(element(rest, EXTENSIONS)?.held, SEQUENCE)?.held;
    while !extensions.is_empty() {
        let extension = element(extensions, SEQUENCE)?;
        extensions = extension.rest;
        let kind = element(extension.held, OBJECT)?;
        if kind.held != OTHER_NAMES {
            continue;
        }
        let value = any(kind.rest).and_then(|it| if it.tag == OCTETS { Some(it) } else { any(it.rest) })?;
        let mut names = element(value.held, SEQUENCE)?.held;
        let mut hosts = Vec::new();
        while !names.is_empty() {
            let name = any(names)?;
            names = name.rest;
            hosts.extend(match name.tag {
                DNS_NAME => String::from_utf8(name.held.to_vec()).ok(),
                ADDRESS => address(name.held),
                _ => None,
            });
        }
        return Some(hosts);
    }
    Some(Vec::new())
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok().map(|it| it.to_string())
}

fn name(mut subject: &[u8]) -> Option<Option<String>> {
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    while !subject.is_empty() {
        let set = element(subject, SET)?;
        subject = set.rest;
        let pair = element(set.held, SEQUENCE)?;
        let kind = element(pair.held, OBJECT)?;
        if kind.held == COMMON_NAME {
            let text = any(kind.rest)?;
            let readable = matches!(text.tag, UTF8 | PRINTABLE);
            return Some(readable.then(|| String::from_utf8(text.held.to_vec()).ok()).flatten());
        }
    }
    Some(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned(), "10.1.2.3".to_owned()])
            .expect("names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "site");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(1970, 1, 1);
        params.not_after = rcgen::date_time_ymd(2051, 2, 3);
        params.serial_number = Some(rcgen::SerialNumber::from_slice(&[0x80, 1]));
        params.self_signed(&key).expect("signed").der().to_vec()
    }

    #[test]
    fn what_a_certificate_says_is_read() {
        let read = Certificate::read(&certificate("vision-1")).expect("a certificate");
        assert_eq!((read.name.as_str(), read.serial), ("vision-1", vec![0x80, 1]));
        assert_eq!(read.hosts, ["localhost", "10.1.2.3"]);
        assert_eq!((read.from, read.until), (0, 2_558_995_200_000_000));
        assert_eq!(common_name(&certificate(&"x".repeat(200))), Some("x".repeat(200)));
    }

    #[test]
    fn no_cut_certificate_is_read_and_none_panics() {
        let whole = certificate("vision-1");
        for end in 0..whole.len() {
            assert_eq!(Certificate::read(&whole[..end]), None);
            let mut altered = whole.clone();
            altered[end] ^= 0x80;
            let _ = Certificate::read(&altered);
        }
    }
}
