//! Replicas: the controller's policy and its boards' firmware, and vision's gallery, kept by version, sent as differences, applied whole or not at
//! all.
//!
//! A device says what it [`Have`]s (at start, after each change, every 10 s). The server answers with the [`Chunk`]s
//! from that version to the newest, or, when it no longer knows the difference or the digests disagree, with the whole
//! content (`from` absent). The device gathers all parts, checks the [`Digest`], applies in one transaction and says
//! again what it has. Rows travel and are stored as the text they were written in, so both ends hash the same bytes.

pub mod firmware;
pub mod gallery;
pub mod policy;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Room for rows in one chunk, in bytes of JSON; the rest of [`crate::wire::LARGEST`] is the chunk's own frame.
pub const CHUNK_ROOM: usize = 48 * 1024;

/// Which replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Set {
    /// The rules of access, for a controller.
    Policy,
    /// Face templates, for a vision process.
    Gallery,
    /// Images for boards, and which board is to run which, for a controller.
    Firmware,
    /// Whose certificates are revoked: the authority's list, its text in pieces, one a row of [`REVOKED`]. The version is the
    /// list's number.
    Revoked,
}

/// The table of [`Set::Revoked`].
pub const REVOKED: &str = "list";

/// A row of [`REVOKED`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedRow {
    /// A piece of the list, PEM (RFC 5280, 5): signed by the site's authority, and worth nothing unless that is checked.
    pub pem: String,
}

impl RevokedRow {
    /// A list in rows, by their numbers.
    pub fn pieces(pem: &str) -> impl Iterator<Item = (u64, Self)> {
        // PEM is ASCII: a piece may end anywhere.
        let pieces = pem.as_bytes().chunks(CHUNK_ROOM / 2);
        (1..).zip(pieces.map(|piece| Self { pem: String::from_utf8_lossy(piece).into_owned() }))
    }

    /// The piece in a row's text.
    pub fn read(row: &str) -> Option<String> {
        serde_json::from_str::<Self>(row).ok().map(|it| it.pem)
    }
}

/// What a device holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Have {
    /// Which replica.
    pub set: Set,
    /// Its version; `None` when it holds nothing.
    pub version: Option<u64>,
    /// The digest over all rows held.
    pub digest: Digest,
}

/// A part of the way to a newer version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Chunk {
    /// Which replica.
    pub set: Set,
    /// The version it starts from; `None`: from nothing, everything held before goes.
    pub from: Option<u64>,
    /// The version it leads to.
    pub to: u64,
    /// This part, from 0.
    pub part: u32,
    /// How many parts there are, at least 1.
    pub parts: u32,
    /// The digest over all rows after the change.
    pub digest: Digest,
    /// Rows put and removed, in order.
    pub changes: Vec<Change>,
}

/// One row put or removed. On the wire a removal is a change without `row`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "ChangeOnWire", into = "ChangeOnWire")]
pub enum Change {
    /// Insert or replace.
    Put {
        /// For example `person`.
        table: String,
        /// The row's key within its table.
        id: u64,
        /// The row's own JSON, kept as written.
        row: Box<RawValue>,
    },
    /// Remove; removing what is not there is no fault.
    Remove {
        /// For example `person`.
        table: String,
        /// The row's key within its table.
        id: u64,
    },
}

/// The form on the wire: no tag, because a tagged enum would lose the row's own text while it is read.
#[derive(Serialize, Deserialize)]
struct ChangeOnWire {
    table: String,
    id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    row: Option<Box<RawValue>>,
}

impl From<ChangeOnWire> for Change {
    fn from(ChangeOnWire { table, id, row }: ChangeOnWire) -> Self {
        match row {
            Some(row) => Self::Put { table, id, row },
            None => Self::Remove { table, id },
        }
    }
}

impl From<Change> for ChangeOnWire {
    fn from(change: Change) -> Self {
        match change {
            Change::Put { table, id, row } => Self { table, id, row: Some(row) },
            Change::Remove { table, id } => Self { table, id, row: None },
        }
    }
}

impl Change {
    /// Writes a row down once; this text is what travels, is stored and is hashed.
    ///
    /// # Panics
    /// Never for the row types of this crate.
    pub fn put<R: Serialize>(table: &str, id: u64, row: &R) -> Self {
        let row = serde_json::value::to_raw_value(row).expect("the row types serialise to JSON");
        Self::Put { table: table.to_owned(), id, row }
    }

    /// Bytes this change takes in a chunk, at most.
    pub fn size(&self) -> usize {
        match self {
            Self::Put { table, row, .. } => table.len() + row.get().len() + 64,
            Self::Remove { table, .. } => table.len() + 64,
        }
    }
}

/// Splits changes into chunks that fit a payload. Always at least one chunk, so that an empty difference still says its
/// version.
pub fn chunks(set: Set, from: Option<u64>, to: u64, digest: Digest, changes: Vec<Change>) -> Vec<Chunk> {
    let mut parts: Vec<Vec<Change>> = vec![Vec::new()];
    let mut room = CHUNK_ROOM;
    for change in changes {
        let size = change.size();
        if size > room && parts.last().is_some_and(|part| !part.is_empty()) {
            parts.push(Vec::new());
            room = CHUNK_ROOM;
        }
        room = room.saturating_sub(size);
        parts.last_mut().expect("starts with one part").push(change);
    }
    let count = u32::try_from(parts.len()).expect("fewer than 2^32 parts");
    (0..)
        .zip(parts)
        .map(|(part, changes)| Chunk { set, from, to, part, parts: count, digest, changes })
        .collect()
}

/// An order-independent digest over rows: the exclusive-or of SHA-256 over `table NUL id(8 bytes BE) row-text`.
///
/// It finds replicas that drifted apart. It is no defence against somebody who may write rows; the mutual TLS link is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Adds a row, or takes it away again: the same operation.
    pub fn toggle(&mut self, table: &str, id: u64, row: &str) {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(table.as_bytes());
        context.update(&[0]);
        context.update(&id.to_be_bytes());
        context.update(row.as_bytes());
        for (mine, theirs) in self.0.iter_mut().zip(context.finish().as_ref()) {
            *mine ^= theirs;
        }
    }

    /// The bytes, for storage.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From stored bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_hex(&text)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a digest is 64 hexadecimal digits"))
    }
}

/// Parses exactly 64 hexadecimal digits.
pub fn parse_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
