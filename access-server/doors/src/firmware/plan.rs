//! Plans: which boards are to run an image, and from when to when they may start anew.

use domain::ids::{ControllerId, DoorId};
use kit::Tx;
use kit::auth::OperatorId;
use people::word::Word as _;
use people::words;
use serde_json::json;
use sqlx::AnyConnection;

use super::image::{ImageId, images};
use super::sync::changed;
use crate::door;
use crate::error::DoorsError;
use crate::label::row_id;

/// Boards of one plan at most.
pub const BOARDS_MAX: usize = 128;
/// Plans that run at once at most: a controller keeps so many images.
pub const RUNNING_MAX: usize = 4;
/// Plans that are shown.
const SHOWN: i64 = 20;

/// A plan's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanId(pub i64);

/// A plan to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPlan {
    /// What the boards are to run.
    pub image: ImageId,
    /// Doors whose boards come first, alone.
    pub first: Vec<DoorId>,
    /// Doors whose boards follow when all of those are good.
    pub then: Vec<DoorId>,
    /// Boards start anew from then on: UTC, microseconds.
    pub starts_at: i64,
    /// Until then.
    pub ends_at: i64,
    /// Also while a door stands open.
    pub even_if_open: bool,
}

/// A plan on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its number.
    pub id: PlanId,
    /// What the boards are to run.
    pub image: ImageId,
    /// See [`NewPlan::starts_at`].
    pub starts_at: i64,
    /// See [`NewPlan::ends_at`].
    pub ends_at: i64,
    /// How far it is.
    pub state: PlanState,
    /// Its boards, the first ones first.
    pub orders: Vec<Order>,
}

/// A board of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its controller.
    pub controller: ControllerId,
    /// The bus's name.
    pub bus: String,
    /// Its address there.
    pub address: u8,
    /// Whether it is one of the first.
    pub is_first: bool,
    /// How far it is.
    pub state: OrderState,
}

/// How far a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlanState {
    /// Its boards are being updated, or wait for that.
    Running,
    /// It was ended, by somebody or because a board did not take or did not keep its version.
    Stopped,
    /// All its boards run the version.
    Done,
}

words!(PlanState { Running = "running", Stopped = "stopped", Done = "done" });

/// How far a board of a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderState {
    /// Its turn is to come, or its controller has it.
    Ordered,
    /// It has the image.
    Ready,
    /// It tries the version.
    Trial,
    /// It runs it.
    Good,
    /// It went back to the one before.
    Returned,
    /// It did not take the image.
    Refused,
}

words!(OrderState {
    Ordered = "ordered",
    Ready = "ready",
    Trial = "trial",
    Good = "good",
    Returned = "returned",
    Refused = "refused",
});

kit::statements! {
    ADD_PLAN = "INSERT INTO firmware_plan (image, starts_at, ends_at, even_if_open, state, made_at) VALUES ($1, $2, $3, $4, 'running', $5) RETURNING id";
    ADD_ORDER = "INSERT INTO firmware_order (plan, controller, bus, address, wave, state) VALUES ($1, $2, $3, $4, $5, 'ordered')";
    STOP = "UPDATE firmware_plan SET state = 'stopped' WHERE id = $1 AND state = 'running'";
    BUSY = "SELECT o.controller, o.bus, o.address FROM firmware_order o JOIN firmware_plan p ON p.id = o.plan WHERE p.state = 'running'";
    RUNNING = "SELECT COUNT(*) FROM firmware_plan WHERE state = 'running'";
    PLANS = "SELECT id, image, starts_at, ends_at, state FROM firmware_plan ORDER BY id DESC LIMIT $1";
    ORDERS = "SELECT controller, bus, address, wave, state FROM firmware_order WHERE plan = $1 ORDER BY wave, controller, bus, address";
}

/// Makes a plan; controllers begin at once to send the image to the first boards.
///
/// # Errors
/// When the image is not there or not for such doors, a door has no board or one that another plan has, a time is not right, or
/// there is too much of something.
pub async fn add_plan(tx: &mut Tx, by: Option<OperatorId>, plan: &NewPlan) -> Result<PlanId, DoorsError> {
    let known = images(tx).await?;
    let image = known
        .iter()
        .find(|image| image.id == plan.image)
        .ok_or(DoorsError::field("image", "there is none"))?;
    if plan.ends_at <= plan.starts_at || plan.ends_at <= tx.now() {
        return Err(DoorsError::field("ends_at", "it is over before it begins"));
    }
    let wanted = plan.first.iter().map(|door| (0, *door)).chain(plan.then.iter().map(|door| (1, *door)));
    let wanted: Vec<(i64, DoorId)> = wanted.collect();
    if wanted.is_empty() || wanted.len() > BOARDS_MAX {
        return Err(DoorsError::field("doors", format!("1 to {BOARDS_MAX} doors")));
    }
    let (running,): (i64,) = sqlx::query_as(RUNNING).fetch_one(&mut **tx).await?;
    if usize::try_from(running).is_ok_and(|running| running >= RUNNING_MAX) {
        return Err(DoorsError::field(
            "image",
            format!("{RUNNING_MAX} plans run already: stop one, or wait"),
        ));
    }
    let busy: Vec<(i64, String, i64)> = sqlx::query_as(BUSY).fetch_all(&mut **tx).await?;
    let doors = door::list(tx).await?;
    let mut boards = Vec::new();
    for (wave, id) in wanted {
        let (_, door) = doors
            .iter()
            .find(|(known, _)| *known == id)
            .ok_or(DoorsError::field("doors", format!("there is no door {}", id.0)))?;
        let name = &door.label.name;
        if door.kind != image.kind {
            return Err(DoorsError::field(
                "doors",
                format!("{name}: the image is for another kind of board"),
            ));
        }
        let board = door.board.as_ref().ok_or(DoorsError::field("doors", format!("{name} has no board")))?;
        let board = (row_id(door.controller.0), board.bus.clone(), i64::from(board.address));
        if busy.contains(&board) || boards.iter().any(|(_, other)| *other == board) {
            return Err(DoorsError::field("doors", format!("{name}: a plan has its board already")));
        }
        boards.push((wave, board));
    }
    let (id,): (i64,) = sqlx::query_as(ADD_PLAN)
        .bind(plan.image.0)
        .bind(plan.starts_at)
        .bind(plan.ends_at)
        .bind(i64::from(plan.even_if_open))
        .bind(tx.now())
        .fetch_one(&mut **tx)
        .await?;
    let count = boards.len();
    for (wave, (controller, bus, address)) in boards {
        sqlx::query(ADD_ORDER)
            .bind(id)
            .bind(controller)
            .bind(bus)
            .bind(address)
            .bind(wave)
            .execute(&mut **tx)
            .await?;
    }
    let body = json!({ "plan": id, "image": plan.image.0, "boards": count, "by": by.map(|by| by.0) });
    tx.record("firmware.planned", &body).await?;
    changed(tx).await?;
    Ok(PlanId(id))
}

/// Ends a plan. What boards have begun to try they try to its end.
///
/// # Errors
/// When no such plan runs.
pub async fn stop_plan(tx: &mut Tx, by: Option<OperatorId>, plan: PlanId) -> Result<(), DoorsError> {
    if sqlx::query(STOP).bind(plan.0).execute(&mut **tx).await?.rows_affected() == 0 {
        return Err(DoorsError::Unknown("plan that runs"));
    }
    tx.record("firmware.stopped", &json!({ "plan": plan.0, "by": by.map(|by| by.0) })).await?;
    Ok(changed(tx).await?)
}

/// The last plans, newest first, with their boards.
///
/// # Errors
/// When the database fails.
pub async fn plans(connection: &mut AnyConnection) -> Result<Vec<Plan>, sqlx::Error> {
    let rows: Vec<(i64, i64, i64, i64, String)> =
        sqlx::query_as(PLANS).bind(SHOWN).fetch_all(&mut *connection).await?;
    let mut plans = Vec::new();
    for (id, image, starts_at, ends_at, state) in rows {
        let orders: Vec<(i64, String, i64, i64, String)> =
            sqlx::query_as(ORDERS).bind(id).fetch_all(&mut *connection).await?;
        let orders = orders.into_iter().map(|(controller, bus, address, wave, state)| {
            let unknown = || sqlx::Error::Decode(format!("firmware_order.state: {state}").into());
            Ok(Order {
                controller: ControllerId(controller.cast_unsigned()),
                bus,
                address: u8::try_from(address).map_err(|error| sqlx::Error::Decode(error.into()))?,
                is_first: wave == 0,
                state: OrderState::parse(&state).ok_or_else(unknown)?,
            })
        });
        let unknown = || sqlx::Error::Decode(format!("firmware_plan.state: {state}").into());
        plans.push(Plan {
            id: PlanId(id),
            image: ImageId(image),
            starts_at,
            ends_at,
            state: PlanState::parse(&state).ok_or_else(unknown)?,
            orders: orders.collect::<Result<_, sqlx::Error>>()?,
        });
    }
    Ok(plans)
}
