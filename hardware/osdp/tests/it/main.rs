//! One binary for all tests of the crate.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one case among many")]

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
