//! Photographs that were confirmed: stored sealed, looked at one by one.

use std::time::Duration;

use domain::ids::PersonId;
use kit::auth::OperatorId;
use kit::problem::chain;
use kit::{Kit, Tx};
use people::consent::{self, Purpose};
use people::embed::{EmbedService, Portrait};
use people::face::{self, EnrolmentRefusal, Twins, photo_digest};
use people::word::Word;
use people::{PeopleError, words};
use serde_json::json;

use super::{AlbumError, Collected, Draft, Match};

/// Bytes that wait in all albums at most.
const WAITING_MAX: i64 = 512 * 1024 * 1024;
/// Bytes stored in one transaction, about: events wait for it.
const AT_ONCE: usize = 4 * 1024 * 1024;
/// Albums that are remembered when they are done.
const KEPT: i64 = 200;
/// How often it is looked whether there is something to look at.
const LOOK: Duration = Duration::from_secs(1);
/// After one, so that doors and other enrolments have the vision process too.
const PACE: Duration = Duration::from_millis(50);
/// When the vision process or the database does not answer.
const AGAIN: Duration = Duration::from_secs(5);

kit::statements! {
    BEGIN = "INSERT INTO roster_album (made_by, made_at, state, seal, text_version, given_at) VALUES ($1, $2, 'loading', $3, $4, $5) RETURNING id";
    ADD = "INSERT INTO roster_photo (album, photo, person, state, code, bytes, sealed) VALUES ($1, $2, $3, 'waiting', '', $4, $5)";
    SET_STATE = "UPDATE roster_album SET state = $2 WHERE id = $1 AND state = $3";
    WAITING = "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM roster_photo WHERE state = 'waiting'";
    NEXT = "SELECT p.album, p.photo, p.person, p.sealed, a.seal, a.made_by, a.text_version, a.given_at FROM roster_photo p JOIN roster_album a ON a.id = p.album WHERE a.state = 'working' AND p.state = 'waiting' ORDER BY p.album, p.photo LIMIT 1";
    SETTLE = "UPDATE roster_photo SET state = $3, code = $4, other = $5, sealed = $6 WHERE album = $1 AND photo = $2 AND state = 'waiting'";
    EMPTY = "UPDATE roster_photo SET state = 'refused', code = 'album-stopped', sealed = $2 WHERE album = $1 AND state = 'waiting'";
    EMPTIED = "SELECT id FROM roster_album a WHERE a.state = 'working' AND NOT EXISTS (SELECT 1 FROM roster_photo p WHERE p.album = a.id AND p.state = 'waiting') ORDER BY id LIMIT 1";
    LEFT_LOADING = "SELECT id FROM roster_album WHERE state = 'loading' ORDER BY id";
    GET = "SELECT a.id, a.made_by, a.made_at, a.state, (SELECT COUNT(*) FROM roster_photo p WHERE p.album = a.id), (SELECT COUNT(*) FROM roster_photo p WHERE p.album = a.id AND p.state = 'waiting'), (SELECT COUNT(*) FROM roster_photo p WHERE p.album = a.id AND p.state IN ('enrolled', 'same')) FROM roster_album a WHERE a.id = $1";
    LIST = "SELECT a.id, a.made_by, a.made_at, a.state, (SELECT COUNT(*) FROM roster_photo p WHERE p.album = a.id), (SELECT COUNT(*) FROM roster_photo p WHERE p.album = a.id AND p.state = 'waiting'), (SELECT COUNT(*) FROM roster_photo p WHERE p.album = a.id AND p.state IN ('enrolled', 'same')) FROM roster_album a ORDER BY a.id DESC LIMIT $1";
    PHOTOS = "SELECT person, state, code, other FROM roster_photo WHERE album = $1 ORDER BY CASE state WHEN 'refused' THEN 0 WHEN 'waiting' THEN 1 ELSE 2 END, photo LIMIT $2";
    FORGET = "DELETE FROM roster_album WHERE state IN ('done', 'cancelled') AND id <= (SELECT MAX(id) FROM roster_album) - $1";
}

/// How far an album is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Its photographs are being stored.
    Loading,
    /// They are being looked at.
    Working,
    /// All were looked at.
    Done,
    /// Somebody stopped it; faces enrolled by then stay.
    Cancelled,
}

words!(State { Loading = "loading", Working = "working", Done = "done", Cancelled = "cancelled" });

/// Photographs that were confirmed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Album {
    /// Its number.
    pub id: u64,
    /// Who confirmed it.
    pub by: OperatorId,
    /// When, UTC microseconds.
    pub made_at: i64,
    /// How far it is.
    pub state: State,
    /// Photographs in it.
    pub photos: u64,
    /// Those not looked at yet.
    pub waiting: u64,
    /// Those whose face is on record now.
    pub enrolled: u64,
}

/// What came of a photograph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Whose.
    pub person: PersonId,
    /// `waiting`, `enrolled`, `same`, or `refused`.
    pub state: String,
    /// Why it was refused, as a stable kind for language files.
    pub code: String,
    /// Whom it looks like.
    pub other: Option<PersonId>,
}

type AlbumRow = (i64, i64, i64, String, i64, i64, i64);

fn read(row: AlbumRow) -> Result<Album, sqlx::Error> {
    let (id, by, made_at, state, photos, waiting, enrolled) = row;
    Ok(Album {
        id: id.cast_unsigned(),
        by: OperatorId(by),
        made_at,
        state: State::from_row(&state)?,
        photos: photos.cast_unsigned(),
        waiting: waiting.cast_unsigned(),
        enrolled: enrolled.cast_unsigned(),
    })
}

/// An album by its number.
///
/// # Errors
/// When the database fails.
pub async fn get(kit: &Kit, id: u64) -> Result<Option<Album>, sqlx::Error> {
    let id = i64::try_from(id).unwrap_or(-1);
    let row: Option<AlbumRow> = sqlx::query_as(GET).bind(id).fetch_optional(kit.read()).await?;
    row.map(read).transpose()
}

/// The newest albums, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(kit: &Kit, limit: u32) -> Result<Vec<Album>, sqlx::Error> {
    let rows: Vec<AlbumRow> = sqlx::query_as(LIST).bind(i64::from(limit)).fetch_all(kit.read()).await?;
    rows.into_iter().map(read).collect()
}

/// What came of an album's photographs, those that were refused first.
///
/// # Errors
/// When the database fails.
pub async fn photos(kit: &Kit, album: u64, limit: u32) -> Result<Vec<Looked>, sqlx::Error> {
    let rows: Vec<(i64, String, String, Option<i64>)> = sqlx::query_as(PHOTOS)
        .bind(i64::try_from(album).unwrap_or(-1))
        .bind(i64::from(limit))
        .fetch_all(kit.read())
        .await?;
    let id = |id: i64| PersonId(id.cast_unsigned());
    Ok(rows
        .into_iter()
        .map(|(person, state, code, other)| Looked { person: id(person), state, code, other: other.map(id) })
        .collect())
}

/// Stores the photographs of people who consented, or of all that are somebody's where consent was collected.
pub(super) async fn begin(
    kit: &Kit,
    by: OperatorId,
    seal: &str,
    draft: &Draft,
    collected: Option<&Collected>,
) -> Result<u64, AlbumError> {
    let wanted: Vec<_> = draft
        .photos
        .iter()
        .filter_map(|photo| match photo.whose {
            Match::Person { person, consented, .. } if consented || collected.is_some() => {
                Some((person, &photo.bytes))
            }
            Match::Person { .. } | Match::Nobody(_) => None,
        })
        .collect();
    if wanted.is_empty() {
        return Err(AlbumError::Nothing);
    }
    let mut tx = kit.begin().await?;
    let bytes: i64 = wanted.iter().map(|(_, bytes)| bytes.len() as i64).sum();
    let (waiting,): (i64,) = sqlx::query_as(WAITING).fetch_one(&mut *tx).await?;
    if waiting + bytes > WAITING_MAX {
        return Err(AlbumError::Busy);
    }
    sqlx::query(FORGET).bind(KEPT).execute(&mut *tx).await?;
    let now = tx.now();
    let (album,): (i64,) = sqlx::query_as(BEGIN)
        .bind(by.0)
        .bind(now)
        .bind(seal)
        .bind(collected.map(|it| it.text_version.as_str()))
        .bind(collected.map(|it| it.given_at))
        .fetch_one(&mut *tx)
        .await?;
    let mut stored = 0;
    for (at, (person, bytes)) in (0_i64..).zip(&wanted) {
        if stored > AT_ONCE {
            tx.commit().await?;
            tx = kit.begin().await?;
            stored = 0;
        }
        stored += bytes.len();
        sqlx::query(ADD)
            .bind(album)
            .bind(at)
            .bind(person.0.cast_signed())
            .bind(bytes.len() as i64)
            .bind(kit.keys().seal(&bound_to(seal, at), bytes))
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query(SET_STATE).bind(album).bind("working").bind("loading").execute(&mut *tx).await?;
    let body = json!({ "album": album, "photos": wanted.len(), "text_version": collected.map(|it| &it.text_version),
        "given_at": collected.map(|it| it.given_at), "operator": by.0 });
    tx.record("album.begun", &body).await?;
    tx.commit().await?;
    Ok(album.cast_unsigned())
}

/// Stops an album; faces that were enrolled stay. False when it has come to its end already, or there is none.
///
/// # Errors
/// When the database fails.
pub async fn cancel(kit: &Kit, by: OperatorId, album: u64) -> Result<bool, sqlx::Error> {
    let mut tx = kit.begin().await?;
    let id = i64::try_from(album).unwrap_or(-1);
    let stopped = sqlx::query(SET_STATE).bind(id).bind("cancelled").bind("working").execute(&mut *tx).await?;
    if stopped.rows_affected() == 0 {
        return Ok(false);
    }
    end(&mut tx, Some(by), id, "cancelled").await?;
    tx.commit().await?;
    Ok(true)
}

/// Looks at what waits for as long as the server runs.
pub async fn keep(kit: Kit, embed: Option<EmbedService>) {
    while let Err(error) = clear(&kit).await {
        tracing::warn!(error = %chain(&error), "photographs that were left half stored could not be cleared away");
        tokio::time::sleep(AGAIN).await;
    }
    loop {
        let wait = match advance(&kit, embed.as_ref()).await {
            Ok(Step::Looked) => PACE,
            Ok(Step::Nothing) => LOOK,
            Ok(Step::Away) => AGAIN,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "a photograph could not be looked at; trying again");
                AGAIN
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// A server that stopped while it stored photographs: they are uploaded again.
async fn clear(kit: &Kit) -> Result<(), sqlx::Error> {
    let mut tx = kit.begin().await?;
    let left: Vec<(i64,)> = sqlx::query_as(LEFT_LOADING).fetch_all(&mut *tx).await?;
    for (album,) in left {
        sqlx::query(SET_STATE).bind(album).bind("cancelled").bind("loading").execute(&mut *tx).await?;
        end(&mut tx, None, album, "cancelled").await?;
    }
    tx.commit().await
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One was looked at, or an album came to its end.
    Looked,
    /// None waits.
    Nothing,
    /// The vision process does not answer: it waits for that.
    Away,
}

type NextRow = (i64, i64, i64, Vec<u8>, String, i64, Option<String>, Option<i64>);

/// Looks at the next photograph.
///
/// # Errors
/// When the database fails.
pub async fn advance(kit: &Kit, embed: Option<&EmbedService>) -> Result<Step, PeopleError> {
    let next: Option<NextRow> = sqlx::query_as(NEXT).fetch_optional(kit.read()).await?;
    let Some((album, photo, person, sealed, seal, by, text_version, given_at)) = next else {
        return Ok(finish(kit).await?);
    };
    let collected =
        text_version.zip(given_at).map(|(text_version, given_at)| Collected { text_version, given_at });
    let (person, by) = (PersonId(person.cast_unsigned()), OperatorId(by));
    let (state, code, other) = match kit.keys().unseal(&bound_to(&seal, photo), &sealed) {
        Err(_) => ("refused", "album-unreadable", None),
        Ok(bytes) => match look(kit, embed, by, person, &bytes, collected.as_ref()).await {
            Ok(done) => (done, "", None),
            Err(PeopleError::Enrolment(EnrolmentRefusal::Away)) => return Ok(Step::Away),
            Err(PeopleError::Database(error)) => return Err(error.into()),
            Err(PeopleError::Enrolment(EnrolmentRefusal::Twin(twins))) => {
                ("refused", "photo-of-somebody-else", twins.first().map(|twin| twin.person.0.cast_signed()))
            }
            Err(refusal) => ("refused", refusal.code(), None),
        },
    };
    let mut tx = kit.begin().await?;
    sqlx::query(SETTLE)
        .bind(album)
        .bind(photo)
        .bind(state)
        .bind(code)
        .bind(other)
        .bind(Vec::<u8>::new())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Step::Looked)
}

/// Enrols a face, with the consent that was collected where none is on record.
async fn look(
    kit: &Kit,
    embed: Option<&EmbedService>,
    by: OperatorId,
    person: PersonId,
    photo: &[u8],
    collected: Option<&Collected>,
) -> Result<&'static str, PeopleError> {
    let embed = embed.ok_or(EnrolmentRefusal::Away)?;
    let mut connection = kit.read().acquire().await?;
    let known = face::of_person(&mut connection, person).await?;
    drop(connection);
    if known.is_some_and(|known| known.photo == photo_digest(photo)) {
        return Ok("same");
    }
    if let Some(collected) = collected {
        agree(kit, by, person, collected).await?;
    }
    face::enrol(kit, embed, Some(by), person, Portrait::Photograph, photo, Twins::Refuse).await?;
    Ok("enrolled")
}

/// Writes the consent down that was collected; not where the person has withdrawn since.
async fn agree(
    kit: &Kit,
    by: OperatorId,
    person: PersonId,
    collected: &Collected,
) -> Result<(), PeopleError> {
    let mut tx = kit.begin().await?;
    if consent::standing(&mut tx, person, Purpose::FaceAccess).await?.is_some() {
        return Ok(());
    }
    if consent::was_withdrawn(&mut tx, person, Purpose::FaceAccess, collected.given_at).await? {
        return Err(PeopleError::NoConsent);
    }
    let Collected { text_version, given_at } = collected;
    consent::give(&mut tx, Some(by), person, Purpose::FaceAccess, text_version, *given_at).await?;
    Ok(tx.commit().await?)
}

/// Writes down that an album has come to its end, where one has.
async fn finish(kit: &Kit) -> Result<Step, sqlx::Error> {
    let emptied: Option<(i64,)> = sqlx::query_as(EMPTIED).fetch_optional(kit.read()).await?;
    let Some((album,)) = emptied else { return Ok(Step::Nothing) };
    let mut tx = kit.begin().await?;
    let done = sqlx::query(SET_STATE).bind(album).bind("done").bind("working").execute(&mut *tx).await?;
    if done.rows_affected() == 1 {
        end(&mut tx, None, album, "done").await?;
        tx.commit().await?;
    }
    Ok(Step::Looked)
}

async fn end(tx: &mut Tx, by: Option<OperatorId>, album: i64, state: &str) -> Result<(), sqlx::Error> {
    sqlx::query(EMPTY).bind(album).bind(Vec::<u8>::new()).execute(&mut **tx).await?;
    let body = json!({ "album": album, "state": state, "operator": by.map(|by| by.0) });
    tx.record("album.finished", &body).await.map(drop)
}

/// A photograph moved to another album or place does not open.
fn bound_to(seal: &str, photo: i64) -> Vec<u8> {
    [b"album\0", seal.as_bytes(), &photo.to_be_bytes()].concat()
}
