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
    let mut stock = Stock { flash: 0, memory: 0 };
    for part in parts(image)? {
        stock.flash += part.in_file;
        if (0x2000_0000..0x4000_0000).contains(&part.runs_at) {
            stock.memory += part.in_memory;
        }
    }
    Some(stock)
}

/// What a program's image is in flash, from its first byte to its last.
pub(crate) fn flash_of(image: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<Part> = parts(image)?.into_iter().filter(|part| part.in_file > 0).collect();
    parts.sort_by_key(|part| part.loaded_at);
    let first = parts.first()?.loaded_at;
    let mut flash = Vec::new();
    for part in parts {
        let at = usize::try_from(part.loaded_at - first).ok()?;
        if at < flash.len() {
            return None;
        }
        flash.resize(at, 0xFF);
        let from = usize::try_from(part.begins).ok()?;
        flash.extend(image.get(from..from.checked_add(usize::try_from(part.in_file).ok()?)?)?);
    }
    Some(flash)
}

struct Part {
    begins: u32,
    runs_at: u32,
    loaded_at: u32,
    in_file: u32,
    in_memory: u32,
}

fn parts(image: &[u8]) -> Option<Vec<Part>> {
    const LOADED: u32 = 1;
    let word = |at: usize| Some(u32::from_le_bytes(*image.get(at..)?.first_chunk()?));
    let half = |at: usize| Some(u16::from_le_bytes(*image.get(at..)?.first_chunk()?));
    // The magic number, 32 bits, little end first.
    if !image.starts_with(b"\x7fELF\x01\x01") {
        return None;
    }
    let (first, length, count) = (word(0x1C)? as usize, usize::from(half(0x2A)?), usize::from(half(0x2C)?));
    let mut parts = Vec::new();
    for header in (0..count).map(|number| first + number * length) {
        if word(header)? == LOADED {
            parts.push(Part {
                begins: word(header + 4)?,
                runs_at: word(header + 8)?,
                loaded_at: word(header + 12)?,
                in_file: word(header + 16)?,
                in_memory: word(header + 20)?,
            });
        }
    }
    Some(parts)
}
