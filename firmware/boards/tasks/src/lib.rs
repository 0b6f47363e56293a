//! What every board runs around the logic, once, generic over embedded-hal: inputs, outputs, bus, storage, watchdog, time.
//!
//! Never names a chip and never decides; the boards' binaries bring the pins.
#![no_std]

mod half_duplex;
mod lines;
mod model;
mod region;
mod run;
mod storage;
mod wiegand;

pub use half_duplex::HalfDuplex;
pub use lines::{Converter, InterruptLines, Level, Line, Lines, MAX_LINES, SampledLines};
pub use model::{BAUD, Model};
pub use region::{Region, RegionError, Span};
pub use run::{Exchange, Parts, run_board, run_transmitter, run_watchdog};
pub use storage::run_storage;
pub use wiegand::{WiegandEdge, WiegandEdges};
