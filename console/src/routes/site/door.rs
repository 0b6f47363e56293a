//! A door's page: how it stands now, whom it lets in and when, how it behaves, what drives it, what last happened there.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::ids::DoorId;
use domain::policy::AntiPassback;
use doors::door::Door;
use doors::survey::{Survey, Thing};
use kit::auth::{Operator, Role};
use kit::live::Heard;
use kit::problem::Problem;
use people::word::Word;
use records::{Place, Question};

use super::rules;
use super::tree::{Asked, said};
use crate::Console;
use crate::event;
use crate::page::{Page, html};
use crate::routes::access::sentence;
use crate::sheet::name_of;
use crate::state::{DoorView, door_view};
use crate::view::{Scene, View};

/// Events shown.
const EVENTS: usize = 20;

#[derive(Template)]
#[template(path = "site/door.html")]
struct DoorPage {
    page: Page,
    id: u64,
    name: String,
    other_name: String,
    may_change: bool,
    said: Option<String>,
    facts: Vec<(String, String)>,
    opens_with: Vec<String>,
    /// Who may pass and when; `None` for whoever may not see rights.
    sentences: Option<Vec<String>>,
    /// Why nobody may.
    concern: Option<String>,
    /// The floors on whose plans it may be looked for.
    plans: Vec<(u64, String)>,
    events: Vec<String>,
    after: u64,
    now: i64,
    view: (&'static str, String),
    state: String,
}

impl DoorPage {
    fn title(&self) -> String {
        self.name.clone()
    }
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<u64>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("site");
    let (kit, id) = (&console.kit, DoorId(id));
    let view = View::Door(id);
    let mut scene = Scene::load(kit, page.language, &view, &[], page.ranks()?).await?;
    let question = Question { doors: Some(vec![id.0]), ..Question::default() };
    let nothing = || Problem::not_found("there is no such door");
    let last = match scene.survey.door(id) {
        Some(_) => records::search(kit, &question, Place::END, EVENTS).await?,
        None => return Err(nothing()),
    };
    // What is not in the index yet, the stream tells.
    let (records, after) = (last.records, last.up_to);
    for record in &records {
        scene.directory.learn(kit, page.language, record).await?;
    }
    let survey = &scene.survey;
    let door = survey.door(id).ok_or_else(nothing)?;
    let role = scene.sight.reach.at_door(door);
    let now = kit.now();
    let events = records.iter().map(|it| event::row(kit, &page, &scene.directory, it, now)).collect();
    let sees_rights = role >= Some(Role::Operator);
    let today = doors::edit::today(survey, domain::time::Utc(now));
    let concern = survey.concerns(today).into_iter().find(|it| it.thing() == Thing::Door(id));
    let plans = survey.floor_of(door.inside).into_iter().chain(survey.floor_of(door.outside));
    let mut plans: Vec<_> = plans.filter(|floor| scene.plans.contains_key(floor)).collect();
    plans.dedup();
    let (name, other_name) = page.both_names(door.label.name.clone(), door.label.latin.clone());
    let door_page = DoorPage {
        id: id.0,
        name,
        other_name,
        may_change: role >= Some(Role::Manager),
        said: said(&page, &asked.said),
        facts: facts(&page, survey, door),
        opens_with: opens_with(&page, survey, door),
        sentences: sees_rights.then(|| sentences(&page, survey, id)),
        concern: concern.filter(|_| sees_rights).map(|it| crate::sheet::concern(&page, survey, it)),
        plans: plans.into_iter().map(|it| (it.0, name_of(&page, survey, Thing::Area(it)))).collect(),
        events,
        after,
        now,
        view: view.words(),
        state: view.render(&page, &scene, &scene.devices(kit), &BTreeMap::new(), now),
        page,
    };
    Ok(html(StatusCode::OK, &door_page))
}

/// Who may pass it and when, a sentence a level.
fn sentences(page: &Page, survey: &Survey, door: DoorId) -> Vec<String> {
    let levels = survey.levels.iter().filter(|(_, level)| survey.doors_of_level(level).contains(&door));
    levels.map(|(_, level)| sentence::of_door(page, survey, level)).collect()
}

/// What opens it, rule by rule.
fn opens_with(page: &Page, survey: &Survey, door: &Door) -> Vec<String> {
    let rule = |when: String, with: String| {
        page.language.say_with("door-rule", &[("when", when.into()), ("with", with.into())]).into_owned()
    };
    let mut lines: Vec<_> = door
        .rules
        .iter()
        .map(|it| {
            let schedule = name_of(page, survey, Thing::Schedule(it.schedule));
            rule(schedule, rules::any_of(page, &it.any_of))
        })
        .collect();
    let otherwise = rules::any_of(page, &door.otherwise);
    if lines.is_empty() {
        lines.push(otherwise);
    } else {
        lines.push(rule(page.say("door-rule-otherwise").into_owned(), otherwise));
    }
    lines
}

fn facts(page: &Page, survey: &Survey, door: &Door) -> Vec<(String, String)> {
    let seconds = |it: std::time::Duration| {
        page.say_with("seconds", "count", it.as_secs_f64().to_string()).into_owned()
    };
    let area = |id| {
        let names: Vec<_> = survey.around(id).into_iter().rev().collect();
        let names = names.into_iter().map(|id| name_of(page, survey, Thing::Area(id)));
        names.collect::<Vec<_>>().join(" / ")
    };
    let board = door.board.as_ref().map(|board| {
        let words = [("bus", board.bus.clone().into()), ("address", i64::from(board.address).into())];
        page.language.say_with("door-board", &words).into_owned()
    });
    let twice = match door.anti_passback {
        AntiPassback::Off => page.word("anti-passback", "off"),
        AntiPassback::Soft => page.word("anti-passback", "soft"),
        AntiPassback::Hard => page.word("anti-passback", "hard"),
        AntiPassback::Timed(within) => {
            let minutes = (within.as_secs_f64() / 60.0).to_string();
            page.say_with("anti-passback-for", "minutes", minutes).into_owned()
        }
    };
    let zone = door.fire_zone.map(|zone| name_of(page, survey, Thing::FireZone(zone)));
    let unsaid = |key: &str| page.say(key).into_owned();
    let facts = [
        ("door-outside", area(door.outside)),
        ("door-inside", area(door.inside)),
        ("door-controller", name_of(page, survey, Thing::Controller(door.controller))),
        ("door-bus", board.unwrap_or_else(|| unsaid("door-not-wired"))),
        ("door-strike", seconds(door.strike)),
        ("door-held", seconds(door.held_after)),
        ("door-relock", page.word("relock", door.relock.word())),
        ("door-egress", page.word("egress", door.egress.word())),
        ("door-anti-passback", twice),
        ("door-unrecorded", page.word("unrecorded", door.unrecorded_entry.word())),
        ("door-zone", zone.unwrap_or_else(|| unsaid("door-no-zone"))),
        ("door-key", door.label.key.clone()),
    ];
    facts.into_iter().map(|(key, value)| (page.say(key).into_owned(), value)).collect()
}

#[derive(Template)]
#[template(path = "site/door_state.html")]
struct DoorState<'a> {
    page: &'a Page,
    now: i64,
    door: DoorView,
    controller: String,
}

/// The moving part of the page.
pub(crate) fn render(
    page: &Page,
    scene: &Scene,
    devices: &BTreeMap<String, Heard>,
    door: DoorId,
    now: i64,
) -> String {
    let Some(known) = scene.directory.doors.get(&door.0) else { return String::new() };
    let controller = known.controller.clone();
    let door = door_view(page, known, devices.get(&controller), now);
    DoorState { page, now, door, controller }.render().unwrap_or_default()
}
