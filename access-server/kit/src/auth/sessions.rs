//! The sessions that stand: listed and ended, one's own and, for administrators, those of others.

use serde_json::json;

use super::change::may_change;
use super::operators::{OperatorError, OperatorId};
use super::session::{digest_of, has_ended};
use crate::clock::Micros;
use crate::journal::{hex, unhex};
use crate::state::{Kit, Tx};

crate::statements! {
    OF_OPERATOR = "SELECT digest, created_at, used_at, address, agent FROM session WHERE operator = $1 ORDER BY created_at DESC, digest";
    END_ONE = "DELETE FROM session WHERE operator = $1 AND digest = $2";
    END_OTHERS = "DELETE FROM session WHERE operator = $1 AND digest <> $2";
}

/// Names a session without opening it: the SHA-256 of its cookie's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionId(Vec<u8>);

impl SessionId {
    /// Of the session with this cookie.
    #[must_use]
    pub fn of(cookie: &str) -> Self {
        Self(digest_of(cookie))
    }

    /// From 64 hexadecimal digits, as [`Self::hex`] writes them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        unhex(text).filter(|bytes| bytes.len() == 32).map(Self)
    }

    /// 64 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

/// A session that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Which.
    pub id: SessionId,
    /// When it was begun.
    pub begun_at: Micros,
    /// When it was used last, to the minute.
    pub used_at: Micros,
    /// From where: an IPv4 address, or the network of an IPv6 host.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
}

/// An operator's sessions, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn of(kit: &Kit, operator: OperatorId) -> Result<Vec<SessionRow>, sqlx::Error> {
    type Row = (Vec<u8>, i64, i64, String, String);
    let rows: Vec<Row> = sqlx::query_as(OF_OPERATOR).bind(operator.0).fetch_all(kit.read()).await?;
    let now = kit.now();
    let rows = rows.into_iter().map(|(digest, begun_at, noted, address, agent)| {
        let used_at = kit.uses().last(&digest).unwrap_or(noted).max(noted);
        SessionRow { id: SessionId(digest), begun_at, used_at, address, agent }
    });
    Ok(rows.filter(|row| !has_ended(row.begun_at, row.used_at, now)).collect())
}

/// Ends one of an operator's sessions: their own, or somebody's of no higher rank.
///
/// # Errors
/// [`OperatorError::Unknown`] when the operator has no such session; or they are above the rank of `by`.
pub async fn end(
    kit: &Kit,
    by: OperatorId,
    operator: OperatorId,
    session: &SessionId,
) -> Result<(), OperatorError> {
    let mut tx = kit.begin().await?;
    may_change(&mut tx, by, operator).await?;
    let done = sqlx::query(END_ONE).bind(operator.0).bind(&session.0).execute(&mut *tx).await?;
    if done.rows_affected() == 0 {
        return Err(OperatorError::Unknown);
    }
    record(&mut tx, by, operator, done.rows_affected()).await?;
    Ok(tx.commit().await?)
}

/// Ends all of an operator's sessions but the one that is kept, where one is; how many.
///
/// # Errors
/// When there is no such operator, or they are above the rank of `by`.
pub async fn end_all_but(
    kit: &Kit,
    by: OperatorId,
    operator: OperatorId,
    kept: Option<&SessionId>,
) -> Result<u64, OperatorError> {
    let mut tx = kit.begin().await?;
    may_change(&mut tx, by, operator).await?;
    // No session is named by nothing.
    let kept = kept.map_or(&[][..], |kept| &kept.0);
    let done = sqlx::query(END_OTHERS).bind(operator.0).bind(kept).execute(&mut *tx).await?.rows_affected();
    if done > 0 {
        record(&mut tx, by, operator, done).await?;
    }
    tx.commit().await?;
    Ok(done)
}

async fn record(tx: &mut Tx, by: OperatorId, operator: OperatorId, count: u64) -> Result<(), sqlx::Error> {
    let body = json!({ "operator": operator.0, "count": count, "by": by.0 });
    tx.record("operator.sessions-ended", &body).await.map(drop)
}
