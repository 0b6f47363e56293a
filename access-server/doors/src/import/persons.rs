//! People in a file: who, what they carry, their photographs.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use domain::ids::GroupId;
use domain::policy::{CredentialStatus, CredentialUse, PersonStatus};
use domain::request::CredentialKind;
use domain::time::{Utc, Validity};
use jiff::tz::TimeZone;
use kit::{Kit, Tx};
use people::PeopleError;
use people::consent::{self, Purpose};
use people::credential::{self, Card, Pin, Qr, Secret, SecretError, Terms};
use people::embed::Portrait;
use people::face::{self, Examined, Likenesses, Twins, photo_digest};
use people::person::{self, Particulars, PersonKind};
use people::picture;
use people::word::Word;
use toml::Spanned;
use toml::value::Datetime;

use super::file::{self, File, Text};
use super::run::{Done, Run, Stop};
use super::text::{Lines, instant};
use super::wrongs::Wrongs;
use super::{Options, Photos, Wrong};
use crate::label::Put;

/// Photographs looked at, by the key of their person. Pictures are read when they are stored: all of them together may
/// be more than there is memory.
#[derive(Default)]
pub(super) struct Looked {
    faces: HashMap<String, Examined>,
    pictures: HashMap<String, PathBuf>,
}

pub(super) enum PhotosError {
    Wrong(Vec<Wrong>),
    Database(sqlx::Error),
}

impl From<sqlx::Error> for PhotosError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Reads every photograph and shows those that are not enrolled yet to the vision process; no transaction is open.
pub(super) async fn photos(
    kit: &Kit,
    file: &File,
    lines: &Lines<'_>,
    folder: &Path,
    options: &Options<'_>,
) -> Result<Looked, PhotosError> {
    let Photos::Enrol(embed) = options.photos else { return Ok(Looked::default()) };
    let mut looked = Looked::default();
    let mut wrong = Wrongs::default();
    for person in &file.person {
        if wrong.is_full() {
            break;
        }
        let key = person.key.get_ref();
        let mut refuse = |at: &Text, code, why: String| {
            wrong.add(lines.at(at.span().start), &format!("person {key}"), code, why);
        };
        if let Some(picture) = &person.picture {
            match find(folder, picture.file.get_ref()).await {
                Ok(path) => drop(looked.pictures.insert(key.clone(), path)),
                Err(why) => refuse(&picture.file, "photo-unreadable", why),
            }
        }
        let Some(face) = &person.face else { continue };
        let bytes = match read(folder, face.photo.get_ref()).await {
            Ok(bytes) => bytes,
            Err(why) => {
                refuse(&face.photo, "photo-unreadable", why);
                continue;
            }
        };
        if enrolled(kit, key, &bytes).await? {
            continue;
        }
        match face::examine(embed, Portrait::Photograph, &bytes).await {
            Ok(examined) => drop(looked.faces.insert(key.clone(), examined)),
            Err(refusal) => refuse(&face.photo, refusal.code(), refusal.to_string()),
        }
    }
    if wrong.is_empty() { Ok(looked) } else { Err(PhotosError::Wrong(wrong.listed())) }
}

/// Whether this very photograph is the one on record.
async fn enrolled(kit: &Kit, key: &str, photo: &[u8]) -> Result<bool, sqlx::Error> {
    let mut connection = kit.read().acquire().await?;
    let Some(person) = person::by_key(&mut connection, key).await? else { return Ok(false) };
    let known = face::of_person(&mut connection, person.id).await?;
    Ok(known.is_some_and(|known| known.photo == photo_digest(photo)))
}

/// Finds a photograph below the file's folder, nowhere else.
async fn find(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let path = Path::new(name);
    if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err("a photograph lies in the file's own folder or below".to_owned());
    }
    let path = folder.join(path);
    let size =
        tokio::fs::metadata(&path).await.map_err(|error| format!("{name} cannot be read: {error}"))?.len();
    if size > people::embed::PHOTO_MAX as u64 {
        return Err(format!("{name} is larger than 8 MiB"));
    }
    Ok(path)
}

async fn read(folder: &Path, name: &str) -> Result<Vec<u8>, String> {
    let path = find(folder, name).await?;
    tokio::fs::read(&path).await.map_err(|error| format!("{name} cannot be read: {error}"))
}

/// Puts every person in place with what they carry.
pub(super) async fn put_all(
    run: &mut Run<'_>,
    tx: &mut Tx,
    file: &File,
    looked: &Looked,
    zone: &TimeZone,
    groups: &HashMap<String, u64>,
) -> Result<(), Stop> {
    let mut likenesses = match looked.faces.is_empty() {
        true => None,
        false => Some(Likenesses::open(&tx.kit().clone(), tx).await.map_err(database)?),
    };
    for entry in &file.person {
        let what = format!("person {}", entry.key.get_ref());
        let line = run.line(&entry.key);
        if run.wrong.is_full() {
            return Err(Stop::Enough);
        }
        let before = run.wrong.len();
        let particulars = particulars(run, &what, entry, zone, groups);
        let carried = carried(run, &what, entry);
        if run.wrong.len() > before {
            continue;
        }
        run.begin(tx).await?;
        let person = match put_person(run, tx, entry, particulars).await {
            Ok((id, put)) => {
                run.done(line, &what, put);
                id
            }
            Err(error) => {
                run.refused(tx, line, &what, error).await?;
                continue;
            }
        };
        run.end(tx).await?;
        for carried in carried {
            let (line, what) = (carried.line, format!("{what}: {}", carried.name));
            run.begin(tx).await?;
            match put_credential(run, tx, person, carried).await {
                Ok(put) => {
                    run.done(line, &what, put);
                    run.end(tx).await?;
                }
                Err(error) => run.refused(tx, line, &what, error).await?,
            }
        }
        if let Some(face) = &entry.face {
            let what = format!("{what}: face");
            let line = run.line(&face.photo);
            let examined = looked.faces.get(entry.key.get_ref());
            let twins = if face.twin_accepted { Twins::Accept } else { Twins::Refuse };
            run.begin(tx).await?;
            let agreed =
                agree(run, tx, person, Purpose::FaceAccess, &face.consent, &face.consented_on, zone).await;
            let put = match (agreed, examined, likenesses.as_mut()) {
                (Err(error), _, _) => Err(error),
                (Ok(false), _, _) => Ok(Done::Withdrawn),
                (Ok(true), Some(examined), Some(likenesses)) => {
                    let had = face::of_person(tx, person).await?.is_some();
                    let stored = face::store(tx, run.by, person, examined, twins, likenesses).await;
                    stored.map(|_| if had { Done::Changed } else { Done::Created })
                }
                (Ok(true), _, _) => Ok(match run.leaves_photos_out {
                    true => Done::LeftOut,
                    false => Done::Same,
                }),
            };
            finish(run, tx, line, &what, put).await?;
        }
        if let Some(entry_picture) = &entry.picture {
            let what = format!("{what}: picture");
            let line = run.line(&entry_picture.file);
            run.begin(tx).await?;
            let (consent, on) = (&entry_picture.consent, &entry_picture.consented_on);
            let agreed = agree(run, tx, person, Purpose::ProfilePicture, consent, on, zone).await;
            let put = match (agreed, looked.pictures.get(entry.key.get_ref())) {
                (Err(error), _) => Err(error),
                (Ok(false), _) => Ok(Done::Withdrawn),
                (Ok(true), None) => Ok(Done::LeftOut),
                (Ok(true), Some(path)) => match tokio::fs::read(path).await {
                    Ok(bytes) => put_picture(run, tx, person, &bytes).await,
                    Err(error) => {
                        let why = format!("{} cannot be read: {error}", entry_picture.file.get_ref());
                        run.wrong_at(line, &what, "photo-unreadable", why);
                        Ok(Done::LeftOut)
                    }
                },
            };
            finish(run, tx, line, &what, put).await?;
        }
    }
    Ok(())
}

async fn finish(
    run: &mut Run<'_>,
    tx: &mut Tx,
    line: usize,
    what: &str,
    put: Result<Done, PeopleError>,
) -> Result<(), Stop> {
    match put {
        Ok(done) => {
            run.done(line, what, done);
            run.end(tx).await
        }
        Err(error) => run.refused(tx, line, what, error).await,
    }
}

fn particulars(
    run: &mut Run<'_>,
    what: &str,
    entry: &file::Person,
    zone: &TimeZone,
    groups: &HashMap<String, u64>,
) -> Particulars {
    let mut at = |value: &Option<Spanned<Datetime>>, open: Utc, end: bool| {
        value.as_ref().map_or(open, |value| {
            instant(value.get_ref(), zone, end).unwrap_or_else(|| {
                let line = run.line_of(value.span().start);
                run.wrong_at(line, what, "field", "is no date or date and time".to_owned());
                open
            })
        })
    };
    let from = at(&entry.valid_from, Utc::MIN, false);
    let until = at(&entry.valid_until, Utc::MAX, true);
    let mut groups: Vec<GroupId> =
        run.names(what, "group", &entry.groups, groups).into_iter().map(GroupId).collect();
    groups.sort_unstable();
    groups.dedup();
    Particulars {
        key: entry.key.get_ref().clone(),
        kind: run.word(what, entry.kind.as_ref(), PersonKind::Employee),
        name: entry.name.clone(),
        latin: entry.latin.clone(),
        department: entry.department.clone(),
        number: entry.number.clone(),
        validity: Validity { from, until },
        status: run.word(what, entry.status.as_ref(), PersonStatus::Active),
        clearance: entry.clearance.unwrap_or(0),
        groups,
    }
}

/// A credential in the file.
struct Carried {
    line: usize,
    name: String,
    secret: Secret,
    key: String,
    usage: CredentialUse,
    /// As far as the file says it.
    status: Option<CredentialStatus>,
}

fn carried(run: &mut Run<'_>, what: &str, entry: &file::Person) -> Vec<Carried> {
    let mut carried = Vec::new();
    let mut take =
        |run: &mut Run<'_>, line, name, secret: Result<Secret, SecretError>, key, usage, status| match secret
        {
            Ok(secret) => carried.push(Carried { line, name, secret, key, usage, status }),
            Err(error) => run.wrong_at(line, what, "field", error.to_string()),
        };
    let key =
        |key: &Option<Text>, usual: &str| key.as_ref().map_or(usual.to_owned(), |key| key.get_ref().clone());
    let status = |run: &mut Run<'_>, word: &Option<Text>| {
        word.as_ref().map(|word| run.word(what, Some(word), CredentialStatus::Active))
    };
    for card in &entry.cards {
        let key = key(&card.key, "main");
        let status = status(run, &card.status);
        let (line, secret) = match (&card.raw, &card.wiegand26) {
            (Some(raw), None) => (run.line(raw), Card::parse(raw.get_ref())),
            (None, Some(both)) => {
                let (facility, number) = *both.get_ref();
                (run.line_of(both.span().start), Ok(Card::wiegand26(facility, number)))
            }
            (Some(_), Some(_)) | (None, None) => (run.line(&entry.key), Err(SecretError::CardForm)),
        };
        let name = format!("card {key}");
        take(run, line, name, secret.map(Secret::Card), key, CredentialUse::Ordinary, status);
    }
    for (pin, usage, name) in [
        (&entry.pin, CredentialUse::Ordinary, "PIN"),
        (&entry.duress_pin, CredentialUse::Duress, "duress PIN"),
    ] {
        if let Some(pin) = pin {
            let line = run.line(pin);
            let secret = Pin::parse(pin.get_ref()).map(Secret::Pin);
            take(run, line, name.to_owned(), secret, String::new(), usage, None);
        }
    }
    for code in &entry.codes {
        let key = key(&code.key, "main");
        let status = status(run, &code.status);
        let line = run.line(&code.text);
        let secret = Qr::new(code.text.get_ref().as_bytes()).map(Secret::Qr);
        take(run, line, format!("code {key}"), secret, key, CredentialUse::Ordinary, status);
    }
    carried
}

/// What the file does not say of somebody known stays as it is: an older file must not give back what was taken since.
async fn put_person(
    run: &Run<'_>,
    tx: &mut Tx,
    entry: &file::Person,
    mut particulars: Particulars,
) -> Result<(domain::ids::PersonId, Put), PeopleError> {
    let Some(known) = person::by_key(tx, &particulars.key).await? else {
        return Ok((person::add(tx, run.by, &particulars).await?, Put::Created));
    };
    let was = &known.particulars;
    if entry.status.is_none() {
        particulars.status = was.status;
    }
    if entry.valid_from.is_none() {
        particulars.validity.from = was.validity.from;
    }
    if entry.valid_until.is_none() {
        particulars.validity.until = was.validity.until;
    }
    if *was == particulars {
        return Ok((known.id, Put::Same));
    }
    person::change(tx, run.by, known.id, known.changed_at, &particulars).await?;
    Ok((known.id, Put::Changed))
}

async fn put_credential(
    run: &Run<'_>,
    tx: &mut Tx,
    person: domain::ids::PersonId,
    carried: Carried,
) -> Result<Put, PeopleError> {
    let Carried { line: _, name: _, secret, key, usage, status } = carried;
    let kind = secret.kind();
    let stored = match kind {
        CredentialKind::Pin => usage.word(),
        CredentialKind::Card | CredentialKind::Qr => key.as_str(),
    };
    let Some(known) = credential::by_key(tx, person, kind, stored).await? else {
        let status = status.unwrap_or(CredentialStatus::Active);
        let terms = Terms { usage, status, ..Terms::ordinary(&key) };
        credential::add(tx, run.by, person, &secret, &terms).await?;
        return Ok(Put::Created);
    };
    // What the file does not say stays as it is.
    let status = status.unwrap_or(known.terms.status);
    let terms = Terms { key, status, ..known.terms.clone() };
    let key = tx.kit().keys().credential();
    let (digest, entry) = (secret.digest(key, person), secret.board_entry(key));
    // A card marked lost in the console stays lost, whatever an older file says of it.
    if known.digest == digest
        && (known.terms.status == terms.status || terms.status == CredentialStatus::Active)
    {
        if known.board_entry == entry {
            return Ok(Put::Same);
        }
        // Given out by an older version: it is the same card, and boards can know it now.
        let terms = Terms { status: known.terms.status, ..terms };
        credential::reissue(tx, run.by, &known, &secret, &terms).await?;
        return Ok(Put::Changed);
    }
    credential::reissue(tx, run.by, &known, &secret, &terms).await?;
    Ok(Put::Changed)
}

async fn put_picture(
    run: &Run<'_>,
    tx: &mut Tx,
    person: domain::ids::PersonId,
    bytes: &[u8],
) -> Result<Done, PeopleError> {
    if picture::is(tx, person, bytes).await? {
        return Ok(Done::Same);
    }
    picture::put(tx, run.by, person, bytes).await?;
    Ok(Done::Changed)
}

/// Records a consent that is not on record yet; false when the person has withdrawn since the day in the file.
async fn agree(
    run: &Run<'_>,
    tx: &mut Tx,
    person: domain::ids::PersonId,
    purpose: Purpose,
    text_version: &Text,
    on: &Spanned<Datetime>,
    zone: &TimeZone,
) -> Result<bool, PeopleError> {
    if consent::standing(tx, person, purpose).await?.is_some() {
        return Ok(true);
    }
    let no_date = PeopleError::Field { field: "consented_on", why: "is no date" };
    let given_at = instant(on.get_ref(), zone, false).ok_or(no_date)?.0;
    if consent::was_withdrawn(tx, person, purpose, given_at).await? {
        return Ok(false);
    }
    consent::give(tx, run.by, person, purpose, text_version.get_ref(), given_at).await?;
    Ok(true)
}

fn database(error: PeopleError) -> Stop {
    match error {
        PeopleError::Database(error) => Stop::Database(error),
        PeopleError::Unknown(_)
        | PeopleError::Field { .. }
        | PeopleError::Taken(_)
        | PeopleError::Stale(_)
        | PeopleError::NoConsent
        | PeopleError::Enrolment(_)
        | PeopleError::Sealed => Stop::Database(sqlx::Error::Decode(error.to_string().into())),
    }
}
