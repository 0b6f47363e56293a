//! What every slice of the access server shares: the database, the journal and the door by which events enter it,
//! operators and their sessions, problem responses, keys and certificates, the event stream.
//!
//! Never knows a door, a person or a page: slices stand on it and it names none of them. Every change of state and
//! the journal record that tells it are written in one [`Tx`], and what was journaled is told to readers of the
//! [`stream::EventStream`] only after the commit. May be called by the slices, the console and the server.

pub mod auth;
pub mod clock;
pub mod db;
pub mod http;
pub mod ingest;
pub mod journal;
pub mod keys;
pub mod lease;
pub mod link;
pub mod live;
pub mod looks;
pub mod passphrase;
pub mod pki;
pub mod problem;
pub mod routes;
pub mod shelf;
mod state;
pub mod stream;
#[cfg(feature = "testing")]
pub mod testing;
pub mod trouble;

pub use clock::{Clock, Micros};
pub use db::{Db, Migration};
pub use journal::{StoredEvent, Stream};
pub use keys::Keys;
pub use problem::Problem;
pub use routes::{Routes, Who};
pub use state::{Kit, Tx};
