//! What every board runs around the logic, once, generic over embedded-hal: inputs, serial bus, storage, watchdog, time.
//!
//! Never names a chip; the boards' binaries bring the pins.
#![no_std]

mod inputs;

pub use inputs::changed;
