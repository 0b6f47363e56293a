//! The second factor: an authenticator app and codes for when it is lost; set up, taken away, asked for by a rule.
//!
//! A secret counts only once a code of it was right. It is sealed at rest with the site's key and bound to its operator; a
//! stolen database makes no code. Recovery codes are stored as their SHA-256: they have 80 bits.

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;

use super::change::{confirm as confirm_password, may_change};
use super::operators::{OperatorError, OperatorId};
use super::{Role, totp};
use crate::clock::Micros;
use crate::keys::{Keys, SealError};
use crate::problem::Problem;
use crate::state::{Kit, Tx};

/// Recovery codes made at a time.
pub const CODES: usize = 10;
/// Letters of one, five bits each.
const LETTERS: usize = 16;

crate::statements! {
    BEGIN = "INSERT INTO totp (operator, sealed) VALUES ($1, $2) ON CONFLICT (operator) DO UPDATE SET sealed = excluded.sealed, last_step = 0 WHERE totp.confirmed_at IS NULL";
    OF = "SELECT sealed, confirmed_at FROM totp WHERE operator = $1";
    CONFIRM = "UPDATE totp SET confirmed_at = $2, last_step = $3 WHERE operator = $1 AND confirmed_at IS NULL";
    ACCEPT = "UPDATE totp SET last_step = $2 WHERE operator = $1 AND confirmed_at IS NOT NULL AND last_step < $2";
    REMOVE = "DELETE FROM totp WHERE operator = $1";
    PUT_CODE = "INSERT INTO recovery_code (operator, digest) VALUES ($1, $2)";
    DROP_CODES = "DELETE FROM recovery_code WHERE operator = $1";
    USE_CODE = "DELETE FROM recovery_code WHERE operator = $1 AND digest = $2";
    CODES_LEFT = "SELECT COUNT(*) FROM recovery_code WHERE operator = $1";
    DROP_HALVES = "DELETE FROM half_session WHERE operator = $1";
    RULE = "SELECT rank FROM second_factor_rule WHERE id = 1";
    SET_RULE = "INSERT INTO second_factor_rule (id, rank) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET rank = excluded.rank";
    DROP_RULE = "DELETE FROM second_factor_rule WHERE id = 1";
    ALL = "SELECT operator, sealed FROM totp ORDER BY operator";
    RESEAL = "UPDATE totp SET sealed = $2 WHERE operator = $1";
}

/// How an operator's second factor stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// There is none.
    None,
    /// An app was given a secret and has shown no code yet: it does not count.
    Begun(Secret),
    /// It is asked for at sign-in.
    Stands {
        /// Since when.
        since: Micros,
        /// Recovery codes that were not used yet.
        codes: u64,
    },
}

/// What an app is given. Shown while it is set up, and never again.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// As people type it: 32 letters and digits.
    #[must_use]
    pub fn text(&self) -> String {
        totp::base32(&self.0)
    }

    /// As a QR code carries it, for this operator. The name has no letter that would have to be escaped; those from
    /// before that have are written as their escapes.
    #[must_use]
    pub fn address(&self, name: &str) -> String {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
        let name = name
            .bytes()
            .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
        let name: String = name.collect();
        format!("otpauth://totp/Gatehouse:{name}?secret={}&issuer=Gatehouse", self.text())
    }

    /// The code at this time: for tests, which have no phone.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn code(&self, at: Micros) -> String {
        totp::written(&self.0, at)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why a second factor was not changed.
#[derive(Debug, thiserror::Error)]
pub enum SecondError {
    /// There is one already: it is taken away first.
    #[error("there is a second factor already")]
    Exists,
    /// Nothing was begun, or there is none.
    #[error("there is no second factor")]
    Absent,
    /// The code is not the app's.
    #[error("the code is wrong")]
    WrongCode,
    /// The operator is not there, is above one's rank, or the password is wrong.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The stored secret does not open with the site's key.
    #[error("the stored secret cannot be opened")]
    Sealed(#[from] SealError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<SecondError> for Problem {
    fn from(error: SecondError) -> Self {
        let words = error.to_string();
        match error {
            SecondError::Exists => Self::conflict("second-factor-exists", words),
            SecondError::Absent => Self::not_found(words),
            SecondError::WrongCode => Self::refused("wrong-code", words),
            SecondError::Operator(error) => error.into(),
            error @ SecondError::Sealed(_) => Self::internal(&error),
            SecondError::Database(error) => error.into(),
        }
    }
}

/// How somebody's second factor stands.
///
/// # Errors
/// When the database fails, or the secret does not open.
pub async fn of(kit: &Kit, operator: OperatorId) -> Result<State, SecondError> {
    let found: Option<(Vec<u8>, Option<i64>)> =
        sqlx::query_as(OF).bind(operator.0).fetch_optional(kit.read()).await?;
    Ok(match found {
        None => State::None,
        Some((sealed, None)) => State::Begun(Secret(unseal(kit.keys(), operator, &sealed)?)),
        Some((_, Some(since))) => {
            let (codes,): (i64,) = sqlx::query_as(CODES_LEFT).bind(operator.0).fetch_one(kit.read()).await?;
            State::Stands { since, codes: codes.cast_unsigned() }
        }
    })
}

/// Makes a secret for an app, for somebody who shows their password once more: who sits down at a session left open makes
/// it nobody's but the owner's. One that was begun and not confirmed is forgotten.
///
/// # Errors
/// When the password is wrong or was wrong too often, or there is a second factor already.
pub async fn begin(kit: &Kit, operator: OperatorId, password: &str) -> Result<(), SecondError> {
    confirm_password(kit, operator, password).await?;
    let mut secret = [0; totp::SECRET];
    SystemRandom::new().fill(&mut secret).expect("the system's random source works");
    let mut tx = kit.begin().await?;
    let sealed = kit.keys().seal(&bound_to(operator), &secret);
    let done = sqlx::query(BEGIN).bind(operator.0).bind(sealed).execute(&mut *tx).await?;
    if done.rows_affected() == 0 {
        return Err(SecondError::Exists);
    }
    Ok(tx.commit().await?)
}

/// The app shows its first code: from now on it is asked for. The recovery codes, shown this once.
///
/// # Errors
/// When the code is not right, or nothing was begun.
pub async fn confirm(kit: &Kit, operator: OperatorId, typed: &str) -> Result<Vec<String>, SecondError> {
    let State::Begun(secret) = of(kit, operator).await? else { return Err(SecondError::Absent) };
    let mut tx = kit.begin().await?;
    let step = totp::matching(&secret.0, &plain(typed), tx.now()).ok_or(SecondError::WrongCode)?;
    let now = tx.now();
    let done = sqlx::query(CONFIRM).bind(operator.0).bind(now).bind(step).execute(&mut *tx).await?;
    if done.rows_affected() == 0 {
        return Err(SecondError::Absent);
    }
    let codes = put_codes(&mut tx, operator).await?;
    tx.record("operator.second-factor", &json!({ "operator": operator.0 })).await?;
    tx.commit().await?;
    Ok(codes)
}

/// New recovery codes in place of those before, for somebody who shows their password once more.
///
/// # Errors
/// When the password is wrong or was wrong too often, or there is no second factor.
pub async fn new_codes(kit: &Kit, operator: OperatorId, password: &str) -> Result<Vec<String>, SecondError> {
    confirm_password(kit, operator, password).await?;
    let State::Stands { .. } = of(kit, operator).await? else { return Err(SecondError::Absent) };
    let mut tx = kit.begin().await?;
    let codes = put_codes(&mut tx, operator).await?;
    tx.record("operator.recovery-codes", &json!({ "operator": operator.0 })).await?;
    tx.commit().await?;
    Ok(codes)
}

/// Takes one's own away; needs the password.
///
/// # Errors
/// When the password is wrong or was wrong too often, or there is none.
pub async fn remove_own(kit: &Kit, operator: OperatorId, password: &str) -> Result<(), SecondError> {
    confirm_password(kit, operator, password).await?;
    remove(kit, operator, operator).await
}

/// Takes somebody's away who has lost their phone. Their password goes on being asked for.
///
/// # Errors
/// When there is none, or they are above the rank of `by`.
pub async fn remove(kit: &Kit, by: OperatorId, operator: OperatorId) -> Result<(), SecondError> {
    let mut tx = kit.begin().await?;
    may_change(&mut tx, by, operator).await?;
    if !take_away(&mut tx, operator, Some(by)).await? {
        return Err(SecondError::Absent);
    }
    Ok(tx.commit().await?)
}

/// Takes it away, with all that hangs on it; whether there was one.
pub(super) async fn take_away(
    tx: &mut Tx,
    operator: OperatorId,
    by: Option<OperatorId>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(REMOVE).bind(operator.0).execute(&mut **tx).await?.rows_affected();
    sqlx::query(DROP_HALVES).bind(operator.0).execute(&mut **tx).await?;
    if done > 0 {
        let body = json!({ "operator": operator.0, "by": by.map(|by| by.0) });
        tx.record("operator.second-factor-removed", &body).await?;
    }
    Ok(done > 0)
}

/// The rank from which on a second factor is asked for; `None` when it is anybody's own choice.
///
/// # Errors
/// When the database fails.
pub async fn rule(kit: &Kit) -> Result<Option<Role>, sqlx::Error> {
    let found: Option<(i64,)> = sqlx::query_as(RULE).fetch_optional(kit.read()).await?;
    found.map(|(rank,)| super::operators::role(rank)).transpose()
}

/// Sets that rank: whoever has it and no second factor is led to set one up at their next request.
///
/// # Errors
/// When the database fails.
pub async fn set_rule(kit: &Kit, by: OperatorId, from: Option<Role>) -> Result<(), sqlx::Error> {
    let mut tx = kit.begin().await?;
    match from {
        Some(role) => {
            sqlx::query(SET_RULE).bind(i64::from(role.rank())).execute(&mut *tx).await?;
        }
        None => {
            sqlx::query(DROP_RULE).execute(&mut *tx).await?;
        }
    }
    let body = json!({ "from": from.map(Role::as_str), "by": by.0 });
    tx.record("operator.second-factor-rule", &body).await?;
    tx.commit().await
}

/// What somebody shows beside the password.
#[derive(Debug)]
pub(super) enum Shown {
    /// The app's code.
    Code(String),
    /// A recovery code, by its digest.
    Recovery(Vec<u8>),
}

impl Shown {
    /// What was typed; spaces and hyphens are for the eye.
    pub(super) fn read(operator: OperatorId, typed: &str) -> Self {
        let typed = plain(typed);
        if totp::is_code(&typed) { Self::Code(typed) } else { Self::Recovery(digest_of(operator, &typed)) }
    }

    /// Whether it is the operator's and was not shown before: then it never will be again. The database says so, to
    /// however many servers.
    pub(super) async fn accept(self, tx: &mut Tx, operator: OperatorId) -> Result<bool, SecondError> {
        let done = match self {
            Self::Code(typed) => {
                let found: Option<(Vec<u8>, Option<i64>)> =
                    sqlx::query_as(OF).bind(operator.0).fetch_optional(&mut **tx).await?;
                let Some((sealed, _)) = found else { return Ok(false) };
                let secret = unseal(tx.kit().keys(), operator, &sealed)?;
                let Some(step) = totp::matching(&secret, &typed, tx.now()) else { return Ok(false) };
                sqlx::query(ACCEPT).bind(operator.0).bind(step).execute(&mut **tx).await?
            }
            Self::Recovery(digest) => {
                let done = sqlx::query(USE_CODE).bind(operator.0).bind(digest).execute(&mut **tx).await?;
                if done.rows_affected() > 0 {
                    tx.record("operator.recovery-code", &json!({ "operator": operator.0 })).await?;
                }
                done
            }
        };
        Ok(done.rows_affected() > 0)
    }
}

/// Seals every secret again that was sealed under retired keys.
///
/// # Errors
/// When one does not open with them.
pub async fn reseal(tx: &mut Tx, retired: &Keys) -> Result<u64, SecondError> {
    let all: Vec<(i64, Vec<u8>)> = sqlx::query_as(ALL).fetch_all(&mut **tx).await?;
    let keys = tx.kit().clone();
    let mut count = 0;
    for (id, sealed) in all {
        let operator = OperatorId(id);
        // A run that was broken off and begun again finds some sealed already.
        if unseal(keys.keys(), operator, &sealed).is_ok() {
            continue;
        }
        let secret = unseal(retired, operator, &sealed)?;
        let again = keys.keys().seal(&bound_to(operator), &secret);
        sqlx::query(RESEAL).bind(id).bind(again).execute(&mut **tx).await?;
        count += 1;
    }
    Ok(count)
}

async fn put_codes(tx: &mut Tx, operator: OperatorId) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query(DROP_CODES).bind(operator.0).execute(&mut **tx).await?;
    let mut codes = Vec::with_capacity(CODES);
    for _ in 0..CODES {
        let code = fresh_code();
        sqlx::query(PUT_CODE)
            .bind(operator.0)
            .bind(digest_of(operator, &plain(&code)))
            .execute(&mut **tx)
            .await?;
        codes.push(code);
    }
    Ok(codes)
}

/// Four groups of four letters without look-alikes.
fn fresh_code() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; LETTERS];
    SystemRandom::new().fill(&mut bytes).expect("the system's random source works");
    let letters: Vec<u8> = bytes.iter().map(|byte| ALPHABET[usize::from(byte % 32)]).collect();
    let groups: Vec<_> = letters.chunks(4).map(String::from_utf8_lossy).collect();
    groups.join("-")
}

fn plain(typed: &str) -> String {
    typed.chars().filter(|it| !it.is_whitespace() && *it != '-').collect::<String>().to_ascii_lowercase()
}

fn digest_of(operator: OperatorId, plain: &str) -> Vec<u8> {
    digest(&SHA256, format!("gatehouse recovery {} {plain}", operator.0).as_bytes()).as_ref().to_vec()
}

fn bound_to(operator: OperatorId) -> Vec<u8> {
    [b"totp\0", &operator.0.to_be_bytes()[..]].concat()
}

fn unseal(keys: &Keys, operator: OperatorId, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    keys.unseal(&bound_to(operator), sealed)
}
