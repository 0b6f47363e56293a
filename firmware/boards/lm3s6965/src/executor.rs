//! Runs the tasks and sleeps by WFI in between. (The executor's own loop sleeps by WFE, which QEMU does not: it burns a
//! core of the host for each board.)
#![expect(
    unsafe_code,
    reason = "the raw executor's contract: one poller, polled again after each call of the pender"
)]

use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::interrupt;
use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

static WORK: AtomicBool = AtomicBool::new(false);
static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();

#[unsafe(export_name = "__pender")]
fn pend(_context: *mut ()) {
    WORK.store(true, Ordering::Release);
}

/// Spawns what `start` spawns and runs it for ever. Call it once.
pub fn run(start: impl FnOnce(Spawner)) -> ! {
    let executor = EXECUTOR.init(raw::Executor::new(core::ptr::null_mut()));
    start(executor.spawner());
    loop {
        // SAFETY: polled from here alone, and never from inside a task.
        unsafe { executor.poll() };
        // With interrupts masked nothing can pend between the look and the sleep; WFI wakes for a masked interrupt too.
        interrupt::disable();
        if !WORK.swap(false, Ordering::Acquire) {
            cortex_m::asm::wfi();
        }
        // SAFETY: not inside a critical section.
        unsafe { interrupt::enable() };
    }
}
