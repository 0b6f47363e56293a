//! What a peripheral has to tell at the next poll.

use heapless::{Deque, Vec};

use crate::reply::{Reply, code};
use crate::time::Micros;
use crate::wire::{TooLong, Writer};

/// Why something could not be put into the poll queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// The panel is not fetching; try again later or give it up.
    #[error("the poll queue is full")]
    Full,
    /// The reply is longer than a place in the queue.
    #[error("the reply is too long for the poll queue")]
    TooLong,
}

#[derive(Debug)]
pub(super) struct Item<const ITEM: usize> {
    pub(super) code: u8,
    pub(super) data: Vec<u8, ITEM>,
    since: Micros,
}

impl<const ITEM: usize> Item<ITEM> {
    fn is_credential(&self) -> bool {
        matches!(self.code, code::RAW | code::FMT | code::KEYPAD)
    }

    fn is_card_of(&self, reader: u8) -> bool {
        matches!(self.code, code::RAW | code::FMT) && self.data.first() == Some(&reader)
    }
}

/// First in, first out. The head stays until the panel's next command shows that it arrived.
#[derive(Debug)]
pub(super) struct PollQueue<const QUEUE: usize, const ITEM: usize> {
    items: Deque<Item<ITEM>, QUEUE>,
    head_sent: bool,
}

impl<const QUEUE: usize, const ITEM: usize> PollQueue<QUEUE, ITEM> {
    pub(super) const fn new() -> Self {
        Self { items: Deque::new(), head_sent: false }
    }

    pub(super) fn post(&mut self, now: Micros, reply: &Reply<'_>) -> Result<(), PostError> {
        let mut data = Vec::new();
        data.resize_default(ITEM).expect("its capacity is ITEM");
        let mut writer = Writer::new(&mut data);
        reply.encode(&mut writer).map_err(|TooLong| PostError::TooLong)?;
        let length = writer.len();
        data.truncate(length);
        self.items.push_back(Item { code: reply.code(), data, since: now }).map_err(|_| PostError::Full)
    }

    /// The panel's next command came: what it polled before has arrived.
    pub(super) fn confirm(&mut self) {
        if core::mem::take(&mut self.head_sent) {
            self.items.pop_front();
        }
    }

    /// The panel began anew: it may not have got what it polled last. A state may be told twice; a card told twice opens twice,
    /// and whoever can write on the line could bring that about. Says whether a card or key was given up.
    pub(super) fn unconfirm(&mut self) -> bool {
        let sent = core::mem::take(&mut self.head_sent);
        let given_up = sent && self.items.front().is_some_and(Item::is_credential);
        if given_up {
            self.items.pop_front();
        }
        given_up
    }

    /// Whether the head is a card of this reader.
    pub(super) fn head_is_card_of(&self, reader: u8) -> bool {
        self.items.front().is_some_and(|item| item.is_card_of(reader))
    }

    /// Whether the head went into a reply that may not have arrived.
    pub(super) fn is_head_sent(&self) -> bool {
        self.head_sent
    }

    /// Drops all cards of this reader; says whether there was one.
    pub(super) fn drop_cards(&mut self, reader: u8) -> bool {
        let before = self.items.len();
        self.head_sent &= !self.head_is_card_of(reader);
        self.items.retain(|item| !item.is_card_of(reader));
        self.items.len() < before
    }

    /// The next thing to tell, without cards and keys older than `life`.
    pub(super) fn head(&mut self, now: Micros, life: Micros) -> Option<&Item<ITEM>> {
        while let Some(item) = self.items.front() {
            if !item.is_credential() || now.saturating_sub(item.since) <= life {
                break;
            }
            self.items.pop_front();
        }
        self.items.front()
    }

    /// The head went into a reply.
    pub(super) fn sent(&mut self) {
        self.head_sent = true;
    }

    /// The head cannot be told at all.
    pub(super) fn drop_head(&mut self) {
        self.items.pop_front();
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }
}
