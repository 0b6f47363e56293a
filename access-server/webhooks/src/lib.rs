//! Telling other programs what is journaled: signed, in the journal's order, each record until it was taken.
//!
//! A webhook has an address, topics and a secret. One task for each reads the journal from where it left off and posts
//! every record of its topics, one a request, in the form of [Standard Webhooks](https://www.standardwebhooks.com) 1.0. A
//! record counts as told once the answer is 2xx; until then it is tried again, ever more rarely, and nothing after it is
//! told. So a receiver gets each record at least once and in order; `webhook-id` is the same each time.
//!
//! Tells nobody a name: records hold ids, and `GET /api/v1/people/{id}` says whose they are to those who may know.

mod address;
mod hook;
mod http;
mod message;
mod retry;
mod run;
mod secret;
mod send;
mod topic;

pub use address::{Address, AddressFault};
pub use hook::{
    Begin, Draft, HOOKS, Hook, HookError, HookId, Pause, TRIES_KEPT, TryRow, add, change, hooks, pause,
    remove, renew_secret, resume, test, tries,
};
pub use http::routes;
use kit::Migration;
pub use run::run;
pub use secret::Secret;
pub use send::{Way, WayError};
pub use topic::{Topic, Topics};

/// The schema.
pub const MIGRATIONS: &[Migration] =
    &[Migration { slice: "webhooks", number: 1, sql: include_str!("../migrations/001_webhooks.sql") }];

/// Every statement, for the test that prepares them on both engines.
pub fn statements() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    [hook::STATEMENTS, run::STATEMENTS].into_iter().flatten()
}
