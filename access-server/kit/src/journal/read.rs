//! Reading records back.

use std::sync::Arc;

use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row};

use super::append::SERVER;
use super::record::{StoredEvent, Stream};

crate::statements! {
    AFTER = "SELECT seq, received, source, epoch, stream, number, at, kind, body FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2";
    BEFORE = "SELECT seq, received, source, epoch, stream, number, at, kind, body FROM journal WHERE seq < $1 ORDER BY seq DESC LIMIT $2";
    URGENT_BEFORE = "SELECT seq, received, source, epoch, stream, number, at, kind, body FROM journal WHERE stream = 'urgent' AND seq < $1 ORDER BY seq DESC LIMIT $2";
    URGENT_PLACES_BEFORE = "SELECT seq FROM journal WHERE stream = 'urgent' AND seq < $1 ORDER BY seq DESC LIMIT $2";
    PLACES_AFTER = "SELECT seq FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2";
    PLACES_BEFORE = "SELECT seq FROM journal WHERE seq < $1 ORDER BY seq DESC LIMIT $2";
    ONE = "SELECT seq, received, source, epoch, stream, number, at, kind, body FROM journal WHERE seq = $1";
    TIMES = "SELECT received, at FROM journal WHERE seq = $1";
    NEWEST = "SELECT seq FROM journal ORDER BY seq DESC LIMIT 1";
}

/// The kind of what stands for a record that the database holds damaged, as bytes that are no text: the server says so
/// in its own name, with the record's place and times and nothing else of it.
pub const UNREADABLE: &str = "journal.unreadable";

/// Records after a place, oldest first. One that cannot be read is [`UNREADABLE`].
///
/// # Errors
/// When the database fails.
pub async fn events_after(
    pool: &AnyPool,
    seq: u64,
    limit: u32,
) -> Result<Vec<Arc<StoredEvent>>, sqlx::Error> {
    page(pool, (AFTER, PLACES_AFTER), seq, limit).await
}

/// Records before a place, newest first; `u64::MAX` begins at the end. One that cannot be read is [`UNREADABLE`].
///
/// # Errors
/// When the database fails.
pub async fn events_before(
    pool: &AnyPool,
    seq: u64,
    limit: u32,
) -> Result<Vec<Arc<StoredEvent>>, sqlx::Error> {
    page(pool, (BEFORE, PLACES_BEFORE), seq, limit).await
}

/// The urgent ones among the records before a place, as [`events_before`].
///
/// # Errors
/// When the database fails.
pub async fn urgent_before(
    pool: &AnyPool,
    seq: u64,
    limit: u32,
) -> Result<Vec<Arc<StoredEvent>>, sqlx::Error> {
    page(pool, (URGENT_BEFORE, URGENT_PLACES_BEFORE), seq, limit).await
}

/// The records at these places, in their order; a place without a record is left out. One that cannot be read is
/// [`UNREADABLE`].
///
/// # Errors
/// When the database fails.
pub async fn events_at(pool: &AnyPool, places: &[u64]) -> Result<Vec<Arc<StoredEvent>>, sqlx::Error> {
    let mut records = Vec::with_capacity(places.len());
    for place in places {
        match one(pool, i64::try_from(*place).unwrap_or(i64::MAX)).await {
            Ok(record) => records.push(Arc::new(record)),
            Err(sqlx::Error::RowNotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}

/// The last record's place; 0 in an empty journal.
///
/// # Errors
/// When the database fails.
pub async fn newest(pool: &AnyPool) -> Result<u64, sqlx::Error> {
    let row: Option<(i64,)> = sqlx::query_as(NEWEST).fetch_optional(pool).await?;
    Ok(row.map_or(0, |(seq,)| seq.cast_unsigned()))
}

/// The first place that was received at or after a time (UTC microseconds), as far as the server's clock never went back;
/// one past the end when nothing was. Looks at some 25 records, whatever the journal's length.
///
/// # Errors
/// When the database fails.
pub async fn place_at(pool: &AnyPool, received: i64) -> Result<u64, sqlx::Error> {
    // Everything before `early` is earlier; `late` is not, or is past the end.
    let (mut early, mut late) = (1, newest(pool).await? + 1);
    while early < late {
        let middle = early.midpoint(late);
        let (at, _): (i64, i64) = sqlx::query_as(TIMES).bind(middle.cast_signed()).fetch_one(pool).await?;
        if at < received {
            early = middle + 1;
        } else {
            late = middle;
        }
    }
    Ok(early)
}

async fn page(
    pool: &AnyPool,
    (whole, places): (&'static str, &'static str),
    seq: u64,
    limit: u32,
) -> Result<Vec<Arc<StoredEvent>>, sqlx::Error> {
    let (seq, limit) = (i64::try_from(seq).unwrap_or(i64::MAX), i64::from(limit));
    let read = async || {
        let rows = sqlx::query(whole).bind(seq).bind(limit).fetch_all(pool).await?;
        rows.iter().map(|row| record(row).map(Arc::new)).collect()
    };
    match read().await {
        Err(error) if is_unreadable(&error) => {}
        other => return other,
    }
    let places: Vec<(i64,)> = sqlx::query_as(places).bind(seq).bind(limit).fetch_all(pool).await?;
    let mut records = Vec::with_capacity(places.len());
    for (place,) in places {
        records.push(Arc::new(one(pool, place).await?));
    }
    Ok(records)
}

/// One record, or what stands for it.
async fn one(pool: &AnyPool, seq: i64) -> Result<StoredEvent, sqlx::Error> {
    let read = sqlx::query(ONE).bind(seq).fetch_one(pool).await.and_then(|row| record(&row));
    match read {
        Err(error) if is_unreadable(&error) => {}
        other => return other,
    }
    let (received, at) = sqlx::query_as(TIMES).bind(seq).fetch_one(pool).await?;
    Ok(StoredEvent {
        seq: seq.cast_unsigned(),
        received,
        source: SERVER.to_owned(),
        epoch: 1,
        stream: Stream::Own,
        number: 0,
        at,
        kind: UNREADABLE.to_owned(),
        body: "{}".to_owned(),
    })
}

/// Whether the database answered, with what is no record.
pub(super) fn is_unreadable(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. })
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
