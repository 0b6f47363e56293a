//! A whole board in virtual time: a real panel on its bus, a flash that forgets nothing it should keep, power that fails anywhere.
#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one event among many")]

mod bench;
mod flash;
mod install;
mod key;
mod lane;
mod link;
mod local;
mod power;
mod site;
mod status;
mod swap;
mod update;
