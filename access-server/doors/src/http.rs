//! Doors and policy over HTTP, for programs. The console calls the functions themselves.

mod area;
mod day;
mod door;
mod level;
mod schedule;
mod small;
mod things;

use std::path::Path;

use axum::Json;
use axum::extract::{Query, State};
use kit::auth::{Operator, Role, Scope};
use kit::routes::{Doc, Routes, Who};
use kit::{Kit, Problem};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::import::{Options, Photos, import_text};
use crate::policy::{Published, publish, published_version};

const READ: Who = Who::Api(Role::Viewer, Scope::ReadSite);
const WRITE: Who = Who::Api(Role::Manager, Scope::WriteSite);

/// The routes: the things of the site, publishing, importing.
pub fn routes() -> Routes<Kit> {
    Routes::default()
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
        .merge(things::routes())
        .merge(crate::firmware::routes())
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
