//! How the STM32G474RE's flash of 512 KiB is divided, for the boards and for their bootloader. Offsets from its start, bytes.
//!
//! ```text
//! first bank:  bootloader 8 | the program 198 | free 34 | the first 16 of an image's place
//! second bank: the other 184 of the place | marks 4 | the store 68        (KiB)
//! ```
//! The program runs from the first bank: while a page of the second is written or erased it goes on. Eight pages of the place lie in the
//! first, and while one of those is erased (22 ms by the data sheet, 25 ms at most) nothing runs, eight times an update.

use core::ops::Range;

/// The bootloader's.
pub const BOOTLOADER: Range<u32> = 0..8 * 1024;
/// What runs.
pub const ACTIVE: Range<u32> = BOOTLOADER.end..BOOTLOADER.end + 198 * 1024;
/// Where an image is received: a page more.
pub const PLACE: Range<u32> = 240 * 1024..440 * 1024;
/// What the bootloader is told, and how far it is.
pub const MARKS: Range<u32> = PLACE.end..PLACE.end + 4 * 1024;
/// The store's last 64 KiB are its first: it was smaller once.
pub const STORE: Range<u32> = 448 * 1024..512 * 1024;
/// The store's rest.
pub const STORE_BEFORE: Range<u32> = MARKS.end..STORE.start;

const _: () = assert!(PLACE.end - PLACE.start == ACTIVE.end - ACTIVE.start + 2048);
const _: () = assert!(ACTIVE.end <= PLACE.start);
