//! Parts of a flash, each as a flash of its own; and the marks that tell the bootloader what to do, written so that a torn erase tells
//! it nothing.

use core::ops::Range;

use embedded_storage::nor_flash as blocking;
use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use super::list::MAX_WORD;

/// A part of a flash.
pub(super) struct Part<'a, F> {
    flash: &'a mut F,
    range: Range<u32>,
}

/// Why a part refused.
#[derive(Debug)]
pub(super) enum PartError<E> {
    OutOfBounds,
    Flash(E),
}

impl<'a, F> Part<'a, F> {
    pub(super) fn of(flash: &'a mut F, range: Range<u32>) -> Part<'a, F> {
        Part { flash, range }
    }

    fn at(&self, offset: u32, length: usize) -> Option<u32> {
        let end = offset.checked_add(u32::try_from(length).ok()?)?;
        (end <= self.range.end - self.range.start).then_some(self.range.start + offset)
    }
}

impl<E: NorFlashError> NorFlashError for PartError<E> {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            PartError::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            PartError::Flash(error) => error.kind(),
        }
    }
}

impl<F: ErrorType> ErrorType for Part<'_, F> {
    type Error = PartError<F::Error>;
}

impl<F: ReadNorFlash> ReadNorFlash for Part<'_, F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let at = self.at(offset, bytes.len()).ok_or(PartError::OutOfBounds)?;
        self.flash.read(at, bytes).await.map_err(PartError::Flash)
    }

    fn capacity(&self) -> usize {
        (self.range.end - self.range.start) as usize
    }
}

impl<F: NorFlash> NorFlash for Part<'_, F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        let length = to.checked_sub(from).ok_or(PartError::OutOfBounds)?;
        let at = self.at(from, length as usize).ok_or(PartError::OutOfBounds)?;
        self.flash.erase(at, at + length).await.map_err(PartError::Flash)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        let at = self.at(offset, bytes.len()).ok_or(PartError::OutOfBounds)?;
        self.flash.write(at, bytes).await.map_err(PartError::Flash)
    }
}

/// The bootloader's marks (`embassy-boot`'s state partition), for the bootloader and for the board.
///
/// Their first word says "swap"; the words behind it say how far that is. `embassy-boot` erases all of them at once to begin anew.
/// An erase that is torn by a power cut may leave the first word as it was and take the progress: the next start would swap again what
/// is swapped, and a board would be left with neither version. So the first word is overwritten with zeros, which flash always
/// allows and which says nothing, before anything is erased.
pub struct Marks<F>(pub F);

impl<F: ErrorType> ErrorType for Marks<F> {
    type Error = F::Error;
}

impl<F: ReadNorFlash> ReadNorFlash for Marks<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.0.read(offset, bytes).await
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<F: NorFlash> NorFlash for Marks<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        if from == 0 {
            self.0.write(0, &[0; MAX_WORD][..F::WRITE_SIZE]).await?;
        }
        self.0.erase(from, to).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.0.write(offset, bytes).await
    }
}

impl<F: blocking::ReadNorFlash> blocking::ReadNorFlash for Marks<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.0.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<F: blocking::NorFlash> blocking::NorFlash for Marks<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        if from == 0 {
            self.0.write(0, &[0; MAX_WORD][..F::WRITE_SIZE])?;
        }
        self.0.erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.0.write(offset, bytes)
    }
}
