//! People, what they carry and what they agreed to: persons and groups, cards, PINs and QR codes (as keyed digests),
//! consent, face templates (sealed), profile pictures (sealed), and the gallery that vision processes copy.
//!
//! Never knows a door or a schedule; never keeps a credential, a template or a picture in clear, and logs none.
//! Commands run inside the caller's [`kit::Tx`] and journal what they change under pseudonymous ids; what must wait for
//! another process (enrolment) or clean up behind itself (withdrawal, removal) takes the [`kit::Kit`] and says so.
//! May be called by the slices, the console and the server.

pub mod bulk;
pub mod consent;
pub mod credential;
pub mod embed;
mod error;
pub mod face;
pub mod find;
pub mod gallery;
pub mod group;
mod http;
pub mod look;
pub mod person;
pub mod picture;
mod scrub;
mod seal;
mod sought;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text;
pub mod word;

pub use error::PeopleError;
pub use http::routes;
use kit::Migration;
pub use seal::rotate;

/// The schema.
pub const MIGRATIONS: &[Migration] = &[
    Migration { slice: "people", number: 1, sql: include_str!("../migrations/001_people.sql") },
    Migration { slice: "people", number: 2, sql: include_str!("../migrations/002_board_entry.sql") },
    Migration { slice: "people", number: 3, sql: include_str!("../migrations/003_sought.sql") },
    Migration { slice: "people", number: 4, sql: include_str!("../migrations/004_orders.sql") },
];

/// Every statement, for the test that prepares them on both engines.
pub fn statements() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    [
        bulk::STATEMENTS,
        consent::STATEMENTS,
        credential::STATEMENTS,
        face::STATEMENTS,
        find::STATEMENTS,
        gallery::STATEMENTS,
        group::STATEMENTS,
        person::STATEMENTS,
        picture::STATEMENTS,
        seal::STATEMENTS,
    ]
    .into_iter()
    .flatten()
}
