//! A firmware image on its way to a board: a file for OSDP FILETRANSFER (type [`FILE_TYPE`]), signed by the maker.
//!
//! ```text
//! header (96 bytes) | ed25519 signature (64 bytes) | image (length bytes)
//! ```
//! The signature is over [`SIGNED_PREFIX`] and the header, and the header has the image's SHA-256: who has read the first
//! [`HEAD_LEN`] bytes knows whether the maker meant this file for this board, before a byte of flash is touched; who has read the
//! rest knows whether it is that image. Integers are little-endian, texts ASCII and filled up with zeros.

use super::info::Kind;
use super::wire::{BadBody, NoRoom, Reader, Writer};

/// OSDP file type of an image (128 and up are the maker's).
pub const FILE_TYPE: u8 = 0x81;
/// The signed message begins with this.
pub const SIGNED_PREFIX: &[u8; 24] = b"gatehouse firmware v1\0\0\0";
/// Length of the header.
pub const HEADER_LEN: usize = 96;
/// Length of the signature.
pub const SIGNATURE_LEN: usize = 64;
/// Header and signature.
pub const HEAD_LEN: usize = HEADER_LEN + SIGNATURE_LEN;
/// The longest image, bytes: more than any of our chips has room for, and little enough to keep several.
pub const MAX_IMAGE: u32 = 1024 * 1024;
/// The longest name of a target.
pub const TARGET_LEN: usize = 16;
/// The longest words of a version.
pub const WORDS_LEN: usize = 28;

const MAGIC: [u8; 4] = *b"GHFW";
const VERSION: u8 = 1;

/// The head of an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Which boards it runs on.
    pub fits: Fits,
    /// Its version, as boards name theirs.
    pub firmware: [u8; 3],
    /// Its security number: a board takes none with a lower one than it runs. Raised when an older version must not come back.
    pub security: u32,
    /// The image's length in bytes: 1..=[`MAX_IMAGE`].
    pub length: u32,
    /// What people call this version.
    pub words: Text<WORDS_LEN>,
    /// SHA-256 of the image.
    pub sha256: [u8; 32],
}

/// What an image and a board must have in common: the pin map's kind, model and revision, and the target within it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fits {
    /// Which kind of endpoint it serves.
    pub kind: Kind,
    /// The pin map's model number.
    pub model: u8,
    /// The pin map's revision: boards whose pins moved have another.
    pub revision: u8,
    /// Which of the pin map's targets: another chip's image does not even start.
    pub target: Text<TARGET_LEN>,
}

/// A short text of printable ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<const N: usize>([u8; N]);

/// A board as it judges images.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Running {
    /// What it is.
    pub fits: Fits,
    /// The version it runs.
    pub firmware: [u8; 3],
    /// That version's security number.
    pub security: u32,
}

/// Why an image is not taken. Numbers on the wire; they grow at the end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unfit {
    /// It does not begin like an image, or is cut off, or too long.
    Form,
    /// No key that the board knows has signed it.
    Signature,
    /// It is for another board: kind, model, revision or chip.
    OtherBoard,
    /// Its security number is lower than that of what runs.
    TooOld,
    /// It is the version that runs.
    Same,
    /// It is not the image that its header says.
    Digest,
    /// The board cannot be updated this way, or has no room for it.
    NoRoom,
    /// The board is trying another version, or has not settled on one.
    Busy,
    /// The board's flash failed.
    Flash,
}

impl Header {
    /// Writes the header's [`HEADER_LEN`] bytes.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, NoRoom> {
        let mut w = Writer::new(buffer);
        w.bytes(&MAGIC)?;
        w.bytes(&[VERSION, self.fits.kind.number(), self.fits.model, self.fits.revision])?;
        w.bytes(&self.fits.target.0)?;
        w.bytes(&self.firmware)?;
        w.u8(0)?;
        w.u32(self.security)?;
        w.u32(self.length)?;
        w.bytes(&self.words.0)?;
        w.bytes(&self.sha256)?;
        Ok(w.used())
    }

    /// Reads a header of exactly [`HEADER_LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Header, BadBody> {
        let mut r = Reader(bytes);
        if r.array::<4>()? != MAGIC {
            return Err(BadBody::Range("magic"));
        }
        match r.u8()? {
            VERSION => {}
            other => return Err(BadBody::Version(other)),
        }
        let kind = Kind::of_number(r.u8()?).ok_or(BadBody::Range("kind of endpoint"))?;
        let (model, revision) = (r.u8()?, r.u8()?);
        let target = Text::of_bytes(r.array()?).ok_or(BadBody::Range("target"))?;
        let firmware = r.array()?;
        if r.u8()? != 0 {
            return Err(BadBody::Range("reserved"));
        }
        let header = Header {
            fits: Fits { kind, model, revision, target },
            firmware,
            security: r.u32()?,
            length: r.u32()?,
            words: Text::of_bytes(r.array()?).ok_or(BadBody::Range("words"))?,
            sha256: r.array()?,
        };
        r.end()?;
        if !(1..=MAX_IMAGE).contains(&header.length) {
            return Err(BadBody::Range("length"));
        }
        Ok(header)
    }

    /// The length of the whole file.
    pub fn file_len(&self) -> u32 {
        self.length + u32::try_from(HEAD_LEN).expect("a few bytes")
    }

    /// The image's short name: the first eight bytes of its SHA-256. 0 is none.
    pub fn image(&self) -> u64 {
        let (first, _) = self.sha256.split_first_chunk().expect("a hash is longer");
        u64::from_le_bytes(*first).max(1)
    }

    /// Whether a board may run it. The signature is for the caller to check, first.
    pub fn fits(&self, board: &Running) -> Result<(), Unfit> {
        if self.fits != board.fits {
            return Err(Unfit::OtherBoard);
        }
        if self.security < board.security {
            return Err(Unfit::TooOld);
        }
        if self.firmware == board.firmware {
            return Err(Unfit::Same);
        }
        Ok(())
    }
}

/// Takes a file's head apart: the header, what was signed, the signature.
pub fn head(head: &[u8; HEAD_LEN]) -> Result<(Header, [u8; 120], [u8; SIGNATURE_LEN]), BadBody> {
    let (bytes, signature) = head.split_at(HEADER_LEN);
    let header = Header::decode(bytes)?;
    let signature = signature.try_into().expect("the rest of the head");
    Ok((header, signed_message(bytes.try_into().expect("the header's length")), signature))
}

/// What is signed: the prefix and the header.
pub fn signed_message(header: &[u8; HEADER_LEN]) -> [u8; 120] {
    let mut message = [0; 120];
    message[..24].copy_from_slice(SIGNED_PREFIX);
    message[24..].copy_from_slice(header);
    message
}

impl<const N: usize> Text<N> {
    /// At most `N` printable ASCII characters.
    pub const fn new(text: &str) -> Option<Text<N>> {
        let bytes = text.as_bytes();
        if bytes.len() > N {
            return None;
        }
        let mut filled = [0; N];
        let mut at = 0;
        while at < bytes.len() {
            if !matches!(bytes[at], 0x20..=0x7E) {
                return None;
            }
            filled[at] = bytes[at];
            at += 1;
        }
        Some(Text(filled))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        core::str::from_utf8(&self.0[..end]).expect("printable ASCII")
    }

    fn of_bytes(bytes: [u8; N]) -> Option<Text<N>> {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(N);
        let (text, rest) = bytes.split_at(end);
        let printable = text.iter().all(|byte| matches!(byte, 0x20..=0x7E));
        (printable && rest.iter().all(|byte| *byte == 0)).then_some(Text(bytes))
    }
}

impl<const N: usize> core::fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.as_str().fmt(f)
    }
}
