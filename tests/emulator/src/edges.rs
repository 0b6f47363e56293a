//! The edges of the streamed port, with the host's time.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Edges kept; older ones are forgotten.
const KEPT: usize = 10_000;

/// An output's change of level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The output's function.
    pub output: String,
    /// Whether it is now on (at its active level).
    pub on: bool,
    /// When the host saw it.
    pub at: Instant,
}

/// One raw edge: pin number of the streamed port, level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawEdge {
    pub(crate) number: u8,
    pub(crate) high: bool,
    pub(crate) at: Instant,
}

#[derive(Default)]
pub(crate) struct Edges {
    log: Mutex<VecDeque<RawEdge>>,
    arrived: Condvar,
}

impl Edges {
    pub(crate) fn push(&self, edge: RawEdge) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == KEPT {
            log.pop_front();
        }
        log.push_back(edge);
        self.arrived.notify_all();
    }

    pub(crate) fn since(&self, since: Instant) -> Vec<RawEdge> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().filter(|edge| edge.at >= since).copied().collect()
    }

    /// The first edge of pin `number` to `high` at or after `since`; waits for it, none when it does not come.
    pub(crate) fn wait(&self, number: u8, high: bool, since: Instant, within: Duration) -> Option<Instant> {
        let deadline = Instant::now() + within;
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let found =
                log.iter().find(|edge| edge.at >= since && edge.number == number && edge.high == high);
            if let Some(edge) = found {
                return Some(edge.at);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            log = self.arrived.wait_timeout(log, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
