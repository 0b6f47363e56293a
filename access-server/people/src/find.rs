//! Looking for people: by a part of their name, its pinyin or initials, number or department, in the order of names.

use domain::ids::PersonId;
use domain::policy::PersonStatus;
use domain::time::Validity;
use kit::{Kit, Tx};
use sqlx::Row;

use crate::person::{self, PAGE_MAX, PersonKind, row_id, validity};
use crate::sought::{patterns, sort, sought};
use crate::word::Word;

kit::statements! {
    FIND = "SELECT id, kind, name, latin, department, number, valid_from, valid_until, status, sort, (SELECT COUNT(*) FROM face_template WHERE face_template.person = person.id), (SELECT COUNT(*) FROM credential WHERE credential.person = person.id) FROM person WHERE (sort > $1 OR (sort = $1 AND id > $2)) AND sought LIKE $3 ESCAPE '\\' AND sought LIKE $4 ESCAPE '\\' AND sought LIKE $5 ESCAPE '\\' AND sought LIKE $6 ESCAPE '\\' ORDER BY sort, id LIMIT $7";
    COUNT_FOUND = "SELECT COUNT(*) FROM person WHERE sought LIKE $1 ESCAPE '\\' AND sought LIKE $2 ESCAPE '\\' AND sought LIKE $3 ESCAPE '\\' AND sought LIKE $4 ESCAPE '\\'";
    IDS = "SELECT id FROM person WHERE sought LIKE $1 ESCAPE '\\' AND sought LIKE $2 ESCAPE '\\' AND sought LIKE $3 ESCAPE '\\' AND sought LIKE $4 ESCAPE '\\' ORDER BY id LIMIT $5";
    NAMESAKES = "SELECT id FROM person WHERE name = $1 AND id <> $2 ORDER BY id LIMIT 5";
    UNSOUGHT = "SELECT id FROM person WHERE sought = '' ORDER BY id LIMIT 500";
    WRITE = "UPDATE person SET sort = $2, sought = $3 WHERE id = $1";
}

/// A row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Who.
    pub id: PersonId,
    /// Why they are known.
    pub kind: PersonKind,
    /// The name as it is shown.
    pub name: String,
    /// The name in Latin letters; may be empty.
    pub latin: String,
    /// May be empty.
    pub department: String,
    /// The staff number; may be empty.
    pub number: String,
    /// From when until when they may pass.
    pub validity: Validity,
    /// Whether they may pass at all.
    pub status: PersonStatus,
    /// Whether their face is known.
    pub has_face: bool,
    /// Cards, PINs and codes.
    pub credentials: u64,
    /// Their place in the list.
    pub place: Place,
}

/// Where a page of the list ends: the next begins behind it, whoever came or went meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name's place.
    pub sort: String,
    /// And the person, where names are the same.
    pub id: PersonId,
}

impl Default for Place {
    /// Before everybody.
    fn default() -> Self {
        Self { sort: String::new(), id: PersonId(0) }
    }
}

/// People in the order of their names, behind `after`. A question is up to four words, each of which must be found in
/// the name, its pinyin or initials, the number or the department; an empty one finds everybody.
///
/// # Errors
/// When the database fails.
pub async fn find(kit: &Kit, question: &str, after: &Place, limit: u32) -> Result<Vec<Found>, sqlx::Error> {
    let mut query = sqlx::query(FIND).bind(after.sort.as_str()).bind(row_id(after.id.0));
    for pattern in patterns(question) {
        query = query.bind(pattern);
    }
    let rows = query.bind(i64::from(limit.min(PAGE_MAX))).fetch_all(kit.read()).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let id = PersonId(row.try_get::<i64, _>(0)?.cast_unsigned());
        found.push(Found {
            id,
            kind: PersonKind::from_row(row.try_get(1)?)?,
            name: row.try_get(2)?,
            latin: row.try_get(3)?,
            department: row.try_get(4)?,
            number: row.try_get(5)?,
            validity: validity(row.try_get(6)?, row.try_get(7)?),
            status: PersonStatus::from_row(row.try_get(8)?)?,
            place: Place { sort: row.try_get(9)?, id },
            has_face: row.try_get::<i64, _>(10)? > 0,
            credentials: row.try_get::<i64, _>(11)?.cast_unsigned(),
        });
    }
    Ok(found)
}

/// How many people a question finds.
///
/// # Errors
/// When the database fails.
pub async fn count(kit: &Kit, question: &str) -> Result<u64, sqlx::Error> {
    let mut query = sqlx::query_as(COUNT_FOUND);
    for pattern in patterns(question) {
        query = query.bind(pattern);
    }
    let (count,): (i64,) = query.fetch_one(kit.read()).await?;
    Ok(count.cast_unsigned())
}

/// Whom a question finds, as numbers alone; up to `limit` of them.
///
/// # Errors
/// When the database fails.
pub async fn ids(kit: &Kit, question: &str, limit: u32) -> Result<Vec<PersonId>, sqlx::Error> {
    let mut query = sqlx::query_as(IDS);
    for pattern in patterns(question) {
        query = query.bind(pattern);
    }
    let rows: Vec<(i64,)> = query.bind(i64::from(limit)).fetch_all(kit.read()).await?;
    Ok(rows.into_iter().map(|(id,)| PersonId(id.cast_unsigned())).collect())
}

/// Up to five others of the same name: perhaps the same person twice.
///
/// # Errors
/// When the database fails.
pub async fn namesakes(kit: &Kit, name: &str, of: Option<PersonId>) -> Result<Vec<PersonId>, sqlx::Error> {
    let rows: Vec<(i64,)> = sqlx::query_as(NAMESAKES)
        .bind(name)
        .bind(of.map_or(0, |id| row_id(id.0)))
        .fetch_all(kit.read())
        .await?;
    Ok(rows.into_iter().map(|(id,)| PersonId(id.cast_unsigned())).collect())
}

/// Writes for those who have nothing to be found by yet: they were there before this was kept.
///
/// # Errors
/// When the database fails.
pub async fn complete(kit: &Kit) -> Result<(), sqlx::Error> {
    loop {
        let mut tx = kit.begin().await?;
        let rows: Vec<(i64,)> = sqlx::query_as(UNSOUGHT).fetch_all(&mut *tx).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for (id,) in rows {
            if let Some(person) = person::get(&mut tx, PersonId(id.cast_unsigned())).await? {
                write(&mut tx, person.id, &person.particulars).await?;
            }
        }
        tx.commit().await?;
    }
}

/// Writes what a person is found by.
pub(crate) async fn write(
    tx: &mut Tx,
    person: PersonId,
    particulars: &person::Particulars,
) -> Result<(), sqlx::Error> {
    sqlx::query(WRITE)
        .bind(row_id(person.0))
        .bind(sort(particulars))
        .bind(sought(particulars))
        .execute(&mut **tx)
        .await
        .map(drop)
}
