//! The one task that writes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sqlx::{Connection, Row, SqliteConnection};
use tokio::sync::{mpsc, watch};
use uplink::event::Stream;

use super::{
    Job, Kept, Levels, Options, OutboxError, RING, URGENT_ROOM, Write, Written, door, index, schema,
};

/// At most so many jobs in one commit.
const GROUP: usize = 256;
/// Rows above the ring before they are deleted, so that deleting is done in portions.
const SLACK: u64 = 64;

/// The writing side of the outbox.
pub struct Writer {
    pub(super) connection: SqliteConnection,
    levels: Levels,
    limit: u64,
    /// Acknowledged rows still kept, by door.
    ring: BTreeMap<Option<i64>, u64>,
    published: watch::Sender<Levels>,
    /// Where a broken database was put at the start.
    set_aside: Option<PathBuf>,
}

impl Writer {
    /// Opens the outbox, and creates it when it is not there.
    ///
    /// # Errors
    /// When the database cannot be opened or created.
    pub async fn open(options: &Options) -> Result<Writer, OutboxError> {
        let (mut connection, levels, set_aside) = schema::open(options).await?;
        let rows = sqlx::query(
            "SELECT door, count(*) AS rows FROM event WHERE (stream = 0 AND seq <= $1) OR (stream = 1 AND seq <= $2) \
             GROUP BY door",
        )
        .bind(levels.acked[0].cast_signed())
        .bind(levels.acked[1].cast_signed())
        .fetch_all(&mut connection)
        .await?;
        let ring = rows
            .iter()
            .map(|row| Ok((row.try_get("door")?, row.try_get::<i64, _>("rows")?.cast_unsigned())))
            .collect::<Result<_, sqlx::Error>>()?;
        Ok(Writer {
            connection,
            levels,
            limit: options.limit,
            ring,
            published: watch::Sender::new(levels),
            set_aside,
        })
    }

    /// How far the streams are, now and whenever it changes.
    pub fn levels(&self) -> watch::Receiver<Levels> {
        self.published.subscribe()
    }

    /// Where a broken database was put when the outbox was opened; events in it may never have reached the server.
    pub fn set_aside(&self) -> Option<&PathBuf> {
        self.set_aside.as_ref()
    }

    /// Everything remembered: kind, key and value.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn memory(&mut self) -> Result<Vec<(String, String, String)>, OutboxError> {
        let rows = sqlx::query("SELECT kind, key, value FROM kept").fetch_all(&mut self.connection).await?;
        let read = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)));
        Ok(read.collect::<Result<_, sqlx::Error>>()?)
    }

    /// Works until nobody can send jobs any more. What is queued goes into one commit.
    pub async fn run(mut self, mut jobs: mpsc::Receiver<Job>, written: mpsc::UnboundedSender<Written>) {
        let mut group = Vec::with_capacity(GROUP);
        while jobs.recv_many(&mut group, GROUP).await > 0 {
            for answer in self.commit(std::mem::take(&mut group)).await {
                if written.send(answer).is_err() {
                    return;
                }
            }
        }
    }

    /// Carries out the jobs in one transaction. Either all of it is on the disk, or nothing of it.
    pub async fn commit(&mut self, jobs: Vec<Job>) -> Vec<Written> {
        let mut levels = self.levels;
        let mut ring = Vec::new();
        let mut answers = Vec::new();
        let outcome = self.attempt(jobs, &mut levels, &mut ring, &mut answers).await;
        match outcome {
            Ok(()) => {
                self.levels = levels;
                for (door, rows) in ring {
                    self.ring.insert(door, rows);
                }
                self.published.send_if_modified(|published| std::mem::replace(published, levels) != levels);
            }
            Err(error) => {
                // One failed commit is one failure for each that waited for it.
                tracing::error!(error = &error as &dyn std::error::Error, "outbox commit failed");
                let text = error.to_string();
                for answer in answers.iter_mut().filter(|answer| answer.result.is_ok()) {
                    answer.result = Err(OutboxError::Database(sqlx::Error::Protocol(text.clone())));
                }
            }
        }
        answers
    }

    async fn attempt(
        &mut self,
        jobs: Vec<Job>,
        levels: &mut Levels,
        ring: &mut Vec<(Option<i64>, u64)>,
        answers: &mut Vec<Written>,
    ) -> Result<(), sqlx::Error> {
        // The answers are there before the first statement: a failure must reach everybody who waits.
        let mut accepted = Vec::with_capacity(jobs.len());
        let mut acks = [0; 2];
        let mut planned = *levels;
        for job in jobs {
            match job {
                Job::Write(write) => {
                    let result = reserve(&mut planned, &write, self.limit);
                    let taken = result.is_ok();
                    answers.push(Written { token: write.token, result });
                    if taken {
                        accepted.push(write);
                    }
                }
                Job::Acknowledged { stream, up_to } => acks[index(stream)] = up_to.max(acks[index(stream)]),
            }
        }
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        for write in accepted {
            insert(&mut transaction, levels, write).await?;
        }
        for stream in [Stream::Urgent, Stream::Bulk] {
            let at = index(stream);
            let up_to = acks[at].min(levels.last[at]);
            if up_to > levels.acked[at] {
                let fresh = newly_acknowledged(&mut transaction, stream, levels.acked[at], up_to).await?;
                levels.acked[at] = up_to;
                for (door, rows) in fresh {
                    let before = ring.iter().rev().find(|(of, _)| *of == door).map(|(_, rows)| *rows);
                    let before = before.or_else(|| self.ring.get(&door).copied()).unwrap_or(0);
                    ring.push((door, before + rows));
                }
            }
        }
        for at in 0..2 {
            sqlx::query(
                "UPDATE stream SET last = $2, acked = $3 WHERE stream = $1 AND (last <> $2 OR acked <> $3)",
            )
            .bind(i64::try_from(at).expect("0 or 1"))
            .bind(levels.last[at].cast_signed())
            .bind(levels.acked[at].cast_signed())
            .execute(&mut *transaction)
            .await?;
        }
        for (door, rows) in ring.iter_mut().filter(|(_, rows)| *rows > RING + SLACK) {
            trim(&mut transaction, levels, *door, *rows - RING).await?;
            *rows = RING;
        }
        transaction.commit().await
    }
}

/// Gives a write its numbers, or refuses it when too much waits already.
fn reserve(planned: &mut Levels, write: &Write, limit: u64) -> Result<(), OutboxError> {
    let mut next = *planned;
    let mut bulk = false;
    for entry in &write.events {
        let stream = entry.body.stream();
        bulk |= stream == Stream::Bulk;
        next.last[index(stream)] += 1;
    }
    let waiting = next.waiting(Stream::Urgent) + next.waiting(Stream::Bulk);
    let room = if bulk { limit } else { limit + URGENT_ROOM };
    if !write.events.is_empty() && waiting > room {
        return Err(OutboxError::Full(waiting));
    }
    *planned = next;
    Ok(())
}

async fn insert(
    connection: &mut SqliteConnection,
    levels: &mut Levels,
    write: Write,
) -> Result<(), sqlx::Error> {
    for entry in write.events {
        let stream = index(entry.body.stream());
        levels.last[stream] += 1;
        let (kind, data) = parts(&entry.body)?;
        sqlx::query("INSERT INTO event (stream, seq, at, door, kind, data) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(i64::try_from(stream).expect("0 or 1"))
            .bind(levels.last[stream].cast_signed())
            .bind(entry.at)
            .bind(door(&entry.body).map(u64::cast_signed))
            .bind(kind)
            .bind(data)
            .execute(&mut *connection)
            .await?;
    }
    for Kept { kind, key, value } in write.kept {
        match value {
            Some(value) => {
                sqlx::query(
                    "INSERT INTO kept (kind, key, value) VALUES ($1, $2, $3) \
                     ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
                )
                .bind(kind)
                .bind(key)
                .bind(value)
                .execute(&mut *connection)
                .await?;
            }
            None => {
                sqlx::query("DELETE FROM kept WHERE kind = $1 AND key = $2")
                    .bind(kind)
                    .bind(key)
                    .execute(&mut *connection)
                    .await?;
            }
        }
    }
    Ok(())
}

/// The body's kind and its own fields, as text.
fn parts(body: &uplink::event::Body) -> Result<(&'static str, String), sqlx::Error> {
    #[derive(serde::Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        data: &'a serde_json::value::RawValue,
    }
    let whole = serde_json::to_string(body).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let data: Data<'_> = serde_json::from_str(&whole).map_err(|error| sqlx::Error::Encode(error.into()))?;
    Ok((body.kind(), data.data.get().to_owned()))
}

async fn newly_acknowledged(
    connection: &mut SqliteConnection,
    stream: Stream,
    after: u64,
    up_to: u64,
) -> Result<Vec<(Option<i64>, u64)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT door, count(*) FROM event WHERE stream = $1 AND seq > $2 AND seq <= $3 GROUP BY door",
    )
    .bind(i64::try_from(index(stream)).expect("0 or 1"))
    .bind(after.cast_signed())
    .bind(up_to.cast_signed())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<i64, _>(1)?.cast_unsigned()))).collect()
}

async fn trim(
    connection: &mut SqliteConnection,
    levels: &Levels,
    door: Option<i64>,
    rows: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE door IS $1 \
         AND ((stream = 0 AND seq <= $2) OR (stream = 1 AND seq <= $3)) ORDER BY id LIMIT $4)",
    )
    .bind(door)
    .bind(levels.acked[0].cast_signed())
    .bind(levels.acked[1].cast_signed())
    .bind(rows.cast_signed())
    .execute(connection)
    .await?;
    Ok(())
}
