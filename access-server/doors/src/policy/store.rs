//! Published rows, as text, each from the version it came with until the one it went with.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use domain::ids::{ControllerId, PolicyVersion};
use domain::policy::PolicyParts;
use domain::time::Utc;
use kit::Tx;
use sqlx::{AnyConnection, AssertSqlSafe};
use uplink::sync::policy::{Table, rows};
use uplink::sync::{Change, Digest};

use super::compile::{narrow, without_people};
use crate::label::row_id;

/// Versions that differences can still be made from.
pub(crate) const VERSIONS_KEPT: u64 = 500;
/// The scope of rows that every controller is sent.
pub(super) const EVERYBODY: u64 = 0;

kit::statements! {
    HEAD = "SELECT version, made_at FROM policy_version ORDER BY version DESC LIMIT 1";
    IN_FORCE = "SELECT scope, part, id, content FROM policy_row WHERE until IS NULL ORDER BY scope, part, id";
    ADD_VERSION = "INSERT INTO policy_version (version, made_at, published_by) VALUES ($1, $2, $3)";
    ADD_DIGEST = "INSERT INTO policy_digest (version, controller, digest) VALUES ($1, $2, $3)";
    END_ROW = "UPDATE policy_row SET until = $4 WHERE scope = $1 AND part = $2 AND id = $3 AND until IS NULL";
    ADD_ROW = "INSERT INTO policy_row (scope, part, id, since, content) VALUES ($1, $2, $3, $4, $5)";
    FORGET_VERSIONS = "DELETE FROM policy_version WHERE version <= $1";
    FORGET_ROWS = "DELETE FROM policy_row WHERE until <= $1";
}

/// Where a row belongs: scope, table, key.
pub(super) type Place = (u64, &'static str, u64);
/// Rows by where they belong.
pub(super) type Rows = BTreeMap<Place, String>;

/// What a publication changes.
pub(super) struct Difference {
    ended: Vec<Place>,
    began: Vec<(Place, String)>,
    digests: Vec<(ControllerId, Digest)>,
}

/// The newest version and when it was made; version 0 before the first.
pub(super) async fn head(connection: &mut AnyConnection) -> Result<(PolicyVersion, i64), sqlx::Error> {
    let row: Option<(i64, i64)> = sqlx::query_as(HEAD).fetch_optional(connection).await?;
    Ok(row.map_or((PolicyVersion(0), 0), |(version, made_at)| {
        (PolicyVersion(version.cast_unsigned()), made_at)
    }))
}

/// The rows of a whole site's parts, each in its scope.
pub(super) fn scoped(parts: &PolicyParts) -> Rows {
    let controllers = parts.controllers.clone();
    let mut placed = Rows::new();
    // Doors, levels and controllers differ by controller; what follows is small, people and credentials are not in it.
    for controller in controllers {
        let mut own = without_people(parts);
        narrow(&mut own, controller);
        place(&mut placed, &own, controller.0, is_own);
    }
    place(&mut placed, parts, EVERYBODY, |table| !is_own(table));
    placed
}

/// The rows in force.
pub(super) async fn in_force(connection: &mut AnyConnection) -> Result<Rows, sqlx::Error> {
    let rows: Vec<(i64, String, i64, String)> = sqlx::query_as(IN_FORCE).fetch_all(connection).await?;
    rows.into_iter()
        .map(|(scope, part, id, content)| {
            let table = Table::of_name(&part)
                .ok_or_else(|| sqlx::Error::Decode("an unknown part of a policy".into()))?;
            Ok(((scope.cast_unsigned(), table.name(), id.cast_unsigned()), content))
        })
        .collect()
}

/// What must be written to get from one set of rows to the other; `None` when nothing.
pub(super) fn difference(before: &Rows, after: &Rows, controllers: &[ControllerId]) -> Option<Difference> {
    let ended: Vec<Place> = before
        .iter()
        .filter(|(place, row)| after.get(*place) != Some(*row))
        .map(|(place, _)| *place)
        .collect();
    let began: Vec<(Place, String)> = after
        .iter()
        .filter(|(place, row)| before.get(*place) != Some(*row))
        .map(|(place, row)| (*place, row.clone()))
        .collect();
    if ended.is_empty() && began.is_empty() {
        return None;
    }
    let mut by_scope: BTreeMap<u64, Digest> = BTreeMap::new();
    for ((scope, table, id), row) in after {
        by_scope.entry(*scope).or_default().toggle(table, *id, row);
    }
    let of = |scope: u64| by_scope.get(&scope).copied().unwrap_or_default();
    let digests = controllers.iter().map(|id| (*id, both(of(EVERYBODY), of(id.0)))).collect();
    Some(Difference { ended, began, digests })
}

/// Writes a version, made at the time that its rows say.
pub(super) async fn write(
    tx: &mut Tx,
    version: PolicyVersion,
    made_at: Utc,
    by: Option<i64>,
    difference: &Difference,
) -> Result<(), sqlx::Error> {
    let to = row_id(version.0);
    sqlx::query(ADD_VERSION).bind(to).bind(made_at.0).bind(by).execute(&mut **tx).await?;
    for (controller, digest) in &difference.digests {
        let digest = digest.as_bytes().to_vec();
        sqlx::query(ADD_DIGEST).bind(to).bind(row_id(controller.0)).bind(digest).execute(&mut **tx).await?;
    }
    for (scope, table, id) in &difference.ended {
        let end = sqlx::query(END_ROW).bind(row_id(*scope)).bind(*table).bind(row_id(*id));
        end.bind(to).execute(&mut **tx).await?;
    }
    let mut batches = difference.began.chunks_exact(BATCH);
    for batch in &mut batches {
        let mut add = sqlx::query(AssertSqlSafe(Arc::clone(&ADD_BATCH)));
        for ((scope, table, id), content) in batch {
            add = add.bind(row_id(*scope)).bind(*table).bind(row_id(*id)).bind(to).bind(content.as_str());
        }
        add.execute(&mut **tx).await?;
    }
    for ((scope, table, id), content) in batches.remainder() {
        let add = sqlx::query(ADD_ROW).bind(row_id(*scope)).bind(*table).bind(row_id(*id)).bind(to);
        add.bind(content.as_str()).execute(&mut **tx).await?;
    }
    if let Some(old) = version.0.checked_sub(VERSIONS_KEPT) {
        sqlx::query(FORGET_VERSIONS).bind(row_id(old)).execute(&mut **tx).await?;
        sqlx::query(FORGET_ROWS).bind(row_id(old)).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Rows in one statement: ten thousand people are written in a third of the time.
const BATCH: usize = 32;

static ADD_BATCH: LazyLock<Arc<str>> = LazyLock::new(|| {
    let row = |at: usize| {
        format!("(${}, ${}, ${}, ${}, ${})", at * 5 + 1, at * 5 + 2, at * 5 + 3, at * 5 + 4, at * 5 + 5)
    };
    let rows: Vec<String> = (0..BATCH).map(row).collect();
    format!("INSERT INTO policy_row (scope, part, id, since, content) VALUES {}", rows.join(", ")).into()
});

fn place(placed: &mut Rows, parts: &PolicyParts, scope: u64, wanted: fn(Table) -> bool) {
    for change in rows(parts) {
        let Change::Put { table, id, row } = change else { continue };
        let table = Table::of_name(&table).expect("rows() writes tables it knows");
        if wanted(table) {
            placed.insert((scope, table.name(), id), row.get().to_owned());
        }
    }
}

/// Whether a table's rows differ by controller.
fn is_own(table: Table) -> bool {
    match table {
        Table::Controller | Table::Door | Table::Level => true,
        Table::Site
        | Table::Area
        | Table::FireZone
        | Table::Group
        | Table::Schedule
        | Table::Person
        | Table::Credential => false,
    }
}

/// The digest over two disjoint sets of rows.
fn both(one: Digest, other: Digest) -> Digest {
    let mut bytes = *one.as_bytes();
    for (mine, theirs) in bytes.iter_mut().zip(other.as_bytes()) {
        *mine ^= theirs;
    }
    Digest::from_bytes(bytes)
}
