//! Extending the chain, inside a transaction.

use std::sync::{Arc, LazyLock};

use sqlx::{AnyConnection, AssertSqlSafe};

use super::checkpoint::{Checkpoint, Signer};
use super::record::{GENESIS, Hash, NewEvent, StoredEvent, Stream};
use crate::clock::Micros;
use crate::db::Engine;

/// A checkpoint is signed after so many records, and by time and at shutdown besides.
pub(super) const CHECKPOINT_EVERY: u64 = 1000;
/// The source under which the server records what it did itself.
pub(super) const SERVER: &str = "server";

crate::statements! {
    /// Takes the chain's lock and reads where it stands.
    LOCK_HEAD = "UPDATE journal_head SET id = 1 WHERE id = 1 RETURNING seq, hash, own, checkpoint, checkpointed";
    FIRST_HEAD = "INSERT INTO journal_head (id, seq, hash, own, checkpoint, checkpointed) VALUES (1, 0, $1, 0, 0, 0)";
    /// The old position is part of the condition: a chain that moved meanwhile is not overwritten.
    MOVE_HEAD = "UPDATE journal_head SET seq = $1, hash = $2, own = $3, checkpoint = $4, checkpointed = $5 WHERE id = 1 AND seq = $6";
    ADD_CHECKPOINT = "INSERT INTO journal_checkpoint (number, seq, hash, at, signature) VALUES ($1, $2, $3, $4, $5)";
}

/// Where the chain stands within a transaction that has taken its lock.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    before: u64,
    seq: u64,
    hash: Hash,
    own: u64,
    checkpoint: u64,
    checkpointed: u64,
}

/// An event with its place in the chain.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) record: Arc<StoredEvent>,
    prev: Hash,
    hash: Hash,
}

/// A place to come back to.
#[derive(Clone, Debug)]
pub(crate) struct Mark(Chain);

impl Chain {
    /// Takes the lock. The first record of all makes the head.
    pub(crate) async fn lock(connection: &mut AnyConnection) -> Result<Self, sqlx::Error> {
        let row: Option<(i64, Vec<u8>, i64, i64, i64)> =
            sqlx::query_as(LOCK_HEAD).fetch_optional(&mut *connection).await?;
        let Some((seq, hash, own, checkpoint, checkpointed)) = row else {
            sqlx::query(FIRST_HEAD).bind(GENESIS.to_vec()).execute(connection).await?;
            return Ok(Self { before: 0, seq: 0, hash: GENESIS, own: 0, checkpoint: 0, checkpointed: 0 });
        };
        Ok(Self {
            before: seq.cast_unsigned(),
            seq: seq.cast_unsigned(),
            hash: hash
                .try_into()
                .map_err(|_| sqlx::Error::Decode("the chain's head is not a hash".into()))?,
            own: own.cast_unsigned(),
            checkpoint: checkpoint.cast_unsigned(),
            checkpointed: checkpointed.cast_unsigned(),
        })
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark(self.clone())
    }

    pub(crate) fn back_to(&mut self, mark: Mark) {
        *self = mark.0;
    }

    /// The server's own next event.
    pub(crate) fn own(&mut self, kind: &str, at: Micros, body: String) -> NewEvent {
        self.own += 1;
        NewEvent {
            source: SERVER.to_owned(),
            epoch: 1,
            stream: Stream::Own,
            number: self.own,
            at,
            kind: kind.to_owned(),
            body,
        }
    }

    /// Gives an event its place and its link; [`Self::write`] it before the transaction ends.
    pub(crate) fn place(&mut self, received: Micros, event: NewEvent) -> Placed {
        self.seq += 1;
        let record = StoredEvent::placed(event, self.seq, received);
        let prev = self.hash;
        self.hash = record.hash(&prev);
        Placed { record: Arc::new(record), prev, hash: self.hash }
    }

    /// Writes placed events down, many rows a statement.
    pub(crate) async fn write(
        connection: &mut AnyConnection,
        engine: Engine,
        mut links: &[Placed],
    ) -> Result<(), sqlx::Error> {
        while !links.is_empty() {
            let insert = Insert::fitting(engine, links.len());
            let (now, later) = links.split_at(insert.rows);
            links = later;
            let mut query = sqlx::query(AssertSqlSafe(Arc::clone(&insert.sql)));
            for Placed { record, prev, hash } in now {
                query = query
                    .bind(record.seq.cast_signed())
                    .bind(record.received)
                    .bind(record.source.as_str())
                    .bind(i64::from(record.epoch))
                    .bind(record.stream.as_str())
                    .bind(record.number.cast_signed())
                    .bind(record.at)
                    .bind(record.kind.as_str())
                    .bind(record.body.as_str())
                    .bind(&prev[..])
                    .bind(&hash[..]);
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }

    /// Signs where the chain stands when it has come far enough since the last time, or when asked to.
    pub(crate) async fn checkpoint(
        &mut self,
        connection: &mut AnyConnection,
        signer: &Signer,
        at: Micros,
        asked: bool,
    ) -> Result<Option<Checkpoint>, sqlx::Error> {
        let since = self.seq - self.checkpointed;
        if since == 0 || (since < CHECKPOINT_EVERY && !asked) {
            return Ok(None);
        }
        self.checkpoint += 1;
        self.checkpointed = self.seq;
        let checkpoint = signer.sign(self.checkpoint, self.seq, self.hash, at);
        sqlx::query(ADD_CHECKPOINT)
            .bind(checkpoint.number.cast_signed())
            .bind(checkpoint.seq.cast_signed())
            .bind(&checkpoint.hash[..])
            .bind(checkpoint.at)
            .bind(&checkpoint.signature[..])
            .execute(connection)
            .await?;
        Ok(Some(checkpoint))
    }

    /// Writes where the chain stands now.
    pub(crate) async fn close(&self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        let moved = sqlx::query(MOVE_HEAD)
            .bind(self.seq.cast_signed())
            .bind(&self.hash[..])
            .bind(self.own.cast_signed())
            .bind(self.checkpoint.cast_signed())
            .bind(self.checkpointed.cast_signed())
            .bind(self.before.cast_signed())
            .execute(connection)
            .await?;
        if moved.rows_affected() == 1 {
            Ok(())
        } else {
            Err(sqlx::Error::Protocol("another writer has extended the journal".into()))
        }
    }
}

/// An insert of several rows at once.
struct Insert {
    rows: usize,
    sql: Arc<str>,
}

/// Sizes prepared once each: the text depends on the number of rows and nothing else.
const SIZES: [usize; 4] = [64, 16, 4, 1];
const COLUMNS: usize = 11;

static INSERTS: LazyLock<[[Insert; 4]; 2]> = LazyLock::new(|| {
    [Engine::Sqlite, Engine::Postgres].map(|engine| SIZES.map(|rows| Insert::new(engine, rows)))
});

impl Insert {
    fn fitting(engine: Engine, rows: usize) -> &'static Self {
        let inserts = match engine {
            Engine::Sqlite => &INSERTS[0],
            Engine::Postgres => &INSERTS[1],
        };
        inserts.iter().find(|insert| insert.rows <= rows).expect("one row fits any number above none")
    }

    fn new(engine: Engine, rows: usize) -> Self {
        let mut sql = String::from(
            "INSERT INTO journal (seq, received, source, epoch, stream, number, at, kind, body, prev, hash) VALUES ",
        );
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..COLUMNS {
                if column > 0 {
                    sql.push_str(", ");
                }
                match engine {
                    // Unnamed: SQLite finds a named parameter by walking the list of all of them.
                    Engine::Sqlite => sql.push('?'),
                    Engine::Postgres => sql.push_str(&format!("${}", row * COLUMNS + column + 1)),
                }
            }
            sql.push(')');
        }
        Self { rows, sql: sql.into() }
    }
}
