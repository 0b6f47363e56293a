//! Persons.

use domain::ids::{GroupId, PersonId};
use domain::policy::{CLEARANCE_MAX, PersonStatus};
use domain::time::{Utc, Validity};
use kit::auth::OperatorId;
use kit::{Kit, Tx};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::error::{PeopleError, on_constraint, taken};
use crate::find;
use crate::sought::patterns;
use crate::word::Word;
use crate::{face, scrub, text, words};

/// Why somebody is known to the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum PersonKind {
    Employee,
    Visitor,
    Contractor,
    Guard,
    Operator,
}

words!(PersonKind {
    Employee = "employee",
    Visitor = "visitor",
    Contractor = "contractor",
    Guard = "guard",
    Operator = "operator",
});

/// What is known about a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Particulars {
    /// The site's own name for the row: letters, digits, `-`, `_`, `.`; at most [`KEY_MAX`].
    pub key: String,
    /// Why they are known.
    pub kind: PersonKind,
    /// The name as it is shown; not empty, at most [`text::TEXT_MAX`] bytes, like the other texts.
    pub name: String,
    /// The name in Latin letters; may be empty.
    pub latin: String,
    /// May be empty.
    pub department: String,
    /// The staff number; may be empty, otherwise nobody else has it.
    pub number: String,
    /// From when until when they may pass.
    pub validity: Validity,
    /// Whether they may pass at all.
    pub status: PersonStatus,
    /// 0..=7.
    pub clearance: u8,
    /// The groups they belong to; at most [`GROUPS_MAX`].
    pub groups: Vec<GroupId>,
}

/// A person of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their identity.
    pub id: PersonId,
    /// What is known about them.
    pub particulars: Particulars,
    /// When that last changed, UTC microseconds; later with every change, even when the clock was put back.
    pub changed_at: i64,
}

/// The longest key, in bytes.
pub const KEY_MAX: usize = 64;
/// Groups of one person at most. A policy whose row of a person is larger than what controllers take in one piece is not
/// put in force, and no change after it either: with these it is less than half as large.
pub const GROUPS_MAX: usize = 1000;
/// People on one page of [`list`] at most.
pub const PAGE_MAX: u32 = 500;

type PolicyRow = (i64, Option<i64>, Option<i64>, String, i64, i64);

kit::statements! {
    ADD = "INSERT INTO person (key, kind, name, latin, department, number, valid_from, valid_until, status, clearance, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id";
    CHANGE = "UPDATE person SET key = $2, kind = $3, name = $4, latin = $5, department = $6, number = $7, valid_from = $8, valid_until = $9, status = $10, clearance = $11, changed_at = CASE WHEN changed_at < $12 THEN $12 ELSE changed_at + 1 END WHERE id = $1 AND changed_at = $13";
    LEAVE_GROUPS = "DELETE FROM person_group_member WHERE person = $1";
    JOIN_GROUP = "INSERT INTO person_group_member (person, person_group) VALUES ($1, $2)";
    SET_STATUS = "UPDATE person SET status = $2, changed_at = CASE WHEN changed_at < $3 THEN $3 ELSE changed_at + 1 END WHERE id = $1";
    REMOVE = "DELETE FROM person WHERE id = $1";
    GET = "SELECT id, key, kind, name, latin, department, number, valid_from, valid_until, status, clearance, changed_at FROM person WHERE id = $1";
    BY_KEY = "SELECT id, key, kind, name, latin, department, number, valid_from, valid_until, status, clearance, changed_at FROM person WHERE key = $1";
    GROUPS_OF = "SELECT person_group FROM person_group_member WHERE person = $1 ORDER BY person_group";
    LIST = "SELECT id, key, kind, name, latin, department, number, valid_from, valid_until, status, clearance, changed_at FROM person WHERE id > $1 AND sought LIKE $2 ESCAPE '\\' AND sought LIKE $3 ESCAPE '\\' AND sought LIKE $4 ESCAPE '\\' AND sought LIKE $5 ESCAPE '\\' ORDER BY id LIMIT $6";
    MEMBERS_BETWEEN = "SELECT person, person_group FROM person_group_member WHERE person BETWEEN $1 AND $2 ORDER BY person, person_group";
    NAME = "SELECT name, latin FROM person WHERE id = $1";
    BADGE = "SELECT name, latin, department FROM person WHERE id = $1";
    COUNT = "SELECT COUNT(*) FROM person";
    FOR_POLICY = "SELECT p.id, p.valid_from, p.valid_until, p.status, p.clearance, (SELECT COUNT(*) FROM consent c WHERE c.person = p.id AND c.purpose = 'face-access' AND c.withdrawn_at IS NULL) FROM person p ORDER BY p.id";
}

impl Particulars {
    /// An employee with nothing but a key and a name, valid from now on and always.
    #[must_use]
    pub fn named(key: &str, name: &str) -> Self {
        Self {
            key: key.to_owned(),
            kind: PersonKind::Employee,
            name: name.to_owned(),
            latin: String::new(),
            department: String::new(),
            number: String::new(),
            validity: Validity::ALWAYS,
            status: PersonStatus::Active,
            clearance: 0,
            groups: Vec::new(),
        }
    }

    /// Whether all of it can be taken.
    ///
    /// # Errors
    /// Names the field that cannot.
    pub fn check(&self) -> Result<(), PeopleError> {
        let field = |field, why| Err(PeopleError::Field { field, why });
        if !is_key(&self.key) {
            return field("key", KEY_RULE);
        }
        text::name(&self.name).or_else(|why| field("name", why))?;
        for (name, text) in
            [("latin", &self.latin), ("department", &self.department), ("number", &self.number)]
        {
            text::line(text).or_else(|why| field(name, why))?;
        }
        if self.groups.len() > GROUPS_MAX {
            return field("groups", "at most 1000");
        }
        if self.clearance > CLEARANCE_MAX {
            return field("clearance", "must be 0 to 7");
        }
        if self.validity.from >= self.validity.until {
            return field("valid_until", "must be after valid_from");
        }
        Ok(())
    }
}

/// What a key is made of, in a sentence's tail.
pub const KEY_RULE: &str = "must be 1 to 64 of the letters a-z, A-Z, 0-9, '-', '_' and '.'";

/// Whether a text can be a key.
#[must_use]
pub fn is_key(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty() && text.len() <= KEY_MAX && text.bytes().all(letter)
}

/// Adds a person. `by` is who does it; `None` for an import or the command line.
///
/// # Errors
/// Names the field that is not taken.
pub async fn add(
    tx: &mut Tx,
    by: Option<OperatorId>,
    particulars: &Particulars,
) -> Result<PersonId, PeopleError> {
    particulars.check()?;
    let now = tx.now();
    let p = particulars;
    let (id,): (i64,) = sqlx::query_as(ADD)
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
        .fetch_one(&mut **tx)
        .await
        .map_err(taken("key or number"))?;
    find::write(tx, PersonId(id.cast_unsigned()), p).await?;
    join(tx, id, &p.groups).await?;
    tx.record("person.added", &json!({ "person": id, "by": by.map(|by| by.0) })).await?;
    Ok(PersonId(id.cast_unsigned()))
}

/// Changes a person to these particulars. `seen` is the [`Person::changed_at`] of what they were made from: a status or
/// a limit set by somebody else meanwhile is not undone unseen.
///
/// # Errors
/// Names the field that is not taken; the person was changed since; there is no such person.
pub async fn change(
    tx: &mut Tx,
    by: Option<OperatorId>,
    person: PersonId,
    seen: i64,
    particulars: &Particulars,
) -> Result<(), PeopleError> {
    particulars.check()?;
    let (now, id) = (tx.now(), row_id(person.0));
    let p = particulars;
    let changed = sqlx::query(CHANGE)
        .bind(id)
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
        .bind(seen)
        .execute(&mut **tx)
        .await
        .map_err(taken("key or number"))?;
    if changed.rows_affected() == 0 {
        return Err(match get(tx, person).await? {
            Some(_) => PeopleError::Stale("person"),
            None => PeopleError::Unknown("person"),
        });
    }
    find::write(tx, person, p).await?;
    sqlx::query(LEAVE_GROUPS).bind(id).execute(&mut **tx).await?;
    join(tx, id, &p.groups).await?;
    tx.record("person.changed", &json!({ "person": id, "by": by.map(|by| by.0) })).await?;
    Ok(())
}

/// Suspends a person or lets them pass again.
///
/// # Errors
/// When there is no such person.
pub async fn set_status(
    tx: &mut Tx,
    by: Option<OperatorId>,
    person: PersonId,
    status: PersonStatus,
) -> Result<(), PeopleError> {
    let now = tx.now();
    let changed = sqlx::query(SET_STATUS)
        .bind(row_id(person.0))
        .bind(status.word())
        .bind(now)
        .execute(&mut **tx)
        .await?;
    if changed.rows_affected() == 0 {
        return Err(PeopleError::Unknown("person"));
    }
    let body = json!({ "person": person.0, "status": status.word(), "by": by.map(|by| by.0) });
    tx.record("person.status", &body).await?;
    Ok(())
}

/// Removes a person with their credentials, templates and pictures; the journal keeps the id, consent records stay.
///
/// # Errors
/// When there is no such person.
pub async fn remove(kit: &Kit, by: Option<OperatorId>, person: PersonId) -> Result<(), PeopleError> {
    let mut tx = kit.begin().await?;
    face::delete(&mut tx, person).await?;
    let removed = sqlx::query(REMOVE).bind(row_id(person.0)).execute(&mut *tx).await?;
    if removed.rows_affected() == 0 {
        return Err(PeopleError::Unknown("person"));
    }
    tx.record("person.removed", &json!({ "person": person.0, "by": by.map(|by| by.0) })).await?;
    tx.commit().await?;
    scrub::after(kit).await;
    Ok(())
}

/// A person by id.
///
/// # Errors
/// When the database fails.
pub async fn get(connection: &mut AnyConnection, person: PersonId) -> Result<Option<Person>, sqlx::Error> {
    let row = sqlx::query(GET).bind(row_id(person.0)).fetch_optional(&mut *connection).await?;
    with_groups(connection, row).await
}

/// A person by key.
///
/// # Errors
/// When the database fails.
pub async fn by_key(connection: &mut AnyConnection, key: &str) -> Result<Option<Person>, sqlx::Error> {
    let row = sqlx::query(BY_KEY).bind(key).fetch_optional(&mut *connection).await?;
    with_groups(connection, row).await
}

/// People by id, after `after`, whom [`find`](crate::find::find) would find by the same question.
///
/// # Errors
/// When the database fails.
pub async fn list(
    kit: &Kit,
    after: Option<PersonId>,
    find: &str,
    limit: u32,
) -> Result<Vec<Person>, sqlx::Error> {
    let mut connection = kit.read().acquire().await?;
    let mut query = sqlx::query(LIST).bind(after.map_or(0, |id| row_id(id.0)));
    for pattern in patterns(find) {
        query = query.bind(pattern);
    }
    let rows = query.bind(i64::from(limit.min(PAGE_MAX))).fetch_all(&mut *connection).await?;
    let mut people = rows.iter().map(|row| read(row, Vec::new())).collect::<Result<Vec<_>, _>>()?;
    let (Some(first), Some(last)) = (people.first(), people.last()) else { return Ok(people) };
    let members: Vec<(i64, i64)> = sqlx::query_as(MEMBERS_BETWEEN)
        .bind(row_id(first.id.0))
        .bind(row_id(last.id.0))
        .fetch_all(&mut *connection)
        .await?;
    for (person, group) in members {
        if let Ok(at) = people.binary_search_by_key(&person.cast_unsigned(), |row| row.id.0) {
            people[at].particulars.groups.push(GroupId(group.cast_unsigned()));
        }
    }
    Ok(people)
}

/// The name as it is shown and the one in Latin letters, for pages that word an event.
///
/// # Errors
/// When the database fails.
pub async fn name(kit: &Kit, person: PersonId) -> Result<Option<(String, String)>, sqlx::Error> {
    sqlx::query_as(NAME).bind(row_id(person.0)).fetch_optional(kit.read()).await
}

/// A person's name, in Latin letters too, and their department; `None` when they are not there any more.
///
/// # Errors
/// When the database fails.
pub async fn badge(kit: &Kit, person: PersonId) -> Result<Option<(String, String, String)>, sqlx::Error> {
    sqlx::query_as(BADGE).bind(row_id(person.0)).fetch_optional(kit.read()).await
}

/// How many people there are.
///
/// # Errors
/// When the database fails.
pub async fn count(kit: &Kit) -> Result<u64, sqlx::Error> {
    let (count,): (i64,) = sqlx::query_as(COUNT).fetch_one(kit.read()).await?;
    Ok(count.cast_unsigned())
}

/// Everybody, as far as a policy knows them, by id.
///
/// # Errors
/// When the database fails.
pub async fn for_policy(connection: &mut AnyConnection) -> Result<Vec<domain::policy::Person>, sqlx::Error> {
    use domain::policy::FaceConsent;
    let rows: Vec<PolicyRow> = sqlx::query_as(FOR_POLICY).fetch_all(&mut *connection).await?;
    let members: Vec<(i64, i64)> =
        sqlx::query_as(MEMBERS_BETWEEN).bind(0_i64).bind(i64::MAX).fetch_all(&mut *connection).await?;
    let mut members = members.into_iter().peekable();
    let mut people = Vec::with_capacity(rows.len());
    for (id, from, until, status, clearance, consents) in rows {
        let mut groups = Vec::new();
        // Both lists ascend by person.
        while let Some((_, group)) = members.next_if(|(person, _)| *person <= id) {
            groups.push(GroupId(group.cast_unsigned()));
        }
        people.push(domain::policy::Person {
            id: PersonId(id.cast_unsigned()),
            validity: validity(from, until),
            status: PersonStatus::from_row(&status)?,
            face: if consents > 0 { FaceConsent::Given } else { FaceConsent::Absent },
            clearance: small(clearance)?,
            groups,
        });
    }
    Ok(people)
}

async fn join(tx: &mut Tx, person: i64, groups: &[GroupId]) -> Result<(), PeopleError> {
    let mut groups: Vec<i64> = groups.iter().map(|group| row_id(group.0)).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let joined = sqlx::query(JOIN_GROUP).bind(person).bind(group).execute(&mut **tx).await;
        // The one constraint that can refuse here is that the group must be there.
        let refusal = PeopleError::Field { field: "groups", why: "there is no such group" };
        joined.map_err(on_constraint(refusal))?;
    }
    Ok(())
}

async fn with_groups(
    connection: &mut AnyConnection,
    row: Option<AnyRow>,
) -> Result<Option<Person>, sqlx::Error> {
    let Some(row) = row else { return Ok(None) };
    let id: i64 = row.try_get(0)?;
    let groups: Vec<(i64,)> = sqlx::query_as(GROUPS_OF).bind(id).fetch_all(connection).await?;
    let groups = groups.into_iter().map(|(group,)| GroupId(group.cast_unsigned())).collect();
    read(&row, groups).map(Some)
}

pub(crate) fn read(row: &AnyRow, groups: Vec<GroupId>) -> Result<Person, sqlx::Error> {
    let particulars = Particulars {
        key: row.try_get(1)?,
        kind: PersonKind::from_row(row.try_get(2)?)?,
        name: row.try_get(3)?,
        latin: row.try_get(4)?,
        department: row.try_get(5)?,
        number: row.try_get(6)?,
        validity: validity(row.try_get(7)?, row.try_get(8)?),
        status: PersonStatus::from_row(row.try_get(9)?)?,
        clearance: small(row.try_get(10)?)?,
        groups,
    };
    let id: i64 = row.try_get(0)?;
    Ok(Person { id: PersonId(id.cast_unsigned()), particulars, changed_at: row.try_get(11)? })
}

/// An id as rows hold it. Ids come from the database, where they are positive; others find nothing.
pub(crate) fn row_id(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(-1)
}

/// Null where there is no limit.
pub(crate) fn open_from(from: Utc) -> Option<i64> {
    (from != Utc::MIN).then_some(from.0)
}

/// Null where there is no limit.
pub(crate) fn open_until(until: Utc) -> Option<i64> {
    (until != Utc::MAX).then_some(until.0)
}

pub(crate) fn validity(from: Option<i64>, until: Option<i64>) -> Validity {
    Validity { from: from.map_or(Utc::MIN, Utc), until: until.map_or(Utc::MAX, Utc) }
}

fn small(value: i64) -> Result<u8, sqlx::Error> {
    u8::try_from(value).map_err(|error| sqlx::Error::Decode(error.into()))
}
