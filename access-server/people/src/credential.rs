//! Cards, PINs and QR codes: known by their keyed digest alone.

mod secret;

use domain::ids::{CredentialId, PersonId};
use domain::policy::{CredentialStatus, CredentialUse};
use domain::request::{BoardEntry, CredentialDigest, CredentialKind};
use domain::time::Validity;
use kit::auth::OperatorId;
use kit::{Kit, Tx};
pub use secret::{CARD_BITS_MAX, Card, Pin, QR_MAX, Qr, Secret, SecretError};
use serde_json::json;
use sqlx::AnyConnection;

use crate::error::{PeopleError, taken};
use crate::person::{KEY_RULE, is_key, open_from, open_until, row_id, validity};
use crate::word::Word;

/// What is known about a credential besides what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Tells a person's cards apart: `main`, `blue`. Of a PIN it is `ordinary` or `duress` whatever is given.
    pub key: String,
    /// From when until when it may be used.
    pub validity: Validity,
    /// What is known about it.
    pub status: CredentialStatus,
    /// What it says besides who it is.
    pub usage: CredentialUse,
}

/// A credential of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its identity.
    pub id: CredentialId,
    /// Whose it is.
    pub person: PersonId,
    /// Card, PIN or QR.
    pub kind: CredentialKind,
    /// Its keyed digest.
    pub digest: CredentialDigest,
    /// A card's entry on boards' lists; cards given out by an older version have none.
    pub board_entry: Option<BoardEntry>,
    /// What else is known.
    pub terms: Terms,
}

type CredentialRow =
    (i64, i64, String, String, Vec<u8>, String, String, Option<i64>, Option<i64>, Option<Vec<u8>>);

kit::statements! {
    ADD = "INSERT INTO credential (person, kind, key, digest, use_as, status, valid_from, valid_until, changed_at, board_entry) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id";
    REISSUE = "UPDATE credential SET digest = $2, status = $3, valid_from = $4, valid_until = $5, changed_at = $6, board_entry = $7 WHERE id = $1";
    SET_STATUS = "UPDATE credential SET status = $2, changed_at = $3 WHERE id = $1 RETURNING person";
    REMOVE = "DELETE FROM credential WHERE id = $1 RETURNING person";
    OF = "SELECT id, person, kind, key, digest, use_as, status, valid_from, valid_until, board_entry FROM credential WHERE person = $1 ORDER BY id";
    BY_KEY = "SELECT id, person, kind, key, digest, use_as, status, valid_from, valid_until, board_entry FROM credential WHERE person = $1 AND kind = $2 AND key = $3";
    BY_DIGEST = "SELECT id, person, kind, key, digest, use_as, status, valid_from, valid_until, board_entry FROM credential WHERE digest = $1";
    ALL = "SELECT id, person, kind, key, digest, use_as, status, valid_from, valid_until, board_entry FROM credential ORDER BY id";
}

impl Terms {
    /// Active from now on and always, an ordinary one.
    #[must_use]
    pub fn ordinary(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            validity: Validity::ALWAYS,
            status: CredentialStatus::Active,
            usage: CredentialUse::Ordinary,
        }
    }

    /// The key it is stored under.
    fn stored_key(&self, kind: CredentialKind) -> &str {
        match kind {
            CredentialKind::Pin => self.usage.word(),
            CredentialKind::Card | CredentialKind::Qr => &self.key,
        }
    }

    fn check(&self, kind: CredentialKind) -> Result<(), PeopleError> {
        if !is_key(self.stored_key(kind)) {
            return Err(PeopleError::Field { field: "key", why: KEY_RULE });
        }
        if self.validity.from >= self.validity.until {
            return Err(PeopleError::Field { field: "valid_until", why: "must be after valid_from" });
        }
        Ok(())
    }
}

/// Gives a person a credential. Only its digest is kept.
///
/// # Errors
/// When somebody has that card or code already, the person has one under that key, or there is no such person.
pub async fn add(
    tx: &mut Tx,
    by: Option<OperatorId>,
    person: PersonId,
    secret: &Secret,
    terms: &Terms,
) -> Result<CredentialId, PeopleError> {
    let kind = secret.kind();
    terms.check(kind)?;
    if crate::person::get(tx, person).await?.is_none() {
        return Err(PeopleError::Unknown("person"));
    }
    let digest = secret.digest(tx.kit().keys().credential(), person);
    let now = tx.now();
    let (id,): (i64,) = sqlx::query_as(ADD)
        .bind(row_id(person.0))
        .bind(kind.word())
        .bind(terms.stored_key(kind))
        .bind(digest.0.to_vec())
        .bind(terms.usage.word())
        .bind(terms.status.word())
        .bind(open_from(terms.validity.from))
        .bind(open_until(terms.validity.until))
        .bind(now)
        .bind(secret.board_entry(tx.kit().keys().credential()).map(|entry| entry.0.to_vec()))
        .fetch_one(&mut **tx)
        .await
        .map_err(taken(kind.word()))?;
    let body = json!({ "credential": id, "person": person.0, "kind": kind.word(), "by": by.map(|by| by.0) });
    tx.record("credential.added", &body).await?;
    Ok(CredentialId(id.cast_unsigned()))
}

/// Puts another card, PIN or code and other terms in the place of a credential; its key and its use stay. One that was
/// reported lost or stolen is not replaced but stays, as what it is: forgotten, it could be given out again.
///
/// # Errors
/// When it was reported lost or stolen, somebody has that card or code already, or the credential is gone.
pub async fn reissue(
    tx: &mut Tx,
    by: Option<OperatorId>,
    credential: &Credential,
    secret: &Secret,
    terms: &Terms,
) -> Result<(), PeopleError> {
    if secret.kind() != credential.kind || terms.usage != credential.terms.usage {
        return Err(PeopleError::Field { field: "kind", why: "a credential keeps its kind and its use" });
    }
    terms.check(credential.kind)?;
    let digest = secret.digest(tx.kit().keys().credential(), credential.person);
    match credential.terms.status {
        CredentialStatus::Lost | CredentialStatus::Stolen if digest != credential.digest => {
            let why = "is that of one reported lost or stolen: give the new one another key";
            return Err(PeopleError::Field { field: "key", why });
        }
        CredentialStatus::Lost
        | CredentialStatus::Stolen
        | CredentialStatus::Active
        | CredentialStatus::Suspended => {}
    }
    let now = tx.now();
    let changed = sqlx::query(REISSUE)
        .bind(row_id(credential.id.0))
        .bind(digest.0.to_vec())
        .bind(terms.status.word())
        .bind(open_from(terms.validity.from))
        .bind(open_until(terms.validity.until))
        .bind(now)
        .bind(secret.board_entry(tx.kit().keys().credential()).map(|entry| entry.0.to_vec()))
        .execute(&mut **tx)
        .await
        .map_err(taken(credential.kind.word()))?;
    if changed.rows_affected() == 0 {
        return Err(PeopleError::Unknown("credential"));
    }
    let body =
        json!({ "credential": credential.id.0, "person": credential.person.0, "by": by.map(|by| by.0) });
    tx.record("credential.changed", &body).await?;
    Ok(())
}

/// Says that a credential is lost, stolen, suspended or active again.
///
/// # Errors
/// When there is no such credential.
pub async fn set_status(
    tx: &mut Tx,
    by: Option<OperatorId>,
    credential: CredentialId,
    status: CredentialStatus,
) -> Result<(), PeopleError> {
    let now = tx.now();
    let row: Option<(i64,)> = sqlx::query_as(SET_STATUS)
        .bind(row_id(credential.0))
        .bind(status.word())
        .bind(now)
        .fetch_optional(&mut **tx)
        .await?;
    let (person,) = row.ok_or(PeopleError::Unknown("credential"))?;
    let body = json!({ "credential": credential.0, "person": person, "status": status.word(), "by": by.map(|by| by.0) });
    tx.record("credential.status", &body).await?;
    Ok(())
}

/// Takes a credential away.
///
/// # Errors
/// When there is no such credential.
pub async fn remove(
    tx: &mut Tx,
    by: Option<OperatorId>,
    credential: CredentialId,
) -> Result<(), PeopleError> {
    let row: Option<(i64,)> =
        sqlx::query_as(REMOVE).bind(row_id(credential.0)).fetch_optional(&mut **tx).await?;
    let (person,) = row.ok_or(PeopleError::Unknown("credential"))?;
    let body = json!({ "credential": credential.0, "person": person, "by": by.map(|by| by.0) });
    tx.record("credential.removed", &body).await?;
    Ok(())
}

/// A person's credentials.
///
/// # Errors
/// When the database fails.
pub async fn of_person(kit: &Kit, person: PersonId) -> Result<Vec<Credential>, sqlx::Error> {
    let rows: Vec<CredentialRow> = sqlx::query_as(OF).bind(row_id(person.0)).fetch_all(kit.read()).await?;
    rows.into_iter().map(read).collect()
}

/// A person's credential of a kind by its key; of a PIN the key is its use.
///
/// # Errors
/// When the database fails.
pub async fn by_key(
    connection: &mut AnyConnection,
    person: PersonId,
    kind: CredentialKind,
    key: &str,
) -> Result<Option<Credential>, sqlx::Error> {
    let row: Option<CredentialRow> = sqlx::query_as(BY_KEY)
        .bind(row_id(person.0))
        .bind(kind.word())
        .bind(key)
        .fetch_optional(connection)
        .await?;
    row.map(read).transpose()
}

/// The credential with a digest: whose card is this?
///
/// # Errors
/// When the database fails.
pub async fn by_digest(
    connection: &mut AnyConnection,
    digest: &CredentialDigest,
) -> Result<Option<Credential>, sqlx::Error> {
    let row: Option<CredentialRow> =
        sqlx::query_as(BY_DIGEST).bind(digest.0.to_vec()).fetch_optional(connection).await?;
    row.map(read).transpose()
}

/// All credentials, by id.
///
/// # Errors
/// When the database fails.
pub async fn all(connection: &mut AnyConnection) -> Result<Vec<Credential>, sqlx::Error> {
    let rows: Vec<CredentialRow> = sqlx::query_as(ALL).fetch_all(connection).await?;
    rows.into_iter().map(read).collect()
}

/// All credentials, as far as a policy knows them, by id.
///
/// # Errors
/// When the database fails.
pub async fn for_policy(
    connection: &mut AnyConnection,
) -> Result<Vec<domain::policy::Credential>, sqlx::Error> {
    let rows: Vec<CredentialRow> = sqlx::query_as(ALL).fetch_all(connection).await?;
    let policy = |row| {
        let Credential { id, person, kind, digest, board_entry, terms } = read(row)?;
        let Terms { key: _, validity, status, usage } = terms;
        Ok(domain::policy::Credential { id, person, kind, digest, board_entry, validity, status, usage })
    };
    rows.into_iter().map(policy).collect()
}

fn read(row: CredentialRow) -> Result<Credential, sqlx::Error> {
    let (id, person, kind, key, digest, usage, status, from, until, entry) = row;
    let digest = digest.try_into().map_err(|_| sqlx::Error::Decode("a digest has 32 bytes".into()))?;
    let entry = entry.map(|entry| entry.try_into().map(BoardEntry)).transpose();
    Ok(Credential {
        id: CredentialId(id.cast_unsigned()),
        person: PersonId(person.cast_unsigned()),
        kind: CredentialKind::from_row(&kind)?,
        digest: CredentialDigest(digest),
        board_entry: entry.map_err(|_| sqlx::Error::Decode("an entry on a list has 8 bytes".into()))?,
        terms: Terms {
            key,
            validity: validity(from, until),
            status: CredentialStatus::from_row(&status)?,
            usage: CredentialUse::from_row(&usage)?,
        },
    })
}
