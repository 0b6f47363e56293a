//! The storage's loop, beside the board's and below it.

use core::future::pending;

use board_logic::{Layout, Storage};
use embedded_storage_async::nor_flash::NorFlash;

use crate::run::Exchange;

/// Gives the board what it knew, then carries out its jobs for ever. A flash that cannot be read leaves the board without its key and its
/// log: then it stays off the bus (its controller misses it) and goes on with exit, fire and strike.
///
/// # Panics
/// If the flash is of a size the logic cannot use: the board was built wrongly.
pub async fn run_storage<F: NorFlash>(flash: F, entropy: [u8; 16], exchange: &'static Exchange) -> ! {
    let capacity = u32::try_from(flash.capacity()).expect("less than 4 GiB");
    let layout = Layout::new::<F>(capacity).expect("a store that holds the log");
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
