//! The bytes on our wires, held fast, and what is refused.

mod enrol;
mod firmware;
mod golden;
mod policy;
mod refusals;
mod replicas;
mod topics;
