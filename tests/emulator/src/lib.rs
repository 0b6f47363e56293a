//! Boards in QEMU: start an image, press its inputs by function, see its outputs' edges to the fraction of a millisecond, cut its
//! power and give it back, and put several on one bus with a controller.
//!
//! Knows pins, wires and power; never knows what a board ought to do. Blocking and threaded; the end-to-end tests and
//! `cargo xtask` call it.

mod board;
mod bus;
mod console;
mod edges;
mod error;
mod image;
mod machine;
mod pins;
mod process;
mod qmp;
mod qtest;

pub use board::{Board, Setup};
pub use bus::Bus;
pub use edges::Edge;
pub use error::EmulatorError;
pub use image::{Image, boards_folder};
pub use machine::Machine;
pub use pins::Pins;
