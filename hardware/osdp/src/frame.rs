//! Frames: header, optional security block, code, data, check (SIA OSDP 2.2 §5.9).

use crate::wire::{BROADCAST, Check, MAX_FRAME, Sequence, TooLong, Writer, checksum, crc16};

/// Start of message.
pub const SOM: u8 = 0x53;
/// Optional idle mark before a frame; not counted in its length.
pub const MARK: u8 = 0xFF;
/// Bytes before the security block.
pub const HEADER_LEN: usize = 5;
/// Bytes of the message authentication code on the wire.
pub const MAC_LEN: usize = 4;

const CTRL_SEQUENCE: u8 = 0x03;
const CTRL_CRC: u8 = 0x04;
const CTRL_SCB: u8 = 0x08;
const REPLY_BIT: u8 = 0x80;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Control panel to peripheral.
    Command,
    /// Peripheral to control panel.
    Reply,
}

/// What every frame starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// 0 to 126, or [`BROADCAST`].
    pub address: u8,
    /// Who speaks.
    pub direction: Direction,
    /// Sequence number; a reply repeats its command's.
    pub sequence: Sequence,
    /// Integrity check; a reply uses its command's.
    pub check: Check,
}

/// Type of a security block (Annex D).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Scs {
    /// Challenge.
    Challenge = 0x11,
    /// Client cryptogram.
    ClientCryptogram = 0x12,
    /// Server cryptogram.
    ServerCryptogram = 0x13,
    /// Initial reply MAC.
    InitialMac = 0x14,
    /// Command with MAC, without data.
    CommandMac = 0x15,
    /// Reply with MAC, without data.
    ReplyMac = 0x16,
    /// Command with MAC and encrypted data.
    CommandSealed = 0x17,
    /// Reply with MAC and encrypted data.
    ReplySealed = 0x18,
}

impl Scs {
    const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x11 => Self::Challenge,
            0x12 => Self::ClientCryptogram,
            0x13 => Self::ServerCryptogram,
            0x14 => Self::InitialMac,
            0x15 => Self::CommandMac,
            0x16 => Self::ReplyMac,
            0x17 => Self::CommandSealed,
            0x18 => Self::ReplySealed,
            _ => return None,
        })
    }

    /// Whether the frame ends in a MAC.
    pub const fn has_mac(self) -> bool {
        matches!(self, Self::CommandMac | Self::ReplyMac | Self::CommandSealed | Self::ReplySealed)
    }

    /// Whether the data is encrypted.
    pub const fn is_sealed(self) -> bool {
        matches!(self, Self::CommandSealed | Self::ReplySealed)
    }
}

/// A security block as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecurityBlock<'a> {
    /// Its type.
    pub scs: Scs,
    /// What follows the type; in the handshake 1 = SCBK, 0 = default key, or the outcome.
    pub data: &'a [u8],
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Does not begin with [`SOM`], or the length field disagrees with the bytes at hand.
    #[error("not framed")]
    Framing,
    /// The length field is impossible or larger than the receiver's buffer.
    #[error("impossible length")]
    Length,
    /// CRC or checksum does not match.
    #[error("integrity check failed")]
    Check,
    /// The security block is malformed or of an unknown type.
    #[error("bad security block")]
    SecurityBlock,
}

/// A frame whose integrity check holds. Nothing in it is authenticated yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Address, direction, sequence, check.
    pub header: Header,
    /// Security block, if there is one.
    pub security: Option<SecurityBlock<'a>>,
    /// Command or reply code.
    pub code: u8,
    /// What follows the code, without MAC and check; still encrypted when sealed.
    pub data: &'a [u8],
    /// The MAC on the wire, when the security block says there is one.
    pub mac: Option<[u8; MAC_LEN]>,
    /// Where `data` begins in the frame.
    pub data_at: usize,
}

impl<'a> Frame<'a> {
    /// Reads one whole frame, without mark. Checks length, integrity and the security block's shape.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let (_, check, end) = outline(bytes)?;
        let (body, trailer) = bytes.split_at(end);
        let intact = match check {
            Check::Checksum => trailer == [checksum(body)],
            Check::Crc16 => trailer == crc16(body).to_le_bytes(),
        };
        if intact { Self::layout(bytes) } else { Err(FrameError::Check) }
    }

    /// Reads a frame whose integrity was checked before, or is about to be by its MAC.
    pub(crate) fn layout(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let ([_, address, _, _, control], check, end) = outline(bytes)?;
        let body = &bytes[..end];
        let (security, code_at) = if control & CTRL_SCB == 0 {
            (None, HEADER_LEN)
        } else {
            let (block, length) = security_block(&body[HEADER_LEN..])?;
            (Some(block), HEADER_LEN + length)
        };
        let (&code, data) = body[code_at..].split_first().ok_or(FrameError::SecurityBlock)?;
        let (data, mac) = match security {
            Some(block) if block.scs.has_mac() => {
                let (data, mac) = data.split_last_chunk::<MAC_LEN>().ok_or(FrameError::SecurityBlock)?;
                (data, Some(*mac))
            }
            Some(_) | None => (data, None),
        };
        let direction = if address & REPLY_BIT == 0 { Direction::Command } else { Direction::Reply };
        Ok(Self {
            header: Header {
                address: address & !REPLY_BIT,
                direction,
                sequence: Sequence::from_bits(control & CTRL_SEQUENCE),
                check,
            },
            security,
            code,
            data,
            mac,
            data_at: code_at + 1,
        })
    }

    /// Whether the frame is for everybody.
    pub fn is_broadcast(&self) -> bool {
        self.header.address == BROADCAST
    }
}

/// Header, check, and where the check begins.
fn outline(bytes: &[u8]) -> Result<([u8; HEADER_LEN], Check, usize), FrameError> {
    let header = *bytes.first_chunk::<HEADER_LEN>().ok_or(FrameError::Framing)?;
    let [som, _, low, high, control] = header;
    if som != SOM {
        return Err(FrameError::Framing);
    }
    if usize::from(u16::from_le_bytes([low, high])) != bytes.len() {
        return Err(FrameError::Length);
    }
    let check = if control & CTRL_CRC == 0 { Check::Checksum } else { Check::Crc16 };
    match bytes.len().checked_sub(check.size()) {
        Some(end) if end > HEADER_LEN => Ok((header, check, end)),
        Some(_) | None => Err(FrameError::Length),
    }
}

fn security_block(bytes: &[u8]) -> Result<(SecurityBlock<'_>, usize), FrameError> {
    let &[length, kind, ..] = bytes else { return Err(FrameError::SecurityBlock) };
    let length = usize::from(length);
    let block = bytes.get(2..length).ok_or(FrameError::SecurityBlock)?;
    let scs = Scs::from_byte(kind).ok_or(FrameError::SecurityBlock)?;
    Ok((SecurityBlock { scs, data: block }, length))
}

/// Lays out a frame in a buffer: [`begin`](Builder::begin), write code and data, [`finish`](Builder::finish).
#[derive(Debug)]
pub struct Builder<'b> {
    buffer: &'b mut [u8],
    check: Check,
    code_at: usize,
}

impl<'b> Builder<'b> {
    /// Writes header and security block (type and data) to the start of `buffer`.
    pub fn begin(
        buffer: &'b mut [u8],
        header: Header,
        security: Option<(Scs, &[u8])>,
    ) -> Result<Self, TooLong> {
        let direction = match header.direction {
            Direction::Command => 0,
            Direction::Reply => REPLY_BIT,
        };
        let crc = match header.check {
            Check::Checksum => 0,
            Check::Crc16 => CTRL_CRC,
        };
        let scb = if security.is_some() { CTRL_SCB } else { 0 };
        let start = buffer.first_chunk_mut::<HEADER_LEN>().ok_or(TooLong)?;
        *start = [SOM, header.address & !REPLY_BIT | direction, 0, 0, header.sequence.bits() | crc | scb];
        let mut code_at = HEADER_LEN;
        if let Some((scs, data)) = security {
            let length = data.len() + 2;
            let block = buffer.get_mut(HEADER_LEN..HEADER_LEN + length).ok_or(TooLong)?;
            block[0] = u8::try_from(length).map_err(|_| TooLong)?;
            block[1] = scs as u8;
            block[2..].copy_from_slice(data);
            code_at += length;
        }
        Ok(Self { buffer, check: header.check, code_at })
    }

    /// Where code and data go.
    pub fn message(&mut self) -> &mut [u8] {
        &mut self.buffer[self.code_at..]
    }

    /// Where the code goes, counted from the start of the frame.
    pub fn code_at(&self) -> usize {
        self.code_at
    }

    /// Sets the length field for a message of `message_len` bytes (code, data and MAC) and returns
    /// everything that a MAC covers when the last `mac_len` of them are the MAC.
    pub fn covered(&mut self, message_len: usize, mac_len: usize) -> Result<&mut [u8], TooLong> {
        let end = self.code_at + message_len;
        let total = end + self.check.size();
        if total > self.buffer.len() || total > MAX_FRAME {
            return Err(TooLong);
        }
        let length = u16::try_from(total).map_err(|_| TooLong)?.to_le_bytes();
        self.buffer[2..4].copy_from_slice(&length);
        Ok(&mut self.buffer[..end - mac_len])
    }

    /// Completes a frame whose message (code, data, MAC) is `message_len` bytes; returns its length.
    pub fn finish(mut self, message_len: usize) -> Result<usize, TooLong> {
        let end = self.covered(message_len, 0)?.len();
        let (body, rest) = self.buffer.split_at_mut(end);
        match self.check {
            Check::Checksum => rest[0] = checksum(body),
            Check::Crc16 => rest[..2].copy_from_slice(&crc16(body).to_le_bytes()),
        }
        Ok(end + self.check.size())
    }
}

/// Writes a frame in clear: `message` writes the data after the code. Returns its length.
pub fn write_clear(
    buffer: &mut [u8],
    header: Header,
    security: Option<(Scs, &[u8])>,
    code: u8,
    message: impl FnOnce(&mut Writer<'_>) -> Result<(), TooLong>,
) -> Result<usize, TooLong> {
    let mut builder = Builder::begin(buffer, header, security)?;
    let (first, rest) = builder.message().split_first_mut().ok_or(TooLong)?;
    *first = code;
    let mut writer = Writer::new(rest);
    message(&mut writer)?;
    let data_len = writer.len();
    builder.finish(1 + data_len)
}
