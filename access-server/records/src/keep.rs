//! Keeping the index up with the journal.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use kit::journal::events_after;
use kit::problem::chain;
use kit::{Kit, StoredEvent, Tx};
use sqlx::AssertSqlSafe;

use crate::term::Traits;

/// Records in one transaction; the writer is held for some tens of milliseconds.
const BATCH: u32 = 250;
/// How soon a record can be found.
const PAUSE: Duration = Duration::from_millis(250);
/// After a fault of the database.
const RETRY: Duration = Duration::from_secs(2);
/// Rows in one statement.
const ROWS: usize = 64;

kit::statements! {
    PROGRESS = "SELECT seq FROM record_progress WHERE id = 1";
    /// The old place is part of the condition: of two processes that keep the index one does.
    ADVANCE = "UPDATE record_progress SET seq = $2 WHERE id = 1 AND seq = $1";
    ADD = "INSERT INTO record_posting (term, at, seq, person, door, marks) VALUES ($1, $2, $3, $4, $5, $6)";
}

static ADD_MANY: LazyLock<Arc<str>> = LazyLock::new(|| {
    let row = |row: usize| {
        let at = row * 6;
        format!("(${}, ${}, ${}, ${}, ${}, ${})", at + 1, at + 2, at + 3, at + 4, at + 5, at + 6)
    };
    let rows: Vec<String> = (0..ROWS).map(row).collect();
    let (head, _) = ADD.split_once("($1").expect("its values begin so");
    format!("{head}{}", rows.join(", ")).into()
});

/// A row of the index.
struct Row {
    term: i64,
    at: i64,
    seq: i64,
    person: i64,
    door: i64,
    marks: i64,
}

/// Keeps the index up with the journal for as long as it is polled. A fault of the database is waited out.
pub async fn keep(kit: Kit) {
    let mut faulty = false;
    loop {
        let pause = match step(&kit).await {
            Ok(0) => PAUSE,
            Ok(_) => Duration::ZERO,
            Err(error) => {
                if !faulty {
                    tracing::warn!(error = %chain(&error), "the index of records is not kept up; trying again");
                }
                faulty = true;
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        faulty = false;
        tokio::time::sleep(pause).await;
    }
}

/// Brings the index up to the journal's end as it is now.
///
/// # Errors
/// When the database fails.
pub async fn catch_up(kit: &Kit) -> Result<(), sqlx::Error> {
    while step(kit).await? > 0 {}
    Ok(())
}

/// The last record of the journal that can be found.
///
/// # Errors
/// When the database fails.
pub async fn progress(kit: &Kit) -> Result<u64, sqlx::Error> {
    let (seq,): (i64,) = sqlx::query_as(PROGRESS).fetch_one(kit.read()).await?;
    Ok(seq.cast_unsigned())
}

/// Indexes the next records; how many there were.
async fn step(kit: &Kit) -> Result<usize, sqlx::Error> {
    let done = progress(kit).await?;
    let records = events_after(kit.read(), done, BATCH).await?;
    let Some(last) = records.last() else { return Ok(0) };
    let rows: Vec<Row> = records.iter().flat_map(|record| rows(record)).collect();
    let mut tx = kit.begin().await?;
    let advanced =
        sqlx::query(ADVANCE).bind(done.cast_signed()).bind(last.seq.cast_signed()).execute(&mut *tx).await?;
    if advanced.rows_affected() == 1 {
        write(&mut tx, &rows).await?;
        tx.commit().await?;
    }
    Ok(records.len())
}

/// Stands for the person of a record that names several: it is looked at itself.
pub(crate) const SEVERAL: u64 = u64::MAX;

fn rows(record: &StoredEvent) -> Vec<Row> {
    let traits = Traits::of(record);
    let signed = |id: Option<u64>| id.unwrap_or(0).cast_signed();
    let person = if traits.persons.is_empty() { signed(traits.person) } else { SEVERAL.cast_signed() };
    let (door, marks) = (signed(traits.door), traits.marks());
    let row = |term: crate::term::Term| Row {
        term: term.0,
        at: record.at,
        seq: record.seq.cast_signed(),
        person,
        door,
        marks,
    };
    traits.terms().map(row).collect()
}

async fn write(tx: &mut Tx, rows: &[Row]) -> Result<(), sqlx::Error> {
    for rows in rows.chunks(ROWS) {
        if rows.len() == ROWS {
            let query = sqlx::query(AssertSqlSafe(Arc::clone(&ADD_MANY)));
            rows.iter().fold(query, |query, row| bind(query, row)).execute(&mut **tx).await?;
            continue;
        }
        for row in rows {
            bind(sqlx::query(ADD), row).execute(&mut **tx).await?;
        }
    }
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

fn bind<'q>(query: Query<'q>, row: &Row) -> Query<'q> {
    query.bind(row.term).bind(row.at).bind(row.seq).bind(row.person).bind(row.door).bind(row.marks)
}
