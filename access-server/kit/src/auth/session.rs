//! Sessions: signing in, out, and finding out who a cookie belongs to.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::attempts::{Try, place};
use super::half::{self, Half};
use super::operator::Owed;
use super::operators::{OperatorId, fold, role};
use super::second::SecondError;
use super::{IDLE, LONGEST, Ranks, password, ranks};
use crate::clock::{Micros, micros};
use crate::journal::hex;
use crate::problem::{Problem, chain};
use crate::state::{Kit, Tx};

/// The cookie's name. The prefix makes browsers insist on `Secure`, `Path=/` and no `Domain`.
pub const SESSION_COOKIE: &str = "__Host-session";
/// Use is written down at most so often, so that reading pages does not write.
const NOTE_USE: Micros = 60_000_000;
/// A clock corrected by no more than this ends no session.
const CORRECTION: Micros = 60_000_000;
/// An answer to who has to wait takes so long: long enough to look at a password.
pub(super) const LOOKED_AT: Duration = Duration::from_secs(1);
/// An address that an account has not signed in from for so long is a stranger's again.
const STRANGE_AFTER: Duration = Duration::from_secs(90 * 24 * 60 * 60);

crate::statements! {
    ACCOUNT = "SELECT o.id, o.password, (SELECT COUNT(*) FROM operator_address a WHERE a.operator = o.id AND a.address = $2), (SELECT COUNT(*) FROM totp t WHERE t.operator = o.id AND t.confirmed_at IS NOT NULL) + (SELECT COUNT(*) FROM passkey k JOIN second_factor_rule r ON r.rank <= o.role WHERE k.operator = o.id) FROM operator o WHERE o.name = $1 AND o.disabled = 0";
    SIGNED_IN_FROM = "INSERT INTO operator_address (operator, address, used_at) VALUES ($1, $2, $3) ON CONFLICT (operator, address) DO UPDATE SET used_at = excluded.used_at";
    FORGET_ADDRESSES = "DELETE FROM operator_address WHERE used_at < $1";
    OPEN = "INSERT INTO session (digest, operator, created_at, used_at, address, agent) VALUES ($1, $2, $3, $4, $5, $6)";
    SIGNED_IN = "UPDATE operator SET signed_in_at = $2 WHERE id = $1";
    FIND = "SELECT o.id, o.name, o.role, o.must_change, o.language, s.created_at, s.used_at, (SELECT COUNT(*) FROM totp t WHERE t.operator = o.id AND t.confirmed_at IS NOT NULL) + (SELECT COUNT(*) FROM passkey k WHERE k.operator = o.id), (SELECT MIN(r.rank) FROM second_factor_rule r), (SELECT COUNT(*) FROM operator_place p WHERE p.operator = o.id) FROM session s JOIN operator o ON o.id = s.operator WHERE s.digest = $1 AND o.disabled = 0";
    USE = "UPDATE session SET used_at = $2 WHERE digest = $1";
    END = "DELETE FROM session WHERE digest = $1 RETURNING operator";
    SWEEP = "DELETE FROM session WHERE used_at < $1 OR created_at < $2 OR used_at > $3";
}

/// Letters of what a browser calls itself that are kept.
const AGENT: usize = 256;

/// Where somebody signs in.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    /// The peer's address: for the back-off, and for whoever looks at their sessions.
    pub address: &'a str,
    /// What the browser calls itself (`User-Agent`), shown beside the session; empty when it says nothing.
    pub agent: &'a str,
}

impl<'a> From<&'a str> for Desk<'a> {
    fn from(address: &'a str) -> Self {
        Self { address, agent: "" }
    }
}

/// A session just opened.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Who signed in.
    pub operator: OperatorId,
    /// The `Set-Cookie` header's value.
    pub set_cookie: String,
}

/// How far signing in came.
#[derive(Clone, Debug)]
pub enum Entry {
    /// All was shown that was asked for.
    Whole(NewSession),
    /// The second factor is still to be shown: see [`half::finish`].
    Half(Half),
}

impl Entry {
    /// The session, where there is one.
    #[must_use]
    pub fn whole(self) -> Option<NewSession> {
        match self {
            Self::Whole(session) => Some(session),
            Self::Half(_) => None,
        }
    }
}

/// Why nobody was signed in. The words do not tell whether the account exists.
#[derive(Debug, thiserror::Error)]
pub enum LoginRefusal {
    /// Name, password or code is wrong, or the account is disabled.
    #[error("the name, the password or the code is wrong")]
    Wrong,
    /// The password is to be shown again: it was shown too long ago, or changed since.
    #[error("the password was shown too long ago")]
    HalfEnded,
    /// The second factor could not be looked at.
    #[error(transparent)]
    Second(#[from] SecondError),
    /// Too many wrong tries: wait so many seconds.
    #[error("too many wrong tries: wait {0} s")]
    Wait(u64),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<LoginRefusal> for Problem {
    fn from(refusal: LoginRefusal) -> Self {
        match refusal {
            LoginRefusal::Wrong => {
                Self::refused("wrong-login", "the name, the password or the code is wrong")
            }
            LoginRefusal::HalfEnded => Self::signed_out(),
            LoginRefusal::Second(error) => error.into(),
            LoginRefusal::Wait(seconds) => Self::too_many(seconds),
            LoginRefusal::Database(error) => error.into(),
        }
    }
}

/// Signs in.
///
/// # Errors
/// When refused, or the database fails.
pub async fn sign_in(
    kit: &Kit,
    name: &str,
    password: &str,
    desk: impl Into<Desk<'_>>,
) -> Result<Entry, LoginRefusal> {
    let desk = desk.into();
    let name = fold(name).ok_or(LoginRefusal::Wrong)?;
    let address = place(desk.address);
    let account: Option<(i64, String, i64, i64)> =
        sqlx::query_as(ACCOUNT).bind(&name).bind(&address).fetch_optional(kit.read()).await?;
    let who = Try {
        account: &name,
        exists: account.is_some(),
        address: &address,
        known_here: account.as_ref().is_some_and(|(_, _, used, _)| *used > 0),
    };
    let answer_at = Instant::now() + LOOKED_AT;
    let taken = kit.attempts().take(who, kit.now()).map_err(LoginRefusal::Wait)?;
    let has_second = account.as_ref().is_some_and(|(_, _, _, second)| *second > 0);
    let (id, stored) = account.map(|(id, stored, ..)| (id, stored)).unzip();
    if !(taken.looked_at && password::matches(password, stored).await) {
        // Names that are nobody's are for the back-off alone: outsiders do not fill the journal.
        if let Some(id) = id.filter(|_| taken.alarm) {
            note_wrong(kit, id).await?;
        }
        if taken.wait == 0 {
            return Err(LoginRefusal::Wrong);
        }
        // Where strangers wait, the time of the answer does not tell whether a password was looked at.
        sleep_until(answer_at).await;
        return Err(LoginRefusal::Wait(taken.wait));
    }
    let id = id.expect("only a known account's password matches");
    if has_second {
        kit.attempts().halfway(who, taken, kit.now());
        return Ok(Entry::Half(half::open(kit, id).await?));
    }
    kit.attempts().right(who, taken);
    open(kit, id, desk).await.map(Entry::Whole)
}

/// Journals that a password was tried too often.
pub(super) async fn note_wrong(kit: &Kit, operator: i64) -> Result<(), sqlx::Error> {
    let mut tx = kit.begin().await?;
    tx.record("operator.wrong-password", &json!({ "operator": operator })).await?;
    tx.commit().await
}

/// Opens a session for somebody who has shown who they are.
pub(super) async fn open(kit: &Kit, operator: i64, desk: Desk<'_>) -> Result<NewSession, LoginRefusal> {
    let mut tx = kit.begin().await?;
    let session = open_in(&mut tx, operator, desk).await?;
    tx.commit().await?;
    Ok(session)
}

/// The same, in a transaction with what was shown.
pub(super) async fn open_in(tx: &mut Tx, operator: i64, desk: Desk<'_>) -> Result<NewSession, sqlx::Error> {
    let address = place(desk.address);
    let agent: String = desk.agent.chars().take(AGENT).collect();
    let mut id = [0; 32];
    SystemRandom::new().fill(&mut id).expect("the system's random source works");
    let cookie = hex(&id);
    let now = tx.now();
    sqlx::query(SWEEP)
        .bind(now - micros(IDLE))
        .bind(now - micros(LONGEST))
        .bind(now + CORRECTION)
        .execute(&mut **tx)
        .await?;
    sqlx::query(FORGET_ADDRESSES).bind(now - micros(STRANGE_AFTER)).execute(&mut **tx).await?;
    sqlx::query(SIGNED_IN_FROM).bind(operator).bind(&address).bind(now).execute(&mut **tx).await?;
    sqlx::query(SIGNED_IN).bind(operator).bind(now).execute(&mut **tx).await?;
    sqlx::query(OPEN)
        .bind(digest_of(&cookie))
        .bind(operator)
        .bind(now)
        .bind(now)
        .bind(address)
        .bind(agent)
        .execute(&mut **tx)
        .await?;
    tx.record("operator.signed-in", &json!({ "operator": operator })).await?;
    let set_cookie = format!(
        "{SESSION_COOKIE}={cookie}; Path=/; Max-Age={}; Secure; HttpOnly; SameSite=Strict",
        LONGEST.as_secs()
    );
    Ok(NewSession { operator: OperatorId(operator), set_cookie })
}

/// Ends a session, named by its cookie's value.
///
/// # Errors
/// When the database fails.
pub async fn end(kit: &Kit, cookie: &str) -> Result<(), sqlx::Error> {
    let mut tx = kit.begin().await?;
    let ended: Option<(i64,)> = sqlx::query_as(END).bind(digest_of(cookie)).fetch_optional(&mut *tx).await?;
    if let Some((operator,)) = ended {
        tx.record("operator.signed-out", &json!({ "operator": operator })).await?;
    }
    tx.commit().await
}

/// The `Set-Cookie` header's value that makes the browser forget.
#[must_use]
pub fn end_cookie() -> String {
    format!("{SESSION_COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict")
}

/// Whether a session still stands, with the ranks it had: for open pages, which outlive the request they began with.
/// Watching is use, as far as the [module](super) says.
///
/// # Errors
/// When the database fails: then nothing is known, and the page may go on showing what it can.
pub async fn is_live(kit: &Kit, cookie: &str, ranks: &Ranks) -> Result<bool, sqlx::Error> {
    let Some(found) = find(kit, cookie).await?.filter(|found| found.ranks == *ranks && found.owes.is_none())
    else {
        return Ok(false);
    };
    if ranks.highest().is_of_the_control_room() {
        note_use(kit, cookie, &found).await;
    }
    Ok(true)
}

/// Who a session belongs to.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) id: OperatorId,
    pub(super) name: String,
    pub(super) ranks: Ranks,
    pub(super) owes: Option<Owed>,
    pub(super) language: String,
    used_at: Micros,
}

/// Finds a session that has not ended. Looking is not use.
pub(super) async fn find(kit: &Kit, cookie: &str) -> Result<Option<Found>, sqlx::Error> {
    let digest = digest_of(cookie);
    type Row = (i64, String, i64, i64, String, i64, i64, i64, Option<i64>, i64);
    let row: Option<Row> = sqlx::query_as(FIND).bind(digest.clone()).fetch_optional(kit.read()).await?;
    let Some((id, name, rank, must_change, language, created_at, noted, second, asked_from, places)) = row
    else {
        return Ok(None);
    };
    let used_at = kit.uses().last(&digest).unwrap_or(noted).max(noted);
    if has_ended(created_at, used_at, kit.now()) {
        return Ok(None);
    }
    let owes = match asked_from {
        _ if must_change != 0 => Some(Owed::Password),
        Some(asked_from) if rank >= asked_from && second == 0 => Some(Owed::SecondFactor),
        Some(_) | None => None,
    };
    let highest = role(rank)?;
    let ranks = match places {
        0 => Some(highest.into()),
        _ => ranks::read(&mut *kit.read().acquire().await?, id, highest).await?,
    };
    // Whose ranks are being changed comes in a moment later.
    Ok(ranks.map(|ranks| Found { id: OperatorId(id), name, ranks, owes, language, used_at }))
}

/// A session used in the future was used before the clock was set back, nobody knows how long ago.
pub(super) fn has_ended(created_at: Micros, used_at: Micros, now: Micros) -> bool {
    now - used_at >= micros(IDLE) || now - created_at >= micros(LONGEST) || used_at - now > CORRECTION
}

/// Notes that a session is in use: in memory always; in the database, for the next start, when that is to be had now.
/// A page must not wait for the disk, and one that is full or away must not black out the control room.
pub(super) async fn note_use(kit: &Kit, cookie: &str, found: &Found) {
    let (digest, now) = (digest_of(cookie), kit.now());
    if now - found.used_at < NOTE_USE {
        return;
    }
    kit.uses().note(&digest, now);
    let written = async {
        let Some(mut tx) = kit.begin_if_free().await? else { return Ok(()) };
        sqlx::query(USE).bind(digest).bind(now).execute(&mut *tx).await?;
        tx.commit().await
    };
    if let Err(error) = written.await {
        tracing::debug!(error = %chain(&error), "the use of a session was not written down");
    }
}

/// When sessions were last used, as far as this process knows.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<HashMap<Vec<u8>, Micros>>);

impl Uses {
    pub(super) fn last(&self, digest: &[u8]) -> Option<Micros> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(digest).copied()
    }

    /// As many are kept as there are sessions that have not ended, each begun with a password.
    fn note(&self, digest: &[u8], now: Micros) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uses.retain(|_, used_at| now - *used_at < micros(IDLE) && *used_at - now <= CORRECTION);
        uses.insert(digest.to_vec(), now);
    }
}

/// The token that every form of this session carries: derived, so that nothing need be stored.
pub(super) fn csrf_token(cookie: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, cookie.as_bytes());
    hex(hmac::sign(&key, b"gatehouse csrf").as_ref())
}

pub(super) fn digest_of(cookie: &str) -> Vec<u8> {
    digest(&SHA256, cookie.as_bytes()).as_ref().to_vec()
}
