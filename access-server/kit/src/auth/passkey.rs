//! Passkeys: key pairs on operators' devices, which sign in by themselves.
//!
//! A device shows that its owner has it and that it made sure of them, by finger, face or PIN: a passkey counts as both
//! factors. It lets in from the sign-in page, or as the second step after a password. What is kept here is the public
//! half, which opens nothing. Nobody guesses a signature, so a passkey never waits for others' wrong tries; the password
//! stays, so that no device that is lost shuts anybody out.

mod cbor;
mod challenge;
mod webauthn;
mod wire;

use std::sync::{Mutex, OnceLock, PoisonError};

use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;

use super::Operator;
use super::attempts::place;
use super::change::{confirm as confirm_password, may_change};
use super::half::{self, Half};
use super::operators::{OperatorError, OperatorId};
use super::session::{Desk, NewSession, digest_of, open_in};
use crate::clock::Micros;
use crate::db::Fault;
use crate::problem::Problem;
use crate::state::{Kit, Tx};
pub use challenge::OPEN;
use challenge::{Adding, Challenges, Purpose};
pub use webauthn::{ALGORITHMS, Party, Wrong};
use webauthn::{Kept, Signed};
pub use wire::{Assertion, Bytes, Creation, Registration, Request};

/// Passkeys that somebody may have at once.
pub const MOST: usize = 10;
/// Letters of a passkey's name, at most.
pub const NAME: usize = 64;
/// Bytes that the parts of an answer have at most: what a TPM says of itself is the longest, and is stepped over.
const LONGEST: usize = 64 * 1024;

crate::statements! {
    PASSKEYS = "SELECT id, name, synced, created_at, used_at FROM passkey WHERE operator = $1 ORDER BY created_at, id";
    PASSKEY_COUNTS = "SELECT operator, COUNT(*) FROM passkey GROUP BY operator";
    CREDENTIALS = "SELECT credential, handle FROM passkey WHERE operator = $1 ORDER BY id";
    MAY_ADD = "SELECT must_change FROM operator WHERE id = $1 AND disabled = 0";
    ADD_PASSKEY = "INSERT INTO passkey (operator, credential, handle, public_key, counter, synced, name, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
    FIND_PASSKEY = "SELECT k.id, k.operator, k.handle, k.public_key, k.counter, k.synced FROM passkey k JOIN operator o ON o.id = k.operator WHERE k.credential = $1 AND o.disabled = 0";
    USE_PASSKEY = "UPDATE passkey SET counter = $2, used_at = $3 WHERE id = $1 AND (counter < $2 OR counter = 0) AND operator IN (SELECT id FROM operator WHERE disabled = 0)";
    REMOVE_PASSKEY = "DELETE FROM passkey WHERE operator = $1 AND id = $2";
    REMOVE_PASSKEYS = "DELETE FROM passkey WHERE operator = $1 RETURNING id";
    END_PASSKEY_HALVES = "DELETE FROM half_session WHERE operator = $1";
    WAYS = "SELECT (SELECT COUNT(*) FROM totp t WHERE t.operator = $1 AND t.confirmed_at IS NOT NULL), (SELECT COUNT(*) FROM passkey k WHERE k.operator = $1)";
}

/// A passkey, pseudonymously.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PasskeyId(pub i64);

/// A passkey as its owner's list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// The id: what is journaled.
    pub id: PasskeyId,
    /// What its owner calls it.
    pub name: String,
    /// Whether it may be on several of its owner's devices.
    pub synced: bool,
    /// When it was made.
    pub created_at: Micros,
    /// When it was used last.
    pub used_at: Option<Micros>,
}

/// How somebody who showed the password can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// With a code: of an app, or a recovery code.
    pub code: bool,
    /// With a passkey.
    pub passkey: bool,
}

/// Why a passkey was not taken, made or removed.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// The configuration names no host that passkeys could be made for.
    #[error("this server has no name that passkeys could be made for")]
    Off,
    /// Nothing was asked, or too long ago, or it was answered already.
    #[error("the question was asked too long ago, or was answered already")]
    Late,
    /// The device's answer is not what was asked for. The words do not tell whether the passkey exists.
    #[error("the passkey is not known here, or its answer is not the one asked for")]
    Wrong,
    /// The key is on two devices: neither is let in.
    #[error("the passkey was copied and is not taken any more")]
    Copied,
    /// A first password is somebody else's knowledge too: whoever has one chooses their own first.
    #[error("choose a password of your own first")]
    FirstPassword,
    /// There are as many as there may be.
    #[error("there are {MOST} passkeys already")]
    TooMany,
    /// It is registered already.
    #[error("this passkey is registered already")]
    Exists,
    /// There is none of this number.
    #[error("there is no such passkey")]
    Absent,
    /// Names have 1 to 64 characters.
    #[error("a passkey's name has 1 to {NAME} characters")]
    Name,
    /// The operator is not there, is above one's rank, or the password is wrong.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<PasskeyError> for Problem {
    fn from(error: PasskeyError) -> Self {
        let words = error.to_string();
        match error {
            PasskeyError::Off => Self::refused("passkeys-off", words),
            PasskeyError::Late => Self::refused("passkey-late", words),
            PasskeyError::Wrong => Self::refused("passkey-wrong", words),
            PasskeyError::Copied => Self::refused("passkey-copied", words),
            PasskeyError::FirstPassword => Self::refused("first-password", words),
            PasskeyError::TooMany => Self::conflict("too-many-passkeys", words),
            PasskeyError::Exists => Self::conflict("passkey-exists", words),
            PasskeyError::Absent => Self::not_found(words),
            PasskeyError::Name => Self::refused("passkey-name", words),
            PasskeyError::Operator(error) => error.into(),
            PasskeyError::Database(error) => error.into(),
        }
    }
}

/// For whom passkeys are made, and what devices were asked.
#[derive(Debug, Default)]
pub struct Passkeys {
    party: OnceLock<Party>,
    open: Mutex<Challenges>,
}

impl Passkeys {
    /// Says for whom passkeys are made: once, before anybody asks.
    pub fn hold_for(&self, party: Party) {
        let _ = self.party.set(party);
    }

    /// For whom they are made; `None` when there are none.
    #[must_use]
    pub fn party(&self) -> Option<&Party> {
        self.party.get()
    }

    fn ask(&self, purpose: Purpose, asker: String, now: Micros) -> [u8; 32] {
        let challenge = drawn();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).open(challenge, purpose, asker, now);
        challenge
    }

    /// The question that an answer is to, with what it was for. It is closed by that.
    fn answered(&self, client_data: &[u8], now: Micros) -> Result<(Vec<u8>, Purpose), PasskeyError> {
        let challenge = webauthn::challenge_of(client_data).ok_or(PasskeyError::Wrong)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let purpose = open.take(&challenge, now).ok_or(PasskeyError::Late)?;
        Ok((challenge, purpose))
    }
}

/// Somebody's passkeys, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of(kit: &Kit, operator: OperatorId) -> Result<Vec<Passkey>, sqlx::Error> {
    let rows: Vec<(i64, String, i64, i64, Option<i64>)> =
        sqlx::query_as(PASSKEYS).bind(operator.0).fetch_all(kit.read()).await?;
    let passkeys = rows.into_iter().map(|(id, name, synced, created_at, used_at)| Passkey {
        id: PasskeyId(id),
        name,
        synced: synced != 0,
        created_at,
        used_at,
    });
    Ok(passkeys.collect())
}

/// How many passkeys each operator has who has any.
///
/// # Errors
/// When the database fails.
pub async fn counts(kit: &Kit) -> Result<std::collections::HashMap<OperatorId, u64>, sqlx::Error> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(PASSKEY_COUNTS).fetch_all(kit.read()).await?;
    Ok(rows.into_iter().map(|(operator, count)| (OperatorId(operator), count.cast_unsigned())).collect())
}

/// Asks a browser to make a passkey of this name, for somebody who shows their password once more.
///
/// # Errors
/// When the password is wrong or was wrong too often, or is a first one; the name is none; there are as many as there
/// may be.
pub async fn begin(
    kit: &Kit,
    operator: &Operator,
    name: &str,
    password: &str,
) -> Result<Creation, PasskeyError> {
    let party = kit.passkeys().party().ok_or(PasskeyError::Off)?;
    let name = name.trim();
    if !(1..=NAME).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(PasskeyError::Name);
    }
    confirm_password(kit, operator.id, password).await?;
    may_add(&mut *kit.read().acquire().await?, operator.id).await?;
    let there: Vec<(Vec<u8>, Vec<u8>)> =
        sqlx::query_as(CREDENTIALS).bind(operator.id.0).fetch_all(kit.read()).await?;
    if there.len() >= MOST {
        return Err(PasskeyError::TooMany);
    }
    let handle = there.first().map_or_else(|| drawn().to_vec(), |(_, handle)| handle.clone());
    let adding = Adding {
        operator: operator.id,
        session: digest_of(operator.session()),
        handle: handle.clone(),
        name: name.to_owned(),
    };
    // Whoever is signed in is an asker of their own: no address has a space.
    let asker = format!("operator {}", operator.id.0);
    let challenge = kit.passkeys().ask(Purpose::Add(adding), asker, kit.now());
    let there = there.into_iter().map(|(credential, _)| credential).collect();
    Ok(Creation::new(party, challenge, (handle, &operator.name), there))
}

/// Takes what the browser made.
///
/// # Errors
/// When it is not what was asked for in this session within [`OPEN`], or is registered already.
pub async fn add(kit: &Kit, operator: &Operator, made: &Registration) -> Result<PasskeyId, PasskeyError> {
    let party = kit.passkeys().party().ok_or(PasskeyError::Off)?;
    let (client_data, attestation) = (&made.response.client_data.0, &made.response.attestation_object.0);
    bounded([client_data, attestation])?;
    let (challenge, purpose) = kit.passkeys().answered(client_data, kit.now())?;
    let Purpose::Add(adding) = purpose else { return Err(PasskeyError::Late) };
    if (adding.operator, adding.session) != (operator.id, digest_of(operator.session())) {
        return Err(PasskeyError::Late);
    }
    let made = webauthn::registered(party, &challenge, client_data, attestation).map_err(noted)?;
    let mut tx = kit.begin().await?;
    may_add(&mut tx, operator.id).await?;
    let there: Vec<(Vec<u8>, Vec<u8>)> =
        sqlx::query_as(CREDENTIALS).bind(operator.id.0).fetch_all(&mut *tx).await?;
    if there.len() >= MOST {
        return Err(PasskeyError::TooMany);
    }
    let now = tx.now();
    let added = sqlx::query_as::<_, (i64,)>(ADD_PASSKEY)
        .bind(operator.id.0)
        .bind(made.credential)
        .bind(adding.handle)
        .bind(made.public_key)
        .bind(i64::from(made.counter))
        .bind(i64::from(made.synced))
        .bind(adding.name)
        .bind(now)
        .fetch_one(&mut *tx)
        .await;
    let (id,) = match added {
        Err(error) if Fault::of(&error) == Fault::Constraint => return Err(PasskeyError::Exists),
        other => other?,
    };
    tx.record("operator.passkey-added", &json!({ "operator": operator.id.0, "passkey": id })).await?;
    tx.commit().await?;
    Ok(PasskeyId(id))
}

/// Asks a browser for whatever passkey its user has for this site.
///
/// # Errors
/// [`PasskeyError::Off`].
pub fn ask(kit: &Kit, address: &str) -> Result<Request, PasskeyError> {
    let party = kit.passkeys().party().ok_or(PasskeyError::Off)?;
    let challenge = kit.passkeys().ask(Purpose::SignIn, place(address), kit.now());
    Ok(Request::new(party, challenge, Vec::new()))
}

/// Signs in with a passkey alone.
///
/// # Errors
/// When it is not one of ours, or not what was asked for.
pub async fn sign_in(
    kit: &Kit,
    shown: &Assertion,
    desk: impl Into<Desk<'_>>,
) -> Result<NewSession, PasskeyError> {
    let (challenge, purpose) = answered(kit, shown)?;
    // The device found it by itself, so it must say whose it is (7.2, step 6).
    if purpose != Purpose::SignIn || shown.response.user_handle.is_none() {
        return Err(PasskeyError::Wrong);
    }
    enter(kit, shown, &challenge, None, desk.into()).await
}

/// How somebody who showed the password can go on; `None` when the half has ended.
///
/// # Errors
/// When the database fails.
pub async fn ways(kit: &Kit, half: &Half) -> Result<Option<Ways>, sqlx::Error> {
    let Some(operator) = half::holder(kit, half).await? else { return Ok(None) };
    let (codes, passkeys): (i64, i64) = sqlx::query_as(WAYS).bind(operator.0).fetch_one(kit.read()).await?;
    Ok(Some(Ways { code: codes > 0, passkey: passkeys > 0 && kit.passkeys().party().is_some() }))
}

/// Asks a browser for one of the passkeys of whoever showed the password.
///
/// # Errors
/// [`PasskeyError::Late`] when the half has ended, [`PasskeyError::Off`].
pub async fn ask_half(kit: &Kit, half: &Half, address: &str) -> Result<Request, PasskeyError> {
    let party = kit.passkeys().party().ok_or(PasskeyError::Off)?;
    let operator = half::holder(kit, half).await?.ok_or(PasskeyError::Late)?;
    let there: Vec<(Vec<u8>, Vec<u8>)> =
        sqlx::query_as(CREDENTIALS).bind(operator.0).fetch_all(kit.read()).await?;
    let purpose = Purpose::Second(half.digest());
    let challenge = kit.passkeys().ask(purpose, place(address), kit.now());
    Ok(Request::new(party, challenge, there.into_iter().map(|(credential, _)| credential).collect()))
}

/// Signs in with a passkey after a password.
///
/// # Errors
/// When it is not one of this operator's, not what was asked for, or the half has ended.
pub async fn finish(
    kit: &Kit,
    half: &Half,
    shown: &Assertion,
    desk: impl Into<Desk<'_>>,
) -> Result<NewSession, PasskeyError> {
    let (challenge, purpose) = answered(kit, shown)?;
    if purpose != Purpose::Second(half.digest()) {
        return Err(PasskeyError::Wrong);
    }
    let operator = half::holder(kit, half).await?.ok_or(PasskeyError::Late)?;
    enter(kit, shown, &challenge, Some((half, operator)), desk.into()).await
}

/// Takes one of one's own away; needs the password.
///
/// # Errors
/// When the password is wrong or was wrong too often, or there is none of this number.
pub async fn remove_own(
    kit: &Kit,
    operator: OperatorId,
    id: PasskeyId,
    password: &str,
) -> Result<(), PasskeyError> {
    confirm_password(kit, operator, password).await?;
    let mut tx = kit.begin().await?;
    let done = sqlx::query(REMOVE_PASSKEY).bind(operator.0).bind(id.0).execute(&mut *tx).await?;
    if done.rows_affected() == 0 {
        return Err(PasskeyError::Absent);
    }
    removed(&mut tx, operator, id, Some(operator)).await?;
    Ok(tx.commit().await?)
}

/// Takes all of somebody's away who has lost them. Their password goes on being asked for.
///
/// # Errors
/// When there are none, or they are above the rank of `by`.
pub async fn remove_all(kit: &Kit, by: OperatorId, operator: OperatorId) -> Result<(), PasskeyError> {
    let mut tx = kit.begin().await?;
    may_change(&mut tx, by, operator).await?;
    if !take_away(&mut tx, operator, Some(by)).await? {
        return Err(PasskeyError::Absent);
    }
    Ok(tx.commit().await?)
}

/// Takes all of them away; whether there were any.
pub(super) async fn take_away(
    tx: &mut Tx,
    operator: OperatorId,
    by: Option<OperatorId>,
) -> Result<bool, sqlx::Error> {
    let gone: Vec<(i64,)> = sqlx::query_as(REMOVE_PASSKEYS).bind(operator.0).fetch_all(&mut **tx).await?;
    for (id,) in &gone {
        removed(tx, operator, PasskeyId(*id), by).await?;
    }
    Ok(!gone.is_empty())
}

async fn removed(
    tx: &mut Tx,
    operator: OperatorId,
    id: PasskeyId,
    by: Option<OperatorId>,
) -> Result<(), sqlx::Error> {
    // Who is half signed in begins anew, by what is left.
    sqlx::query(END_PASSKEY_HALVES).bind(operator.0).execute(&mut **tx).await?;
    let body = json!({ "operator": operator.0, "passkey": id.0, "by": by.map(|by| by.0) });
    tx.record("operator.passkey-removed", &body).await.map(drop)
}

/// Whether somebody may have another. Whoever knows a first password is not yet the account's owner alone.
async fn may_add(connection: &mut sqlx::AnyConnection, operator: OperatorId) -> Result<(), PasskeyError> {
    let found: Option<(i64,)> = sqlx::query_as(MAY_ADD).bind(operator.0).fetch_optional(connection).await?;
    match found {
        Some((0,)) => Ok(()),
        Some(_) => Err(PasskeyError::FirstPassword),
        None => Err(OperatorError::Unknown.into()),
    }
}

fn answered(kit: &Kit, shown: &Assertion) -> Result<(Vec<u8>, Purpose), PasskeyError> {
    let response = &shown.response;
    bounded([&response.client_data.0, &response.authenticator_data.0, &response.signature.0])?;
    kit.passkeys().answered(&response.client_data.0, kit.now())
}

/// Lets somebody in whose device signed; `half` is who showed the password before.
async fn enter(
    kit: &Kit,
    shown: &Assertion,
    challenge: &[u8],
    half: Option<(&Half, OperatorId)>,
    desk: Desk<'_>,
) -> Result<NewSession, PasskeyError> {
    type Row = (i64, i64, Vec<u8>, Vec<u8>, i64, i64);
    let party = kit.passkeys().party().ok_or(PasskeyError::Off)?;
    let found: Option<Row> =
        sqlx::query_as(FIND_PASSKEY).bind(&shown.raw_id.0).fetch_optional(kit.read()).await?;
    let (id, operator, handle, public_key, counter, synced) = found.ok_or(PasskeyError::Wrong)?;
    if half.is_some_and(|(_, holder)| holder.0 != operator) {
        return Err(noted(Wrong::Owner));
    }
    let kept = Kept {
        handle: &handle,
        public_key: &public_key,
        counter: u32::try_from(counter).unwrap_or(u32::MAX),
        synced: synced != 0,
    };
    let response = &shown.response;
    let signed = Signed {
        client_data: &response.client_data.0,
        authenticator_data: &response.authenticator_data.0,
        signature: &response.signature.0,
        handle: response.user_handle.as_ref().map(|handle| &*handle.0),
    };
    let shown = webauthn::shown(party, challenge, kept, signed);
    let mut tx = kit.begin().await?;
    let now = tx.now();
    let used = match shown {
        Ok(counter) => {
            let used = sqlx::query(USE_PASSKEY).bind(id).bind(i64::from(counter)).bind(now);
            used.execute(&mut *tx).await?.rows_affected() > 0
        }
        Err(Wrong::Copied) => {
            tx.record("operator.passkey-copied", &json!({ "operator": operator, "passkey": id })).await?;
            tx.commit().await?;
            return Err(PasskeyError::Copied);
        }
        Err(wrong) => return Err(noted(wrong)),
    };
    if !used {
        // Taken away, shut out, or used elsewhere at this very moment.
        return Err(PasskeyError::Wrong);
    }
    if let Some((half, _)) = half
        && !half::close(&mut tx, half).await?
    {
        return Err(PasskeyError::Late);
    }
    tx.record("operator.passkey-used", &json!({ "operator": operator, "passkey": id })).await?;
    let session = open_in(&mut tx, operator, desk).await?;
    tx.commit().await?;
    Ok(session)
}

/// Why is for the log: it says nothing of whom it is about.
fn noted(wrong: Wrong) -> PasskeyError {
    tracing::info!(%wrong, "a passkey was not taken");
    PasskeyError::Wrong
}

fn bounded<const N: usize>(parts: [&Vec<u8>; N]) -> Result<(), PasskeyError> {
    if parts.iter().all(|part| part.len() <= LONGEST) { Ok(()) } else { Err(PasskeyError::Wrong) }
}

fn drawn() -> [u8; 32] {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).expect("the system's random source works");
    bytes
}
