//! The panel: drives all devices of one bus.
//!
//! ```text
//! submit ──> queues ──┐                      ┌──> poll_transmit ──> bytes to the line
//!                     ├── one bus, one turn ──┤
//! poll_event <────────┘                      └──< handle_input <── bytes from the line
//! ```
//!
//! Rules that hold here: a refusal never drops a device; a repeat is the same bytes with the same sequence
//! number; a device with a key is never spoken to in clear, beyond asking who it is; no command goes out
//! after its time, waits for a device to return, or is carried out twice within a session; each ends in
//! exactly one [`EventKind::Done`] or [`EventKind::Failed`].
//!
//! What OSDP itself cannot give: its frames carry no time. Whoever cuts the line, records a genuine command
//! and keeps it from arriving can deliver it once, later, as long as the peripheral's session lives: until
//! the panel begins anew, at most the peripheral's `offline_after` (8 s unless it is set shorter).

mod config;
mod device;
mod event;
mod file;
mod receive;
mod send;

use heapless::{Deque, Vec};

pub use config::{BusConfig, DeviceConfig, DeviceSecurity};
pub use device::DeviceStatistics;
pub use event::{
    Card, Content, Event, EventKind, Failure, FormattedCardRead, KeysPressed, MAX_CARD, MAX_DATA, MAX_KEYS,
    MAX_POINTS, OfflineReason, SubmitError, Token,
};

use self::device::{Class, Device, Outstanding, Phase, Purpose, Rekey, Standing};
use self::file::Transfer;
use self::receive::Verdict;
use crate::command::Command;
use crate::frame::Direction;
use crate::receiver::Receiver;
use crate::secure::{Key, Nonces};
use crate::status::{Capability, Identity};
use crate::time::Micros;
use crate::wire::{Address, MAX_FRAME};

const EVENTS: usize = 32;
/// Free places before a command is sent: one reply makes at most four events.
const ROOM_TO_SEND: usize = 16;
/// Free places before time is allowed to make events.
const ROOM_FOR_TIME: usize = 10;
/// Commands in a row after which a poll that is due goes first.
const BURST: u32 = 8;
/// Repeats at once; later ones are spaced, so that a dead device does not slow the others.
const QUICK_TRIES: u32 = 3;
const SLOW_RETRY: Micros = 500_000;
const FOREIGN_EVERY: Micros = 10_000_000;

/// Counts of the bus as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusStatistics {
    /// Bytes outside frames.
    pub noise: u32,
    /// Replies that nobody was asked for.
    pub stray: u32,
    /// Commands of another panel.
    pub foreign: u32,
    /// Own commands heard again, as some converters do.
    pub echoes: u32,
}

/// Why a device could not be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// As many devices as this panel has places for.
    #[error("no place for another device")]
    Full,
    /// The address is taken.
    #[error("address {0} is taken")]
    Taken(Address),
}

#[derive(Debug)]
enum Bus {
    Idle { from: Micros },
    Waiting { device: usize, sent_until: Micros, deadline: Micros, limit: Micros },
}

/// A panel with places for `DEVICES` devices and `QUEUE` waiting commands each.
#[derive(Debug)]
pub struct Cp<const DEVICES: usize = 32, const QUEUE: usize = 8> {
    config: BusConfig,
    devices: Vec<Device<QUEUE>, DEVICES>,
    nonces: Nonces,
    bus: Bus,
    receiver: Receiver<MAX_FRAME>,
    events: Deque<Event, EVENTS>,
    /// After which device the search begins, for each class.
    cursors: [usize; 3],
    burst: u32,
    foreign_at: Option<Micros>,
    statistics: BusStatistics,
}

impl<const DEVICES: usize, const QUEUE: usize> Cp<DEVICES, QUEUE> {
    /// A panel without devices. `nonces` must differ at each start, see [`Nonces`].
    pub fn new(config: BusConfig, nonces: Nonces) -> Self {
        Self {
            config,
            devices: Vec::new(),
            nonces,
            bus: Bus::Idle { from: 0 },
            receiver: Receiver::new(),
            events: Deque::new(),
            cursors: [0; 3],
            burst: 0,
            foreign_at: None,
            statistics: BusStatistics::default(),
        }
    }

    /// Adds a device; it is asked at once.
    pub fn add(&mut self, now: Micros, config: DeviceConfig) -> Result<(), AddError> {
        if self.find(config.address).is_some() {
            return Err(AddError::Taken(config.address));
        }
        self.devices.push(Device::new(config, now)).map_err(|_| AddError::Full)
    }

    /// Forgets a device with all that waits for it; no event follows. `false` if there is none.
    pub fn remove(&mut self, address: Address) -> bool {
        let Some(index) = self.find(address) else { return false };
        if let Bus::Waiting { device, deadline, .. } = &mut self.bus {
            match (*device).cmp(&index) {
                core::cmp::Ordering::Less => {}
                // Its reply may still come: until then the line is not ours.
                core::cmp::Ordering::Equal => self.bus = Bus::Idle { from: *deadline },
                core::cmp::Ordering::Greater => *device -= 1,
            }
        }
        self.devices.remove(index);
        true
    }

    /// Queues a command. It is sent before `expires_at` or not at all, outputs first, then in order;
    /// `token` comes back in exactly one [`EventKind::Done`] or [`EventKind::Failed`].
    pub fn submit(
        &mut self,
        now: Micros,
        address: Address,
        command: &Command<'_>,
        token: Token,
        expires_at: Micros,
    ) -> Result<(), SubmitError> {
        let index = self.find(address).ok_or(SubmitError::UnknownDevice)?;
        self.devices[index].enqueue(now, command, Some(token), expires_at)
    }

    /// Takes back a command that has not been sent; it fails with [`Failure::Cancelled`]. `false` if there
    /// is none.
    pub fn cancel(&mut self, address: Address, token: Token) -> bool {
        let Some(index) = self.find(address) else { return false };
        let mut waiting = self.devices[index].queue.iter_mut();
        match waiting.find(|job| job.token == Some(token) && job.verdict.is_none()) {
            Some(job) => {
                job.verdict = Some(Failure::Cancelled);
                true
            }
            None => false,
        }
    }

    /// Gives a device a new key, over the secure channel that is up. [`EventKind::KeyInstalled`] comes when
    /// a handshake with it has succeeded; keep both keys until then.
    pub fn rekey(
        &mut self,
        now: Micros,
        address: Address,
        key: Key,
        token: Token,
        expires_at: Micros,
    ) -> Result<(), SubmitError> {
        let index = self.find(address).ok_or(SubmitError::UnknownDevice)?;
        let device = &mut self.devices[index];
        if !device.is_online() || !device.is_secure() {
            return Err(SubmitError::Offline);
        }
        if expires_at <= now {
            return Err(SubmitError::Expired);
        }
        if device.rekey.is_some() {
            return Err(SubmitError::Full);
        }
        device.rekey = Some(Rekey { key, token, expires_at, sent: false });
        Ok(())
    }

    /// Begins to send a file of `total` bytes. [`EventKind::FileWanted`] asks for its pieces; it ends in
    /// [`EventKind::Done`] or [`EventKind::Failed`]. Other commands and polls go on meanwhile.
    pub fn send_file(
        &mut self,
        address: Address,
        kind: u8,
        total: u32,
        token: Token,
    ) -> Result<(), SubmitError> {
        self.resume_file(address, kind, total, 0, token)
    }

    /// The same from the byte `from` on: the device has said, in its maker's words, that it has what comes before.
    pub fn resume_file(
        &mut self,
        address: Address,
        kind: u8,
        total: u32,
        from: u32,
        token: Token,
    ) -> Result<(), SubmitError> {
        let index = self.find(address).ok_or(SubmitError::UnknownDevice)?;
        let device = &mut self.devices[index];
        if !device.is_online() {
            return Err(SubmitError::Offline);
        }
        if device.file.is_some() {
            return Err(SubmitError::Full);
        }
        device.file = Some(Transfer::new(token, kind, total, from, device.room()));
        Ok(())
    }

    /// The piece that [`EventKind::FileWanted`] asked for: 1 byte to the length it named, from its offset.
    /// `false` if none was asked for or the length is wrong.
    pub fn file_block(&mut self, address: Address, data: &[u8]) -> bool {
        let Some(index) = self.find(address) else { return false };
        self.devices[index].file.as_mut().is_some_and(|file| file.provide(data))
    }

    /// Gives up a file transfer and tells the device to abort. No event follows; `false` if there was none.
    pub fn cancel_file(&mut self, now: Micros, address: Address) -> bool {
        let Some(index) = self.find(address) else { return false };
        let device = &mut self.devices[index];
        let was = device.file.take().is_some();
        if was && device.enqueue(now, &Command::Abort, None, now + 1_000_000).is_err() {
            // Off-line, or no place in the queue: the device finds out because no more blocks come.
            device.statistics.unusable = device.statistics.unusable.saturating_add(1);
        }
        was
    }

    /// Changes how a device is spoken to, for example opens an install window; the session begins anew.
    /// `false` if there is no such device.
    pub fn set_security(&mut self, now: Micros, address: Address, security: DeviceSecurity) -> bool {
        let Some(index) = self.find(address) else { return false };
        self.devices[index].config.security = security;
        self.devices[index].just_installed = false;
        self.devices[index].attempts = 0;
        self.begin_anew(index, now);
        true
    }

    /// Asks an off-line device now instead of at its time.
    pub fn probe(&mut self, now: Micros, address: Address) {
        if let Some(index) = self.find(address)
            && let Phase::Probe { at } = &mut self.devices[index].phase
        {
            *at = now;
        }
    }

    /// What to send now; at most one frame, once.
    pub fn poll_transmit(&mut self, now: Micros) -> Option<&[u8]> {
        let Bus::Idle { from } = self.bus else { return None };
        if now < from || self.room() < ROOM_TO_SEND {
            return None;
        }
        self.expire(now);
        let index = self.choose(now)?;
        let device = &mut self.devices[index];
        if device.outstanding.is_none() {
            device.prepare(now, &self.config);
        } else {
            device.statistics.retries = device.statistics.retries.saturating_add(1);
        }
        let sent = device.outstanding.as_mut()?;
        sent.tries += 1;
        sent.retry_at = now;
        let sent_until = now + self.config.baud.characters(sent.frame.len());
        let deadline = sent_until + self.config.reply_timeout;
        let limit = deadline + self.config.baud.characters(MAX_FRAME) + self.config.frame_gap;
        self.bus = Bus::Waiting { device: index, sent_until, deadline, limit };
        self.receiver.reset();
        self.devices[index].outstanding.as_ref().map(|sent| &sent.frame[..])
    }

    /// Bytes from the line, in any portions.
    pub fn handle_input(&mut self, now: Micros, mut bytes: &[u8]) {
        while let Some(outcome) = self.receiver.advance(&mut bytes) {
            let verdict = match outcome {
                Ok(()) => self.handle_frame(now),
                Err(_) => Verdict::Damaged,
            };
            let Bus::Waiting { device, deadline, .. } = &mut self.bus else { continue };
            match verdict {
                Verdict::Taken => self.bus = Bus::Idle { from: now + self.config.turnaround },
                Verdict::Ignored => {}
                Verdict::Damaged => {
                    // The device answers once: what was damaged does not come again unasked.
                    *deadline = (*deadline).min(now + self.config.frame_gap);
                    let statistics = &mut self.devices[*device].statistics;
                    statistics.bad_frames = statistics.bad_frames.saturating_add(1);
                }
            }
        }
        self.statistics.noise = self.receiver.noise();
        if let Bus::Waiting { deadline, limit, .. } = &mut self.bus
            && self.receiver.is_partial()
        {
            *deadline = (*deadline).max(now + self.config.frame_gap).min(*limit);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) and [`poll_transmit`](Self::poll_transmit) next.
    pub fn poll_timeout(&self) -> Option<Micros> {
        let bus = match self.bus {
            Bus::Waiting { deadline, .. } => Some(deadline),
            Bus::Idle { from } => {
                let due = self.devices.iter().filter_map(|device| device.due(from)).map(|(_, at)| at).min();
                due.map(|at| at.max(from))
            }
        };
        let waiting_for = match self.bus {
            Bus::Waiting { device, .. } => Some(device),
            Bus::Idle { .. } => None,
        };
        let devices = self.devices.iter().enumerate().flat_map(move |(index, device)| {
            // What was sent is judged when its reply is no longer waited for.
            let judged = waiting_for != Some(index);
            let offline =
                (judged && device.is_online()).then_some(device.alive_at + self.config.offline_after);
            let sent = device.sent_expiry().filter(|_| judged);
            let window = match device.config.security {
                DeviceSecurity::Install { until, .. } => Some(until),
                DeviceSecurity::Clear | DeviceSecurity::Required(_) => None,
            };
            [offline, sent, window, device.next_expiry()].into_iter().flatten()
        });
        bus.into_iter().chain(devices).min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Micros) {
        if let Bus::Waiting { device, deadline, .. } = self.bus
            && deadline <= now
            && self.room() >= ROOM_FOR_TIME
        {
            self.receiver.reset();
            self.bus = Bus::Idle { from: now };
            self.unanswered(device, now);
        }
        self.expire(now);
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        for device in &mut self.devices {
            let address = device.config.address;
            if let Some((token, failure)) = device.take_verdict() {
                return Some(Event { address, kind: EventKind::Failed(token, failure) });
            }
            if let Some(file) = &mut device.file
                && let Some((offset, len)) = file.wanted()
            {
                let kind = EventKind::FileWanted { token: file.token, offset, len };
                return Some(Event { address, kind });
            }
        }
        None
    }

    /// Whether a device can be sent commands.
    pub fn is_online(&self, address: Address) -> bool {
        self.find(address).is_some_and(|index| self.devices[index].is_online())
    }

    /// Whether a device is polled over a secure channel with its own key.
    pub fn is_secure(&self, address: Address) -> bool {
        self.find(address).is_some_and(|index| self.devices[index].is_secure())
    }

    /// Who a device said it is.
    pub fn identity(&self, address: Address) -> Option<Identity> {
        self.devices[self.find(address)?].identity
    }

    /// What a device said it can do; empty while it is not known.
    pub fn capabilities(&self, address: Address) -> &[Capability] {
        self.find(address).map_or(&[], |index| &self.devices[index].capabilities)
    }

    /// Counts of one device.
    pub fn device_statistics(&self, address: Address) -> Option<DeviceStatistics> {
        Some(self.devices[self.find(address)?].statistics)
    }

    /// Counts of the bus.
    pub fn statistics(&self) -> BusStatistics {
        self.statistics
    }

    /// How a device is spoken to; changes when a key is installed or a window closes.
    pub fn security(&self, address: Address) -> Option<&DeviceSecurity> {
        Some(&self.devices[self.find(address)?].config.security)
    }

    fn find(&self, address: Address) -> Option<usize> {
        self.devices.iter().position(|device| device.config.address == address)
    }

    fn room(&self) -> usize {
        EVENTS - self.events.len()
    }

    fn tell(&mut self, event: Event) {
        self.events.push_back(event).expect("room was made sure of before anything was sent");
    }

    fn settle(&mut self, address: Address, token: Option<Token>, outcome: Result<(), Failure>) {
        let Some(token) = token else { return };
        let kind = match outcome {
            Ok(()) => EventKind::Done(token),
            Err(failure) => EventKind::Failed(token, failure),
        };
        self.tell(Event { address, kind });
    }

    /// The device whose turn it is: by class, in turn within a class.
    fn choose(&mut self, now: Micros) -> Option<usize> {
        let mut found: [Option<usize>; 3] = [None; 3];
        for class in [Class::Urgent, Class::Command, Class::Poll] {
            let start = self.cursors[class as usize];
            let count = self.devices.len();
            found[class as usize] = (0..count)
                .map(|step| (start + step) % count)
                .find(|&index| self.devices[index].due(now).is_some_and(|(of, at)| of == class && at <= now));
        }
        let [urgent, command, poll] = found;
        let (class, index) = match (urgent, command, poll) {
            (_, _, Some(index)) if self.burst >= BURST => (Class::Poll, index),
            (Some(index), _, _) => (Class::Urgent, index),
            (None, Some(index), _) => (Class::Command, index),
            (None, None, Some(index)) => (Class::Poll, index),
            (None, None, None) => return None,
        };
        self.burst = if class == Class::Poll { 0 } else { self.burst.saturating_add(1) };
        self.cursors[class as usize] = index + 1;
        Some(index)
    }

    fn handle_frame(&mut self, now: Micros) -> Verdict {
        let Some(frame) = self.receiver.frame() else { return Verdict::Damaged };
        let header = frame.header;
        let bytes = self.receiver.bytes().unwrap_or_default();
        let waiting = match self.bus {
            Bus::Waiting { device, sent_until, .. } => Some((device, sent_until)),
            Bus::Idle { .. } => None,
        };
        if header.direction == Direction::Command {
            let sent = waiting.and_then(|(device, _)| self.devices[device].outstanding.as_ref());
            if sent.is_some_and(|sent| sent.frame.ends_with(bytes)) {
                self.statistics.echoes = self.statistics.echoes.saturating_add(1);
            } else {
                self.foreign(now, header.address);
            }
            return Verdict::Ignored;
        }
        let asked =
            waiting.filter(|(device, _)| self.devices[*device].config.address.get() == header.address);
        let Some((device, sent_until)) = asked else {
            self.statistics.stray = self.statistics.stray.saturating_add(1);
            return Verdict::Ignored;
        };
        let mut copy: Vec<u8, MAX_FRAME> = Vec::new();
        copy.extend_from_slice(bytes).expect("the receiver takes at most MAX_FRAME");
        self.handle_reply(now, device, sent_until, &mut copy)
    }

    fn foreign(&mut self, now: Micros, address: u8) {
        self.statistics.foreign = self.statistics.foreign.saturating_add(1);
        let lately = self.foreign_at.is_some_and(|at| now.saturating_sub(at) < FOREIGN_EVERY);
        let Some(address) = Address::new(address).filter(|_| !lately && self.room() >= ROOM_FOR_TIME) else {
            return;
        };
        self.foreign_at = Some(now);
        self.tell(Event { address, kind: EventKind::ForeignPanel });
    }

    /// No usable reply came in time.
    fn unanswered(&mut self, index: usize, now: Micros) {
        let first_attempt = self.devices[index].attempts == 0;
        let device = &mut self.devices[index];
        device.statistics.timeouts = device.statistics.timeouts.saturating_add(1);
        let Some(sent) = &mut device.outstanding else { return };
        let running = matches!(device.phase, Phase::Run);
        let quick = sent.tries < QUICK_TRIES;
        sent.retry_at = if quick { now } else { now + SLOW_RETRY };
        let probing = matches!(device.phase, Phase::Probe { .. });
        if device.standing != Standing::Online {
            if !quick || (probing && !first_attempt) {
                self.attempt_failed(index, now, OfflineReason::NoReply);
            }
        } else if !running && !quick {
            device.restart(now + SLOW_RETRY);
        }
    }

    /// Lets time take its course: queues, windows, silent devices.
    fn expire(&mut self, now: Micros) {
        let waiting_for = match self.bus {
            Bus::Waiting { device, .. } => Some(device),
            Bus::Idle { .. } => None,
        };
        for index in 0..self.devices.len() {
            if self.room() < ROOM_FOR_TIME {
                return;
            }
            let device = &mut self.devices[index];
            let address = device.config.address;
            device.expire(now);
            if let DeviceSecurity::Install { key, until } = &device.config.security
                && *until <= now
            {
                device.config.security = DeviceSecurity::Required(key.clone());
                // A session with the default key ends with the window.
                let installing = matches!(device.phase, Phase::InstallKey);
                self.tell(Event { address, kind: EventKind::InstallWindowClosed });
                if installing {
                    self.begin_anew(index, now);
                }
            }
            let device = &mut self.devices[index];
            if let Some(rekey) = device.rekey.take_if(|rekey| !rekey.sent && rekey.expires_at <= now) {
                self.tell(Event { address, kind: EventKind::Failed(rekey.token, Failure::Expired) });
            }
            if waiting_for == Some(index) {
                continue;
            }
            let device = &self.devices[index];
            if device.is_online() && now.saturating_sub(device.alive_at) >= self.config.offline_after {
                self.attempt_failed(index, now, OfflineReason::NoReply);
            }
            if let Some(Outstanding { purpose: Purpose::Job { token, expires_at, .. }, .. }) =
                self.devices[index].outstanding
                && expires_at <= now
            {
                // It may have been carried out; repeating it now would be too late. Only a new session
                // brings both sides back into step.
                self.devices[index].restart(now);
                self.settle(address, token, Err(Failure::Unconfirmed));
            }
        }
    }

    /// The device is not usable: says so if that is new, and waits before the next attempt.
    fn attempt_failed(&mut self, index: usize, now: Micros, reason: OfflineReason) {
        let device = &mut self.devices[index];
        let address = device.config.address;
        let news = device.standing != Standing::Offline(reason);
        if device.standing == Standing::Online {
            device.attempts = 0;
        }
        device.standing = Standing::Offline(reason);
        device.back_off(now, &self.config);
        device.fail_queue(Failure::Offline);
        let sent = device.outstanding.take();
        let rekey = device.rekey.take_if(|rekey| !rekey.sent);
        let file = device.file.take();
        if news {
            self.tell(Event { address, kind: EventKind::Offline(reason) });
        }
        if let Some(Outstanding { purpose: Purpose::Job { token, .. }, .. }) = sent {
            self.settle(address, token, Err(Failure::Offline));
        }
        if let Some(rekey) = rekey {
            self.tell(Event { address, kind: EventKind::Failed(rekey.token, Failure::Offline) });
        }
        if let Some(file) = file {
            self.tell(Event { address, kind: EventKind::Failed(file.token, Failure::Offline) });
        }
    }

    /// The session is over: a new one begins with sequence number 0. Stays on-line if it succeeds in time.
    fn begin_anew(&mut self, index: usize, now: Micros) {
        let device = &mut self.devices[index];
        let address = device.config.address;
        let file = device.file.take();
        if let Some(Outstanding { purpose: Purpose::Job { token, .. }, .. }) = device.restart(now) {
            self.settle(address, token, Err(Failure::Interrupted));
        }
        if let Some(file) = file {
            self.tell(Event { address, kind: EventKind::Failed(file.token, Failure::Interrupted) });
        }
    }
}
