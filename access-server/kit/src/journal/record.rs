//! What one record holds, and the bytes its hash is taken over.

use ring::digest::{Context, SHA256};
use serde::de::DeserializeOwned;

use crate::clock::Micros;

/// A SHA-256 hash.
pub(crate) type Hash = [u8; 32];

/// What stands before the first record.
pub(crate) const GENESIS: Hash = [0; 32];

/// The numbered streams a source has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Alarms and what operators wait for: goes first.
    Urgent,
    /// Everything else a device reports.
    Bulk,
    /// What the server itself records: operators' actions, alarms it raised.
    Own,
}

impl Stream {
    /// The word used in rows and topics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Bulk => "bulk",
            Self::Own => "own",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Urgent, Self::Bulk, Self::Own].into_iter().find(|stream| stream.as_str() == word)
    }
}

/// An event as its source told it, before it has a place in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The source's certificate name; `server` for the server itself.
    pub source: String,
    /// The source's epoch.
    pub epoch: u32,
    /// Which of its streams.
    pub stream: Stream,
    /// Its number in the stream, from 1, without gaps.
    pub number: u64,
    /// When it happened, by the source's clock.
    pub at: Micros,
    /// What it is, as `passage.granted`.
    pub kind: String,
    /// JSON, kept byte for byte.
    pub body: String,
}

/// An event with its place in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place: 1, 2, 3 … without gaps over all sources.
    pub seq: u64,
    /// When the server took it in.
    pub received: Micros,
    /// The source's certificate name; `server` for the server itself.
    pub source: String,
    /// The source's epoch.
    pub epoch: u32,
    /// Which of its streams.
    pub stream: Stream,
    /// Its number in the stream.
    pub number: u64,
    /// When it happened, by the source's clock.
    pub at: Micros,
    /// What it is.
    pub kind: String,
    /// JSON.
    pub body: String,
}

impl StoredEvent {
    /// Reads the body as what its kind promises; `None` where it is something else.
    #[must_use]
    pub fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.body).ok()
    }

    pub(crate) fn placed(event: NewEvent, seq: u64, received: Micros) -> Self {
        let NewEvent { source, epoch, stream, number, at, kind, body } = event;
        Self { seq, received, source, epoch, stream, number, at, kind, body }
    }

    /// The record's hash: SHA-256 over a version tag, the hash before, and every field in the order of the struct,
    /// numbers as 8 bytes big-endian, texts preceded by their length in 8 bytes.
    pub(crate) fn hash(&self, prev: &Hash) -> Hash {
        let mut context = Context::new(&SHA256);
        let mut bytes = Vec::with_capacity(192 + self.body.len());
        bytes.extend_from_slice(b"gatehouse/journal/1\0");
        bytes.extend_from_slice(prev);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.received.to_be_bytes());
        text(&mut bytes, &self.source);
        bytes.extend_from_slice(&u64::from(self.epoch).to_be_bytes());
        text(&mut bytes, self.stream.as_str());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.at.to_be_bytes());
        text(&mut bytes, &self.kind);
        text(&mut bytes, &self.body);
        context.update(&bytes);
        context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> StoredEvent {
        StoredEvent {
            seq: 7,
            received: 2,
            source: "controller-1".into(),
            epoch: 3,
            stream: Stream::Bulk,
            number: 4,
            at: 1,
            kind: "door.opened".into(),
            body: "{\"door\":1}".into(),
        }
    }

    #[test]
    fn the_encoding_is_frozen() {
        let hex: String = record().hash(&GENESIS).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "54e0738b26c105f545772887ddff0ef0cfc5140d0d451a910c66e17fc196dbb4");
    }

    #[test]
    fn moving_a_letter_between_fields_changes_the_hash() {
        let mut moved = record();
        moved.kind = "door.opene".into();
        moved.body = format!("d{}", moved.body);
        assert_ne!(moved.hash(&GENESIS), record().hash(&GENESIS));
    }
}
