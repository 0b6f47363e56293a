//! Certificates that were issued: kept, renewed, revoked.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity::{Certificate, NewKey, Pair, key_of_request};
use kit::auth::OperatorId;
use kit::clock::{Micros, micros};
use kit::pki::{FIRST_LIST, Holder, PkiError, Revoked, Signed};
use kit::problem::{Problem, chain};
use kit::{Kit, Tx};
use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use sqlx::AnyConnection;
use uplink::enrol::{Refusal, Renew, Renewed};
use uplink::sync::{Change, Chunk, Digest, Have, REVOKED, RevokedRow, Set, chunks};

use crate::authority::Trust;

/// A device is given no certificate sooner after the one before.
const PAUSE: Duration = Duration::from_secs(600);
/// Certificates shown at most, the newest of each holder first.
const SHOWN: i64 = 2_000;
/// Letters of a reason.
const REASON: usize = 500;
/// A device that holds a list of a number so far ahead of the clock is not believed.
const MINUTES_AHEAD: u64 = 366 * 24 * 60;
/// Files looked at for certificates of before.
const FILES: usize = 20_000;

kit::statements! {
    KEEP = "INSERT INTO certificate (serial, holder, key, pem, why, known_at, ends_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (serial) DO NOTHING";
    ALL = "SELECT serial, holder, why, known_at, ends_at, revoked_at, revoked_by, reason FROM certificate ORDER BY known_at DESC, holder LIMIT $1";
    OF_KEY = "SELECT pem FROM certificate WHERE key = $1 AND holder = $2 AND revoked_at IS NULL";
    NEWEST = "SELECT serial, known_at, revoked_at, why FROM certificate WHERE holder = $1 ORDER BY known_at DESC, ends_at DESC LIMIT 1";
    ONE = "SELECT holder, revoked_at FROM certificate WHERE serial = $1";
    REVOKE = "UPDATE certificate SET revoked_at = $2, revoked_by = $3, reason = $4 WHERE serial = $1 AND revoked_at IS NULL";
    REVOKED_ALL = "SELECT serial, revoked_at FROM certificate WHERE revoked_at IS NOT NULL ORDER BY revoked_at, serial";
    LIST = "SELECT number, list FROM authority WHERE id = 1";
    PUT_AUTHORITY = "INSERT INTO authority (id, certificate, number, list) VALUES (1, $1, 0, '') ON CONFLICT (id) DO UPDATE SET certificate = excluded.certificate";
    SEEN = "UPDATE authority SET number = $1 WHERE id = 1 AND number < $1";
    PUT_LIST = "UPDATE authority SET number = $1, list = $2 WHERE id = 1";
}

/// How a certificate came to be known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its file was found: issued on the command line, or before certificates were kept.
    Found,
    /// For a one-time code.
    Enrolled,
    /// For the one before.
    Renewed,
}

impl Why {
    /// The word that is kept.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Enrolled => "enrolled",
            Self::Renewed => "renewed",
        }
    }

    fn parse(word: &str) -> Self {
        [Self::Enrolled, Self::Renewed].into_iter().find(|it| it.as_str() == word).unwrap_or(Self::Found)
    }
}

/// A certificate that is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its serial number.
    pub serial: Vec<u8>,
    /// Whose it is.
    pub holder: String,
    /// How it came to be known.
    pub why: Why,
    /// Since when.
    pub known_at: Micros,
    /// When it ends.
    pub ends_at: Micros,
    /// Since when it is revoked, by whom, and for what reason.
    pub revoked: Option<(Micros, Option<OperatorId>, String)>,
}

/// How a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is good.
    Good,
    /// It ends within thirty days.
    EndsSoon,
    /// It has ended.
    Ended,
    /// It is revoked.
    Revoked,
}

impl Standing {
    /// The stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::EndsSoon => "ends-soon",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
        }
    }
}

impl Kept {
    /// One that ends sooner is told of, in microseconds.
    pub const SOON: Micros = 30 * 86_400_000_000;

    /// How it stands now.
    #[must_use]
    pub fn standing(&self, now: Micros) -> Standing {
        match &self.revoked {
            Some(_) => Standing::Revoked,
            None if self.ends_at <= now => Standing::Ended,
            None if self.ends_at - now < Self::SOON => Standing::EndsSoon,
            None => Standing::Good,
        }
    }

    /// Its serial number in hexadecimal.
    #[must_use]
    pub fn number(&self) -> String {
        hex(&self.serial)
    }
}

/// Why a certificate was not revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// There is none of this serial number.
    #[error("there is no such certificate")]
    Unknown,
    /// It is already.
    #[error("it has been revoked already")]
    Already,
    /// A reason is asked for.
    #[error("a reason of at most {REASON} letters is asked for")]
    Reason,
    /// The site itself needs it.
    #[error("the site runs with it: issue a new one first")]
    InUse,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<RevokeError> for Problem {
    fn from(error: RevokeError) -> Self {
        let words = error.to_string();
        match error {
            RevokeError::Unknown => Self::not_found(words),
            RevokeError::Already => Self::conflict("revoked", words),
            RevokeError::Reason => Self::refused("field", words).with("field", "reason"),
            RevokeError::InUse => Self::conflict("in-use", words),
            RevokeError::Database(error) => error.into(),
        }
    }
}

/// Reads a serial number in hexadecimal.
#[must_use]
pub fn serial(text: &str) -> Option<Vec<u8>> {
    let is_hex = (2..=40).contains(&text.len()) && text.len().is_multiple_of(2) && text.is_ascii();
    let pairs = is_hex.then(|| text.as_bytes().chunks(2))?;
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes down what was issued just now.
pub(crate) async fn keep(tx: &mut Tx, holder: &Holder, signed: &Signed, why: Why) -> Result<(), sqlx::Error> {
    let der =
        CertificateDer::from_pem_slice(signed.pem.as_bytes()).map_err(|it| sqlx::Error::Encode(it.into()))?;
    put(tx, &holder.name(), &der, &signed.pem, why).await.map(drop)
}

/// False when it is known already, or is no certificate.
async fn put(tx: &mut Tx, holder: &str, der: &[u8], pem: &str, why: Why) -> Result<bool, sqlx::Error> {
    let Some(says) = Certificate::read(der) else { return Ok(false) };
    let now = tx.now();
    let put = sqlx::query(KEEP)
        .bind(says.serial)
        .bind(holder)
        .bind(digest(&SHA256, &says.key).as_ref().to_vec())
        .bind(pem)
        .bind(why.as_str())
        .bind(now)
        .bind(says.until)
        .execute(&mut **tx);
    Ok(put.await?.rows_affected() == 1)
}

/// Writes down the authority, and the certificates whose files lie beside it: those that were issued on the command line,
/// or before any were kept. How many were not known.
///
/// # Errors
/// When the database fails.
pub async fn adopt(kit: &Kit, trust: &Trust) -> Result<u32, sqlx::Error> {
    let folder = trust.folder().to_owned();
    let authority = trust.der().clone();
    let found = tokio::task::spawn_blocking(move || found(&folder, &authority)).await.unwrap_or_default();
    let mut tx = kit.begin().await?;
    sqlx::query(PUT_AUTHORITY).bind(trust.pem()).execute(&mut *tx).await?;
    let mut new = 0;
    for (holder, der, pem) in found {
        if put(&mut tx, &holder, &der, &pem, Why::Found).await? {
            new += 1;
            let says = Certificate::read(&der).map(|it| (hex(&it.serial), it.until)).unwrap_or_default();
            let told = json!({ "device": holder, "serial": says.0, "until": says.1 });
            tx.record("certificate.found", &told).await?;
        }
    }
    tx.commit().await?;
    Ok(new)
}

/// Certificates of devices and services of the site in a folder, with their names.
fn found(folder: &Path, authority: &[u8]) -> Vec<(String, Vec<u8>, String)> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().take(FILES);
    let read = files.filter_map(|file| {
        let path = file.path();
        if path.extension().is_none_or(|ending| ending != "pem") {
            return None;
        }
        let pem = std::fs::read_to_string(&path).ok()?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
        let holder =
            Certificate::read(&der).map(|it| it.name).filter(|name| Holder::parse(name).is_some())?;
        identity::is_issued_by(&der, authority).then(|| (holder, der.to_vec(), pem))
    });
    read.collect()
}

/// What is known, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn certificates(connection: &mut AnyConnection) -> Result<Vec<Kept>, sqlx::Error> {
    type Row = (Vec<u8>, String, String, i64, i64, Option<i64>, Option<i64>, String);
    let rows: Vec<Row> = sqlx::query_as(ALL).bind(SHOWN).fetch_all(connection).await?;
    let rows =
        rows.into_iter().map(|(serial, holder, why, known_at, ends_at, revoked_at, by, reason)| Kept {
            serial,
            holder,
            why: Why::parse(&why),
            known_at,
            ends_at,
            revoked: revoked_at.map(|at| (at, by.map(OperatorId), reason)),
        });
    Ok(rows.collect())
}

/// Revokes a certificate. Broker and devices are told as soon as the list is signed.
///
/// # Errors
/// Why not.
pub async fn revoke(
    tx: &mut Tx,
    by: Option<OperatorId>,
    serial: &[u8],
    reason: &str,
) -> Result<(), RevokeError> {
    let reason = reason.trim();
    if !(1..=REASON).contains(&reason.chars().count()) {
        return Err(RevokeError::Reason);
    }
    let one: Option<(String, Option<i64>)> =
        sqlx::query_as(ONE).bind(serial.to_vec()).fetch_optional(&mut **tx).await?;
    let (holder, revoked_at) = one.ok_or(RevokeError::Unknown)?;
    if revoked_at.is_some() {
        return Err(RevokeError::Already);
    }
    let newest: Option<(Vec<u8>, i64, Option<i64>, String)> =
        sqlx::query_as(NEWEST).bind(&holder).fetch_optional(&mut **tx).await?;
    let is_newest = newest.is_some_and(|(newest, ..)| newest == serial);
    if is_newest && matches!(Holder::parse(&holder), Some(Holder::Server | Holder::Web | Holder::Broker)) {
        return Err(RevokeError::InUse);
    }
    let now = tx.now();
    let done = sqlx::query(REVOKE)
        .bind(serial.to_vec())
        .bind(now)
        .bind(by.map(|by| by.0))
        .bind(reason)
        .execute(&mut **tx)
        .await?;
    if done.rows_affected() == 0 {
        return Err(RevokeError::Already);
    }
    let told = json!({ "device": holder, "serial": hex(serial), "reason": reason, "by": by.map(|by| by.0) });
    tx.record("certificate.revoked", &told).await?;
    Ok(())
}

/// Gives a device a new certificate, for a request that came on its own topic. The same request is answered the same.
///
/// # Errors
/// When the database fails, or the certificate cannot be made.
pub async fn renew(kit: &Kit, trust: &Trust, device: &str, renew: &Renew) -> Result<Renewed, RenewError> {
    let refused = |why| Ok(Renewed { certificate: None, refused: Some(why) });
    let holder = Holder::parse(device);
    let Some(holder @ (Holder::Controller(_) | Holder::Vision(_))) = holder else {
        return refused(Refusal::Request);
    };
    let Some(authority) = trust.authority() else { return refused(Refusal::NoAuthority) };
    let point = STANDARD.decode(&renew.request).ok().and_then(|der| key_of_request(&der).ok());
    let Some(point) = point else { return refused(Refusal::Request) };
    let mut tx = kit.begin().await?;
    let signed = authority.sign(&holder, &[], point, tx.now(), None)?;
    let der =
        CertificateDer::from_pem_slice(signed.pem.as_bytes()).map_err(|it| sqlx::Error::Encode(it.into()))?;
    let key =
        Certificate::read(&der).map(|it| digest(&SHA256, &it.key).as_ref().to_vec()).unwrap_or_default();
    let same: Option<(String,)> =
        sqlx::query_as(OF_KEY).bind(key).bind(device).fetch_optional(&mut *tx).await?;
    if let Some((pem,)) = same {
        return Ok(Renewed { certificate: Some(pem), refused: None });
    }
    let newest: Option<(Vec<u8>, i64, Option<i64>, String)> =
        sqlx::query_as(NEWEST).bind(device).fetch_optional(&mut *tx).await?;
    match newest {
        // Who stands on the list has no link; but it may have been made before the broker knew.
        Some((_, _, Some(_), _)) => return refused(Refusal::Revoked),
        // One that was found just now was not given just now.
        Some((_, known_at, None, why))
            if known_at > tx.now() - micros(PAUSE) && Why::parse(&why) != Why::Found =>
        {
            return refused(Refusal::TooSoon);
        }
        Some(_) | None => {}
    }
    keep(&mut tx, &holder, &signed, Why::Renewed).await?;
    let told = json!({ "device": device, "serial": hex(&signed.serial), "until": signed.until });
    tx.record("certificate.renewed", &told).await?;
    tx.commit().await?;
    Ok(Renewed { certificate: Some(signed.pem), refused: None })
}

/// Renews the certificates that the site itself runs with, where their files lie beside the authority and a third of their
/// life is left: with a new key each, for the hosts that they were for. Which were renewed.
///
/// # Errors
/// When the database fails, or one cannot be made.
pub(crate) async fn renew_own(kit: &Kit, trust: &Trust) -> Result<Vec<Holder>, RenewError> {
    let mut renewed = Vec::new();
    let Some(authority) = trust.authority() else { return Ok(renewed) };
    for holder in [Holder::Server, Holder::Web, Holder::Broker] {
        let name = holder.name();
        let files = Pair {
            certificate: trust.folder().join(format!("{name}.pem")),
            key: trust.folder().join(format!("{name}.key")),
        };
        let Ok(pair) = files.read() else { continue };
        let Some(says) = pair
            .cert
            .first()
            .filter(|it| identity::is_issued_by(it, trust.der()))
            .and_then(|it| Certificate::read(it))
        else {
            continue;
        };
        let now = kit.now();
        if says.name != name || says.until - now >= holder.renews_at() {
            continue;
        }
        let key = NewKey::make().map_err(PkiError::from)?;
        let point = key_of_request(&key.request).map_err(|it| sqlx::Error::Encode(it.into()))?;
        let signed = authority.sign(&holder, &says.hosts, point, now, None)?;
        let mut tx = kit.begin().await?;
        keep(&mut tx, &holder, &signed, Why::Renewed).await?;
        let told = json!({ "device": name, "serial": hex(&signed.serial), "until": signed.until });
        tx.record("certificate.renewed", &told).await?;
        // Only what is written down is used.
        tx.commit().await?;
        match files.replace(&signed.pem, &key.private) {
            Ok(_) => renewed.push(holder),
            Err(error) => {
                tracing::error!(name, error = %chain(&error), "a certificate could not be exchanged")
            }
        }
    }
    Ok(renewed)
}

/// Why a request for a new certificate was not answered.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// The certificate could not be made.
    #[error("the certificate could not be made")]
    Pki(#[from] PkiError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// The list in force: its number and its text; none before the first was signed.
///
/// # Errors
/// When the database fails.
pub async fn list_in_force(kit: &Kit) -> Result<Option<(u64, String)>, sqlx::Error> {
    let row: Option<(i64, String)> = sqlx::query_as(LIST).fetch_optional(kit.read()).await?;
    Ok(row.filter(|(_, list)| !list.is_empty()).map(|(number, list)| (number.cast_unsigned(), list)))
}

/// Signs a new list, if what is revoked is not what the one in force says, or somebody was seen with a newer one. Whether one
/// was signed.
pub(crate) async fn sign_list(kit: &Kit, trust: &Trust) -> Result<bool, RenewError> {
    let Some(authority) = trust.authority() else { return Ok(false) };
    let mut tx = kit.begin().await?;
    let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(REVOKED_ALL).fetch_all(&mut *tx).await?;
    let revoked: Vec<Revoked> = rows.into_iter().map(|(serial, at)| Revoked { serial, at }).collect();
    let row: Option<(i64, String)> = sqlx::query_as(LIST).fetch_optional(&mut *tx).await?;
    let (number, list) = row.unwrap_or_default();
    let number = number.cast_unsigned();
    let said = identity::List::read(list.as_bytes(), trust.der());
    let wanted: BTreeSet<Vec<u8>> = revoked.iter().map(|it| it.serial.clone()).collect();
    if said.is_ok_and(|it| it.serials == wanted && it.number == number) {
        return Ok(false);
    }
    let number = next_number(number, tx.now());
    let list = authority.revoke(number, &revoked)?;
    sqlx::query(PUT_LIST).bind(number.cast_signed()).bind(list).execute(&mut *tx).await?;
    tx.record("revocations.signed", &json!({ "number": number, "revoked": revoked.len() })).await?;
    tx.commit().await?;
    Ok(true)
}

/// Minutes since 1970, and more than the one before: a server that was restored from a backup does not give numbers again
/// that devices have seen.
fn next_number(before: u64, now: Micros) -> u64 {
    let minutes = u64::try_from(now / 60_000_000).unwrap_or(0);
    minutes.max(before.saturating_add(1)).max(FIRST_LIST + 1)
}

/// What a device that holds this list is sent; nothing when it is the one in force.
///
/// # Errors
/// When the database fails.
pub async fn answer(kit: &Kit, have: &Have) -> Result<Vec<Chunk>, sqlx::Error> {
    let Some((number, pem)) = list_in_force(kit).await? else { return Ok(Vec::new()) };
    let held = have.version.unwrap_or(0);
    // A server that was restored from a backup goes on above what its devices have, as far as that can be true.
    if held > number && held <= next_number(0, kit.now()).saturating_add(MINUTES_AHEAD) {
        let mut tx = kit.begin().await?;
        let seen = sqlx::query(SEEN).bind(held.cast_signed()).execute(&mut *tx).await?;
        if seen.rows_affected() > 0 {
            tx.record("revocations.seen", &json!({ "number": held })).await?;
            tx.commit().await?;
        }
    }
    if held >= number {
        return Ok(Vec::new());
    }
    let changes: Vec<Change> =
        RevokedRow::pieces(&pem).map(|(id, row)| Change::put(REVOKED, id, &row)).collect();
    let mut digest = Digest::default();
    for change in &changes {
        if let Change::Put { table, id, row } = change {
            digest.toggle(table, *id, row.get());
        }
    }
    Ok(chunks(Set::Revoked, None, number, digest, changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_though_the_clock_or_the_site_was_set_back() {
        let now = 1_772_438_400_000_000;
        let first = next_number(0, now);
        assert_eq!(first, 29_540_640);
        assert_eq!(next_number(first, now), first + 1, "twice in a minute");
        assert_eq!(next_number(first, 0), first + 1, "the clock was set back");
        assert!(next_number(0, now + 60_000_000) > first, "restored from before it");
    }

    #[test]
    fn a_serial_number_is_read_as_it_is_shown() {
        assert_eq!(serial(&hex(&[0x40, 0, 255])), Some(vec![0x40, 0, 255]));
        for none in ["", "4", "4x", "学学", &"40".repeat(21)] {
            assert_eq!(serial(none), None, "{none}");
        }
    }
}
