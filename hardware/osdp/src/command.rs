//! Commands: what the panel says (SIA OSDP 2.2 §6).

use crate::control::{Biometric, Buzzer, FileBlock, LedControl, LineSettings, Oui, OutputControl, Text};
use crate::records::{DecodeError, Records};
use crate::secure::Key;
use crate::wire::{Reader, TooLong, Writer};

/// Command codes.
pub mod code {
    #![expect(missing_docs, reason = "the standard's own names")]
    pub const POLL: u8 = 0x60;
    pub const ID: u8 = 0x61;
    pub const CAP: u8 = 0x62;
    pub const LSTAT: u8 = 0x64;
    pub const ISTAT: u8 = 0x65;
    pub const OSTAT: u8 = 0x66;
    pub const RSTAT: u8 = 0x67;
    pub const OUT: u8 = 0x68;
    pub const LED: u8 = 0x69;
    pub const BUZ: u8 = 0x6A;
    pub const TEXT: u8 = 0x6B;
    pub const COMSET: u8 = 0x6E;
    pub const BIOREAD: u8 = 0x73;
    pub const BIOMATCH: u8 = 0x74;
    pub const KEYSET: u8 = 0x75;
    pub const CHLNG: u8 = 0x76;
    pub const SCRYPT: u8 = 0x77;
    pub const ACURXSIZE: u8 = 0x7B;
    pub const FILETRANSFER: u8 = 0x7C;
    pub const MFG: u8 = 0x80;
    pub const XWR: u8 = 0xA1;
    pub const ABORT: u8 = 0xA2;
    pub const PIVDATA: u8 = 0xA3;
    pub const GENAUTH: u8 = 0xA4;
    pub const CRAUTH: u8 = 0xA5;
    pub const KEEPACTIVE: u8 = 0xA7;
}

/// A command with its data. Debug shows no content that may be a secret.
#[derive(Clone, PartialEq)]
pub enum Command<'a> {
    /// Anything new?
    Poll,
    /// Who are you?
    Id,
    /// What can you do?
    Capabilities,
    /// Tamper and power of the device.
    LocalStatus,
    /// All inputs.
    InputStatus,
    /// All outputs.
    OutputStatus,
    /// Tamper of attached readers.
    ReaderStatus,
    /// Drive outputs.
    Output(Records<'a, OutputControl>),
    /// Drive LEDs.
    Led(Records<'a, LedControl>),
    /// Drive the sounder.
    Buzzer(Buzzer),
    /// Show a text.
    Text(Text<'a>),
    /// Change address and speed.
    LineSettings(LineSettings),
    /// Read a biometric.
    BioRead(Biometric),
    /// Compare a biometric with a template.
    BioMatch(Biometric, &'a [u8]),
    /// Install the secure channel base key.
    KeySet(Key),
    /// Begin a secure channel: the panel's random number.
    Challenge([u8; 8]),
    /// The server cryptogram.
    Cryptogram([u8; 16]),
    /// Largest frame the panel receives, in bytes.
    ReceiveSize(u16),
    /// A block of a file.
    File(FileBlock<'a>),
    /// A maker's own command.
    Mfg(Oui, &'a [u8]),
    /// Extended write (smart cards), data as it is.
    ExtendedWrite(&'a [u8]),
    /// Stop what takes long.
    Abort,
    /// Get PIV data, data as it is.
    PivData(&'a [u8]),
    /// General authenticate, data as it is.
    GenAuth(&'a [u8]),
    /// Challenge a card, data as it is.
    CrAuth(&'a [u8]),
    /// Keep a smart card powered for so many milliseconds.
    KeepActive(u16),
    /// A code this crate does not know.
    Other(u8, &'a [u8]),
}

impl<'a> Command<'a> {
    /// The code on the wire.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Poll => code::POLL,
            Self::Id => code::ID,
            Self::Capabilities => code::CAP,
            Self::LocalStatus => code::LSTAT,
            Self::InputStatus => code::ISTAT,
            Self::OutputStatus => code::OSTAT,
            Self::ReaderStatus => code::RSTAT,
            Self::Output(_) => code::OUT,
            Self::Led(_) => code::LED,
            Self::Buzzer(_) => code::BUZ,
            Self::Text(_) => code::TEXT,
            Self::LineSettings(_) => code::COMSET,
            Self::BioRead(_) => code::BIOREAD,
            Self::BioMatch(..) => code::BIOMATCH,
            Self::KeySet(_) => code::KEYSET,
            Self::Challenge(_) => code::CHLNG,
            Self::Cryptogram(_) => code::SCRYPT,
            Self::ReceiveSize(_) => code::ACURXSIZE,
            Self::File(_) => code::FILETRANSFER,
            Self::Mfg(..) => code::MFG,
            Self::ExtendedWrite(_) => code::XWR,
            Self::Abort => code::ABORT,
            Self::PivData(_) => code::PIVDATA,
            Self::GenAuth(_) => code::GENAUTH,
            Self::CrAuth(_) => code::CRAUTH,
            Self::KeepActive(_) => code::KEEPACTIVE,
            Self::Other(code, _) => *code,
        }
    }

    /// Reads the data that came with `code`. Unknown codes are [`Command::Other`].
    pub fn decode(code: u8, data: &'a [u8]) -> Result<Self, DecodeError> {
        let empty = |command| if data.is_empty() { Ok(command) } else { Err(DecodeError::Length) };
        let mut reader = Reader(data);
        Ok(match code {
            code::POLL => return empty(Self::Poll),
            code::LSTAT => return empty(Self::LocalStatus),
            code::ISTAT => return empty(Self::InputStatus),
            code::OSTAT => return empty(Self::OutputStatus),
            code::RSTAT => return empty(Self::ReaderStatus),
            code::ABORT => return empty(Self::Abort),
            // One byte asks for the reply's kind; 0, the standard kind, is the only one defined.
            code::ID if data.len() == 1 => Self::Id,
            code::CAP if data.len() == 1 => Self::Capabilities,
            code::ID | code::CAP => return Err(DecodeError::Length),
            code::OUT => Self::Output(not_empty(Records::read(data)?)?),
            code::LED => Self::Led(not_empty(Records::read(data)?)?),
            code::BUZ => Self::Buzzer(crate::records::Record::read(data)?),
            code::TEXT => Self::Text(Text::read(data)?),
            code::COMSET => Self::LineSettings(LineSettings::read(data)?),
            code::BIOREAD => match (Biometric::read(&mut reader), reader.finished()) {
                (Some(biometric), true) => Self::BioRead(biometric),
                (Some(_) | None, _) => return Err(DecodeError::Length),
            },
            code::BIOMATCH => {
                let head = (|| Some((Biometric::read(&mut reader)?, reader.u16()?)))();
                let (biometric, length) = head.ok_or(DecodeError::Length)?;
                let template = reader.exactly(usize::from(length)).ok_or(DecodeError::Length)?;
                Self::BioMatch(biometric, template)
            }
            code::KEYSET => match (reader.u8(), reader.u8(), reader.array::<16>(), reader.finished()) {
                (Some(1), Some(16), Some(key), true) => Self::KeySet(Key::new(key)),
                (Some(_), Some(16), Some(_), true) => return Err(DecodeError::Value),
                _ => return Err(DecodeError::Length),
            },
            code::CHLNG => Self::Challenge(data.try_into().map_err(|_| DecodeError::Length)?),
            code::SCRYPT => Self::Cryptogram(data.try_into().map_err(|_| DecodeError::Length)?),
            code::ACURXSIZE => match (reader.u16(), reader.finished()) {
                (Some(size), true) => Self::ReceiveSize(size),
                (Some(_) | None, _) => return Err(DecodeError::Length),
            },
            code::FILETRANSFER => Self::File(FileBlock::read(data)?),
            code::MFG => {
                let oui = Oui(reader.array().ok_or(DecodeError::Length)?);
                Self::Mfg(oui, reader.rest())
            }
            code::XWR => Self::ExtendedWrite(data),
            code::PIVDATA => Self::PivData(data),
            code::GENAUTH => Self::GenAuth(data),
            code::CRAUTH => Self::CrAuth(data),
            code::KEEPACTIVE => match (reader.u16(), reader.finished()) {
                (Some(milliseconds), true) => Self::KeepActive(milliseconds),
                (Some(_) | None, _) => return Err(DecodeError::Length),
            },
            other => Self::Other(other, data),
        })
    }

    /// Writes the data, without the code.
    pub fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLong> {
        match self {
            Self::Poll
            | Self::LocalStatus
            | Self::InputStatus
            | Self::OutputStatus
            | Self::ReaderStatus
            | Self::Abort => Ok(()),
            Self::Id | Self::Capabilities => out.u8(0),
            Self::Output(records) => records.write(out),
            Self::Led(records) => records.write(out),
            Self::Buzzer(buzzer) => crate::records::Record::write(buzzer, out),
            Self::Text(text) => text.write(out),
            Self::LineSettings(settings) => settings.write(out),
            Self::BioRead(biometric) => biometric.write(out),
            Self::BioMatch(biometric, template) => {
                biometric.write(out)?;
                out.u16(u16::try_from(template.len()).map_err(|_| TooLong)?)?;
                out.bytes(template)
            }
            Self::KeySet(key) => {
                out.bytes(&[1, 16])?;
                out.bytes(key.expose())
            }
            Self::Challenge(random) => out.bytes(random),
            Self::Cryptogram(cryptogram) => out.bytes(cryptogram),
            Self::ReceiveSize(size) => out.u16(*size),
            Self::File(block) => block.write(out),
            Self::Mfg(oui, data) => {
                out.bytes(&oui.0)?;
                out.bytes(data)
            }
            Self::KeepActive(milliseconds) => out.u16(*milliseconds),
            Self::ExtendedWrite(data)
            | Self::PivData(data)
            | Self::GenAuth(data)
            | Self::CrAuth(data)
            | Self::Other(_, data) => out.bytes(data),
        }
    }
}

impl core::fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let content: &dyn core::fmt::Debug = match self {
            Self::Output(records) => records,
            Self::Led(records) => records,
            Self::Buzzer(buzzer) => buzzer,
            Self::LineSettings(settings) => settings,
            Self::BioRead(biometric) | Self::BioMatch(biometric, _) => biometric,
            Self::ReceiveSize(number) | Self::KeepActive(number) => number,
            Self::Mfg(oui, _) => oui,
            Self::Poll
            | Self::Id
            | Self::Capabilities
            | Self::LocalStatus
            | Self::InputStatus
            | Self::OutputStatus
            | Self::ReaderStatus
            | Self::Text(_)
            | Self::KeySet(_)
            | Self::Challenge(_)
            | Self::Cryptogram(_)
            | Self::File(_)
            | Self::ExtendedWrite(_)
            | Self::Abort
            | Self::PivData(_)
            | Self::GenAuth(_)
            | Self::CrAuth(_)
            | Self::Other(..) => &format_args!(".."),
        };
        write!(f, "Command(0x{:02x}, {content:?})", self.code())
    }
}

fn not_empty<T: crate::records::Record>(records: Records<'_, T>) -> Result<Records<'_, T>, DecodeError> {
    if records.is_empty() { Err(DecodeError::Length) } else { Ok(records) }
}
