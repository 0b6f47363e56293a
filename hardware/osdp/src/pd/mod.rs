//! The peripheral: answers a panel.
//!
//! ```text
//! bytes from the line ──> handle_input ──┐                 ┌──> poll_request ──> the device's own logic
//!                                        ├── rules, keys ──┤                              │
//! bytes to the line <── poll_transmit <──┘                 └──< respond <─────────────────┘
//!                                          post ──> queue, told at the next poll
//! ```
//!
//! Identification, capabilities, the handshake and polls are answered here; everything else is a request
//! to the device, which answers it with [`Pd::respond`] once. Call [`Pd::handle_timeout`] when
//! [`Pd::poll_timeout`] says so, and look at all `poll_*` after every call.

mod config;
mod link;
mod queue;

use heapless::{Deque, Vec};

pub use config::{MAX_CAPABILITIES, PdConfig, PdSecurity};
pub use queue::PostError;

use self::link::Link;
use crate::command::Command;
use crate::control::LineSettings;
use crate::receiver::Receiver;
use crate::reply::Reply;
use crate::secure::Nonces;
use crate::time::Micros;
use crate::wire::{Address, TooLong};

/// What a peripheral tells its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PdEvent {
    /// A panel speaks to it.
    Online,
    /// No valid command for 8 s: fall back to the device's own rules.
    Offline,
    /// A secure channel is up.
    SecureChannelUp {
        /// With the key everybody knows.
        default_key: bool,
    },
    /// The secure channel ended.
    SecureChannelDown,
    /// A card or key was in a reply when the panel began anew. It may have arrived, so it is not told again.
    CardGivenUp,
    /// Switch the line to these settings once the last transmission is out; store them.
    LineSettings(LineSettings),
}

/// Counts of what went wrong, since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PdStatistics {
    /// Commands taken.
    pub commands: u32,
    /// Frames whose check, length or security block was wrong.
    pub bad_frames: u32,
    /// Bytes outside frames.
    pub noise: u32,
    /// Replies sent again because the panel repeated its command.
    pub repeats: u32,
    /// Commands with an unexpected sequence number.
    pub bad_sequences: u32,
    /// Secured commands whose MAC was wrong.
    pub bad_macs: u32,
    /// Commands refused because they came in clear.
    pub refused_clear: u32,
    /// Replies `osdp_BUSY`.
    pub busy: u32,
    /// Replies `osdp_NAK`.
    pub naks: u32,
}

/// Why an answer was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RespondError {
    /// No request is open: it was answered, or the panel gave it up.
    #[error("no request is open")]
    NoRequest,
    /// The answer is too long for the panel's or the own buffer; the request stays open.
    #[error("the answer does not fit a frame")]
    TooLong,
}

/// A peripheral. `FRAME` is the largest frame in bytes (128 to 1440), `QUEUE` the number of poll replies
/// that wait, `ITEM` the longest of them. With the defaults it takes about 3 kB of RAM, a third of it
/// round keys.
#[derive(Debug)]
pub struct Pd<const FRAME: usize = 256, const QUEUE: usize = 8, const ITEM: usize = 64> {
    receiver: Receiver<FRAME>,
    link: Link<FRAME, QUEUE, ITEM>,
    last_byte_at: Micros,
}

impl<const FRAME: usize, const QUEUE: usize, const ITEM: usize> Pd<FRAME, QUEUE, ITEM> {
    /// A peripheral that was just switched on. `nonces` must differ at each start, see [`Nonces`].
    pub fn new(config: PdConfig, nonces: Nonces) -> Self {
        const {
            assert!(FRAME >= crate::MIN_FRAME_BUFFER && FRAME <= crate::MAX_FRAME, "128 to 1440 bytes");
            // header 5, block 2, code 1, padding up to 16, MAC 4, check 2
            assert!(ITEM + 30 <= FRAME, "a poll reply must fit a frame");
        }
        Self { receiver: Receiver::new(), link: Link::new(config, nonces), last_byte_at: 0 }
    }

    /// Bytes from the line, in any portions.
    pub fn handle_input(&mut self, now: Micros, mut bytes: &[u8]) {
        self.forget_old_beginning(now);
        if !bytes.is_empty() {
            self.last_byte_at = now;
        }
        while let Some(outcome) = self.receiver.advance(&mut bytes) {
            match (outcome, self.receiver.bytes_mut()) {
                (Ok(()), Some(frame)) => self.link.handle_frame(now, frame),
                (Ok(()), None) => {}
                (Err(_), _) => {
                    self.link.statistics.bad_frames = self.link.statistics.bad_frames.saturating_add(1)
                }
            }
        }
        self.link.statistics.noise = self.receiver.noise();
    }

    /// What to send now; at most one frame, once.
    pub fn poll_transmit(&mut self, now: Micros) -> Option<&[u8]> {
        self.link.poll_transmit(now)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) and [`poll_transmit`](Self::poll_transmit) next.
    pub fn poll_timeout(&self) -> Option<Micros> {
        let gap = self.receiver.is_partial().then_some(self.last_byte_at + self.link.config.frame_gap);
        [gap, self.link.poll_timeout()].into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Micros) {
        self.forget_old_beginning(now);
        self.link.handle_timeout(now);
    }

    /// The command the device has to answer, given out once. Answer it with [`respond`](Self::respond)
    /// within 100 ms, else the panel is told to ask again.
    pub fn poll_request(&mut self) -> Option<Command<'_>> {
        self.link.poll_request()
    }

    /// The same, read from a copy in `room`: the peripheral is free for other calls while the command is carried out.
    pub fn copy_request<'r>(&mut self, room: &'r mut Vec<u8, FRAME>) -> Option<Command<'r>> {
        self.link.copy_request(room)
    }

    /// Answers the open request.
    pub fn respond(&mut self, now: Micros, reply: &Reply<'_>) -> Result<(), RespondError> {
        self.link.respond(now, reply)
    }

    /// Something to tell at the next poll: a card, keys, changed inputs, local status, a maker's reply.
    pub fn post(&mut self, now: Micros, reply: &Reply<'_>) -> Result<(), PostError> {
        self.link.queue.post(now, reply)
    }

    /// Takes back the cards of a reader that no panel has been seen to get. Says whether there was one.
    pub fn take_back_cards(&mut self, reader: u8) -> bool {
        self.link.take_back_cards(reader)
    }

    /// How many poll replies wait.
    pub fn posted(&self) -> usize {
        self.link.queue.len()
    }

    /// What happened to the link.
    pub fn poll_event(&mut self) -> Option<PdEvent> {
        self.link.events.pop_front()
    }

    /// Whether a panel spoke within the last 8 s.
    pub fn is_online(&self) -> bool {
        self.link.is_online()
    }

    /// Whether a secure channel with the device's own key is up.
    pub fn is_secure(&self) -> bool {
        self.link.is_secure()
    }

    /// The address it answers to.
    pub fn address(&self) -> Address {
        self.link.config.address
    }

    /// What it may say in clear; changes when a key is installed.
    pub fn security(&self) -> &PdSecurity {
        &self.link.config.security
    }

    /// Changes what it may say in clear, for example when the install jumper is set. A secure channel
    /// that is up ends.
    pub fn set_security(&mut self, security: PdSecurity) {
        self.link.set_security(security);
    }

    /// Counts since start.
    pub fn statistics(&self) -> PdStatistics {
        self.link.statistics
    }

    fn forget_old_beginning(&mut self, now: Micros) {
        if self.receiver.is_partial() && now.saturating_sub(self.last_byte_at) >= self.link.config.frame_gap {
            self.receiver.reset();
        }
    }
}

type Events = Deque<PdEvent, 8>;

/// Appends; when nobody reads, the oldest goes.
fn note(events: &mut Events, event: PdEvent) {
    if events.is_full() {
        events.pop_front();
    }
    events.push_back(event).expect("a place was just made");
}

impl From<TooLong> for RespondError {
    fn from(TooLong: TooLong) -> Self {
        Self::TooLong
    }
}
