//! Inserts of many rows a statement.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use kit::Tx;
use sqlx::AssertSqlSafe;

use super::{CARD, Digested};
use crate::person::{Particulars, open_from, open_until};
use crate::sought::{sort, sought};
use crate::word::Word;

/// Rows in one statement: the more, the fewer statements; SQLite finds each parameter by walking the list of all.
const ROWS: usize = 32;

static PERSONS: LazyLock<[Arc<str>; 2]> = LazyLock::new(|| {
    let into = "person (key, kind, name, latin, department, number, valid_from, valid_until, status, clearance, changed_at, sort, sought)";
    [ROWS, 1].map(|rows| text(into, 13, rows, " RETURNING id, key"))
});
static MEMBERS: LazyLock<[Arc<str>; 2]> =
    LazyLock::new(|| [ROWS, 1].map(|rows| text("person_group_member (person, person_group)", 2, rows, "")));
static CARDS: LazyLock<[Arc<str>; 2]> = LazyLock::new(|| {
    let into = "credential (person, kind, key, digest, use_as, status, changed_at, board_entry)";
    [ROWS, 1].map(|rows| text(into, 8, rows, ""))
});

/// An insert of so many rows.
fn text(into: &str, columns: usize, rows: usize, end: &str) -> Arc<str> {
    let mut sql = format!("INSERT INTO {into} VALUES ");
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=columns {
            let separator = if column == 1 { "" } else { ", " };
            write!(sql, "{separator}${}", row * columns + column).expect("a text takes all that is written");
        }
        sql.push(')');
    }
    sql.push_str(end);
    sql.into()
}

/// The statement for so many rows: many, or one.
fn pieces<T>(of: &[T]) -> impl Iterator<Item = (&[T], usize)> {
    let many = of.chunks_exact(ROWS);
    let rest = many.remainder();
    many.map(|rows| (rows, 0)).chain(rest.chunks(1).map(|row| (row, 1)))
}

/// Adds people; their numbers by their keys.
pub(super) async fn persons(
    tx: &mut Tx,
    now: i64,
    people: &[&Particulars],
) -> Result<HashMap<String, i64>, sqlx::Error> {
    let mut ids = HashMap::with_capacity(people.len());
    for (rows, sql) in pieces(people) {
        let mut add = sqlx::query_as(AssertSqlSafe(Arc::clone(&PERSONS[sql])));
        for p in rows {
            add = add
                .bind(p.key.as_str())
                .bind(p.kind.word())
                .bind(p.name.as_str())
                .bind(p.latin.as_str())
                .bind(p.department.as_str())
                .bind(p.number.as_str())
                .bind(open_from(p.validity.from))
                .bind(open_until(p.validity.until))
                .bind(p.status.word())
                .bind(i64::from(p.clearance))
                .bind(now)
                .bind(sort(p))
                .bind(sought(p));
        }
        let added: Vec<(i64, String)> = add.fetch_all(&mut **tx).await?;
        ids.extend(added.into_iter().map(|(id, key)| (key, id)));
    }
    Ok(ids)
}

/// Puts people into groups: pairs of both numbers.
pub(super) async fn members(tx: &mut Tx, members: &[(i64, i64)]) -> Result<(), sqlx::Error> {
    for (rows, sql) in pieces(members) {
        let mut add = sqlx::query(AssertSqlSafe(Arc::clone(&MEMBERS[sql])));
        for (person, group) in rows {
            add = add.bind(*person).bind(*group);
        }
        add.execute(&mut **tx).await?;
    }
    Ok(())
}

/// Gives people cards: whose, under which key, which.
pub(super) async fn cards(tx: &mut Tx, now: i64, cards: &[(i64, &str, Digested)]) -> Result<(), sqlx::Error> {
    let (kind, usage, status) = CARD;
    for (rows, sql) in pieces(cards) {
        let mut add = sqlx::query(AssertSqlSafe(Arc::clone(&CARDS[sql])));
        for (person, key, card) in rows {
            add = add
                .bind(*person)
                .bind(kind.word())
                .bind(*key)
                .bind(card.digest.0.to_vec())
                .bind(usage.word())
                .bind(status.word())
                .bind(now)
                .bind(card.entry.map(|entry| entry.0.to_vec()));
        }
        add.execute(&mut **tx).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_through_all_rows() {
        assert_eq!(&*text("t (a, b)", 2, 2, " X"), "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) X");
        let sizes: Vec<_> = pieces(&[0; 70]).map(|(rows, sql)| (rows.len(), sql)).collect();
        assert_eq!(sizes, [(32, 0), (32, 0), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1)]);
    }
}
