//! The one task that writes.

use std::path::PathBuf;

use sqlx::{Connection, Row, SqliteConnection};
use tokio::sync::{mpsc, watch};
use uplink::event::Stream;

use super::ring::{self, Ring};
use super::{
    Entry, Job, Kept, Levels, Options, OutboxError, RING, URGENT_ROOM, Write, Written, door, epoch, index,
    schema,
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
    ring: Ring,
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
        let ring = ring::count(&mut connection, &levels).await?;
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
    pub async fn run(mut self, mut jobs: mpsc::Receiver<Job>, written: mpsc::Sender<Written>) {
        let mut group = Vec::with_capacity(GROUP);
        while jobs.recv_many(&mut group, GROUP).await > 0 {
            for answer in self.commit(std::mem::take(&mut group)).await {
                // Whoever waits for answers waits for nothing else: it takes them, or has gone.
                if written.send(answer).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Carries out the jobs in one transaction. Either all of it is on the disk, or nothing of it.
    pub async fn commit(&mut self, jobs: Vec<Job>) -> Vec<Written> {
        let mut levels = self.levels;
        let mut ring = self.ring.clone();
        let mut answers = Vec::new();
        match self.attempt(jobs, &mut levels, &mut ring, &mut answers).await {
            Ok(()) => {
                self.levels = levels;
                self.ring = ring;
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
        ring: &mut Ring,
        answers: &mut Vec<Written>,
    ) -> Result<(), sqlx::Error> {
        // The answers are there before the first statement: a failure must reach everybody who waits.
        let mut accepted = Vec::with_capacity(jobs.len());
        let mut acks = [0; 2];
        let mut misfits = Vec::new();
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
                misfit @ (Job::ServerHas { .. } | Job::SetBack { .. }) => misfits.push(misfit),
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
                for (door, rows) in ring::added(&mut transaction, levels, stream, up_to).await? {
                    *ring.entry(door).or_default() += rows;
                }
                levels.acked[at] = up_to;
            }
        }
        if !misfits.is_empty() {
            for misfit in misfits {
                mend(&mut transaction, levels, misfit).await?;
            }
            *ring = ring::count(&mut transaction, levels).await?;
        }
        for at in 0..2 {
            sqlx::query(
                "UPDATE stream SET last = $2, acked = $3, epoch = $4 \
                 WHERE stream = $1 AND (last <> $2 OR acked <> $3 OR epoch <> $4)",
            )
            .bind(i64::try_from(at).expect("0 or 1"))
            .bind(levels.last[at].cast_signed())
            .bind(levels.acked[at].cast_signed())
            .bind(i64::from(levels.epoch[at]))
            .execute(&mut *transaction)
            .await?;
        }
        for (door, rows) in ring.iter_mut().filter(|(_, rows)| **rows > RING + SLACK) {
            ring::trim(&mut transaction, levels, *door, *rows - RING).await?;
            *rows = RING;
        }
        transaction.commit().await
    }
}

/// Server and outbox do not fit together.
async fn mend(
    connection: &mut SqliteConnection,
    levels: &mut Levels,
    misfit: Job,
) -> Result<(), sqlx::Error> {
    match misfit {
        Job::ServerHas { stream, up_to, at } => {
            epoch::server_has(connection, levels, stream, up_to, at).await
        }
        Job::SetBack { stream, at } => epoch::set_back(connection, levels, stream, at).await,
        Job::Write(_) | Job::Acknowledged { .. } => Ok(()),
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
        insert_event(connection, levels, entry).await?;
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

/// Gives an event the next number of its stream.
pub(super) async fn insert_event(
    connection: &mut SqliteConnection,
    levels: &mut Levels,
    entry: Entry,
) -> Result<(), sqlx::Error> {
    let stream = index(entry.body.stream());
    levels.last[stream] += 1;
    let (kind, data) = parts(&entry.body)?;
    sqlx::query(
        "INSERT INTO event (stream, epoch, seq, at, door, kind, data) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(i64::try_from(stream).expect("0 or 1"))
    .bind(i64::from(levels.epoch[stream]))
    .bind(levels.last[stream].cast_signed())
    .bind(entry.at)
    .bind(door(&entry.body).map(u64::cast_signed))
    .bind(kind)
    .bind(data)
    .execute(connection)
    .await?;
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
