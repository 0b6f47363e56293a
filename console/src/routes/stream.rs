//! The live stream: records as they are journaled, the building's state when it changes, a beat every second.
//!
//! The id of a record is its place in the journal; a browser that comes back names the last one it saw and misses none.
//! What is drawn is drawn once for all who watch the same ([`crate::drawing`]). A browser that reads too slowly is dropped by
//! the journal's ring and comes back; it never delays anybody. The session is looked at when its operator was changed, and
//! from time to time: one that ended sees no more, and one with another role is sent for the page anew.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use kit::StoredEvent;
use kit::auth::{Operator, OperatorId, Ranks, is_live};
use kit::problem::Problem;
use kit::stream::Reader;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};

use crate::drawing::{Drawing, REDRAW};
use crate::view::View;
use crate::{Console, directory};

/// Something is said this often: how long ago each device was heard, too. A page says "stale" after 5 s.
const BEAT: Duration = Duration::from_secs(1);
/// The session is looked at every so many beats: a revoked one stops seeing within half a minute.
const SESSION_BEATS: u32 = 30;
/// A database that is asked whether a session stands has so long to answer.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
pub(super) struct From {
    after: Option<u64>,
    /// What is looked at: the live page when nothing else is said.
    #[serde(default)]
    view: String,
    #[serde(default)]
    of: String,
}

pub(super) async fn follow(
    State(console): State<Console>,
    operator: Operator,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let reader = console.kit.events().subscribe(seen.or(from.after)).await?;
    let nothing = || Problem::not_found("there is no such view");
    let view = View::parse(&from.view, &from.of).ok_or_else(nothing)?;
    view.admits(&operator)?;
    let ranks = operator.ranks.clone();
    let session = operator.session().to_owned();
    let watcher = Watcher { id: operator.id, ranks: ranks.clone(), session };
    let language = console.page(&headers, Some(operator)).language;
    let drawing = console.drawings.of(&console.kit, (language, &console.zone), &ranks, view).await?;
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let changes = console.kit.live().changes();
    let troubles = console.kit.troubles().changes();
    let follower = Follower {
        console,
        drawing,
        watcher,
        reader,
        changes,
        troubles,
        beat,
        beats: 0,
        seen: 0,
        look: Some(Instant::now()),
    };
    let frames = unfold(Some(follower), |follower| async move {
        let mut follower = follower?;
        match follower.next().await {
            Some(frame) => Some((Ok::<_, Infallible>(frame), Some(follower))),
            // The last thing said: come back for the page itself.
            None => Some((Ok(frame("reload", None, "")), None)),
        }
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, Body::from_stream(frames)).into_response())
}

/// An event of the stream as it goes out.
pub(crate) fn frame(event: &str, id: Option<u64>, data: &str) -> Bytes {
    let mut text = format!("event: {event}\n");
    if let Some(id) = id {
        writeln!(text, "id: {id}").expect("a string takes everything");
    }
    // A line may also end with a carriage return: what came after one would be read as another field.
    for line in data.split(['\n', '\r']) {
        text.extend(["data: ", line, "\n"]);
    }
    text.push('\n');
    text.into()
}

/// Who watches, as they were when they came.
struct Watcher {
    id: OperatorId,
    ranks: Ranks,
    session: String,
}

impl Watcher {
    /// Whether a record tells of a change of them, which their session may not have outlived.
    fn is_touched_by(&self, record: &StoredEvent) -> bool {
        #[derive(Deserialize)]
        struct Whom {
            operator: i64,
        }
        record.stream == kit::Stream::Own
            && matches!(
                &*record.kind,
                "operator.role"
                    | "operator.disabled"
                    | "operator.password"
                    | "operator.sessions-ended"
                    | "operator.signed-out"
            )
            && record.parse().is_some_and(|Whom { operator }| operator == self.id.0)
    }
}

struct Follower {
    console: Console,
    drawing: Arc<Drawing>,
    watcher: Watcher,
    reader: Reader,
    changes: watch::Receiver<u64>,
    troubles: watch::Receiver<u64>,
    beat: Interval,
    beats: u32,
    /// The state that was last sent.
    seen: u64,
    /// When the state is looked at next, if it may have changed.
    look: Option<Instant>,
}

impl Follower {
    /// The next thing to say; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let look = self.look;
            tokio::select! {
                record = self.reader.next() => {
                    let record = record?;
                    if self.watcher.is_touched_by(&record) && self.session_ended().await {
                        return None;
                    }
                    if directory::is_changed_by(&record) {
                        self.drawing.outdate(record.seq).await;
                        self.look.get_or_insert_with(|| Instant::now() + REDRAW);
                    }
                    if self.drawing.tells(&record).await {
                        let row = self.drawing.row(&record, &self.watcher.session).await;
                        return Some(frame("record", Some(record.seq), &row));
                    }
                }
                changed = self.changes.changed(), if look.is_none() => {
                    changed.ok()?;
                    self.look = Some(Instant::now());
                }
                changed = self.troubles.changed(), if look.is_none() => {
                    changed.ok()?;
                    self.look = Some(Instant::now());
                }
                () = sleep_until(look.unwrap_or_else(Instant::now)), if look.is_some() => {
                    self.changes.mark_unchanged();
                    self.troubles.mark_unchanged();
                    if let Some(state) = self.state().await {
                        return Some(state);
                    }
                }
                _ = self.beat.tick() => {
                    self.beats += 1;
                    if self.beats.is_multiple_of(SESSION_BEATS) && self.session_ended().await {
                        return None;
                    }
                    // A device that fell silent changes nothing but by doing so.
                    self.look.get_or_insert_with(Instant::now);
                    return Some(self.heard().await);
                }
            }
        }
    }

    /// The state, where it looks otherwise than what was sent.
    async fn state(&mut self) -> Option<Bytes> {
        let looked = self.drawing.look(self.seen).await;
        self.look = looked.again;
        let (number, frame) = looked.state?;
        self.seen = number;
        Some(frame)
    }

    /// The time, and when each device was last heard.
    async fn heard(&self) -> Bytes {
        let heard = self.drawing.heard().await;
        let heard: serde_json::Map<_, _> =
            heard.into_iter().map(|(device, heard)| (device, heard.heard_at.into())).collect();
        frame("beat", None, &json!({ "now": self.console.kit.now(), "heard": heard }).to_string())
    }

    /// Only a database that says so ends the session of a page that is open: one that does not answer says nothing.
    async fn session_ended(&self) -> bool {
        let Watcher { ranks, session, .. } = &self.watcher;
        let asked = timeout(PATIENCE, is_live(&self.console.kit, session, ranks)).await;
        matches!(asked, Ok(Ok(false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_cannot_begin_another_event() {
        let told = frame("record", Some(7), "<li>a\nb\r\nevent: reload\n\n</li>");
        let text = String::from_utf8(told.to_vec()).unwrap();
        assert!(text.starts_with("event: record\nid: 7\ndata: <li>a\ndata: b\n"));
        assert_eq!(text.matches("\n\n").count(), 1, "{text}");
        assert!(text.lines().filter(|line| !line.is_empty()).skip(2).all(|line| line.starts_with("data: ")));
    }
}
