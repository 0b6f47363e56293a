//! Enrolment: from a photograph to a sealed template.
//!
//! [`examine`] asks the vision process and holds no transaction while it waits; [`store`] writes what came of it. No
//! template is stored without standing consent, and none that looks like somebody else's without being told so.

use std::collections::HashMap;
use std::fmt;

use ::gallery::{Gallery, Person as Row, Template};
use domain::ids::PersonId;
use domain::request::Score;
use kit::auth::OperatorId;
use kit::{Kit, Problem, Tx};
use ring::digest::{SHA256, digest};
use serde_json::json;
use sqlx::AnyConnection;
use uplink::sync::Digest;

use crate::consent::{self, Purpose};
use crate::embed::{EmbedService, Media, Portrait, Reason, Usable};
use crate::error::PeopleError;
use crate::gallery::{self, advance, mark, to_bytes};
use crate::person::row_id;
use crate::seal::Sealed;

/// From this similarity on another person is warned of: where gates begin to take a face for a person.
pub const TWIN_FROM: Score = Score(4500);

kit::statements! {
    ADD = "INSERT INTO face_template (person, consent, model, key_id, sealed, mark, photo, enrolled_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
    SEAL = "UPDATE face_template SET sealed = $2, mark = $3 WHERE id = $1";
    MARKS_OF = "SELECT id, mark FROM face_template WHERE person = $1";
    DELETE = "DELETE FROM face_template WHERE person = $1";
    OF = "SELECT id, model, photo, enrolled_at FROM face_template WHERE person = $1";
    ENROLLED = "SELECT COUNT(*) FROM face_template";
}

/// A photograph that the vision process found usable. Its template is in memory only.
pub struct Examined {
    template: Template,
    model: String,
    photo: [u8; 32],
    /// All of its quality in one number, 0 to 1.
    pub quality: f32,
}

/// Somebody else whose face is much like the one being enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twin {
    /// The other person.
    pub person: PersonId,
    /// How like.
    pub score: Score,
}

/// A face on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// Its number, as the gallery names it.
    pub template: u64,
    /// Which network made it.
    pub model: String,
    /// SHA-256 of the photograph.
    pub photo: Vec<u8>,
    /// When, UTC microseconds.
    pub enrolled_at: i64,
}

/// What to do when the face is much like somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twins {
    /// Refuse, naming them.
    Refuse,
    /// An operator looked: they are two people.
    Accept,
}

/// Why a face was not enrolled. Nothing was stored.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EnrolmentRefusal {
    /// The photograph will not do.
    #[error("{0}")]
    Photo(Reason),
    /// It looks like somebody else.
    #[error("it is much like the face of somebody else on record")]
    Twin(Vec<Twin>),
    /// There is no vision process to ask, or it does not answer.
    #[error("the vision process does not answer")]
    Away,
    /// The vision process answered something that is no answer.
    #[error("the vision process gave no usable answer")]
    Answer,
}

impl EnrolmentRefusal {
    /// The stable kind, for programs and language files.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Photo(reason) => reason.code(),
            Self::Twin(_) => "photo-of-somebody-else",
            Self::Away => "vision-away",
            Self::Answer => "vision-answer",
        }
    }
}

impl From<EnrolmentRefusal> for Problem {
    fn from(refusal: EnrolmentRefusal) -> Self {
        let (code, words) = (refusal.code(), refusal.to_string());
        match refusal {
            EnrolmentRefusal::Photo(reason) => {
                reason.numbers().into_iter().fold(Self::refused(code, words), |problem, (name, value)| {
                    problem.with(name, f64::from(value))
                })
            }
            EnrolmentRefusal::Twin(twins) => {
                let twins: Vec<_> = twins
                    .iter()
                    .map(|twin| json!({ "person": twin.person.0, "score": twin.score.0 }))
                    .collect();
                Self::conflict(code, words).with("twins", twins)
            }
            EnrolmentRefusal::Away => Self::unavailable(words),
            EnrolmentRefusal::Answer => Self::internal(&EnrolmentRefusal::Answer),
        }
    }
}

/// Asks the vision process what it makes of a photograph.
///
/// # Errors
/// Why it will not do.
pub async fn examine(
    embed: &EmbedService,
    portrait: Portrait,
    photo: &[u8],
) -> Result<Examined, EnrolmentRefusal> {
    let media = Media::of(photo).map_err(EnrolmentRefusal::Photo)?;
    let Usable { values, model, quality } = embed.embed(portrait, media, photo).await?;
    let template = Template::new(&values).map_err(|_| EnrolmentRefusal::Answer)?;
    Ok(Examined { template, model, photo: photo_digest(photo), quality })
}

/// SHA-256 of a photograph: whether it is the one that was enrolled.
#[must_use]
pub fn photo_digest(photo: &[u8]) -> [u8; 32] {
    digest(&SHA256, photo).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Every face on record, opened, to look for duplicate identities among; of two enrolments in one transaction the second
/// sees the first.
pub struct Likenesses(HashMap<String, Gallery>);

impl Likenesses {
    /// Opens all templates.
    ///
    /// # Errors
    /// When the database fails, or a template does not open with the site's key.
    pub async fn open(kit: &Kit, connection: &mut AnyConnection) -> Result<Self, PeopleError> {
        let mut galleries: HashMap<String, Gallery> = HashMap::new();
        for (person, model, template) in gallery::templates(kit, connection).await? {
            galleries.entry(model).or_default().add(Row(person.0), &template);
        }
        Ok(Self(galleries))
    }

    /// The other people this face is much like, nearest first; at most two.
    #[must_use]
    pub fn twins(&self, person: PersonId, examined: &Examined) -> Vec<Twin> {
        // Templates of two networks do not compare.
        let Some(gallery) = self.0.get(&examined.model) else { return Vec::new() };
        let found = gallery.search(&examined.template);
        [found.best, found.second]
            .into_iter()
            .flatten()
            .map(|found| Twin { person: PersonId(found.person.0), score: score(found.cosine) })
            .filter(|twin| twin.person != person && twin.score >= TWIN_FROM)
            .collect()
    }

    fn replace(&mut self, person: PersonId, examined: &Examined) {
        for gallery in self.0.values_mut() {
            gallery.remove(Row(person.0));
        }
        self.0.entry(examined.model.clone()).or_default().add(Row(person.0), &examined.template);
    }
}

/// Puts an examined face in the place of the one a person has. Returns the template's number.
///
/// # Errors
/// When the person has not consented, or the face is much like somebody else's and `twins` says to refuse that.
pub async fn store(
    tx: &mut Tx,
    by: Option<OperatorId>,
    person: PersonId,
    examined: &Examined,
    twins: Twins,
    likenesses: &mut Likenesses,
) -> Result<u64, PeopleError> {
    let consent = consent::standing(tx, person, Purpose::FaceAccess).await?.ok_or(PeopleError::NoConsent)?;
    let alike = likenesses.twins(person, examined);
    if twins == Twins::Refuse && !alike.is_empty() {
        return Err(EnrolmentRefusal::Twin(alike).into());
    }
    let mut marks = take_out(tx, person).await?;
    let (now, kit) = (tx.now(), tx.kit().clone());
    let key_id = Sealed::Template { person, template: 0 }.key_id(kit.keys());
    let (id,): (i64,) = sqlx::query_as(ADD)
        .bind(row_id(person.0))
        .bind(row_id(consent))
        .bind(examined.model.as_str())
        .bind(key_id)
        .bind(Vec::<u8>::new())
        .bind(Vec::<u8>::new())
        .bind(examined.photo.to_vec())
        .bind(now)
        .fetch_one(&mut **tx)
        .await?;
    // The row's number is part of what the sealed bytes are bound to, so they come second.
    let template = id.cast_unsigned();
    let sealed = Sealed::Template { person, template }.seal(kit.keys(), &to_bytes(&examined.template));
    let mark = mark(template, person, &examined.template);
    sqlx::query(SEAL).bind(id).bind(sealed).bind(mark.as_bytes().to_vec()).execute(&mut **tx).await?;
    marks.push((template, mark));
    let alike: Vec<u64> = alike.iter().map(|twin| twin.person.0).collect();
    let body = json!({ "template": id, "person": person.0, "consent": consent, "accepted_twins": alike,
        "by": by.map(|by| by.0) });
    tx.record("face.enrolled", &body).await?;
    advance(tx, &marks).await?;
    likenesses.replace(person, examined);
    Ok(template)
}

/// Enrols a person from a photograph: consent is looked for first, then the vision process is asked, then the template
/// is stored.
///
/// # Errors
/// Why not, in a stable code.
pub async fn enrol(
    kit: &Kit,
    embed: &EmbedService,
    by: Option<OperatorId>,
    person: PersonId,
    portrait: Portrait,
    photo: &[u8],
    twins: Twins,
) -> Result<u64, PeopleError> {
    let mut connection = kit.read().acquire().await?;
    if crate::person::get(&mut connection, person).await?.is_none() {
        return Err(PeopleError::Unknown("person"));
    }
    if consent::standing(&mut connection, person, Purpose::FaceAccess).await?.is_none() {
        return Err(PeopleError::NoConsent);
    }
    drop(connection);
    let examined = examine(embed, portrait, photo).await?;
    let mut tx = kit.begin().await?;
    let mut likenesses = Likenesses::open(kit, &mut tx).await?;
    let template = store(&mut tx, by, person, &examined, twins, &mut likenesses).await?;
    tx.commit().await?;
    Ok(template)
}

/// The face a person has on record.
///
/// # Errors
/// When the database fails.
pub async fn of_person(
    connection: &mut AnyConnection,
    person: PersonId,
) -> Result<Option<Enrolled>, sqlx::Error> {
    let row: Option<(i64, String, Vec<u8>, i64)> =
        sqlx::query_as(OF).bind(row_id(person.0)).fetch_optional(connection).await?;
    Ok(row.map(|(id, model, photo, enrolled_at)| Enrolled {
        template: id.cast_unsigned(),
        model,
        photo,
        enrolled_at,
    }))
}

/// How many faces are on record; filing is due from 100 000 on.
///
/// # Errors
/// When the database fails.
pub async fn count(kit: &Kit) -> Result<u64, sqlx::Error> {
    let (count,): (i64,) = sqlx::query_as(ENROLLED).fetch_one(kit.read()).await?;
    Ok(count.cast_unsigned())
}

/// Deletes a person's templates; how many went. The caller journals why.
pub(crate) async fn delete(tx: &mut Tx, person: PersonId) -> Result<u64, sqlx::Error> {
    let marks = take_out(tx, person).await?;
    if !marks.is_empty() {
        advance(tx, &marks).await?;
    }
    Ok(marks.len() as u64)
}

async fn take_out(tx: &mut Tx, person: PersonId) -> Result<Vec<(u64, Digest)>, sqlx::Error> {
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as(MARKS_OF).bind(row_id(person.0)).fetch_all(&mut **tx).await?;
    sqlx::query(DELETE).bind(row_id(person.0)).execute(&mut **tx).await?;
    rows.into_iter()
        .map(|(id, mark)| {
            let mark = mark.try_into().map_err(|_| sqlx::Error::Decode("a mark has 32 bytes".into()))?;
            Ok((id.cast_unsigned(), Digest::from_bytes(mark)))
        })
        .collect()
}

fn score(cosine: f32) -> Score {
    // Within ±10 000 after the clamp.
    Score((cosine.clamp(-1.0, 1.0) * 10_000.0).round() as i16)
}

impl fmt::Debug for Examined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Examined")
            .field("model", &self.model)
            .field("quality", &self.quality)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Likenesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Likenesses(..)")
    }
}
