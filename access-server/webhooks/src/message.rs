//! What is posted: a record in the form of Standard Webhooks 1.0.

use jiff::Timestamp;
use kit::http::Event;
use kit::{Kit, StoredEvent};
use serde::Serialize;

/// A record on its way.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The same each time the record is told, and no other site's: a receiver knows by it what it had already.
    pub(crate) id: String,
    pub(crate) body: Vec<u8>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    /// When it happened, ISO 8601 in UTC.
    timestamp: String,
    /// As `GET /api/v1/events` shows it.
    data: Event,
}

impl Message {
    pub(crate) fn of(kit: &Kit, record: &StoredEvent) -> Self {
        let site: String =
            kit.keys().journal_public()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        let timestamp = Timestamp::from_microsecond(record.at).unwrap_or_default().to_string();
        let body = Body { r#type: &record.kind, timestamp, data: Event::of(record) };
        Self {
            id: format!("evt_{site}_{}", record.seq),
            body: serde_json::to_vec(&body).expect("it is made of text and numbers"),
        }
    }
}
