//! Half signed in: the password was right, the second factor is still to be shown.
//!
//! A cookie of its own and a table of its own: nothing that lets somebody in looks there. It ends after [`HALF`], with the
//! password, and when its operator is shut out. Wrong codes count as wrong passwords do, and the right password between
//! them clears nothing; without the password no code can be tried at all.

use std::time::Duration;

use axum::http::HeaderMap;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::admit::cookie;
use super::attempts::{Try, place};
use super::operators::OperatorId;
use super::second::Shown;
use super::session::{Desk, LOOKED_AT, LoginRefusal, NewSession, digest_of, open_in};
use crate::clock::micros;
use crate::journal::hex;
use crate::state::{Kit, Tx};

/// The cookie's name.
const COOKIE: &str = "__Host-half";
/// So long there is to show the second factor.
pub const HALF: Duration = Duration::from_secs(5 * 60);

crate::statements! {
    HALF_OPEN = "INSERT INTO half_session (digest, operator, created_at) VALUES ($1, $2, $3)";
    HALF_FIND = "SELECT o.id, o.name, h.created_at, (SELECT COUNT(*) FROM operator_address a WHERE a.operator = o.id AND a.address = $2) FROM half_session h JOIN operator o ON o.id = h.operator WHERE h.digest = $1 AND o.disabled = 0";
    HALF_HOLDER = "SELECT o.id, h.created_at FROM half_session h JOIN operator o ON o.id = h.operator WHERE h.digest = $1 AND o.disabled = 0";
    HALF_END = "DELETE FROM half_session WHERE digest = $1";
    HALF_SWEEP = "DELETE FROM half_session WHERE created_at <= $1 OR created_at > $2";
}

/// Somebody who has shown the password alone. It grants nothing.
#[derive(Clone, Debug)]
pub struct Half(String);

impl Half {
    /// Whose browser has the cookie. Whether it is still good is found out when the second factor is shown.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        cookie(headers, COOKIE).map(|value| Self(value.to_owned()))
    }

    /// The `Set-Cookie` header's value.
    #[must_use]
    pub fn set_cookie(&self) -> String {
        let age = HALF.as_secs();
        format!("{COOKIE}={}; Path=/; Max-Age={age}; Secure; HttpOnly; SameSite=Strict", self.0)
    }

    /// The `Set-Cookie` header's value that makes the browser forget.
    #[must_use]
    pub fn end_cookie() -> String {
        format!("{COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict")
    }

    pub(super) fn digest(&self) -> Vec<u8> {
        digest_of(&self.0)
    }
}

/// Who it is of, while it is good.
pub(super) async fn holder(kit: &Kit, half: &Half) -> Result<Option<OperatorId>, sqlx::Error> {
    let found: Option<(i64, i64)> =
        sqlx::query_as(HALF_HOLDER).bind(half.digest()).fetch_optional(kit.read()).await?;
    let age = 0..micros(HALF);
    let found = found.filter(|(_, created_at)| age.contains(&(kit.now() - created_at)));
    Ok(found.map(|(operator, _)| OperatorId(operator)))
}

/// Ends it; whether it was still there.
pub(super) async fn close(tx: &mut Tx, half: &Half) -> Result<bool, sqlx::Error> {
    let ended = sqlx::query(HALF_END).bind(half.digest()).execute(&mut **tx).await?;
    Ok(ended.rows_affected() > 0)
}

pub(super) async fn open(kit: &Kit, operator: i64) -> Result<Half, sqlx::Error> {
    let mut id = [0; 32];
    SystemRandom::new().fill(&mut id).expect("the system's random source works");
    let half = Half(hex(&id));
    let mut tx = kit.begin().await?;
    let now = tx.now();
    sqlx::query(HALF_SWEEP).bind(now - micros(HALF)).bind(now).execute(&mut *tx).await?;
    sqlx::query(HALF_OPEN).bind(half.digest()).bind(operator).bind(now).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(half)
}

/// Shows the second factor: the app's code, or a recovery code.
///
/// # Errors
/// [`LoginRefusal::HalfEnded`] when the half is no more: then the password is asked for again; `Wrong` or `Wait` when the
/// code is.
pub async fn finish(
    kit: &Kit,
    half: &Half,
    typed: &str,
    desk: impl Into<Desk<'_>>,
) -> Result<NewSession, LoginRefusal> {
    let desk = desk.into();
    let address = place(desk.address);
    let found: Option<(i64, String, i64, i64)> =
        sqlx::query_as(HALF_FIND).bind(half.digest()).bind(&address).fetch_optional(kit.read()).await?;
    let age = 0..micros(HALF);
    let (id, name, _, known) = found
        .filter(|(_, _, created_at, _)| age.contains(&(kit.now() - created_at)))
        .ok_or(LoginRefusal::HalfEnded)?;
    let who = Try { account: &name, exists: true, address: &address, known_here: known > 0 };
    let answer_at = Instant::now() + LOOKED_AT;
    let taken = kit.attempts().take(who, kit.now()).map_err(LoginRefusal::Wait)?;
    let mut tx = kit.begin().await?;
    let shown = Shown::read(OperatorId(id), typed);
    if !(taken.looked_at && shown.accept(&mut tx, OperatorId(id)).await?) {
        if taken.alarm {
            // Whoever shows wrong codes knows the password: that is worth an alarm of its own.
            tx.record("operator.wrong-code", &json!({ "operator": id })).await?;
            tx.commit().await?;
        } else {
            drop(tx);
        }
        if taken.wait == 0 {
            return Err(LoginRefusal::Wrong);
        }
        sleep_until(answer_at).await;
        return Err(LoginRefusal::Wait(taken.wait));
    }
    if !close(&mut tx, half).await? {
        // The password was changed at this very moment, or the same was sent twice.
        return Err(LoginRefusal::HalfEnded);
    }
    let session = open_in(&mut tx, id, desk).await?;
    tx.commit().await?;
    kit.attempts().right(who, taken);
    Ok(session)
}
