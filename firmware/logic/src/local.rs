//! What the board itself decides while no controller polls it: nothing, or by its signed, expiring whitelist. Exits always work, also
//! while a controller that has fallen silent does not count as gone yet.

use endpoints::vendor::whitelist::ENTRY_LEN;
use endpoints::vendor::{Kind, LocalRefusal, OfflineRule, What};
use endpoints::{Command, Order, Outcome, Source};
use sha2::{Digest, Sha256};

use crate::board::Board;
use crate::job::{Job, ListHead};

/// The reader on the exit side.
pub(crate) const EXIT_READER: u8 = 1;
/// A card at the exit that no controller has fetched after so long opens by itself, µs.
const FETCHED_WITHIN_US: u64 = 1_000_000;
/// The kind byte of a card in a whitelist entry.
const CARD: u8 = 1;

/// State of the local rule.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    /// The list in force.
    pub(crate) list: Option<ListHead>,
    /// Bytes of a file transfer under way.
    pub(crate) received: u32,
    /// Reader whose card is being looked up, and with which list.
    asking: Option<(u8, u32)>,
    /// Somebody at the exit whose card the controller is to fetch.
    leaving: Option<Leaving>,
}

#[derive(Clone, Copy, Debug)]
struct Leaving {
    by: u64,
    /// A card was given up meanwhile: perhaps theirs.
    given_up: bool,
}

impl Local {
    pub(crate) const fn new() -> Local {
        Local { list: None, received: 0, asking: None, leaving: None }
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        self.leaving.map(|it| it.by)
    }

    /// The controller may have got a card, or not, and is not told it again.
    pub(crate) fn card_given_up(&mut self) {
        if let Some(leaving) = &mut self.leaving {
            leaving.given_up = true;
        }
    }
}

impl Board {
    /// A card, and nobody to ask.
    pub(crate) fn decide_locally(&mut self, now: u64, reader: u8, bits: u16, data: &[u8; 8]) {
        if reader == EXIT_READER {
            // Nothing denies exit: whoever shows a card on the inside leaves.
            self.let_pass(now, reader, 0);
            return;
        }
        match self.valid_list(now) {
            Err(why) => self.refuse(now, reader, why),
            Ok(list) => {
                let entry = entry(&list.header.salt, bits, data);
                // One card at a time; while flash answers, the next one is refused.
                if self.local.asking.is_some() || self.jobs.push_front(Job::Lookup { entry }).is_err() {
                    self.refuse(now, reader, LocalRefusal::NotListed);
                } else {
                    self.local.asking = Some((reader, list.header.list));
                }
            }
        }
    }

    /// A card at the exit waits for the controller, or finds no place to wait: it has a moment, for people must get out.
    pub(crate) fn leaves(&mut self, now: u64, waits: bool) {
        let by = if waits { now + FETCHED_WITHIN_US } else { now };
        let leaving = self.local.leaving.get_or_insert(Leaving { by, given_up: false });
        leaving.given_up |= !waits;
        leaving.by = leaving.by.min(by);
    }

    /// A card at the exit that was not fetched in time opens, and is not told any more: it would open once more.
    pub(crate) fn watch_exit(&mut self, now: u64) {
        let Some(leaving) = self.local.leaving.take_if(|it| it.by <= now) else { return };
        let unfetched = self.pd.as_mut().is_some_and(|pd| pd.take_back_cards(EXIT_READER));
        if unfetched || leaving.given_up {
            self.let_pass(now, EXIT_READER, 0);
        }
    }

    /// The storage has looked the card up.
    pub(crate) fn looked(&mut self, now: u64, listed: bool) {
        match self.local.asking.take() {
            Some((reader, list)) if listed => self.let_pass(now, reader, list),
            Some((reader, _)) => self.refuse(now, reader, LocalRefusal::NotListed),
            None => {}
        }
    }

    fn valid_list(&self, now: u64) -> Result<ListHead, LocalRefusal> {
        if self.settings.offline == OfflineRule::Refuse {
            return Err(LocalRefusal::Rule);
        }
        let list = self.local.list.ok_or(LocalRefusal::NoList)?;
        let utc = self.utc(now).ok_or(LocalRefusal::NoClock)?;
        if (list.header.issued_us..list.header.expires_us).contains(&utc) {
            Ok(list)
        } else {
            Err(LocalRefusal::Expired)
        }
    }

    fn let_pass(&mut self, now: u64, reader: u8, list: u32) {
        let order = match (self.setup.kind, reader) {
            (Kind::Door | Kind::GateLane, EXIT_READER) => Order::PassExit,
            (Kind::Door, _) => Order::Release,
            (Kind::GateLane, _) => Order::PassEntry,
        };
        let command = Command { id: 0, order, for_us: 0, source: Source::Whitelist };
        match self.command(now, command) {
            Outcome::Done | Outcome::Repeated => self.record(now, What::LocalGranted { reader, list }),
            Outcome::Refused(_) => self.refuse(now, reader, LocalRefusal::Locked),
        }
    }

    fn refuse(&mut self, now: u64, reader: u8, why: LocalRefusal) {
        self.record(now, What::LocalRefused { reader, why });
    }
}

/// A card's entry on a list with this salt.
pub(crate) fn entry(salt: &[u8; 16], bits: u16, data: &[u8; 8]) -> [u8; ENTRY_LEN] {
    let used = usize::from(bits.div_ceil(8)).min(data.len());
    let hash: [u8; 32] = Sha256::new()
        .chain_update(salt)
        .chain_update([CARD])
        .chain_update(bits.to_be_bytes())
        .chain_update(&data[..used])
        .finalize()
        .into();
    let (entry, _) = hash.split_first_chunk().expect("a hash is longer than an entry");
    *entry
}
