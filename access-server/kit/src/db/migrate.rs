//! Migrations: forward only, one text for both engines.
//!
//! Written in SQLite's words; for PostgreSQL six of them are exchanged: `INTEGER` (BIGINT), `BLOB` (BYTEA), `REAL`
//! (DOUBLE PRECISION), `PRIMARY KEY AUTOINCREMENT` (an identity column), `STRICT` and `STRICT, WITHOUT ROWID` (nothing).

use std::collections::HashMap;

use ring::digest::{SHA256, digest};
use sqlx::{AnyConnection, AssertSqlSafe, Executor};

use super::{Db, Engine};
use crate::clock::Micros;

/// One step of one slice's schema. A landed one is never edited: its text's hash is kept and compared.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The slice it belongs to, as `people`.
    pub slice: &'static str,
    /// From 1, without gaps within the slice.
    pub number: u32,
    /// The statements, in SQLite's words.
    pub sql: &'static str,
}

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The numbers of a slice have a gap or a repetition.
    #[error("migration {slice} {number} is out of order")]
    Order {
        /// The slice.
        slice: &'static str,
        /// The number that does not follow.
        number: u32,
    },
    /// A landed migration's text differs from what was applied.
    #[error("migration {slice} {number} was changed after it had been applied")]
    Edited {
        /// The slice.
        slice: String,
        /// Its number.
        number: u32,
    },
    /// The database was made by a newer program.
    #[error(
        "the database has migration {slice} {number}, which this program does not know: it is older than the database"
    )]
    Newer {
        /// The slice.
        slice: String,
        /// Its number.
        number: i64,
    },
    /// A statement failed.
    #[error("migration {slice} {number} failed")]
    Statement {
        /// The slice.
        slice: &'static str,
        /// Its number.
        number: u32,
        /// What the engine said.
        source: sqlx::Error,
    },
    /// The register itself could not be read or written.
    #[error("the register of migrations could not be used")]
    Register(#[from] sqlx::Error),
}

const REGISTER: &str = "CREATE TABLE IF NOT EXISTS migration (
    slice TEXT NOT NULL,
    number INTEGER NOT NULL,
    digest BLOB NOT NULL,
    applied_at INTEGER NOT NULL,
    PRIMARY KEY (slice, number)
) STRICT";

/// For PostgreSQL: one process at a time changes the schema; SQLite's transactions of writers are alone anyway.
const ALONE: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'; \
    LOCK TABLE migration IN SHARE ROW EXCLUSIVE MODE;";

impl Db {
    /// Applies what is missing, in the order given: all of it in one transaction, so that whatever ends the process
    /// meanwhile leaves the old schema or the new one. Returns how many steps were applied.
    ///
    /// # Errors
    /// When a step fails (nothing leaves a trace), or the database does not belong to this program's history.
    pub async fn migrate(&self, steps: &[Migration], now: Micros) -> Result<usize, MigrateError> {
        in_order(steps)?;
        let (_turn, mut tx) = self.begin().await?;
        tx.execute(AssertSqlSafe(self.words(REGISTER))).await?;
        tx.commit().await?;
        drop(_turn);
        if missing(steps, &applied(&mut *self.read().acquire().await?).await?)?.is_empty() {
            return Ok(0);
        }
        let (_turn, mut tx) = self.begin().await?;
        if self.engine() == Engine::Postgres {
            // A step may have a large table to go through; and another process may be at it already.
            tx.execute(sqlx::raw_sql(ALONE)).await?;
        }
        let missing = missing(steps, &applied(&mut tx).await?)?;
        for step in &missing {
            self.apply(step, &mut tx, now).await?;
        }
        let last = missing.last().copied();
        tx.commit().await.map_err(|source| match last {
            Some(Migration { slice, number, .. }) => {
                MigrateError::Statement { slice, number: *number, source }
            }
            None => MigrateError::Register(source),
        })?;
        Ok(missing.len())
    }

    /// How many steps [`Self::migrate`] would apply. Changes nothing.
    ///
    /// # Errors
    /// When the database does not belong to this program's history.
    pub async fn pending(&self, steps: &[Migration]) -> Result<usize, MigrateError> {
        if self.is_empty().await? {
            return Ok(steps.len());
        }
        Ok(missing(steps, &applied(&mut *self.read().acquire().await?).await?)?.len())
    }

    async fn apply(
        &self,
        step: &Migration,
        connection: &mut AnyConnection,
        now: Micros,
    ) -> Result<(), MigrateError> {
        let failed = |source| MigrateError::Statement { slice: step.slice, number: step.number, source };
        let statements = sqlx::raw_sql(AssertSqlSafe(self.words(step.sql)));
        connection.execute(statements).await.map_err(failed)?;
        sqlx::query("INSERT INTO migration (slice, number, digest, applied_at) VALUES ($1, $2, $3, $4)")
            .bind(step.slice)
            .bind(i64::from(step.number))
            .bind(digest(&SHA256, step.sql.as_bytes()).as_ref().to_vec())
            .bind(now)
            .execute(connection)
            .await?;
        Ok(())
    }

    fn words(&self, sql: &str) -> String {
        match self.engine() {
            Engine::Sqlite => sql.to_owned(),
            Engine::Postgres => in_postgres_words(sql),
        }
    }
}

/// The steps that were applied, with their texts' digests.
type Applied = HashMap<(String, i64), Vec<u8>>;

async fn applied(connection: &mut AnyConnection) -> Result<Applied, sqlx::Error> {
    let rows: Vec<(String, i64, Vec<u8>)> =
        sqlx::query_as("SELECT slice, number, digest FROM migration").fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(slice, number, digest)| ((slice, number), digest)).collect())
}

/// The steps still to be applied, once those that were are known to be ours.
fn missing<'s>(steps: &'s [Migration], applied: &Applied) -> Result<Vec<&'s Migration>, MigrateError> {
    let known: HashMap<(&str, i64), &Migration> =
        steps.iter().map(|step| ((step.slice, i64::from(step.number)), step)).collect();
    for ((slice, number), was) in applied {
        let step = known
            .get(&(slice.as_str(), *number))
            .ok_or_else(|| MigrateError::Newer { slice: slice.clone(), number: *number })?;
        if digest(&SHA256, step.sql.as_bytes()).as_ref() != was.as_slice() {
            return Err(MigrateError::Edited { slice: slice.clone(), number: step.number });
        }
    }
    let is_missing =
        |step: &&Migration| !applied.contains_key(&(step.slice.to_owned(), i64::from(step.number)));
    Ok(steps.iter().filter(is_missing).collect())
}

fn in_order(steps: &[Migration]) -> Result<(), MigrateError> {
    let mut last: HashMap<&str, u32> = HashMap::new();
    for step in steps {
        let before = last.entry(step.slice).or_insert(0);
        if step.number != *before + 1 {
            return Err(MigrateError::Order { slice: step.slice, number: step.number });
        }
        *before = step.number;
    }
    Ok(())
}

fn in_postgres_words(sql: &str) -> String {
    let sql = sql
        .replace("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY")
        .replace(") STRICT, WITHOUT ROWID", ")")
        .replace(") STRICT", ")");
    let mut out = String::with_capacity(sql.len());
    let mut word = String::new();
    for letter in sql.chars().chain([' ']) {
        if letter.is_ascii_alphanumeric() || letter == '_' {
            word.push(letter);
            continue;
        }
        out.push_str(match word.as_str() {
            "INTEGER" => "BIGINT",
            "BLOB" => "BYTEA",
            "REAL" => "DOUBLE PRECISION",
            other => other,
        });
        word.clear();
        out.push(letter);
    }
    out.pop();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_are_exchanged() {
        assert_eq!(
            in_postgres_words(
                "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, b BLOB, integer_x TEXT, r REAL) STRICT;"
            ),
            "CREATE TABLE a (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, b BYTEA, integer_x TEXT, r DOUBLE PRECISION);"
        );
    }

    #[test]
    fn numbers_must_follow() {
        let step = |number| Migration { slice: "a", number, sql: "" };
        assert!(in_order(&[step(1), step(2)]).is_ok());
        assert!(in_order(&[step(1), step(3)]).is_err());
        assert!(in_order(&[step(2)]).is_err());
    }
}
