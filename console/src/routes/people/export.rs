//! Lists that leave the house: people, what they carry, and where they may pass. Each is journaled, without what was
//! looked for: that may be a name.

use std::collections::{BTreeMap, HashMap};

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::ids::{GroupId, PersonId};
use domain::time::Validity;
use kit::auth::Operator;
use kit::problem::Problem;
use people::credential::Credential;
use people::find::{self, Found, Place};
use people::person::{self, PAGE_MAX};
use people::word::Word;
use people::{credential, group};
use roster::export::{ROWS_MAX, Sheet, Width};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use super::standing;
use super::whom::Whom;
use crate::Console;
use crate::page::{Page, html};
use crate::routes::export::{MARK, SHEET, line};

/// Lists are made one at a time: a large one takes a hundred megabytes meanwhile.
static WORKER: Semaphore = Semaphore::const_new(1);

/// What a list is of.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum List {
    #[default]
    People,
    Credentials,
    Access,
}

/// How it is written.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    #[default]
    Xlsx,
    Csv,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(flatten)]
    whom: Whom,
    #[serde(default)]
    list: List,
    #[serde(default)]
    kind: Kind,
}

#[derive(Template)]
#[template(path = "people/export.html")]
struct Choose {
    page: Page,
    whom: Whom,
    count: usize,
}

impl Choose {
    fn title(&self) -> String {
        self.page.say("export-title").into_owned()
    }

    /// What may be exported: the word, its name, what is in it.
    fn lists(&self) -> [(&'static str, String, String); 3] {
        ["people", "credentials", "access"].map(|list| {
            let say = |key: String| self.page.say(&key).into_owned();
            (list, say(format!("export-list-{list}")), say(format!("export-why-{list}")))
        })
    }
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("people");
    let whom = asked.whom;
    let count = find::count(&console.kit, &whom.question()).await?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    Ok(html(StatusCode::OK, &Choose { page, whom, count }))
}

pub(super) async fn write(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator));
    let _turn = WORKER.acquire().await.expect("never closed");
    let people = everybody(&console, &asked.whom).await?;
    let (name, heads, mut rows) = match asked.list {
        List::People => ("people", PEOPLE.as_slice(), list_of_people(&console, &page, &people).await?),
        List::Credentials => {
            ("credentials", CREDENTIALS.as_slice(), list_of_credentials(&console, &page, &people).await?)
        }
        List::Access => ("access", ACCESS.as_slice(), list_of_access(&console, &page, &people).await?),
    };
    let is_cut = rows.len() > ROWS_MAX;
    rows.truncate(ROWS_MAX);
    let mut tx = console.kit.begin().await?;
    let body = json!({ "operator": by.0, "list": name, "rows": rows.len(), "filtered": !asked.whom.is_of_everybody() });
    tx.record("people.exported", &body).await?;
    tx.commit().await?;
    if is_cut {
        rows.push(vec![page.say("export-cut").into_owned()]);
    }
    let heads: Vec<(String, Width)> =
        heads.iter().map(|(key, width)| (page.say(key).into_owned(), *width)).collect();
    let title = page.say(&format!("export-list-{name}")).into_owned();
    let (media, ending, bytes) = match asked.kind {
        Kind::Csv => ("text/csv; charset=utf-8", "csv", separated(&heads, &rows)),
        Kind::Xlsx => {
            // A second of work for fifty thousand rows: not where others wait.
            let made = tokio::task::spawn_blocking(move || {
                let mut sheet = Sheet::new(&title, &heads);
                rows.iter().for_each(|row| sheet.row(row));
                sheet.finish()
            });
            (SHEET, "xlsx", made.await.map_err(|error| Problem::internal(&error))??)
        }
    };
    let disposition = format!("attachment; filename=\"gatehouse-{name}.{ending}\"");
    let headers = [(header::CONTENT_TYPE, media.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, bytes).into_response())
}

fn separated(heads: &[(String, Width)], rows: &[Vec<String>]) -> Vec<u8> {
    let heads: Vec<String> = heads.iter().map(|(head, _)| head.clone()).collect();
    let mut text = format!("{MARK}{}", line(&heads));
    rows.iter().for_each(|row| text.push_str(&line(row)));
    text.into_bytes()
}

/// Whom the list on the page shows, in its order; one more than a list has.
async fn everybody(console: &Console, whom: &Whom) -> Result<Vec<Found>, Problem> {
    let (mut people, mut after) = (Vec::new(), Place::default());
    loop {
        let found = find::find(&console.kit, &whom.question(), whom.order(), &after, PAGE_MAX).await?;
        let Some(last) = found.last() else { return Ok(people) };
        after = last.place.clone();
        people.extend(found);
        if people.len() > ROWS_MAX {
            return Ok(people);
        }
    }
}

type Heads<const N: usize> = [(&'static str, Width); N];

const PEOPLE: Heads<12> = [
    ("column-number", Width::Usual),
    ("column-name", Width::Usual),
    ("person-latin", Width::Usual),
    ("column-department", Width::Usual),
    ("column-kind", Width::Usual),
    ("person-groups", Width::Wide),
    ("person-from", Width::Usual),
    ("person-until", Width::Usual),
    ("column-standing", Width::Usual),
    ("factor-face", Width::Usual),
    ("export-credentials", Width::Usual),
    ("person-key", Width::Usual),
];

async fn list_of_people(
    console: &Console,
    page: &Page,
    people: &[Found],
) -> Result<Vec<Vec<String>>, Problem> {
    let kit = &console.kit;
    let names: HashMap<GroupId, String> =
        group::list(kit).await?.into_iter().map(|group| (group.id, group.name.name)).collect();
    let mut known = known(console).await?;
    let now = kit.now();
    let rows = people.iter().map(|it| {
        let (key, groups) = known.remove(&it.id).unwrap_or_default();
        let groups: Vec<String> = groups.iter().filter_map(|group| names.get(group).cloned()).collect();
        let [from, until] = days(page, it.validity);
        vec![
            it.number.clone(),
            it.name.clone(),
            it.latin.clone(),
            it.department.clone(),
            page.word("person-kind", it.kind.word()),
            groups.join("; "),
            from,
            until,
            page.say(standing(it.status, it.validity, now)).into_owned(),
            page.say(if it.has_face { "export-yes" } else { "export-no" }).into_owned(),
            it.credentials.to_string(),
            key,
        ]
    });
    Ok(rows.collect())
}

/// Everybody's key and groups.
async fn known(console: &Console) -> Result<HashMap<PersonId, (String, Vec<GroupId>)>, Problem> {
    let (mut known, mut after) = (HashMap::new(), None);
    loop {
        let people = person::list(&console.kit, after, "", PAGE_MAX).await?;
        let Some(last) = people.last() else { return Ok(known) };
        after = Some(last.id);
        known.extend(people.into_iter().map(|it| (it.id, (it.particulars.key, it.particulars.groups))));
    }
}

const CREDENTIALS: Heads<7> = [
    ("column-number", Width::Usual),
    ("column-name", Width::Usual),
    ("column-kind", Width::Usual),
    ("export-credential-key", Width::Usual),
    ("column-standing", Width::Usual),
    ("person-from", Width::Usual),
    ("person-until", Width::Usual),
];

/// What people carry: which, and whether it may be used. Of a card nothing is known but its digest, and that is kept.
async fn list_of_credentials(
    console: &Console,
    page: &Page,
    people: &[Found],
) -> Result<Vec<Vec<String>>, Problem> {
    let mut of: HashMap<PersonId, Vec<Credential>> = HashMap::new();
    for credential in credential::all(&mut *console.kit.read().acquire().await?).await? {
        of.entry(credential.person).or_default().push(credential);
    }
    let row = |it: &Found, credential: Credential| {
        let terms = credential.terms;
        let [from, until] = days(page, terms.validity);
        vec![
            it.number.clone(),
            it.name.clone(),
            page.word("factor", credential.kind.word()),
            terms.key,
            page.word("credential-status", terms.status.word()),
            from,
            until,
        ]
    };
    let carried = people.iter().flat_map(|it| {
        let carried = of.remove(&it.id).unwrap_or_default();
        carried.into_iter().map(|credential| row(it, credential)).collect::<Vec<_>>()
    });
    Ok(carried.take(ROWS_MAX + 1).collect())
}

const ACCESS: Heads<7> = [
    ("column-number", Width::Usual),
    ("column-name", Width::Usual),
    ("column-department", Width::Usual),
    ("column-standing", Width::Usual),
    ("export-level", Width::Usual),
    ("export-doors", Width::Wide),
    ("export-schedule", Width::Usual),
];

/// Where people may pass, a row for each level of each; whoever has none is listed without.
async fn list_of_access(
    console: &Console,
    page: &Page,
    people: &[Found],
) -> Result<Vec<Vec<String>>, Problem> {
    let levels = levels(console, page).await?;
    let known = known(console).await?;
    let now = console.kit.now();
    let rows = people.iter().flat_map(|it| {
        let groups = known.get(&it.id).map(|(_, groups)| groups.as_slice()).unwrap_or_default();
        let who = [
            it.number.clone(),
            it.name.clone(),
            it.department.clone(),
            page.say(standing(it.status, it.validity, now)).into_owned(),
        ];
        let own = levels.iter().filter(|level| level.groups.iter().any(|group| groups.contains(group)));
        let mut rows: Vec<Vec<String>> =
            own.map(|level| who.iter().chain(&level.words).cloned().collect()).collect();
        if rows.is_empty() {
            rows.push(who.to_vec());
        }
        rows
    });
    Ok(rows.take(ROWS_MAX + 1).collect())
}

/// A level: whose, and its name, doors and schedule.
struct LevelWords {
    groups: Vec<GroupId>,
    words: [String; 3],
}

async fn levels(console: &Console, page: &Page) -> Result<Vec<LevelWords>, Problem> {
    let mut connection = console.kit.read().acquire().await?;
    let name = |label: doors::label::Label| page.both_names(label.name, label.latin).0;
    let names: BTreeMap<_, String> = doors::door::list(&mut connection)
        .await?
        .into_iter()
        .map(|(id, door)| (id, name(door.label)))
        .collect();
    let grouped: HashMap<u64, Vec<domain::ids::DoorId>> = doors::door::groups(&mut connection)
        .await?
        .into_iter()
        .map(|(id, group)| (id, group.doors))
        .collect();
    let schedules: HashMap<_, String> = doors::schedule::list(&mut connection)
        .await?
        .into_iter()
        .map(|(id, schedule)| (id, name(schedule.label)))
        .collect();
    let levels = doors::level::list(&mut connection).await?.into_iter().map(|(_, level)| {
        let mut ids = level.doors;
        ids.extend(level.door_groups.iter().filter_map(|group| grouped.get(group)).flatten());
        ids.sort_unstable();
        ids.dedup();
        let doors: Vec<String> = ids.iter().filter_map(|id| names.get(id).cloned()).collect();
        let schedule = schedules.get(&level.schedule).cloned().unwrap_or_default();
        LevelWords { groups: level.groups, words: [name(level.label), doors.join("; "), schedule] }
    });
    Ok(levels.collect())
}

/// The first and the last day, empty where there is no limit.
fn days(page: &Page, validity: Validity) -> [String; 2] {
    let Validity { from, until } = validity;
    let day = |at: domain::time::Utc, open, before: i64| {
        if at == open { String::new() } else { page.day(at.0 - before) }
    };
    // The end is where the next day begins.
    [day(from, domain::time::Utc::MIN, 0), day(until, domain::time::Utc::MAX, 1)]
}
