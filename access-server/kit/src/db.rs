//! SQLite and PostgreSQL behind one type, with one set of literal SQL statements.
//!
//! What both agree on: `$1` placeholders, `RETURNING`, `ON CONFLICT`, partial indexes. Types are `INTEGER` (64 bits),
//! `TEXT`, `BLOB` and `REAL`; truth is an `INTEGER` 0 or 1; a `SUM` is cast to `BIGINT`. Reading goes through a pool,
//! writing through **one** connection: what is journaled first is committed first and told first.

mod fault;
mod migrate;
mod statements;

use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Once};
use std::time::Duration;

pub use fault::Fault;
pub use migrate::{MigrateError, Migration};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, Connection, Executor};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Readers at once; the writer is one more.
const READERS: u32 = 8;
/// A page that waits longer than this for a connection says so.
const ACQUIRE: Duration = Duration::from_secs(5);

/// Which engine is behind a [`Db`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// One file, write-ahead log, every commit synced to the disk.
    Sqlite,
    /// A PostgreSQL server, 15 or newer.
    Postgres,
}

/// The database: a pool of readers and one writer.
#[derive(Clone, Debug)]
pub struct Db {
    engine: Engine,
    readers: AnyPool,
    writer: AnyPool,
    turn: Arc<Mutex<()>>,
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address names no known engine.
    #[error("the database address must begin with sqlite: or postgres:")]
    Scheme,
    /// The file could not be made.
    #[error("the database file {path} could not be made")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The engine refused or was not there.
    #[error("the database could not be opened")]
    Engine(#[source] sqlx::Error),
}

impl Db {
    /// Opens `sqlite:/path/file.db` (made with mode 0600 where absent) or `postgres://user@host/name`.
    ///
    /// # Errors
    /// When the address is not understood or the engine cannot be reached.
    pub async fn open(address: &str) -> Result<Self, OpenError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let engine = match address.split_once(':') {
            Some(("sqlite", path)) => {
                create_private(path)?;
                Engine::Sqlite
            }
            Some(("postgres" | "postgresql", _)) => Engine::Postgres,
            Some(_) | None => return Err(OpenError::Scheme),
        };
        let options = AnyConnectOptions::from_str(address).map_err(OpenError::Engine)?;
        let readers = pool(engine, READERS, "PRAGMA query_only = ON").connect_lazy_with(options.clone());
        let writer = pool(
            engine,
            1,
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768;",
        )
        .connect_with(options)
        .await
        .map_err(OpenError::Engine)?;
        Ok(Self { engine, readers, writer, turn: Arc::new(Mutex::new(())) })
    }

    /// Which engine this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// For reading outside a transaction: `.fetch_all(db.read())`.
    #[must_use]
    pub fn read(&self) -> &AnyPool {
        &self.readers
    }

    /// Waits for the writer's turn and begins a transaction on it.
    pub(crate) async fn begin(
        &self,
    ) -> Result<(OwnedMutexGuard<()>, sqlx::Transaction<'static, sqlx::Any>), sqlx::Error> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let begin = match self.engine {
            // Takes the write lock at once: another process at the same file makes us wait, never fail half way.
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN",
        };
        let transaction = self.writer.begin_with(begin).await?;
        Ok((turn, transaction))
    }

    /// Closes every connection; SQLite's log is folded into its file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn pool(engine: Engine, connections: u32, pragmas: &'static str) -> AnyPoolOptions {
    let options = AnyPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE);
    // A full disk makes SQLite end a transaction by itself: the connection then believes in one that is not there.
    let options = options
        .before_acquire(|connection, _| Box::pin(std::future::ready(Ok(!connection.is_in_transaction()))));
    match engine {
        Engine::Sqlite => options.after_connect(move |connection, _| {
            Box::pin(async move {
                connection
                    .execute(sqlx::raw_sql("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON;"))
                    .await?;
                connection.execute(sqlx::raw_sql(pragmas)).await?;
                Ok(())
            })
        }),
        // "exists already, skipping" is no news.
        Engine::Postgres => options.after_connect(|connection, _| {
            Box::pin(async move { connection.execute("SET client_min_messages = warning").await.map(drop) })
        }),
    }
}

/// Makes an absent SQLite file readable by its owner alone (its log takes the same mode).
fn create_private(address: &str) -> Result<(), OpenError> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = address.trim_start_matches("//").split('?').next().unwrap_or_default();
    if Path::new(path).exists() {
        return Ok(());
    }
    std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| OpenError::File { path: path.to_owned(), source })?;
    Ok(())
}
