//! The local copies of what the server keeps for a controller, the policy and its boards' firmware: raw rows in SQLite, taken whole or
//! not at all, in force at once and after every restart.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use domain::policy::{Faults, Policy};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use thiserror::Error;
use uplink::sync::firmware::{self, Firmware, FirmwareFault};
use uplink::sync::policy::{RowFault, assemble};
use uplink::sync::{Change, Chunk, Digest, Have, Set};

use crate::private;

/// Most parts of one change.
const PARTS_MAX: u32 = 65_536;
/// Most bytes of rows gathered for one change.
const BYTES_MAX: usize = 256 * 1024 * 1024;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS replica (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    digest  BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT;
CREATE TABLE IF NOT EXISTS row (
    part TEXT NOT NULL,
    id   INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (part, id)
) STRICT, WITHOUT ROWID;
";

/// What rows of a version make.
type Build<T> = fn(u64, Vec<(String, u64, String)>) -> Result<T, Refusal>;

/// The copy of a policy.
pub type PolicyStore = ReplicaStore<Policy>;
/// The copy of a firmware.
pub type FirmwareStore = ReplicaStore<Firmware>;

/// A copy.
pub struct ReplicaStore<T> {
    set: Set,
    build: Build<T>,
    connection: SqliteConnection,
    held: Option<(u64, Digest)>,
    gathering: Option<Gathering>,
    /// The change refused last: the server may offer it again, and is not told again.
    refused: Option<(u64, Digest)>,
}

/// Parts of a change that is not complete yet.
struct Gathering {
    from: Option<u64>,
    to: u64,
    digest: Digest,
    count: u32,
    parts: BTreeMap<u32, Vec<Change>>,
    bytes: usize,
}

/// What became of a chunk.
#[derive(Debug)]
pub enum Taken<T> {
    /// More parts are needed.
    Gathering,
    /// It does not start from what is held, or was refused before: the server is told what is held and offers another.
    NotForUs,
    /// A new one is in force.
    Applied(Arc<T>),
    /// It was refused whole; the one held stays.
    Refused {
        /// The version it would have been.
        version: u64,
        /// Why.
        why: Refusal,
    },
}

/// Why a replica was refused.
#[derive(Debug, Error)]
pub enum Refusal {
    /// The rows are not those that the server meant.
    #[error("the digest of the rows is not the one announced")]
    Digest,
    /// Rows that are not understood.
    #[error("{} of its rows are not understood, first: {}", .0.len(), .0[0])]
    Rows(Vec<RowFault>),
    /// Rows that make no policy.
    #[error("it contradicts itself: {0}")]
    Faults(#[from] Faults),
    /// Rows that make no firmware, or an image that the maker did not sign.
    #[error(transparent)]
    Firmware(#[from] FirmwareFault),
    /// Larger than a controller takes.
    #[error("it is larger than {PARTS_MAX} parts or {BYTES_MAX} bytes")]
    TooLarge,
}

/// The database failed.
#[derive(Debug, Error)]
#[error("the database of a replica failed")]
pub struct StoreError(#[from] sqlx::Error);

impl PolicyStore {
    /// Opens the copy; gives the policy it holds, if it holds a good one. One that cannot be read is begun anew: the server
    /// sends it again.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub async fn open(path: &Path) -> Result<(PolicyStore, Option<Arc<Policy>>), StoreError> {
        ReplicaStore::open_with(path, Set::Policy, policy).await
    }
}

impl FirmwareStore {
    /// The same for a firmware.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub async fn open(path: &Path) -> Result<(FirmwareStore, Option<Arc<Firmware>>), StoreError> {
        ReplicaStore::open_with(path, Set::Firmware, |_, rows| {
            Ok(firmware::assemble(rows.iter().map(|(table, id, text)| (table.as_str(), *id, text.as_str())))?)
        })
        .await
    }
}

impl<T: Send + 'static> ReplicaStore<T> {
    async fn open_with(
        path: &Path,
        set: Set,
        build: Build<T>,
    ) -> Result<(ReplicaStore<T>, Option<Arc<T>>), StoreError> {
        let connection = match connect(path).await {
            Err(error) if is_broken(&error) => {
                tracing::error!(path = %path.display(), "a replica's copy is broken and begun anew");
                std::fs::remove_file(path).map_err(sqlx::Error::Io)?;
                connect(path).await?
            }
            other => other?,
        };
        let mut store = ReplicaStore { set, build, connection, held: None, gathering: None, refused: None };
        let row =
            sqlx::query("SELECT version, digest FROM replica").fetch_optional(&mut store.connection).await?;
        let Some(row) = row else { return Ok((store, None)) };
        let version = row.try_get::<i64, _>(0)?.cast_unsigned();
        let stored: Vec<u8> = row.try_get(1)?;
        let rows = rows(&mut store.connection).await?;
        let mut digest = Digest::default();
        for (table, id, text) in &rows {
            digest.toggle(table, *id, text);
        }
        let made =
            (stored.as_slice() == digest.as_bytes()).then(|| build(version, rows)).ok_or(Refusal::Digest);
        match made.and_then(|it| it) {
            Ok(made) => {
                store.held = Some((version, digest));
                Ok((store, Some(Arc::new(made))))
            }
            Err(why) => {
                tracing::error!(version, %why, "a replica held cannot be used; the server is asked for it anew");
                Ok((store, None))
            }
        }
    }

    /// What is held.
    pub fn have(&self) -> Have {
        Have {
            set: self.set,
            version: self.held.map(|(version, _)| version),
            digest: self.held.map_or(Digest::default(), |(_, digest)| digest),
        }
    }

    /// Takes a part. With the last one the change is checked and applied in one transaction, or refused whole.
    ///
    /// # Errors
    /// When the database fails; nothing has changed then.
    pub async fn take(&mut self, chunk: Chunk) -> Result<Taken<T>, StoreError> {
        let held = self.held.map(|(version, _)| version);
        let starts_elsewhere = chunk.from.is_some() && chunk.from != held;
        let not_forward = chunk.from.is_some() && Some(chunk.to) <= held;
        let known =
            self.refused == Some((chunk.to, chunk.digest)) || self.held == Some((chunk.to, chunk.digest));
        if chunk.set != self.set || starts_elsewhere || not_forward || known || chunk.part >= chunk.parts {
            return Ok(Taken::NotForUs);
        }
        let version = chunk.to;
        let Some(whole) = self.gather(chunk) else { return Ok(Taken::Gathering) };
        let outcome = match whole {
            Ok((from, digest, changes)) => (digest, self.apply(from, version, digest, changes).await?),
            Err(digest) => (digest, Err(Refusal::TooLarge)),
        };
        match outcome {
            (digest, Ok(made)) => {
                self.held = Some((version, digest));
                Ok(Taken::Applied(Arc::new(made)))
            }
            (digest, Err(why)) => {
                self.refused = Some((version, digest));
                Ok(Taken::Refused { version, why })
            }
        }
    }

    /// `None` while parts are missing; the digest alone when it is too large.
    #[expect(clippy::type_complexity, reason = "named at its one use")]
    fn gather(&mut self, chunk: Chunk) -> Option<Result<(Option<u64>, Digest, Vec<Change>), Digest>> {
        let same = |it: &Gathering| {
            (it.from, it.to, it.digest, it.count) == (chunk.from, chunk.to, chunk.digest, chunk.parts)
        };
        if !self.gathering.as_ref().is_some_and(same) {
            self.gathering = Some(Gathering {
                from: chunk.from,
                to: chunk.to,
                digest: chunk.digest,
                count: chunk.parts,
                parts: BTreeMap::new(),
                bytes: 0,
            });
        }
        let gathering = self.gathering.as_mut()?;
        if !gathering.parts.contains_key(&chunk.part) {
            gathering.bytes += chunk.changes.iter().map(Change::size).sum::<usize>();
            gathering.parts.insert(chunk.part, chunk.changes);
        }
        if gathering.bytes > BYTES_MAX || gathering.count > PARTS_MAX {
            let digest = gathering.digest;
            self.gathering = None;
            return Some(Err(digest));
        }
        if gathering.parts.len() < usize::try_from(gathering.count).ok()? {
            return None;
        }
        let done = self.gathering.take()?;
        Some(Ok((done.from, done.digest, done.parts.into_values().flatten().collect())))
    }

    async fn apply(
        &mut self,
        from: Option<u64>,
        to: u64,
        announced: Digest,
        changes: Vec<Change>,
    ) -> Result<Result<T, Refusal>, sqlx::Error> {
        let mut digest = match from {
            None => Digest::default(),
            Some(_) => self.held.map_or(Digest::default(), |(_, digest)| digest),
        };
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        if from.is_none() {
            sqlx::query("DELETE FROM row").execute(&mut *transaction).await?;
        }
        for change in &changes {
            let (table, id) = match change {
                Change::Put { table, id, .. } | Change::Remove { table, id } => (table, *id),
            };
            let old: Option<String> = sqlx::query_scalar("SELECT text FROM row WHERE part = $1 AND id = $2")
                .bind(table)
                .bind(id.cast_signed())
                .fetch_optional(&mut *transaction)
                .await?;
            if let Some(old) = old {
                digest.toggle(table, id, &old);
            }
            match change {
                Change::Put { row, .. } => {
                    digest.toggle(table, id, row.get());
                    sqlx::query(
                        "INSERT INTO row (part, id, text) VALUES ($1, $2, $3) \
                         ON CONFLICT (part, id) DO UPDATE SET text = excluded.text",
                    )
                    .bind(table)
                    .bind(id.cast_signed())
                    .bind(row.get())
                    .execute(&mut *transaction)
                    .await?;
                }
                Change::Remove { .. } => {
                    sqlx::query("DELETE FROM row WHERE part = $1 AND id = $2")
                        .bind(table)
                        .bind(id.cast_signed())
                        .execute(&mut *transaction)
                        .await?;
                }
            }
        }
        if digest != announced {
            transaction.rollback().await?;
            return Ok(Err(Refusal::Digest));
        }
        let rows = rows(&mut transaction).await?;
        // A large one takes a while to check; the runtime has better to do meanwhile.
        let build = self.build;
        let made = tokio::task::spawn_blocking(move || build(to, rows)).await;
        match made.map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))? {
            Err(why) => {
                transaction.rollback().await?;
                Ok(Err(why))
            }
            Ok(made) => {
                sqlx::query(
                    "INSERT INTO replica (one, version, digest) VALUES (1, $1, $2) \
                     ON CONFLICT (one) DO UPDATE SET version = excluded.version, digest = excluded.digest",
                )
                .bind(to.cast_signed())
                .bind(digest.as_bytes().as_slice())
                .execute(&mut *transaction)
                .await?;
                transaction.commit().await?;
                Ok(Ok(made))
            }
        }
    }
}

fn policy(version: u64, rows: Vec<(String, u64, String)>) -> Result<Policy, Refusal> {
    let rows = rows.iter().map(|(table, id, text)| (table.as_str(), *id, text.as_str()));
    let parts = assemble(version, rows).map_err(Refusal::Rows)?;
    Ok(Policy::try_from(parts)?)
}

async fn rows(connection: &mut SqliteConnection) -> Result<Vec<(String, u64, String)>, sqlx::Error> {
    let rows = sqlx::query("SELECT part, id, text FROM row ORDER BY part, id").fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get::<i64, _>(1)?.cast_unsigned(), row.try_get(2)?)))
        .collect()
}

async fn connect(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    private::file(path).map_err(sqlx::Error::Io)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging();
    let mut connection = options.connect().await?;
    sqlx::raw_sql(TABLES).execute(&mut connection).await?;
    Ok(connection)
}

/// SQLite's result codes 11 (malformed) and 26 (not a database).
fn is_broken(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|it| it.code()).is_some_and(|code| code == "11" || code == "26")
}
