//! Doors and the policy on both engines.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod edit;
mod firmware;
mod import;
mod policy;
mod rights;
mod site;
mod storage;
