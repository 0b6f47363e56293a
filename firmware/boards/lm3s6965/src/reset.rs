//! Why the board started: a mark in memory that no start-up code clears.
#![expect(
    unsafe_code,
    reason = "memory that keeps its contents over a reset is outside what the language knows"
)]

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

const RUNNING: u32 = 0x5AFE_0001;
const PANICKED: u32 = 0x5AFE_0002;

#[repr(transparent)]
struct Mark(UnsafeCell<MaybeUninit<u32>>);

// SAFETY: read once at start and written by whole words, one processor.
unsafe impl Sync for Mark {}

#[unsafe(link_section = ".uninit.reset_mark")]
static MARK: Mark = Mark(UnsafeCell::new(MaybeUninit::uninit()));

/// Why the board started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Power came.
    Power,
    /// The program ran and did not end by itself: the watchdog, or a reset from outside.
    Watchdog,
    /// The program panicked.
    Panic,
}

/// Reads the mark of the last run and sets the one of this run.
pub(crate) fn cause() -> Reset {
    // SAFETY: any value of the word is a valid u32, and volatile keeps the compiler from reasoning about it.
    let mark = unsafe { MARK.0.get().cast::<u32>().read_volatile() };
    set(RUNNING);
    match mark {
        RUNNING => Reset::Watchdog,
        PANICKED => Reset::Panic,
        _ => Reset::Power,
    }
}

pub(crate) fn panicked() {
    set(PANICKED);
}

fn set(mark: u32) {
    // SAFETY: an aligned word of our own.
    unsafe { MARK.0.get().cast::<u32>().write_volatile(mark) };
}
