//! What each kind of endpoint is made of and how it behaves: one folder a kind ([`door`], [`gate_lane`]), and the manufacturer-specific
//! messages our boards and our controller exchange ([`vendor`]).
//!
//! Pure and bounded: time comes in, effects go out; no I/O, no allocation, no clock. It never decides who may pass, only what a
//! released, locked, opened, forced or burning endpoint does. Called by the board's logic (to run it) and by the controller (to know
//! the numbers and the messages).
#![no_std]

pub mod common;
pub mod door;
pub mod gate_lane;
mod status;
pub mod supervision;
pub mod vendor;

pub use common::{Command, Condition, Effect, Effects, Link, Order, Outcome, Refusal, Sense, Source, Timer};
pub use status::{Conditions, LeafNow, LockNow, MAX_CONDITIONS, Status};
