//! Turns each board's pin map into macros over the chip's peripherals, and constants.

fn main() {
    pinmap::build_boards("qemu-stm32l475", pinmap::generate_stm32);
}
