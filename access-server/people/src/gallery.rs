//! The gallery as vision processes copy it: versions, differences, the whole.
//!
//! A difference names the templates that came or went since a version and is read from the rows as they are now; rows
//! are opened for sending and never stored in clear. Old versions are forgotten after [`VERSIONS_KEPT`]: a vision
//! process that was away for longer is sent the whole.

use ::gallery::{DIMENSIONS, Template};
use domain::ids::PersonId;
use kit::db::Engine;
use kit::{Kit, Tx};
use sqlx::{AnyConnection, Connection};
use uplink::sync::gallery::{TEMPLATE, TemplateRow};
use uplink::sync::{Change, Chunk, Digest, Have, Set, chunks};

use crate::error::PeopleError;
use crate::person::row_id;
use crate::seal::Sealed;

/// Versions that differences can still be made from.
pub const VERSIONS_KEPT: u64 = 1000;

kit::statements! {
    HEAD = "SELECT version, digest FROM gallery_version ORDER BY version DESC LIMIT 1";
    DIGEST_OF = "SELECT digest FROM gallery_version WHERE version = $1";
    ADD_VERSION = "INSERT INTO gallery_version (version, digest) VALUES ($1, $2)";
    ADD_CHANGE = "INSERT INTO gallery_change (version, template) VALUES ($1, $2)";
    FORGET = "DELETE FROM gallery_version WHERE version <= $1";
    CHANGED_SINCE = "SELECT DISTINCT template FROM gallery_change WHERE version > $1 ORDER BY template";
    ONE = "SELECT id, person, sealed FROM face_template WHERE id = $1";
    ALL = "SELECT id, person, sealed FROM face_template ORDER BY id";
    WITH_MODEL = "SELECT id, person, sealed, model FROM face_template ORDER BY id";
}

/// The newest version and the digest over its rows; version 0 before the first template.
///
/// # Errors
/// When the database fails.
pub async fn head(connection: &mut AnyConnection) -> Result<(u64, Digest), sqlx::Error> {
    let row: Option<(i64, Vec<u8>)> = sqlx::query_as(HEAD).fetch_optional(connection).await?;
    row.map_or(Ok((0, Digest::default())), |(version, bytes)| Ok((version.cast_unsigned(), digest(bytes)?)))
}

/// What a vision process must be sent, given what it holds; nothing when it holds the newest version.
///
/// # Errors
/// When the database fails, or a template does not open with the site's key.
pub async fn answer(kit: &Kit, have: &Have) -> Result<Vec<Chunk>, PeopleError> {
    let mut connection = kit.read().acquire().await?;
    // One view for version and rows, whatever is written meanwhile.
    let begin = match kit.db().engine() {
        Engine::Sqlite => "BEGIN",
        Engine::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    };
    let mut snapshot = connection.begin_with(begin).await?;
    let (version, digest) = head(&mut snapshot).await?;
    if have.version == Some(version) && have.digest == digest {
        return Ok(Vec::new());
    }
    let from = match have.version {
        Some(from) if from < version && known(&mut snapshot, from).await? == Some(have.digest) => Some(from),
        Some(_) | None => None,
    };
    let changes = match from {
        Some(from) => difference(kit, &mut snapshot, from).await?,
        None => whole(kit, &mut snapshot).await?,
    };
    Ok(chunks(Set::Gallery, from, version, digest, changes))
}

/// Every template and the network that made it, opened: for the search of duplicate identities.
pub(crate) async fn templates(
    kit: &Kit,
    connection: &mut AnyConnection,
) -> Result<Vec<(PersonId, String, Template)>, PeopleError> {
    let rows: Vec<(i64, i64, Vec<u8>, String)> = sqlx::query_as(WITH_MODEL).fetch_all(connection).await?;
    rows.into_iter()
        .map(|(id, person, sealed, model)| {
            let (person, numbers) = open(kit, &(id, person, sealed))?;
            Ok((person, model, Template::new(&numbers).map_err(|_| PeopleError::Sealed)?))
        })
        .collect()
}

/// What a template adds to the gallery's digest: kept beside it, so that deleting needs no key.
pub(crate) fn mark(template: u64, person: PersonId, values: &Template) -> Digest {
    // The numbers themselves, never scaled again: the digest is over the text they are sent in.
    let mut mark = Digest::default();
    if let Change::Put { table, id, row } = put(template, person, values.numbers()) {
        mark.toggle(&table, id, row.get());
    }
    mark
}

/// Notes that templates came or went: one new version. `marks` are theirs, of both.
pub(crate) async fn advance(tx: &mut Tx, marks: &[(u64, Digest)]) -> Result<(), sqlx::Error> {
    let (version, before) = head(tx).await?;
    let mut after = *before.as_bytes();
    for (_, mark) in marks {
        for (mine, theirs) in after.iter_mut().zip(mark.as_bytes()) {
            *mine ^= theirs;
        }
    }
    let next = row_id(version + 1);
    sqlx::query(ADD_VERSION).bind(next).bind(after.to_vec()).execute(&mut **tx).await?;
    let mut templates: Vec<u64> = marks.iter().map(|(template, _)| *template).collect();
    templates.sort_unstable();
    templates.dedup();
    for template in templates {
        sqlx::query(ADD_CHANGE).bind(next).bind(row_id(template)).execute(&mut **tx).await?;
    }
    if let Some(old) = (version + 1).checked_sub(VERSIONS_KEPT) {
        sqlx::query(FORGET).bind(row_id(old)).execute(&mut **tx).await?;
    }
    Ok(())
}

async fn known(connection: &mut AnyConnection, version: u64) -> Result<Option<Digest>, sqlx::Error> {
    if version == 0 {
        // Everything that came since is known only while the first version is.
        let first: Option<(Vec<u8>,)> =
            sqlx::query_as(DIGEST_OF).bind(1_i64).fetch_optional(connection).await?;
        return Ok(first.map(|_| Digest::default()));
    }
    let row: Option<(Vec<u8>,)> =
        sqlx::query_as(DIGEST_OF).bind(row_id(version)).fetch_optional(connection).await?;
    row.map(|(bytes,)| digest(bytes)).transpose()
}

async fn difference(
    kit: &Kit,
    connection: &mut AnyConnection,
    from: u64,
) -> Result<Vec<Change>, PeopleError> {
    let changed: Vec<(i64,)> =
        sqlx::query_as(CHANGED_SINCE).bind(row_id(from)).fetch_all(&mut *connection).await?;
    let mut changes = Vec::with_capacity(changed.len());
    for (template,) in changed {
        let row: Option<(i64, i64, Vec<u8>)> =
            sqlx::query_as(ONE).bind(template).fetch_optional(&mut *connection).await?;
        let id = template.cast_unsigned();
        changes.push(match row {
            Some(row) => {
                let (person, values) = open(kit, &row)?;
                put(id, person, &values)
            }
            None => Change::Remove { table: TEMPLATE.to_owned(), id },
        });
    }
    Ok(changes)
}

async fn whole(kit: &Kit, connection: &mut AnyConnection) -> Result<Vec<Change>, PeopleError> {
    let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(ALL).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let (person, values) = open(kit, row)?;
            Ok(put(row.0.cast_unsigned(), person, &values))
        })
        .collect()
}

fn put(template: u64, person: PersonId, numbers: &[f32]) -> Change {
    Change::put(TEMPLATE, template, &TemplateRow { person: person.0, values: numbers.to_vec() })
}

fn open(kit: &Kit, (id, person, sealed): &(i64, i64, Vec<u8>)) -> Result<(PersonId, Vec<f32>), PeopleError> {
    let person = PersonId(person.cast_unsigned());
    let plain = Sealed::Template { person, template: id.cast_unsigned() }.open(kit.keys(), sealed)?;
    Ok((person, from_bytes(&plain)?))
}

/// The numbers as they are sealed: 4 bytes each, little-endian.
pub(crate) fn to_bytes(values: &Template) -> Vec<u8> {
    values.numbers().iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn from_bytes(bytes: &[u8]) -> Result<Vec<f32>, PeopleError> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() || numbers.len() != DIMENSIONS {
        return Err(PeopleError::Sealed);
    }
    Ok(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
}

fn digest(bytes: Vec<u8>) -> Result<Digest, sqlx::Error> {
    bytes.try_into().map(Digest::from_bytes).map_err(|_| sqlx::Error::Decode("a digest has 32 bytes".into()))
}
