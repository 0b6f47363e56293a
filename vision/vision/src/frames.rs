//! The newest frame of a camera. Whoever is slow misses frames; nobody ever sees an old one.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Moment;
use crate::look::Picture;

/// One picture and when it came out of the decoder.
pub struct Frame {
    /// The picture.
    pub picture: Picture,
    /// When it was there.
    pub captured: Moment,
}

/// A place for one frame.
#[derive(Default)]
pub struct Newest {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    frame: Option<Frame>,
    last: Option<Instant>,
    missed: u64,
    closed: bool,
}

impl Newest {
    /// Puts a frame in place of whatever lies there.
    pub fn put(&self, frame: Frame) {
        let mut state = self.lock();
        state.last = Some(frame.captured.instant);
        if state.frame.replace(frame).is_some() {
            state.missed += 1;
        }
        self.arrived.notify_one();
    }

    /// Takes the frame, waiting for one at most this long.
    pub fn take(&self, wait: Duration) -> Option<Frame> {
        let (mut state, _) = self
            .arrived
            .wait_timeout_while(self.lock(), wait, |state| state.frame.is_none() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        state.frame.take()
    }

    /// When the last frame came, if ever one did.
    pub fn last(&self) -> Option<Instant> {
        self.lock().last
    }

    /// Frames that a newer one pushed out before anybody looked.
    pub fn missed(&self) -> u64 {
        self.lock().missed
    }

    /// No more frames: whoever waits goes on at once.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A frame half replaced is not possible: every change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
