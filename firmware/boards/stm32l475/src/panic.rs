//! A panic makes the outputs safe before anything else, tells the host, and starts the board again.

use core::fmt::Write;
use core::panic::PanicInfo;

use semihost::Console;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    stm32::drive_safe_outputs();
    let _ = writeln!(Console, "{info}");
    cortex_m::peripheral::SCB::sys_reset();
}
