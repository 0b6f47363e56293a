//! A panic makes the outputs safe before anything else and starts the board again.
#![expect(unsafe_code, reason = "the ports' registers are reached by number")]

use core::cell::Cell;
use core::panic::PanicInfo;

use critical_section::Mutex;
use embassy_stm32::pac::gpio::Gpio;

/// Port, pin, level.
type Levels = &'static [(u8, u8, bool)];

static SAFE: Mutex<Cell<Levels>> = Mutex::new(Cell::new(&[]));

/// Says which levels (port, pin, level) are safe when the program panics.
pub fn set_safe_outputs(levels: Levels) {
    critical_section::with(|section| SAFE.borrow(section).set(levels));
}

#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    let levels = critical_section::with(|section| SAFE.borrow(section).get());
    for (port, pin, high) in levels {
        let address = 0x4800_0000 + usize::from(*port) * 0x400;
        // SAFETY: the reference manual has GPIOA to GPIOG there, 0x400 apart; the build script let no other port through.
        let port = unsafe { Gpio::from_ptr(address as *mut ()) };
        port.bsrr().write(|bits| bits.0 = 1 << pin << if *high { 0 } else { 16 });
    }
    cortex_m::peripheral::SCB::sys_reset();
}
