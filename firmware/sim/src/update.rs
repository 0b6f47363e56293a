//! The host board's images, and its bootloader: `embassy-boot` over the flash file. An image here is a few words that name a version and
//! say whether it comes up; the process that runs them is always the same.

use std::io;
use std::path::Path;

use board_logic::{LayoutError, Marks, Updates};
use embassy_boot::{AlignedBuffer, BootLoader, BootLoaderConfig};
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use endpoints::vendor::Kind;
use endpoints::vendor::firmware::{Fits, Running, Text};

use crate::flash::{ACTIVE, FileFlash, FlashError, MARKS, PAGE, PLACE};

/// The target of these images: no pin map has it.
pub const TARGET: &str = "host";
/// The version that a new board comes with.
pub const FACTORY: [u8; 3] = [0, 1, 0];
/// The security number of all versions here.
pub const SECURITY: u32 = 1;

/// An image, understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Image {
    /// Its version.
    pub firmware: [u8; 3],
    /// Whether it comes up; one that does not is reset by its watchdog.
    pub comes_up: bool,
}

impl Image {
    /// Its bytes, filled up to a length.
    pub fn bytes(&self, length: usize) -> Vec<u8> {
        let [major, minor, patch] = self.firmware;
        let outcome = if self.comes_up { "comes up" } else { "does not come up" };
        let mut bytes = format!("gatehouse board-sim {major}.{minor}.{patch} {outcome}\n").into_bytes();
        let filling = (0..).map(|n: u32| (n.wrapping_mul(0x9E37_79B9) >> 24).to_le_bytes()[0]);
        let missing = length.saturating_sub(bytes.len());
        bytes.extend(filling.take(missing));
        bytes
    }

    /// Reads one; none if these bytes are no image.
    pub fn read(bytes: &[u8]) -> Option<Image> {
        let line = bytes.split(|byte| *byte == b'\n').next()?;
        let words = std::str::from_utf8(line).ok()?.strip_prefix("gatehouse board-sim ")?;
        let (version, outcome) = words.split_once(' ')?;
        let mut parts = version.split('.').map(|part| part.parse().ok());
        let firmware = [parts.next()??, parts.next()??, parts.next()??];
        let comes_up = match outcome {
            "comes up" => true,
            "does not come up" => false,
            _ => return None,
        };
        Some(Image { firmware, comes_up })
    }
}

/// What images must fit a board of this kind here.
///
/// # Panics
/// Never: the target's name is short.
pub fn fits(kind: Kind, model: u8, revision: u8) -> Fits {
    Fits { kind, model, revision, target: Text::new(TARGET).expect("four letters") }
}

/// Where updates go in the flash file.
///
/// # Errors
/// When there are more keys than a board knows.
pub fn updates(fits: Fits, firmware: [u8; 3], keys: &[[u8; 32]]) -> Result<Updates, LayoutError> {
    Ok(Updates {
        place: PLACE,
        marks: MARKS,
        keys: heapless::Vec::from_slice(keys).map_err(|_| LayoutError::Unsuitable)?,
        running: Running { fits, firmware, security: SECURITY },
    })
}

/// Power comes: the bootloader does what the marks say, and what is in the active part is started. A new board gets its factory's
/// version first.
///
/// # Errors
/// When the flash file cannot be read or written.
pub fn boot(path: &Path) -> io::Result<Image> {
    let dead = Image { firmware: [0; 3], comes_up: false };
    let mut active = Part(FileFlash::open(path)?, ACTIVE);
    let mut first = [0; 64];
    active.read(0, &mut first).map_err(io::Error::other)?;
    if first.iter().all(|byte| *byte == 0xFF) {
        let factory = Image { firmware: FACTORY, comes_up: true }.bytes(64);
        active.write(0, &factory).map_err(io::Error::other)?;
    }
    let mut loader = BootLoader::new(BootLoaderConfig {
        active,
        dfu: Part(FileFlash::open(path)?, PLACE),
        state: Marks(Part(FileFlash::open(path)?, MARKS)),
    });
    let mut buffer = AlignedBuffer([0; PAGE]);
    let prepared = loader.prepare_boot(buffer.as_mut());
    prepared.map_err(|error| io::Error::other(format!("the bootloader: {error:?}")))?;
    let mut active = Part(FileFlash::open(path)?, ACTIVE);
    active.read(0, &mut first).map_err(io::Error::other)?;
    Ok(Image::read(&first).unwrap_or(dead))
}

/// A part of the flash file as a bootloader sees it.
struct Part(FileFlash, std::ops::Range<u32>);

impl Part {
    fn at(&self, offset: u32, length: usize) -> Result<u32, FlashError> {
        let whole = (self.1.end - self.1.start) as usize;
        let inside = (offset as usize).checked_add(length).is_some_and(|end| end <= whole);
        if inside { Ok(self.1.start + offset) } else { Err(FlashError::Address) }
    }
}

impl ErrorType for Part {
    type Error = FlashError;
}

impl ReadNorFlash for Part {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        let at = self.at(offset, bytes.len())?;
        self.0.read_now(at, bytes)
    }

    fn capacity(&self) -> usize {
        (self.1.end - self.1.start) as usize
    }
}

impl NorFlash for Part {
    const WRITE_SIZE: usize = <FileFlash as embedded_storage_async::nor_flash::NorFlash>::WRITE_SIZE;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        let length = to.checked_sub(from).ok_or(FlashError::Address)?;
        let at = self.at(from, length as usize)?;
        self.0.erase_now(at, at + length)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let at = self.at(offset, bytes.len())?;
        self.0.write_now(at, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_says_which_version_it_is_and_whether_it_comes_up() {
        for comes_up in [true, false] {
            let image = Image { firmware: [1, 20, 255], comes_up };
            assert_eq!(Image::read(&image.bytes(0)), Some(image));
            assert_eq!(image.bytes(5_000).len(), 5_000);
            assert_eq!(Image::read(&image.bytes(5_000)), Some(image));
        }
        assert_eq!(Image::read(&[0xFF; 64]), None);
        assert_eq!(Image::read(b"gatehouse board-sim 1.2 comes up\n"), None);
    }
}
