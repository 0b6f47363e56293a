//! The offline whitelist: two places, one in force. A file is written to the other place, read back and checked there, and put in force
//! by one stored number.

use core::ops::Range;

use ed25519_dalek::{Signature, VerifyingKey};
use embedded_storage_async::nor_flash::NorFlash;
use endpoints::vendor::whitelist::{ENTRY_LEN, HEADER_LEN, Header, MAX_FILE, SIGNATURE_LEN, signed_message};
use sha2::{Digest, Sha256};

use super::{Storage, state};
use crate::job::{Done, ListHead};

/// The longest word of a flash this can write, bytes.
pub(super) const MAX_WORD: usize = 32;
/// Read at once, bytes; a multiple of an entry and of any word.
const CHUNK: usize = 64;

/// The two places.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Which place is in force, and its head.
    active: Option<(u8, ListHead)>,
    /// Bytes of the last word of a file being written.
    rest: heapless::Vec<u8, MAX_WORD>,
    written: u32,
}

impl<F: NorFlash> Storage<F> {
    /// Writes a piece to the spare place; the caller sees to the order of pieces.
    pub(super) async fn list_piece(&mut self, offset: u32, data: &[u8]) -> Option<()> {
        let place = self.spare();
        if offset == 0 {
            self.log.flash().erase(place.start, place.end).await.ok()?;
            self.lists.rest.clear();
            self.lists.written = 0;
        }
        for byte in data {
            self.lists.rest.push(*byte).expect("emptied whenever it holds a word");
            if self.lists.rest.len() == F::WRITE_SIZE {
                self.write_rest(&place).await?;
            }
        }
        Some(())
    }

    /// The last piece is there: checks the whole file as it stands in flash.
    pub(super) async fn list_complete(
        &mut self,
        total: u32,
        key: &[u8; 32],
        serial: u32,
        newest: u32,
    ) -> Done {
        let place = self.spare();
        if !self.lists.rest.is_empty() {
            let full = F::WRITE_SIZE;
            self.lists.rest.resize(full, 0xFF).expect("a word is at most MAX_WORD");
            if self.write_rest(&place).await.is_none() {
                return Done::Failed;
            }
        }
        let head = match self.checked(&place, key).await {
            None => return Done::Failed,
            Some(None) => return Done::ListRefused,
            Some(Some(head)) => head,
        };
        let header = head.header;
        let whole = usize::try_from(total) == Ok(header.file_len());
        let ours = header.board == 0 || header.board == serial;
        if !whole || !ours || header.list < newest {
            return Done::ListRefused;
        }
        let number = self.spare_number();
        match self.store(state::LIST, &[number]).await {
            Some(()) => {
                self.lists.active = Some((number, head));
                Done::ListInForce(head)
            }
            None => Done::Failed,
        }
    }

    /// The list in force after a start: its signature is checked again, for flash forgets.
    pub(super) async fn find_list(&mut self, key: Option<[u8; 32]>) -> Option<Option<ListHead>> {
        let Some([number @ 0..=1]) = self.bytes::<1>(state::LIST).await? else { return Some(None) };
        let Some(key) = key else { return Some(None) };
        let place = self.layout.lists[usize::from(number)].clone();
        let head = self.checked(&place, &key).await?;
        self.lists.active = head.map(|head| (number, head));
        Some(head)
    }

    /// Whether the list in force has this entry; entries ascend.
    pub(super) async fn list_has(&mut self, entry: &[u8; ENTRY_LEN]) -> Option<bool> {
        let Some((number, head)) = self.lists.active else { return Some(false) };
        let start = self.layout.lists[usize::from(number)].start;
        let (mut low, mut high) = (0, u32::from(head.header.count));
        while low < high {
            let middle = low.midpoint(high);
            let at = u32::try_from(HEADER_LEN + ENTRY_LEN * usize::try_from(middle).ok()?).ok()?;
            let found = self.read_entry(start, at).await?;
            match found.cmp(entry) {
                core::cmp::Ordering::Equal => return Some(true),
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Greater => high = middle,
            }
        }
        Some(false)
    }

    async fn read_entry(&mut self, start: u32, at: u32) -> Option<[u8; ENTRY_LEN]> {
        // Whole chunks, so that any read size fits.
        let chunk = u32::try_from(CHUNK).ok()?;
        let mut buffer = [0; CHUNK];
        self.log.flash().read(start + at / chunk * chunk, &mut buffer).await.ok()?;
        let within = usize::try_from(at % chunk).ok()?;
        buffer.get(within..within + ENTRY_LEN)?.try_into().ok()
    }

    /// Reads a file through once. `None`: the flash failed; `Some(None)`: it is not a rightly signed list.
    async fn checked(&mut self, place: &Range<u32>, key: &[u8; 32]) -> Option<Option<ListHead>> {
        let flash = self.log.flash();
        let mut chunk = [0; CHUNK];
        flash.read(place.start, &mut chunk).await.ok()?;
        let Ok(header) = Header::decode(&chunk[..HEADER_LEN]) else { return Some(None) };
        let signed = header.file_len() - SIGNATURE_LEN;
        let mut hash = Sha256::new();
        let mut signature = [0; SIGNATURE_LEN];
        let mut at = 0;
        while at < header.file_len() && at < MAX_FILE {
            let offset = u32::try_from(at).ok()?;
            let length = CHUNK.min((place.end - place.start - offset) as usize);
            flash.read(place.start + offset, &mut chunk[..length]).await.ok()?;
            let of_hash = signed.saturating_sub(at).min(CHUNK);
            hash.update(&chunk[..of_hash]);
            for (i, byte) in chunk.iter().enumerate() {
                if let Some(place) = (at + i).checked_sub(signed).and_then(|i| signature.get_mut(i)) {
                    *place = *byte;
                }
            }
            at += CHUNK;
        }
        let message = signed_message(&hash.finalize().into());
        let right = VerifyingKey::from_bytes(key)
            .is_ok_and(|key| key.verify_strict(&message, &Signature::from_bytes(&signature)).is_ok());
        Some(right.then_some(ListHead { header }))
    }

    async fn write_rest(&mut self, place: &Range<u32>) -> Option<()> {
        let at = place.start + self.lists.written;
        let length = u32::try_from(self.lists.rest.len()).ok()?;
        if at + length > place.end {
            return None;
        }
        self.log.flash().write(at, &self.lists.rest).await.ok()?;
        self.lists.written += length;
        self.lists.rest.clear();
        Some(())
    }

    fn spare_number(&self) -> u8 {
        match self.lists.active {
            Some((0, _)) => 1,
            Some(_) | None => 0,
        }
    }

    fn spare(&self) -> Range<u32> {
        self.layout.lists[usize::from(self.spare_number())].clone()
    }
}
