//! The smallest parts: addresses, sequence numbers, integrity checks, a bounded writer.

use core::fmt;

/// Smallest buffer every OSDP device must be able to receive (SIA OSDP 2.2 §5.7).
pub const MIN_FRAME_BUFFER: usize = 128;
/// Largest frame this crate accepts or makes, in bytes (SIA OSDP 2.2 §5.7: 1440).
pub const MAX_FRAME: usize = 1440;
/// The address every peripheral answers to, used to find a lone device.
pub const BROADCAST: u8 = 0x7F;

/// A peripheral's address on its bus: 0 to 126.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(u8);

impl Address {
    /// `None` above 126: 127 is the broadcast address.
    pub const fn new(value: u8) -> Option<Self> {
        if value < BROADCAST { Some(Self(value)) } else { None }
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl TryFrom<u8> for Address {
    type Error = InvalidAddress;

    fn try_from(value: u8) -> Result<Self, InvalidAddress> {
        Self::new(value).ok_or(InvalidAddress(value))
    }
}

/// An address outside 0 to 126.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no OSDP address: 0 to 126 are")]
pub struct InvalidAddress(pub u8);

/// The two-bit sequence number: 0 restarts communication, then 1, 2, 3, 1, ... (§5.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sequence(u8);

impl Sequence {
    /// Restarts communication; the peripheral forgets its session.
    pub const RESTART: Self = Self(0);

    /// Takes the low two bits.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0x03)
    }

    /// The two bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The number that follows; 0 never comes back by counting.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 == 3 { Self(1) } else { Self(self.0 + 1) }
    }
}

/// How a frame's integrity is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Check {
    /// One byte: two's complement of the sum. For devices that cannot do better.
    Checksum,
    /// CRC-16, polynomial 0x1021, initial value 0x1D0F, not reflected.
    #[default]
    Crc16,
}

impl Check {
    /// Bytes at the end of the frame.
    pub const fn size(self) -> usize {
        match self {
            Self::Checksum => 1,
            Self::Crc16 => 2,
        }
    }
}

const CRC_TABLE: [u16; 256] = {
    let mut table = [0u16; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

/// CRC-16/AUG-CCITT, as OSDP uses it. Check value of `"123456789"`: 0xE5CC.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0x1D0F, |crc, &byte| {
        let [high, low] = crc.to_be_bytes();
        (u16::from(low) << 8) ^ CRC_TABLE[usize::from(high ^ byte)]
    })
}

/// The one-byte checksum: all bytes of the frame and this one add up to zero.
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte)).wrapping_neg()
}

/// The output buffer was too small for the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message does not fit the buffer")]
pub struct TooLong;

/// Appends to a borrowed buffer; every write is bounded.
#[derive(Debug)]
pub struct Writer<'b> {
    /// `None` only counts.
    buffer: Option<&'b mut [u8]>,
    len: usize,
}

impl<'b> Writer<'b> {
    /// Starts at the beginning of `buffer`.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer: Some(buffer), len: 0 }
    }

    /// Counts what would be written, up to [`MAX_FRAME`].
    pub fn counting() -> Self {
        Self { buffer: None, len: 0 }
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> Result<(), TooLong> {
        self.bytes(&[value])
    }

    /// Appends two bytes, low byte first.
    pub fn u16(&mut self, value: u16) -> Result<(), TooLong> {
        self.bytes(&value.to_le_bytes())
    }

    /// Appends four bytes, low byte first.
    pub fn u32(&mut self, value: u32) -> Result<(), TooLong> {
        self.bytes(&value.to_le_bytes())
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        let end = self.len.checked_add(bytes.len()).ok_or(TooLong)?;
        match &mut self.buffer {
            Some(buffer) => buffer.get_mut(self.len..end).ok_or(TooLong)?.copy_from_slice(bytes),
            None if end > MAX_FRAME => return Err(TooLong),
            None => {}
        }
        self.len = end;
        Ok(())
    }
}

/// Takes values off the front of a message body; `None` when it is too short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    /// What is left, if it is exactly `len` bytes.
    pub(crate) fn exactly(&mut self, len: usize) -> Option<&'a [u8]> {
        if self.0.len() == len { Some(core::mem::take(&mut self.0)) } else { None }
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }

    pub(crate) fn finished(&self) -> bool {
        self.0.is_empty()
    }
}
