//! The records that were looked for, as a table for a spreadsheet.

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use kit::auth::{Operator, Role};
use kit::problem::Problem;
use kit::{Kit, StoredEvent};
use records::{Place, Question, SearchError, search};
use serde_json::json;

use super::asked::Asked;
use crate::page::Page;
use crate::routes::export::{MARK, line};
use crate::sight::Sight;
use crate::{Console, directory, event};

/// Lines of one table at most.
const LARGEST: usize = 50_000;
/// Records read at once.
const PAGE: usize = 500;

/// How far a table has come.
struct Writing {
    kit: Kit,
    page: Page,
    question: Question,
    /// `None` when it is at its end.
    before: Option<Place>,
    lines: usize,
}

pub(super) async fn write(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let sight = Sight::load_with_rank(&console.kit, &operator.ranks, Role::Operator).await?;
    let page = console.page(&headers, Some(operator));
    let (mut question, wrongs) = asked.question(&console.kit, &page).await?;
    sight.narrow(&mut question);
    if let Some(wrong) = wrongs.first() {
        return Err(Problem::refused("history-question", page.say(wrong)));
    }
    let mut tx = console.kit.begin().await?;
    tx.record(
        "records.exported",
        &json!({ "operator": by.0, "person": only(question.people.as_deref()),
            "people": question.people.as_ref().map(Vec::len), "door": only(question.doors.as_deref()),
            "what": question.words, "from": question.from, "until": question.until }),
    )
    .await?;
    tx.commit().await?;
    let columns = ["time", "event", "person", "door", "reasons", "place", "source"];
    let head: Vec<String> =
        columns.iter().map(|name| page.say(&format!("history-column-{name}")).into_owned()).collect();
    let first = format!("{MARK}{}", line(&head));
    let writing = Writing { kit: console.kit, page, question, before: Some(Place::END), lines: 0 };
    let lines = stream::try_unfold(writing, |mut writing| async move {
        Ok::<_, SearchError>(writing.more().await?.map(|text| (text, writing)))
    });
    let body = stream::StreamExt::chain(stream::once(async { Ok(first) }), lines);
    let kind = (header::CONTENT_TYPE, "text/csv; charset=utf-8");
    let name = (header::CONTENT_DISPOSITION, "attachment; filename=\"gatehouse-history.csv\"");
    Ok(([kind, name], Body::from_stream(body)).into_response())
}

impl Writing {
    /// The next lines; `None` at the end.
    async fn more(&mut self) -> Result<Option<String>, SearchError> {
        let Some(before) = self.before else { return Ok(None) };
        let found = search(&self.kit, &self.question, before, PAGE).await?;
        self.before = found.next;
        let directory = directory::load(&self.kit, self.page.language, &found.records).await?;
        let mut text = String::new();
        for record in &found.records {
            text.push_str(&line(&cells(&self.kit, &self.page, &directory, record)));
        }
        self.lines += found.records.len();
        if self.lines >= LARGEST && self.before.is_some() {
            text.push_str(&line(&[self.page.say("history-cut").into_owned()]));
            self.before = None;
        }
        Ok(Some(text))
    }
}

fn cells(kit: &Kit, page: &Page, directory: &directory::Directory, record: &StoredEvent) -> [String; 7] {
    let view = event::view(kit, page, directory, record, kit.now());
    let traits = records::term::Traits::of(record);
    let person = traits.person.and_then(|id| directory.people.get(&id)).map(|person| person.name.clone());
    let door = traits.door.map(|id| directory.door(page, id));
    [
        page.exact(record.at),
        view.sentence,
        person.unwrap_or_default(),
        door.unwrap_or_default(),
        view.reasons.join("; "),
        record.seq.to_string(),
        record.source.clone(),
    ]
}

/// The one that was asked for: the record is then found by it.
fn only(ids: Option<&[u64]>) -> Option<u64> {
    ids.and_then(|ids| if let [id] = ids { Some(*id) } else { None })
}
