//! What an emulated board has of its host, by Arm semihosting: a console, random bytes, time, and a flash kept in a file.
//!
//! For emulated boards alone: on a real part these calls stop the processor.
#![no_std]

mod call;
mod flash;

pub use call::{Console, elapsed_ns, entropy};
pub use flash::{CAPACITY, Flash, FlashError};
