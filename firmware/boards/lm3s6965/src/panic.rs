//! A panic makes the outputs safe before anything else, tells the host, and starts the board again.

use core::cell::Cell;
use core::fmt::Write;
use core::panic::PanicInfo;

use critical_section::Mutex;
use semihost::Console;

use crate::gpio::{Output, Pin};
use crate::reset;

static SAFE: Mutex<Cell<&'static [(Pin, bool)]>> = Mutex::new(Cell::new(&[]));

/// Drives every listed output to its safe level, now and whenever the program panics. The first thing `main` does.
pub fn set_safe_outputs(levels: &'static [(Pin, bool)]) {
    critical_section::with(|section| SAFE.borrow(section).set(levels));
    drive();
}

fn drive() {
    let levels = critical_section::with(|section| SAFE.borrow(section).get());
    for (pin, high) in levels {
        let _ = Output::new(*pin, *high);
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    drive();
    reset::panicked();
    let _ = writeln!(Console, "{info}");
    cortex_m::peripheral::SCB::sys_reset();
}
