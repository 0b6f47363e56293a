//! Reading records back.

use std::sync::Arc;

use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row};

use super::record::{StoredEvent, Stream};

crate::statements! {
    AFTER = "SELECT seq, received, source, epoch, stream, number, at, kind, body FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2";
    BEFORE = "SELECT seq, received, source, epoch, stream, number, at, kind, body FROM journal WHERE seq < $1 ORDER BY seq DESC LIMIT $2";
    NEWEST = "SELECT seq FROM journal ORDER BY seq DESC LIMIT 1";
}

/// Records after a place, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn events_after(
    pool: &AnyPool,
    seq: u64,
    limit: u32,
) -> Result<Vec<Arc<StoredEvent>>, sqlx::Error> {
    page(pool, AFTER, seq, limit).await
}

/// Records before a place, newest first; `u64::MAX` begins at the end.
///
/// # Errors
/// When the database fails.
pub async fn events_before(
    pool: &AnyPool,
    seq: u64,
    limit: u32,
) -> Result<Vec<Arc<StoredEvent>>, sqlx::Error> {
    page(pool, BEFORE, seq, limit).await
}

/// The last record's place; 0 in an empty journal.
///
/// # Errors
/// When the database fails.
pub async fn newest(pool: &AnyPool) -> Result<u64, sqlx::Error> {
    let row: Option<(i64,)> = sqlx::query_as(NEWEST).fetch_optional(pool).await?;
    Ok(row.map_or(0, |(seq,)| seq.cast_unsigned()))
}

async fn page(
    pool: &AnyPool,
    statement: &'static str,
    seq: u64,
    limit: u32,
) -> Result<Vec<Arc<StoredEvent>>, sqlx::Error> {
    let rows = sqlx::query(statement)
        .bind(i64::try_from(seq).unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| record(row).map(Arc::new)).collect()
}

/// Reads a row of the nine columns in their order.
pub(super) fn record(row: &AnyRow) -> Result<StoredEvent, sqlx::Error> {
    let stream: String = row.try_get(4)?;
    Ok(StoredEvent {
        seq: row.try_get::<i64, _>(0)?.cast_unsigned(),
        received: row.try_get(1)?,
        source: row.try_get(2)?,
        epoch: u32::try_from(row.try_get::<i64, _>(3)?).map_err(|error| sqlx::Error::Decode(error.into()))?,
        stream: Stream::parse(&stream).ok_or_else(|| sqlx::Error::Decode("an unknown stream".into()))?,
        number: row.try_get::<i64, _>(5)?.cast_unsigned(),
        at: row.try_get(6)?,
        kind: row.try_get(7)?,
        body: row.try_get(8)?,
    })
}
