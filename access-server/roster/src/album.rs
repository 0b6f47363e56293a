//! Photographs by the hundred: a folder or a ZIP, named by staff number or name, looked at one by one by the vision process.
//!
//! They are matched with people first, shown, and stored sealed when somebody confirms it; each leaves the store as soon as
//! it was looked at. A server that is restarted goes on where it was. No face is enrolled without consent: one on record, or
//! one that was collected on the day that is said, which is then written down for each.

mod folder;
mod store;

use std::collections::HashMap;
use std::sync::Arc;

use domain::ids::PersonId;
use kit::auth::OperatorId;
use kit::shelf::ShelfFull;
use kit::{Kit, Problem};
use people::bulk::Known;
use people::consent::{self, Purpose};
use people::embed::Media;
use people::person::is_key;

pub use self::folder::{FolderError, Photo, UPLOAD_MAX, unpack};
pub(crate) use self::store::STATEMENTS;
pub use self::store::{Album, Looked, State, Step, advance, cancel, get, keep, list, photos};

/// Photographs in one upload at most.
pub const PHOTOS_MAX: usize = 5000;

/// What would become of a photograph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// It is this person's.
    Person {
        /// Who.
        person: PersonId,
        /// Their name.
        name: String,
        /// Whether consent to their face is on record.
        consented: bool,
    },
    /// It is nobody's: why, as a stable kind for language files.
    Nobody(&'static str),
}

/// A photograph and whose it is.
#[derive(Clone, Debug)]
pub struct Matched {
    /// The file's name.
    pub file: String,
    /// Whose.
    pub whose: Match,
    pub(crate) bytes: Arc<[u8]>,
}

/// Photographs that were matched and not yet confirmed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Those that are nobody's first.
    pub photos: Vec<Matched>,
}

/// Consent that was collected outside the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Which version of the text people were shown.
    pub text_version: String,
    /// When, UTC microseconds.
    pub given_at: i64,
}

/// Why photographs are not taken.
#[derive(Debug, thiserror::Error)]
pub enum AlbumError {
    /// What was uploaded is no folder of photographs.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Too much waits already.
    #[error(transparent)]
    Full(#[from] ShelfFull),
    /// Too much is stored already.
    #[error("too many photographs wait to be looked at already: try again later")]
    Busy,
    /// It was never there, or its time is over.
    #[error("these photographs are no longer waiting: upload them again")]
    Gone,
    /// None of them would be looked at.
    #[error("none of the photographs can be enrolled")]
    Nothing,
    /// The consent's text is no key, or its day lies ahead.
    #[error("the consent's text or day cannot be taken")]
    Consent,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl AlbumError {
    /// The stable kind, for programs and language files.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Folder(error) => error.code(),
            Self::Full(_) | Self::Busy => "album-full",
            Self::Gone => "album-gone",
            Self::Nothing => "album-nothing",
            Self::Consent => "album-consent",
            Self::Database(_) => "database",
        }
    }
}

impl From<AlbumError> for Problem {
    fn from(error: AlbumError) -> Self {
        let (code, words) = (error.code(), error.to_string());
        match error {
            AlbumError::Full(_) | AlbumError::Busy => Self::unavailable(words),
            AlbumError::Gone => Self::not_found(words),
            AlbumError::Folder(_) | AlbumError::Nothing | AlbumError::Consent => Self::refused(code, words),
            AlbumError::Database(error) => error.into(),
        }
    }
}

/// Matches photographs with people, and keeps them for their operator; the word they are found by.
///
/// # Errors
/// When there is no room, or the database fails.
pub async fn put(kit: &Kit, by: OperatorId, photos: Vec<Photo>) -> Result<String, AlbumError> {
    let bytes = photos.iter().map(|photo| photo.bytes.len()).sum();
    let mut connection = kit.read().acquire().await?;
    let known = Known::load(&mut connection).await?;
    let mut matched = matched(&known, photos);
    for photo in &mut matched {
        if let Match::Person { person, consented, .. } = &mut photo.whose {
            *consented = consent::standing(&mut connection, *person, Purpose::FaceAccess).await?.is_some();
        }
    }
    drop(connection);
    matched.sort_by_key(|photo| matches!(photo.whose, Match::Person { .. }));
    Ok(kit.shelf().put(by, kit.now(), bytes, Draft { photos: matched })?)
}

/// What an operator has waiting under this word.
///
/// # Errors
/// When there is nothing.
pub fn draft(kit: &Kit, by: OperatorId, id: &str) -> Result<Arc<Draft>, AlbumError> {
    kit.shelf().get(by, kit.now(), id).ok_or(AlbumError::Gone)
}

/// Forgets photographs.
pub fn forget(kit: &Kit, by: OperatorId, id: &str) {
    kit.shelf().remove(by, kit.now(), id);
}

/// Stores those that can be enrolled, to be looked at from then on; the album's number.
///
/// # Errors
/// When there are none, the consent cannot be one, or too many wait.
pub async fn confirm(
    kit: &Kit,
    by: OperatorId,
    id: &str,
    collected: Option<&Collected>,
) -> Result<u64, AlbumError> {
    let found = draft(kit, by, id)?;
    let good = |it: &Collected| is_key(&it.text_version) && it.given_at <= kit.now();
    if !collected.is_none_or(good) {
        return Err(AlbumError::Consent);
    }
    let album = store::begin(kit, by, id, &found, collected).await?;
    kit.shelf().remove(by, kit.now(), id);
    Ok(album)
}

impl Draft {
    /// How many are somebody's, and of those, whose consent is on record.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let people = self.photos.iter().filter_map(|photo| match photo.whose {
            Match::Person { consented, .. } => Some(consented),
            Match::Nobody(_) => None,
        });
        people.fold((0, 0), |(all, with), consented| (all + 1, with + usize::from(consented)))
    }
}

/// Whose each photograph is, by its file's name.
fn matched(known: &Known, photos: Vec<Photo>) -> Vec<Matched> {
    let mut names: HashMap<&str, Result<PersonId, ()>> = HashMap::new();
    for person in known.people() {
        names.entry(&person.particulars.name).and_modify(|it| *it = Err(())).or_insert(Ok(person.id));
    }
    let mut seen = HashMap::new();
    let whose = |photo: &Photo, seen: &mut HashMap<PersonId, ()>| {
        if let Err(reason) = Media::of(&photo.bytes) {
            return Match::Nobody(reason.code());
        }
        let person = match who(known, &names, &photo.file) {
            Ok(person) => person,
            Err(why) => return Match::Nobody(why),
        };
        if seen.insert(person, ()).is_some() {
            return Match::Nobody("photo-twice");
        }
        let name = known.person(person).map(|it| it.particulars.name.clone()).unwrap_or_default();
        Match::Person { person, name, consented: false }
    };
    photos
        .into_iter()
        .map(|photo| Matched { whose: whose(&photo, &mut seen), file: photo.file, bytes: photo.bytes.into() })
        .collect()
}

/// By the staff number, whole or up to a `_`, `-` or space; otherwise by the name, where one person alone has it. Where a name
/// stands beside the number it must be theirs: a face is not given to somebody else because of a mistyped number.
fn who(
    known: &Known,
    names: &HashMap<&str, Result<PersonId, ()>>,
    file: &str,
) -> Result<PersonId, &'static str> {
    let name = file.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem).trim();
    let parts: Vec<&str> =
        stem.split(['_', '-', ' ', '＿']).map(str::trim).filter(|part| !part.is_empty()).collect();
    let numbered = |text: &str| known.of_number(text).or_else(|| known.of_key(text)).map(|it| it.id);
    if let Some(person) = numbered(stem) {
        return Ok(person);
    }
    let mut by_number = parts.iter().filter_map(|part| numbered(part));
    if let Some(person) = by_number.next() {
        let own = known.person(person).map(|it| &it.particulars);
        let is_own = |part: &str| own.is_some_and(|own| own.name == part || own.latin == part);
        let others = by_number.any(|other| other != person);
        let named = parts.iter().any(|part| is_own(part));
        let misnamed = parts.iter().any(|part| names.contains_key(part) || looks_like_a_name(part));
        return if others || (misnamed && !named) { Err("photo-disagrees") } else { Ok(person) };
    }
    for name in std::iter::once(&stem).chain(&parts) {
        match names.get(name) {
            Some(Ok(person)) => return Ok(*person),
            Some(Err(())) => return Err("photo-namesakes"),
            None => {}
        }
    }
    Err("photo-of-nobody")
}

/// Words that stand beside a number and name nobody.
const NO_NAMES: [&str; 8] = ["照片", "头像", "相片", "证件照", "登记照", "正面", "人脸", "免冠"];

/// Whether a part of a file's name may be a Chinese name: two to four characters, and no word for the picture itself.
fn looks_like_a_name(part: &str) -> bool {
    let han = |letter: char| matches!(letter, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}' | '·');
    (2..=4).contains(&part.chars().count()) && part.chars().all(han) && !NO_NAMES.contains(&part)
}

#[cfg(test)]
mod tests {
    use people::person::{self, Particulars};

    use super::*;

    #[tokio::test]
    async fn a_photograph_is_found_by_number_or_by_a_name_that_one_person_has() {
        let kit = kit::testing::sites(people::MIGRATIONS).await.remove(0).kit;
        let mut tx = kit.begin().await.unwrap();
        for (key, number, name) in [("a", "0012", "林晓雨"), ("b", "0013", "王伟"), ("c", "0014", "王伟")]
        {
            let new = Particulars { number: number.into(), ..Particulars::named(key, name) };
            person::add(&mut tx, None, &new).await.unwrap();
        }
        tx.commit().await.unwrap();
        let known = Known::load(&mut kit.read().acquire().await.unwrap()).await.unwrap();
        let jpeg = vec![0xff, 0xd8, 0xff, 0xe0];
        let files =
            ["照片/0012.jpg", "0013_王伟.JPG", "王伟.png", "林晓雨.jpg", "0014 王伟.jpeg", "9999.jpg"];
        let photos = files.map(|file| Photo { file: file.into(), bytes: jpeg.clone() });
        let whose: Vec<_> = matched(&known, photos.into())
            .into_iter()
            .map(|photo| match photo.whose {
                Match::Person { person, .. } => Ok(person.0),
                Match::Nobody(why) => Err(why),
            })
            .collect();
        let expected =
            [Ok(1), Ok(2), Err("photo-namesakes"), Err("photo-twice"), Ok(3), Err("photo-of-nobody")];
        assert_eq!(whose, expected);
        // A number beside somebody else's name, or beside one that nobody has, is a mistake; beside another word it is none.
        let files = [
            ("0012_王伟.jpg", Err("photo-disagrees")),
            ("0012_李四.jpg", Err("photo-disagrees")),
            ("0012_0013.jpg", Err("photo-disagrees")),
            ("0013_王伟_新.jpg", Ok(2)),
            ("0012_照片.jpg", Ok(1)),
            ("0012-2.jpg", Ok(1)),
        ];
        for (file, wanted) in files {
            let photo = Photo { file: file.into(), bytes: jpeg.clone() };
            let found = match &matched(&known, vec![photo])[0].whose {
                Match::Person { person, .. } => Ok(person.0),
                Match::Nobody(why) => Err(*why),
            };
            assert_eq!(found, wanted, "{file}");
        }
        let text = Photo { file: "0012.jpg".into(), bytes: b"not a picture".to_vec() };
        assert_eq!(matched(&known, vec![text])[0].whose, Match::Nobody("photo-not-a-photo"));
    }
}
