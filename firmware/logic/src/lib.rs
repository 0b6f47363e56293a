//! What a board does, without the board: debounce and supervision of inputs, the endpoint's machine, readers, the OSDP peripheral, the
//! offline rule, and the event log, keys, settings and whitelist in flash.
//!
//! Two halves that meet only in values. [`Board`] is pure: time, levels, bytes and finished jobs go in, outputs, bytes and jobs come
//! out; it never waits, so fire and exit never wait for flash. [`Storage`] carries out its [`Job`]s over any NOR flash, and may be cut
//! off at any operation. Run the board at a higher priority than the storage: checking a signature takes long on a small processor.
//!
//! It never decides who may pass while a controller polls it, and names no chip.
#![no_std]

mod board;
mod endpoint;
mod install;
mod job;
mod journal;
mod lamps;
mod lines;
mod local;
mod panel;
pub mod storage;
mod update;
mod wiegand;

pub use board::{Board, InputSetup, Outputs, Setup};
pub use install::{BUTTON_HELD_US, INSTALL_WINDOW_US};
pub use job::{Done, FoundUpdate, Job, ListHead, MAX_FETCH, MAX_PIECE, Restored, Slot, Start};
pub use lamps::{MAX_TEXT, Text};
pub use storage::{Layout, LayoutError, Marks, Storage, Updates};
pub use update::{GOOD_AFTER_US, TRIAL_US};
pub use wiegand::{Line, Read, Wiegand};
