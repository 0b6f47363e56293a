//! QEMU's b-l475e-iot01a (STM32L475, QEMU 9 and newer) as a board: embassy's own drivers for clocks, ports and serial line, as on the
//! STM32G474, and beside them what QEMU does not model (`unmodelled`, `clock`) or keeps on the host (`semihost`).
//!
//! For the emulator alone. Never decides anything; the binaries join it to the board's logic.
#![no_std]

mod board;
mod clock;
mod panic;
mod unmodelled;

use embassy_stm32::interrupt::typelevel::{EXTI4, EXTI9_5};
use embassy_stm32::peripherals::USART1;
use embassy_stm32::{Config, Peripherals, bind_interrupts, usart};

pub use board::{Hardware, Lines, start};
pub use stm32::{latch_wiegand, set_safe_outputs, switches};

bind_interrupts!(
    /// The interrupts in use.
    pub struct Irqs {
        EXTI4 => stm32::Latch<EXTI4>;
        EXTI9_5 => stm32::Latch<EXTI9_5>;
        USART1 => usart::BufferedInterruptHandler<USART1>;
    }
);

/// Starts the chip on its internal 4 MHz, which need no flash wait states. Call it once, first.
pub fn init() -> Peripherals {
    unmodelled::stand_in();
    let peripherals = embassy_stm32::init(Config::default());
    clock::start();
    peripherals
}
