//! Filling a database that holds nothing.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Executor};
use tokio::sync::OwnedMutexGuard;

use super::{LEFT_OUT, Table, Value, quoted, tables};
use crate::db::{Db, Engine};

/// Values in one statement; PostgreSQL takes 65,535 at most, SQLite 32,766.
const VALUES: usize = 8192;
/// Rows in one statement.
pub(super) const ROWS: usize = 64;

/// For PostgreSQL: which rows name which is looked at when all are there.
const FOREIGN: &str = "SELECT conrelid::REGCLASS::TEXT, quote_ident(conname) FROM pg_constraint \
     WHERE contype = 'f' AND connamespace = current_schema()::REGNAMESPACE ORDER BY 1, 2";
const SET_SEQUENCE: &str = "SELECT setval(pg_get_serial_sequence(quote_ident($1), \
     (SELECT column_name::TEXT FROM information_schema.columns WHERE table_schema = current_schema() \
      AND table_name = $1 AND is_identity = 'YES'))::REGCLASS, $2)";

/// Why rows were not taken.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// This schema has no such table.
    #[error("there is no table {0}")]
    Table(String),
    /// This schema's table has other columns.
    #[error("the table {0} has other columns")]
    Columns(String),
    /// A row has more or fewer values than the table has columns.
    #[error("a row of {0} has too many values, or too few")]
    Row(String),
    /// The database refused or failed.
    #[error("the database failed at {at}")]
    Database {
        /// The table, or what was being done.
        at: String,
        /// What it said.
        source: sqlx::Error,
    },
}

/// Rows go in, all of them or none.
#[derive(Debug)]
pub struct Loader {
    tx: sqlx::Transaction<'static, sqlx::Any>,
    _turn: OwnedMutexGuard<()>,
    engine: Engine,
    tables: Vec<Table>,
    foreign: Vec<(String, String)>,
}

impl Db {
    /// Begins to fill the tables; what migrations put into them is taken out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(&self) -> Result<Loader, LoadError> {
        let failed = |source| LoadError::Database { at: "the beginning".to_owned(), source };
        let (turn, tx) = self.begin().await.map_err(failed)?;
        let mut loader =
            Loader { tx, _turn: turn, engine: self.engine, tables: Vec::new(), foreign: Vec::new() };
        loader.prepare().await.map_err(failed)?;
        Ok(loader)
    }

    /// Takes away the tables again that migrating an empty database made: what cannot be filled is left as it was found.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_back_schema(&self) -> Result<(), sqlx::Error> {
        let (_turn, mut tx) = self.begin().await?;
        let cascade = match self.engine {
            Engine::Sqlite => {
                tx.execute("PRAGMA defer_foreign_keys = ON").await?;
                ""
            }
            Engine::Postgres => " CASCADE",
        };
        for table in tables(&mut tx, self.engine).await? {
            tx.execute(AssertSqlSafe(format!("DROP TABLE {}{cascade}", quoted(&table.name)))).await?;
        }
        tx.commit().await
    }
}

impl Loader {
    async fn prepare(&mut self) -> Result<(), sqlx::Error> {
        match self.engine {
            Engine::Sqlite => {
                self.tx.execute("PRAGMA defer_foreign_keys = ON").await?;
            }
            Engine::Postgres => {
                self.tx.execute("SET LOCAL statement_timeout = 0").await?;
                self.foreign = sqlx::query_as(FOREIGN).fetch_all(&mut *self.tx).await?;
                self.foreign_keys("DEFERRABLE").await?;
                self.tx.execute("SET CONSTRAINTS ALL DEFERRED").await?;
            }
        }
        self.tables = tables(&mut self.tx, self.engine).await?;
        self.tables.retain(|table| !LEFT_OUT.contains(&table.name.as_str()));
        for table in &self.tables {
            let emptied = format!("DELETE FROM {}", quoted(&table.name));
            self.tx.execute(AssertSqlSafe(emptied)).await?;
        }
        Ok(())
    }

    async fn foreign_keys(&mut self, how: &str) -> Result<(), sqlx::Error> {
        for (table, name) in &self.foreign {
            let altered = format!("ALTER TABLE {table} ALTER CONSTRAINT {name} {how}");
            self.tx.execute(AssertSqlSafe(altered)).await?;
        }
        Ok(())
    }

    /// Puts rows into a table, whose columns are these.
    ///
    /// # Errors
    /// When the schema has no such table or columns, or the database refuses.
    pub async fn insert(
        &mut self,
        table: &str,
        columns: &[String],
        rows: Vec<Vec<Value>>,
    ) -> Result<(), LoadError> {
        let known = self.tables.iter().find(|known| known.name == table);
        let known = known.ok_or_else(|| LoadError::Table(table.to_owned()))?.clone();
        if known.columns.len() != columns.len()
            || !columns.iter().all(|name| known.columns.iter().any(|column| column.name == *name))
        {
            return Err(LoadError::Columns(table.to_owned()));
        }
        if rows.iter().any(|row| row.len() != columns.len()) {
            return Err(LoadError::Row(table.to_owned()));
        }
        let at_once = (VALUES / columns.len().max(1)).clamp(1, ROWS);
        let mut rows = rows.into_iter();
        loop {
            let some: Vec<_> = rows.by_ref().take(at_once).collect();
            if some.is_empty() {
                return Ok(());
            }
            self.write(&known, columns, some)
                .await
                .map_err(|source| LoadError::Database { at: table.to_owned(), source })?;
        }
    }

    async fn write(
        &mut self,
        table: &Table,
        columns: &[String],
        rows: Vec<Vec<Value>>,
    ) -> Result<(), sqlx::Error> {
        let names = columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let mut number = 0;
        let mut row = || {
            let places = columns.iter().map(|_| {
                number += 1;
                format!("${number}")
            });
            format!("({})", places.collect::<Vec<_>>().join(", "))
        };
        let places = rows.iter().map(|_| row()).collect::<Vec<_>>().join(", ");
        let sql = format!("INSERT INTO {} ({names}) VALUES {places}", quoted(&table.name));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for row in rows {
            for (name, value) in columns.iter().zip(row) {
                let column = table.columns.iter().find(|column| column.name == *name);
                query = match value {
                    Value::Integer(number) => query.bind(number),
                    Value::Real(number) => query.bind(number),
                    Value::Text(text) => query.bind(text),
                    Value::Blob(bytes) => query.bind(bytes),
                    // PostgreSQL wants to know of which type nothing is.
                    Value::Null => match column.map(|column| column.kind) {
                        Some(super::Kind::Real) => query.bind(None::<f64>),
                        Some(super::Kind::Text) => query.bind(None::<String>),
                        Some(super::Kind::Blob) => query.bind(None::<Vec<u8>>),
                        Some(super::Kind::Integer) | None => query.bind(None::<i64>),
                    },
                };
            }
        }
        query.execute(&mut *self.tx).await.map(drop)
    }

    /// Looks at which rows name which, sets the numbers that are given next, and keeps it all.
    ///
    /// # Errors
    /// When rows are named that are not there, or the database fails; then nothing was kept.
    pub async fn finish(mut self, sequences: &BTreeMap<String, i64>) -> Result<(), LoadError> {
        let failed = |source| LoadError::Database { at: "the end".to_owned(), source };
        for (table, last) in sequences {
            if !self.tables.iter().any(|known| known.name == *table) {
                return Err(LoadError::Table(table.clone()));
            }
            self.set_sequence(table, *last).await.map_err(failed)?;
        }
        if self.engine == Engine::Postgres {
            self.tx.execute("SET CONSTRAINTS ALL IMMEDIATE").await.map_err(failed)?;
            self.foreign_keys("NOT DEFERRABLE").await.map_err(failed)?;
        }
        self.tx.commit().await.map_err(failed)
    }

    async fn set_sequence(&mut self, table: &str, last: i64) -> Result<(), sqlx::Error> {
        match self.engine {
            Engine::Sqlite => {
                // The engine has a row for a table once something was put into it.
                sqlx::query("DELETE FROM sqlite_sequence WHERE name = $1")
                    .bind(table)
                    .execute(&mut *self.tx)
                    .await?;
                sqlx::query("INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)")
                    .bind(table)
                    .bind(last)
                    .execute(&mut *self.tx)
                    .await?;
            }
            Engine::Postgres => {
                self.tx.fetch_all(sqlx::query(SET_SEQUENCE).bind(table).bind(last)).await?;
            }
        }
        Ok(())
    }
}
