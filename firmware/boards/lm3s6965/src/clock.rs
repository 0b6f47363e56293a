//! Time: SysTick counts and is never touched again; timer 0 wakes.
//!
//! The count must not depend on being served on time, for QEMU's processor is a thread that a busy host stops at will (a
//! 1 kHz tick was seen to lose a tenth of the time). So SysTick runs free over its 24 bits, wraps every 2.1 s and is only read;
//! the next alarm is a one-shot of general-purpose timer 0, whose lateness moves no later alarm.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

use crate::mmio::Register;
use crate::vectors::{Interrupt, unmask};

/// Core clock, Hz: the 200 MHz of the PLL divided by 25.
pub const CORE_HZ: u32 = 8_000_000;
const CYCLES_PER_TICK: u64 = CORE_HZ as u64 / embassy_time_driver::TICK_HZ;
/// A farther alarm is reached in steps of this many ticks.
const FARTHEST_ALARM: u64 = 60 * embassy_time_driver::TICK_HZ;

const RCC2: Register = Register::at(0x400F_E070);
const RCC2_USE: u32 = 1 << 31;
const RCC2_DIVISOR_SHIFT: u32 = 23;

const RCGC0: Register = Register::at(0x400F_E100);
const RCGC1: Register = Register::at(0x400F_E104);
const RCGC2: Register = Register::at(0x400F_E108);

const SYST_CSR: Register = Register::at(0xE000_E010);
const SYST_RVR: Register = Register::at(0xE000_E014);
const SYST_CVR: Register = Register::at(0xE000_E018);
const SYST_ENABLE_INTERRUPT_CORE_CLOCK: u32 = 0b111;
const RELOAD: u32 = 0x00FF_FFFF;
const ICSR: Register = Register::at(0xE000_ED04);
const ICSR_SYSTICK_PENDING: u32 = 1 << 26;

const GPTM_CFG: Register = Register::at(0x4003_0000);
const GPTM_TAMR: Register = Register::at(0x4003_0004);
const GPTM_CTL: Register = Register::at(0x4003_000C);
const GPTM_IMR: Register = Register::at(0x4003_0018);
const GPTM_ICR: Register = Register::at(0x4003_0024);
const GPTM_TAILR: Register = Register::at(0x4003_0028);
const GPTM_32_BIT: u32 = 0;
const GPTM_ONE_SHOT: u32 = 1;
const GPTM_ENABLE: u32 = 1;
const GPTM_TIMEOUT: u32 = 1;

/// Sets the core clock, powers the peripherals this crate uses, and starts time at zero.
pub(crate) fn start() {
    RCC2.write(RCC2_USE | (200_000_000 / CORE_HZ - 1) << RCC2_DIVISOR_SHIFT);
    RCGC0.modify(|gates| gates | 1 << 3); // watchdog
    RCGC1.modify(|gates| gates | 1 << 16 | 1); // timer 0, UART 0
    RCGC2.modify(|gates| gates | 0x7F); // ports A to G

    SYST_RVR.write(RELOAD);
    SYST_CVR.write(0);
    SYST_CSR.write(SYST_ENABLE_INTERRUPT_CORE_CLOCK);

    GPTM_CTL.write(0);
    GPTM_CFG.write(GPTM_32_BIT);
    GPTM_TAMR.write(GPTM_ONE_SHOT);
    GPTM_IMR.write(GPTM_TIMEOUT);
    unmask(Interrupt::Timer0A);
}

struct Count {
    /// Full turns of SysTick seen by its interrupt.
    wraps: u32,
    /// The last time told; time never goes back.
    told: u64,
}

struct Clock {
    count: Mutex<RefCell<Count>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    count: Mutex::new(RefCell::new(Count { wraps: 0, told: 0 })),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for Clock {
    fn now(&self) -> u64 {
        critical_section::with(|section| self.read(section))
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
    fn read(&self, section: CriticalSection<'_>) -> u64 {
        let mut count = self.count.borrow_ref_mut(section);
        let mut value = SYST_CVR.read();
        let mut wraps = count.wraps;
        if ICSR.read() & ICSR_SYSTICK_PENDING != 0 {
            wraps += 1;
            value = SYST_CVR.read();
        }
        // The interrupt comes on the way from 1 to 0, so a turn begins at 0 and goes on with RELOAD, RELOAD - 1, …
        let phase = if value == 0 { 0 } else { RELOAD - value + 1 };
        let cycles = u64::from(wraps) << 24 | u64::from(phase);
        // QEMU shows 0 for a moment before it raises the interrupt: time stands still until it does.
        count.told = count.told.max(cycles / CYCLES_PER_TICK);
        count.told
    }

    fn arm_next(&self, section: CriticalSection<'_>) {
        let mut queue = self.queue.borrow_ref_mut(section);
        loop {
            let now = self.read(section);
            let next = queue.next_expiration(now);
            if next == u64::MAX {
                return;
            }
            if next > now {
                let cycles = (next - now).min(FARTHEST_ALARM) * CYCLES_PER_TICK;
                GPTM_CTL.write(0);
                GPTM_ICR.write(GPTM_TIMEOUT);
                GPTM_TAILR.write(u32::try_from(cycles).expect("the farthest alarm is 480 million cycles"));
                GPTM_CTL.write(GPTM_ENABLE);
                return;
            }
        }
    }
}

pub(crate) extern "C" fn on_alarm() {
    GPTM_ICR.write(GPTM_TIMEOUT);
    critical_section::with(|section| CLOCK.arm_next(section));
}

#[cortex_m_rt::exception]
fn SysTick() {
    critical_section::with(|section| CLOCK.count.borrow_ref_mut(section).wraps += 1);
}
