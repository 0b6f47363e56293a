//! The secure-channel key: twice, each in a page of its own, beside the map. A board that cannot read its key any more must not take itself
//! for one that never had any: whoever has the default key could install another.
//!
//! A page is a list of records, and the newest that is whole counts. A full page is erased while the other one has it.
//!
//! ```text
//! | number: 4 | key: 16, zeros for none | 1 with a key, 0 without: 4 | the first 8 bytes of SHA-256 over all before |
//! ```

use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use sha2::{Digest, Sha256};

use super::{Storage, state};

/// Length of a record, bytes: a multiple of any word, a part of any page.
pub(super) const RECORD: usize = 32;
const CHECKED: usize = 24;

/// What is known of the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// There never was one, or it was taken away at the device.
    None,
    Key([u8; 16]),
    /// There was one.
    Unreadable,
}

/// A key, or that there is none any more; the higher number is the newer.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Record {
    number: u32,
    key: Option<[u8; 16]>,
}

/// What stands in a page.
struct Page {
    newest: Option<Record>,
    /// Where the next record goes; none if the page is full.
    free: Option<u32>,
    blank: bool,
}

impl Record {
    fn encode(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[..4].copy_from_slice(&self.number.to_le_bytes());
        bytes[4..20].copy_from_slice(&self.key.unwrap_or_default());
        bytes[20] = u8::from(self.key.is_some());
        let check = check(&bytes[..CHECKED]);
        bytes[CHECKED..].copy_from_slice(&check);
        bytes
    }

    fn decode(bytes: &[u8; RECORD]) -> Option<Record> {
        let (checked, sum) = bytes.split_at(CHECKED);
        let (number, rest) = checked.split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk()?;
        let key = match rest.first()? {
            0 => None,
            _ => Some(*key),
        };
        (check(checked) == sum).then_some(Record { number: u32::from_le_bytes(*number), key })
    }
}

fn check(bytes: &[u8]) -> [u8; RECORD - CHECKED] {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    let (sum, _) = hash.split_first_chunk().expect("a hash is longer");
    *sum
}

impl<F: NorFlash> Storage<F> {
    /// The key after a start. One that only the map has, from a firmware that knew nothing else, is kept here from now on, and what one
    /// page has lost is written to it again.
    pub(super) async fn find_key(&mut self) -> Option<Found> {
        let in_map = self.bytes::<16>(state::KEY).await?;
        let [first, second] = self.key_pages().await?;
        let blank = first.blank && second.blank;
        match (newest(&first, &second), in_map) {
            (Some(record), _) => {
                for (number, page) in [(0, first), (1, second)] {
                    if page.newest != Some(record) {
                        self.write_record(number, &page, record).await?;
                    }
                }
                Some(record.key.map_or(Found::None, Found::Key))
            }
            (None, Some(key)) => {
                self.keep_key(Some(key)).await?;
                Some(Found::Key(key))
            }
            (None, None) if blank => Some(Found::None),
            (None, None) => Some(Found::Unreadable),
        }
    }

    /// Keeps a key, or that there is none any more. The map has it first: what is torn here is read there.
    pub(super) async fn keep_key(&mut self, key: Option<[u8; 16]>) -> Option<()> {
        self.store(state::KEY, key.as_ref().map_or(&[], |key| &key[..])).await?;
        let [first, second] = self.key_pages().await?;
        if key.is_none() && first.blank && second.blank {
            return Some(());
        }
        let number = newest(&first, &second).map_or(0, |it| it.number) + 1;
        self.write_record(0, &first, Record { number, key }).await?;
        self.write_record(1, &second, Record { number, key }).await
    }

    async fn key_pages(&mut self) -> Option<[Page; 2]> {
        let [first, second] = self.layout.keys.clone();
        Some([self.look_for_records(first).await?, self.look_for_records(second).await?])
    }

    async fn look_for_records(&mut self, range: Range<u32>) -> Option<Page> {
        let mut page = Page { newest: None, free: None, blank: true };
        let mut bytes = [0; RECORD];
        for at in range.step_by(RECORD) {
            self.log.flash().read(at, &mut bytes).await.ok()?;
            if bytes.iter().all(|byte| *byte == 0xFF) {
                page.free.get_or_insert(at);
                continue;
            }
            // Behind what an erase left, nothing is trusted to be erased.
            page.free = None;
            page.blank = false;
            if let Some(record) = Record::decode(&bytes)
                && page.newest.is_none_or(|newest| newest.number < record.number)
            {
                page.newest = Some(record);
            }
        }
        Some(page)
    }

    async fn write_record(&mut self, number: usize, page: &Page, record: Record) -> Option<()> {
        let range = self.layout.keys.get(number)?.clone();
        let flash = self.log.flash();
        let at = match page.free {
            Some(at) => at,
            None => {
                flash.erase(range.start, range.end).await.ok()?;
                range.start
            }
        };
        flash.write(at, &record.encode()).await.ok()
    }
}

fn newest(first: &Page, second: &Page) -> Option<Record> {
    match (first.newest, second.newest) {
        (Some(one), Some(other)) if other.number > one.number => Some(other),
        (one, other) => one.or(other),
    }
}
