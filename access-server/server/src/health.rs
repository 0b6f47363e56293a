//! Whether all is well: one page for a supervisor, one for Prometheus. Both tell counts and nothing else.

use std::fmt::Write as _;

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

/// Prometheus text format 0.0.4.
fn metrics(kit: &Kit, ingest: &Ingest<Token>, places: &Places) -> impl IntoResponse + use<> {
    let counts = ingest.counts();
    let mut text = String::new();
    for (name, kind, help, value) in [
        ("events_accepted_total", "counter", "Events journaled.", counts.accepted),
        ("events_duplicate_total", "counter", "Events that came again.", counts.duplicates),
        ("events_ahead_total", "counter", "Events left behind a gap.", counts.ahead),
        ("events_unreacted_total", "counter", "Events a reaction failed on.", counts.unreacted),
        ("payloads_malformed_total", "counter", "Payloads refused.", counts.malformed),
        ("commits_total", "counter", "Commits of events.", counts.commits),
        ("connections_refused_total", "counter", "Connections refused.", places.refused()),
        ("broker_up", "gauge", "Whether the broker is connected.", u64::from(kit.link().is_up())),
        ("devices", "gauge", "Devices heard of since the start.", kit.live().all().len() as u64),
        ("troubles", "gauge", "What is wrong with the server now.", kit.troubles().standing().len() as u64),
    ] {
        let _ = writeln!(
            text,
            "# HELP gatehouse_{name} {help}\n# TYPE gatehouse_{name} {kind}\ngatehouse_{name} {value}"
        );
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
