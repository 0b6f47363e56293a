//! Mending pages that a power cut left half erased or half marked, before the library sees them.
//!
//! A page of the library is blank, or has its first word zero (in use), or its first and last word zero (closed). It judges these words
//! by majority and then writes to them again, which flash that is written once refuses; and it knows nothing of a page whose erase was
//! torn so that it looks in use. Here every page is brought back to exactly one of the three. Writing zeros over anything is the
//! one second write that flash allows (STM32G4: RM0440 3.3.7).

use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;

use super::list::MAX_WORD;

/// Read at once, bytes.
const CHUNK: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Page {
    Blank,
    InUse,
    Closed,
    /// In use or closed, the closing mark torn.
    HalfClosed,
    /// Not to be trusted, and nothing in it is needed: its erase, or its first mark, was torn.
    Torn,
}

/// Mends all pages of a ring of at least three. None if the flash failed.
pub(super) async fn mend<F: NorFlash>(flash: &mut F, range: &Range<u32>, page: u32) -> Option<()> {
    let word = u32::try_from(F::WRITE_SIZE).ok()?;
    let mark = [0; MAX_WORD];
    let mark = mark.get(..F::WRITE_SIZE)?;
    for start in range.clone().step_by(usize::try_from(page).ok()?) {
        match look(flash, start, page).await? {
            Page::Blank | Page::InUse | Page::Closed => {}
            Page::HalfClosed => flash.write(start + page - word, mark).await.ok()?,
            Page::Torn => flash.erase(start, start + page).await.ok()?,
        }
    }
    // Only one page is in use at a time. After a torn erase the one behind it may look so too: what was to be erased is the oldest.
    for start in range.clone().step_by(usize::try_from(page).ok()?) {
        let before = if start == range.start { range.end - page } else { start - page };
        let both =
            look(flash, start, page).await? == Page::InUse && look(flash, before, page).await? == Page::InUse;
        if both {
            flash.write(start + page - word, mark).await.ok()?;
            break;
        }
    }
    Some(())
}

async fn look<F: NorFlash>(flash: &mut F, start: u32, page: u32) -> Option<Page> {
    let word = u32::try_from(F::WRITE_SIZE).ok()?;
    let mut buffer = [0; MAX_WORD];
    let buffer = buffer.get_mut(..F::WRITE_SIZE)?;
    flash.read(start, buffer).await.ok()?;
    let first = Mark::of(buffer);
    flash.read(start + page - word, buffer).await.ok()?;
    let last = Mark::of(buffer);
    Some(match (first, last) {
        (Mark::Set, Mark::Blank) => Page::InUse,
        (Mark::Set, Mark::Set) => Page::Closed,
        (Mark::Set, Mark::Torn) => Page::HalfClosed,
        (Mark::Blank, Mark::Blank) if is_blank(flash, start, page).await? => Page::Blank,
        (Mark::Blank | Mark::Torn, _) => Page::Torn,
    })
}

async fn is_blank<F: NorFlash>(flash: &mut F, start: u32, page: u32) -> Option<bool> {
    let mut chunk = [0; CHUNK];
    for offset in (0..page).step_by(CHUNK) {
        flash.read(start + offset, &mut chunk).await.ok()?;
        if chunk.iter().any(|byte| *byte != 0xFF) {
            return Some(false);
        }
    }
    Some(true)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Blank,
    Set,
    Torn,
}

impl Mark {
    fn of(word: &[u8]) -> Mark {
        if word.iter().all(|byte| *byte == 0xFF) {
            Mark::Blank
        } else if word.iter().all(|byte| *byte == 0) {
            Mark::Set
        } else {
            Mark::Torn
        }
    }
}
