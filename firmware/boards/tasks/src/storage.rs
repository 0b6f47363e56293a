//! The storage's loop, beside the board's and below it.

use core::future::pending;

use board_logic::{Layout, Storage, Updates};
use embedded_storage_async::nor_flash::NorFlash;

use crate::run::Exchange;

/// Gives the board what it knew, then carries out its jobs for ever. A flash that cannot be read leaves the board without its key and its
/// log: then it stays off the bus (its controller misses it) and goes on with exit, fire and strike.
///
/// # Panics
/// If the flash is of a size the logic cannot use: the board was built wrongly.
pub async fn run_storage<F: NorFlash>(
    flash: F,
    updates: Option<Updates>,
    entropy: [u8; 16],
    exchange: &'static Exchange,
) -> ! {
    let whole = u32::try_from(flash.capacity()).expect("less than 4 GiB");
    // What is for updates lies behind the store.
    let store = updates.as_ref().map_or(whole, |updates| updates.place.start.min(updates.marks.start));
    let mut layout = Layout::new::<F>(store).expect("a store that holds the log");
    if let Some(updates) = updates {
        layout = layout.with_updates::<F>(updates).expect("a place for an image and the bootloader's marks");
    }
    let (mut storage, restored) = match Storage::open(flash, layout, entropy).await {
        Ok(opened) => opened,
        Err(_) => pending().await,
    };
    exchange.restored.signal(restored);
    loop {
        let job = exchange.jobs.receive().await;
        let done = storage.perform(job).await;
        exchange.done.send(done).await;
    }
}
