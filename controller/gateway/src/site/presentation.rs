//! What is shown at a reader becomes a keyed digest here, and goes no further as it was. Nothing of it is logged or kept.

use std::collections::BTreeMap;
use std::hint::black_box;

use domain::ids::PersonId;
use domain::request::{CredentialDigest, CredentialKind, Shown};
use ring::hmac;

use super::decisions::Origin;
use super::{BoardId, Now, Site};

/// Most digits of a PIN.
const DIGITS_MAX: usize = 16;
/// Keys further apart than this do not belong together, in microseconds.
const KEY_PAUSE: u64 = 10_000_000;
/// OSDP's key codes: `#` ends, `*` begins anew.
const ENTER: u8 = 0x0D;
const CLEAR: u8 = 0x7F;

/// The site's key for credential digests.
pub struct CredentialKey(hmac::Key);

impl CredentialKey {
    /// From the key's bytes.
    pub fn new(bytes: &[u8; 32]) -> CredentialKey {
        CredentialKey(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// A card: how many bits, and the bits, most significant first, left-aligned.
    pub fn card(&self, bits: u16, data: &[u8]) -> CredentialDigest {
        let bytes = usize::from(bits).div_ceil(8);
        let mut canonical = Vec::with_capacity(2 + bytes);
        canonical.extend(bits.to_be_bytes());
        canonical.extend(data.iter().take(bytes));
        canonical.resize(2 + bytes, 0);
        if let (Some(last), part @ 1..) = (canonical.last_mut(), bits % 8) {
            *last &= 0xFF << (8 - part);
        }
        let digest = self.digest(1, &canonical);
        wipe(&mut canonical);
        digest
    }

    /// A PIN: salted by whose it is.
    pub fn pin(&self, person: PersonId, digits: &[u8]) -> CredentialDigest {
        let mut salted = Vec::with_capacity(8 + DIGITS_MAX);
        salted.extend(person.0.to_be_bytes());
        salted.extend_from_slice(digits);
        let digest = self.digest(2, &salted);
        wipe(&mut salted);
        digest
    }

    /// The site's salt for the lists that boards open by alone. Whoever enrols cards derives the same.
    pub fn list_salt(&self) -> [u8; 16] {
        let long = hmac::sign(&self.0, b"gatehouse board list salt");
        long.as_ref()[..16].try_into().expect("HMAC-SHA256 is 32 bytes")
    }

    /// A QR code: its characters.
    pub fn qr(&self, characters: &[u8]) -> CredentialDigest {
        self.digest(3, characters)
    }

    fn digest(&self, kind: u8, payload: &[u8]) -> CredentialDigest {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&[kind]);
        context.update(payload);
        CredentialDigest(context.sign().as_ref().try_into().expect("HMAC-SHA256 is 32 bytes"))
    }
}

/// Digits typed so far, by reader.
#[derive(Default)]
pub(super) struct Keypads(BTreeMap<(BoardId, u8), Digits>);

#[derive(Default)]
struct Digits {
    typed: [u8; DIGITS_MAX],
    count: usize,
    /// More than a PIN can have: none of it counts, until it is entered or cleared.
    too_many: bool,
    touched: u64,
}

impl Digits {
    /// After too many, what follows counts no more than what went before.
    fn push(&mut self, digit: u8) {
        if self.too_many {
            return;
        }
        match self.typed.get_mut(self.count) {
            Some(place) => {
                *place = digit;
                self.count += 1;
            }
            None => {
                self.wipe();
                self.too_many = true;
            }
        }
    }

    fn wipe(&mut self) {
        wipe(&mut self.typed);
        self.count = 0;
        self.too_many = false;
    }
}

impl Drop for Digits {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl Site {
    pub(super) fn card_shown(&mut self, now: Now, board: BoardId, reader: u8, bits: u16, data: &[u8]) {
        let digest = self.key.card(bits, data);
        self.shown_at_reader(now, board, reader, CredentialKind::Card, digest);
    }

    pub(super) fn code_shown(&mut self, now: Now, board: BoardId, reader: u8, characters: &[u8]) {
        let digest = self.key.qr(characters);
        self.shown_at_reader(now, board, reader, CredentialKind::Qr, digest);
    }

    /// Keys gather until `#`; then they are the PIN of whoever showed something before.
    pub(super) fn keys_pressed(&mut self, now: Now, board: BoardId, reader: u8, keys: &[u8]) {
        if self.plan.reader(board, reader).is_none() {
            return;
        }
        for key in keys {
            let digits = self.keypads.0.entry((board, reader)).or_default();
            if now.mono.saturating_sub(digits.touched) > KEY_PAUSE {
                digits.wipe();
            }
            digits.touched = now.mono;
            match key {
                b'0'..=b'9' => digits.push(*key),
                &CLEAR => digits.wipe(),
                &ENTER => self.pin_entered(now, board, reader),
                _ => {}
            }
        }
    }

    fn pin_entered(&mut self, now: Now, board: BoardId, number: u8) {
        let Some(digits) = self.keypads.0.remove(&(board, number)) else { return };
        let Some(reader) = self.plan.reader(board, number) else { return };
        if digits.count == 0 && !digits.too_many {
            return;
        }
        let waiting = self.state.waiting(reader.door, reader.side, now.utc, self.policy.site());
        // Without anybody to whom it could belong it matches nothing, and counts as a wrong try.
        let person = waiting.map_or(PersonId(0), |it| it.person);
        let digest = self.key.pin(person, &digits.typed[..digits.count]);
        drop(digits);
        self.shown_at_reader(now, board, number, CredentialKind::Pin, digest);
    }

    fn shown_at_reader(
        &mut self,
        now: Now,
        board: BoardId,
        number: u8,
        kind: CredentialKind,
        digest: CredentialDigest,
    ) {
        let Some(reader) = self.plan.reader(board, number) else {
            tracing::warn!(board = %self.plan.board(board).name, reader = number, "a reader that is not configured");
            return;
        };
        let shown = Shown::Digest { kind, digest };
        let origin = Origin::Reader { board, number };
        self.presented(now, reader.door, reader.side, shown, now.utc, origin, BTreeMap::new());
    }
}

fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    black_box(bytes);
}
