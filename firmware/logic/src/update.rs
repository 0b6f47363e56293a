//! The board's side of an update: it takes an image while everything goes on, starts anew with it when it is told to and nothing is
//! released, and stays with it only once it has spoken with its controller and seen its inputs.
//!
//! While a board starts anew its outputs are off, as the pin map says: a fail-safe lock holds by its supply, fire relay and
//! break-glass unit cut that in series, and no request to exit is answered until the version runs (a swap takes seconds).

use endpoints::vendor::firmware::Unfit;
use endpoints::vendor::{FromBoard, HoldUp, Stage, Update, What};
use endpoints::{Condition, LeafNow, Link, LockNow, Sense};
use osdp::{FileBlock, FileStatus};

use crate::board::Board;
use crate::job::{Done, FoundUpdate, Job, MAX_PIECE, Slot, Start};
use crate::panel::{Answer, Expected};

/// A version on trial stays when all has been well for so long, µs.
pub const GOOD_AFTER_US: u64 = 10_000_000;
/// A version on trial that has not found all well by then goes back, µs.
pub const TRIAL_US: u64 = 600_000_000;
/// From the answer to the start, µs: the controller gets it first.
const ANSWERED_WITHIN_US: u64 = 500_000;
/// The panel asks again whether the image is checked, ms.
const CHECK_MS: u16 = 100;

/// An update at this board.
#[derive(Clone, Debug)]
pub(crate) struct Updating {
    security: u32,
    slot: Slot,
    /// Bytes of the file being received, in order.
    received: u32,
    check: Check,
    course: Course,
    /// What became of the last one is told, and its image not needed any more.
    forget: bool,
}

/// Whether an image that was received is the right one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Check {
    Nothing,
    /// The storage is at it; what the file's length is.
    Running(u32),
    Passed(u32),
    Failed,
}

/// Where the board is between two versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Course {
    Settled,
    /// The bootloader is being told.
    Marking {
        image: u64,
        even_if_open: bool,
    },
    /// It starts anew as soon as it may, from then on.
    Leaving {
        image: u64,
        even_if_open: bool,
        from: u64,
    },
    /// On trial until then; all has been well since.
    Trial {
        until: u64,
        well_since: Option<u64>,
    },
    /// Being marked good.
    Staying {
        until: u64,
    },
}

impl Updating {
    pub(crate) const fn new() -> Updating {
        Updating {
            security: 0,
            slot: Slot::Never,
            received: 0,
            check: Check::Nothing,
            course: Course::Settled,
            forget: false,
        }
    }

    /// When to look next. What is due and held up waits for what holds it up, and not for time.
    pub(crate) fn deadline(&self, now: u64) -> Option<u64> {
        let at = match self.course {
            Course::Settled | Course::Marking { .. } | Course::Staying { .. } => return None,
            Course::Leaving { from, .. } => from,
            Course::Trial { until, well_since } => {
                well_since.map_or(until, |since| until.min(since + GOOD_AFTER_US))
            }
        };
        Some(at).filter(|at| *at > now)
    }

    /// A transfer was broken off.
    pub(crate) fn abort(&mut self) {
        self.received = 0;
        self.check = Check::Nothing;
    }
}

impl Board {
    /// Whether the board is to be started anew now: the caller resets it.
    pub fn wants_restart(&self, now: u64) -> bool {
        let kept = self.nothing_to_keep();
        match self.update.course {
            Course::Leaving { even_if_open, from, .. } => {
                from <= now && kept && self.hold_up(even_if_open).is_none()
            }
            // A version that cannot even hear its doors goes back when nobody is let through; whether the leaf is shut it may not know.
            Course::Trial { until, .. } => until <= now && self.hold_up(true).is_none(),
            Course::Settled | Course::Marking { .. } | Course::Staying { .. } => false,
        }
    }

    pub(crate) fn restore_update(&mut self, now: u64, found: FoundUpdate) {
        self.update.security = found.security;
        self.update.slot = found.slot;
        let firmware = self.setup.firmware;
        match found.start {
            Start::Usual => {}
            Start::Trial => {
                self.update.course = Course::Trial { until: now + TRIAL_US, well_since: None };
                self.record(now, What::UpdateTrial { firmware });
            }
            Start::Stayed => {
                self.record(now, What::UpdateGood { firmware });
                self.update.forget = true;
            }
            Start::Returned(tried) => {
                self.record(now, What::UpdateReturned { firmware: tried });
                self.update.forget = true;
            }
        }
    }

    /// Whether the version on trial has shown itself well by now.
    pub(crate) fn watch_trial(&mut self, now: u64) {
        let Course::Trial { until, well_since } = self.update.course else { return };
        let well_since = self.all_is_well().then_some(well_since.unwrap_or(now));
        self.update.course = Course::Trial { until, well_since };
        if well_since.is_some_and(|since| since + GOOD_AFTER_US <= now)
            && self.jobs.push_back(Job::MarkGood).is_ok()
        {
            self.update.course = Course::Staying { until };
        }
    }

    /// It spoke with its controller, over the channel that only that one has the key of; every input was read, and not all supervised
    /// lines say that they are broken, as they do when it is the converter.
    fn all_is_well(&self) -> bool {
        let inputs = self.shape().inputs;
        let heard = (0..inputs).all(|number| self.heard & 1 << number != 0);
        let mut supervised = (0..inputs).filter(|number| self.voltages & 1 << number != 0).peekable();
        let readable = supervised.peek().is_none()
            || supervised.any(|number| !matches!(self.sense(number), Sense::Cut | Sense::Short));
        self.link() == Link::Up && self.subscribed && heard && readable
    }

    /// The image is not needed any more once the log has what became of it.
    pub(crate) fn forgetting(&mut self) -> Option<Job> {
        core::mem::take(&mut self.update.forget).then_some(Job::ForgetImage)
    }

    /// A block of an image's file.
    pub(crate) fn image_block(&mut self, block: &FileBlock<'_>) -> Answer {
        let update = &mut self.update;
        if update.slot == Slot::Never {
            return Answer::File(FileStatus::UNKNOWN_KIND);
        }
        if update.course != Course::Settled {
            return Answer::File(FileStatus::ABORTED);
        }
        if block.data.is_empty() {
            return match update.check {
                Check::Running(total) if total == block.total => Answer::Wait(CHECK_MS),
                Check::Passed(total) if total == block.total => Answer::File(FileStatus::PROCESSED),
                Check::Failed => Answer::File(FileStatus::MALFORMED),
                Check::Nothing | Check::Running(_) | Check::Passed(_) => Answer::File(FileStatus::OK),
            };
        }
        let resumed =
            matches!(update.slot, Slot::Part { have, .. } if have == block.offset && update.received == 0);
        let right = block.offset == 0 || resumed || block.offset == update.received;
        let Ok(data) = heapless::Vec::<u8, MAX_PIECE>::from_slice(block.data) else {
            return Answer::File(FileStatus::ABORTED);
        };
        let end = block.offset.saturating_add(u32::try_from(data.len()).expect("at most MAX_PIECE"));
        if !right || end > block.total || matches!(update.check, Check::Running(_)) {
            update.received = 0;
            return Answer::File(FileStatus::ABORTED);
        }
        update.check = Check::Nothing;
        let job = Job::ImagePiece { offset: block.offset, total: block.total, data };
        self.later(Expected::ImagePiece { next: end, total: block.total }, job)
    }

    /// The storage has taken a piece, or not.
    pub(crate) fn image_piece_done(&mut self, now: u64, next: u32, total: u32, done: Done) -> Answer {
        if let Done::Unfit(why) = done {
            self.update.received = 0;
            self.record(now, What::UpdateRefused { why });
            return Answer::File(FileStatus::MALFORMED);
        }
        if let Done::ImagePart { image, have } = done {
            self.update.slot = Slot::Part { image, have };
        } else if done != Done::PieceTaken {
            self.update.received = 0;
            return Answer::File(FileStatus::ABORTED);
        }
        self.update.received = next;
        if next < total {
            return Answer::File(FileStatus::OK);
        }
        if self.jobs.push_back(Job::CheckImage).is_err() {
            return Answer::File(FileStatus::ABORTED);
        }
        self.update.check = Check::Running(total);
        Answer::Wait(CHECK_MS)
    }

    /// The storage has done what nobody waits for.
    pub(crate) fn update_job_done(&mut self, now: u64, done: &Done) {
        match (self.update.course, done) {
            (_, Done::ImageWhole { image, firmware }) => {
                self.update.slot = Slot::Whole { image: *image, firmware: *firmware };
                self.update.received = 0;
                if let Check::Running(total) = self.update.check {
                    self.update.check = Check::Passed(total);
                }
                self.record(now, What::UpdateReady { firmware: *firmware });
            }
            (_, Done::ImageForgotten) => {}
            (Course::Marking { image, even_if_open }, Done::Marked) => {
                self.update.course = Course::Leaving { image, even_if_open, from: now + ANSWERED_WITHIN_US };
            }
            (Course::Staying { .. }, Done::Marked) => {
                self.update.course = Course::Settled;
                self.record(now, What::UpdateGood { firmware: self.setup.firmware });
                self.update.forget = true;
            }
            // Flash failed at the mark: tried again until the trial is over.
            (Course::Staying { until }, _) => {
                self.update.course = Course::Trial { until, well_since: Some(now) }
            }
            (course, other) => {
                let why = if let Done::Unfit(why) = other { *why } else { Unfit::Flash };
                if let Course::Marking { .. } = course {
                    self.update.course = Course::Settled;
                }
                self.update.slot = Slot::Empty;
                self.update.received = 0;
                self.update.check = Check::Failed;
                self.record(now, What::UpdateRefused { why });
            }
        }
    }

    /// The controller wants the image started.
    pub(crate) fn install(&mut self, image: u64, even_if_open: bool) -> Answer {
        let whole = matches!(self.update.slot, Slot::Whole { image: kept, .. } if kept == image);
        let hold_up = match self.update.course {
            Course::Settled if !whole => Some(HoldUp::NoImage),
            Course::Settled => self.hold_up(even_if_open),
            Course::Trial { .. } | Course::Staying { .. } => Some(HoldUp::NoImage),
            Course::Marking { .. } | Course::Leaving { .. } => None,
        };
        if hold_up.is_none() && self.update.course == Course::Settled {
            if self.jobs.push_back(Job::MarkSwap { image }).is_err() {
                return Answer::Nak(osdp::NakCode::Record);
            }
            self.update.course = Course::Marking { image, even_if_open };
        }
        self.update_answer(hold_up)
    }

    /// How the update stands.
    pub(crate) fn update_answer(&self, hold_up: Option<HoldUp>) -> Answer {
        let stage = match (self.update.course, self.update.slot) {
            (Course::Trial { .. } | Course::Staying { .. }, _) => Stage::Trial,
            (Course::Marking { image, .. } | Course::Leaving { image, .. }, _) => Stage::Installing { image },
            (Course::Settled, Slot::Never) => Stage::Never,
            (Course::Settled, Slot::Empty) => Stage::Idle,
            (Course::Settled, Slot::Part { image, have }) => Stage::Receiving { image, have },
            (Course::Settled, Slot::Whole { image, .. }) => Stage::Ready { image },
        };
        let (running, security) = (self.setup.firmware, self.update.security);
        crate::panel::own(&FromBoard::Update(Update { running, security, stage, hold_up }))
    }

    /// Why the endpoint must not be left alone for a start.
    fn hold_up(&self, even_if_open: bool) -> Option<HoldUp> {
        let status = self.endpoint.status();
        let alarm = |it: &Condition| matches!(it, Condition::Fire | Condition::BreakGlass);
        match (status.lock, status.leaf) {
            _ if status.conditions.iter().any(alarm) => Some(HoldUp::LifeSafety),
            (LockNow::Released(_), _) => Some(HoldUp::Released),
            (LockNow::Locked, LeafNow::Open | LeafNow::Unknown) if !even_if_open => Some(HoldUp::Open),
            (LockNow::Locked, _) => None,
        }
    }
}
