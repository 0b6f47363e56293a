//! Whether all is well: one page for a supervisor, one for Prometheus. Both tell counts and nothing else.

use std::fmt::Write as _;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use kit::ingest::Ingest;
use kit::trouble::Trouble;
use kit::{Kit, Routes, Who};
use serde_json::json;

use crate::connections::Places;
use crate::mqtt::Token;

/// A device that has been silent for longer, in microseconds, is not there.
const SILENT_AFTER: i64 = 5_000_000;

/// Both, for whoever asks.
pub(crate) fn routes(ingest: Ingest<Token>, places: Places) -> Routes<Kit> {
    let metrics = async move |State(kit): State<Kit>| metrics(&kit, &ingest, &places);
    Routes::default().get("/health", Who::Anybody, health).get("/metrics", Who::Anybody, metrics)
}

/// 200 when events are taken, 503 when not, with what is wrong and since when.
async fn health(State(kit): State<Kit>) -> impl IntoResponse {
    let standing = kit.troubles().standing();
    let failing = [Trouble::DiskFull, Trouble::DatabaseAway, Trouble::DiskBroken];
    let well = !failing.iter().any(|trouble| standing.contains_key(trouble));
    let troubles: Vec<_> = standing
        .iter()
        .map(|(trouble, since)| json!({ "trouble": trouble.as_str(), "since": since }))
        .collect();
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "takes_events": well, "broker": kit.link().is_up(), "troubles": troubles })))
}

/// What there is in the field, as it was last heard; what a silent device said counts as it said it.
#[derive(Default)]
struct Field {
    devices: u64,
    silent: u64,
    boards: u64,
    boards_offline: u64,
    cameras: u64,
    cameras_down: u64,
    waiting: u64,
    /// Microseconds.
    clock_error: u64,
}

impl Field {
    fn of(kit: &Kit) -> Self {
        let mut field = Self::default();
        for heard in kit.live().all().into_values() {
            let live = &heard.live;
            field.devices += 1;
            field.silent += u64::from(kit.now().saturating_sub(heard.heard_at) > SILENT_AFTER);
            field.boards += live.boards.len() as u64;
            field.boards_offline += live.boards.iter().filter(|board| !board.online).count() as u64;
            field.cameras += live.cameras.len() as u64;
            field.cameras_down += live.cameras.iter().filter(|camera| !camera.up).count() as u64;
            let waiting = live.outbox.map_or(0, |outbox| outbox.urgent.saturating_add(outbox.bulk));
            field.waiting = field.waiting.saturating_add(waiting);
            field.clock_error = field.clock_error.max(heard.clock_error.unsigned_abs());
        }
        field
    }
}

/// Prometheus text format 0.0.4.
fn metrics(kit: &Kit, ingest: &Ingest<Token>, places: &Places) -> impl IntoResponse + use<> {
    let (counts, field) = (ingest.counts(), Field::of(kit));
    let mut text = String::new();
    let mut write = |name: &str, kind: &str, help: &str, value: String| {
        let _ = writeln!(
            text,
            "# HELP gatehouse_{name} {help}\n# TYPE gatehouse_{name} {kind}\ngatehouse_{name} {value}"
        );
    };
    for (name, kind, help, value) in [
        ("events_accepted_total", "counter", "Events journaled.", counts.accepted),
        ("events_duplicate_total", "counter", "Events that came again.", counts.duplicates),
        ("events_ahead_total", "counter", "Events left behind a gap.", counts.ahead),
        ("events_unreacted_total", "counter", "Events a reaction failed on.", counts.unreacted),
        ("payloads_malformed_total", "counter", "Payloads refused.", counts.malformed),
        ("commits_total", "counter", "Commits of events.", counts.commits),
        ("connections_refused_total", "counter", "Connections refused.", places.refused()),
        ("broker_up", "gauge", "Whether the broker is connected.", u64::from(kit.link().is_up())),
        ("devices", "gauge", "Devices heard of since the start.", field.devices),
        ("devices_silent", "gauge", "Devices that have said nothing for more than 5 s.", field.silent),
        ("boards", "gauge", "Boards that controllers tell of.", field.boards),
        ("boards_offline", "gauge", "Boards that do not answer.", field.boards_offline),
        ("cameras", "gauge", "Cameras that devices tell of.", field.cameras),
        ("cameras_down", "gauge", "Cameras that give no picture.", field.cameras_down),
        ("events_waiting", "gauge", "Events that controllers have not handed over.", field.waiting),
        ("troubles", "gauge", "What is wrong with the server now.", kit.troubles().standing().len() as u64),
    ] {
        write(name, kind, help, value.to_string());
    }
    let seconds = Duration::from_micros(field.clock_error).as_secs_f64().to_string();
    write("clock_error_max_seconds", "gauge", "How wrong the worst device's clock is.", seconds);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
