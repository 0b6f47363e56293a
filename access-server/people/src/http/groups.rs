//! Groups of people.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use kit::auth::Operator;
use kit::routes::Once;
use kit::{Kit, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Added;
use crate::group::{self, GroupName};

/// A group of people.
#[derive(Serialize, ToSchema)]
#[schema(as = Group)]
pub(super) struct Shown {
    id: u64,
    key: String,
    name: String,
    latin: String,
    /// How many people are in it.
    members: u64,
}

/// Every group, by number.
#[derive(Serialize, ToSchema)]
pub(super) struct Groups {
    items: Vec<Shown>,
}

/// What a group is called.
#[derive(Deserialize, ToSchema)]
#[schema(as = GroupBody)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    key: String,
    #[schema(min_length = 1)]
    name: String,
    #[serde(default)]
    latin: String,
}

pub(super) async fn list(State(kit): State<Kit>) -> Result<Json<Groups>, Problem> {
    let items = group::list(&kit).await?.into_iter().map(|it| Shown {
        id: it.id.0,
        key: it.name.key,
        name: it.name.name,
        latin: it.name.latin,
        members: it.members,
    });
    Ok(Json(Groups { items: items.collect() }))
}

pub(super) async fn add(
    State(kit): State<Kit>,
    manager: Operator,
    once: Once,
    Json(Body { key, name, latin }): Json<Body>,
) -> Result<impl IntoResponse, Problem> {
    let mut tx = kit.begin().await?;
    let id = group::add(&mut tx, Some(manager.id), &GroupName { key, name, latin }).await?;
    once.commit(tx, Added { id: id.0 }).await
}
