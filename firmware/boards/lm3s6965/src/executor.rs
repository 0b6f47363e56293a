//! Two executors: one in thread mode that sleeps by WFI, and one in an interrupt, above it. (embassy's own loop sleeps by WFE, which
//! QEMU does not: it burns a core of the host for each board.)
#![expect(
    unsafe_code,
    reason = "the raw executor's contract: one poller, polled again after each call of the pender"
)]

use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use cortex_m::interrupt;
use cortex_m::peripheral::NVIC;
use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

use crate::vectors::{Interrupt, unmask};

/// The executors' contexts, by which the pender knows them.
const THREAD: usize = 0;
const ABOVE: usize = 1;

static WORK: AtomicBool = AtomicBool::new(false);
static THREAD_EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
static ABOVE_EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
static ABOVE_RUNNING: AtomicPtr<raw::Executor> = AtomicPtr::new(core::ptr::null_mut());

#[unsafe(export_name = "__pender")]
fn pend(context: *mut ()) {
    if context as usize == THREAD {
        WORK.store(true, Ordering::Release);
    } else {
        NVIC::pend(Interrupt::Above);
    }
}

/// Spawns what `start` spawns and runs it from now on in an interrupt: it interrupts what [`run`] runs, and is interrupted by the
/// devices. Call it once, before `run`.
pub fn run_above(start: impl FnOnce(Spawner)) {
    let executor: &'static raw::Executor = ABOVE_EXECUTOR.init(raw::Executor::new(ABOVE as *mut ()));
    start(executor.spawner());
    ABOVE_RUNNING.store(core::ptr::from_ref(executor).cast_mut(), Ordering::Release);
    unmask(Interrupt::Above);
    NVIC::pend(Interrupt::Above);
}

pub(crate) extern "C" fn on_above() {
    let executor = ABOVE_RUNNING.load(Ordering::Acquire);
    // SAFETY: null, or the executor that `run_above` leaked; it is polled from this interrupt alone.
    if let Some(executor) = unsafe { executor.cast_const().as_ref() } {
        // SAFETY: as above.
        unsafe { executor.poll() };
    }
}

/// Spawns what `start` spawns and runs it for ever. Call it once.
pub fn run(start: impl FnOnce(Spawner)) -> ! {
    let executor = THREAD_EXECUTOR.init(raw::Executor::new(THREAD as *mut ()));
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
