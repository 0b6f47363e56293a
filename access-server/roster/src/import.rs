//! What was confirmed, written in batches.
//!
//! A confirmed import is stored first, sealed, with how it is to be done; then one batch a transaction is written, and in
//! the same transaction how far it has come. Events and other changes have their turn between two batches. A server that
//! stops or dies in between goes on where it was, it or the one that takes over; until then the import is shown as
//! unfinished, and what of it is written holds. One of up to [`BATCH_MAX`] people is one transaction: all of it, or nothing.
//!
//! A larger one was checked completely before its first batch, but others may change the same people while it is written.
//! Whoever was changed meanwhile is left as they are, and their lines are told; nobody is removed to undo the rest.

mod deed;

use std::time::Duration;

use kit::auth::OperatorId;
use kit::problem::chain;
use kit::{Kit, Tx};
use people::PeopleError;
use people::bulk::{self, BATCH_MAX};
use people::group::{self, GroupName};
use people::word::Word;
use people::words;
use serde_json::json;

use self::deed::Stored;
use crate::draft::{Draft, DraftError};
use crate::plan::Fate;

/// Imports being written at once at most: they wait for one another.
const UNFINISHED_MAX: i64 = 4;
/// Lines left out that are remembered at most.
const LINES_MAX: usize = 1000;
/// Imports that are remembered when they are done.
const KEPT: i64 = 1000;
/// How often it is looked whether there is something to write.
const LOOK: Duration = Duration::from_millis(500);
/// After a failure of the database.
const AGAIN: Duration = Duration::from_secs(2);

kit::statements! {
    BEGIN = "INSERT INTO roster_import (made_by, made_at, state, whole, seal, parts, next, people, added, changed, cards, overtaken, lines) VALUES ($1, $2, 'writing', $3, $4, $5, 0, $6, 0, 0, 0, 0, '[]') RETURNING id";
    ADD_PART = "INSERT INTO roster_part (import, part, sealed) VALUES ($1, $2, $3)";
    UNFINISHED = "SELECT COUNT(*) FROM roster_import WHERE state = 'writing'";
    NEXT = "SELECT id FROM roster_import WHERE state = 'writing' ORDER BY id LIMIT 1";
    GET = "SELECT id, made_by, made_at, state, whole, seal, parts, next, people, added, changed, cards, overtaken, lines, finished_at FROM roster_import WHERE id = $1";
    LIST = "SELECT id, made_by, made_at, state, whole, seal, parts, next, people, added, changed, cards, overtaken, lines, finished_at FROM roster_import ORDER BY id DESC LIMIT $1";
    PART = "SELECT sealed FROM roster_part WHERE import = $1 AND part = $2";
    ADVANCE = "UPDATE roster_import SET state = $2, next = $3, added = $4, changed = $5, cards = $6, overtaken = $7, lines = $8, finished_at = $9 WHERE id = $1";
    DROP_PART = "DELETE FROM roster_part WHERE import = $1 AND part = $2";
    DROP_PARTS = "DELETE FROM roster_part WHERE import = $1";
    FORGET = "DELETE FROM roster_import WHERE state <> 'writing' AND id <= (SELECT MAX(id) FROM roster_import) - $1";
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Not all of it is written.
    Writing,
    /// All of it is, but for what was overtaken.
    Done,
    /// Nothing was written: one of its people was changed before it began, and all or nothing was asked for.
    Overtaken,
    /// Somebody stopped it, or what was stored cannot be opened any more; what was written by then holds.
    Cancelled,
}

words!(State { Writing = "writing", Done = "done", Overtaken = "overtaken", Cancelled = "cancelled" });

/// An import that was confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its number.
    pub id: u64,
    /// Who confirmed it; `None` on the command line.
    pub by: Option<OperatorId>,
    /// When, UTC microseconds.
    pub made_at: i64,
    /// How far it is.
    pub state: State,
    /// Whether all or nothing was asked for.
    pub whole: bool,
    /// People to be added or changed.
    pub people: u64,
    /// People added so far.
    pub added: u64,
    /// People changed so far.
    pub changed: u64,
    /// Cards given out or exchanged so far.
    pub cards: u64,
    /// People left as they are because somebody changed them meanwhile.
    pub overtaken: u64,
    /// At which lines of the file; the first thousand.
    pub lines: Vec<u32>,
    /// When it came to its end.
    pub finished_at: Option<i64>,
    seal: String,
    parts: i64,
    next: i64,
}

/// What came of beginning one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It has this number.
    As(u64),
    /// Others are being written.
    Busy,
}

type ImportRow =
    (i64, Option<i64>, i64, String, i64, String, i64, i64, i64, i64, i64, i64, i64, String, Option<i64>);

impl Import {
    /// People that are done with.
    #[must_use]
    pub fn past(&self) -> u64 {
        self.added + self.changed + self.overtaken
    }

    fn read(row: ImportRow) -> Result<Self, sqlx::Error> {
        let (
            id,
            by,
            made_at,
            state,
            whole,
            seal,
            parts,
            next,
            people,
            added,
            changed,
            cards,
            overtaken,
            lines,
            finished_at,
        ) = row;
        Ok(Self {
            id: id.cast_unsigned(),
            by: by.map(OperatorId),
            made_at,
            state: State::from_row(&state)?,
            whole: whole == 1,
            people: people.cast_unsigned(),
            added: added.cast_unsigned(),
            changed: changed.cast_unsigned(),
            cards: cards.cast_unsigned(),
            overtaken: overtaken.cast_unsigned(),
            lines: serde_json::from_str(&lines).map_err(|error| sqlx::Error::Decode(error.into()))?,
            finished_at,
            seal,
            parts,
            next,
        })
    }
}

/// An import by its number.
///
/// # Errors
/// When the database fails.
pub async fn get(kit: &Kit, id: u64) -> Result<Option<Import>, sqlx::Error> {
    let id = i64::try_from(id).unwrap_or(-1);
    let row: Option<ImportRow> = sqlx::query_as(GET).bind(id).fetch_optional(kit.read()).await?;
    row.map(Import::read).transpose()
}

/// The newest imports, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(kit: &Kit, limit: u32) -> Result<Vec<Import>, sqlx::Error> {
    let rows: Vec<ImportRow> = sqlx::query_as(LIST).bind(i64::from(limit)).fetch_all(kit.read()).await?;
    rows.into_iter().map(Import::read).collect()
}

/// Stores what a draft would do, to be written from then on. The caller has asked [`Draft::may_begin`].
///
/// # Errors
/// When the database fails.
pub async fn begin(kit: &Kit, by: Option<OperatorId>, draft: &Draft) -> Result<Begun, DraftError> {
    let seal = draft.plan.fingerprint.clone();
    let stamp = kit.now();
    let group_key = |at: usize| format!("list-{stamp}-{at}");
    let deeds = draft.plan.rows.iter().filter_map(|row| match &row.fate {
        Fate::New(deed) | Fate::Changed(deed) => Some(Stored::of(row.line, deed, &group_key)),
        Fate::Same | Fate::Wrong(_) => None,
    });
    let deeds: Vec<Stored> = deeds.collect();
    let mut parts = Vec::with_capacity(deeds.len().div_ceil(BATCH_MAX));
    for (at, part) in deeds.chunks(BATCH_MAX).enumerate() {
        let plain = serde_json::to_vec(part).map_err(|error| sqlx::Error::Encode(error.into()))?;
        parts.push(kit.keys().seal(&bound_to(&seal, at as i64), &plain));
    }
    let mut tx = kit.begin().await?;
    let (unfinished,): (i64,) = sqlx::query_as(UNFINISHED).fetch_one(&mut *tx).await?;
    if unfinished >= UNFINISHED_MAX {
        return Ok(Begun::Busy);
    }
    for (at, name) in draft.plan.new_groups.iter().enumerate() {
        let new = GroupName { key: group_key(at), name: name.clone(), latin: String::new() };
        group::add(&mut tx, by, &new).await?;
    }
    sqlx::query(FORGET).bind(KEPT).execute(&mut *tx).await?;
    let now = tx.now();
    let (id,): (i64,) = sqlx::query_as(BEGIN)
        .bind(by.map(|by| by.0))
        .bind(now)
        .bind(i64::from(draft.choice.whole))
        .bind(seal)
        .bind(parts.len() as i64)
        .bind(deeds.len() as i64)
        .fetch_one(&mut *tx)
        .await?;
    for (at, sealed) in parts.into_iter().enumerate() {
        sqlx::query(ADD_PART).bind(id).bind(at as i64).bind(sealed).execute(&mut *tx).await?;
    }
    let counts = draft.plan.counts;
    let body = json!({ "import": id, "new": counts.new, "known": counts.changed, "whole": draft.choice.whole,
        "operator": by.map(|by| by.0) });
    tx.record("import.begun", &body).await?;
    tx.commit().await?;
    Ok(Begun::As(id.cast_unsigned()))
}

/// Stops an import; what is written holds. False when it has come to its end already, or there is none.
///
/// # Errors
/// When the database fails.
pub async fn cancel(kit: &Kit, by: Option<OperatorId>, id: u64) -> Result<bool, sqlx::Error> {
    let mut tx = kit.begin().await?;
    let Some(import) = of(&mut tx, i64::try_from(id).unwrap_or(-1)).await? else { return Ok(false) };
    if import.state != State::Writing {
        return Ok(false);
    }
    finish(&mut tx, by, Import { state: State::Cancelled, ..import }).await?;
    tx.commit().await?;
    Ok(true)
}

/// Writes what is to be written for as long as the server runs.
pub async fn keep(kit: Kit) {
    let mut is_well = true;
    loop {
        let wait = match advance(&kit).await {
            // Whoever waits for the writer has their turn now.
            Ok(true) => continue,
            Ok(false) => LOOK,
            Err(error) => {
                if is_well {
                    tracing::warn!(error = %chain(&error), "an import could not be written on; trying again");
                }
                is_well = false;
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        is_well = true;
        tokio::time::sleep(wait).await;
    }
}

/// Writes the next batch of the oldest import that is not finished; false when there is none.
///
/// # Errors
/// When the database fails: nothing of the batch was written then.
pub async fn advance(kit: &Kit) -> Result<bool, PeopleError> {
    let next: Option<(i64,)> = sqlx::query_as(NEXT).fetch_optional(kit.read()).await?;
    let Some((id,)) = next else { return Ok(false) };
    let part = of_reader(kit, id).await?;
    let Some((seen, sealed)) = part else { return Ok(true) };
    let plain = kit.keys().unseal(&bound_to(&seen.seal, seen.next), &sealed).ok();
    let deeds: Option<Vec<Stored>> = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
    let mut tx = kit.begin().await?;
    // Somebody may have stopped it since.
    let Some(import) = of(&mut tx, id).await?.filter(|it| *it == seen) else { return Ok(true) };
    let Some(deeds) = deeds else {
        tracing::error!(import = id, "what was to be imported does not open with the site's keys");
        finish(&mut tx, None, Import { state: State::Cancelled, ..import }).await?;
        tx.commit().await?;
        return Ok(true);
    };
    let groups = group::keys(&mut tx).await?.into_iter().map(|(id, key)| (key, id)).collect();
    let lines: Vec<u32> = deeds.iter().map(|deed| deed.line).collect();
    let batch: Vec<_> = deeds.into_iter().map(|deed| deed.intended(&groups)).collect();
    let written = bulk::write(&mut tx, &batch).await?;
    if import.whole && import.parts == 1 && !written.overtaken.is_empty() {
        drop(tx);
        let mut tx = kit.begin().await?;
        let overtaken = written.overtaken.len() as u64;
        let lines = written.overtaken.iter().map(|at| lines[*at]).take(LINES_MAX).collect();
        finish(&mut tx, import.by, Import { state: State::Overtaken, overtaken, lines, ..import }).await?;
        tx.commit().await?;
        return Ok(true);
    }
    let cards = batch
        .iter()
        .enumerate()
        .filter(|(at, it)| it.card != bulk::CardAct::Nothing && !written.overtaken.contains(at));
    let cards = cards.count() as u64;
    let (added, changed) = (written.added.len() as u64, written.changed.len() as u64);
    let persons = written.added.iter().map(|(_, person)| person).chain(&written.changed);
    let persons: Vec<u64> = persons.map(|person| person.0).collect();
    let mut import = Import {
        next: import.next + 1,
        added: import.added + added,
        changed: import.changed + changed,
        cards: import.cards + cards,
        overtaken: import.overtaken + written.overtaken.len() as u64,
        ..import
    };
    let overtaken = written.overtaken.iter().map(|at| lines[*at]);
    import.lines.extend(overtaken.take(LINES_MAX.saturating_sub(import.lines.len())));
    sqlx::query(DROP_PART).bind(id).bind(seen.next).execute(&mut *tx).await?;
    let body = json!({ "import": id, "added": added, "changed": changed, "cards": cards, "persons": persons,
        "operator": import.by.map(|by| by.0) });
    tx.record("import.written", &body).await?;
    if import.next >= import.parts {
        finish(&mut tx, import.by, Import { state: State::Done, ..import }).await?;
    } else {
        store(&mut tx, &import).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// The import as a reader sees it, and its next part; `None` when either is gone.
async fn of_reader(kit: &Kit, id: i64) -> Result<Option<(Import, Vec<u8>)>, sqlx::Error> {
    let mut connection = kit.read().acquire().await?;
    let row: Option<ImportRow> = sqlx::query_as(GET).bind(id).fetch_optional(&mut *connection).await?;
    let Some(import) = row.map(Import::read).transpose()? else { return Ok(None) };
    let part: Option<(Vec<u8>,)> =
        sqlx::query_as(PART).bind(id).bind(import.next).fetch_optional(&mut *connection).await?;
    Ok(part.map(|(sealed,)| (import, sealed)))
}

async fn of(tx: &mut Tx, id: i64) -> Result<Option<Import>, sqlx::Error> {
    let row: Option<ImportRow> = sqlx::query_as(GET).bind(id).fetch_optional(&mut **tx).await?;
    row.map(Import::read).transpose()
}

async fn store(tx: &mut Tx, import: &Import) -> Result<(), sqlx::Error> {
    let lines = serde_json::to_string(&import.lines).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(ADVANCE)
        .bind(import.id.cast_signed())
        .bind(import.state.word())
        .bind(import.next)
        .bind(import.added.cast_signed())
        .bind(import.changed.cast_signed())
        .bind(import.cards.cast_signed())
        .bind(import.overtaken.cast_signed())
        .bind(lines)
        .bind(import.finished_at)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Writes down that an import has come to its end; what was stored of people goes.
async fn finish(tx: &mut Tx, by: Option<OperatorId>, mut import: Import) -> Result<(), sqlx::Error> {
    import.finished_at = Some(tx.now());
    store(tx, &import).await?;
    sqlx::query(DROP_PARTS).bind(import.id.cast_signed()).execute(&mut **tx).await?;
    let body = json!({ "import": import.id, "state": import.state.word(), "added": import.added,
        "changed": import.changed, "cards": import.cards, "overtaken": import.overtaken,
        "operator": by.map(|by| by.0) });
    tx.record("import.finished", &body).await.map(drop)
}

/// A part moved to another import or place does not open.
fn bound_to(seal: &str, part: i64) -> Vec<u8> {
    [b"import\0", seal.as_bytes(), &part.to_be_bytes()].concat()
}
