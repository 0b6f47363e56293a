//! The watchdog. It resets the board when it was not fed for its time; once started it cannot be stopped.

use crate::clock::CORE_HZ;
use crate::mmio::Register;

const LOAD: Register = Register::at(0x4000_0000);
const CONTROL: Register = Register::at(0x4000_0008);
const CLEAR: Register = Register::at(0x4000_000C);
const COUNT_AND_RESET: u32 = 0b11;

/// A started watchdog.
pub struct Watchdog(());

impl Watchdog {
    /// Starts it. The device counts down twice (the first end is an interrupt, which nobody takes, the second the reset), so
    /// each count is half of `milliseconds` (2..=1,000,000).
    pub(crate) fn start(milliseconds: u32) -> Self {
        LOAD.write(milliseconds / 2 * (CORE_HZ / 1000));
        CONTROL.write(COUNT_AND_RESET);
        Self(())
    }

    /// Counts from the top again.
    pub fn feed(&mut self) {
        CLEAR.write(1);
    }
}
