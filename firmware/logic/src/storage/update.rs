//! A firmware image: written beside the one that runs, read back and checked there, and marked for the bootloader to swap.
//!
//! The maker's signature is over the head, which comes first: an image that is not for this board never touches its place. Each job
//! erases one page of the place at most, and now and then one of the map's, so that the board's logic and its log never wait longer than that.

use core::ops::Range;

use ed25519_dalek::{Signature, VerifyingKey};
use embassy_boot::{FirmwareState, State};
use embedded_storage_async::nor_flash::NorFlash;
use endpoints::vendor::firmware::{HEAD_LEN, Header, Running, Unfit, head};
use heapless::Vec;
use sha2::{Digest, Sha256};

use super::list::MAX_WORD;
use super::part::{Marks, Part};
use super::{Storage, state};
use crate::job::{Done, FoundUpdate, Slot, Start};

/// How much of an image is kept is noted every so many bytes: what is sent again after a power cut.
pub const NOTED_EVERY: u32 = 4096;
/// Keys of the maker that a board knows: one, and the one that follows it.
pub const MAX_KEYS: usize = 2;
/// Read at once, bytes.
const CHUNK: usize = 256;
/// In place of a progress: the image is whole and was checked.
const WHOLE: u32 = u32::MAX;
const HEAD: u32 = HEAD_LEN as u32;

/// Where images go in a flash, and what is taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Updates {
    /// Where an image is received: the bootloader's DFU partition, a page longer than the one that runs.
    pub place: Range<u32>,
    /// The bootloader's marks: its state partition.
    pub marks: Range<u32>,
    /// The maker's keys; without any nothing is taken.
    pub keys: Vec<[u8; 32], MAX_KEYS>,
    /// What runs.
    pub running: Running,
}

impl Updates {
    /// Whether `embassy-boot` can work with these ranges.
    pub(super) fn is_sound<F: NorFlash>(&self, page: u32, from: u32) -> bool {
        let Ok(word) = u32::try_from(F::WRITE_SIZE) else { return false };
        let paged = |range: &Range<u32>| {
            range.start >= from
                && range.start < range.end
                && range.start.is_multiple_of(page)
                && range.end.is_multiple_of(page)
        };
        let apart = self.place.end <= self.marks.start || self.marks.end <= self.place.start;
        let longest = self.longest(page);
        let steps = longest / page;
        paged(&self.place)
            && paged(&self.marks)
            && apart
            && longest > 0
            && NOTED_EVERY.is_multiple_of(page)
            && 2 + 4 * steps <= (self.marks.end - self.marks.start) / word
    }

    fn longest(&self, page: u32) -> u32 {
        (self.place.end - self.place.start).saturating_sub(page)
    }
}

/// An image being received.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    head: Vec<u8, HEAD_LEN>,
    taking: Option<Taking>,
}

#[derive(Debug)]
struct Taking {
    header: Header,
    /// Bytes of the image that are written.
    written: u32,
    /// Bytes of the last word.
    rest: Vec<u8, MAX_WORD>,
}

impl<F: NorFlash> Storage<F> {
    /// A piece of a file: at offset 0 a new one begins, at the offset that [`Slot::Part`] names the last one goes on. None if the flash failed.
    pub(super) async fn image_piece(&mut self, offset: u32, total: u32, data: &[u8]) -> Option<Done> {
        let Some(updates) = self.layout.update.clone() else { return Some(Done::Unfit(Unfit::NoRoom)) };
        if self.boot_state(&updates).await? == State::Swap {
            // On trial the place holds the way back; marked, it holds what is to run.
            return Some(Done::Unfit(Unfit::Busy));
        }
        if offset == 0 {
            self.incoming = Incoming::default();
        } else if self.incoming.taking.is_none() && self.incoming.head.is_empty() {
            match self.resumed(&updates, offset).await? {
                Ok(taking) => self.incoming.taking = Some(taking),
                Err(unfit) => return Some(Done::Unfit(unfit)),
            }
        }
        let mut data = data;
        if self.incoming.taking.is_none() {
            let (of_head, rest) = data.split_at(data.len().min(HEAD_LEN - self.incoming.head.len()));
            if usize::try_from(offset) != Ok(self.incoming.head.len()) {
                return Some(self.unfit(Unfit::Form));
            }
            self.incoming.head.extend_from_slice(of_head).expect("no more than is missing");
            data = rest;
            let Ok(whole) = <[u8; HEAD_LEN]>::try_from(self.incoming.head.as_slice()) else {
                return Some(Done::PieceTaken);
            };
            match self.judged(&updates, &whole) {
                Ok(header) if header.file_len() == total => {
                    self.begin(&whole).await?;
                    self.incoming.taking = Some(Taking { header, written: 0, rest: Vec::new() });
                }
                Ok(_) => return Some(self.unfit(Unfit::Form)),
                Err(unfit) => return Some(self.unfit(unfit)),
            }
        } else if self.incoming.taking.as_ref().map(Taking::have) != Some(offset) {
            return Some(self.unfit(Unfit::Form));
        }
        self.take(&updates, data).await
    }

    /// All pieces are there: checks the image as it stands in flash.
    pub(super) async fn check_image(&mut self) -> Option<Done> {
        let Some(updates) = self.layout.update.clone() else { return Some(Done::Unfit(Unfit::NoRoom)) };
        let Some(mut taking) = self.incoming.taking.take() else { return Some(Done::Unfit(Unfit::Form)) };
        if taking.have() != taking.header.file_len() {
            return Some(self.unfit(Unfit::Form));
        }
        if !taking.rest.is_empty() {
            taking.rest.resize(F::WRITE_SIZE, 0xFF).expect("a word is at most MAX_WORD");
            self.write_word(&updates, &mut taking).await?;
        }
        self.incoming = Incoming::default();
        let header = taking.header;
        if self.image_hash(&updates, header.length).await? != header.sha256 {
            self.forget_image().await?;
            return Some(Done::Unfit(Unfit::Digest));
        }
        self.store(state::IMAGE_AT, &WHOLE.to_le_bytes()).await?;
        Some(Done::ImageWhole { image: header.image(), firmware: header.firmware })
    }

    /// Marks the image for the next start, after another look at it: it may have lain there for weeks.
    pub(super) async fn mark_swap(&mut self, image: u64) -> Option<Done> {
        let Some(updates) = self.layout.update.clone() else { return Some(Done::Unfit(Unfit::NoRoom)) };
        let Some((header, WHOLE)) = self.kept(&updates).await? else { return Some(Done::Unfit(Unfit::Form)) };
        if header.image() != image {
            return Some(Done::Unfit(Unfit::Form));
        }
        if self.image_hash(&updates, header.length).await? != header.sha256 {
            self.forget_image().await?;
            return Some(Done::Unfit(Unfit::Digest));
        }
        let mut word = [0; MAX_WORD];
        self.marks(&updates, &mut word).mark_updated().await.ok()?;
        Some(Done::Marked)
    }

    /// The version on trial stays.
    pub(super) async fn mark_good(&mut self) -> Option<Done> {
        let Some(updates) = self.layout.update.clone() else { return Some(Done::Marked) };
        let mut word = [0; MAX_WORD];
        self.marks(&updates, &mut word).mark_booted().await.ok()?;
        Some(Done::Marked)
    }

    /// Nothing of the image is needed any more, nor that the last one came back.
    pub(super) async fn forget_image(&mut self) -> Option<()> {
        self.incoming = Incoming::default();
        self.store(state::IMAGE_HEAD, &[]).await?;
        if let Some(updates) = self.layout.update.clone()
            && self.boot_state(&updates).await? == State::Revert
        {
            let mut word = [0; MAX_WORD];
            self.marks(&updates, &mut word).mark_booted().await.ok()?;
        }
        Some(())
    }

    /// What a start finds.
    pub(super) async fn find_update(&mut self) -> Option<FoundUpdate> {
        let Some(updates) = self.layout.update.clone() else {
            return Some(FoundUpdate { security: 0, slot: Slot::Never, start: Start::Usual });
        };
        let security = updates.running.security;
        let boot = self.boot_state(&updates).await?;
        let kept = self.kept_anyhow().await?;
        let (slot, start) = match (kept, boot) {
            (_, State::Swap) => (Slot::Empty, Start::Trial),
            // Whatever the marks say: a cut between them and this start may have left any.
            (Some((header, WHOLE)), _) if header.firmware == updates.running.firmware => {
                (Slot::Empty, Start::Stayed)
            }
            (Some((header, WHOLE)), State::Revert) => (Slot::Empty, Start::Returned(header.firmware)),
            (Some((header, WHOLE)), State::Boot | State::DfuDetach) => {
                (Slot::Whole { image: header.image(), firmware: header.firmware }, Start::Usual)
            }
            (Some((header, have)), _) => (Slot::Part { image: header.image(), have }, Start::Usual),
            (None, _) => (Slot::Empty, Start::Usual),
        };
        Some(FoundUpdate { security, slot, start })
    }

    /// A file's head: signed by the maker, and for this board.
    fn judged(&self, updates: &Updates, whole: &[u8; HEAD_LEN]) -> Result<Header, Unfit> {
        let (header, signed, signature) = head(whole).map_err(|_| Unfit::Form)?;
        let signature = Signature::from_bytes(&signature);
        let known = |key: &[u8; 32]| {
            VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(&signed, &signature).is_ok())
        };
        if !updates.keys.iter().any(known) {
            return Err(Unfit::Signature);
        }
        header.fits(&updates.running)?;
        if header.length > updates.longest(self.layout.page) {
            return Err(Unfit::NoRoom);
        }
        Ok(header)
    }

    /// Notes which image comes. The progress first: with the head before it, an old image would be begun anew, which is no harm.
    async fn begin(&mut self, whole: &[u8; HEAD_LEN]) -> Option<()> {
        self.store(state::IMAGE_AT, &HEAD.to_le_bytes()).await?;
        self.store(state::IMAGE_HEAD, whole).await?;
        // That the last one came back is told by now.
        if let Some(updates) = self.layout.update.clone()
            && self.boot_state(&updates).await? != State::Boot
        {
            self.mark_good().await?;
        }
        Some(())
    }

    async fn resumed(&mut self, updates: &Updates, offset: u32) -> Option<Result<Taking, Unfit>> {
        Some(match self.kept(updates).await? {
            Some((header, have)) if have == offset => {
                Ok(Taking { header, written: have - HEAD, rest: Vec::new() })
            }
            Some(_) | None => Err(Unfit::Form),
        })
    }

    /// The image that is kept and how much of it, if the board would take it today.
    async fn kept(&mut self, updates: &Updates) -> Option<Option<(Header, u32)>> {
        let Some(whole) = self.bytes::<HEAD_LEN>(state::IMAGE_HEAD).await? else { return Some(None) };
        let at = self.number(state::IMAGE_AT).await?.unwrap_or(HEAD);
        Some(self.judged(updates, &whole).ok().map(|header| (header, at)))
    }

    /// The same, also if it is the version that runs by now.
    async fn kept_anyhow(&mut self) -> Option<Option<(Header, u32)>> {
        let Some(whole) = self.bytes::<HEAD_LEN>(state::IMAGE_HEAD).await? else { return Some(None) };
        let at = self.number(state::IMAGE_AT).await?.unwrap_or(HEAD);
        Some(head(&whole).ok().map(|(header, ..)| (header, at)))
    }

    async fn take(&mut self, updates: &Updates, data: &[u8]) -> Option<Done> {
        let mut taking = self.incoming.taking.take()?;
        if u32::try_from(data.len()).is_ok_and(|more| more > taking.header.file_len() - taking.have()) {
            return Some(self.unfit(Unfit::Form));
        }
        for byte in data {
            taking.rest.push(*byte).expect("emptied whenever it holds a word");
            if taking.rest.len() == F::WRITE_SIZE {
                self.write_word(updates, &mut taking).await?;
            }
        }
        let part = Done::ImagePart { image: taking.header.image(), have: taking.have() };
        self.incoming.taking = Some(taking);
        Some(part)
    }

    async fn write_word(&mut self, updates: &Updates, taking: &mut Taking) -> Option<()> {
        let at = updates.place.start + taking.written;
        if at.is_multiple_of(self.layout.page) {
            self.log.flash().erase(at, at + self.layout.page).await.ok()?;
        }
        // An erased word says that already, and is left to be written once.
        if taking.rest.iter().any(|byte| *byte != 0xFF) {
            self.log.flash().write(at, &taking.rest).await.ok()?;
        }
        taking.written += u32::try_from(taking.rest.len()).ok()?;
        taking.rest.clear();
        if taking.written.is_multiple_of(NOTED_EVERY) && taking.written < taking.header.length {
            self.store(state::IMAGE_AT, &(HEAD + taking.written).to_le_bytes()).await?;
        }
        Some(())
    }

    async fn image_hash(&mut self, updates: &Updates, length: u32) -> Option<[u8; 32]> {
        let mut hash = Sha256::new();
        let mut chunk = [0; CHUNK];
        for at in (0..length).step_by(CHUNK) {
            self.log.flash().read(updates.place.start + at, &mut chunk).await.ok()?;
            let left = usize::try_from(length - at).ok()?;
            hash.update(&chunk[..left.min(CHUNK)]);
        }
        Some(hash.finalize().into())
    }

    async fn boot_state(&mut self, updates: &Updates) -> Option<State> {
        let mut word = [0; MAX_WORD];
        self.marks(updates, &mut word).get_state().await.ok()
    }

    fn marks<'a>(
        &'a mut self,
        updates: &Updates,
        word: &'a mut [u8; MAX_WORD],
    ) -> FirmwareState<'a, Marks<Part<'a, F>>> {
        let part = Part::of(self.log.flash(), updates.marks.clone());
        FirmwareState::new(Marks(part), &mut word[..F::WRITE_SIZE.max(F::READ_SIZE)])
    }

    fn unfit(&mut self, why: Unfit) -> Done {
        self.incoming = Incoming::default();
        Done::Unfit(why)
    }
}

impl Taking {
    /// Bytes of the file that are here.
    fn have(&self) -> u32 {
        HEAD + self.written + u32::try_from(self.rest.len()).expect("a word")
    }
}
