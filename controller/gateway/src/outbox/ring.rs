//! Acknowledged rows that stay: how many there are of each door, and letting go of the oldest.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uplink::event::Stream;

use super::{Levels, index};

/// Acknowledged rows still kept, by door.
pub(super) type Ring = BTreeMap<Option<i64>, u64>;

/// Counts what is there: rows of earlier epochs, and those of this one up to what is acknowledged.
pub(super) async fn count(connection: &mut SqliteConnection, levels: &Levels) -> Result<Ring, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT door, count(*) FROM event WHERE (stream = 0 AND (epoch <> $1 OR seq <= $2)) \
         OR (stream = 1 AND (epoch <> $3 OR seq <= $4)) GROUP BY door",
    )
    .bind(i64::from(levels.epoch[0]))
    .bind(levels.acked[0].cast_signed())
    .bind(i64::from(levels.epoch[1]))
    .bind(levels.acked[1].cast_signed())
    .fetch_all(connection)
    .await?;
    read(&rows)
}

/// Counts the rows of a stream that an acknowledgement adds.
pub(super) async fn added(
    connection: &mut SqliteConnection,
    levels: &Levels,
    stream: Stream,
    up_to: u64,
) -> Result<Ring, sqlx::Error> {
    let at = index(stream);
    let rows = sqlx::query(
        "SELECT door, count(*) FROM event WHERE stream = $1 AND epoch = $2 AND seq > $3 AND seq <= $4 GROUP BY door",
    )
    .bind(i64::try_from(at).expect("0 or 1"))
    .bind(i64::from(levels.epoch[at]))
    .bind(levels.acked[at].cast_signed())
    .bind(up_to.cast_signed())
    .fetch_all(connection)
    .await?;
    read(&rows)
}

/// Deletes the oldest of a door's.
pub(super) async fn trim(
    connection: &mut SqliteConnection,
    levels: &Levels,
    door: Option<i64>,
    rows: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE door IS $1 \
         AND ((stream = 0 AND (epoch <> $2 OR seq <= $3)) OR (stream = 1 AND (epoch <> $4 OR seq <= $5))) \
         ORDER BY id LIMIT $6)",
    )
    .bind(door)
    .bind(i64::from(levels.epoch[0]))
    .bind(levels.acked[0].cast_signed())
    .bind(i64::from(levels.epoch[1]))
    .bind(levels.acked[1].cast_signed())
    .bind(rows.cast_signed())
    .execute(connection)
    .await?;
    Ok(())
}

fn read(rows: &[SqliteRow]) -> Result<Ring, sqlx::Error> {
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<i64, _>(1)?.cast_unsigned()))).collect()
}
