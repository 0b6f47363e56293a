//! People on both engines.

mod credentials;
mod enrolment;
mod gallery;
mod persons;
mod storage;
