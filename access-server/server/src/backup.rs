//! A site in one file, and a machine that has nothing made into that site again.
//!
//! The file is a gzipped tar, so that a person can look into it: the tables as lines of JSON (of neither engine: a site is
//! restored into SQLite or PostgreSQL, whichever it came from), configuration, certificates, checkpoint log, the secret
//! keys if asked for, sealed under a passphrase; and last a manifest with the SHA-256 of each. `deploy/docs/backup.md`
//! describes it. It is made while the server runs, of one moment.

mod archive;
mod layout;
mod restore;
mod save;

use std::collections::BTreeMap;

use kit::db::content::Applied;
pub use restore::{Restored, Wanted, restore};
pub use save::{Saved, save};
use serde::{Deserialize, Serialize};

/// The form of the file.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
/// The manifest's SHA-256: the file's last entry.
const SEAL: &str = "manifest.sha256";
const CONFIGURATION: &str = "server.toml";
const CHECKPOINTS: &str = "checkpoints";
const SEALED_KEYS: &str = "keys.sealed";

/// What the file holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    /// UTC microseconds.
    made_at: i64,
    /// The version of the program that made it.
    program: String,
    /// The schema that the tables have.
    schema: Vec<Applied>,
    /// The journal's last record.
    record: u64,
    /// The last checkpoint.
    checkpoint: u64,
    tables: Vec<Table>,
    /// The last number that each table gave out by itself.
    sequences: BTreeMap<String, i64>,
    /// Whether the secret keys are in it, sealed.
    keys: bool,
    files: Vec<File>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    columns: Vec<String>,
    rows: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    bytes: u64,
    /// Hexadecimal.
    sha256: String,
}

/// A time as it is written: `2026-11-27T17:30:00Z`.
#[must_use]
pub fn time(at: i64) -> String {
    let at = jiff::Timestamp::from_microsecond(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The part of a table: `tables/journal/00001.jsonl`.
fn part_name(table: &str, part: u32) -> String {
    format!("tables/{table}/{part:05}.jsonl")
}

/// The table that a part is of.
fn part_of(name: &str) -> Option<&str> {
    name.strip_prefix("tables/")?.strip_suffix(".jsonl")?.split_once('/').map(|(table, _)| table)
}
