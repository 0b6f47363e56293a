//! What a person agreed to, and what happens when they take it back.

use domain::ids::PersonId;
use kit::auth::OperatorId;
use kit::{Kit, Tx};
use serde_json::json;
use sqlx::AnyConnection;

use crate::error::{PeopleError, taken};
use crate::person::{KEY_RULE, is_key, row_id};
use crate::word::Word;
use crate::{face, picture, scrub, words};

/// What something is agreed to for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Finding the person by their face at doors and gates.
    FaceAccess,
    /// Showing their picture beside what happens at doors and gates.
    ProfilePicture,
}

words!(Purpose { FaceAccess = "face-access", ProfilePicture = "profile-picture" });

/// Consent on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Its number.
    pub id: u64,
    /// Who agreed.
    pub person: PersonId,
    /// To what.
    pub purpose: Purpose,
    /// Which version of the text they were shown.
    pub text_version: String,
    /// When, UTC microseconds.
    pub given_at: i64,
    /// Who wrote it down; `None` for an import or the command line.
    pub recorded_by: Option<OperatorId>,
    /// When it was withdrawn, and by whom it was written down.
    pub withdrawn: Option<Withdrawn>,
}

/// The end of a consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// When, UTC microseconds.
    pub at: i64,
    /// Who wrote it down.
    pub by: Option<OperatorId>,
}

/// What the person is given when they withdraw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The journal record that tells the withdrawal: the receipt's number.
    pub number: u64,
    /// Which consent.
    pub consent: u64,
    /// Whose.
    pub person: PersonId,
    /// For what.
    pub purpose: Purpose,
    /// When, UTC microseconds.
    pub at: i64,
    /// How many templates or pictures were deleted.
    pub deleted: u64,
}

type ConsentRow = (i64, i64, String, String, i64, Option<i64>, Option<i64>, Option<i64>);

kit::statements! {
    GIVE = "INSERT INTO consent (person, purpose, text_version, given_at, recorded_by) VALUES ($1, $2, $3, $4, $5) RETURNING id";
    STANDING = "SELECT id FROM consent WHERE person = $1 AND purpose = $2 AND withdrawn_at IS NULL";
    WITHDRAW = "UPDATE consent SET withdrawn_at = $3, withdrawn_by = $4 WHERE person = $1 AND purpose = $2 AND withdrawn_at IS NULL RETURNING id";
    WAS_WITHDRAWN = "SELECT id FROM consent WHERE person = $1 AND purpose = $2 AND withdrawn_at IS NOT NULL AND (withdrawn_at >= $3 OR given_at >= $3) LIMIT 1";
    OF = "SELECT id, person, purpose, text_version, given_at, recorded_by, withdrawn_at, withdrawn_by FROM consent WHERE person = $1 ORDER BY id";
}

/// Records a consent, given at `given_at` (UTC microseconds, not in the future) to a version of the text.
///
/// # Errors
/// When one stands already, a field is not taken, or there is no such person.
pub async fn give(
    tx: &mut Tx,
    by: Option<OperatorId>,
    person: PersonId,
    purpose: Purpose,
    text_version: &str,
    given_at: i64,
) -> Result<u64, PeopleError> {
    let field = |field, why| Err(PeopleError::Field { field, why });
    // It goes into the journal, which names nobody: a key, not a text.
    if !is_key(text_version) {
        return field("text_version", KEY_RULE);
    }
    if given_at > tx.now() {
        return field("given_at", "must not lie in the future");
    }
    if crate::person::get(tx, person).await?.is_none() {
        return Err(PeopleError::Unknown("person"));
    }
    let (id,): (i64,) = sqlx::query_as(GIVE)
        .bind(row_id(person.0))
        .bind(purpose.word())
        .bind(text_version)
        .bind(given_at)
        .bind(by.map(|by| by.0))
        .fetch_one(&mut **tx)
        .await
        .map_err(taken("purpose"))?;
    let body = json!({ "consent": id, "person": person.0, "purpose": purpose.word(), "text_version": text_version,
        "given_at": given_at, "by": by.map(|by| by.0) });
    tx.record("consent.given", &body).await?;
    Ok(id.cast_unsigned())
}

/// The consent that stands, by its number.
///
/// # Errors
/// When the database fails.
pub async fn standing(
    connection: &mut AnyConnection,
    person: PersonId,
    purpose: Purpose,
) -> Result<Option<u64>, sqlx::Error> {
    let row: Option<(i64,)> = sqlx::query_as(STANDING)
        .bind(row_id(person.0))
        .bind(purpose.word())
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|(id,)| id.cast_unsigned()))
}

/// Whether a consent given at `given_at` (UTC microseconds) was taken back: one was withdrawn then or later, or one that
/// was withdrawn was given then or later, whatever the clock said when it was withdrawn.
///
/// # Errors
/// When the database fails.
pub async fn was_withdrawn(
    connection: &mut AnyConnection,
    person: PersonId,
    purpose: Purpose,
    given_at: i64,
) -> Result<bool, sqlx::Error> {
    let row: Option<(i64,)> = sqlx::query_as(WAS_WITHDRAWN)
        .bind(row_id(person.0))
        .bind(purpose.word())
        .bind(given_at)
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

/// Withdraws a consent: what was kept under it is deleted in the same transaction and, as far as can be, wiped from the
/// database's files; the journal tells that it happened. Vision processes and controllers are told by their next
/// difference.
///
/// # Errors
/// When there is none that stands.
pub async fn withdraw(
    kit: &Kit,
    by: Option<OperatorId>,
    person: PersonId,
    purpose: Purpose,
) -> Result<Receipt, PeopleError> {
    let mut tx = kit.begin().await?;
    let at = tx.now();
    let row: Option<(i64,)> = sqlx::query_as(WITHDRAW)
        .bind(row_id(person.0))
        .bind(purpose.word())
        .bind(at)
        .bind(by.map(|by| by.0))
        .fetch_optional(&mut *tx)
        .await?;
    let (consent,) = row.ok_or(PeopleError::NoConsent)?;
    let deleted = match purpose {
        Purpose::FaceAccess => face::delete(&mut tx, person).await?,
        Purpose::ProfilePicture => picture::delete(&mut tx, person).await?,
    };
    let body = json!({ "consent": consent, "person": person.0, "purpose": purpose.word(), "deleted": deleted,
        "by": by.map(|by| by.0) });
    let number = tx.record("consent.withdrawn", &body).await?;
    tx.commit().await?;
    scrub::after(kit).await;
    Ok(Receipt { number, consent: consent.cast_unsigned(), person, purpose, at, deleted })
}

/// Every consent a person gave, withdrawn ones too; also of people who are gone.
///
/// # Errors
/// When the database fails.
pub async fn of_person(kit: &Kit, person: PersonId) -> Result<Vec<Consent>, sqlx::Error> {
    let rows: Vec<ConsentRow> = sqlx::query_as(OF).bind(row_id(person.0)).fetch_all(kit.read()).await?;
    rows.into_iter()
        .map(|(id, person, purpose, text_version, given_at, recorded_by, withdrawn_at, withdrawn_by)| {
            Ok(Consent {
                id: id.cast_unsigned(),
                person: PersonId(person.cast_unsigned()),
                purpose: Purpose::from_row(&purpose)?,
                text_version,
                given_at,
                recorded_by: recorded_by.map(OperatorId),
                withdrawn: withdrawn_at.map(|at| Withdrawn { at, by: withdrawn_by.map(OperatorId) }),
            })
        })
        .collect()
}
