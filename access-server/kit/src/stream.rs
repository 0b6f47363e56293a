//! What is journaled, told to whoever watches, as it is committed.
//!
//! A reader that begins with a place in the journal is first given what it missed. One that falls more than
//! [`RING`] records behind is dropped, never waited for: it comes back with the last place it saw.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::AnyPool;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::journal::{StoredEvent, events_after, newest};
use crate::problem::chain;

/// Records a reader may fall behind.
pub const RING: usize = 4096;
/// Records a returning reader is given again at most; older ones are for the event search.
pub const REPLAY: u64 = 10_000;
const PAGE: u32 = 256;
/// Between tries to read a journal that does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// The stream of journaled events.
#[derive(Clone, Debug)]
pub struct EventStream {
    sender: broadcast::Sender<Arc<StoredEvent>>,
    pool: AnyPool,
    /// The last record told; 0 before the first.
    told: Arc<AtomicU64>,
}

impl EventStream {
    pub(crate) fn new(pool: AnyPool) -> Self {
        Self { sender: broadcast::channel(RING).0, pool, told: Arc::default() }
    }

    pub(crate) fn tell(&self, event: Arc<StoredEvent>) {
        self.told.fetch_max(event.seq, Ordering::SeqCst);
        // An error means that nobody watches.
        let _ = self.sender.send(event);
    }

    /// Tells what another process journaled (an import on the command line); called from time to time. A record told
    /// twice reaches each reader once.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn catch_up(&self) -> Result<(), sqlx::Error> {
        let end = newest(&self.pool).await?;
        let mut told = self.told.load(Ordering::SeqCst);
        if told == 0 {
            // What was there before this process is for readers who ask for it.
            self.told.fetch_max(end, Ordering::SeqCst);
            return Ok(());
        }
        while told < end {
            let page = events_after(&self.pool, told, PAGE).await?;
            let Some(last) = page.last().map(|event| event.seq) else { break };
            page.into_iter().for_each(|event| self.tell(event));
            told = last;
        }
        Ok(())
    }

    /// Begins reading: after the place given, or with what comes next.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn subscribe(&self, after: Option<u64>) -> Result<Reader, sqlx::Error> {
        // First listen, then look where the journal ends: nothing falls between.
        let live = self.sender.subscribe();
        let end = newest(&self.pool).await?;
        let last = after.unwrap_or(end).min(end).max(end.saturating_sub(REPLAY));
        Ok(Reader { live, pool: self.pool.clone(), last, until: end, held: VecDeque::new() })
    }
}

/// One reader of the stream.
#[derive(Debug)]
pub struct Reader {
    live: broadcast::Receiver<Arc<StoredEvent>>,
    pool: AnyPool,
    last: u64,
    until: u64,
    held: VecDeque<Arc<StoredEvent>>,
}

impl Reader {
    /// The next record, in the journal's order; `None` when this reader fell too far behind: begin again after the last
    /// one seen. A journal that cannot be read is waited for. May be dropped while waiting without losing a record.
    pub async fn next(&mut self) -> Option<Arc<StoredEvent>> {
        loop {
            if let Some(event) = self.held.pop_front() {
                if event.seq <= self.last {
                    continue;
                }
                self.last = event.seq;
                return Some(event);
            }
            if self.last < self.until {
                match events_after(&self.pool, self.last, PAGE).await {
                    Ok(page) => self.held.extend(page),
                    Err(error) => {
                        tracing::debug!(error = %chain(&error), "the journal could not be read; trying again");
                        tokio::time::sleep(RETRY).await;
                        continue;
                    }
                }
                if self.held.is_empty() {
                    self.until = self.last;
                }
                continue;
            }
            let event = match self.live.recv().await {
                Ok(event) => event,
                Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
            };
            if event.seq > self.last + 1 {
                // Another process journaled in between (an operator added on the command line): read it from there.
                self.until = event.seq;
            } else {
                self.held.push_back(event);
            }
        }
    }
}
