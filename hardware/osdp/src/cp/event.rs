//! What a panel learns from its devices.

use core::fmt;

use heapless::Vec;

use crate::control::{LineSettings, Oui};
use crate::status::{Identity, NakCode};
use crate::wire::Address;

/// Longest card in bytes.
pub const MAX_CARD: usize = 128;
/// Most keys in one report.
pub const MAX_KEYS: usize = 64;
/// Most inputs, outputs or readers in one report.
pub const MAX_POINTS: usize = 64;
/// Longest data of a maker's or unknown reply in bytes.
pub const MAX_DATA: usize = 512;

/// The caller's own name for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// Something that happened at a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// At which device.
    pub address: Address,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// The device answers, is identified and, where a key is set, proved that it has it.
    Online {
        /// Who it is, if it says so.
        identity: Option<Identity>,
        /// Over a secure channel with its own key.
        secure: bool,
    },
    /// The device cannot be used. Its commands fail; it is asked again after 1 s, 5 s, then every 30 s.
    Offline(OfflineReason),
    /// A new secure channel after an interruption too short to be off-line.
    SecureChannelUp,
    /// The device now has its own key; the install window is closed.
    KeyInstalled,
    /// The install window closed without a key being installed.
    InstallWindowClosed,
    /// A card.
    Card(Card),
    /// A card as characters.
    FormattedCard(FormattedCardRead),
    /// Keys.
    Keys(KeysPressed),
    /// All inputs, one byte each: 0 inactive, 1 active.
    Inputs(Vec<u8, MAX_POINTS>),
    /// All outputs, one byte each: 0 off, 1 on.
    Outputs(Vec<u8, MAX_POINTS>),
    /// The device's own state.
    LocalStatus {
        /// Its enclosure is open.
        tamper: bool,
        /// Its power has failed.
        power: bool,
    },
    /// One byte a reader: 0 normal, 1 not connected, 2 tamper.
    Readers(Vec<u8, MAX_POINTS>),
    /// The device now listens to this address at this speed: configure the bus anew.
    LineSettings(LineSettings),
    /// A maker's reply, to a command or by itself.
    Mfg {
        /// The maker.
        oui: Oui,
        /// The content.
        data: Content,
        /// The command it answers, `None` if it came by itself.
        token: Option<Token>,
    },
    /// Any other reply with data.
    Other {
        /// Its code.
        code: u8,
        /// The content.
        data: Content,
        /// The command it answers, `None` if it came by itself.
        token: Option<Token>,
    },
    /// A command was carried out.
    Done(Token),
    /// A command was not carried out, or nobody can tell.
    Failed(Token, Failure),
    /// A file transfer wants the next piece: call [`Cp::file_block`](super::Cp::file_block).
    FileWanted {
        /// The transfer.
        token: Token,
        /// From where, in bytes.
        offset: u32,
        /// How much at most, in bytes.
        len: usize,
    },
    /// Another panel speaks on this bus, here to this address. Told at most every 10 s.
    ForeignPanel,
}

/// Why a device is off-line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfflineReason {
    /// No valid reply: unplugged, without power, wrong address or speed.
    NoReply,
    /// It does not have the key, or not any more: replaced, reset, or somebody else.
    KeyRefused,
    /// It does not do Secure Channel, or somebody on the line pretends so.
    NoSecureChannel,
    /// Its answers make no sense.
    Protocol,
}

impl fmt::Display for OfflineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoReply => "no reply",
            Self::KeyRefused => "key refused",
            Self::NoSecureChannel => "no secure channel",
            Self::Protocol => "unintelligible answers",
        })
    }
}

/// Why a command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The device refused it.
    #[error("refused: {0}")]
    Refused(NakCode),
    /// Its time was over before it was sent.
    #[error("not sent in time")]
    Expired,
    /// It was sent, but its time was over before the device answered: it may have been carried out.
    #[error("sent, but not confirmed in time")]
    Unconfirmed,
    /// The device lost its session just then: it may have been carried out.
    #[error("interrupted by a new session")]
    Interrupted,
    /// The device went off-line: it may have been carried out if it had been sent.
    #[error("the device is off-line")]
    Offline,
    /// The device gave up a file transfer with this status.
    #[error("the device ended the transfer with status {0}")]
    File(i16),
    /// The caller gave it up.
    #[error("cancelled")]
    Cancelled,
}

/// The content of a maker's or unknown reply. Debug never shows it: it may be anybody's credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Content(pub(super) Vec<u8, MAX_DATA>);

impl core::ops::Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.len())
    }
}

/// A card as a reader saw it. Debug never shows its bits.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    /// Reader number, from 0.
    pub reader: u8,
    /// 0 unspecified, 1 Wiegand.
    pub format: u8,
    /// Number of bits.
    pub bits: u16,
    /// The bits, most significant first, left-aligned.
    pub data: Vec<u8, MAX_CARD>,
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Card {{ reader: {}, format: {}, bits: {}, .. }}", self.reader, self.format, self.bits)
    }
}

/// A card as characters. Debug never shows them.
#[derive(Clone, PartialEq, Eq)]
pub struct FormattedCardRead {
    /// Reader number, from 0.
    pub reader: u8,
    /// 0 forward, 1 backward.
    pub direction: u8,
    /// The characters.
    pub characters: Vec<u8, MAX_CARD>,
}

impl fmt::Debug for FormattedCardRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FormattedCardRead {{ reader: {}, length: {}, .. }}", self.reader, self.characters.len())
    }
}

/// Keys pressed. Debug never shows which.
#[derive(Clone, PartialEq, Eq)]
pub struct KeysPressed {
    /// Reader number, from 0.
    pub reader: u8,
    /// ASCII digits; 0x7F is `*`, 0x0D is `#`.
    pub keys: Vec<u8, MAX_KEYS>,
}

impl fmt::Debug for KeysPressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeysPressed {{ reader: {}, length: {}, .. }}", self.reader, self.keys.len())
    }
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// No such device on this bus.
    #[error("no such device")]
    UnknownDevice,
    /// The device is off-line; commands never wait for it to return.
    #[error("the device is off-line")]
    Offline,
    /// The device's capabilities do not offer it.
    #[error("the device does not offer this (capability {function})")]
    Unsupported {
        /// Capability function code, see [`crate::function`].
        function: u8,
    },
    /// The panel sends this itself.
    #[error("the panel sends this command itself")]
    Reserved,
    /// Longer than the device's buffer, or than a queue place.
    #[error("too long for the device")]
    TooLong,
    /// So many commands wait already.
    #[error("the device's queue is full")]
    Full,
    /// Its time is already over.
    #[error("already expired")]
    Expired,
}
