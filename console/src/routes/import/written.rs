//! An import that was confirmed: how far it is, and what came of it. Without a script the page loads again by itself.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use kit::auth::Operator;
use kit::problem::Problem;
use people::word::Word;
use roster::album::Album;
use roster::import::{self, Import, State as Standing};

use super::PATH;
use crate::Console;
use crate::page::{Page, html};

#[derive(Template)]
#[template(path = "import/written.html")]
struct Written {
    page: Page,
    import: Import,
    row: Row,
    is_writing: bool,
    lines: String,
}

/// A line of the list of imports.
pub(super) struct Row {
    pub(super) id: u64,
    pub(super) at: String,
    pub(super) by: String,
    pub(super) state: String,
    pub(super) is_writing: bool,
    pub(super) sum: String,
}

impl Row {
    pub(super) fn of(page: &Page, operators: &HashMap<i64, String>, import: Import) -> Self {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX).into();
        let arguments = [
            ("added", count(import.added)),
            ("changed", count(import.changed)),
            ("cards", count(import.cards)),
        ];
        Self {
            id: import.id,
            at: page.to_the_minute(import.made_at),
            by: import.by.and_then(|by| operators.get(&by.0).cloned()).unwrap_or_default(),
            state: page.say(&format!("import-state-{}", import.state.word())).into_owned(),
            is_writing: import.state == Standing::Writing,
            sum: page.language.say_with("import-sum", &arguments).into_owned(),
        }
    }
}

impl Row {
    pub(super) fn of_album(page: &Page, operators: &HashMap<i64, String>, album: &Album) -> Self {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX).into();
        let arguments = [
            ("looked", count(album.photos - album.waiting)),
            ("photos", count(album.photos)),
            ("enrolled", count(album.enrolled)),
        ];
        Self {
            id: album.id,
            at: page.to_the_minute(album.made_at),
            by: operators.get(&album.by.0).cloned().unwrap_or_default(),
            state: page.say(&format!("album-state-{}", album.state.word())).into_owned(),
            is_writing: album.waiting > 0,
            sum: page.language.say_with("album-progress", &arguments).into_owned(),
        }
    }
}

impl Written {
    fn title(&self) -> String {
        self.page.say_with("import-written-title", "import", self.import.id.to_string()).into_owned()
    }

    fn progress(&self) -> String {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX).into();
        let arguments = [("past", count(self.import.past())), ("people", count(self.import.people))];
        self.page.language.say_with("import-progress", &arguments).into_owned()
    }
}

/// Who is called what.
pub(super) async fn operators(console: &Console) -> Result<HashMap<i64, String>, Problem> {
    let operators = kit::auth::list(&console.kit).await?;
    Ok(operators.into_iter().map(|row| (row.id.0, row.name)).collect())
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("people");
    let import = import::get(&console.kit, id).await?;
    let import = import.ok_or_else(|| Problem::not_found("there is no such import"))?;
    let names = operators(&console).await?;
    let row = Row::of(&page, &names, import.clone());
    let lines: Vec<String> = import.lines.iter().map(u32::to_string).collect();
    let lines = lines.join(page.say("list-names").as_ref());
    let is_writing = import.state == Standing::Writing;
    Ok(html(StatusCode::OK, &Written { page, import, row, is_writing, lines }))
}

pub(super) async fn cancel(
    State(console): State<Console>,
    operator: Operator,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    import::cancel(&console.kit, Some(operator.id), id).await?;
    Ok(Redirect::to(&format!("{PATH}/{id}")).into_response())
}
