//! Doors and policy over HTTP, for programs. The console calls the functions themselves.

use std::path::Path;

use axum::Json;
use axum::extract::{Query, State};
use domain::policy::{DoorKind, Egress};
use kit::auth::{Operator, Role, Scope};
use kit::routes::{Doc, Routes, Who};
use kit::{Kit, Problem};
use people::word::{Word as _, schema};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::import::{Options, Photos, import_text};
use crate::place::AreaKind;
use crate::policy::{Published, publish, published_version};
use crate::{door, level, place, schedule};

const READ: Who = Who::Api(Role::Viewer, Scope::ReadSite);

/// The routes: lists to read, publishing, importing.
pub fn routes() -> Routes<Kit> {
    Routes::default()
        .get("/api/v1/areas", READ, areas)
        .says(Doc::new("The areas").answers::<Areas>())
        .get("/api/v1/doors", READ, doors)
        .says(Doc::new("The doors, lanes and barriers").answers::<Doors>())
        .get("/api/v1/schedules", READ, schedules)
        .says(Doc::new("The schedules").answers::<Schedules>())
        .get("/api/v1/levels", READ, levels)
        .says(Doc::new("Who may pass where and when").answers::<Levels>())
        .get("/api/v1/policy", READ, version)
        .says(Doc::new("Which policy is in force").answers::<Version>())
        .post("/api/v1/policy", Who::Api(Role::Manager, Scope::WriteSite), publish_now)
        .says(
            Doc::new("Puts in force what is on record; nothing happens where nothing changed")
                .answers::<Publication>()
                .refuses(409, &["policy-overtaken"])
                .refuses(422, &["policy-no-site", "policy-zone", "policy-faulty", "policy-large"]),
        )
        .post("/api/v1/import", Who::Api(Role::Administrator, Scope::WriteSite), import)
        .says(
            Doc::new("Imports a file, all of it or nothing; without its photographs")
                .query::<ImportQuery>()
                .takes_bytes(&["text/plain"])
                .answers::<Imported>()
                .refuses(422, &["import-wrong"]),
        )
        .merge(crate::firmware::routes())
}

/// An area.
#[derive(Serialize, ToSchema)]
struct Area {
    id: u64,
    key: String,
    name: String,
    latin: String,
    #[schema(schema_with = schema::<AreaKind>)]
    kind: &'static str,
    /// The area it lies in.
    r#in: Option<u64>,
}

/// Every area.
#[derive(Serialize, ToSchema)]
struct Areas {
    items: Vec<Area>,
}

async fn areas(State(kit): State<Kit>) -> Result<Json<Areas>, Problem> {
    let mut connection = kit.read().acquire().await?;
    let areas = place::areas(&mut connection).await?;
    let items = areas.into_iter().map(|(id, it)| Area {
        id: id.0,
        key: it.label.key,
        name: it.label.name,
        latin: it.label.latin,
        kind: it.kind.word(),
        r#in: it.parent.map(|parent| parent.0),
    });
    Ok(Json(Areas { items: items.collect() }))
}

/// A door, a lane or a barrier.
#[derive(Serialize, ToSchema)]
struct Door {
    id: u64,
    key: String,
    name: String,
    latin: String,
    controller: u64,
    /// The bus and the address of its board, where it has one.
    bus: Option<String>,
    address: Option<u8>,
    #[schema(schema_with = schema::<DoorKind>)]
    kind: &'static str,
    /// The area it is entered from.
    outside: u64,
    /// The area it leads to.
    inside: u64,
    /// Which ways lead out.
    #[schema(schema_with = schema::<Egress>)]
    egress: &'static str,
    /// How long it is released, in milliseconds.
    strike_ms: u64,
}

/// Every door.
#[derive(Serialize, ToSchema)]
struct Doors {
    items: Vec<Door>,
}

async fn doors(State(kit): State<Kit>) -> Result<Json<Doors>, Problem> {
    let mut connection = kit.read().acquire().await?;
    let doors = door::list(&mut connection).await?;
    let items = doors.into_iter().map(|(id, it)| {
        let (bus, address) = it.board.map(|board| (board.bus, board.address)).unzip();
        Door {
            id: id.0,
            key: it.label.key,
            name: it.label.name,
            latin: it.label.latin,
            controller: it.controller.0,
            bus,
            address,
            kind: it.kind.word(),
            outside: it.outside.0,
            inside: it.inside.0,
            egress: it.egress.word(),
            strike_ms: u64::try_from(it.strike.as_millis()).unwrap_or(u64::MAX),
        }
    });
    Ok(Json(Doors { items: items.collect() }))
}

/// A schedule.
#[derive(Serialize, ToSchema)]
struct Schedule {
    id: u64,
    key: String,
    name: String,
    latin: String,
    windows: Vec<Window>,
}

/// When a schedule applies.
#[derive(Serialize, ToSchema)]
struct Window {
    /// The kinds of days, a bit each: Monday to Sunday from the lowest, then the calendar's kinds.
    days: u16,
    /// Minutes of the day.
    from: u16,
    /// Where it is not after `from`, of the next day.
    until: u16,
}

/// Every schedule.
#[derive(Serialize, ToSchema)]
struct Schedules {
    items: Vec<Schedule>,
}

async fn schedules(State(kit): State<Kit>) -> Result<Json<Schedules>, Problem> {
    let mut connection = kit.read().acquire().await?;
    let schedules = schedule::list(&mut connection).await?;
    let items = schedules.into_iter().map(|(id, it)| {
        let windows = it.windows.iter().map(|window| Window {
            days: window.days.bits(),
            from: window.span.from(),
            until: window.span.until(),
        });
        Schedule {
            id: id.0,
            windows: windows.collect(),
            key: it.label.key,
            name: it.label.name,
            latin: it.label.latin,
        }
    });
    Ok(Json(Schedules { items: items.collect() }))
}

/// Who may pass where and when.
#[derive(Serialize, ToSchema)]
struct Level {
    id: u64,
    key: String,
    name: String,
    latin: String,
    /// Groups of people.
    groups: Vec<u64>,
    doors: Vec<u64>,
    door_groups: Vec<u64>,
    schedule: u64,
}

/// Every level.
#[derive(Serialize, ToSchema)]
struct Levels {
    items: Vec<Level>,
}

async fn levels(State(kit): State<Kit>) -> Result<Json<Levels>, Problem> {
    let mut connection = kit.read().acquire().await?;
    let levels = level::list(&mut connection).await?;
    let items = levels.into_iter().map(|(id, it)| Level {
        id: id.0,
        groups: it.groups.iter().map(|group| group.0).collect(),
        doors: it.doors.iter().map(|door| door.0).collect(),
        door_groups: it.door_groups,
        schedule: it.schedule.0,
        key: it.label.key,
        name: it.label.name,
        latin: it.label.latin,
    });
    Ok(Json(Levels { items: items.collect() }))
}

/// The policy in force.
#[derive(Serialize, ToSchema)]
#[schema(as = PolicyVersion)]
struct Version {
    /// 0 before the first.
    version: u64,
}

async fn version(State(kit): State<Kit>) -> Result<Json<Version>, Problem> {
    Ok(Json(Version { version: published_version(&kit).await?.0 }))
}

/// What a publication came to.
#[derive(Serialize, ToSchema)]
#[schema(as = PolicyPublication)]
struct Publication {
    version: u64,
    /// Whether it differs from the one before.
    new: bool,
}

async fn publish_now(State(kit): State<Kit>, manager: Operator) -> Result<Json<Publication>, Problem> {
    let (version, new) = match publish(&kit, Some(manager.id)).await? {
        Published::New(version) => (version, true),
        Published::Unchanged(version) => (version, false),
    };
    Ok(Json(Publication { version: version.0, new }))
}

#[derive(Deserialize, IntoParams)]
struct ImportQuery {
    /// Does all of it and keeps nothing.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    dry_run: bool,
}

/// What became of a file.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportReport)]
struct Imported {
    /// False for a dry run.
    kept: bool,
    /// What became of each thing in it.
    lines: Vec<String>,
}

/// The body is the file; photographs are enrolled one by one, not here.
async fn import(
    State(kit): State<Kit>,
    administrator: Operator,
    Query(query): Query<ImportQuery>,
    text: String,
) -> Result<Json<Imported>, Problem> {
    let options = Options { by: Some(administrator.id), dry_run: query.dry_run, photos: Photos::LeaveOut };
    let report = import_text(&kit, &text, Path::new(""), &options).await?;
    let lines = report.lines.iter().map(ToString::to_string).collect();
    Ok(Json(Imported { kept: report.kept, lines }))
}
