//! The offline whitelist: a file for OSDP FILETRANSFER (type [`FILE_TYPE`]), signed and expiring.
//!
//! ```text
//! header (48 bytes) | count x entry (8 bytes each, ascending, no two equal) | ed25519 signature (64 bytes)
//! ```
//! The signature is over [`SIGNED_PREFIX`] followed by SHA-256(header | entries), so that a board can check a file it reads from flash
//! piece by piece. An entry is the first eight bytes of `SHA-256(salt | kind | canonical payload)`: kind 1 card, 2 PIN, 3 QR; the
//! payload of a card is `bits as u16 big-endian | bits, first bit first, left-aligned, zero-padded`. No credential stands in the file.

use super::wire::{BadBody, NoRoom, Reader, Writer};

/// OSDP file type of a whitelist (128 and up are the maker's).
pub const FILE_TYPE: u8 = 0x80;
/// The signed message begins with this.
pub const SIGNED_PREFIX: &[u8; 24] = b"gatehouse whitelist v1\0\0";
/// Length of the header.
pub const HEADER_LEN: usize = 48;
/// Length of an entry.
pub const ENTRY_LEN: usize = 8;
/// Length of the signature.
pub const SIGNATURE_LEN: usize = 64;
/// The most entries a board takes: header, entries and signature then fit two flash pages of 2 KiB.
pub const MAX_ENTRIES: u16 = 498;
/// The longest file.
pub const MAX_FILE: usize = HEADER_LEN + MAX_ENTRIES as usize * ENTRY_LEN + SIGNATURE_LEN;

const MAGIC: [u8; 4] = *b"GHWL";
const VERSION: u8 = 1;

/// The head of a whitelist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Its number: a board takes none that is lower than the one in force. Not 0.
    pub list: u32,
    /// The serial number of the board it is for (as in the OSDP identification), 0 for any.
    pub board: u32,
    /// From when, UTC µs.
    pub issued_us: i64,
    /// Until when, UTC µs.
    pub expires_us: i64,
    /// What the entries are hashed with: a secret of the site, so that they say nothing to who does not hold it.
    pub salt: [u8; 16],
    /// How many entries follow: 0..=[`MAX_ENTRIES`].
    pub count: u16,
}

impl Header {
    /// Writes the header's [`HEADER_LEN`] bytes.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, NoRoom> {
        let mut w = Writer::new(buffer);
        w.bytes(&MAGIC)?;
        w.bytes(&[VERSION, 0])?;
        w.u16(self.count)?;
        w.u32(self.list)?;
        w.u32(self.board)?;
        w.i64(self.issued_us)?;
        w.i64(self.expires_us)?;
        w.bytes(&self.salt)?;
        Ok(w.used())
    }

    /// Reads a header of exactly [`HEADER_LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Header, BadBody> {
        let mut r = Reader(bytes);
        if r.array::<4>()? != MAGIC {
            return Err(BadBody::Range("magic"));
        }
        match r.array::<2>()? {
            [VERSION, 0] => {}
            [other, _] => return Err(BadBody::Version(other)),
        }
        let header = Header {
            count: r.u16()?,
            list: r.u32()?,
            board: r.u32()?,
            issued_us: r.i64()?,
            expires_us: r.i64()?,
            salt: r.array()?,
        };
        r.end()?;
        if header.count > MAX_ENTRIES {
            return Err(BadBody::Range("count"));
        }
        if header.list == 0 {
            return Err(BadBody::Range("list"));
        }
        Ok(header)
    }

    /// The length of the whole file.
    pub fn file_len(&self) -> usize {
        HEADER_LEN + usize::from(self.count) * ENTRY_LEN + SIGNATURE_LEN
    }
}

/// What is signed: the prefix and the SHA-256 of header and entries.
pub fn signed_message(sha256: &[u8; 32]) -> [u8; 56] {
    let mut message = [0; 56];
    message[..24].copy_from_slice(SIGNED_PREFIX);
    message[24..].copy_from_slice(sha256);
    message
}
