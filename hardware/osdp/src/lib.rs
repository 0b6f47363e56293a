//! OSDP 2.2 (SIA OSDP 2.2, IEC 60839-11-5): the bus between a panel and its readers and door boards.
//!
//! What it does: finds and makes frames ([`Receiver`], [`frame`]), knows every command and reply
//! ([`Command`], [`Reply`]), keeps secure channels ([`Session`]), and holds the rules of both sides as state
//! machines: [`Cp`] drives a bus of devices, [`Pd`] is one device on it.
//!
//! What it never does: no I/O, no clock, no allocation, no threads. Bytes and the time (microseconds,
//! never going back) come in as arguments, bytes and events come out, as in quinn-proto. It decides nothing
//! about doors.
//!
//! Who calls it: the gateway and other panels use [`Cp`]; firmware and simulated boards use [`Pd`].
//!
//! ```
//! use osdp::*;
//!
//! let key = Key::new(*b"from a random so");
//! let (at, baud) = (Address::new(3).unwrap(), Baud::new(115_200).unwrap());
//! let identity = Identity { vendor: Oui([0xBE, 0xBA, 0xFE]), model: 1, version: 1, serial: 7, firmware: [1, 0, 0] };
//!
//! let mut pd: Pd = Pd::new(PdConfig::new(at, baud, identity, PdSecurity::Required(key.clone())), Nonces::new([1; 16]));
//! let mut cp: Cp<4, 4> = Cp::new(BusConfig::new(baud), Nonces::new([2; 16]));
//! cp.add(0, DeviceConfig::new(at, DeviceSecurity::Required(key))).unwrap();
//!
//! // A driver's loop: move bytes, wait until the earlier of the two timeouts, look at events.
//! let mut now = 0;
//! while !cp.is_online(at) {
//!     now += 1_000;
//!     if let Some(bytes) = cp.poll_transmit(now) {
//!         pd.handle_input(now, bytes);
//!     }
//!     now += 1_000;
//!     if let Some(bytes) = pd.poll_transmit(now) {
//!         cp.handle_input(now, bytes);
//!     }
//!     cp.handle_timeout(now);
//!     pd.handle_timeout(now);
//! }
//! assert!(cp.is_secure(at) && pd.is_secure());
//! ```
#![no_std]

pub mod command;
mod control;
pub mod cp;
pub mod frame;
pub mod pd;
mod receiver;
mod records;
pub mod reply;
mod secure;
mod status;
mod time;
mod wire;

pub use command::Command;
pub use control::{
    Biometric, Blink, Buzzer, FileBlock, LedColor, LedControl, LineSettings, Oui, OutputAction,
    OutputControl, TemporaryLed, Text, TextMode, Tone,
};
pub use cp::{
    BusConfig, Cp, DeviceConfig, DeviceSecurity, Event, EventKind, Failure, OfflineReason, SubmitError, Token,
};
pub use pd::{Pd, PdConfig, PdEvent, PdSecurity, PdStatistics, PostError, RespondError};
pub use receiver::Receiver;
pub use records::{DecodeError, Record, Records};
pub use reply::{FormattedCard, Keypad, RawCard, Reply};
pub use secure::{Handshake, Key, Nonces, SecureError, Session, sealed_len};
pub use status::{Capability, ClientCryptogram, FileStatus, Identity, NakCode, function};
pub use time::{Baud, Micros, OFFLINE_AFTER, REPLY_TIMEOUT};
pub use wire::{
    Address, BROADCAST, Check, InvalidAddress, MAX_FRAME, MIN_FRAME_BUFFER, Sequence, TooLong, Writer,
    checksum, crc16,
};
