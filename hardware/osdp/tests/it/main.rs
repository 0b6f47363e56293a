//! One binary for all tests of the crate.

mod arbitrary;
mod bus;
mod chaos;
mod codec;
mod golden;
mod line;
mod lossy;
mod peer;
mod peripheral;
mod pty;
