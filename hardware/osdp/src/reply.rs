//! Replies: what a peripheral says (SIA OSDP 2.2 §7).

use crate::control::{Biometric, LineSettings, Oui};
use crate::records::{DecodeError, Records};
use crate::status::{Capability, ClientCryptogram, FileStatus, Identity, NakCode};
use crate::wire::{Reader, TooLong, Writer};

/// Reply codes.
pub mod code {
    #![expect(missing_docs, reason = "the standard's own names")]
    pub const ACK: u8 = 0x40;
    pub const NAK: u8 = 0x41;
    pub const PDID: u8 = 0x45;
    pub const PDCAP: u8 = 0x46;
    pub const LSTATR: u8 = 0x48;
    pub const ISTATR: u8 = 0x49;
    pub const OSTATR: u8 = 0x4A;
    pub const RSTATR: u8 = 0x4B;
    pub const RAW: u8 = 0x50;
    pub const FMT: u8 = 0x51;
    pub const KEYPAD: u8 = 0x53;
    pub const COM: u8 = 0x54;
    pub const BIOREADR: u8 = 0x57;
    pub const BIOMATCHR: u8 = 0x58;
    pub const CCRYPT: u8 = 0x76;
    pub const RMAC_I: u8 = 0x78;
    pub const BUSY: u8 = 0x79;
    pub const FTSTAT: u8 = 0x7A;
    pub const PIVDATAR: u8 = 0x80;
    pub const GENAUTHR: u8 = 0x81;
    pub const CRAUTHR: u8 = 0x82;
    pub const MFGSTATR: u8 = 0x83;
    pub const MFGERRR: u8 = 0x84;
    pub const MFGREP: u8 = 0x90;
    pub const XRD: u8 = 0xB1;
}

/// A card as a reader saw it (`osdp_RAW`). Debug never shows the card's bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawCard<'a> {
    /// Reader number, from 0.
    pub reader: u8,
    /// 0 unspecified, 1 Wiegand (P/data/P).
    pub format: u8,
    /// Number of bits.
    pub bits: u16,
    /// The bits, most significant first, left-aligned; `bits` divided by 8, rounded up.
    pub data: &'a [u8],
}

impl core::fmt::Debug for RawCard<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RawCard {{ reader: {}, format: {}, bits: {}, .. }}", self.reader, self.format, self.bits)
    }
}

/// A card as characters (`osdp_FMT`, deprecated since 2.2.2). Debug never shows them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FormattedCard<'a> {
    /// Reader number, from 0.
    pub reader: u8,
    /// 0 forward, 1 backward.
    pub direction: u8,
    /// The characters, at most 255.
    pub characters: &'a [u8],
}

impl core::fmt::Debug for FormattedCard<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "FormattedCard {{ reader: {}, length: {}, .. }}", self.reader, self.characters.len())
    }
}

/// Keys pressed (`osdp_KEYPAD`). Debug never shows which.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Keypad<'a> {
    /// Reader number, from 0.
    pub reader: u8,
    /// ASCII digits; 0x7F is `*`, 0x0D is `#`. At most 255.
    pub keys: &'a [u8],
}

impl core::fmt::Debug for Keypad<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Keypad {{ reader: {}, length: {}, .. }}", self.reader, self.keys.len())
    }
}

/// A reply with its data. Debug shows no content that may be a credential.
#[derive(Clone, Copy, PartialEq)]
pub enum Reply<'a> {
    /// Done, or nothing new.
    Ack,
    /// Refused, with what a device may add to the reason.
    Nak(NakCode, &'a [u8]),
    /// Who it is.
    Identity(Identity),
    /// What it can do.
    Capabilities(Records<'a, Capability>),
    /// The device's own tamper and power.
    LocalStatus {
        /// Its enclosure is open.
        tamper: bool,
        /// Its power has failed.
        power: bool,
    },
    /// One byte an input: 0 inactive, 1 active.
    InputStatus(&'a [u8]),
    /// One byte an output: 0 off, 1 on.
    OutputStatus(&'a [u8]),
    /// One byte a reader: 0 normal, 1 not connected, 2 tamper.
    ReaderStatus(&'a [u8]),
    /// A card.
    Raw(RawCard<'a>),
    /// A card as characters.
    Formatted(FormattedCard<'a>),
    /// Keys.
    Keypad(Keypad<'a>),
    /// Address and speed from now on.
    LineSettings(LineSettings),
    /// A biometric template.
    BioRead(Biometric, &'a [u8]),
    /// Reader, result, score.
    BioMatch(u8, u8, u8),
    /// The client cryptogram.
    ClientCryptogram(ClientCryptogram),
    /// The initial reply MAC.
    InitialMac([u8; 16]),
    /// Ask again, with the same sequence number.
    Busy,
    /// How a file transfer goes on.
    FileStatus(FileStatus),
    /// PIV data, as it is.
    PivData(&'a [u8]),
    /// Answer to general authenticate, as it is.
    GenAuth(&'a [u8]),
    /// Answer to a challenge, as it is.
    CrAuth(&'a [u8]),
    /// A maker's own status, as it is.
    MfgStatus(&'a [u8]),
    /// A maker's own error, as it is.
    MfgError(&'a [u8]),
    /// A maker's own reply.
    Mfg(Oui, &'a [u8]),
    /// Extended read (smart cards), as it is.
    ExtendedRead(&'a [u8]),
    /// A code this crate does not know.
    Other(u8, &'a [u8]),
}

impl<'a> Reply<'a> {
    /// The code on the wire.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Ack => code::ACK,
            Self::Nak(..) => code::NAK,
            Self::Identity(_) => code::PDID,
            Self::Capabilities(_) => code::PDCAP,
            Self::LocalStatus { .. } => code::LSTATR,
            Self::InputStatus(_) => code::ISTATR,
            Self::OutputStatus(_) => code::OSTATR,
            Self::ReaderStatus(_) => code::RSTATR,
            Self::Raw(_) => code::RAW,
            Self::Formatted(_) => code::FMT,
            Self::Keypad(_) => code::KEYPAD,
            Self::LineSettings(_) => code::COM,
            Self::BioRead(..) => code::BIOREADR,
            Self::BioMatch(..) => code::BIOMATCHR,
            Self::ClientCryptogram(_) => code::CCRYPT,
            Self::InitialMac(_) => code::RMAC_I,
            Self::Busy => code::BUSY,
            Self::FileStatus(_) => code::FTSTAT,
            Self::PivData(_) => code::PIVDATAR,
            Self::GenAuth(_) => code::GENAUTHR,
            Self::CrAuth(_) => code::CRAUTHR,
            Self::MfgStatus(_) => code::MFGSTATR,
            Self::MfgError(_) => code::MFGERRR,
            Self::Mfg(..) => code::MFGREP,
            Self::ExtendedRead(_) => code::XRD,
            Self::Other(code, _) => *code,
        }
    }

    /// Reads the data that came with `code`. Unknown codes are [`Reply::Other`].
    pub fn decode(code: u8, data: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(data);
        let decoded = match code {
            code::ACK => data.is_empty().then_some(Self::Ack),
            code::BUSY => data.is_empty().then_some(Self::Busy),
            code::NAK => reader.u8().map(|reason| Self::Nak(NakCode::from_byte(reason), reader.rest())),
            code::PDID => return Identity::read(data).map(Self::Identity),
            code::PDCAP => return Records::read(data).map(Self::Capabilities),
            code::LSTATR => match *data {
                [tamper, power] => Some(Self::LocalStatus { tamper: tamper != 0, power: power != 0 }),
                _ => None,
            },
            code::ISTATR => Some(Self::InputStatus(data)),
            code::OSTATR => Some(Self::OutputStatus(data)),
            code::RSTATR => Some(Self::ReaderStatus(data)),
            code::RAW => (|| {
                let (number, format, bits) = (reader.u8()?, reader.u8()?, reader.u16()?);
                let data = reader.exactly(usize::from(bits).div_ceil(8))?;
                Some(Self::Raw(RawCard { reader: number, format, bits, data }))
            })(),
            code::FMT => (|| {
                let (number, direction, length) = (reader.u8()?, reader.u8()?, reader.u8()?);
                let characters = reader.exactly(usize::from(length))?;
                Some(Self::Formatted(FormattedCard { reader: number, direction, characters }))
            })(),
            code::KEYPAD => (|| {
                let (number, length) = (reader.u8()?, reader.u8()?);
                let keys = reader.exactly(usize::from(length))?;
                Some(Self::Keypad(Keypad { reader: number, keys }))
            })(),
            code::COM => return LineSettings::read(data).map(Self::LineSettings),
            code::BIOREADR => (|| {
                let (head, length) = (Biometric::read(&mut reader)?, reader.u16()?);
                Some(Self::BioRead(head, reader.exactly(usize::from(length))?))
            })(),
            code::BIOMATCHR => match *data {
                [number, result, score] => Some(Self::BioMatch(number, result, score)),
                _ => None,
            },
            code::CCRYPT => (|| {
                let (client_id, random, cryptogram) = (reader.array()?, reader.array()?, reader.array()?);
                let whole = ClientCryptogram { client_id, random, cryptogram };
                reader.finished().then_some(Self::ClientCryptogram(whole))
            })(),
            code::RMAC_I => data.try_into().ok().map(Self::InitialMac),
            code::FTSTAT => return FileStatus::read(data).map(Self::FileStatus),
            code::PIVDATAR => Some(Self::PivData(data)),
            code::GENAUTHR => Some(Self::GenAuth(data)),
            code::CRAUTHR => Some(Self::CrAuth(data)),
            code::MFGSTATR => Some(Self::MfgStatus(data)),
            code::MFGERRR => Some(Self::MfgError(data)),
            code::MFGREP => reader.array().map(|oui| Self::Mfg(Oui(oui), reader.rest())),
            code::XRD => Some(Self::ExtendedRead(data)),
            other => Some(Self::Other(other, data)),
        };
        decoded.ok_or(DecodeError::Length)
    }

    /// Length of the data in bytes; `None` if it cannot be encoded.
    pub fn data_len(&self) -> Option<usize> {
        let mut counter = Writer::counting();
        self.encode(&mut counter).ok()?;
        Some(counter.len())
    }

    /// Writes the data, without the code.
    pub fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLong> {
        let byte_len = |bytes: &[u8]| u8::try_from(bytes.len()).map_err(|_| TooLong);
        match self {
            Self::Ack | Self::Busy => Ok(()),
            Self::Nak(reason, more) => {
                out.u8(reason.byte())?;
                out.bytes(more)
            }
            Self::Identity(identity) => identity.write(out),
            Self::Capabilities(records) => records.write(out),
            Self::LocalStatus { tamper, power } => out.bytes(&[u8::from(*tamper), u8::from(*power)]),
            Self::Raw(card) => {
                if card.data.len() != usize::from(card.bits).div_ceil(8) {
                    return Err(TooLong);
                }
                out.bytes(&[card.reader, card.format])?;
                out.u16(card.bits)?;
                out.bytes(card.data)
            }
            Self::Formatted(card) => {
                out.bytes(&[card.reader, card.direction, byte_len(card.characters)?])?;
                out.bytes(card.characters)
            }
            Self::Keypad(keypad) => {
                out.bytes(&[keypad.reader, byte_len(keypad.keys)?])?;
                out.bytes(keypad.keys)
            }
            Self::LineSettings(settings) => settings.write(out),
            Self::BioRead(head, template) => {
                head.write(out)?;
                out.u16(u16::try_from(template.len()).map_err(|_| TooLong)?)?;
                out.bytes(template)
            }
            Self::BioMatch(number, result, score) => out.bytes(&[*number, *result, *score]),
            Self::ClientCryptogram(client) => {
                out.bytes(&client.client_id)?;
                out.bytes(&client.random)?;
                out.bytes(&client.cryptogram)
            }
            Self::InitialMac(mac) => out.bytes(mac),
            Self::FileStatus(status) => status.write(out),
            Self::Mfg(oui, data) => {
                out.bytes(&oui.0)?;
                out.bytes(data)
            }
            Self::InputStatus(data)
            | Self::OutputStatus(data)
            | Self::ReaderStatus(data)
            | Self::PivData(data)
            | Self::GenAuth(data)
            | Self::CrAuth(data)
            | Self::MfgStatus(data)
            | Self::MfgError(data)
            | Self::ExtendedRead(data)
            | Self::Other(_, data) => out.bytes(data),
        }
    }
}

impl core::fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let content: &dyn core::fmt::Debug = match self {
            Self::Nak(reason, _) => reason,
            Self::Identity(identity) => identity,
            Self::Capabilities(lines) => lines,
            Self::LocalStatus { tamper, power } => &(*tamper, *power),
            Self::InputStatus(points) | Self::OutputStatus(points) | Self::ReaderStatus(points) => points,
            Self::Raw(card) => card,
            Self::Formatted(card) => card,
            Self::Keypad(keypad) => keypad,
            Self::LineSettings(settings) => settings,
            Self::FileStatus(status) => status,
            Self::Mfg(oui, _) => oui,
            Self::Ack
            | Self::Busy
            | Self::BioRead(..)
            | Self::BioMatch(..)
            | Self::ClientCryptogram(_)
            | Self::InitialMac(_)
            | Self::PivData(_)
            | Self::GenAuth(_)
            | Self::CrAuth(_)
            | Self::MfgStatus(_)
            | Self::MfgError(_)
            | Self::ExtendedRead(_)
            | Self::Other(..) => &format_args!(".."),
        };
        write!(f, "Reply(0x{:02x}, {content:?})", self.code())
    }
}
