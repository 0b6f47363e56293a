//! The kit on both engines.

mod auth;
mod ingest;
mod journal;
mod schema;
