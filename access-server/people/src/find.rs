//! Looking for people: by a part of their name, its pinyin or initials, number or department, by how they stand; in the
//! order of names, departments or numbers.

use domain::ids::PersonId;
use domain::policy::PersonStatus;
use domain::time::{Utc, Validity};
use kit::{Kit, Tx};
use sqlx::Row;

use crate::person::{self, PAGE_MAX, PersonKind, row_id, validity};
use crate::sought::{patterns, sort, sought};
use crate::word::Word;
use crate::words;

kit::statements! {
    FIND = "SELECT id, kind, name, latin, department, number, valid_from, valid_until, status, sort, (SELECT COUNT(*) FROM face_template WHERE face_template.person = person.id), (SELECT COUNT(*) FROM credential WHERE credential.person = person.id) FROM person WHERE sought LIKE $1 ESCAPE '\\' AND sought LIKE $2 ESCAPE '\\' AND sought LIKE $3 ESCAPE '\\' AND sought LIKE $4 ESCAPE '\\' AND (CAST($5 AS TEXT) = '' OR kind = $5) AND (CAST($6 AS TEXT) = '' OR $6 = CASE WHEN status = 'suspended' THEN 'suspended' WHEN valid_until <= CAST($7 AS BIGINT) THEN 'expired' WHEN valid_from > $7 THEN 'early' ELSE 'active' END) AND (CAST($8 AS TEXT) = '' OR $8 = CASE WHEN EXISTS (SELECT 1 FROM face_template WHERE face_template.person = person.id) THEN 'yes' ELSE 'no' END) AND CAST($11 AS TEXT) = $11 AND (CAST($9 AS BIGINT) = 0 OR sort > $10 OR (sort = $10 AND id > $9)) ORDER BY sort, id LIMIT $12";
    FIND_BACK = "SELECT id, kind, name, latin, department, number, valid_from, valid_until, status, sort, (SELECT COUNT(*) FROM face_template WHERE face_template.person = person.id), (SELECT COUNT(*) FROM credential WHERE credential.person = person.id) FROM person WHERE sought LIKE $1 ESCAPE '\\' AND sought LIKE $2 ESCAPE '\\' AND sought LIKE $3 ESCAPE '\\' AND sought LIKE $4 ESCAPE '\\' AND (CAST($5 AS TEXT) = '' OR kind = $5) AND (CAST($6 AS TEXT) = '' OR $6 = CASE WHEN status = 'suspended' THEN 'suspended' WHEN valid_until <= CAST($7 AS BIGINT) THEN 'expired' WHEN valid_from > $7 THEN 'early' ELSE 'active' END) AND (CAST($8 AS TEXT) = '' OR $8 = CASE WHEN EXISTS (SELECT 1 FROM face_template WHERE face_template.person = person.id) THEN 'yes' ELSE 'no' END) AND CAST($11 AS TEXT) = $11 AND (CAST($9 AS BIGINT) = 0 OR sort < $10 OR (sort = $10 AND id < $9)) ORDER BY sort DESC, id DESC LIMIT $12";
    BY_DEPARTMENT = "SELECT id, kind, name, latin, department, number, valid_from, valid_until, status, sort, (SELECT COUNT(*) FROM face_template WHERE face_template.person = person.id), (SELECT COUNT(*) FROM credential WHERE credential.person = person.id) FROM person WHERE sought LIKE $1 ESCAPE '\\' AND sought LIKE $2 ESCAPE '\\' AND sought LIKE $3 ESCAPE '\\' AND sought LIKE $4 ESCAPE '\\' AND (CAST($5 AS TEXT) = '' OR kind = $5) AND (CAST($6 AS TEXT) = '' OR $6 = CASE WHEN status = 'suspended' THEN 'suspended' WHEN valid_until <= CAST($7 AS BIGINT) THEN 'expired' WHEN valid_from > $7 THEN 'early' ELSE 'active' END) AND (CAST($8 AS TEXT) = '' OR $8 = CASE WHEN EXISTS (SELECT 1 FROM face_template WHERE face_template.person = person.id) THEN 'yes' ELSE 'no' END) AND (CAST($9 AS BIGINT) = 0 OR department > $11 OR (department = $11 AND (sort > $10 OR (sort = $10 AND id > $9)))) ORDER BY department, sort, id LIMIT $12";
    BY_DEPARTMENT_BACK = "SELECT id, kind, name, latin, department, number, valid_from, valid_until, status, sort, (SELECT COUNT(*) FROM face_template WHERE face_template.person = person.id), (SELECT COUNT(*) FROM credential WHERE credential.person = person.id) FROM person WHERE sought LIKE $1 ESCAPE '\\' AND sought LIKE $2 ESCAPE '\\' AND sought LIKE $3 ESCAPE '\\' AND sought LIKE $4 ESCAPE '\\' AND (CAST($5 AS TEXT) = '' OR kind = $5) AND (CAST($6 AS TEXT) = '' OR $6 = CASE WHEN status = 'suspended' THEN 'suspended' WHEN valid_until <= CAST($7 AS BIGINT) THEN 'expired' WHEN valid_from > $7 THEN 'early' ELSE 'active' END) AND (CAST($8 AS TEXT) = '' OR $8 = CASE WHEN EXISTS (SELECT 1 FROM face_template WHERE face_template.person = person.id) THEN 'yes' ELSE 'no' END) AND (CAST($9 AS BIGINT) = 0 OR department < $11 OR (department = $11 AND (sort < $10 OR (sort = $10 AND id < $9)))) ORDER BY department DESC, sort DESC, id DESC LIMIT $12";
    BY_NUMBER = "SELECT id, kind, name, latin, department, number, valid_from, valid_until, status, sort, (SELECT COUNT(*) FROM face_template WHERE face_template.person = person.id), (SELECT COUNT(*) FROM credential WHERE credential.person = person.id) FROM person WHERE sought LIKE $1 ESCAPE '\\' AND sought LIKE $2 ESCAPE '\\' AND sought LIKE $3 ESCAPE '\\' AND sought LIKE $4 ESCAPE '\\' AND (CAST($5 AS TEXT) = '' OR kind = $5) AND (CAST($6 AS TEXT) = '' OR $6 = CASE WHEN status = 'suspended' THEN 'suspended' WHEN valid_until <= CAST($7 AS BIGINT) THEN 'expired' WHEN valid_from > $7 THEN 'early' ELSE 'active' END) AND (CAST($8 AS TEXT) = '' OR $8 = CASE WHEN EXISTS (SELECT 1 FROM face_template WHERE face_template.person = person.id) THEN 'yes' ELSE 'no' END) AND (CAST($9 AS BIGINT) = 0 OR number > $11 OR (number = $11 AND (sort > $10 OR (sort = $10 AND id > $9)))) ORDER BY number, sort, id LIMIT $12";
    BY_NUMBER_BACK = "SELECT id, kind, name, latin, department, number, valid_from, valid_until, status, sort, (SELECT COUNT(*) FROM face_template WHERE face_template.person = person.id), (SELECT COUNT(*) FROM credential WHERE credential.person = person.id) FROM person WHERE sought LIKE $1 ESCAPE '\\' AND sought LIKE $2 ESCAPE '\\' AND sought LIKE $3 ESCAPE '\\' AND sought LIKE $4 ESCAPE '\\' AND (CAST($5 AS TEXT) = '' OR kind = $5) AND (CAST($6 AS TEXT) = '' OR $6 = CASE WHEN status = 'suspended' THEN 'suspended' WHEN valid_until <= CAST($7 AS BIGINT) THEN 'expired' WHEN valid_from > $7 THEN 'early' ELSE 'active' END) AND (CAST($8 AS TEXT) = '' OR $8 = CASE WHEN EXISTS (SELECT 1 FROM face_template WHERE face_template.person = person.id) THEN 'yes' ELSE 'no' END) AND (CAST($9 AS BIGINT) = 0 OR number < $11 OR (number = $11 AND (sort < $10 OR (sort = $10 AND id < $9)))) ORDER BY number DESC, sort DESC, id DESC LIMIT $12";
    COUNT_FOUND = "SELECT COUNT(*) FROM person WHERE sought LIKE $1 ESCAPE '\\' AND sought LIKE $2 ESCAPE '\\' AND sought LIKE $3 ESCAPE '\\' AND sought LIKE $4 ESCAPE '\\' AND (CAST($5 AS TEXT) = '' OR kind = $5) AND (CAST($6 AS TEXT) = '' OR $6 = CASE WHEN status = 'suspended' THEN 'suspended' WHEN valid_until <= CAST($7 AS BIGINT) THEN 'expired' WHEN valid_from > $7 THEN 'early' ELSE 'active' END) AND (CAST($8 AS TEXT) = '' OR $8 = CASE WHEN EXISTS (SELECT 1 FROM face_template WHERE face_template.person = person.id) THEN 'yes' ELSE 'no' END)";
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

/// Where a page of the list ends: the next begins behind it, whoever came or went meanwhile. The default is before
/// everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name's place.
    pub sort: String,
    /// What the list is in the order of, where that is not the name.
    pub by: String,
    /// And the person, where all of that is the same.
    pub id: PersonId,
}

impl Default for Place {
    fn default() -> Self {
        Self { sort: String::new(), by: String::new(), id: PersonId(0) }
    }
}

/// Whom to find. The default finds everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Up to four words, each of which must be found in the name, its pinyin or initials, the number or the department.
    pub words: String,
    /// Why they are known.
    pub kind: Option<PersonKind>,
    /// How they stand now.
    pub standing: Option<Standing>,
    /// Whether their face is known.
    pub has_face: Option<bool>,
}

/// Whether somebody may pass, as far as their own record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Standing {
    Active,
    Suspended,
    /// Their time is over.
    Expired,
    /// Their time has not come.
    Early,
}

words!(Standing { Active = "active", Suspended = "suspended", Expired = "expired", Early = "early" });

/// What a list of people is in the order of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Order {
    /// By pinyin.
    #[default]
    Name,
    /// And in it by name.
    Department,
    Number,
}

words!(Order { Name = "name", Department = "department", Number = "number" });

impl From<&str> for Question {
    fn from(words: &str) -> Self {
        Self { words: words.to_owned(), ..Self::default() }
    }
}

impl Question {
    /// Kind, standing and face as the statements compare them; what is empty is not asked for.
    fn filters(&self) -> [&'static str; 3] {
        let face = self.has_face.map(|has| if has { "yes" } else { "no" });
        [self.kind.map(Word::word), self.standing.map(Word::word), face].map(Option::unwrap_or_default)
    }
}

impl Standing {
    /// How somebody stands.
    #[must_use]
    pub fn of(status: PersonStatus, validity: Validity, now: i64) -> Self {
        match status {
            PersonStatus::Suspended => Self::Suspended,
            PersonStatus::Active if validity.until <= Utc(now) => Self::Expired,
            PersonStatus::Active if validity.from > Utc(now) => Self::Early,
            PersonStatus::Active => Self::Active,
        }
    }
}

/// People whom a question finds, behind `after`, in an order, or in it backwards.
///
/// # Errors
/// When the database fails.
pub async fn find(
    kit: &Kit,
    question: &Question,
    (order, is_backwards): (Order, bool),
    after: &Place,
    limit: u32,
) -> Result<Vec<Found>, sqlx::Error> {
    let statement = match (order, is_backwards) {
        (Order::Name, false) => FIND,
        (Order::Name, true) => FIND_BACK,
        (Order::Department, false) => BY_DEPARTMENT,
        (Order::Department, true) => BY_DEPARTMENT_BACK,
        (Order::Number, false) => BY_NUMBER,
        (Order::Number, true) => BY_NUMBER_BACK,
    };
    let mut query = sqlx::query(statement);
    for pattern in patterns(&question.words) {
        query = query.bind(pattern);
    }
    let [kind, standing, face] = question.filters();
    let query = query.bind(kind).bind(standing).bind(kit.now()).bind(face);
    let query = query.bind(row_id(after.id.0)).bind(after.sort.as_str()).bind(after.by.as_str());
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
            place: Place {
                sort: row.try_get(9)?,
                by: match order {
                    Order::Name => String::new(),
                    Order::Department => row.try_get(4)?,
                    Order::Number => row.try_get(5)?,
                },
                id,
            },
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
pub async fn count(kit: &Kit, question: &Question) -> Result<u64, sqlx::Error> {
    let mut query = sqlx::query_as(COUNT_FOUND);
    for pattern in patterns(&question.words) {
        query = query.bind(pattern);
    }
    let [kind, standing, face] = question.filters();
    let query = query.bind(kind).bind(standing).bind(kit.now()).bind(face);
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
