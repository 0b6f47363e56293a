//! What the board and the emulator say on standard error.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::EmulatorError;

/// Lines kept; older ones are forgotten.
const KEPT: usize = 1000;

#[derive(Default)]
struct Lines {
    lines: VecDeque<(Instant, String)>,
    ended: bool,
}

/// The lines so far, and a bell for the next.
#[derive(Default)]
pub(crate) struct Console {
    lines: Mutex<Lines>,
    arrived: Condvar,
}

impl Console {
    pub(crate) fn reading(from: impl Read + Send + 'static) -> Arc<Self> {
        let console = Arc::new(Self::default());
        let fill = Arc::clone(&console);
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                let mut kept = fill.lines.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.lines.len() == KEPT {
                    kept.lines.pop_front();
                }
                kept.lines.push_back((Instant::now(), line));
                fill.arrived.notify_all();
            }
            fill.lines.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
            fill.arrived.notify_all();
        });
        console
    }

    pub(crate) fn text(&self) -> String {
        let kept = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        kept.lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// When a line containing `words` came, at or after `since`; waits for it.
    pub(crate) fn wait(
        &self,
        words: &str,
        since: Instant,
        within: Duration,
    ) -> Result<(Instant, String), EmulatorError> {
        let deadline = Instant::now() + within;
        let mut kept = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = kept.lines.iter().find(|(at, line)| *at >= since && line.contains(words)) {
                return Ok(found.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || kept.ended {
                let said = kept.lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join(" | ");
                return Err(EmulatorError::Timeout {
                    what: format!("`{words}` on the console ({said})"),
                    within,
                });
            }
            kept = self.arrived.wait_timeout(kept, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
