//! The door by which events enter the journal.
//!
//! Whatever is queued goes into one commit. An event is taken once: by its source's numbering, which the database
//! guards besides. A gap is never skipped: what comes after it is held back for a while, and the acknowledgement says
//! how far each stream is complete. Slices react in the same transaction. Nothing is told, to the device or to a
//! reader, before the commit.

mod order;
mod react;
mod run;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use react::{Reacting, Reaction, Reactions};
pub use run::{Broken, run};
use sqlx::AnyPool;
use tokio::sync::{mpsc, watch};

use crate::clock::Micros;
use crate::journal::{NewEvent, Stream};

crate::statements! {
    POSITION = "SELECT number FROM stream_position WHERE source = $1 AND epoch = $2 AND stream = $3";
    POSITIONS = "SELECT source, epoch, stream, number FROM stream_position ORDER BY source, epoch, stream";
    ADVANCE = "INSERT INTO stream_position (source, epoch, stream, number) VALUES ($1, $2, $3, $4) ON CONFLICT (source, epoch, stream) DO UPDATE SET number = excluded.number";
}

/// One numbered stream of one source in one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// The source's certificate name.
    pub source: String,
    /// Its epoch.
    pub epoch: u32,
    /// Which stream.
    pub stream: Stream,
}

/// How far each lane is complete, by source and epoch.
///
/// # Errors
/// When the database fails.
pub async fn positions(pool: &AnyPool) -> Result<Vec<(Lane, u64)>, sqlx::Error> {
    let rows: Vec<(String, i64, String, i64)> = sqlx::query_as(POSITIONS).fetch_all(pool).await?;
    rows.into_iter()
        .map(|(source, epoch, stream, number)| {
            let epoch = u32::try_from(epoch).map_err(|error| sqlx::Error::Decode(error.into()))?;
            let stream =
                Stream::parse(&stream).ok_or_else(|| sqlx::Error::Decode("an unknown stream".into()))?;
            Ok((Lane { source, epoch, stream }, number.cast_unsigned()))
        })
        .collect()
}

/// Events as they came, and what is handed back once they are safe.
#[derive(Debug)]
pub struct Offer<T> {
    /// Where they belong: the answer names this lane even when nothing was new.
    pub lane: Lane,
    /// The events, in any order.
    pub events: Vec<NewEvent>,
    /// Handed back in [`Committed`]: what the broker waits for.
    pub token: T,
}

/// What one commit made safe.
#[derive(Debug)]
pub struct Committed<T> {
    /// How far each lane that was offered is complete: nothing up to and with this number is missing. It may be less
    /// than was said before, when another database took over and did not have everything.
    pub complete: Vec<(Lane, u64)>,
    /// The tokens of the offers; those whose events came after a gap too: the source sends them again.
    pub tokens: Vec<T>,
}

/// Whether events are being taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Events are taken.
    Working,
    /// The disk is full: nothing is acknowledged, the sources keep their events.
    Full {
        /// Since when.
        since: Micros,
    },
    /// The database does not answer: nothing is acknowledged, the sources keep their events.
    Away {
        /// Since when.
        since: Micros,
    },
    /// The disk did not keep what it was told to, or the database has rows or statements it cannot have: the process
    /// must end, nothing is acknowledged any more.
    Broken {
        /// Since when.
        since: Micros,
    },
}

/// Counts since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Journaled.
    pub accepted: u64,
    /// Had been journaled before.
    pub duplicates: u64,
    /// Came after a gap, and were not there when it closed.
    pub ahead: u64,
    /// Payloads that could not be read.
    pub malformed: u64,
    /// Commits.
    pub commits: u64,
    /// Events that a slice's reaction failed on; they are journaled all the same.
    pub unreacted: u64,
}

/// What others may see of the ingest, and how they hand it events. Cheap to clone.
#[derive(Debug)]
pub struct Ingest<T> {
    queue: mpsc::Sender<Offer<T>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    counts: [AtomicU64; 6],
    condition: watch::Sender<Condition>,
    named: Mutex<HashMap<String, u64>>,
}

/// The receiving end, for [`run`].
#[derive(Debug)]
pub struct Queue<T> {
    offers: mpsc::Receiver<Offer<T>>,
    shared: Arc<Shared>,
}

/// Sources that malformed payloads are counted for one by one.
const NAMED: usize = 10_000;

/// A queue of so many offers. One that is full refuses: what is not acknowledged comes again.
#[must_use]
pub fn queue<T>(offers: usize) -> (Ingest<T>, Queue<T>) {
    let (sender, receiver) = mpsc::channel(offers);
    let shared = Arc::new(Shared {
        counts: Default::default(),
        condition: watch::Sender::new(Condition::Working),
        named: Mutex::default(),
    });
    (Ingest { queue: sender, shared: Arc::clone(&shared) }, Queue { offers: receiver, shared })
}

impl<T> Clone for Ingest<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<T> Ingest<T> {
    /// Hands over events without waiting.
    ///
    /// # Errors
    /// Gives the offer back when the queue is full or the ingest has ended: it must not be acknowledged.
    pub fn offer(&self, offer: Offer<T>) -> Result<(), Offer<T>> {
        self.queue.try_send(offer).map_err(|error| match error {
            mpsc::error::TrySendError::Full(offer) | mpsc::error::TrySendError::Closed(offer) => offer,
        })
    }

    /// Counts a payload that could not be read; true the first time for this source, when it is to be logged.
    pub fn malformed(&self, source: &str) -> bool {
        self.shared.add(Count::Malformed, 1);
        let mut named = self.shared.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() >= NAMED && !named.contains_key(source) {
            return false;
        }
        let count = named.entry(source.to_owned()).or_insert(0);
        *count += 1;
        *count == 1
    }

    /// Whether events are being taken, now and whenever that changes.
    #[must_use]
    pub fn condition(&self) -> watch::Receiver<Condition> {
        self.shared.condition.subscribe()
    }

    /// Counts since the process started.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let at = |count: Count| self.shared.counts[count as usize].load(Ordering::Relaxed);
        Counts {
            accepted: at(Count::Accepted),
            duplicates: at(Count::Duplicates),
            ahead: at(Count::Ahead),
            malformed: at(Count::Malformed),
            commits: at(Count::Commits),
            unreacted: at(Count::Unreacted),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Count {
    Accepted,
    Duplicates,
    Ahead,
    Malformed,
    Commits,
    Unreacted,
}

impl Shared {
    fn add(&self, count: Count, by: u64) {
        self.counts[count as usize].fetch_add(by, Ordering::Relaxed);
    }
}
