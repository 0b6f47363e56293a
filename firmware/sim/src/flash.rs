//! A board's flash as a file, with the rules of the STM32G4's: pages of 2 KiB, words of 8 bytes, each written once after an erase.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// What the board keeps is at the beginning, bytes.
pub const STORE: u32 = 68 * 1024;
/// Behind it the place where an image is received: a page longer than the longest.
pub const PLACE: Range<u32> = STORE..STORE + 66 * 1024;
/// The bootloader's marks.
pub const MARKS: Range<u32> = PLACE.end..PLACE.end + 2 * 1024;
/// What runs.
pub const ACTIVE: Range<u32> = MARKS.end..MARKS.end + 64 * 1024;
/// Size of the flash, bytes.
pub const CAPACITY: u32 = ACTIVE.end;
/// Size of a page, bytes.
pub const PAGE: usize = 2048;
const WORD: usize = 8;

/// Why the flash refused.
#[derive(Debug, thiserror::Error)]
pub enum FlashError {
    /// The file could not be read or written.
    #[error("the flash file")]
    File(#[from] io::Error),
    /// Not on a page or word boundary, or beyond the end.
    #[error("an address outside the flash's pages and words")]
    Address,
    /// Written twice without an erase.
    #[error("a word written twice without an erase")]
    NotErased,
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            FlashError::Address => NorFlashErrorKind::OutOfBounds,
            FlashError::File(_) | FlashError::NotErased => NorFlashErrorKind::Other,
        }
    }
}

/// The flash.
#[derive(Debug)]
pub struct FileFlash(File);

impl FileFlash {
    /// Opens the file; one that is new or too short is filled up as erased.
    pub fn open(path: &Path) -> io::Result<FileFlash> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let length = file.metadata()?.len();
        if length < u64::from(CAPACITY) {
            let missing =
                vec![0xFF; usize::try_from(u64::from(CAPACITY) - length).map_err(io::Error::other)?];
            file.write_all_at(&missing, length)?;
        }
        Ok(FileFlash(file))
    }

    /// Reads at once.
    ///
    /// # Errors
    /// When the file fails, or beyond its end.
    pub fn read_now(&self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        let at = inside(offset, bytes.len(), 1)?;
        Ok(self.0.read_exact_at(bytes, at)?)
    }

    /// Erases at once.
    ///
    /// # Errors
    /// When the file fails, or not at the bounds of pages.
    pub fn erase_now(&self, from: u32, to: u32) -> Result<(), FlashError> {
        let length = to.checked_sub(from).ok_or(FlashError::Address)? as usize;
        let at = inside(from, length, PAGE)?;
        Ok(self.0.write_all_at(&vec![0xFF; length], at)?)
    }

    /// Writes at once.
    ///
    /// # Errors
    /// When the file fails, or not at the bounds of words, or over what is not erased.
    pub fn write_now(&self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let at = inside(offset, bytes.len(), WORD)?;
        let mut old = vec![0; bytes.len()];
        self.0.read_exact_at(&mut old, at)?;
        let twice = old.chunks(WORD).zip(bytes.chunks(WORD)).any(|(old, new)| {
            let zeros = new.iter().all(|byte| *byte == 0);
            !zeros && old.iter().any(|byte| *byte != 0xFF)
        });
        if twice {
            return Err(FlashError::NotErased);
        }
        Ok(self.0.write_all_at(bytes, at)?)
    }
}

fn inside(offset: u32, length: usize, unit: usize) -> Result<u64, FlashError> {
    let start = offset as usize;
    let aligned = start.is_multiple_of(unit) && length.is_multiple_of(unit);
    if aligned && start + length <= CAPACITY as usize {
        Ok(u64::from(offset))
    } else {
        Err(FlashError::Address)
    }
}

impl ErrorType for FileFlash {
    type Error = FlashError;
}

impl ReadNorFlash for FileFlash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        self.read_now(offset, bytes)
    }

    fn capacity(&self) -> usize {
        CAPACITY as usize
    }
}

impl NorFlash for FileFlash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        self.erase_now(from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        self.write_now(offset, bytes)
    }
}
