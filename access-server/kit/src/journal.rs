//! The journal: every fact, appended once, in a hash chain with signed checkpoints.
//!
//! Records are appended inside a [`crate::Tx`]; [`verify`] walks the whole chain offline and names the first altered
//! record. Bodies hold pseudonymous ids and hashes only, so that deleting a person keeps the chain valid.

mod append;
mod checkpoint;
mod follow;
mod read;
mod record;
mod verify;

pub(crate) use append::{Chain, Mark, Placed};
pub use checkpoint::{Checkpoint, CheckpointLog};
pub(crate) use checkpoint::{Signer, hex, unhex};
pub use follow::{FollowError, follow};
pub use read::{UNREADABLE, events_after, events_at, events_before, newest, place_at, urgent_before};
pub use record::{NewEvent, StoredEvent, Stream};
pub use verify::{Finding, Report, VerifyError, verify};

use crate::db::Migration;

/// The schema of the journal and the operators.
pub const MIGRATIONS: &[Migration] = &[
    Migration { slice: "kit", number: 1, sql: include_str!("../migrations/001_journal.sql") },
    Migration { slice: "kit", number: 2, sql: include_str!("../migrations/002_operators.sql") },
    Migration { slice: "kit", number: 3, sql: include_str!("../migrations/003_addresses.sql") },
    Migration { slice: "kit", number: 4, sql: include_str!("../migrations/004_urgent.sql") },
    Migration { slice: "kit", number: 5, sql: include_str!("../migrations/005_programs.sql") },
    Migration { slice: "kit", number: 6, sql: include_str!("../migrations/006_sessions.sql") },
    Migration { slice: "kit", number: 7, sql: include_str!("../migrations/007_second_factor.sql") },
    Migration { slice: "kit", number: 8, sql: include_str!("../migrations/008_passkeys.sql") },
    Migration { slice: "kit", number: 9, sql: include_str!("../migrations/009_places.sql") },
];

#[cfg(feature = "testing")]
pub(crate) fn statements() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    append::STATEMENTS
        .iter()
        .chain(crate::ingest::STATEMENTS)
        .chain(follow::STATEMENTS)
        .chain(read::STATEMENTS)
        .chain(verify::STATEMENTS)
}
