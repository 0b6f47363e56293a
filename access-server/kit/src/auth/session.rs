//! Sessions: signing in, out, and finding out who a cookie belongs to.

use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;

use super::operators::{OperatorId, fold, role};
use super::{IDLE, LONGEST, Role, password};
use crate::clock::{Micros, micros};
use crate::journal::hex;
use crate::problem::Problem;
use crate::state::Kit;

/// The cookie's name. The prefix makes browsers insist on `Secure`, `Path=/` and no `Domain`.
pub const SESSION_COOKIE: &str = "__Host-session";
/// Use is written down at most so often, so that reading pages does not write.
const NOTE_USE: Micros = 60_000_000;

crate::statements! {
    ACCOUNT = "SELECT id, password FROM operator WHERE name = $1 AND disabled = 0";
    OPEN = "INSERT INTO session (digest, operator, created_at, used_at, address) VALUES ($1, $2, $3, $4, $5)";
    FIND = "SELECT o.id, o.name, o.role, o.must_change, o.language, s.created_at, s.used_at FROM session s JOIN operator o ON o.id = s.operator WHERE s.digest = $1 AND o.disabled = 0";
    USE = "UPDATE session SET used_at = $2 WHERE digest = $1";
    END = "DELETE FROM session WHERE digest = $1 RETURNING operator";
    SWEEP = "DELETE FROM session WHERE used_at < $1 OR created_at < $2";
}

/// A session just opened.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Who signed in.
    pub operator: OperatorId,
    /// The `Set-Cookie` header's value.
    pub set_cookie: String,
}

/// Why nobody was signed in. The words do not tell whether the account exists.
#[derive(Debug, thiserror::Error)]
pub enum LoginRefusal {
    /// Name or password is wrong, or the account is disabled.
    #[error("the name or the password is wrong")]
    Wrong,
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
            LoginRefusal::Wrong => Self::refused("wrong-login", "the name or the password is wrong"),
            LoginRefusal::Wait(seconds) => Self::too_many(seconds),
            LoginRefusal::Database(error) => error.into(),
        }
    }
}

/// Signs in. `address` is the peer's, for the back-off alone.
///
/// # Errors
/// When refused, or the database fails.
pub async fn sign_in(
    kit: &Kit,
    name: &str,
    password: &str,
    address: &str,
) -> Result<NewSession, LoginRefusal> {
    let name = fold(name).ok_or(LoginRefusal::Wrong)?;
    let wait = kit.attempts().wait(&name, address, kit.now());
    if wait > 0 {
        return Err(LoginRefusal::Wait(wait));
    }
    let account: Option<(i64, String)> =
        sqlx::query_as(ACCOUNT).bind(&name).fetch_optional(kit.read()).await?;
    let (id, stored) = account.unzip();
    if !password::matches(password, stored).await {
        if kit.attempts().wrong(&name, address, kit.now()) {
            let mut tx = kit.begin().await?;
            tx.record("operator.wrong-password", &json!({ "operator": id })).await?;
            tx.commit().await?;
        }
        return Err(LoginRefusal::Wrong);
    }
    kit.attempts().right(&name, address);
    open(kit, id.expect("only a known account's password matches"), address).await
}

async fn open(kit: &Kit, operator: i64, address: &str) -> Result<NewSession, LoginRefusal> {
    let mut id = [0; 32];
    SystemRandom::new().fill(&mut id).expect("the system's random source works");
    let cookie = hex(&id);
    let mut tx = kit.begin().await?;
    let now = tx.now();
    sqlx::query(SWEEP).bind(now - micros(IDLE)).bind(now - micros(LONGEST)).execute(&mut *tx).await?;
    sqlx::query(OPEN)
        .bind(digest_of(&cookie))
        .bind(operator)
        .bind(now)
        .bind(now)
        .bind(address)
        .execute(&mut *tx)
        .await?;
    tx.record("operator.signed-in", &json!({ "operator": operator })).await?;
    tx.commit().await?;
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

/// Whether a session still stands: for streams, which outlive the request they began with.
///
/// # Errors
/// When the database fails.
pub async fn is_live(kit: &Kit, cookie: &str) -> Result<bool, sqlx::Error> {
    Ok(find(kit, cookie).await?.is_some())
}

/// Who a session belongs to.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) id: OperatorId,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) must_change: bool,
    pub(super) language: String,
}

/// Finds a session that has not ended, and notes its use.
pub(super) async fn find(kit: &Kit, cookie: &str) -> Result<Option<Found>, sqlx::Error> {
    let digest = digest_of(cookie);
    let row: Option<(i64, String, i64, i64, String, i64, i64)> =
        sqlx::query_as(FIND).bind(digest.clone()).fetch_optional(kit.read()).await?;
    let Some((id, name, rank, must_change, language, created_at, used_at)) = row else { return Ok(None) };
    let now = kit.now();
    if now - used_at >= micros(IDLE) || now - created_at >= micros(LONGEST) {
        return Ok(None);
    }
    if now - used_at >= NOTE_USE {
        let mut tx = kit.begin().await?;
        sqlx::query(USE).bind(digest).bind(now).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    Ok(Some(Found { id: OperatorId(id), name, role: role(rank)?, must_change: must_change != 0, language }))
}

/// The token that every form of this session carries: derived, so that nothing need be stored.
pub(super) fn csrf_token(cookie: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, cookie.as_bytes());
    hex(hmac::sign(&key, b"gatehouse csrf").as_ref())
}

fn digest_of(cookie: &str) -> Vec<u8> {
    digest(&SHA256, cookie.as_bytes()).as_ref().to_vec()
}
