//! A panic makes the outputs safe before anything else and starts the board again.

use core::cell::Cell;
use core::panic::PanicInfo;

use critical_section::Mutex;
use embassy_rp::pac::SIO;

type Levels = &'static [(u8, bool)];

static SAFE: Mutex<Cell<Levels>> = Mutex::new(Cell::new(&[]));

/// Says which levels are safe when the program panics.
pub fn set_safe_outputs(levels: Levels) {
    critical_section::with(|section| SAFE.borrow(section).set(levels));
}

#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    let levels = critical_section::with(|section| SAFE.borrow(section).get());
    for (pin, high) in levels {
        let bank = SIO.gpio_out(usize::from(*pin) / 32);
        let mask = 1 << (pin % 32);
        if *high {
            bank.value_set().write_value(mask);
        } else {
            bank.value_clr().write_value(mask);
        }
    }
    cortex_m::peripheral::SCB::sys_reset();
}
