//! Webhooks, for administrators' programs of their own making: people alone manage them, no token does.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use kit::auth::{Operator, Role};
use kit::routes::{Doc, Routes, Who};
use kit::{Kit, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, Type};

use crate::hook::{self, Begin, Draft, Hook, HookError, HookId, Pause};
use crate::topic::Topic;

const ADMINISTRATOR: Who = Who::AtLeast(Role::Administrator);

/// The routes.
pub fn routes() -> Routes<Kit> {
    Routes::default()
        .get("/api/v1/webhooks", ADMINISTRATOR, list)
        .says(Doc::new("Who is told what is journaled").answers::<Webhooks>())
        .post("/api/v1/webhooks", ADMINISTRATOR, add)
        .says(
            Doc::new("Makes a webhook, told what is journaled from now on; its secret is shown this once")
                .takes::<Body>()
                .adds::<Made>()
                .refuses(409, &["taken", "too-many-webhooks"])
                .refuses(422, &["field"]),
        )
        .put("/api/v1/webhooks/{id}", ADMINISTRATOR, change)
        .says(
            Doc::new("Changes a webhook")
                .takes::<Body>()
                .refuses(404, &["not-found"])
                .refuses(409, &["taken"])
                .refuses(422, &["field"]),
        )
        .delete("/api/v1/webhooks/{id}", ADMINISTRATOR, remove)
        .says(Doc::new("Ends a webhook").refuses(404, &["not-found"]))
        .get("/api/v1/webhooks/{id}/tries", ADMINISTRATOR, tries)
        .says(Doc::new("The last tries in vain, newest first").answers::<Tries>())
        .post("/api/v1/webhooks/{id}/test", ADMINISTRATOR, test)
        .says(
            Doc::new("Journals a record that is told, in its turn, whatever the topics")
                .refuses(404, &["not-found"]),
        )
        .post("/api/v1/webhooks/{id}/pause", ADMINISTRATOR, pause)
        .says(Doc::new("Holds a webhook up").refuses(404, &["not-found"]))
        .post("/api/v1/webhooks/{id}/resume", ADMINISTRATOR, resume)
        .says(
            Doc::new("Lets a webhook go on at once")
                .takes::<Resume>()
                .refuses(404, &["not-found"])
                .refuses(422, &["field"]),
        )
        .post("/api/v1/webhooks/{id}/secret", ADMINISTRATOR, renew)
        .says(
            Doc::new("Another secret, shown this once; the one before signs too for a day")
                .answers::<Renewed>()
                .refuses(404, &["not-found"]),
        )
}

/// A webhook, without its secret.
#[derive(Serialize, ToSchema)]
struct Webhook {
    id: i64,
    name: String,
    address: String,
    #[schema(schema_with = topics)]
    topics: Vec<&'static str>,
    /// The operator who made it.
    made_by: i64,
    made_at: i64,
    /// The last record of the journal that was told, or is not for it.
    told: u64,
    /// When something was last taken: UTC microseconds.
    told_at: Option<i64>,
    /// `by-operator` or `by-itself`, when nothing is told.
    paused: Option<&'static str>,
    /// Since when nothing was taken.
    failing_since: Option<i64>,
    /// Tries in vain since then.
    tries: u32,
    /// When it is tried again.
    next_at: Option<i64>,
}

#[derive(Serialize, ToSchema)]
struct Webhooks {
    items: Vec<Webhook>,
}

/// What is said of a webhook.
#[derive(Deserialize, ToSchema)]
#[schema(as = WebhookBody)]
#[serde(deny_unknown_fields)]
struct Body {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// `https://host/path`.
    #[schema(max_length = 500)]
    address: String,
    #[schema(schema_with = topics)]
    topics: Vec<String>,
}

/// A webhook that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookMade)]
struct Made {
    id: i64,
    /// `whsec_` and base64: what the receiver checks signatures with.
    secret: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WebhookSecret)]
struct Renewed {
    secret: String,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = WebhookResume)]
#[serde(deny_unknown_fields)]
struct Resume {
    /// Whether what was journaled while it was held up is told.
    missed: bool,
}

/// A try in vain.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTry)]
struct Try {
    at: i64,
    /// The record that was to be told.
    seq: u64,
    /// Microseconds.
    took: i64,
    /// The status of the answer, or `name`, `forbidden`, `connect`, `certificate`, `time`, `broken`.
    outcome: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTries)]
struct Tries {
    items: Vec<Try>,
}

fn topics() -> Array {
    let words = Topic::ALL.into_iter().map(|topic| serde_json::Value::from(topic.as_str()));
    let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build();
    ArrayBuilder::new().items(word).build()
}

impl From<Hook> for Webhook {
    fn from(hook: Hook) -> Self {
        Self {
            id: hook.id.0,
            name: hook.draft.name,
            address: hook.draft.address.as_str().to_owned(),
            topics: hook.draft.topics.iter().map(Topic::as_str).collect(),
            made_by: hook.made_by.0,
            made_at: hook.made_at,
            told: hook.told,
            told_at: hook.told_at,
            paused: hook.paused.map(Pause::as_str),
            failing_since: hook.failing.map(|it| it.since),
            tries: hook.failing.map_or(0, |it| it.tries),
            next_at: hook.failing.and_then(|it| it.next_at),
        }
    }
}

impl Body {
    fn draft(&self) -> Result<Draft, HookError> {
        let topics = self.topics.iter().map(|word| Topic::parse(word).ok_or(HookError::NoTopic));
        Draft::parse(&self.name, &self.address, &topics.collect::<Result<Vec<_>, _>>()?)
    }
}

async fn list(State(kit): State<Kit>) -> Result<Json<Webhooks>, Problem> {
    let items = hook::hooks(&kit).await?.into_iter().map(Webhook::from).collect();
    Ok(Json(Webhooks { items }))
}

async fn add(
    State(kit): State<Kit>,
    operator: Operator,
    Json(body): Json<Body>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let draft = body.draft()?;
    let mut tx = kit.begin().await?;
    let (id, secret) = hook::add(&mut tx, operator.id, &draft).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(Made { id: id.0, secret: secret.text() })))
}

async fn change(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
    Json(body): Json<Body>,
) -> Result<StatusCode, Problem> {
    let draft = body.draft()?;
    let mut tx = kit.begin().await?;
    hook::change(&mut tx, operator.id, HookId(id), &draft).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    let mut tx = kit.begin().await?;
    hook::remove(&mut tx, operator.id, HookId(id)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn tries(State(kit): State<Kit>, Path(id): Path<i64>) -> Result<Json<Tries>, Problem> {
    let rows = hook::tries(kit.read(), HookId(id)).await?.into_iter();
    let items = rows.map(|it| Try { at: it.at, seq: it.seq, took: it.took, outcome: it.outcome }).collect();
    Ok(Json(Tries { items }))
}

async fn test(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    let mut tx = kit.begin().await?;
    hook::test(&mut tx, operator.id, HookId(id)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn pause(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    let mut tx = kit.begin().await?;
    hook::pause(&mut tx, operator.id, HookId(id)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn resume(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
    Json(body): Json<Resume>,
) -> Result<StatusCode, Problem> {
    let begin = if body.missed { Begin::WhereItLeftOff } else { Begin::WithWhatComes };
    let mut tx = kit.begin().await?;
    hook::resume(&mut tx, operator.id, HookId(id), begin).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn renew(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<Json<Renewed>, Problem> {
    let mut tx = kit.begin().await?;
    let secret = hook::renew_secret(&mut tx, operator.id, HookId(id)).await?;
    tx.commit().await?;
    Ok(Json(Renewed { secret: secret.text() }))
}
