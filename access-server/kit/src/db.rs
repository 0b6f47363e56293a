//! SQLite and PostgreSQL behind one type, with one set of literal SQL statements.
//!
//! What both agree on: `$1` placeholders, `RETURNING`, `ON CONFLICT`, partial indexes. Types are `INTEGER` (64 bits),
//! `TEXT`, `BLOB` and `REAL`; truth is an `INTEGER` 0 or 1; a `SUM` is cast to `BIGINT`. Reading goes through a pool,
//! writing through **one** connection: what is journaled first is committed first and told first.

pub mod content;
mod fault;
mod fence;
mod migrate;
mod statements;

use std::net::IpAddr;
use std::path::Path;
use std::pin::pin;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;

pub use fault::Fault;
pub(crate) use fence::Fence;
pub use migrate::{MigrateError, Migration};
use ring::rand::{SecureRandom, SystemRandom};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AnyPool, AssertSqlSafe, Connection, Executor};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

/// Readers at once; the writer is one more.
const READERS: u32 = 8;
/// A page that waits longer than this for a connection says so.
const ACQUIRE: Duration = Duration::from_secs(5);
/// Whoever wants to write waits no longer than this for those who write before, and then as long again for the engine.
const TURN: Duration = Duration::from_secs(10);
/// A connection that does not answer within this when it is given back is not kept.
const ANSWER: Duration = Duration::from_secs(1);
/// For PostgreSQL: what keeps a statement, a lock, or a connection to a host that has vanished from being waited for
/// without end, on the server's side too. A transaction left behind by a vanished program holds the journal's lock.
/// "Exists already, skipping" is no news.
const SETTINGS: &str = "SET client_min_messages = warning; SET statement_timeout = '30s'; SET lock_timeout = '5s'; \
    SET idle_in_transaction_session_timeout = '5min'; \
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;";

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
    /// Whether the writer's connection is closed instead of used again.
    distrusted: Arc<AtomicBool>,
    /// One connection that waits behind nobody: for the lease alone.
    pulse: AnyPool,
    /// What PostgreSQL knows this program's connections by.
    instance: Arc<str>,
    /// Without a lease anybody may write.
    fence: Arc<OnceLock<Fence>>,
}

/// The writer's turn, and a transaction begun in it.
pub(crate) type Begun = (OwnedMutexGuard<()>, sqlx::Transaction<'static, sqlx::Any>);

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
    /// PostgreSQL on another machine, and the connection could be listened to.
    #[error("the database at {host} is reached over a network: its address must say sslmode=verify-full")]
    Listened {
        /// The machine.
        host: String,
    },
    /// PostgreSQL was not reached, or refused.
    #[error("the database {name} at {host} {}", advice(.source))]
    Refused {
        /// Its name there.
        name: String,
        /// The machine or socket, with the port.
        host: String,
        /// Why.
        source: sqlx::Error,
    },
    /// The engine refused or was not there.
    #[error("the database could not be opened")]
    Engine(#[source] sqlx::Error),
}

/// What is to be done about a refusal, by its kind (PostgreSQL 15, appendix A).
fn advice(error: &sqlx::Error) -> &'static str {
    let code = error.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned));
    match code.as_deref() {
        Some("3D000") => "is not there: make it with `createdb`",
        Some("28P01" | "28000") => {
            "lets this user not in: the address and `pg_hba.conf` say who may come, and how"
        }
        Some("53300") => "has no connection free: raise `max_connections`",
        Some("57P03") => "is only just starting, or stopping",
        Some(_) => "refuses",
        None => "is not reached: does PostgreSQL run, and listen there?",
    }
}

impl Db {
    /// Opens `sqlite:/path/file.db` (made with mode 0600 where absent) or `postgres://user@host/name`; where the host is
    /// another machine, its certificate is checked (`?sslmode=verify-full`, with `&sslrootcert=FILE` for an authority
    /// that this machine does not know).
    ///
    /// # Errors
    /// When the address is not understood or not safe, or the engine cannot be reached.
    pub async fn open(address: &str) -> Result<Self, OpenError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let engine = engine_of(address)?;
        if engine == Engine::Sqlite {
            create_private(address)?;
        }
        let options = AnyConnectOptions::from_str(address).map_err(OpenError::Engine)?;
        if engine == Engine::Postgres {
            // A pool would go on trying and then say no more than that its time was over.
            greet(address, &options).await?;
        }
        let distrusted = Arc::new(AtomicBool::new(false));
        let instance = instance();
        let readers = pool(engine, READERS, "PRAGMA query_only = ON", &instance)
            .before_acquire(|connection, _| Box::pin(std::future::ready(Ok(!connection.is_in_transaction()))))
            .after_release(|connection, _| {
                // Its reader may have given up waiting for an answer.
                Box::pin(async move {
                    Ok(timeout(ANSWER, connection.ping()).await.is_ok_and(|pong| pong.is_ok()))
                })
            })
            .connect_lazy_with(options.clone());
        let (on_release, on_acquire) = (Arc::clone(&distrusted), Arc::clone(&distrusted));
        let writer = pool(
            engine,
            1,
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768; \
             PRAGMA secure_delete = ON;",
            &instance,
        )
        // A full disk makes SQLite end a transaction by itself: the connection then believes in one that is not there.
        .before_acquire(move |connection, _| {
            let good = !connection.is_in_transaction() && !on_acquire.swap(false, Ordering::SeqCst);
            Box::pin(std::future::ready(Ok(good)))
        })
        .after_release(move |_, _| {
            let good = !on_release.swap(false, Ordering::SeqCst);
            Box::pin(std::future::ready(Ok(good)))
        })
        .connect_with(options.clone())
        .await
        .map_err(OpenError::Engine)?;
        let pulse = pool(engine, 1, "PRAGMA query_only = ON", &instance).connect_lazy_with(options);
        let (turn, fence) = (Arc::new(Mutex::new(())), Arc::default());
        Ok(Self { engine, readers, writer, turn, distrusted, pulse, instance, fence })
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
    pub(crate) async fn begin(&self) -> Result<Begun, sqlx::Error> {
        let turn = timeout(TURN, Arc::clone(&self.turn).lock_owned()).await.map_err(|_| no_answer())?;
        self.begin_in(turn).await
    }

    /// As [`Self::begin`], but only if nobody has the turn.
    pub(crate) async fn begin_if_free(&self) -> Result<Option<Begun>, sqlx::Error> {
        let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() else { return Ok(None) };
        self.begin_in(turn).await.map(Some)
    }

    async fn begin_in(&self, turn: OwnedMutexGuard<()>) -> Result<Begun, sqlx::Error> {
        let begin = match self.engine {
            // Takes the write lock at once: another process at the same file makes us wait, never fail half way.
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN",
        };
        let begun = async {
            let mut tx = self.writer.begin_with(begin).await?;
            if let Some(fence) = self.fence.get() {
                fence.check(&mut tx).await?;
            }
            Ok(tx)
        };
        Ok((turn, self.patiently(TURN, begun).await?))
    }

    /// From here on nothing is written once somebody else holds the lease.
    pub(crate) fn fence(&self, fence: Fence) {
        // A program holds one lease in its life: who loses it ends.
        let _ = self.fence.set(fence);
    }

    pub(crate) fn pulse(&self) -> &AnyPool {
        &self.pulse
    }

    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    /// Does work on the writer's connection for no longer than this. One that does not answer by then is closed: the
    /// machine at its other end may have vanished, and nobody says so.
    ///
    /// # Errors
    /// Those of the work, and [`Fault::Away`] when the time is over; whether it was done is then for the database to
    /// say.
    pub(crate) async fn patiently<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let mut work = pin!(work);
        match timeout(patience, work.as_mut()).await {
            Ok(done) => done,
            Err(_) => {
                // Before the work is dropped, and with it the connection given back.
                self.distrust();
                Err(no_answer())
            }
        }
    }

    /// Has the writer's connection closed when it is next given back or taken up: the next transaction gets a new one.
    pub(crate) fn distrust(&self) {
        self.distrusted.store(true, Ordering::SeqCst);
    }

    /// Closes every connection; SQLite's log is folded into its file.
    pub async fn close(&self) {
        self.pulse.close().await;
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn instance() -> Arc<str> {
    let mut id = [0; 8];
    SystemRandom::new().fill(&mut id).expect("the system's random source works");
    format!("gatehouse-{}", crate::journal::hex(&id)).into()
}

fn pool(engine: Engine, connections: u32, pragmas: &'static str, instance: &str) -> AnyPoolOptions {
    let options = AnyPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE);
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
        Engine::Postgres => {
            let settings: Arc<str> = format!("{SETTINGS} SET application_name = '{instance}';").into();
            options.after_connect(move |connection, _| {
                let settings = AssertSqlSafe(Arc::clone(&settings));
                Box::pin(async move { connection.execute(sqlx::raw_sql(settings)).await.map(drop) })
            })
        }
    }
}

fn no_answer() -> sqlx::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "the database does not answer").into()
}

/// Which engine an address is for.
///
/// # Errors
/// When it is none that [`Db::open`] would open.
pub fn engine_of(address: &str) -> Result<Engine, OpenError> {
    match address.split_once(':') {
        Some(("sqlite", _)) => Ok(Engine::Sqlite),
        Some(("postgres" | "postgresql", _)) => unheard(address),
        Some(_) | None => Err(OpenError::Scheme),
    }
}

/// Refuses an address whose connection others could listen to or pose as.
fn unheard(address: &str) -> Result<Engine, OpenError> {
    let options = PgConnectOptions::from_str(address).map_err(OpenError::Engine)?;
    let host = options.get_host();
    let here = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|host: IpAddr| host.to_canonical().is_loopback());
    if here || matches!(options.get_ssl_mode(), PgSslMode::VerifyFull) {
        return Ok(Engine::Postgres);
    }
    Err(OpenError::Listened { host: host.to_owned() })
}

/// Connects once, and says what is in the way.
async fn greet(address: &str, options: &AnyConnectOptions) -> Result<(), OpenError> {
    let greeted = timeout(ACQUIRE, sqlx::AnyConnection::connect_with(options)).await;
    let error = match greeted.unwrap_or_else(|_| Err(no_answer())) {
        Ok(connection) => {
            let _ = timeout(ANSWER, connection.close()).await;
            return Ok(());
        }
        Err(error) => error,
    };
    let options = PgConnectOptions::from_str(address).map_err(OpenError::Engine)?;
    let host =
        options.get_socket().map_or_else(|| options.get_host().to_owned(), |it| it.display().to_string());
    let host = format!("{host}, port {}", options.get_port());
    let name = options.get_database().unwrap_or_else(|| options.get_username()).to_owned();
    Err(OpenError::Refused { name, host, source: error })
}

/// Makes an absent SQLite file readable by its owner alone (its log takes the same mode); one that is there is taken from
/// others, with its log.
fn create_private(address: &str) -> Result<(), OpenError> {
    use std::os::unix::fs::OpenOptionsExt;
    let path =
        address.trim_start_matches("sqlite:").trim_start_matches("//").split('?').next().unwrap_or_default();
    if Path::new(path).exists() {
        [path.to_owned(), format!("{path}-wal"), format!("{path}-shm")]
            .iter()
            .for_each(|file| take_back(file));
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

/// Who opens a copy that is somebody else's can change nothing about it, and is not kept from reading it.
fn take_back(file: &str) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(found) = std::fs::metadata(file) else { return };
    let mode = found.permissions().mode();
    if mode & 0o077 == 0 {
        return;
    }
    match std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode & 0o700)) {
        Ok(()) => tracing::warn!(file, "others could read the database: now they cannot"),
        Err(error) => tracing::warn!(file, %error, "others may read the database"),
    }
}
