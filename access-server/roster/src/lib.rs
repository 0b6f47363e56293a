//! The roster: people as lists. Spreadsheets and folders of photographs are read, compared with what is known, shown, and
//! written when somebody confirms it; people, cards and who may pass where are written out as tables.
//!
//! Never removes anybody, never gives back what was withdrawn, never keeps a card number: it is a digest before anything
//! is stored. A file reaches no path, no shell and no other host: its cells are read as values, within limits, by one
//! bounded worker. What waits for confirmation lies in memory; what was confirmed is stored sealed and written in batches
//! between which events have their turn, and goes on after a restart.
//! May be called by the console and the server.

pub mod album;
pub mod card;
pub mod column;
pub mod draft;
pub mod export;
mod http;
pub mod import;
mod line;
mod plan;
pub mod read;
pub mod table;
mod value;

pub use http::routes;
use kit::Migration;

/// The schema; the people's must come before it.
pub const MIGRATIONS: &[Migration] =
    &[Migration { slice: "roster", number: 1, sql: include_str!("../migrations/001_imports.sql") }];

/// Every statement, for the test that prepares them on both engines.
pub fn statements() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    album::STATEMENTS.iter().chain(import::STATEMENTS)
}
