//! Where people go: the site's areas, controllers, doors and lanes, schedules with their calendar, access levels; and the
//! policy that is made of them and of the people, versioned, for the controllers to copy.
//!
//! Never decides who may pass (that is `domain`'s one function), never keeps a name in a policy, never talks to a
//! controller: it says what a controller must be sent. Commands run inside the caller's [`kit::Tx`] and journal what they
//! change. A policy is published whole or not at all, and only when `domain` accepts it.
//! May be called by the slices, the console and the server.

pub mod door;
pub mod edit;
mod error;
pub mod firmware;
mod http;
pub mod import;
pub mod label;
pub mod level;
pub mod place;
pub mod plan;
pub mod policy;
pub mod reach;
pub mod schedule;
pub mod survey;

pub use error::DoorsError;
pub use http::routes;
use kit::Migration;

/// The schema; the people's must come before it.
pub const MIGRATIONS: &[Migration] = &[
    Migration { slice: "doors", number: 1, sql: include_str!("../migrations/001_doors.sql") },
    Migration { slice: "doors", number: 2, sql: include_str!("../migrations/002_plans.sql") },
    Migration { slice: "doors", number: 3, sql: include_str!("../migrations/003_firmware.sql") },
];

/// Every statement, for the test that prepares them on both engines.
pub fn statements() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    [
        door::STATEMENTS,
        level::STATEMENTS,
        place::STATEMENTS,
        plan::STATEMENTS,
        policy::store::STATEMENTS,
        policy::sync::STATEMENTS,
        schedule::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .chain(firmware::statements())
}
