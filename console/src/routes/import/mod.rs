//! Lists of people: uploaded, looked at before anything is done, confirmed, followed until all of it is written.

mod draft;
mod photos;
mod report;
mod template;
mod written;

use askama::Template;
use axum::extract::{DefaultBodyLimit, Multipart, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use kit::Routes;
use kit::auth::Operator;
use kit::problem::Problem;
use roster::draft::{self as roster_draft, DraftError};
use roster::read::{ReadError, UPLOAD_MAX};
use roster::{album, import};

use self::written::Row;
use super::MANAGER;
use crate::Console;
use crate::page::{Page, html};

/// The address of all of it.
const PATH: &str = "/import";
/// What a form adds around a file.
const AROUND: usize = 64 * 1024;
/// And around each of thousands.
const AROUND_EACH: usize = 2 * 1024 * 1024;
/// Imports on the page.
const SHOWN: u32 = 10;

/// The routes of this folder.
pub(super) fn routes() -> Routes<Console> {
    let upload = Routes::default()
        .post(PATH, MANAGER, upload)
        .around(|upload| upload.layer(DefaultBodyLimit::max(UPLOAD_MAX + AROUND)));
    let photos = Routes::default()
        .post("/import/photos", MANAGER, photos::upload)
        .around(|upload| upload.layer(DefaultBodyLimit::max(album::UPLOAD_MAX + AROUND_EACH)))
        .get("/import/photos/drafts/{draft}", MANAGER, photos::show)
        .post("/import/photos/drafts/{draft}/confirm", MANAGER, photos::confirm)
        .post("/import/photos/drafts/{draft}/forget", MANAGER, photos::forget)
        .get("/import/photos/{album}", MANAGER, photos::follow)
        .post("/import/photos/{album}/cancel", MANAGER, photos::cancel);
    Routes::default()
        .get(PATH, MANAGER, show)
        .get("/import/template.xlsx", MANAGER, template::sheet)
        .get("/import/template.csv", MANAGER, template::text)
        .get("/import/drafts/{draft}", MANAGER, draft::show)
        .post("/import/drafts/{draft}", MANAGER, draft::choose)
        .post("/import/drafts/{draft}/confirm", MANAGER, draft::confirm)
        .post("/import/drafts/{draft}/forget", MANAGER, draft::forget)
        .get("/import/drafts/{draft}/report.csv", MANAGER, report::write)
        .get("/import/{import}", MANAGER, written::show)
        .post("/import/{import}/cancel", MANAGER, written::cancel)
        .merge(upload)
        .merge(photos)
}

#[derive(Template)]
#[template(path = "import/page.html")]
struct Start {
    page: Page,
    fault: Option<String>,
    album_fault: Option<String>,
    imports: Vec<Row>,
    albums: Vec<Row>,
}

impl Start {
    fn title(&self) -> String {
        self.page.say("import-title").into_owned()
    }
}

async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("people");
    start(&console, page, None, None).await
}

/// The page where it begins, with what is wrong with a list or with photographs.
async fn start(
    console: &Console,
    page: Page,
    fault: Option<String>,
    album_fault: Option<String>,
) -> Result<Response, Problem> {
    let imports = import::list(&console.kit, SHOWN).await?;
    let names = written::operators(console).await?;
    let imports = imports.into_iter().map(|it| Row::of(&page, &names, it)).collect();
    let albums = album::list(&console.kit, SHOWN).await?;
    let albums = albums.into_iter().map(|it| Row::of_album(&page, &names, &it)).collect();
    let status = if fault.is_some() || album_fault.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    Ok(html(status, &Start { page, fault, album_fault, imports, albums }))
}

async fn upload(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    form: Multipart,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("people");
    let (name, bytes) = match file(form).await {
        Ok(file) => file,
        Err(error) => return refuse(&console, page, &error).await,
    };
    match roster_draft::put(&console.kit, by, &name, bytes).await {
        Ok(id) => Ok(Redirect::to(&format!("{PATH}/drafts/{id}")).into_response()),
        Err(error @ (DraftError::Read(_) | DraftError::Full(_))) => refuse(&console, page, &error).await,
        Err(error) => Err(error.into()),
    }
}

async fn refuse(console: &Console, page: Page, error: &DraftError) -> Result<Response, Problem> {
    let fault = fault(&page, error);
    start(console, page, Some(fault), None).await
}

/// The form's file.
async fn file(mut form: Multipart) -> Result<(String, Vec<u8>), DraftError> {
    // A body that breaks off or is too long is no file.
    let broken = |error: axum::extract::multipart::MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ReadError::TooLarge,
        _ => ReadError::Damaged,
    };
    while let Some(field) = form.next_field().await.map_err(broken)? {
        if field.name() == Some("file") {
            let name = field.file_name().unwrap_or_default().to_owned();
            return Ok((name, field.bytes().await.map_err(broken)?.to_vec()));
        }
    }
    Err(ReadError::Empty.into())
}

/// Why a file is no list, in words.
fn fault(page: &Page, error: &DraftError) -> String {
    let line = if let DraftError::Read(error) = error { error.line().unwrap_or(0) } else { 0 };
    page.say_with(&format!("fault-{}", error.code()), "line", line.to_string()).into_owned()
}
