//! Profile pictures: kept only under consent, sealed under a key of their own; every look is journaled but those beside an
//! event, which a pass in the event's row admits to.

use domain::ids::PersonId;
use kit::auth::OperatorId;
use kit::looks::What;
use kit::{Keys, Kit, Tx};
use ring::hmac;
use serde_json::json;

use crate::consent::{self, Purpose};
use crate::embed::Media;
use crate::error::PeopleError;
use crate::face::EnrolmentRefusal;
use crate::person::row_id;
use crate::seal::Sealed;

/// The largest picture kept, in bytes. Pictures are kept as they came: no decoder runs here.
pub const PICTURE_MAX: usize = 8 * 1024 * 1024;

kit::statements! {
    PUT = "INSERT INTO profile_picture (person, consent, media, key_id, sealed, stored_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (person) DO UPDATE SET consent = excluded.consent, media = excluded.media, key_id = excluded.key_id, sealed = excluded.sealed, stored_at = excluded.stored_at";
    GET = "SELECT media, sealed FROM profile_picture WHERE person = $1";
    HAS = "SELECT person FROM profile_picture WHERE person = $1";
    DELETE = "DELETE FROM profile_picture WHERE person = $1";
}

/// A profile picture, opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// What kind.
    pub media: Media,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Why somebody looks at a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Beside an event, on the live page, with the row's [`pass`]: not journaled one by one, whoever may see the row may
    /// see it.
    BesideEvent,
    /// On the person's own page, by this operator: journaled, once in [`kit::looks::SAME_LOOK`].
    ByOperator(OperatorId),
}

/// What admits one session to one person's picture beside one record: 64 hexadecimal digits in the record's row. Good for
/// nobody else, and for no other picture.
#[must_use]
pub fn pass(keys: &Keys, session: &str, person: PersonId, record: u64) -> String {
    hmac::sign(&pass_key(keys), &admitted(session, person, record))
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether a pass is the one for this.
#[must_use]
pub fn admits(keys: &Keys, pass: &str, session: &str, person: PersonId, record: u64) -> bool {
    uplink::sync::parse_hex(pass)
        .is_some_and(|pass| hmac::verify(&pass_key(keys), &admitted(session, person, record), &pass).is_ok())
}

/// Passes outlive a restart, as sessions do.
fn pass_key(keys: &Keys) -> hmac::Key {
    let site = hmac::Key::new(hmac::HMAC_SHA256, keys.template());
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&site, b"gatehouse picture pass").as_ref())
}

fn admitted(session: &str, person: PersonId, record: u64) -> Vec<u8> {
    [&person.0.to_be_bytes()[..], &record.to_be_bytes(), session.as_bytes()].concat()
}

/// Keeps a picture in place of the one before.
///
/// # Errors
/// When the person has not consented, or it is not a JPEG or PNG file of at most [`PICTURE_MAX`].
pub async fn put(
    tx: &mut Tx,
    by: Option<OperatorId>,
    person: PersonId,
    picture: &[u8],
) -> Result<(), PeopleError> {
    let media = Media::of(picture).map_err(EnrolmentRefusal::Photo)?;
    let consent =
        consent::standing(tx, person, Purpose::ProfilePicture).await?.ok_or(PeopleError::NoConsent)?;
    if crate::person::get(tx, person).await?.is_none() {
        return Err(PeopleError::Unknown("person"));
    }
    let (now, kit) = (tx.now(), tx.kit().clone());
    let what = Sealed::Picture { person };
    sqlx::query(PUT)
        .bind(row_id(person.0))
        .bind(row_id(consent))
        .bind(media.name())
        .bind(what.key_id(kit.keys()))
        .bind(what.seal(kit.keys(), picture))
        .bind(now)
        .execute(&mut **tx)
        .await?;
    let body = json!({ "person": person.0, "consent": consent, "by": by.map(|by| by.0) });
    tx.record("picture.stored", &body).await?;
    Ok(())
}

/// A person's picture; `None` when there is none.
///
/// # Errors
/// When it does not open with the site's key.
pub async fn get(kit: &Kit, look: Look, person: PersonId) -> Result<Option<Picture>, PeopleError> {
    let row: Option<(String, Vec<u8>)> =
        sqlx::query_as(GET).bind(row_id(person.0)).fetch_optional(kit.read()).await?;
    let Some((media, sealed)) = row else { return Ok(None) };
    let bytes = Sealed::Picture { person }.open(kit.keys(), &sealed)?;
    match look {
        Look::BesideEvent => {}
        Look::ByOperator(operator) => kit.saw(operator, Some(person.0), What::Photograph),
    }
    let media = if media == Media::Png.name() { Media::Png } else { Media::Jpeg };
    Ok(Some(Picture { media, bytes }))
}

/// Whether a person has a picture.
///
/// # Errors
/// When the database fails.
pub async fn has(kit: &Kit, person: PersonId) -> Result<bool, sqlx::Error> {
    let row: Option<(i64,)> = sqlx::query_as(HAS).bind(row_id(person.0)).fetch_optional(kit.read()).await?;
    Ok(row.is_some())
}

/// Whether this is the picture a person has.
///
/// # Errors
/// When the one they have does not open with the site's key.
pub async fn is(tx: &mut Tx, person: PersonId, picture: &[u8]) -> Result<bool, PeopleError> {
    let row: Option<(String, Vec<u8>)> =
        sqlx::query_as(GET).bind(row_id(person.0)).fetch_optional(&mut **tx).await?;
    let Some((_, sealed)) = row else { return Ok(false) };
    Ok(Sealed::Picture { person }.open(tx.kit().keys(), &sealed)? == picture)
}

/// Deletes a person's picture; how many went. The caller journals why.
pub(crate) async fn delete(tx: &mut Tx, person: PersonId) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query(DELETE).bind(row_id(person.0)).execute(&mut **tx).await?.rows_affected())
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}, {} bytes)", self.media.name(), self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_admits_one_session_to_one_picture_beside_one_record() {
        let keys = Keys::ephemeral();
        let pass = pass(&keys, "session", PersonId(7), 40);
        assert!(admits(&keys, &pass, "session", PersonId(7), 40));
        assert!(!admits(&keys, &pass, "another", PersonId(7), 40));
        assert!(!admits(&keys, &pass, "session", PersonId(8), 40));
        assert!(!admits(&keys, &pass, "session", PersonId(7), 41));
        assert!(!admits(&Keys::ephemeral(), &pass, "session", PersonId(7), 40));
        assert!(!admits(&keys, "", "session", PersonId(7), 40));
    }
}
