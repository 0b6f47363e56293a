//! The event log: a ring of pages; the oldest page gives way when it is full, acknowledged or not.

use embedded_storage_async::nor_flash::NorFlash;
use endpoints::vendor::{BoardEvent, MAX_EVENT};
use heapless::Vec;
use sequential_storage::Error;

use super::Storage;
use crate::job::MAX_FETCH;

/// The library wants room for a word beyond the item.
const BUFFER: usize = 64;
const _: () = assert!(MAX_EVENT + 16 <= BUFFER);

impl<F: NorFlash> Storage<F> {
    pub(super) async fn append(&mut self, event: &BoardEvent) -> Option<()> {
        let mut buffer = [0; MAX_EVENT];
        let used = event.encode(&mut buffer).expect("MAX_EVENT holds every event");
        self.log.push(&buffer[..used], true).await.ok()?;
        // Asked after each event: a push may have taken the oldest page.
        let mut buffer = [0; BUFFER];
        let oldest = self.log.peek(&mut buffer).await.ok()??;
        let oldest = BoardEvent::decode(oldest).map_or(event.seq, |(event, _)| event.seq);
        self.oldest = self.oldest.max(oldest);
        Some(())
    }

    /// Oldest and newest number in the log; of a page whose erase was torn only what is whole behind the last gap counts. A log that cannot be mended counts as empty.
    pub(super) async fn survey(&mut self) -> Option<Option<(u32, u32)>> {
        match self.walk(0, |_| false).await {
            Ok(found) => Some(found),
            Err(Error::Corrupted { .. }) => {
                self.erase_log().await?;
                Some(None)
            }
            Err(_) => None,
        }
    }

    /// The first events from this number on.
    pub(super) async fn fetch(&mut self, from: u32) -> Option<Vec<BoardEvent, MAX_FETCH>> {
        let mut events = Vec::new();
        let walked =
            self.walk(from.max(self.oldest), |event| events.push(event).is_err() || events.is_full()).await;
        walked.ok().map(|_| events)
    }

    pub(super) async fn erase_log(&mut self) -> Option<()> {
        self.log.erase_all().await.ok()
    }

    /// Shows each event from `from` on, until told to stop; says the first and last number of the last run without gaps.
    async fn walk(
        &mut self,
        from: u32,
        mut show: impl FnMut(BoardEvent) -> bool,
    ) -> Result<Option<(u32, u32)>, Error<F::Error>> {
        let mut seen: Option<(u32, u32)> = None;
        let mut buffer = [0; BUFFER];
        let mut items = self.log.iter().await?;
        while let Some(item) = items.next(&mut buffer).await? {
            let Ok((event, _)) = BoardEvent::decode(&item) else { continue };
            seen = match seen {
                Some((first, last)) if event.seq == last + 1 => Some((first, event.seq)),
                Some(_) | None => Some((event.seq, event.seq)),
            };
            if event.seq >= from && show(event) {
                break;
            }
        }
        Ok(seen)
    }
}
