//! Firmware over HTTP, for programs.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use domain::ids::DoorId;
use domain::policy::DoorKind;
use kit::auth::{Operator, Role, Scope};
use kit::routes::{Doc, Once, Routes, Who};
use kit::{Kit, Problem};
use people::word::{Word as _, schema};
use serde::{Deserialize, Serialize};
use uplink::sync::firmware::FILE_MAX;
use utoipa::ToSchema;

use super::{
    ImageId, NewPlan, OrderState, PlanId, PlanState, add_image, add_key, add_plan, images, keys, plans,
    remove_image, remove_key, stop_plan,
};

const READ: Who = Who::Api(Role::Viewer, Scope::ReadSite);
const WRITE: Who = Who::Api(Role::Administrator, Scope::WriteSite);
/// Room for a file, and a little more so that one too long is told so.
const BODY_MAX: usize = FILE_MAX as usize + 1024;

/// The routes: keys, images, plans.
pub fn routes() -> Routes<Kit> {
    Routes::default()
        .get("/api/v1/firmware", READ, all)
        .says(Doc::new("Keys, images and plans of firmware for boards").answers::<Firmware>())
        .post("/api/v1/firmware/keys", WRITE, put_key)
        .says(
            Doc::new("Trusts a key of the maker").takes::<KeyBody>().adds::<Added>().refuses(422, &["field"]),
        )
        .delete("/api/v1/firmware/keys/{id}", WRITE, end_key)
        .says(Doc::new("Trusts a key no more").refuses(404, &["not-found"]))
        .post("/api/v1/firmware/images", WRITE, put_image)
        .says(
            Doc::new("Takes an image that a key has signed")
                .takes_bytes(&["application/octet-stream"])
                .adds::<Added>()
                .refuses(422, &["field"]),
        )
        .delete("/api/v1/firmware/images/{id}", WRITE, end_image)
        .says(
            Doc::new("Removes an image that no plan names")
                .refuses(404, &["not-found"])
                .refuses(409, &["in-use"]),
        )
        .post("/api/v1/firmware/plans", WRITE, put_plan)
        .says(
            Doc::new("Plans which boards are to run an image")
                .takes::<PlanBody>()
                .adds::<Added>()
                .refuses(422, &["field"]),
        )
        .delete("/api/v1/firmware/plans/{id}", WRITE, end_plan)
        .says(Doc::new("Stops a plan that runs").refuses(404, &["not-found"]))
        .around(|routes| routes.layer(DefaultBodyLimit::max(BODY_MAX)))
}

/// What was added.
#[derive(Serialize, ToSchema)]
#[schema(as = FirmwareAdded)]
struct Added {
    id: i64,
}

/// Keys, images and plans.
#[derive(Serialize, ToSchema)]
struct Firmware {
    keys: Vec<KeyShown>,
    images: Vec<ImageShown>,
    /// The last ones, newest first.
    plans: Vec<PlanShown>,
}

/// A key of the maker.
#[derive(Serialize, ToSchema)]
#[schema(as = FirmwareKey)]
struct KeyShown {
    id: i64,
    public: String,
    added_at: i64,
}

/// An image.
#[derive(Serialize, ToSchema)]
#[schema(as = FirmwareImage)]
struct ImageShown {
    id: i64,
    #[schema(schema_with = schema::<DoorKind>)]
    kind: &'static str,
    target: String,
    /// As 1.2.3.
    version: String,
    security: u32,
    words: String,
    added_at: i64,
}

/// A plan.
#[derive(Serialize, ToSchema)]
#[schema(as = FirmwarePlan)]
struct PlanShown {
    id: i64,
    image: i64,
    starts_at: i64,
    ends_at: i64,
    #[schema(schema_with = schema::<PlanState>)]
    state: &'static str,
    boards: Vec<OrderShown>,
}

/// A board of a plan.
#[derive(Serialize, ToSchema)]
#[schema(as = FirmwareOrder)]
struct OrderShown {
    controller: u64,
    bus: String,
    address: u8,
    /// Whether it is one of those that come first, alone.
    first: bool,
    #[schema(schema_with = schema::<OrderState>)]
    state: &'static str,
}

async fn all(State(kit): State<Kit>) -> Result<Json<Firmware>, Problem> {
    let mut connection = kit.read().acquire().await?;
    let keys = keys(&mut connection).await?.into_iter().map(|key| KeyShown {
        id: key.id,
        public: key.public,
        added_at: key.added_at,
    });
    let images = images(&mut connection).await?.into_iter().map(|image| ImageShown {
        id: image.id.0,
        kind: image.kind.word(),
        target: image.target,
        version: image.firmware.map(|part| part.to_string()).join("."),
        security: image.security,
        words: image.words,
        added_at: image.added_at,
    });
    let (keys, images) = (keys.collect(), images.collect());
    let plans = plans(&mut connection).await?.into_iter().map(|plan| PlanShown {
        id: plan.id.0,
        image: plan.image.0,
        starts_at: plan.starts_at,
        ends_at: plan.ends_at,
        state: plan.state.word(),
        boards: plan
            .orders
            .into_iter()
            .map(|order| OrderShown {
                controller: order.controller.0,
                bus: order.bus,
                address: order.address,
                first: order.is_first,
                state: order.state.word(),
            })
            .collect(),
    });
    Ok(Json(Firmware { keys, images, plans: plans.collect() }))
}

/// A key to be trusted.
#[derive(Deserialize, ToSchema)]
#[schema(as = FirmwareKeyBody)]
#[serde(deny_unknown_fields)]
struct KeyBody {
    /// An ed25519 public key.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    public: String,
}

async fn put_key(
    State(kit): State<Kit>,
    administrator: Operator,
    once: Once,
    Json(body): Json<KeyBody>,
) -> Result<impl IntoResponse, Problem> {
    let mut tx = kit.begin().await?;
    let id = add_key(&mut tx, Some(administrator.id), &body.public).await?;
    once.commit(tx, Added { id }).await
}

async fn end_key(
    State(kit): State<Kit>,
    administrator: Operator,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    let mut tx = kit.begin().await?;
    remove_key(&mut tx, Some(administrator.id), id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn put_image(
    State(kit): State<Kit>,
    administrator: Operator,
    once: Once,
    file: Bytes,
) -> Result<impl IntoResponse, Problem> {
    let mut tx = kit.begin().await?;
    let id = add_image(&mut tx, Some(administrator.id), &file).await?;
    once.commit(tx, Added { id: id.0 }).await
}

async fn end_image(
    State(kit): State<Kit>,
    administrator: Operator,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    let mut tx = kit.begin().await?;
    remove_image(&mut tx, Some(administrator.id), ImageId(id)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A plan to be made. Times are UTC microseconds.
#[derive(Deserialize, ToSchema)]
#[schema(as = FirmwarePlanBody)]
#[serde(deny_unknown_fields)]
struct PlanBody {
    image: i64,
    /// Doors whose boards come first, alone.
    #[serde(default)]
    #[schema(max_items = 128)]
    first: Vec<u64>,
    /// Doors whose boards follow when all of those are good.
    #[serde(default)]
    #[schema(max_items = 128)]
    then: Vec<u64>,
    /// Boards start anew from then on.
    starts_at: i64,
    /// Until then.
    ends_at: i64,
    /// Also while a door stands open. Never while anything is released.
    #[serde(default)]
    even_if_open: bool,
}

async fn put_plan(
    State(kit): State<Kit>,
    administrator: Operator,
    once: Once,
    Json(body): Json<PlanBody>,
) -> Result<impl IntoResponse, Problem> {
    let plan = NewPlan {
        image: ImageId(body.image),
        first: body.first.into_iter().map(DoorId).collect(),
        then: body.then.into_iter().map(DoorId).collect(),
        starts_at: body.starts_at,
        ends_at: body.ends_at,
        even_if_open: body.even_if_open,
    };
    let mut tx = kit.begin().await?;
    let id = add_plan(&mut tx, Some(administrator.id), &plan).await?;
    once.commit(tx, Added { id: id.0 }).await
}

async fn end_plan(
    State(kit): State<Kit>,
    administrator: Operator,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    let mut tx = kit.begin().await?;
    stop_plan(&mut tx, Some(administrator.id), PlanId(id)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
