//! The database: opening, tables, levels.

use std::fs;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use super::{Levels, Options};
use crate::private;

/// Migrations: each is applied once, in order, and never edited; `user_version` counts them.
pub(super) const MIGRATIONS: [&str; 2] = [
    "
CREATE TABLE IF NOT EXISTS outbox (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS stream (
    stream INTEGER PRIMARY KEY CHECK (stream IN (0, 1)),
    last   INTEGER NOT NULL CHECK (last >= 0),
    acked  INTEGER NOT NULL CHECK (acked BETWEEN 0 AND last)
) STRICT;
CREATE TABLE IF NOT EXISTS event (
    id     INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES stream,
    seq    INTEGER NOT NULL CHECK (seq > 0),
    at     INTEGER NOT NULL,
    door   INTEGER,
    kind   TEXT NOT NULL,
    data   TEXT NOT NULL,
    UNIQUE (stream, seq)
) STRICT;
CREATE INDEX IF NOT EXISTS event_of_door ON event (door, id);
CREATE TABLE IF NOT EXISTS kept (
    kind  TEXT NOT NULL,
    key   TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
",
    // An epoch for each stream, and events of more than one.
    "
ALTER TABLE stream RENAME TO stream_1;
ALTER TABLE event RENAME TO event_1;
DROP INDEX event_of_door;
CREATE TABLE stream (
    stream INTEGER PRIMARY KEY CHECK (stream IN (0, 1)),
    epoch  INTEGER NOT NULL,
    last   INTEGER NOT NULL CHECK (last >= 0),
    acked  INTEGER NOT NULL CHECK (acked BETWEEN 0 AND last)
) STRICT;
CREATE TABLE event (
    id     INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL CHECK (stream IN (0, 1)),
    epoch  INTEGER NOT NULL,
    seq    INTEGER NOT NULL CHECK (seq > 0),
    at     INTEGER NOT NULL,
    door   INTEGER,
    kind   TEXT NOT NULL,
    data   TEXT NOT NULL,
    UNIQUE (stream, epoch, seq)
) STRICT;
CREATE INDEX event_of_door ON event (door, id);
INSERT INTO stream (stream, epoch, last, acked)
    SELECT stream, (SELECT epoch FROM outbox), last, acked FROM stream_1;
INSERT INTO event (id, stream, epoch, seq, at, door, kind, data)
    SELECT id, stream, (SELECT epoch FROM outbox), seq, at, door, kind, data FROM event_1;
DROP TABLE event_1;
DROP TABLE stream_1;
DROP TABLE outbox;
",
];

/// Opens the database for writing, creates what is missing. One that SQLite calls broken is set aside and begun anew: a
/// controller that does not start opens no door. Says where the broken one went.
pub(super) async fn open(
    options: &Options,
) -> Result<(SqliteConnection, Levels, Option<PathBuf>), sqlx::Error> {
    match prepare(options).await {
        Ok((connection, levels)) => Ok((connection, levels, None)),
        Err(error) if is_broken(&error) => {
            let aside = set_aside(&options.path).map_err(sqlx::Error::Io)?;
            let (connection, levels) = prepare(options).await?;
            Ok((connection, levels, Some(aside)))
        }
        Err(error) => Err(error),
    }
}

pub(super) fn connect_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .disable_statement_logging()
}

async fn prepare(options: &Options) -> Result<(SqliteConnection, Levels), sqlx::Error> {
    private::file(&options.path).map_err(sqlx::Error::Io)?;
    let mut connection = connect_options(&options.path).connect().await?;
    let mut begin = connection.begin_with("BEGIN IMMEDIATE").await?;
    let done: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *begin).await?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(done).unwrap_or(0)) {
        sqlx::raw_sql(*migration).execute(&mut *begin).await?;
    }
    let version = format!("PRAGMA user_version = {}", MIGRATIONS.len());
    sqlx::raw_sql(sqlx::AssertSqlSafe(version)).execute(&mut *begin).await?;
    sqlx::query(
        "INSERT INTO stream (stream, epoch, last, acked) VALUES (0, $1, 0, 0), (1, $1, 0, 0) ON CONFLICT DO NOTHING",
    )
    .bind(i64::from(fresh_epoch()?))
    .execute(&mut *begin)
    .await?;
    begin.commit().await?;
    let levels = levels(&mut connection).await?;
    if let Some(pages) = options.max_pages {
        let pragma = format!("PRAGMA max_page_count = {pages}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(pragma)).execute(&mut connection).await?;
    }
    Ok((connection, levels))
}

/// A number for an epoch, at random: two databases of one controller never share one.
pub(super) fn fresh_epoch() -> Result<u32, sqlx::Error> {
    let mut fresh = [0; 4];
    SystemRandom::new()
        .fill(&mut fresh)
        .map_err(|_| sqlx::Error::Io(std::io::Error::other("no random numbers")))?;
    Ok(u32::from_be_bytes(fresh).max(1))
}

pub(super) async fn levels(connection: &mut SqliteConnection) -> Result<Levels, sqlx::Error> {
    let rows =
        sqlx::query("SELECT epoch, last, acked FROM stream ORDER BY stream").fetch_all(connection).await?;
    let [urgent, bulk] = rows.as_slice() else { return Err(sqlx::Error::RowNotFound) };
    let column = |name: &str| -> Result<[u64; 2], sqlx::Error> {
        Ok([urgent.try_get::<i64, _>(name)?.cast_unsigned(), bulk.try_get::<i64, _>(name)?.cast_unsigned()])
    };
    let [urgent_epoch, bulk_epoch] = column("epoch")?.map(u32::try_from);
    let epoch =
        |it: Result<u32, std::num::TryFromIntError>| it.map_err(|error| sqlx::Error::Decode(error.into()));
    Ok(Levels {
        epoch: [epoch(urgent_epoch)?, epoch(bulk_epoch)?],
        last: column("last")?,
        acked: column("acked")?,
    })
}

/// SQLite's result codes 11 (malformed) and 26 (not a database).
fn is_broken(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|it| it.code()).is_some_and(|code| code == "11" || code == "26")
}

fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = (1..)
        .map(|number| beside(&format!(".broken-{number}")))
        .find(|candidate| !candidate.exists())
        .expect("some number is free");
    fs::rename(path, &aside)?;
    for suffix in ["-wal", "-shm"] {
        match fs::remove_file(beside(suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(aside)
}
