//! QEMU's lm3s6965evb as a board: embedded-hal and embedded-io-async over its UART, ports, timers and watchdog.
//!
//! For the emulator alone: it sets no crystal or flash wait states, and its flash is a file on the host (`semihost`).
//! Never decides anything; the binaries join it to the board's logic.
#![no_std]

use board_tasks::WiegandEdges;

mod board;
mod clock;
mod executor;
mod gpio;
mod mmio;
mod panic;
mod reset;
mod uart;
mod vectors;
mod watchdog;
mod wiegand;

pub use board::{Map, start};
pub use clock::CORE_HZ;
pub use executor::{run, run_above};
pub use gpio::{Input, Output, Pin, Port};
pub use panic::set_safe_outputs;
pub use reset::Reset;
pub use semihost::Console;
pub use uart::{Receiver, Transmitter, losses};
pub use watchdog::Watchdog;

/// The running parts of the chip.
pub struct Chip(());

impl Chip {
    /// Starts clocks, ports and time, and says why the board started. Call it once, after the outputs are safe.
    pub fn start() -> (Self, Reset) {
        vectors::set_priorities();
        clock::start();
        gpio::start();
        (Self(()), reset::cause())
    }

    /// Starts the UART.
    pub fn uart(&mut self, baud: u32) -> (Receiver, Transmitter) {
        uart::start(baud)
    }

    /// Starts latching Wiegand lines, (D0, D1) in reader order, at most two readers.
    pub fn wiegand(&mut self, readers: &[(Pin, Pin)]) -> &'static WiegandEdges {
        wiegand::start(readers)
    }

    /// Starts the watchdog.
    pub fn watchdog(&mut self, milliseconds: u32) -> Watchdog {
        Watchdog::start(milliseconds)
    }
}
