//! What the STM32 boards do alike, beside what embassy's drivers do: Wiegand latched by EXTI, outputs made safe at a panic, and why the
//! chip started. Never chooses a pin or a chip; the boards that name it do.
#![no_std]

pub mod g474;
mod reset;
mod safe;
mod wiegand;

pub use reset::{cause, switches};
pub use safe::{drive_safe_outputs, set_safe_outputs};
pub use wiegand::{Latch, latch_wiegand};
