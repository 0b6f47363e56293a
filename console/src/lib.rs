//! The control room's pages: what an operator sees and presses.
//!
//! Does: pages, fragments and the live stream in both languages, under a strict content security policy.
//! Never: decides anything, keeps state of its own, words anything outside `locales/`.
//! May be called by: the server, which mounts [`routes`].

mod agent;
mod assets;
mod directory;
mod drawing;
mod event;
mod form;
mod page;
mod routes;
mod sheet;
mod sight;
mod state;
mod trace;
mod view;
mod words;

use axum::extract::FromRef;
use axum::middleware;
use jiff::tz::TimeZone;
use kit::{Kit, Routes};

use drawing::Drawings;
pub use words::Language;

/// What the pages are made from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Console {
    /// The server's shared state.
    pub kit: Kit,
    /// The site's time zone.
    pub zone: TimeZone,
    drawings: Drawings,
}

impl Console {
    /// The pages of a site whose times are shown in this zone.
    #[must_use]
    pub fn new(kit: Kit, zone: TimeZone) -> Self {
        Self { kit, zone, drawings: Drawings::default() }
    }
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
