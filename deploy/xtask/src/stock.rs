//! How much flash and memory each firmware image takes.

use std::path::Path;

use anyhow::{Context, Result};

/// What an image takes, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stock {
    /// Of the flash: program, constants, and what memory begins with.
    pub(crate) flash: u32,
    /// Of the memory: everything but the stack, which has the rest.
    pub(crate) memory: u32,
}

/// The image at `path`.
pub(crate) fn of(path: &Path) -> Result<Stock> {
    let image = std::fs::read(path).with_context(|| path.display().to_string())?;
    read(&image).with_context(|| format!("{} is no 32-bit ELF file", path.display()))
}

/// By its program headers (System V ABI, ELF-32): all on Cortex-M is loaded by them, and memory begins at 0x2000_0000.
fn read(image: &[u8]) -> Option<Stock> {
    const LOADED: u32 = 1;
    let word = |at: usize| Some(u32::from_le_bytes(*image.get(at..)?.first_chunk()?));
    let half = |at: usize| Some(u16::from_le_bytes(*image.get(at..)?.first_chunk()?));
    // The magic number, 32 bits, little end first.
    if !image.starts_with(b"\x7fELF\x01\x01") {
        return None;
    }
    let (first, length, count) = (word(0x1C)? as usize, usize::from(half(0x2A)?), usize::from(half(0x2C)?));
    let mut stock = Stock { flash: 0, memory: 0 };
    for header in (0..count).map(|number| first + number * length) {
        if word(header)? != LOADED {
            continue;
        }
        stock.flash += word(header + 16)?;
        if (0x2000_0000..0x4000_0000).contains(&word(header + 8)?) {
            stock.memory += word(header + 20)?;
        }
    }
    Some(stock)
}
