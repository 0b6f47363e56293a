//! The reading side, for the sender.

use std::path::Path;

use serde_json::value::RawValue;
use sqlx::{ConnectOptions, Row, SqliteConnection};
use uplink::event::{LARGEST_BATCH, Received, Stream};

use super::{Levels, OutboxError, index, schema};

/// Room for events in one batch, in bytes of JSON; the rest of [`uplink::wire::LARGEST`] is the batch's own frame.
const BATCH_ROOM: usize = 56 * 1024;
/// What a number, a time, a kind and their names take around an event's data, in bytes, at most.
const EVENT_FRAME: usize = 128;

/// Reads events to send.
pub struct Reader {
    connection: SqliteConnection,
}

impl Reader {
    /// Opens an outbox that a [`super::Writer`] has created.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub async fn open(path: &Path) -> Result<Reader, OutboxError> {
        let options = schema::connect_options(path).create_if_missing(false).read_only(true);
        Ok(Reader { connection: options.connect().await? })
    }

    /// Epoch, highest numbers given and acknowledged, as they stand on the disk.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn levels(&mut self) -> Result<Levels, OutboxError> {
        Ok(schema::levels(&mut self.connection).await?)
    }

    /// An epoch's events after a number, in order, as many as fit one payload. Without gaps above what is acknowledged.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn after(
        &mut self,
        epoch: u32,
        stream: Stream,
        seq: u64,
    ) -> Result<Vec<Received>, OutboxError> {
        let rows = sqlx::query(
            "SELECT seq, at, kind, data FROM event WHERE epoch = $4 AND stream = $1 AND seq > $2 \
             ORDER BY seq LIMIT $3",
        )
        .bind(i64::try_from(index(stream)).expect("0 or 1"))
        .bind(seq.cast_signed())
        .bind(i64::try_from(LARGEST_BATCH).expect("a hundred"))
        .bind(i64::from(epoch))
        .fetch_all(&mut self.connection)
        .await?;
        let mut events = Vec::with_capacity(rows.len());
        let mut room = BATCH_ROOM;
        for row in rows {
            let data: String = row.try_get("data")?;
            let size = data.len() + EVENT_FRAME;
            if size > room && !events.is_empty() {
                break;
            }
            room = room.saturating_sub(size);
            events.push(Received {
                seq: row.try_get::<i64, _>("seq")?.cast_unsigned(),
                at: row.try_get("at")?,
                kind: row.try_get("kind")?,
                data: RawValue::from_string(data).map_err(|error| sqlx::Error::Decode(error.into()))?,
            });
        }
        Ok(events)
    }
}
