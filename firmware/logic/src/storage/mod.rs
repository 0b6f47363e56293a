//! What a board keeps in flash, over any NOR flash that may be written once between erases: event log, whitelist, key, settings, marks, an
//! update.
//!
//! Power may fail before, within or after any operation: what was reported done is there after the next start, what was not is there
//! whole or not at all.
//!
//! ```text
//! | state: 3 pages, a map | list A | list B | log: the rest, a ring of pages | key: 2 pages |   an update's place and marks
//! ```

mod key;
mod list;
mod log;
mod mend;
mod part;
mod state;
mod update;

use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use endpoints::vendor::{BoardSettings, whitelist};
use sequential_storage::cache::page_states::CalculatedPageStates;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::queue::{QueueConfig, QueueStorage};
use sha2::{Digest, Sha256};

use crate::job::{Done, Job, Restored};
use list::Lists;
use update::Incoming;

pub use part::Marks;
pub use update::{MAX_KEYS, NOTED_EVERY, Updates};

type LogCache = Cache<CalculatedPageStates, Uncached, Uncached, ()>;

/// Where things are in the flash. Offsets in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    state: Range<u32>,
    lists: [Range<u32>; 2],
    log: Range<u32>,
    /// Behind the others: boards had these before they had the key here.
    keys: [Range<u32>; 2],
    page: u32,
    /// Behind all that.
    update: Option<Updates>,
}

/// A flash that is too small.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LayoutError {
    /// The log would hold fewer than [`MIN_EVENTS`].
    #[error("the flash is too small for the event log")]
    TooSmall,
    /// The words or pages are not of a size this can use.
    #[error("the flash's words or pages are of an unsuitable size")]
    Unsuitable,
}

/// The log keeps at least so many events (GB 50396 5.2.2).
pub const MIN_EVENTS: u32 = 1_000;

impl Layout {
    /// Lays out the first `capacity` bytes of a flash of kind `F`. With pages of 2 KiB and words of 8 bytes, 68 KiB are enough.
    pub fn new<F: NorFlash>(capacity: u32) -> Result<Layout, LayoutError> {
        let page = u32::try_from(F::ERASE_SIZE).map_err(|_| LayoutError::Unsuitable)?;
        let word = F::WRITE_SIZE.max(F::READ_SIZE);
        if page < 1024
            || word > list::MAX_WORD
            || !page.is_multiple_of(256)
            || !key::RECORD.is_multiple_of(word)
        {
            return Err(LayoutError::Unsuitable);
        }
        let list_pages = u32::try_from(whitelist::MAX_FILE).expect("a few kilobytes").div_ceil(page);
        // Three, so that the mending can tell the page in use from one that was being erased.
        let state = 0..3 * page;
        let first = state.end..state.end + list_pages * page;
        let second = first.end..first.end + list_pages * page;
        let pages = capacity / page;
        let key = |number: u32| {
            (pages.saturating_sub(2) + number) * page..(pages.saturating_sub(1) + number) * page
        };
        let log = second.end..key(0).start;
        let layout =
            Layout { state, lists: [first, second], log, keys: [key(0), key(1)], page, update: None };
        if layout.log.end <= layout.log.start || layout.min_events::<F>() < MIN_EVENTS {
            return Err(LayoutError::TooSmall);
        }
        Ok(layout)
    }

    /// The same, and behind it, or in another part of the flash, room for an update.
    pub fn with_updates<F: NorFlash>(self, updates: Updates) -> Result<Layout, LayoutError> {
        if !updates.is_sound::<F>(self.page, self.keys[1].end) {
            return Err(LayoutError::Unsuitable);
        }
        Ok(Layout { update: Some(updates), ..self })
    }

    /// How many of the longest events the log holds while one of its pages is erased.
    pub fn min_events<F: NorFlash>(&self) -> u32 {
        let word = u32::try_from(F::WRITE_SIZE.max(F::READ_SIZE)).unwrap_or(u32::MAX);
        let longest = u32::try_from(endpoints::vendor::MAX_EVENT).expect("a few bytes");
        let item = 8_u32.next_multiple_of(word) + longest.next_multiple_of(word);
        let pages = (self.log.end - self.log.start) / self.page;
        pages.saturating_sub(1) * ((self.page - 2 * word) / item)
    }

    fn pages_of_log(&self) -> usize {
        usize::try_from((self.log.end - self.log.start) / self.page).expect("fits the address space")
    }
}

/// A board's flash.
pub struct Storage<F: NorFlash> {
    log: QueueStorage<F, LogCache>,
    layout: Layout,
    oldest: u32,
    lists: Lists,
    incoming: Incoming,
}

impl<F: NorFlash> Storage<F> {
    /// Reads what is there after a start, mends what a power cut left, and counts the start. `entropy` is mixed into the seed for
    /// the secure channel: from a hardware source where there is one; without, the start's count and what was there before keep it
    /// different each time.
    pub async fn open(flash: F, layout: Layout, entropy: [u8; 16]) -> Result<(Storage<F>, Restored), F> {
        let cache = Cache::new(CalculatedPageStates::new(layout.pages_of_log()), Uncached, Uncached);
        let config = QueueConfig::new(layout.log.clone());
        let log = QueueStorage::new(flash, config, cache);
        let mut storage =
            Storage { log, layout, oldest: 0, lists: Lists::default(), incoming: Incoming::default() };
        for range in [storage.layout.state.clone(), storage.layout.log.clone()] {
            if mend::mend(storage.log.flash(), &range, storage.layout.page).await.is_none() {
                return Err(storage.log.destroy().0);
            }
        }
        match storage.restore(entropy).await {
            Some(restored) => Ok((storage, restored)),
            None => Err(storage.log.destroy().0),
        }
    }

    /// Carries out one job.
    pub async fn perform(&mut self, job: Job) -> Done {
        match job {
            Job::Append(event) => match self.append(&event).await {
                Some(()) => Done::Appended { oldest: self.oldest },
                None => Done::Failed,
            },
            Job::Fetch { from } => self.fetch(from).await.map_or(Done::Failed, Done::Fetched),
            Job::Acked { up_to } => match self.store(state::ACKED, &up_to.to_le_bytes()).await {
                Some(()) => Done::Acked,
                None => Done::Failed,
            },
            Job::SaveKey(key) => match self.keep_key(Some(key)).await {
                Some(()) => Done::KeySaved,
                None => Done::Failed,
            },
            // Nothing, kept as the key: the map takes an entry back only on flash that is written twice.
            Job::EraseKey => match self.keep_key(None).await {
                Some(()) => Done::KeyErased,
                None => Done::Failed,
            },
            Job::SaveSettings(settings) => match self.save_settings(&settings).await {
                Some(()) => Done::SettingsSaved,
                None => Done::Failed,
            },
            Job::ListPiece { offset, total, data, key, serial, newest } => {
                let last = u32::try_from(data.len()).is_ok_and(|length| offset + length == total);
                match self.list_piece(offset, &data).await {
                    None => Done::Failed,
                    Some(()) if last => self.list_complete(total, &key, serial, newest).await,
                    Some(()) => Done::PieceTaken,
                }
            }
            Job::ImagePiece { offset, total, data } => {
                self.image_piece(offset, total, &data).await.unwrap_or(Done::Failed)
            }
            Job::CheckImage => self.check_image().await.unwrap_or(Done::Failed),
            Job::MarkSwap { image } => self.mark_swap(image).await.unwrap_or(Done::Failed),
            Job::MarkGood => self.mark_good().await.unwrap_or(Done::Failed),
            Job::ForgetImage => self.forget_image().await.map_or(Done::Failed, |()| Done::ImageForgotten),
            Job::Lookup { entry } => self.list_has(&entry).await.map_or(Done::Failed, Done::Looked),
        }
    }

    /// The flash itself, for a test that looks at it.
    pub fn into_flash(self) -> F {
        self.log.destroy().0
    }

    async fn restore(&mut self, entropy: [u8; 16]) -> Option<Restored> {
        let boot = self.number(state::BOOT).await?.unwrap_or(0).saturating_add(1);
        let seed = self.new_seed(entropy, boot).await?;
        self.store(state::BOOT, &boot.to_le_bytes()).await?;
        let mut acked = self.number(state::ACKED).await?.unwrap_or(0);
        let mut kept = self.survey().await?;
        let known = self.number(state::EPOCH).await?;
        let mut lost = 0;
        // A log that lost its epoch, or its events, or its end, begins anew: its numbers must not be given again.
        let epoch = match known {
            Some(epoch)
                if kept.is_some_and(|(_, newest)| newest >= acked) || (kept.is_none() && acked == 0) =>
            {
                epoch
            }
            Some(_) | None => {
                let there_was_one = kept.is_some() || acked > 0;
                lost = kept.map_or(u32::from(there_was_one), |(oldest, newest)| newest - oldest + 1);
                self.erase_log().await?;
                acked = 0;
                kept = None;
                self.store(state::ACKED, &0_u32.to_le_bytes()).await?;
                let drawn: [u8; 32] =
                    Sha256::new().chain_update(seed).chain_update(b"epoch").finalize().into();
                let (first, _) = drawn.split_first_chunk().expect("a hash is longer");
                let epoch = u32::from_le_bytes(*first).max(1);
                self.store(state::EPOCH, &epoch.to_le_bytes()).await?;
                epoch
            }
        };
        let (oldest, newest) = kept.unwrap_or((0, 0));
        self.oldest = oldest;
        let settings = self.settings().await?;
        let (key, key_lost) = match self.find_key().await? {
            key::Found::None => (None, false),
            key::Found::Key(key) => (Some(key), false),
            key::Found::Unreadable => (None, true),
        };
        let list = self.find_list(settings.map(|s: BoardSettings| s.whitelist_key)).await?;
        let update = self.find_update().await?;
        let boot = u16::try_from(boot).unwrap_or(u16::MAX);
        Some(Restored {
            boot,
            epoch,
            oldest,
            newest,
            acked,
            lost,
            key,
            key_lost,
            settings,
            list,
            update,
            seed,
        })
    }

    /// A seed that differs at each start, and the pool for the next one, written before this one is used.
    async fn new_seed(&mut self, entropy: [u8; 16], boot: u32) -> Option<[u8; 16]> {
        let pool = self.bytes::<32>(state::POOL).await?.unwrap_or([0; 32]);
        let mixed = Sha256::new().chain_update(pool).chain_update(entropy).chain_update(boot.to_le_bytes());
        let next: [u8; 32] = mixed.clone().chain_update(b"pool").finalize().into();
        self.store(state::POOL, &next).await?;
        let seed: [u8; 32] = mixed.chain_update(b"seed").finalize().into();
        let (seed, _) = seed.split_first_chunk().expect("a hash is longer");
        Some(*seed)
    }
}
