//! Photographs by the folder: matched with people, shown, confirmed with their consent, followed until all were looked at.

use askama::Template;
use axum::Form as Sent;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use domain::ids::PersonId;
use jiff::civil::Date;
use kit::auth::Operator;
use kit::problem::Problem;
use people::word::Word;
use roster::album::{
    self, Album, AlbumError, Collected, FolderError, Match, PHOTOS_MAX, Photo, State as Standing,
};
use serde::Deserialize;

use super::{PATH, start, written};
use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};

/// Files on one page.
const PAGE: usize = 100;
/// Results on the page: all that an album can have.
const RESULTS: u32 = PHOTOS_MAX as u32;

#[derive(Template)]
#[template(path = "import/photos.html")]
struct Show {
    page: Page,
    id: String,
    matched: usize,
    consented: usize,
    nobody: usize,
    /// Those that may be looked at with what is on record alone.
    without: usize,
    version: String,
    day: String,
    collected: bool,
    fault: Option<String>,
    files: Vec<File>,
    at: usize,
    pages: usize,
}

struct File {
    name: String,
    person: Option<(u64, String)>,
    words: String,
    is_wrong: bool,
}

#[derive(Template)]
#[template(path = "import/album.html")]
struct Followed {
    page: Page,
    album: Album,
    at: String,
    by: String,
    state: String,
    is_working: bool,
    refused: usize,
    results: Vec<File>,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    at: usize,
}

impl Show {
    fn title(&self) -> String {
        self.page.say("album-title").into_owned()
    }
}

impl Followed {
    fn title(&self) -> String {
        self.page.say_with("album-numbered", "album", self.album.id.to_string()).into_owned()
    }

    fn looked(&self) -> u64 {
        self.album.photos - self.album.waiting
    }

    fn progress(&self) -> String {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX).into();
        let arguments = [
            ("looked", count(self.looked())),
            ("photos", count(self.album.photos)),
            ("enrolled", count(self.album.enrolled)),
        ];
        self.page.language.say_with("album-progress", &arguments).into_owned()
    }
}

pub(super) async fn upload(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    form: Multipart,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("people");
    let put = async {
        let photos = album::unpack(files(form).await?).await?;
        album::put(&console.kit, by, photos).await
    };
    match put.await {
        Ok(id) => Ok(Redirect::to(&format!("{PATH}/photos/drafts/{id}")).into_response()),
        Err(error @ (AlbumError::Folder(_) | AlbumError::Full(_))) => {
            let fault = page.say(&format!("fault-{}", error.code())).into_owned();
            start(&console, page, None, Some(fault)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The form's files: a ZIP, or photographs one by one.
async fn files(mut form: Multipart) -> Result<Vec<Photo>, FolderError> {
    let broken = |error: axum::extract::multipart::MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => FolderError::TooLarge,
        _ => FolderError::Damaged,
    };
    let mut files = Vec::new();
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let file = field.file_name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(broken)?.to_vec();
        // A field of files that none was chosen for is sent empty.
        if !file.is_empty() && !bytes.is_empty() {
            files.push(Photo { file, bytes });
        }
        if files.len() > 2 * PHOTOS_MAX {
            return Err(FolderError::TooMany);
        }
    }
    Ok(files)
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("people");
    match album::draft(&console.kit, by, &id) {
        Ok(draft) => Ok(answer(page, &id, &draft, &Fields::default(), asked.at, None)),
        Err(error) => gone(&console, page, &error).await,
    }
}

pub(super) async fn confirm(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<String>,
    Sent(fields): Sent<Fields>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("people");
    let draft = match album::draft(&console.kit, by, &id) {
        Ok(draft) => draft,
        Err(error) => return gone(&console, page, &error).await,
    };
    let refuse = |page: Page, key: &str| {
        let fault = page.say(key).into_owned();
        Ok(answer(page, &id, &draft, &fields, 0, Some(fault)))
    };
    let collected = match fields.get("collected").is_empty() {
        true => None,
        false => match collected(&console, &fields) {
            Some(collected) => Some(collected),
            None => return refuse(page, "fault-album-consent"),
        },
    };
    match album::confirm(&console.kit, by, &id, collected.as_ref()).await {
        Ok(album) => Ok(Redirect::to(&format!("{PATH}/photos/{album}")).into_response()),
        Err(error @ (AlbumError::Consent | AlbumError::Nothing | AlbumError::Busy)) => {
            refuse(page, &format!("fault-{}", error.code()))
        }
        Err(error) => Err(error.into()),
    }
}

/// What was said of the consent.
fn collected(console: &Console, fields: &Fields) -> Option<Collected> {
    let day: Date = fields.get("day").parse().ok()?;
    let given_at = day.to_zoned(console.zone.clone()).ok()?.timestamp().as_microsecond();
    Some(Collected { text_version: fields.get("version").to_owned(), given_at })
}

pub(super) async fn forget(
    State(console): State<Console>,
    operator: Operator,
    Path(id): Path<String>,
) -> Redirect {
    album::forget(&console.kit, operator.id, &id);
    Redirect::to(PATH)
}

async fn gone(console: &Console, page: Page, error: &AlbumError) -> Result<Response, Problem> {
    let fault = page.say(&format!("fault-{}", error.code())).into_owned();
    start(console, page, None, Some(fault)).await
}

fn answer(
    page: Page,
    id: &str,
    draft: &album::Draft,
    typed: &Fields,
    at: usize,
    fault: Option<String>,
) -> Response {
    let (matched, consented) = draft.counts();
    let pages = draft.photos.len().div_ceil(PAGE).max(1);
    let at = at.min(pages - 1);
    let files = draft.photos.iter().skip(at * PAGE).take(PAGE).map(|photo| {
        let (person, key, is_wrong) = match &photo.whose {
            Match::Person { person, name, consented: true } => {
                (Some((person.0, name.clone())), "album-matched".to_owned(), false)
            }
            Match::Person { person, name, consented: false } => {
                (Some((person.0, name.clone())), "album-needs-consent".to_owned(), false)
            }
            Match::Nobody(why) => (None, format!("album-wrong-{why}"), true),
        };
        File { name: photo.file.clone(), person, words: worded(&page, &key), is_wrong }
    });
    let files = files.collect();
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let show = Show {
        id: id.to_owned(),
        matched,
        consented,
        nobody: draft.photos.len() - matched,
        without: matched - consented,
        version: typed.get("version").to_owned(),
        day: typed.get("day").to_owned(),
        collected: !typed.get("collected").is_empty(),
        fault,
        files,
        at,
        pages,
        page,
    };
    html(status, &show)
}

/// The words of a photograph's fate; what the vision process minds has words of its own already.
fn worded(page: &Page, key: &str) -> String {
    let own = key.strip_prefix("album-wrong-").filter(|code| page.language.knows(code));
    page.say(own.unwrap_or(key)).into_owned()
}

pub(super) async fn follow(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("people");
    let kit = &console.kit;
    let album = album::get(kit, id).await?.ok_or_else(|| Problem::not_found("there is no such album"))?;
    let looked = album::photos(kit, id, RESULTS).await?;
    let mut results = Vec::with_capacity(looked.len());
    for it in looked {
        let key = match it.state.as_str() {
            "refused" => format!("album-wrong-{}", it.code),
            state => format!("album-photo-{state}"),
        };
        let mut words = worded(&page, &key);
        if let Some(other) = it.other {
            let name = named(&console, other).await?;
            words = page.say_with("album-like", "name", name).into_owned();
        }
        let name = named(&console, it.person).await?;
        results.push(File {
            name: String::new(),
            person: Some((it.person.0, name)),
            words,
            is_wrong: it.state == "refused",
        });
    }
    let refused = results.iter().filter(|it| it.is_wrong).count();
    let names = written::operators(&console).await?;
    Ok(html(
        StatusCode::OK,
        &Followed {
            at: page.to_the_minute(album.made_at),
            by: names.get(&album.by.0).cloned().unwrap_or_default(),
            state: page.say(&format!("album-state-{}", album.state.word())).into_owned(),
            is_working: matches!(album.state, Standing::Working | Standing::Loading),
            refused,
            results,
            album,
            page,
        },
    ))
}

async fn named(console: &Console, person: PersonId) -> Result<String, Problem> {
    let name = people::person::name(&console.kit, person).await?;
    Ok(name.map(|(name, _)| name).unwrap_or_default())
}

pub(super) async fn cancel(
    State(console): State<Console>,
    operator: Operator,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    album::cancel(&console.kit, operator.id, id).await?;
    Ok(Redirect::to(&format!("{PATH}/photos/{id}")).into_response())
}
