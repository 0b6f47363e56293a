//! The control room's pages: what an operator sees and presses.
//!
//! Does: pages, fragments and the live stream in both languages, under a strict content security policy.
//! Never: decides anything, keeps state of its own, words anything outside `locales/`.
//! May be called by: the server, which mounts [`router`].

mod assets;
mod directory;
mod event;
mod form;
mod page;
mod routes;
mod state;
mod trace;
mod words;

use axum::extract::FromRef;
use axum::{Router, middleware};
use jiff::tz::TimeZone;
use kit::Kit;
use kit::live::LiveTable;

pub use words::Language;

/// What the pages are made from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Console {
    /// The server's shared state.
    pub kit: Kit,
    /// What devices say they look like.
    pub live: LiveTable,
    /// The site's time zone.
    pub zone: TimeZone,
}

impl FromRef<Console> for Kit {
    fn from_ref(console: &Console) -> Self {
        console.kit.clone()
    }
}

/// All pages. The server adds the CSRF layer ([`kit::auth::csrf`]) around them.
pub fn router(console: Console) -> Router {
    routes::all(&console).layer(middleware::from_fn(assets::headers)).with_state(console)
}
