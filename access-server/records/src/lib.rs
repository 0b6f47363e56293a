//! Finding records: who, where, what and when, in a journal of any length.
//!
//! The journal is a chain and says nothing of who is in it. This slice keeps an index beside it: for each record a few
//! *terms* (its person, its door, the words for what happened), each with the record's time. It is made out of the
//! journal behind the ingest's back, by [`keep`], and says how far it has come; it can be thrown away and made again.
//! A question is answered by walking the rarest of its terms backwards in time and checking each record found against
//! the question itself, so what the index says too much never shows.
//!
//! Never changes the journal; never holds a name.

mod keep;
mod question;
mod search;
pub mod term;
mod walk;

pub use keep::{catch_up, keep, progress};
use kit::Migration;
pub use question::Question;
pub use search::{Found, MOST_ALTERNATIVES, Place, SearchError, search};

/// The schema.
pub const MIGRATIONS: &[Migration] =
    &[Migration { slice: "records", number: 1, sql: include_str!("../migrations/001_records.sql") }];

/// Every statement, for the test that prepares them on both engines.
pub fn statements() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    [keep::STATEMENTS, search::STATEMENTS, walk::STATEMENTS].into_iter().flatten()
}
