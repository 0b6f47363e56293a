//! Time: the host's clock counts, SysTick wakes.
//!
//! QEMU's STM32L475 has no timer but SysTick, and one that is set anew for each alarm loses count. So it only wakes, and its
//! lateness moves no later alarm.
#![expect(unsafe_code, reason = "SysTick's registers are taken from the core")]

use core::cell::RefCell;
use core::task::Waker;

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

/// The internal oscillator after reset, cycles a microsecond.
const CYCLES_PER_US: u64 = 4;
/// SysTick's 24 bits: an alarm farther away is reached in steps, µs.
const FARTHEST_US: u64 = (1 << 24) / CYCLES_PER_US - 1;

struct Clock {
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock { queue: Mutex::new(RefCell::new(Queue::new())) });

impl Driver for Clock {
    fn now(&self) -> u64 {
        semihost::elapsed_ns() / 1_000
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            if self.queue.borrow_ref_mut(section).schedule_wake(at, waker) {
                self.arm_next(section);
            }
        });
    }
}

impl Clock {
    fn arm_next(&self, section: CriticalSection<'_>) {
        let mut queue = self.queue.borrow_ref_mut(section);
        let mut timer = timer();
        timer.disable_counter();
        loop {
            let now = self.now();
            let next = queue.next_expiration(now);
            if next == u64::MAX {
                return;
            }
            if next > now {
                let cycles = (next - now).min(FARTHEST_US) * CYCLES_PER_US;
                timer.set_reload(u32::try_from(cycles - 1).expect("at most 24 bits"));
                timer.clear_current();
                timer.enable_counter();
                return;
            }
        }
    }
}

pub(crate) fn start() {
    let mut timer = timer();
    timer.set_clock_source(SystClkSource::Core);
    timer.enable_interrupt();
}

fn timer() -> SYST {
    // SAFETY: SysTick is this module's alone.
    unsafe { cortex_m::Peripherals::steal() }.SYST
}

#[cortex_m_rt::exception]
fn SysTick() {
    critical_section::with(|section| CLOCK.arm_next(section));
}
