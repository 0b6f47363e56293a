//! The kit on both engines.
#![expect(clippy::unwrap_used, reason = "a failing test says where it failed")]

mod auth;
mod content;
mod ingest;
mod journal;
mod lease;
mod looks;
mod operators;
mod passkeys;
mod programs;
mod schema;
mod second;
