//! The firmware's logic as a host process: the board of `board-logic` on a pseudo-terminal or a Unix socket, its flash a file, and a
//! scripted world around it (buttons, contacts, readers, power). It also joins several boards to one bus.
//!
//! It stands in for hardware and says so; nothing is decided here that the firmware does not decide.

pub mod board;
pub mod flash;
pub mod hub;
pub mod pinmap;
pub mod script;
pub mod serial;
pub mod update;
