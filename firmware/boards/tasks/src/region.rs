//! The part of a chip's own flash that is the board's store.

use embedded_storage::nor_flash as blocking;
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

/// `LENGTH` bytes of a flash from `START` on, then the `BEFORE` bytes before `START`, all on page boundaries: a store at its flash's end
/// grows downwards, and what boards have in it stays where it is. The chip's flash is driven by waiting: a page takes about 25 ms,
/// during which interrupts run (the store is not in the bank or the sector the program runs from) and tasks do not.
pub struct Region<F, const START: u32, const LENGTH: u32, const BEFORE: u32>(F);

impl<F, const START: u32, const LENGTH: u32, const BEFORE: u32> Region<F, START, LENGTH, BEFORE> {
    /// The region of `flash`.
    pub const fn of(flash: F) -> Self {
        Self(flash)
    }
}

/// Why the region refused.
#[derive(Debug)]
pub enum RegionError<E> {
    /// Beyond the region's end.
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

impl<F: blocking::ErrorType, const START: u32, const LENGTH: u32, const BEFORE: u32> ErrorType
    for Region<F, START, LENGTH, BEFORE>
{
    type Error = RegionError<F::Error>;
}

impl<F: blocking::ReadNorFlash, const START: u32, const LENGTH: u32, const BEFORE: u32> ReadNorFlash
    for Region<F, START, LENGTH, BEFORE>
{
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let at = place::<F::Error, START, LENGTH, BEFORE>(offset, bytes.len())?;
        self.0.read(at, bytes).map_err(RegionError::Flash)
    }

    fn capacity(&self) -> usize {
        (LENGTH + BEFORE) as usize
    }
}

impl<F: blocking::NorFlash, const START: u32, const LENGTH: u32, const BEFORE: u32> NorFlash
    for Region<F, START, LENGTH, BEFORE>
{
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        let length = to.checked_sub(from).ok_or(RegionError::OutOfBounds)?;
        let at = place::<F::Error, START, LENGTH, BEFORE>(from, length as usize)?;
        self.0.erase(at, at + length).map_err(RegionError::Flash)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        let at = place::<F::Error, START, LENGTH, BEFORE>(offset, bytes.len())?;
        self.0.write(at, bytes).map_err(RegionError::Flash)
    }
}

fn place<E, const START: u32, const LENGTH: u32, const BEFORE: u32>(
    offset: u32,
    length: usize,
) -> Result<u32, RegionError<E>> {
    let (start, offset, most) = match offset.checked_sub(LENGTH) {
        None => (START, offset, LENGTH),
        Some(offset) => (START - BEFORE, offset, BEFORE),
    };
    let end = (offset as usize).checked_add(length).filter(|end| *end <= most as usize);
    end.map(|_| start + offset).ok_or(RegionError::OutOfBounds)
}
