//! What a file would do, row by row, as a table to take along: for whoever mends the list.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use kit::auth::Operator;
use kit::problem::Problem;
use roster::column::Column;
use roster::draft;

use super::draft::{details, fate, value};
use crate::Console;
use crate::routes::export::{MARK, line};

pub(super) async fn write(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let found = draft::get(&console.kit, operator.id, &id)?;
    let page = console.page(&headers, Some(operator));
    let heads = ["import-line", "column-number", "column-name", "import-fate", "import-details"];
    let heads = heads.map(|key| page.say(key).into_owned());
    let mut text = format!("{MARK}{}", line(&heads));
    for row in &found.plan.rows {
        let cells = [
            row.line.to_string(),
            value(&found, row, Column::Number),
            value(&found, row, Column::Name),
            page.say(&format!("import-fate-{}", fate(row))).into_owned(),
            details(&page, &found, row).join("; "),
        ];
        text.push_str(&line(&cells));
    }
    let kind = (header::CONTENT_TYPE, "text/csv; charset=utf-8");
    let name = (header::CONTENT_DISPOSITION, "attachment; filename=\"gatehouse-import-report.csv\"");
    Ok(([kind, name], text).into_response())
}
