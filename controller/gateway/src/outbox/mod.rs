//! The outbox: events in two numbered streams, kept until the *server* says that it has committed them, and what the
//! controller must remember across a restart, written in the same transaction.
//!
//! One task writes ([`Writer`]): whatever is queued goes into one commit, and a commit is on the disk (`synchronous = FULL`)
//! before anybody is told. Acknowledged rows stay in a ring of [`RING`] a door. The sender reads through a connection of its
//! own ([`Reader`]), so that a reconnect after a long outage never stands in the way of a door.
//!
//! A server that was restored from a backup has less than it acknowledged. What it lacks goes again from the ring
//! ([`Job::ServerHas`]); where the ring does not reach back so far, an event names what is gone, and the stream goes on
//! in a new epoch with everything that is not.

mod epoch;
mod reader;
mod ring;
mod schema;
mod writer;

use std::path::PathBuf;

use thiserror::Error;
use uplink::event::{Body, Stream};

pub use reader::Reader;
pub use writer::Writer;

/// Acknowledged events kept for each door (GB 50396-2007 5.2.2 wants 1,000 records).
pub const RING: u64 = 1_000;
/// Urgent events find room for so many more when everyday ones have filled the outbox: the alarm that says so is one of them.
pub const URGENT_ROOM: u64 = 10_000;

/// Where and how large.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database file.
    pub path: PathBuf,
    /// How many events may wait for the server.
    pub limit: u64,
    /// A limit in database pages of 4 KiB, as a full disk would be one; none outside tests.
    pub max_pages: Option<u32>,
}

/// Something to write in one transaction.
#[derive(Debug)]
pub struct Write {
    /// Comes back in [`Written`].
    pub token: u64,
    /// In the order they happened.
    pub events: Vec<Entry>,
    /// What to remember or forget.
    pub kept: Vec<Kept>,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When it happened: UTC, microseconds.
    pub at: i64,
    /// What happened.
    pub body: Body,
}

/// One thing remembered across restarts, by kind and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What kind of thing.
    pub kind: &'static str,
    /// Which.
    pub key: String,
    /// JSON; `None` forgets it.
    pub value: Option<String>,
}

/// What became of a [`Write`].
#[derive(Debug)]
pub struct Written {
    /// Copied from it.
    pub token: u64,
    /// Whether it is on the disk.
    pub result: Result<(), OutboxError>,
}

/// A job for the writer.
#[derive(Debug)]
pub enum Job {
    /// Write these.
    Write(Write),
    /// The server has committed everything of this stream up to that number.
    Acknowledged {
        /// Which stream.
        stream: Stream,
        /// Up to where.
        up_to: u64,
    },
    /// The server has only this much of a stream, though it acknowledged more: it was set back.
    ServerHas {
        /// Which stream.
        stream: Stream,
        /// Up to where.
        up_to: u64,
        /// When that was found: UTC, microseconds.
        at: i64,
    },
    /// The server has numbers of a stream's epoch that were never given: this database was set back.
    SetBack {
        /// Which stream.
        stream: Stream,
        /// When that was found: UTC, microseconds.
        at: i64,
    },
}

/// How far the streams are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// Of urgent and bulk: another one whenever the database was created anew, or the server and it do not fit together
    /// in that stream any more.
    pub epoch: [u32; 2],
    /// Highest number given in that epoch, urgent and bulk.
    pub last: [u64; 2],
    /// Acknowledged up to here, urgent and bulk. Goes back when the server was set back.
    pub acked: [u64; 2],
}

/// Why the outbox did not take something.
#[derive(Debug, Error)]
pub enum OutboxError {
    /// As many events as allowed wait for the server.
    #[error("the outbox is full: {0} events wait for the server")]
    Full(u64),
    /// The database failed.
    #[error("the outbox database failed")]
    Database(#[from] sqlx::Error),
    /// The writer is behind or gone.
    #[error("the outbox does not keep up")]
    Busy,
}

/// A stream's place in [`Levels`].
pub fn index(stream: Stream) -> usize {
    match stream {
        Stream::Urgent => 0,
        Stream::Bulk => 1,
    }
}

impl Levels {
    /// Events that wait for the server.
    pub fn waiting(&self, stream: Stream) -> u64 {
        self.last[index(stream)] - self.acked[index(stream)]
    }
}

/// The door an event is about, for the ring.
fn door(body: &Body) -> Option<u64> {
    match body {
        Body::Access(access) => Some(access.door),
        Body::Door(door) => Some(door.door),
        Body::Fire(fire) => fire.door,
        Body::Board(_) | Body::Controller(_) | Body::Camera(_) | Body::Command(_) => None,
    }
}

#[cfg(test)]
mod tests;
