//! What an STM32G474RE starts with: `embassy-boot` swaps in the image that the board's program has checked and marked, or swaps back the
//! one before where it was not marked good, and starts the program under a watchdog, so that one that stands still goes back too.
//!
//! It moves no pin: a fail-safe lock holds by its supply, which fire relay and break-glass unit cut in series. A swap of
//! 198 KiB takes 8.5 s (99 pages, each erased and written twice, by the data sheet's 22 ms and 82 us; measured nowhere). Power may fail at any
//! moment of it (`firmware/logic/tests/it/swap.rs`). It checks no signature: nothing but the program and a probe writes this flash.
#![no_std]
#![no_main]
#![expect(unsafe_code, reason = "another program is started")]

use core::cell::RefCell;
use core::ops::Range;
use core::panic::PanicInfo;

use board_logic::Marks;
use embassy_boot_stm32::{BootLoader, BootLoaderConfig};
use embassy_embedded_hal::flash::partition::BlockingPartition;
use embassy_stm32::flash::{BANK1_REGION, Flash};
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use stm32::g474::{ACTIVE, MARKS, PLACE};

/// A program that has not started its own watchdog by then is reset, µs.
const WATCHDOG_US: u32 = 8_000_000;
/// Copied at once, bytes: a page.
const AT_ONCE: usize = 2048;

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = embassy_stm32::init(embassy_stm32::Config::default());
    let flash = Mutex::<NoopRawMutex, _>::new(RefCell::new(Flash::new_blocking(p.FLASH)));
    let part = |range: Range<u32>| BlockingPartition::new(&flash, range.start, range.end - range.start);
    let loader = BootLoader::prepare::<_, _, _, AT_ONCE>(BootLoaderConfig {
        active: part(ACTIVE),
        dfu: part(PLACE),
        state: Marks(part(MARKS)),
    });
    IndependentWatchdog::new(p.IWDG, WATCHDOG_US).unleash();
    // SAFETY: the program begins there with its vectors (its `memory.x`), and nothing of this one runs on.
    unsafe { loader.load(BANK1_REGION.base() + ACTIVE.start) }
}

/// Flash failed: power or time may mend it, and the swap goes on where it was.
#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}
