//! What replies carry: identity, capabilities, refusals, file status.

use crate::control::Oui;
use crate::records::{DecodeError, Record};
use crate::wire::{Reader, TooLong, Writer};

/// `osdp_PDID`: who a peripheral is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The maker.
    pub vendor: Oui,
    /// The maker's model number.
    pub model: u8,
    /// The maker's version of that model.
    pub version: u8,
    /// Serial number.
    pub serial: u32,
    /// Firmware: major, minor, build.
    pub firmware: [u8; 3],
}

impl Identity {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(bytes);
        let identity = (|| {
            Some(Self {
                vendor: Oui(reader.array()?),
                model: reader.u8()?,
                version: reader.u8()?,
                serial: reader.u32()?,
                firmware: reader.array()?,
            })
        })();
        identity.filter(|_| reader.finished()).ok_or(DecodeError::Length)
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) -> Result<(), TooLong> {
        out.bytes(&self.vendor.0)?;
        out.bytes(&[self.model, self.version])?;
        out.u32(self.serial)?;
        out.bytes(&self.firmware)
    }

    /// The client id of the secure channel handshake.
    pub fn client_id(&self) -> [u8; 8] {
        let [v0, v1, _] = self.vendor.0;
        let [s0, s1, s2, s3] = self.serial.to_le_bytes();
        [v0, v1, self.model, self.version, s0, s1, s2, s3]
    }
}

/// Capability function codes (Annex B).
pub mod function {
    #![expect(missing_docs, reason = "the standard's own names")]
    pub const CONTACT_STATUS: u8 = 1;
    pub const OUTPUT_CONTROL: u8 = 2;
    pub const CARD_DATA_FORMAT: u8 = 3;
    pub const LED_CONTROL: u8 = 4;
    pub const AUDIBLE_OUTPUT: u8 = 5;
    pub const TEXT_OUTPUT: u8 = 6;
    pub const TIME_KEEPING: u8 = 7;
    pub const CHECK_CHARACTER: u8 = 8;
    pub const COMMUNICATION_SECURITY: u8 = 9;
    pub const RECEIVE_BUFFER: u8 = 10;
    pub const COMBINED_MESSAGE: u8 = 11;
    pub const SMART_CARD: u8 = 12;
    pub const READERS: u8 = 13;
    pub const BIOMETRICS: u8 = 14;
    pub const SECURE_PIN: u8 = 15;
    pub const VERSION: u8 = 16;
}

/// One line of `osdp_PDCAP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// What it is about, see [`function`].
    pub function: u8,
    /// How far it goes; 0 is not at all.
    pub level: u8,
    /// How many there are.
    pub count: u8,
}

impl Capability {
    /// Level and count read as one number, as the receive buffer's size is given.
    pub const fn size(self) -> u16 {
        u16::from_le_bytes([self.level, self.count])
    }
}

impl Record for Capability {
    const LEN: usize = 3;

    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let &[function, level, count] = bytes else { return Err(DecodeError::Length) };
        Ok(Self { function, level, count })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), TooLong> {
        out.bytes(&[self.function, self.level, self.count])
    }
}

/// Why a peripheral refuses a command (Table 47).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NakCode {
    /// 1: the frame's check was wrong.
    Check,
    /// 2: wrong length for the command.
    Length,
    /// 3: unknown or unsupported command.
    UnknownCommand,
    /// 4: unexpected sequence number.
    Sequence,
    /// 5: this kind of security block is not supported.
    SecurityBlock,
    /// 6: only over a secure channel.
    SecurityRequired,
    /// 7: biometric type not supported.
    BioType,
    /// 8: biometric format not supported.
    BioFormat,
    /// 9: the command's content cannot be processed.
    Record,
    /// Another number.
    Other(u8),
}

impl NakCode {
    /// Reads the number on the wire.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::Check,
            2 => Self::Length,
            3 => Self::UnknownCommand,
            4 => Self::Sequence,
            5 => Self::SecurityBlock,
            6 => Self::SecurityRequired,
            7 => Self::BioType,
            8 => Self::BioFormat,
            9 => Self::Record,
            other => Self::Other(other),
        }
    }

    /// The number on the wire.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Check => 1,
            Self::Length => 2,
            Self::UnknownCommand => 3,
            Self::Sequence => 4,
            Self::SecurityBlock => 5,
            Self::SecurityRequired => 6,
            Self::BioType => 7,
            Self::BioFormat => 8,
            Self::Record => 9,
            Self::Other(other) => other,
        }
    }
}

impl core::fmt::Display for NakCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let words = match self {
            Self::Check => "damaged frame",
            Self::Length => "wrong length",
            Self::UnknownCommand => "unknown command",
            Self::Sequence => "unexpected sequence number",
            Self::SecurityBlock => "security block not supported",
            Self::SecurityRequired => "secure channel required",
            Self::BioType => "biometric type not supported",
            Self::BioFormat => "biometric format not supported",
            Self::Record => "content cannot be processed",
            Self::Other(code) => return write!(f, "reason {code}"),
        };
        f.write_str(words)
    }
}

/// `osdp_FTSTAT`: how a file transfer goes on (§7.25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// Bit 0: other commands may come between; bit 1: blocks may come without secure channel;
    /// bit 2: poll replies wait, ask with `osdp_POLL`.
    pub control: u8,
    /// Wait so many milliseconds before the next block.
    pub delay_ms: u16,
    /// See [`FileStatus::OK`] and the others; negative refuses.
    pub status: i16,
    /// Largest `osdp_FILETRANSFER` message wanted from now on, in bytes; 0 leaves it.
    pub max_message: u16,
}

impl FileStatus {
    /// Go on.
    pub const OK: i16 = 0;
    /// The whole file was processed.
    pub const PROCESSED: i16 = 1;
    /// The whole file was received; the device restarts by itself.
    pub const REBOOTING: i16 = 2;
    /// The device is still working on it: keep asking with empty blocks.
    pub const FINISHING: i16 = 3;
    /// The transfer was given up.
    pub const ABORTED: i16 = -1;
    /// This kind of file is not known.
    pub const UNKNOWN_KIND: i16 = -2;
    /// The content is not acceptable.
    pub const MALFORMED: i16 = -3;

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(bytes);
        let status = (|| {
            Some(Self {
                control: reader.u8()?,
                delay_ms: reader.u16()?,
                status: i16::from_le_bytes(reader.array()?),
                max_message: reader.u16()?,
            })
        })();
        status.filter(|_| reader.finished()).ok_or(DecodeError::Length)
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) -> Result<(), TooLong> {
        out.u8(self.control)?;
        out.u16(self.delay_ms)?;
        out.bytes(&self.status.to_le_bytes())?;
        out.u16(self.max_message)
    }
}

/// `osdp_CCRYPT`: the peripheral's half of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientCryptogram {
    /// Names the device.
    pub client_id: [u8; 8],
    /// The peripheral's random number.
    pub random: [u8; 8],
    /// Proof that it has the key.
    pub cryptogram: [u8; 16],
}
