//! Lists of people, on both engines.
#![expect(clippy::unwrap_used, reason = "a failing test says where it failed")]

mod importing;
mod photographs;
mod site;
