//! What our boards and our controller say to each other beyond OSDP: bodies of MFG (0x80), MFGREP (0x90) and files for FILETRANSFER.
//!
//! A body begins after the three bytes of the OUI: `version (1) | kind | payload`, integers little-endian as in OSDP, at most
//! [`MAX_BODY`] bytes. Numbers of kinds, conditions, causes and reasons are never reused and grow at the end; golden bytes in a test hold
//! them. An unknown kind or version is answered with an OSDP NAK, an unknown *event* is kept as [`What::Unknown`] so that a controller
//! older than its board still counts without gaps.
//!
//! The exchange: the controller says [`ToBoard::Hello`] after each start of the secure channel and gets [`FromBoard::Info`]; from then
//! on polls are answered with [`FromBoard::Events`] while there are events it was not told, acknowledged or not, and [`ToBoard::Ack`]
//! says which of them need never be told again. After two seconds without one the oldest are told again: a controller that has them on
//! its disk acknowledges again up to there, one that has not taken them begins there, and waits for what is missing. [`ToBoard::Status`]
//! asks for what lasts, which no event repeats. Any other panel never says Hello and sees a plain OSDP device.

mod codes;
mod event;
pub mod firmware;
mod info;
mod message;
mod settings;
mod status;
mod update;
pub mod whitelist;
mod wire;

pub use event::{BoardEvent, Events, EventsWriter, LocalRefusal, MAX_EVENT, Reset, What};
pub use info::{Info, Kind};
pub use message::{FromBoard, ToBoard};
pub use settings::{BoardSettings, KindSettings, OfflineRule};
pub use update::{HoldUp, Stage, Update};
pub use wire::{BadBody, NoRoom};

/// The OUI in our MFG messages and device identification: locally administered (IEEE 802 bit 1 of the first byte), so that it
/// belongs to no other maker.
pub const OUI: [u8; 3] = [0x0A, 0x47, 0x48];

/// Version of the bodies.
pub const VERSION: u8 = 1;

/// The longest body, after the OUI. With OSDP's framing and MAC it fits the 128 bytes every device must accept (OSDP 2.2, PDCAP 10).
pub const MAX_BODY: usize = 100;
