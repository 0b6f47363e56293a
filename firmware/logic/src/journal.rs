//! Numbering events, keeping them until they are stored, and handing them to the controller until it acknowledges them.
//!
//! An event is told to the controller only once flash has it: after a power cut its number can then never mean another event. When
//! flash refuses an event, the board goes on from memory under an epoch of its own, numbered from 1, until it is started again.
//!
//! A controller that cannot write acknowledges nothing, and must still hear what happens: what was told leaves the window, for flash has
//! it, and the acknowledgement moves the log's mark alone. The oldest that are not acknowledged are told again from time to time, a few
//! at once; a controller that has all of them says up to where, one that takes them as new is told what came after them too.

use endpoints::vendor::{BoardEvent, What};
use heapless::Deque;

use crate::job::{Job, MAX_FETCH};

/// Events waiting for flash.
const WAITING: usize = 48;
/// Stored events at hand for the controller; the others are read back from flash. Without flash there are no others.
const WINDOW: usize = 16;
/// The oldest are told again after so long without an acknowledgement, µs.
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
    /// Told to the controller up to this one; what the window holds comes after it, but for a board without flash.
    told: u32,
    /// The newest told. More than `told` while the oldest are told again: then it goes on behind this one.
    newest_told: u32,
    /// The last one told again: acknowledged just up to here, it was new to the controller.
    retold: u32,
    /// Since when no acknowledgement has come for what was told, µs.
    quiet_since: u64,
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
            newest_told: 0,
            retold: 0,
            quiet_since: 0,
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
        self.window.clear();
        self.tell_again();
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
        let next = self.next();
        // Of what is told again, only one portion is read.
        let telling_again = self.told < self.newest_told;
        let room =
            if telling_again { self.window.is_empty() } else { WINDOW - self.window.len() >= MAX_FETCH };
        (room && !self.stalled && next <= self.stored).then_some(Job::Fetch { from: next })
    }

    /// The number after the last one at hand.
    fn next(&self) -> u32 {
        self.window.back().map_or(self.told, |e| e.seq) + 1
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
        let next = self.next();
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

    /// What flash has from this number on; what is wanted may be something else by now.
    pub(crate) fn fetched(&mut self, from: u32, events: &[BoardEvent]) {
        if from != self.next() {
            return;
        }
        if events.is_empty() {
            if from == self.acked + 1 {
                // They are gone for good; the controller sees by the numbers which.
                self.acked = self.stored;
                self.newest_told = self.stored;
            }
            self.fetch_failed();
        }
        for event in events {
            if event.seq >= self.next() {
                let _kept = self.window.push_back(*event);
            }
        }
    }

    /// What is told again and cannot be read holds up nothing that comes after it.
    pub(crate) fn fetch_failed(&mut self) {
        self.stalled = true;
        if self.told < self.newest_told && self.window.is_empty() {
            self.go_on_after(self.newest_told);
        }
    }

    pub(crate) fn ack_stored(&mut self, up_to: u32) {
        self.acked_in_flash = self.acked_in_flash.max(up_to);
    }

    /// The controller has all up to this number. Another epoch's, or one from the future, is ignored.
    pub(crate) fn acknowledge(&mut self, now: u64, epoch: u32, up_to: u32) {
        if epoch != self.epoch || up_to > self.stored || up_to <= self.acked {
            return;
        }
        self.acked = up_to;
        self.quiet_since = now;
        if up_to == self.retold {
            self.newest_told = up_to;
        }
        self.go_on_after(self.newest_told.max(up_to));
    }

    /// The controller begins anew: tell it everything after the last acknowledged one.
    pub(crate) fn tell_again(&mut self) {
        self.newest_told = self.acked;
        self.retold = 0;
        self.go_on_after(self.acked);
    }

    /// The next to tell is the one after this. A window in memory holds all that is not acknowledged, one of what is in flash only what
    /// joins on.
    fn go_on_after(&mut self, seq: u32) {
        self.told = seq;
        self.newest_told = self.newest_told.max(seq);
        let leaves = match self.keeping {
            Keeping::InFlash => seq,
            Keeping::InMemory => self.acked,
        };
        while self.window.front().is_some_and(|e| e.seq <= leaves) {
            self.window.pop_front();
        }
        if self.keeping == Keeping::InFlash && self.window.front().is_some_and(|e| e.seq != seq + 1) {
            self.window.clear();
        }
    }

    /// Stored events not yet told, or to be told again.
    pub(crate) fn untold(&mut self, now: u64) -> impl Iterator<Item = &BoardEvent> {
        while let (Keeping::InMemory, Some(fresh), false) =
            (self.keeping, self.waiting.front().copied(), self.window.is_full())
        {
            self.waiting.pop_front();
            self.took(self.numbered(fresh));
        }
        if self.newest_told > self.acked && now >= self.quiet_since + AGAIN_US {
            self.quiet_since = now;
            self.stalled = false;
            self.go_on_after(self.acked);
        }
        let told = self.told;
        self.window.iter().filter(move |e| e.seq > told)
    }

    pub(crate) fn told(&mut self, now: u64, up_to: u32) {
        if self.newest_told == self.acked {
            self.quiet_since = now;
        }
        let again = up_to <= self.newest_told;
        if again {
            self.retold = up_to;
        }
        self.go_on_after(up_to);
        if again && self.window.is_empty() {
            self.go_on_after(self.newest_told);
        }
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        (self.newest_told > self.acked).then_some(self.quiet_since + AGAIN_US)
    }
}
