//! Numbering events, keeping them until they are stored, and handing them to the controller until it acknowledges them.
//!
//! An event is told to the controller only once flash has it: after a power cut its number can then never mean another event. When
//! flash refuses an event, the board goes on from memory under an epoch of its own, numbered from 1, until it is started again.

use endpoints::vendor::{BoardEvent, What};
use heapless::Deque;

use crate::job::{Job, MAX_FETCH};

/// Events waiting for flash.
const WAITING: usize = 48;
/// Stored events at hand for the controller; the others are read back from flash.
const WINDOW: usize = 16;
/// The controller is told again after so long without an acknowledgement, µs.
const AGAIN_US: u64 = 2_000_000;

/// What happened, not yet numbered.
#[derive(Clone, Copy, Debug)]
struct Fresh {
    at: u64,
    utc_us: Option<i64>,
    what: What,
}

#[derive(Clone, Debug)]
pub(crate) struct Journal {
    waiting: Deque<Fresh, WAITING>,
    /// Events dropped because flash did not follow.
    lost: u32,
    window: Deque<BoardEvent, WINDOW>,
    boot: u16,
    epoch: u32,
    oldest: u32,
    stored: u32,
    acked: u32,
    acked_in_flash: u32,
    /// Told to the controller up to this one, and when.
    told: u32,
    told_at: u64,
    /// Flash could not be read: not again before it took something.
    stalled: bool,
    keeping: Keeping,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Keeping {
    InFlash,
    /// Flash refused an event.
    InMemory,
}

impl Journal {
    pub(crate) const fn new() -> Journal {
        Journal {
            waiting: Deque::new(),
            lost: 0,
            window: Deque::new(),
            boot: 0,
            epoch: 0,
            oldest: 0,
            stored: 0,
            acked: 0,
            acked_in_flash: 0,
            told: 0,
            told_at: 0,
            stalled: false,
            keeping: Keeping::InFlash,
        }
    }

    pub(crate) fn restore(&mut self, boot: u16, epoch: u32, oldest: u32, newest: u32, acked: u32) {
        self.boot = boot;
        self.epoch = epoch;
        self.oldest = oldest;
        self.stored = newest;
        self.acked = acked.min(newest);
        self.acked_in_flash = self.acked;
        self.told = self.acked;
        self.window.clear();
    }

    pub(crate) fn record(&mut self, now: u64, utc_us: Option<i64>, what: What) {
        let fresh = Fresh { at: now, utc_us, what };
        if self.waiting.push_back(fresh).is_err() {
            self.lost = self.lost.saturating_add(1);
        }
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    pub(crate) fn boot(&self) -> u16 {
        self.boot
    }

    /// Oldest and newest kept, and acknowledged up to.
    pub(crate) fn marks(&self) -> (u32, u32, u32) {
        (self.oldest, self.stored, self.acked)
    }

    /// The number of the newest event recorded, in flash or not yet.
    pub(crate) fn recorded(&self) -> u32 {
        self.stored + u32::try_from(self.waiting.len()).expect("a few dozen")
    }

    /// The next thing flash should do for the log.
    pub(crate) fn job(&self) -> Option<Job> {
        if self.keeping == Keeping::InMemory {
            return None;
        }
        if let Some(fresh) = self.waiting.front() {
            return Some(Job::Append(self.numbered(*fresh)));
        }
        if self.acked > self.acked_in_flash {
            return Some(Job::Acked { up_to: self.acked });
        }
        let next = self.window.back().map_or(self.acked, |e| e.seq) + 1;
        let room = WINDOW - self.window.len() >= MAX_FETCH;
        (room && !self.stalled && next <= self.stored).then_some(Job::Fetch { from: next })
    }

    /// The event given out by [`Journal::job`] is in flash; `oldest` is the oldest there.
    pub(crate) fn appended(&mut self, event: BoardEvent, oldest: u32) {
        self.waiting.pop_front();
        self.oldest = oldest;
        self.stalled = false;
        self.took(event);
    }

    /// Flash refused the event given out by [`Journal::job`]: from now on memory must do. Nothing already told gets another meaning,
    /// for the epoch is another one.
    pub(crate) fn append_failed(&mut self) {
        self.keeping = Keeping::InMemory;
        let start = u32::from(self.boot) << 16 | 0x8000_0000;
        self.restore(self.boot, self.epoch.rotate_left(7) ^ start, 1, 0, 0);
    }

    fn numbered(&self, fresh: Fresh) -> BoardEvent {
        BoardEvent {
            seq: self.stored + 1,
            boot: self.boot,
            uptime_ms: fresh.at / 1000,
            utc_us: fresh.utc_us,
            what: fresh.what,
        }
    }

    fn took(&mut self, event: BoardEvent) {
        let next = self.window.back().map_or(self.acked, |e| e.seq) + 1;
        self.stored = event.seq;
        if event.seq == next {
            // When the window is full, it is read back later.
            let _kept = self.window.push_back(event);
        }
        if self.lost > 0 && !self.waiting.is_full() {
            let count = core::mem::take(&mut self.lost);
            let at = event.uptime_ms * 1000;
            self.record(at, event.utc_us, What::Lost { count });
        }
    }

    pub(crate) fn fetched(&mut self, events: &[BoardEvent]) {
        if events.is_empty() {
            self.stalled = true;
            if self.window.is_empty() {
                // They are gone for good; the controller sees by the numbers which.
                self.acked = self.stored;
            }
        }
        for event in events {
            if event.seq > self.window.back().map_or(self.acked, |e| e.seq) {
                let _kept = self.window.push_back(*event);
            }
        }
    }

    pub(crate) fn fetch_failed(&mut self) {
        self.stalled = true;
    }

    pub(crate) fn ack_stored(&mut self, up_to: u32) {
        self.acked_in_flash = self.acked_in_flash.max(up_to);
    }

    /// The controller has all up to this number. Another epoch's, or one from the future, is ignored.
    pub(crate) fn acknowledge(&mut self, epoch: u32, up_to: u32) {
        if epoch != self.epoch || up_to > self.stored || up_to <= self.acked {
            return;
        }
        self.acked = up_to;
        while self.window.front().is_some_and(|e| e.seq <= up_to) {
            self.window.pop_front();
        }
    }

    /// The controller begins anew: tell it everything after the last acknowledged one.
    pub(crate) fn tell_again(&mut self) {
        self.told = self.acked;
    }

    /// Stored events not yet told.
    pub(crate) fn untold(&mut self, now: u64) -> impl Iterator<Item = &BoardEvent> {
        while let (Keeping::InMemory, Some(fresh), false) =
            (self.keeping, self.waiting.front().copied(), self.window.is_full())
        {
            self.waiting.pop_front();
            self.took(self.numbered(fresh));
        }
        if self.told > self.acked && now >= self.told_at + AGAIN_US {
            self.told = self.acked;
        }
        let told = self.told;
        self.window.iter().filter(move |e| e.seq > told)
    }

    pub(crate) fn told(&mut self, now: u64, up_to: u32) {
        self.told = up_to;
        self.told_at = now;
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        (self.told > self.acked).then_some(self.told_at + AGAIN_US)
    }
}
