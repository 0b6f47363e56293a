//! The live stream: records as they are journaled, the building's state when it changes, a beat when nothing does.
//!
//! The id of a record is its place in the journal; a browser that comes back names the last one it saw and misses none.
//! A browser that reads too slowly is dropped by the journal's ring and comes back; it never delays anybody.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use futures_util::stream::{Stream, unfold};
use kit::auth::{Operator, is_live};
use kit::live::Heard;
use kit::problem::Problem;
use kit::stream::Reader;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};

use crate::page::Page;
use crate::view::{Scene, View};
use crate::{Console, directory, event, state};

/// Something is said at least this often; a page says "stale" after 5 s.
const BEAT: Duration = Duration::from_secs(2);
/// The state is drawn anew at most this often.
const REDRAW: Duration = Duration::from_millis(250);
/// The session is looked at every so many beats: a revoked one stops seeing within half a minute.
const SESSION_BEATS: u32 = 15;

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
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let reader = console.kit.events().subscribe(seen.or(from.after)).await?;
    let session = operator.session().to_owned();
    let page = console.page(&headers, Some(operator));
    let nothing = || Problem::not_found("there is no such view");
    let view = View::parse(&from.view, &from.of).ok_or_else(nothing)?;
    let scene = Scene::load(&console.kit, page.language, &view, &[]).await?;
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let changes = console.live.changes();
    let troubles = console.kit.troubles().changes();
    let follower = Follower {
        console,
        page,
        session,
        view,
        scene,
        reader,
        changes,
        troubles,
        beat,
        beats: 0,
        drawn: BTreeMap::new(),
        names_changed: false,
        redraw: Some(Instant::now()),
    };
    Ok(Sse::new(unfold(Some(follower), |follower| async move {
        let mut follower = follower?;
        match follower.next().await {
            Some(event) => Some((Ok(event), Some(follower))),
            // The last thing said: come back for the page itself.
            None => Some((Ok(Event::default().event("reload").data("")), None)),
        }
    })))
}

struct Follower {
    console: Console,
    page: Page,
    session: String,
    view: View,
    scene: Scene,
    reader: Reader,
    changes: watch::Receiver<u64>,
    troubles: watch::Receiver<u64>,
    beat: Interval,
    beats: u32,
    /// The state as it was last drawn, to draw it only when it looks different or a device fell silent.
    drawn: BTreeMap<String, Heard>,
    /// Whether names are read again before the state is drawn next.
    names_changed: bool,
    /// When the state is drawn next, if it changed.
    redraw: Option<Instant>,
}

impl Follower {
    /// The next thing to say; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let redraw = self.redraw;
            tokio::select! {
                record = self.reader.next() => {
                    let record = record?;
                    let now = self.console.kit.now();
                    if directory::is_changed_by(&record) {
                        self.names_changed = true;
                        self.redraw.get_or_insert_with(|| Instant::now() + REDRAW);
                    }
                    // A database that does not answer costs names, not the page: they are read with the next drawing.
                    if !self.view.tells(&record) {
                        continue;
                    }
                    let directory = &mut self.scene.directory;
                    self.names_changed |=
                        directory.learn(&self.console.kit, self.page.language, &record).await.is_err();
                    let row = event::row(&self.console.kit, &self.page, directory, &record, now);
                    return Some(Event::default().event("record").id(record.seq.to_string()).data(row));
                }
                changed = self.changes.changed(), if redraw.is_none() => {
                    changed.ok()?;
                    self.redraw = Some(Instant::now() + REDRAW);
                }
                changed = self.troubles.changed(), if redraw.is_none() => {
                    changed.ok()?;
                    self.redraw = Some(Instant::now() + REDRAW);
                }
                () = sleep_until(redraw.unwrap_or_else(Instant::now)), if redraw.is_some() => {
                    self.redraw = None;
                    self.changes.mark_unchanged();
                    self.troubles.mark_unchanged();
                    let (kit, language) = (&self.console.kit, self.page.language);
                    if self.names_changed
                        && let Ok(scene) = Scene::load(kit, language, &self.view, &[]).await
                    {
                        self.scene = scene;
                        self.names_changed = false;
                    }
                    self.scene.count(kit, &self.view).await;
                    return Some(self.state());
                }
                _ = self.beat.tick() => {
                    self.beats += 1;
                    if self.beats.is_multiple_of(SESSION_BEATS) && self.session_ended().await {
                        return None;
                    }
                    let now = self.console.kit.now();
                    if state::went_stale(&self.drawn, now) {
                        return Some(self.state());
                    }
                    return Some(Event::default().event("beat").data(now.to_string()));
                }
            }
        }
    }

    /// Only a database that says so ends the session of a page that is open: one that does not answer says nothing.
    async fn session_ended(&self) -> bool {
        let asked = timeout(BEAT, is_live(&self.console.kit, &self.session)).await;
        matches!(asked, Ok(Ok(false)))
    }

    fn state(&mut self) -> Event {
        self.drawn = self.console.live.all();
        let troubles = self.console.kit.troubles().standing();
        let now = self.console.kit.now();
        let html = self.view.render(&self.page, &self.scene, &self.drawn, &troubles, now);
        Event::default().event("state").data(html)
    }
}
