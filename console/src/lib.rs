//! The control room's pages: what an operator sees and presses.
//!
//! Does: pages, fragments and the live stream in both languages, under a strict content security policy.
//! Never: decides anything, keeps state of its own, words anything outside `locales/`.
//! May be called by: the server, which mounts [`routes`].

mod assets;
mod directory;
mod event;
mod form;
mod page;
mod routes;
mod sheet;
mod state;
mod trace;
mod view;
mod words;

use axum::extract::FromRef;
use axum::middleware;
use jiff::tz::TimeZone;
use kit::live::LiveTable;
use kit::{Kit, Routes};

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

/// All pages.
pub fn routes(console: Console) -> Routes {
    let pages = routes::all(&console).around(|pages| pages.layer(middleware::from_fn(assets::headers)));
    pages.with_state(console)
}
