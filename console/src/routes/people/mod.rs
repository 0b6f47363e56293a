//! People: the list, a person's page, and what is done there.

mod acts;
mod edit;
mod export;
mod profile;
mod whom;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::ids::PersonId;
use domain::policy::PersonStatus;
use domain::time::Validity;
use kit::auth::{Operator, Role};
use kit::problem::Problem;
use kit::{Routes, Who};
use people::find::{self, Place, Standing};
use people::word::Word;
use serde::Deserialize;

use self::whom::Whom;
use crate::Console;
use crate::page::{Page, html};

/// People on one page.
const PAGE: u32 = 50;

const OPERATOR: Who = Who::AtLeast(Role::Operator);
const MANAGER: Who = Who::AtLeast(Role::Manager);

/// The routes of this folder.
pub(super) fn routes() -> Routes<Console> {
    Routes::default()
        .get("/people", OPERATOR, show)
        .post("/people", MANAGER, edit::add)
        .get("/people/new", MANAGER, edit::new)
        .get("/people/export", OPERATOR, export::show)
        .get("/people/export/file", OPERATOR, export::write)
        .get("/people/{person}", OPERATOR, profile::show)
        .post("/people/{person}", MANAGER, edit::change)
        .get("/people/{person}/edit", MANAGER, edit::show)
        .post("/people/{person}/status", MANAGER, acts::status)
        .post("/people/{person}/remove", MANAGER, acts::remove)
        .post("/people/{person}/credentials", MANAGER, acts::add_credential)
        .post("/people/{person}/credentials/{credential}", OPERATOR, acts::credential)
        .post("/people/{person}/consents", MANAGER, acts::consent)
        .post("/people/{person}/consents/{purpose}/withdraw", MANAGER, acts::withdraw)
}

#[derive(Template)]
#[template(path = "people/list.html")]
struct List {
    page: Page,
    whom: Whom,
    may_change: bool,
    count: usize,
    rows: Vec<Row>,
    /// Behind whom the next page begins.
    next: Option<Place>,
    is_first: bool,
}

struct Row {
    id: u64,
    name: String,
    other_name: String,
    department: String,
    number: String,
    kind: String,
    standing: &'static str,
    has_face: bool,
    credentials: usize,
}

impl List {
    fn title(&self) -> String {
        self.page.say("people-title").into_owned()
    }
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(flatten)]
    whom: Whom,
    /// The place of the last person on the page before.
    #[serde(default)]
    behind: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    id: String,
}

async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let may_change = operator.is_at_site(Role::Manager);
    let page = console.page(&headers, Some(operator)).at("people");
    let whom = asked.whom;
    let question = whom.question();
    let id = PersonId(asked.id.parse().unwrap_or(0));
    let after = Place { sort: asked.behind, by: asked.by, id };
    let is_first = after == Place::default();
    let count = usize::try_from(find::count(&console.kit, &question).await?).unwrap_or(usize::MAX);
    let mut found = find::find(&console.kit, &question, whom.order(), &after, PAGE + 1).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let next = found.last().filter(|_| more).map(|last| last.place.clone());
    let now = console.kit.now();
    let rows = found.into_iter().map(|it| {
        let (name, other_name) = page.both_names(it.name, it.latin);
        Row {
            id: it.id.0,
            name,
            other_name,
            department: it.department,
            number: it.number,
            kind: page.word("person-kind", it.kind.word()),
            standing: standing(it.status, it.validity, now),
            has_face: it.has_face,
            credentials: usize::try_from(it.credentials).unwrap_or(usize::MAX),
        }
    });
    let rows = rows.collect();
    Ok(html(StatusCode::OK, &List { page, whom, may_change, count, rows, next, is_first }))
}

/// Whether somebody may pass now, as far as their own record says: the key of its words.
fn standing(status: PersonStatus, validity: Validity, now: i64) -> &'static str {
    match Standing::of(status, validity, now) {
        Standing::Suspended => "standing-suspended",
        Standing::Expired => "standing-expired",
        Standing::Early => "standing-early",
        Standing::Active => "standing-active",
    }
}

#[cfg(test)]
mod tests {
    use domain::time::Utc;

    use super::*;

    #[test]
    fn suspended_is_said_before_expired() {
        let day = Validity { from: Utc(10), until: Utc(20) };
        let at = |now| standing(PersonStatus::Active, day, now);
        assert_eq!([at(9), at(10), at(20)], ["standing-early", "standing-active", "standing-expired"]);
        assert_eq!(standing(PersonStatus::Suspended, day, 20), "standing-suspended");
    }
}
