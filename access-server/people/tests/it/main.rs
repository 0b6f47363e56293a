//! People on both engines.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod credentials;
mod enrolment;
mod gallery;
mod http;
mod persons;
mod storage;
