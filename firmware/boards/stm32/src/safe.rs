//! Outputs that are made safe whatever state the program is in.
#![expect(unsafe_code, reason = "the ports' registers are reached by number")]

use core::cell::Cell;

use critical_section::Mutex;
use embassy_stm32::pac::gpio::Gpio;

/// Port, pin, level.
type Levels = &'static [(u8, u8, bool)];

static SAFE: Mutex<Cell<Levels>> = Mutex::new(Cell::new(&[]));

/// Says which levels (port, pin, level) are safe when the program panics.
pub fn set_safe_outputs(levels: Levels) {
    critical_section::with(|section| SAFE.borrow(section).set(levels));
}

/// Drives them. For a panic handler, before anything else.
pub fn drive_safe_outputs() {
    let levels = critical_section::with(|section| SAFE.borrow(section).get());
    for (port, pin, high) in levels {
        let address = 0x4800_0000 + usize::from(*port) * 0x400;
        // SAFETY: the reference manuals have GPIOA to GPIOG there, 0x400 apart; the build scripts let no other port through.
        let port = unsafe { Gpio::from_ptr(address as *mut ()) };
        port.bsrr().write(|bits| bits.0 = 1 << pin << if *high { 0 } else { 16 });
    }
}
