//! A list to begin with: the heads in the reader's language, and columns of numbers set as text, so that no zero is lost.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use kit::auth::Operator;
use kit::problem::Problem;
use roster::export::{Sheet, Width};

use crate::Console;
use crate::page::Page;
use crate::routes::export::{MARK, SHEET, line};

/// The columns of the list.
const COLUMNS: [&str; 7] = ["number", "name", "department", "kind", "groups", "card", "until"];

pub(super) async fn sheet(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator));
    let mut sheet = Sheet::new(&page.say("import-title"), &heads(&page).map(|head| (head, Width::Usual)));
    sheet.row(&example(&page));
    let name = (header::CONTENT_DISPOSITION, "attachment; filename=\"gatehouse-people.xlsx\"");
    Ok(([(header::CONTENT_TYPE, SHEET), name], sheet.finish()?).into_response())
}

pub(super) async fn text(State(console): State<Console>, operator: Operator, headers: HeaderMap) -> Response {
    let page = console.page(&headers, Some(operator));
    let text = format!("{MARK}{}{}", line(&heads(&page)), line(&example(&page)));
    let kind = (header::CONTENT_TYPE, "text/csv; charset=utf-8");
    let name = (header::CONTENT_DISPOSITION, "attachment; filename=\"gatehouse-people.csv\"");
    ([kind, name], text).into_response()
}

fn heads(page: &Page) -> [String; 7] {
    COLUMNS.map(|column| page.say(&format!("import-column-{column}")).into_owned())
}

/// A row that shows how it is written; it is replaced.
fn example(page: &Page) -> [String; 7] {
    COLUMNS.map(|column| page.say(&format!("import-example-{column}")).into_owned())
}
