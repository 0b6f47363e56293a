//! The editor of a plan: its picture, and where doors stand. Without a script places are typed as percentages; with it
//! doors are dragged, or moved with the arrow keys.

use askama::Template;
use axum::Form as Sent;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use domain::ids::{AreaId, DoorId};
use doors::DoorsError;
use doors::place::AreaKind;
use doors::plan::{self, PARTS, Point};
use doors::survey::Thing;
use kit::auth::{Operator, Role};
use kit::problem::Problem;

use super::{Sheet, way};
use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};
use crate::routes::{elsewhere, must_be};
use crate::sheet::name_of;
use crate::sight::Sight;
use crate::view::{Scene, View};

/// Why an upload is none, as the script is told.
const REFUSALS: [&str; 7] = [
    "plan-too-large",
    "plan-too-many-pixels",
    "plan-too-small",
    "plan-unknown",
    "plan-damaged",
    "plan-too-deep",
    "unavailable",
];

#[derive(Template)]
#[template(path = "plan/edit.html")]
struct Editor {
    page: Page,
    id: u64,
    name: String,
    sheet: Option<Sheet>,
    doors: Vec<Placed>,
    refusals: Vec<(&'static str, String)>,
    fault: Option<String>,
}

/// A door, and where it stands as it is typed: percentages, empty for nowhere.
struct Placed {
    id: u64,
    name: String,
    x: String,
    y: String,
    /// In the plan's units; nowhere for one that stands nowhere, or for what cannot be read.
    at: Option<(f64, f64)>,
    is_wrong: bool,
}

impl Editor {
    fn title(&self) -> String {
        self.page.say_with("plan-edit-title", "floor", self.name.clone()).into_owned()
    }
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(floor): Path<u64>,
) -> Result<Response, Problem> {
    in_reach(&console, &operator, floor).await?;
    let page = console.page(&headers, Some(operator)).at("site");
    let editor = editor(&console, page, AreaId(floor), None).await?;
    Ok(html(StatusCode::OK, &editor))
}

/// Says where every door stands; what was typed stays when a place is none.
pub(super) async fn stand(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(floor): Path<u64>,
    Sent(fields): Sent<Fields>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let sight = in_reach(&console, &operator, floor).await?;
    let page = console.page(&headers, Some(operator)).at("site");
    let mut doors = Vec::new();
    let mut is_wrong = false;
    for door in fields.numbers("door").into_iter().take(plan::DOORS_MAX + 1) {
        let typed = [format!("x-{door}"), format!("y-{door}")].map(|name| fields.get(&name).to_owned());
        match read(&typed) {
            Ok(None) => {}
            Ok(Some(point)) => doors.push((DoorId(door), point)),
            Err(()) => is_wrong = true,
        }
    }
    if is_wrong {
        let editor = editor(&console, page, AreaId(floor), Some(&fields)).await?;
        return Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &editor));
    }
    if doors.iter().any(|(door, _)| !sight.sees_door(door.0)) {
        return Err(elsewhere(Role::Manager));
    }
    let mut tx = console.kit.begin().await?;
    plan::stand(&mut tx, Some(by), AreaId(floor), &doors).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/plan/{floor}?said=saved")).into_response())
}

pub(super) async fn put_picture(
    State(console): State<Console>,
    operator: Operator,
    Path(floor): Path<u64>,
    upload: Bytes,
) -> Result<StatusCode, Problem> {
    in_reach(&console, &operator, floor).await?;
    let picture = plan::rewrite(upload.to_vec()).await?;
    let mut tx = console.kit.begin().await?;
    plan::put(&mut tx, Some(operator.id), AreaId(floor), &picture).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(
    State(console): State<Console>,
    operator: Operator,
    Path(floor): Path<u64>,
) -> Result<Response, Problem> {
    in_reach(&console, &operator, floor).await?;
    let mut tx = console.kit.begin().await?;
    plan::remove(&mut tx, Some(operator.id), AreaId(floor)).await?;
    tx.commit().await?;
    Ok(Redirect::to("/site?said=removed").into_response())
}

/// Refuses whoever may not change the floor.
async fn in_reach(console: &Console, operator: &Operator, floor: u64) -> Result<Sight, Problem> {
    let sight = Sight::load(&console.kit, &operator.ranks).await?;
    must_be(sight.reach.in_area(AreaId(floor)), Role::Manager)?;
    Ok(sight)
}

async fn editor(
    console: &Console,
    page: Page,
    floor: AreaId,
    typed: Option<&Fields>,
) -> Result<Editor, Problem> {
    let scene = Scene::load(&console.kit, page.language, &View::Plan(floor), &[], page.ranks()?).await?;
    let is_floor = scene.survey.area(floor).is_some_and(|area| area.kind == AreaKind::Floor);
    if !is_floor {
        return Err(DoorsError::Unknown("floor").into());
    }
    let sheet = scene.plans.get(&floor).map(|plan| Sheet::new(floor, plan));
    let percent = |part: u16| format!("{:.2}", f64::from(part) * 100.0 / f64::from(PARTS));
    let stands = |id: DoorId| scene.standing.iter().find(|(own, _)| *own == id).map(|(_, point)| *point);
    let place = |id: DoorId| {
        let [x, y] = match typed {
            Some(fields) => ["x", "y"].map(|side| fields.get(&format!("{side}-{id}")).to_owned()),
            None => stands(id).map_or_else(Default::default, |point| [percent(point.x), percent(point.y)]),
        };
        let read = read(&[x.clone(), y.clone()]);
        let at = read.ok().flatten().zip(sheet.as_ref()).map(|(point, sheet)| sheet.at(point));
        let name = name_of(&page, &scene.survey, Thing::Door(id));
        Placed { id: id.0, name, x, y, at, is_wrong: read.is_err() }
    };
    let doors: Vec<_> = scene.survey.doors_of_floor(floor).map(|(id, _)| place(*id)).collect();
    let is_wrong = doors.iter().any(|door| door.is_wrong);
    Ok(Editor {
        id: floor.0,
        name: way(&page, &scene, floor),
        sheet,
        doors,
        refusals: REFUSALS.map(|code| (code, page.say(&format!("refused-{code}")).into_owned())).to_vec(),
        fault: is_wrong.then(|| page.say("fault-plan-place").into_owned()),
        page,
    })
}

/// A place as it is typed: both percentages, or neither.
fn read([x, y]: &[String; 2]) -> Result<Option<Point>, ()> {
    if x.is_empty() && y.is_empty() {
        return Ok(None);
    }
    let part = |text: &str| {
        let percent: f64 = text.trim().trim_end_matches('%').parse().map_err(|_| ())?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(());
        }
        Ok((percent * f64::from(PARTS) / 100.0).round() as u16)
    };
    Ok(Some(Point { x: part(x)?, y: part(y)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_two_percentages_or_none() {
        let read = |x: &str, y: &str| read(&[x.to_owned(), y.to_owned()]);
        assert_eq!(read("", ""), Ok(None));
        assert_eq!(read("12.34", "100%"), Ok(Some(Point { x: 1234, y: 10_000 })));
        for (x, y) in [("1", ""), ("-1", "5"), ("NaN", "5"), ("101", "5"), ("a", "b")] {
            assert_eq!(read(x, y), Err(()), "{x} {y}");
        }
    }
}
