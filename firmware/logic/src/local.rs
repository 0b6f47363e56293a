//! What the board itself decides while no controller polls it: nothing, or by its signed, expiring whitelist. Exits always work.

use endpoints::vendor::whitelist::ENTRY_LEN;
use endpoints::vendor::{Kind, LocalRefusal, OfflineRule, What};
use endpoints::{Command, Order, Outcome, Source};
use sha2::{Digest, Sha256};

use crate::board::Board;
use crate::job::{Job, ListHead};

/// The reader on the exit side.
const EXIT_READER: u8 = 1;
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
}

impl Local {
    pub(crate) const fn new() -> Local {
        Local { list: None, received: 0, asking: None }
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
