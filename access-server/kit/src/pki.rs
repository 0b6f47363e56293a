//! The site's own certificate authority and the certificates it issues: one per device, whose common name is the
//! device's name on every topic.
//!
//! **The rule for a clock at 1970**: device certificates are valid from 1970 on, so that a device without a battery
//! clock can connect and be told the time. Their end is checked by whoever has a clock: the server and the broker.
//! Certificates for browsers begin the day before they are made, because browsers refuse long-lived ones.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData, RevocationReason, RevokedCertParams,
    SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use uplink::enrol::LIFE_DAYS;

use crate::clock::Micros;
use crate::journal::hex;
use crate::keys::{KeyError, read_private, write_private};

const DAY: u64 = 24 * 60 * 60;
const CA_DAYS: u64 = 20 * 365;
/// The longest that every browser takes.
const BROWSER_DAYS: u64 = 397;
/// The year in which lists of revoked certificates end: none does before its authority.
const LISTS_END: i32 = 9999;
const CA_CERTIFICATE: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
/// The list of revoked certificates, beside the authority.
pub const REVOKED: &str = "revoked.pem";
/// The number of the list that an authority begins with.
pub const FIRST_LIST: u64 = 1;

/// What a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The access server towards broker and vision: name `server`.
    Server,
    /// The HTTPS listener that browsers see: name `web`.
    Web,
    /// The MQTT broker: name `broker`.
    Broker,
    /// A controller: name `controller-<id>`.
    Controller(u64),
    /// A vision process: name `vision-<id>`.
    Vision(u64),
}

impl Holder {
    /// The common name.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Server => "server".to_owned(),
            Self::Web => "web".to_owned(),
            Self::Broker => "broker".to_owned(),
            Self::Controller(id) => format!("controller-{id}"),
            Self::Vision(id) => format!("vision-{id}"),
        }
    }

    /// Reads a name, as `controller-7`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let numbered = |prefix: &str| name.strip_prefix(prefix).and_then(|id| id.parse().ok());
        let holder = match name {
            "server" => Self::Server,
            "web" => Self::Web,
            "broker" => Self::Broker,
            _ => numbered("controller-")
                .map(Self::Controller)
                .or_else(|| numbered("vision-").map(Self::Vision))?,
        };
        (holder.name() == name).then_some(holder)
    }

    /// A new certificate is due when less than this is left, in microseconds: a third of the life of such certificates.
    #[must_use]
    pub fn renews_at(&self) -> Micros {
        let days = match self {
            Self::Web => BROWSER_DAYS,
            Self::Server | Self::Broker | Self::Controller(_) | Self::Vision(_) => LIFE_DAYS,
        };
        i64::try_from(days * DAY / 3).unwrap_or(i64::MAX).saturating_mul(1_000_000)
    }

    /// What the key may be used for: who listens, who calls, or both.
    fn usages(&self) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            Self::Web | Self::Broker => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Self::Server | Self::Controller(_) | Self::Vision(_) => {
                vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth]
            }
        }
    }
}

/// A certificate that was signed for a key that is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The certificate, PEM.
    pub pem: String,
    /// Its serial number.
    pub serial: Vec<u8>,
    /// When it ends: UTC, microseconds.
    pub until: Micros,
}

/// A certificate that is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number.
    pub serial: Vec<u8>,
    /// Since when: UTC, microseconds.
    pub at: Micros,
}

/// A public key of the kind ECDSA P-256: an uncompressed point.
struct Point(Vec<u8>);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// Where a certificate and its key were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM, mode 0600.
    pub key: PathBuf,
}

/// Why a certificate was not made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file could not be written, or exists.
    #[error(transparent)]
    File(#[from] KeyError),
    /// A file could not be read.
    #[error("{path} could not be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A host name that cannot stand in a certificate, or a key that is none.
    #[error("the certificate could not be made")]
    Certificate(#[from] rcgen::Error),
}

/// The site's certificate authority, with its key.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new one: `ca.pem` and `ca.key` in the directory.
    ///
    /// # Errors
    /// When there is one already, or the directory cannot be written.
    pub fn create(directory: &Path, now: Micros) -> Result<Self, PkiError> {
        fs::create_dir_all(directory)
            .map_err(|source| PkiError::Read { path: directory.to_owned(), source })?;
        let key = KeyPair::generate()?;
        let mut params = authority(&key)?;
        params.not_before = date_time_ymd(1970, 1, 1);
        params.not_after = after(now, CA_DAYS);
        let certificate = params.self_signed(&key)?;
        write_private(&directory.join(CA_KEY), key.serialize_pem().as_bytes())?;
        write_public(&directory.join(CA_CERTIFICATE), &certificate.pem())?;
        let authority = Self { issuer: Issuer::new(params, key) };
        // The broker does not start without one.
        write_public(&directory.join(REVOKED), &authority.revoke(FIRST_LIST, &[])?)?;
        Ok(authority)
    }

    /// Reads the one in the directory.
    ///
    /// # Errors
    /// When there is none, the key is damaged, or others may read it.
    pub fn open(directory: &Path) -> Result<Self, PkiError> {
        Self::of_key(directory.join(CA_KEY))
    }

    /// The same, of a key file.
    ///
    /// # Errors
    /// When it is not there, is damaged, or others may read it.
    pub fn of_key(path: PathBuf) -> Result<Self, PkiError> {
        let pem = String::from_utf8(read_private(&path)?).map_err(|_| KeyError::Damaged(path))?;
        let key = KeyPair::from_pem(&pem)?;
        Ok(Self { issuer: Issuer::new(authority(&key)?, key) })
    }

    /// Issues a certificate: `<name>.pem` and `<name>.key` in the directory. It is good for the holder's name and for
    /// the hosts given (names or addresses).
    ///
    /// # Errors
    /// When the files exist, or a host is no host.
    pub fn issue(
        &self,
        directory: &Path,
        holder: &Holder,
        hosts: &[String],
        now: Micros,
    ) -> Result<Issued, PkiError> {
        let name = holder.name();
        let (params, _) = params(holder, hosts, now, None)?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let issued = Issued {
            certificate: directory.join(format!("{name}.pem")),
            key: directory.join(format!("{name}.key")),
        };
        write_private(&issued.key, key.serialize_pem().as_bytes())?;
        write_public(&issued.certificate, &certificate.pem())?;
        Ok(issued)
    }

    /// Signs a certificate for a holder whose key is elsewhere, an uncompressed point of ECDSA P-256. It ends after `life`,
    /// or when such certificates do.
    ///
    /// # Errors
    /// When a host is no host, or the key cannot be signed for.
    pub fn sign(
        &self,
        holder: &Holder,
        hosts: &[String],
        point: Vec<u8>,
        now: Micros,
        life: Option<Duration>,
    ) -> Result<Signed, PkiError> {
        let (params, serial) = params(holder, hosts, now, life)?;
        let until = params.not_after.unix_timestamp().saturating_mul(1_000_000);
        let pem = params.signed_by(&Point(point), &self.issuer)?.pem();
        Ok(Signed { pem, serial, until })
    }

    /// Signs the list of revoked certificates of this number, PEM.
    ///
    /// It is good from 1970 on, a second later for each number, and as long as the authority: a machine whose clock is wrong
    /// does not shut everybody out, and where two lists are at hand the later one is the one of the higher number.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn revoke(&self, number: u64, revoked: &[Revoked]) -> Result<String, PkiError> {
        let revoked_certs = revoked.iter().map(|it| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&it.serial),
            revocation_time: after(it.at, 0),
            reason_code: Some(RevocationReason::Unspecified),
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(1970, 1, 1) + Duration::from_secs(number),
            next_update: date_time_ymd(LISTS_END, 1, 1),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }
}

/// What stands in a certificate, and its serial number: at random, so that none says how many there are.
fn params(
    holder: &Holder,
    hosts: &[String],
    now: Micros,
    life: Option<Duration>,
) -> Result<(CertificateParams, Vec<u8>), rcgen::Error> {
    let name = holder.name();
    let mut names = vec![name.clone()];
    names.extend(hosts.iter().filter(|host| **host != name).cloned());
    let mut params = CertificateParams::new(names)?;
    let mut serial = vec![0; 16];
    SystemRandom::new().fill(&mut serial).expect("the system's random source works");
    // A positive number, without a leading zero.
    serial[0] = serial[0] & 0x7F | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name.push(DnType::CommonName, name.as_str());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = holder.usages();
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = match holder {
        Holder::Web => (after(now - 86_400_000_000, 0), after(now, BROWSER_DAYS - 1)),
        Holder::Server | Holder::Broker | Holder::Controller(_) | Holder::Vision(_) => {
            (date_time_ymd(1970, 1, 1), after(now, LIFE_DAYS))
        }
    };
    if let Some(life) = life {
        params.not_after = params.not_after.min(after(now, 0) + life);
    }
    Ok((params, serial))
}

/// The authority's certificate, but for its dates: made again from the key whenever something is issued.
fn authority(key: &KeyPair) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    let print = hex(&digest(&SHA256, &key.subject_public_key_info()).as_ref()[..4]);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("Gatehouse site {print}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// A host as a person writes it, for a certificate: an address or a name.
#[must_use]
pub fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
        || (!text.is_empty()
            && text.len() <= 253
            && text.split('.').all(|label| {
                !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            }))
}

fn after(now: Micros, days: u64) -> time::OffsetDateTime {
    let seconds = u64::try_from(now / 1_000_000).unwrap_or(0);
    date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds + days * DAY)
}

fn write_public(path: &Path, pem: &str) -> Result<(), KeyError> {
    fs::write(path, pem).map_err(|source| KeyError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for holder in [Holder::Server, Holder::Web, Holder::Broker, Holder::Controller(7), Holder::Vision(0)]
        {
            assert_eq!(Holder::parse(&holder.name()), Some(holder));
        }
        assert_eq!(Holder::parse("controller-07"), None);
        assert_eq!(Holder::parse("controller-"), None);
        assert_eq!(Holder::parse("somebody"), None);
    }
}
