//! The tree of the site: buildings, floors, areas, and every door with how it stands now.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::ids::AreaId;
use doors::door::Door;
use doors::place::{Area, AreaKind};
use doors::survey::Thing;
use kit::auth::{Operator, Role};
use kit::live::Heard;
use kit::problem::Problem;
use people::word::Word;
use serde::Deserialize;

use crate::Console;
use crate::page::{Page, html};
use crate::sheet::name_of;
use crate::state::{DoorView, Level, door_view};
use crate::view::{Scene, View};

/// Letters of a question; more are not looked for.
const QUESTION: usize = 100;
/// Areas in one another are set in so far at most.
const STEPS: usize = 5;

#[derive(Template)]
#[template(path = "site/tree.html")]
struct Tree {
    page: Page,
    question: String,
    may_change: bool,
    site: Option<String>,
    zones: Vec<(u64, String)>,
    said: Option<String>,
    after: u64,
    now: i64,
    view: (&'static str, String),
    state: String,
}

impl Tree {
    fn title(&self) -> String {
        self.page.say("site-title").into_owned()
    }
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    find: String,
    #[serde(default)]
    pub(super) said: String,
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let may_change = operator.is_at_site(Role::Manager);
    let page = console.page(&headers, Some(operator)).at("site");
    let question: String = asked.find.trim().chars().take(QUESTION).collect();
    let view = View::Site(question.clone());
    let after = kit::journal::newest(console.kit.read()).await?;
    let scene = Scene::load(&console.kit, page.language, &view, &[], page.ranks()?).await?;
    let now = console.kit.now();
    let state = view.render(&page, &scene, &scene.devices(&console.kit), &BTreeMap::new(), now);
    let named = |thing| name_of(&page, &scene.survey, thing);
    let zones = scene.survey.fire_zones.iter().map(|(id, _)| (id.0, named(Thing::FireZone(*id)))).collect();
    let site = scene.survey.site.as_ref().map(|site| {
        let label = site.label.clone();
        page.both_names(label.name, label.latin).0
    });
    let said = said(&page, &asked.said);
    let view = view.words();
    Ok(html(StatusCode::OK, &Tree { page, question, may_change, site, zones, said, after, now, view, state }))
}

/// What was done a moment ago, in words.
pub(crate) fn said(page: &Page, word: &str) -> Option<String> {
    let key = format!("said-{word}");
    page.language.knows(&key).then(|| page.say(&key).into_owned())
}

/// A line of the tree.
enum Row {
    Place(Place),
    Door(DoorView),
}

struct Place {
    id: u64,
    step: usize,
    name: String,
    kind: String,
    /// Doors that lead into it or anything in it.
    doors: usize,
    /// Those of them that somebody should look at.
    matters: usize,
    has_plan: bool,
    /// Whether something can lie in it.
    is_floor: bool,
    may_change: bool,
}

#[derive(Template)]
#[template(path = "site/tree_state.html")]
struct TreeState<'a> {
    page: &'a Page,
    now: i64,
    question: &'a str,
    /// A list for each building, and for the outside.
    trees: Vec<Vec<Row>>,
    found: usize,
}

/// The moving part of the page.
pub(crate) fn render(
    page: &Page,
    scene: &Scene,
    devices: &BTreeMap<String, Heard>,
    question: &str,
    now: i64,
) -> String {
    let mut walk = Walk { page, scene, devices, question: question.to_lowercase(), now, found: 0 };
    let roots: Vec<_> = scene.survey.areas_in(None).collect();
    let mut trees = Vec::new();
    for (id, area) in roots {
        if let Some(branch) = walk.branch(*id, area, 0, false) {
            trees.push(branch.rows);
        }
    }
    let found = walk.found;
    TreeState { page, now, question, trees, found }.render().unwrap_or_default()
}

/// An area and everything in it, drawn.
struct Branch {
    rows: Vec<Row>,
    doors: usize,
    matters: usize,
}

struct Walk<'a> {
    page: &'a Page,
    scene: &'a Scene,
    devices: &'a BTreeMap<String, Heard>,
    /// What is looked for, in small letters.
    question: String,
    now: i64,
    found: usize,
}

impl Walk<'_> {
    /// `None` where nothing in it is found. Areas do not lie within themselves: that is refused when they are put there.
    fn branch(&mut self, id: AreaId, area: &Area, step: usize, is_wanted: bool) -> Option<Branch> {
        let is_wanted = is_wanted || self.is_found(&area.label.name, &area.label.latin, &area.label.key);
        let mut branch = Branch { rows: Vec::new(), doors: 0, matters: 0 };
        let scene = self.scene;
        for (door, it) in scene.survey.doors.iter().filter(|(_, door)| door.inside == id) {
            if is_wanted || self.is_found(&it.label.name, &it.label.latin, &it.label.key) {
                let Some(view) = self.door(door.0, it) else { continue };
                branch.doors += 1;
                branch.matters += usize::from(view.level != Level::Normal);
                branch.rows.push(Row::Door(view));
                self.found += 1;
            }
        }
        for (inner, it) in scene.survey.areas_in(Some(id)).filter(|_| step < 64) {
            if let Some(inner) = self.branch(*inner, it, step + 1, is_wanted) {
                branch.doors += inner.doors;
                branch.matters += inner.matters;
                branch.rows.extend(inner.rows);
            }
        }
        if !is_wanted && branch.rows.is_empty() {
            return None;
        }
        let place = Place {
            id: id.0,
            step: step.min(STEPS),
            name: name_of(self.page, &scene.survey, Thing::Area(id)),
            kind: self.page.word("area-kind", area.kind.word()),
            doors: branch.doors,
            matters: branch.matters,
            has_plan: scene.plans.contains_key(&id),
            is_floor: area.kind == AreaKind::Floor,
            may_change: scene.sight.reach.in_area(id) >= Some(Role::Manager),
        };
        branch.rows.insert(0, Row::Place(place));
        Some(branch)
    }

    fn door(&self, id: u64, door: &Door) -> Option<DoorView> {
        let known = self.scene.directory.doors.get(&id)?;
        let mut view = door_view(self.page, known, self.devices.get(&known.controller), self.now);
        // It stands below where it leads to: what it comes from is what is not said yet.
        let from = name_of(self.page, &self.scene.survey, Thing::Area(door.outside));
        view.area = self.page.say_with("door-from", "area", from).into_owned();
        Some(view)
    }

    fn is_found(&self, name: &str, latin: &str, key: &str) -> bool {
        self.question.is_empty()
            || [name, latin, key].iter().any(|text| text.to_lowercase().contains(&self.question))
    }
}
