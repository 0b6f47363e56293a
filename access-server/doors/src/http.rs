//! Doors and policy over HTTP, for programs. The console calls the functions themselves.

use std::path::Path;

use axum::Json;
use axum::extract::{Query, State};
use kit::auth::{Operator, Role};
use kit::{Kit, Problem, Routes, Who};
use people::word::Word;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::import::{Options, Photos, import_text};
use crate::policy::{Published, publish, published_version};
use crate::{door, level, place, schedule};

const VIEWER: Who = Who::AtLeast(Role::Viewer);

/// The routes: lists to read, publishing, importing.
pub fn routes() -> Routes<Kit> {
    Routes::default()
        .get("/api/v1/areas", VIEWER, areas)
        .get("/api/v1/doors", VIEWER, doors)
        .get("/api/v1/schedules", VIEWER, schedules)
        .get("/api/v1/levels", VIEWER, levels)
        .get("/api/v1/policy", VIEWER, version)
        .post("/api/v1/policy", Who::AtLeast(Role::Manager), publish_now)
        .post("/api/v1/import", Who::AtLeast(Role::Administrator), import)
}

async fn areas(State(kit): State<Kit>) -> Result<Json<Value>, Problem> {
    let mut connection = kit.read().acquire().await?;
    let areas = place::areas(&mut connection).await?;
    let areas = areas.into_iter().map(|(id, it)| {
        json!({ "id": id.0, "key": it.label.key, "name": it.label.name, "latin": it.label.latin, "kind": it.kind.word(),
            "in": it.parent.map(|parent| parent.0) })
    });
    Ok(Json(areas.collect()))
}

async fn doors(State(kit): State<Kit>) -> Result<Json<Value>, Problem> {
    let mut connection = kit.read().acquire().await?;
    let doors = door::list(&mut connection).await?;
    let doors = doors.into_iter().map(|(id, it)| {
        json!({ "id": id.0, "key": it.label.key, "name": it.label.name, "latin": it.label.latin,
            "controller": it.controller.0, "bus": it.board.as_ref().map(|board| board.bus.as_str()),
            "address": it.board.as_ref().map(|board| board.address), "kind": it.kind.word(), "outside": it.outside.0,
            "inside": it.inside.0, "egress": it.egress.word(), "strike_ms": it.strike.as_millis() as u64 })
    });
    Ok(Json(doors.collect()))
}

async fn schedules(State(kit): State<Kit>) -> Result<Json<Value>, Problem> {
    let mut connection = kit.read().acquire().await?;
    let schedules = schedule::list(&mut connection).await?;
    let schedules = schedules.into_iter().map(|(id, it)| {
        let windows: Vec<Value> = it
            .windows
            .iter()
            .map(|window| json!([window.days.bits(), window.span.from(), window.span.until()]))
            .collect();
        json!({ "id": id.0, "key": it.label.key, "name": it.label.name, "latin": it.label.latin, "windows": windows })
    });
    Ok(Json(schedules.collect()))
}

async fn levels(State(kit): State<Kit>) -> Result<Json<Value>, Problem> {
    let mut connection = kit.read().acquire().await?;
    let levels = level::list(&mut connection).await?;
    let levels = levels.into_iter().map(|(id, it)| {
        json!({ "id": id.0, "key": it.label.key, "name": it.label.name, "latin": it.label.latin,
            "groups": it.groups.iter().map(|group| group.0).collect::<Vec<_>>(),
            "doors": it.doors.iter().map(|door| door.0).collect::<Vec<_>>(), "door_groups": it.door_groups,
            "schedule": it.schedule.0 })
    });
    Ok(Json(levels.collect()))
}

async fn version(State(kit): State<Kit>) -> Result<Json<Value>, Problem> {
    Ok(Json(json!({ "version": published_version(&kit).await?.0 })))
}

async fn publish_now(State(kit): State<Kit>, manager: Operator) -> Result<Json<Value>, Problem> {
    let (version, new) = match publish(&kit, Some(manager.id)).await? {
        Published::New(version) => (version, true),
        Published::Unchanged(version) => (version, false),
    };
    Ok(Json(json!({ "version": version.0, "new": new })))
}

#[derive(Deserialize)]
struct ImportQuery {
    #[serde(default)]
    dry_run: bool,
}

/// The body is the file; photographs are enrolled one by one, not here.
async fn import(
    State(kit): State<Kit>,
    administrator: Operator,
    Query(query): Query<ImportQuery>,
    text: String,
) -> Result<Json<Value>, Problem> {
    let options = Options { by: Some(administrator.id), dry_run: query.dry_run, photos: Photos::LeaveOut };
    let report = import_text(&kit, &text, Path::new(""), &options).await?;
    let lines: Vec<String> = report.lines.iter().map(ToString::to_string).collect();
    Ok(Json(json!({ "kept": report.kept, "lines": lines })))
}
