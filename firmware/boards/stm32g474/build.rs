//! Turns each board's pin map into macros over the chip's peripherals, and constants.

fn main() {
    pinmap::build_boards("stm32g474", |map, target| {
        if target.watchdog != "iwdg" {
            return Err("the watchdog is the IWDG".into());
        }
        pinmap::generate_stm32(map, target)
    });
}
