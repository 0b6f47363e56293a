//! What happened before: the journal backwards, and whatever is looked for in it: who, where, what, from when to when.

mod asked;
mod export;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use kit::Routes;
use kit::auth::{Operator, Role};
use kit::journal::{events_before, newest};
use kit::looks::What;
use kit::problem::Problem;
use records::search;

use self::asked::{Asked, WHAT, Wrongs};
use super::{OPERATOR_THERE, VIEWER};
use crate::page::{Page, html};
use crate::sight::Sight;
use crate::{Console, directory, event};

/// Records on one page.
const PAGE: u32 = 100;
/// The index is behind the journal when this many records cannot be found yet: less is on its way.
const BEHIND: u64 = 500;

/// The routes of this folder.
pub(super) fn routes() -> Routes<Console> {
    Routes::default().get("/history", VIEWER, show).get("/history.csv", OPERATOR_THERE, export::write)
}

#[derive(Template)]
#[template(path = "history.html")]
struct History {
    page: Page,
    asked: Asked,
    wrongs: Wrongs,
    /// The person asked for by number.
    person: Option<String>,
    doors: Vec<(u64, String)>,
    events: Vec<String>,
    /// The address of the next page, where there may be one.
    older: Option<String>,
    is_newest: bool,
    /// Nothing more was found back to this moment, and it was looked for long enough.
    tired: Option<String>,
    /// So many records cannot be found yet.
    behind: u64,
    may_export: bool,
}

impl History {
    fn title(&self) -> String {
        self.page.say("history-title").into_owned()
    }

    fn what(&self) -> &'static [(&'static str, &'static [&'static str])] {
        WHAT
    }

    fn word(&self, word: &&str) -> String {
        match word.strip_prefix("reason.") {
            Some(reason) => self.page.say(&format!("reason-{reason}")).into_owned(),
            None => self.page.say(&format!("what-{}", word.replace('.', "-"))).into_owned(),
        }
    }

    fn address(&self) -> String {
        self.asked.address()
    }
}

async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (by, ranks) = (operator.id, operator.ranks.clone());
    let may_export = ranks.highest() >= Role::Operator;
    let page = console.page(&headers, Some(operator)).at("history");
    let (kit, now) = (&console.kit, console.kit.now());
    let (mut question, mut wrongs) = asked.question(kit, &page).await?;
    let sight = Sight::load(kit, &ranks).await?;
    if !sight.reach.is_whole() {
        // Whether anybody is called so is for whoever may look at everybody: here it is as if nothing happened.
        wrongs.who = wrongs.who.filter(|wrong| *wrong != "history-nobody");
    }
    sight.narrow(&mut question);
    let is_newest = asked.before.is_none();
    let (mut records, mut next, mut tired, mut behind) = (Vec::new(), None, None, 0);
    if asked.is_open() && sight.reach.is_whole() {
        records = events_before(kit.read(), asked.before.unwrap_or(u64::MAX), PAGE).await?;
        next = records
            .last()
            .filter(|_| records.len() == PAGE as usize)
            .map(|last| format!("before={}", last.seq));
    } else if wrongs.first().is_none() {
        let found = search(kit, &question, asked.place(), PAGE as usize).await?;
        records = found.records;
        next = found.next.map(|next| format!("{}&at={}&before={}", asked.address(), next.at, next.seq));
        tired = found.next.filter(|_| found.tired).map(|next| page.to_the_minute(next.at));
        behind = newest(kit.read()).await?.saturating_sub(found.up_to);
    }
    if let Some([person]) = question.people.as_deref()
        && !records.is_empty()
    {
        kit.saw(by, Some(*person), What::History);
    }
    let mut directory = directory::load(kit, page.language, &records).await?;
    directory.narrow(&sight);
    let events = records.iter().map(|record| event::row(kit, &page, &directory, record, now)).collect();
    let older = next.map(|next| format!("/history?{next}"));
    let status = if wrongs.first().is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let person = match asked.person.parse() {
        // Who has a record in sight is named there.
        Ok(id) if !records.is_empty() => directory::person(kit, page.language, id).await?,
        Ok(_) => None,
        Err(_) => None,
    };
    let doors = directory.doors.values().map(|door| (door.id, door.name.clone())).collect();
    let behind = if behind >= BEHIND { behind } else { 0 };
    Ok(html(
        status,
        &History { page, asked, wrongs, person, doors, events, older, is_newest, tired, behind, may_export },
    ))
}
