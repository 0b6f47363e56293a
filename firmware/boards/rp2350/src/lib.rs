//! The RP2350 under the boards: embassy's drivers, and what they leave to us (Wiegand latched above everything, supervised lines by the
//! converter, a driver-enable pin, safe outputs at a panic).
//!
//! Built in CI and never run there: no such board was at hand. Never decides anything; the binaries join it to the board's logic.
#![no_std]

mod board;
mod bus;
mod panic;
mod voltages;
mod wiegand;

use board_tasks::{Region, Span};
use embassy_rp::flash::{Blocking, Flash};
use embassy_rp::peripherals::{FLASH, TRNG, UART0};
use embassy_rp::{bind_interrupts, trng, uart};

pub use board::{Hardware, Lines, start, switches};
pub use bus::Sender;
pub use panic::set_safe_outputs;
pub use voltages::Voltages;
pub use wiegand::latch_wiegand;

bind_interrupts!(
    /// The interrupts in use.
    pub struct Irqs {
        TRNG_IRQ => trng::InterruptHandler<TRNG>;
        UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
    }
);

/// Size of the external flash, bytes.
pub const FLASH_SIZE: usize = 2 * 1024 * 1024;
/// Size of the store, bytes: the flash's last.
pub const STORE_LENGTH: u32 = 80 * 1024;
/// Where the store is.
pub const STORE_START: u32 = FLASH_SIZE as u32 - STORE_LENGTH;

/// The board's store in the flash.
pub type Store = Region<Flash<'static, FLASH, Blocking, FLASH_SIZE>>;
/// All that the board has of the flash beside its program: there is no bootloader for this chip yet, and no place for images.
pub const SPANS: [Span; 1] = [(STORE_START, STORE_LENGTH)];
