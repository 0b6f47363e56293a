//! What a database holds, table by table and row by row, in a form of neither engine: for backups, which may be restored
//! into either.

mod load;
mod value;

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
pub use load::{LoadError, Loader};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Executor, Row};
pub use value::{Value, ValueError};

use super::{Db, Engine};

/// What no backup holds: who was signed in signs in again, the lease is whoever's takes it, and the register of
/// migrations is written by migrating.
const LEFT_OUT: [&str; 4] = ["session", "half_session", "lease", "migration"];

/// The names of this schema's tables.
const TABLES: [&str; 2] = [
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    "SELECT table_name::TEXT FROM information_schema.tables WHERE table_schema = current_schema() \
     AND table_type = 'BASE TABLE' ORDER BY table_name",
];
/// A table's columns, with the engine's words for their types.
const COLUMNS: [&str; 2] = [
    "SELECT name, type FROM pragma_table_info($1) ORDER BY cid",
    "SELECT column_name::TEXT, data_type::TEXT FROM information_schema.columns \
     WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position",
];
/// Tables that give out numbers by themselves, and the last one given.
const SEQUENCES: [&str; 2] = [
    "SELECT name, seq FROM sqlite_sequence",
    "SELECT t.relname::TEXT, s.last_value FROM pg_sequences s \
     JOIN pg_class c ON c.relname = s.sequencename AND c.relnamespace = s.schemaname::TEXT::REGNAMESPACE \
     JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'i' JOIN pg_class t ON t.oid = d.refobjid \
     WHERE s.schemaname = current_schema() AND s.last_value IS NOT NULL",
];
const HAS_SEQUENCES: &str = "SELECT name FROM sqlite_schema WHERE name = 'sqlite_sequence'";

/// The text for an engine, of a pair of texts.
fn of(texts: [&'static str; 2], engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => texts[0],
        Engine::Postgres => texts[1],
    }
}

/// A table as its engine has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Real,
    Text,
    Blob,
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "INTEGER" | "bigint" => Self::Integer,
            "REAL" | "double precision" => Self::Real,
            "TEXT" | "text" => Self::Text,
            "BLOB" | "bytea" => Self::Blob,
            _ => return None,
        })
    }
}

/// A step of the schema that was applied.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Applied {
    /// The slice it belongs to.
    pub slice: String,
    /// Its number within the slice.
    pub number: u32,
}

/// Everything as it stood at one moment, whatever is written meanwhile.
#[derive(Debug)]
pub struct Snapshot {
    tx: sqlx::Transaction<'static, sqlx::Any>,
    engine: Engine,
}

impl Db {
    /// Holds a moment still for reading. A server may go on writing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn snapshot(&self) -> Result<Snapshot, sqlx::Error> {
        let begin = match self.engine {
            // The moment is that of the first statement, below.
            Engine::Sqlite => "BEGIN",
            Engine::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        let mut tx = self.readers.begin_with(begin).await?;
        if self.engine == Engine::Postgres {
            let patient =
                "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;";
            tx.execute(sqlx::raw_sql(patient)).await?;
        }
        tx.execute(of(TABLES, self.engine)).await?;
        Ok(Snapshot { tx, engine: self.engine })
    }

    /// Whether there is no table at all.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_empty(&self) -> Result<bool, sqlx::Error> {
        Ok(self.readers.fetch_optional(of(TABLES, self.engine)).await?.is_none())
    }
}

impl Snapshot {
    /// The tables that a backup holds.
    ///
    /// # Errors
    /// When the database does not answer, or a column is of no type that both engines have.
    pub async fn tables(&mut self) -> Result<Vec<Table>, sqlx::Error> {
        let mut tables = tables(&mut self.tx, self.engine).await?;
        tables.retain(|table| !LEFT_OUT.contains(&table.name.as_str()));
        Ok(tables)
    }

    /// The steps of the schema that were applied, in no order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn applied(&mut self) -> Result<Vec<Applied>, sqlx::Error> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT slice, number FROM migration ORDER BY slice, number")
                .fetch_all(&mut *self.tx)
                .await?;
        let step = |(slice, number)| Applied { slice, number: u32::try_from(number).unwrap_or(u32::MAX) };
        Ok(rows.into_iter().map(step).collect())
    }

    /// The last number that each table gave out by itself: one that was given is not given again, even if its row is gone.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sequences(&mut self) -> Result<BTreeMap<String, i64>, sqlx::Error> {
        if self.engine == Engine::Sqlite && self.tx.fetch_optional(HAS_SEQUENCES).await?.is_none() {
            return Ok(BTreeMap::new());
        }
        let rows: Vec<(String, i64)> =
            sqlx::query_as(of(SEQUENCES, self.engine)).fetch_all(&mut *self.tx).await?;
        Ok(rows.into_iter().collect())
    }

    /// Gives each row of a table to `each`, in the order of its first column.
    ///
    /// # Errors
    /// When the database does not answer, or those of `each`.
    pub async fn rows<E: From<sqlx::Error>>(
        &mut self,
        table: &Table,
        mut each: impl FnMut(Vec<Value>) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns = table.columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT {columns} FROM {} ORDER BY 1", quoted(&table.name));
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *self.tx);
        while let Some(row) = rows.try_next().await? {
            each(values(table, &row)?)?;
        }
        Ok(())
    }

    /// Where the journal and its checkpoints end: the last record and the last checkpoint's number; 0 where there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end(&mut self) -> Result<(u64, u64), sqlx::Error> {
        let row: Option<(i64, i64)> = sqlx::query_as("SELECT seq, checkpoint FROM journal_head WHERE id = 1")
            .fetch_optional(&mut *self.tx)
            .await?;
        Ok(row.map_or((0, 0), |(seq, checkpoint)| (seq.cast_unsigned(), checkpoint.cast_unsigned())))
    }
}

async fn tables(connection: &mut AnyConnection, engine: Engine) -> Result<Vec<Table>, sqlx::Error> {
    let names: Vec<(String,)> = sqlx::query_as(of(TABLES, engine)).fetch_all(&mut *connection).await?;
    let mut tables = Vec::with_capacity(names.len());
    for (name,) in names {
        let rows: Vec<(String, String)> =
            sqlx::query_as(of(COLUMNS, engine)).bind(name.as_str()).fetch_all(&mut *connection).await?;
        let column = |(column, word): (String, String)| match Kind::parse(&word) {
            Some(kind) => Ok(Column { name: column, kind }),
            None => Err(sqlx::Error::Decode(format!("{name}.{column} is of the unknown type {word}").into())),
        };
        let columns = rows.into_iter().map(column).collect::<Result<_, _>>()?;
        tables.push(Table { name, columns });
    }
    Ok(tables)
}

fn values(table: &Table, row: &AnyRow) -> Result<Vec<Value>, sqlx::Error> {
    let value = |(at, column): (usize, &Column)| {
        Ok(match column.kind {
            Kind::Integer => row.try_get::<Option<i64>, _>(at)?.map(Value::Integer),
            Kind::Real => row.try_get::<Option<f64>, _>(at)?.map(Value::Real),
            Kind::Text => row.try_get::<Option<String>, _>(at)?.map(Value::Text),
            Kind::Blob => row.try_get::<Option<Vec<u8>>, _>(at)?.map(Value::Blob),
        }
        .unwrap_or(Value::Null))
    };
    table.columns.iter().enumerate().map(value).collect()
}

/// A name out of the engine's own catalogue, as a statement has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
