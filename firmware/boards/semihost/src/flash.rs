//! Flash memory, kept in a file on the host.
//!
//! QEMU models no on-chip flash that can be written, so this **stands in** for it: a file reached by semihosting that obeys the rules
//! of the STM32G4's flash (pages of 2 KiB, writes of 8 bytes, each written once after an erase). What the emulator
//! cannot show is how long real flash takes and how it tears; the logic's own tests enumerate the latter.

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::call::{File, command_line};

/// Size of the store, bytes.
pub const CAPACITY: usize = 68 * 1024;
const PAGE: usize = 2048;
const WORD: usize = 8;
const ERASED: u8 = 0xFF;

/// Why the flash refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashError {
    /// Not on a page or word boundary.
    NotAligned,
    /// Beyond the end.
    OutOfBounds,
    /// Written twice without an erase.
    NotErased,
    /// The host's file failed.
    File,
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::NotErased | Self::File => NorFlashErrorKind::Other,
        }
    }
}

/// The flash.
pub struct Flash(File);

impl Flash {
    /// Opens the file named by the emulator's command line, or `flash.bin` in its directory. A new or short file is filled up as
    /// erased flash. None when the host has no such file and cannot make one.
    pub fn open() -> Option<Self> {
        let mut path = [0_u8; 256];
        let named = command_line(&mut path[..255])
            .map_or(0, |_| path.iter().position(|byte| *byte == 0).unwrap_or(0));
        let length = if named == 0 {
            path[..9].copy_from_slice(b"flash.bin");
            9
        } else {
            named
        };
        let path = &path[..=length];
        let mut file = File::open(path, false).or_else(|| File::open(path, true))?;
        let mut end = file.len()? as usize;
        while end < CAPACITY {
            let blank = &[ERASED; PAGE][..PAGE - end % PAGE];
            if !file.write(end as u32, blank) {
                return None;
            }
            end += blank.len();
        }
        Some(Self(file))
    }
}

impl ErrorType for Flash {
    type Error = FlashError;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check(offset, bytes.len(), 1)?;
        self.0.read(offset, bytes).then_some(()).ok_or(FlashError::File)
    }

    fn capacity(&self) -> usize {
        CAPACITY
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check(from, to.checked_sub(from).ok_or(FlashError::OutOfBounds)? as usize, PAGE)?;
        for page in (from..to).step_by(PAGE) {
            if !self.0.write(page, &[ERASED; PAGE]) {
                return Err(FlashError::File);
            }
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check(offset, bytes.len(), WORD)?;
        let mut at = offset;
        for word in bytes.chunks(WORD) {
            let mut before = [0; WORD];
            if !self.0.read(at, &mut before) {
                return Err(FlashError::File);
            }
            if before != [ERASED; WORD] {
                return Err(FlashError::NotErased);
            }
            if !self.0.write(at, word) {
                return Err(FlashError::File);
            }
            at += WORD as u32;
        }
        Ok(())
    }
}

fn check(offset: u32, length: usize, unit: usize) -> Result<(), FlashError> {
    if (offset as usize).checked_add(length).is_none_or(|end| end > CAPACITY) {
        return Err(FlashError::OutOfBounds);
    }
    if !(offset as usize).is_multiple_of(unit) || !length.is_multiple_of(unit) {
        return Err(FlashError::NotAligned);
    }
    Ok(())
}
