//! The messages on the wire, and the boards' data.
#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod boards;
mod chaos;
mod firmware;
mod vendor;
