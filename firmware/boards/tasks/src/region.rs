//! The parts of a chip's own flash that are the board's: its store, and where it can be updated the place for an image.

use embedded_storage::nor_flash as blocking;
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

/// A piece of a flash: where it begins, and how long it is, bytes, on page boundaries.
pub type Span = (u32, u32);

/// Pieces of a flash, laid end to end: a store at its flash's end grows downwards, and what boards have in it stays where it is. The
/// chip's flash is driven by waiting: a page takes about 25 ms, during which tasks do not run, and interrupts do where the page is not in
/// the bank or the sector that the program runs from.
pub struct Region<F> {
    flash: F,
    spans: &'static [Span],
}

impl<F> Region<F> {
    /// These pieces of `flash`.
    pub const fn of(flash: F, spans: &'static [Span]) -> Self {
        Self { flash, spans }
    }
}

/// Why the region refused.
#[derive(Debug)]
pub enum RegionError<E> {
    /// Beyond the end of a piece.
    OutOfBounds,
    /// The flash itself refused.
    Flash(E),
}

impl<E: blocking::NorFlashError> blocking::NorFlashError for RegionError<E> {
    fn kind(&self) -> blocking::NorFlashErrorKind {
        match self {
            Self::OutOfBounds => blocking::NorFlashErrorKind::OutOfBounds,
            Self::Flash(error) => error.kind(),
        }
    }
}

impl<F: blocking::ErrorType> ErrorType for Region<F> {
    type Error = RegionError<F::Error>;
}

impl<F: blocking::ReadNorFlash> ReadNorFlash for Region<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let at = place(self.spans, offset, bytes.len())?;
        self.flash.read(at, bytes).map_err(RegionError::Flash)
    }

    fn capacity(&self) -> usize {
        self.spans.iter().map(|(_, length)| *length as usize).sum()
    }
}

impl<F: blocking::NorFlash> NorFlash for Region<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        let length = to.checked_sub(from).ok_or(RegionError::OutOfBounds)?;
        let at = place(self.spans, from, length as usize)?;
        self.flash.erase(at, at + length).map_err(RegionError::Flash)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        let at = place(self.spans, offset, bytes.len())?;
        self.flash.write(at, bytes).map_err(RegionError::Flash)
    }
}

fn place<E>(spans: &[Span], offset: u32, length: usize) -> Result<u32, RegionError<E>> {
    let mut offset = offset;
    for (start, of) in spans {
        match offset.checked_sub(*of) {
            None => {
                let end = (offset as usize).checked_add(length).filter(|end| *end <= *of as usize);
                return end.map(|_| start + offset).ok_or(RegionError::OutOfBounds);
            }
            Some(beyond) => offset = beyond,
        }
    }
    Err(RegionError::OutOfBounds)
}
