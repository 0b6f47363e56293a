//! What controllers, vision processes and the server say to each other: topics, payloads, their versions and limits.
//!
//! Every payload is JSON and carries `"v"`. [`wire::decode`] is the one way in: it checks the size, then the version,
//! then the form, and a failure changes nothing. Enums grow only at the end; the golden bytes in the tests say so.
//!
//! This crate never opens a socket, never reads a clock and never decides. The gateway, the server and the vision
//! process may name it; it names `domain` for the conversion of policies and
//! `endpoints` for the form of firmware.

pub mod ask;
pub mod command;
pub mod enrol;
pub mod event;
pub mod image;
pub mod live;
pub mod reader_link;
pub mod sync;
pub mod topics;
pub mod wire;
