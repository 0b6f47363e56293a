//! The rules of access: the policy, what is known about the building, and the one decision function.
//!
//! Does: times and schedules, the immutable [`policy::Policy`], the [`state::State`] that passages change,
//! [`decide()`]: who may pass, with every reason and the trace that explains it.
//! Never: reads a clock, a file, a random number or a socket; words anything for people; knows a wire format.
//! May be called by: the gateway (decides), the server (previews and verifies), uplink (carries the types).
#![no_std]

extern crate alloc;

pub mod civil;
mod decide;
pub mod decision;
pub mod ids;
pub mod policy;
pub mod reason;
pub mod request;
mod rules;
pub mod schedule;
pub mod state;
pub mod table;
pub mod time;

pub use decide::{decide, free_because};
