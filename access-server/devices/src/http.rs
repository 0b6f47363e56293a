//! Invitations and certificates, for administrators' programs of their own making; and the one door for devices.

use std::net::SocketAddr;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::auth::{Operator, Role};
use kit::routes::{Doc, Routes, Who};
use kit::{Kit, Problem};
use serde::{Deserialize, Serialize};
use uplink::enrol::{PATH, REQUEST_MAX, Request};
use uplink::wire;
use utoipa::ToSchema;

use crate::authority::Trust;
use crate::certificate::{self, RevokeError};
use crate::code::{self, CodeError, EnrolmentId};
use crate::enrol::{EnrolRefusal, redeem};
use crate::window::{self, Place};

const ADMINISTRATOR: Who = Who::AtLeast(Role::Administrator);
const MANAGER: Who = Who::AtLeast(Role::Manager);
const HOUR: i64 = 3_600_000_000;

/// The routes. Without `trust` no device is enrolled.
pub fn routes(trust: Option<Trust>) -> Routes<Kit> {
    let enrol = async move |state: State<Kit>, peer: ConnectInfo<SocketAddr>, body: Bytes| {
        enrol(trust.clone(), state, peer, body).await
    };
    let door = Routes::default()
        .post(PATH, Who::Anybody, enrol)
        .around(|routes| routes.layer(DefaultBodyLimit::max(REQUEST_MAX)));
    Routes::default()
        .get("/api/v1/enrolments", ADMINISTRATOR, list)
        .says(Doc::new("Invitations of devices, without their codes").answers::<Enrolments>())
        .post("/api/v1/enrolments", ADMINISTRATOR, invite)
        .says(
            Doc::new("Invites a device; its one-time code is shown this once")
                .takes::<Body>()
                .adds::<Made>()
                .refuses(409, &["too-many-codes", "no-authority"])
                .refuses(422, &["field"]),
        )
        .delete("/api/v1/enrolments/{id}", ADMINISTRATOR, withdraw)
        .says(Doc::new("Withdraws an invitation").refuses(404, &["not-found"]))
        .get("/api/v1/certificates", ADMINISTRATOR, certificates)
        .says(Doc::new("Certificates that the site issued").answers::<Certificates>())
        .post("/api/v1/certificates/{serial}/revoke", ADMINISTRATOR, revoke)
        .says(
            Doc::new("Revokes a certificate; broker and devices are told")
                .path::<Which>()
                .takes::<Reason>()
                .refuses(404, &["not-found"])
                .refuses(409, &["revoked", "in-use"])
                .refuses(422, &["field"]),
        )
        .post("/api/v1/controllers/{id}/install", MANAGER, open_window)
        .says(
            Doc::new("Lets boards that have no key yet be given theirs, for some minutes")
                .takes::<WindowBody>()
                .answers::<Outcome>()
                .refuses(409, &["command"])
                .refuses(422, &["field"])
                .refuses(503, &["unavailable"])
                .refuses(504, &["no-answer"]),
        )
        .post("/api/v1/controllers/{id}/install/close", MANAGER, close_windows)
        .says(
            Doc::new("Ends that")
                .takes::<PlaceBody>()
                .answers::<Outcome>()
                .refuses(409, &["command"])
                .refuses(503, &["unavailable"])
                .refuses(504, &["no-answer"]),
        )
        .merge(door)
}

/// Which boards, and for how long.
#[derive(Deserialize, ToSchema)]
#[schema(as = InstallWindow)]
#[serde(deny_unknown_fields)]
struct WindowBody {
    /// The bus's name.
    #[schema(max_length = 64)]
    bus: String,
    /// The board's OSDP address; without it every board of the bus.
    #[schema(maximum = 126)]
    address: Option<u8>,
    #[schema(minimum = 1, maximum = 10)]
    minutes: u8,
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// Which boards.
#[derive(Deserialize, ToSchema)]
#[schema(as = InstallPlace)]
#[serde(deny_unknown_fields)]
struct PlaceBody {
    /// The bus's name.
    #[schema(max_length = 64)]
    bus: String,
    /// The board's OSDP address; without it every board of the bus.
    #[schema(maximum = 126)]
    address: Option<u8>,
}

/// What the controller made of it.
#[derive(Serialize, ToSchema)]
#[schema(as = InstallOutcome)]
struct Outcome {
    /// When: UTC microseconds, by the controller's clock.
    at: i64,
}

async fn open_window(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<u64>,
    Json(body): Json<WindowBody>,
) -> Result<Json<Outcome>, Problem> {
    let place = Place { controller: id, bus: body.bus, address: body.address };
    let at = window::open(&kit, &operator, &place, body.minutes, &body.reason).await?;
    Ok(Json(Outcome { at }))
}

async fn close_windows(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<u64>,
    Json(body): Json<PlaceBody>,
) -> Result<Json<Outcome>, Problem> {
    let place = Place { controller: id, bus: body.bus, address: body.address };
    Ok(Json(Outcome { at: window::close(&kit, &operator, &place).await? }))
}

/// An invitation.
#[derive(Serialize, ToSchema)]
#[schema(as = Enrolment)]
struct Shown {
    id: i64,
    /// Who is invited, as `controller-7`.
    device: String,
    /// The operator who invited; absent for the command line.
    made_by: Option<i64>,
    made_at: i64,
    expires_at: i64,
    used_at: Option<i64>,
    withdrawn_at: Option<i64>,
}

#[derive(Serialize, ToSchema)]
struct Enrolments {
    items: Vec<Shown>,
}

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[schema(as = EnrolmentBody)]
#[serde(deny_unknown_fields)]
struct Body {
    /// `controller-` and a number that the site has, or `vision-` and a number.
    #[schema(max_length = 64)]
    device: String,
    /// How long the code is good: 24 unless said, 168 at most.
    #[schema(minimum = 1, maximum = 168)]
    hours: Option<u32>,
}

/// An invitation that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = EnrolmentMade)]
struct Made {
    id: i64,
    /// What is typed at the device. It is not kept here.
    code: String,
    expires_at: i64,
}

/// A certificate.
#[derive(Serialize, ToSchema)]
struct Certificate {
    /// In hexadecimal.
    serial: String,
    /// Whose it is.
    device: String,
    /// `found`, `enrolled` or `renewed`.
    why: &'static str,
    /// When it was issued, or found.
    known_at: i64,
    ends_at: i64,
    /// `good`, `ends-soon`, `ended` or `revoked`.
    standing: &'static str,
    revoked_at: Option<i64>,
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Certificates {
    items: Vec<Certificate>,
}

/// Which certificate.
#[derive(Deserialize, utoipa::IntoParams)]
struct Which {
    /// In hexadecimal, as the list has it.
    #[param(min_length = 2, max_length = 40, pattern = "^[0-9a-f]*$")]
    serial: String,
}

/// Why it is revoked.
#[derive(Deserialize, ToSchema)]
#[schema(as = RevocationReason)]
#[serde(deny_unknown_fields)]
struct Reason {
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

async fn enrol(
    trust: Option<Trust>,
    State(kit): State<Kit>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    body: Bytes,
) -> Result<Response, Problem> {
    let request: Request =
        wire::decode(&body).map_err(|_| Problem::malformed("the request is not understood"))?;
    let trust = trust.ok_or(EnrolRefusal::NoAuthority)?;
    let granted = redeem(&kit, &trust, &request, &peer.ip().to_string()).await?;
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, wire::encode(&granted)).into_response())
}

async fn list(State(kit): State<Kit>) -> Result<Json<Enrolments>, Problem> {
    let all = code::invitations(&mut *kit.read().acquire().await?).await?;
    let items = all.into_iter().map(|it| Shown {
        id: it.id.0,
        device: it.holder,
        made_by: it.by.map(|by| by.0),
        made_at: it.made_at,
        expires_at: it.expires_at,
        used_at: it.used_at,
        withdrawn_at: it.withdrawn_at,
    });
    Ok(Json(Enrolments { items: items.collect() }))
}

async fn invite(
    State(kit): State<Kit>,
    operator: Operator,
    Json(body): Json<Body>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let life = body.hours.map_or(code::USUAL, |hours| i64::from(hours) * HOUR);
    let mut tx = kit.begin().await?;
    let invited = code::invite(&mut tx, Some(operator.id), &body.device, life).await?;
    tx.commit().await?;
    let made = Made { id: invited.id.0, code: invited.code.show(), expires_at: invited.expires_at };
    Ok((StatusCode::CREATED, Json(made)))
}

async fn withdraw(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<StatusCode, CodeError> {
    let mut tx = kit.begin().await?;
    code::withdraw(&mut tx, Some(operator.id), EnrolmentId(id)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn certificates(State(kit): State<Kit>) -> Result<Json<Certificates>, Problem> {
    let now = kit.now();
    let all = certificate::certificates(&mut *kit.read().acquire().await?).await?;
    let items = all.into_iter().map(|it| Certificate {
        serial: it.number(),
        standing: it.standing(now).as_str(),
        why: it.why.as_str(),
        known_at: it.known_at,
        ends_at: it.ends_at,
        device: it.holder,
        revoked_at: it.revoked.as_ref().map(|(at, ..)| *at),
        reason: it.revoked.map(|(.., reason)| reason),
    });
    Ok(Json(Certificates { items: items.collect() }))
}

async fn revoke(
    State(kit): State<Kit>,
    operator: Operator,
    Path(which): Path<Which>,
    Json(body): Json<Reason>,
) -> Result<StatusCode, RevokeError> {
    let serial = certificate::serial(&which.serial).ok_or(RevokeError::Unknown)?;
    let mut tx = kit.begin().await?;
    certificate::revoke(&mut tx, Some(operator.id), &serial, &body.reason).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

impl IntoResponse for CodeError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

impl IntoResponse for RevokeError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
