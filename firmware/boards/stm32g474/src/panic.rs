//! A panic makes the outputs safe before anything else and starts the board again.

use core::panic::PanicInfo;

#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    stm32::drive_safe_outputs();
    cortex_m::peripheral::SCB::sys_reset();
}
