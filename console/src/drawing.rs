//! What many watch is drawn once: a view in a language is the same for everybody who may see as much.
//!
//! The first to ask after a change draws; the others are given the same. A drawing is made anew at most every [`REDRAW`],
//! and counts as another one only when something else than an age differs: ages are told apart, with each beat.
//! Nothing of who looks is in a drawing: it is drawn for nobody, and what is somebody's own is put in afterwards.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::body::Bytes;
use domain::ids::PersonId;
use jiff::tz::TimeZone;
use kit::auth::{Ranks, Role};
use kit::live::Heard;
use kit::{Kit, StoredEvent};
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use crate::page::Page;
use crate::routes::stream;
use crate::view::{Scene, View};
use crate::words::Language;
use crate::{event, state};

/// The state is drawn anew at most this often.
pub(crate) const REDRAW: Duration = Duration::from_millis(250);
/// Lines of records that are kept drawn: as many as a reader may fall behind would be too many, and who is that far behind
/// draws for themselves.
const ROWS: usize = 256;

/// A database has so long to answer while others wait for the drawing, and is left alone for so long when it did not: a page
/// says "stale" after 5 s without a beat.
const PATIENCE: Duration = Duration::from_secs(1);
const ALONE: Duration = Duration::from_secs(10);

/// Every drawing that somebody looks at. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drawings(Arc<Mutex<HashMap<Key, Weak<Drawing>>>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    view: View,
    language: Language,
    /// Whoever sees as much and changes as much sees the same.
    ranks: Ranks,
}

/// A view in a language, as far as it is the same for many.
#[derive(Debug)]
pub(crate) struct Drawing {
    kit: Kit,
    page: Page,
    key: Key,
    inner: tokio::sync::Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    scene: Scene,
    /// Whether names are read again before anything is drawn next.
    is_outdated: bool,
    /// The last record that changed names.
    outdated_by: u64,
    /// When the database is asked again, after it did not answer.
    again_at: Option<Instant>,
    state: State,
    /// The last lines that were drawn.
    rows: VecDeque<(u64, Row)>,
}

/// The moving part as it was last drawn.
#[derive(Debug, Default)]
struct State {
    /// Counts what differs from what was before; 0 before the first.
    number: u64,
    drawn_at: Option<Instant>,
    /// How much had changed when it was drawn: devices, the server's own troubles.
    changes: (u64, u64),
    /// As it goes out.
    frame: Bytes,
    /// Without its ages.
    shape: String,
    /// What it was drawn from, and when that was by the site's clock.
    devices: BTreeMap<String, Heard>,
    then: i64,
}

/// What the state looks like to somebody who has seen it before.
pub(crate) struct Looked {
    /// Its number, and what goes out; `None` when it looks as it did.
    pub(crate) state: Option<(u64, Bytes)>,
    /// When to look again, because it changed and was drawn too short a time ago.
    pub(crate) again: Option<Instant>,
}

/// A record's line, for everybody.
#[derive(Clone, Debug)]
struct Row {
    html: Arc<str>,
    /// Whose photograph is on it.
    portrait: Option<PersonId>,
}

impl Drawings {
    /// The drawing of a view, begun if nobody looks at it yet.
    pub(crate) async fn of(
        &self,
        kit: &Kit,
        (language, zone): (Language, &TimeZone),
        ranks: &Ranks,
        view: View,
    ) -> Result<Arc<Drawing>, sqlx::Error> {
        // Only what managers change looks otherwise to them.
        let told = |role| if role >= Role::Manager { Role::Manager } else { Role::Viewer };
        let key = Key { view, language, ranks: ranks.told_as(told) };
        if let Some(drawing) = self.drawings().get(&key).and_then(Weak::upgrade) {
            return Ok(drawing);
        }
        let scene = Scene::load(kit, language, &key.view, &[], &key.ranks).await?;
        let page = Page { language, operator: None, zone: zone.clone(), section: "" };
        let inner = Inner {
            scene,
            is_outdated: false,
            outdated_by: 0,
            again_at: None,
            state: State::default(),
            rows: VecDeque::new(),
        };
        let drawing = Drawing { kit: kit.clone(), page, key: key.clone(), inner: inner.into() };
        let mut drawings = self.drawings();
        // Somebody else may have begun it meanwhile.
        if let Some(drawing) = drawings.get(&key).and_then(Weak::upgrade) {
            return Ok(drawing);
        }
        drawings.retain(|_, drawing| drawing.strong_count() > 0);
        let drawing = Arc::new(drawing);
        drawings.insert(key, Arc::downgrade(&drawing));
        Ok(drawing)
    }

    fn drawings(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Weak<Drawing>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drawing {
    /// Whether a record has a line here.
    pub(crate) async fn tells(&self, record: &StoredEvent) -> bool {
        if !self.key.view.tells(record) || self.key.ranks.at_site().is_some() {
            return self.key.view.tells(record);
        }
        let mut inner = self.inner.lock().await;
        // A door that was just moved is told of to whoever sees it now.
        inner.refresh(self).await;
        inner.scene.sight.tells(record)
    }

    /// What devices say now, as far as it is seen here.
    pub(crate) async fn heard(&self) -> BTreeMap<String, Heard> {
        if self.key.ranks.at_site().is_some() {
            return self.kit.live().all();
        }
        self.inner.lock().await.scene.devices(&self.kit)
    }

    /// A record says that names changed: they are read again before anything is drawn next. Said by each who watches.
    pub(crate) async fn outdate(&self, seq: u64) {
        let mut inner = self.inner.lock().await;
        if inner.outdated_by < seq {
            (inner.outdated_by, inner.is_outdated) = (seq, true);
        }
    }

    /// The state as it looks now, unless it looks as what has this number.
    pub(crate) async fn look(&self, seen: u64) -> Looked {
        let mut inner = self.inner.lock().await;
        let now = self.kit.now();
        let changes = (*self.kit.live().changes().borrow(), *self.kit.troubles().changes().borrow());
        let state = &inner.state;
        let went_stale = state::went_stale(&state.devices, state.then, now);
        let differs = inner.is_outdated || state.changes != changes || went_stale;
        let again = state.drawn_at.map(|at| at + REDRAW).filter(|at| *at > Instant::now());
        let again = if differs { again } else { None };
        if state.number == 0 || (differs && again.is_none()) {
            inner.draw(self, changes, now).await;
        }
        let state = &inner.state;
        Looked { state: (state.number != seen).then(|| (state.number, state.frame.clone())), again }
    }

    /// A record's line, with what is this session's own.
    pub(crate) async fn row(&self, record: &StoredEvent, session: &str) -> String {
        let row = self.inner.lock().await.row(self, record).await;
        row.portrait.map_or_else(
            || row.html.to_string(),
            |person| event::with_pass(&row.html, &self.kit, session, person, record.seq),
        )
    }
}

impl Inner {
    async fn draw(&mut self, of: &Drawing, changes: (u64, u64), now: i64) {
        self.refresh(of).await;
        if self.may_ask() {
            let counted = timeout(PATIENCE, self.scene.count(&of.kit, &of.key.view)).await;
            self.asked(counted.is_ok());
        }
        let devices = self.scene.devices(&of.kit);
        let troubles = of.kit.troubles().standing();
        let html = of.key.view.render(&of.page, &self.scene, &devices, &troubles, now);
        let shape = without_ages(&html);
        let state = &mut self.state;
        if state.number == 0 || state.shape != shape {
            state.number += 1;
            state.frame = stream::frame("state", None, &html);
            state.shape = shape;
        }
        (state.drawn_at, state.changes) = (Some(Instant::now()), changes);
        (state.devices, state.then) = (devices, now);
    }

    async fn row(&mut self, of: &Drawing, record: &StoredEvent) -> Row {
        #[derive(Deserialize)]
        struct Whom {
            person: Option<u64>,
        }
        if let Some((_, row)) = self.rows.iter().find(|(seq, _)| *seq == record.seq) {
            return row.clone();
        }
        let (kit, page) = (&of.kit, &of.page);
        // A database that does not answer costs names, not the page: they are read with the next drawing.
        if self.may_ask() {
            let learnt = timeout(PATIENCE, self.scene.directory.learn(kit, page.language, record)).await;
            self.asked(learnt.is_ok());
            self.is_outdated |= !matches!(learnt, Ok(Ok(())));
        } else {
            self.is_outdated = true;
        }
        let html = of.key.view.row(kit, page, &self.scene.directory, record, kit.now());
        let person =
            record.parse().and_then(|it: Whom| it.person).filter(|_| html.contains(event::PASS_GOES_HERE));
        let row = Row { html: html.into(), portrait: person.map(PersonId) };
        if self.rows.len() == ROWS {
            self.rows.pop_front();
        }
        self.rows.push_back((record.seq, row.clone()));
        row
    }

    /// Reads names again if they changed; those that cannot be read stay as they were.
    async fn refresh(&mut self, of: &Drawing) {
        if !self.is_outdated || !self.may_ask() {
            return;
        }
        let load = Scene::load(&of.kit, of.page.language, &of.key.view, &[], &of.key.ranks);
        let loaded = timeout(PATIENCE, load).await;
        self.asked(loaded.is_ok());
        if let Ok(Ok(scene)) = loaded {
            self.scene = scene;
            self.is_outdated = false;
            self.rows.clear();
        }
    }

    /// Whether the database is asked now: everybody who watches waits for its answer.
    fn may_ask(&self) -> bool {
        self.again_at.is_none_or(|at| at <= Instant::now())
    }

    /// One that did not answer is left alone for a while.
    fn asked(&mut self, answered: bool) {
        self.again_at = (!answered).then(|| Instant::now() + ALONE);
    }
}

/// A drawing without how long ago its devices were heard, and how long something still lasts: whether something else changed
/// is seen by it.
fn without_ages(html: &str) -> String {
    let without = |html: &str, begin: &str| {
        let mut parts = html.split(begin);
        let mut shape = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let value = part.split('"').next().unwrap_or_default();
            let rest = part.split_once("</time>").map_or("", |(_, rest)| rest);
            shape.extend([begin, value, rest]);
        }
        shape
    };
    without(&without(html, "<time data-heard=\""), "<time data-until=\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_differs_when_something_else_than_an_age_does() {
        let drawn = |at: u32, age: &str, lock: &str| {
            format!(
                "<p>{lock} <time data-heard=\"controller-1\" data-at=\"{at}\">{age}</time> <time data-at=\"7\">1 h</time></p>"
            )
        };
        let before = without_ages(&drawn(1, "now", "locked"));
        assert_eq!(before, without_ages(&drawn(2, "3 s", "locked")));
        assert_ne!(before, without_ages(&drawn(1, "now", "released")));
        assert!(before.contains("data-at=\"7\"") && !before.contains("now"));
        let lasts =
            |until: u32, left: &str| without_ages(&format!("<time data-until=\"{until}\">{left}</time>"));
        assert_eq!(lasts(9, "1:30"), lasts(9, "1:29"));
        assert_ne!(lasts(9, "1:30"), lasts(10, "1:30"));
    }
}
