//! One binary for all tests of the crate.

mod bus;
mod golden;
mod line;
mod peer;
mod peripheral;
mod pty;
