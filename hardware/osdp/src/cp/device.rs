//! One device as its panel sees it.

use heapless::Vec;

use super::config::{BusConfig, DeviceConfig, DeviceSecurity};
use super::event::{Failure, OfflineReason, SubmitError, Token};
use super::file::Transfer;
use crate::command::Command;
use crate::control::OutputAction;
use crate::secure::{Handshake, Key, Session, sealed_len};
use crate::status::{Capability, Identity, function};
use crate::time::Micros;
use crate::wire::{Check, MIN_FRAME_BUFFER, Sequence, Writer};

/// Longest data of a queued command in bytes.
pub(super) const MAX_COMMAND: usize = 256;
/// Mark, header, block, code, padded data, MAC, check.
pub(super) const MAX_OUT: usize = 1 + 5 + 2 + 1 + 272 + 4 + 2;

/// Counts and times of one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceStatistics {
    /// Commands sent, repeats not counted.
    pub commands: u32,
    /// Commands sent again.
    pub retries: u32,
    /// Commands without any reply in time.
    pub timeouts: u32,
    /// Replies whose CRC or checksum was wrong.
    pub bad_frames: u32,
    /// Replies whose MAC was wrong.
    pub bad_macs: u32,
    /// Replies in clear where a secured one was due.
    pub refused_clear: u32,
    /// Replies `osdp_NAK`.
    pub naks: u32,
    /// Replies `osdp_BUSY`.
    pub busy: u32,
    /// Replies that could not be understood or kept.
    pub unusable: u32,
    /// Times the communication began anew.
    pub restarts: u32,
    /// When the last valid reply came.
    pub last_reply_at: Option<Micros>,
    /// From the end of the last command to its reply, in microseconds.
    pub last_reply_time: Micros,
}

#[derive(Debug)]
pub(super) struct Job {
    /// `None` for what the panel does of itself.
    pub(super) token: Option<Token>,
    pub(super) serial: u32,
    pub(super) code: u8,
    pub(super) data: Vec<u8, MAX_COMMAND>,
    pub(super) expires_at: Micros,
    pub(super) urgent: bool,
    /// Why it will not be sent; told and forgotten by `poll_event`.
    pub(super) verdict: Option<Failure>,
}

/// Which key a handshake tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Own,
    /// The key of a re-keying whose outcome is unknown.
    Next,
    Default,
}

/// Where the device stands between being asked for the first time and being polled.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "round keys live in place: there is no allocation")]
pub(super) enum Phase {
    /// Asked who it is, in clear, when the time has come.
    Probe {
        at: Micros,
    },
    Challenge {
        choice: Choice,
        random: [u8; 8],
    },
    Cryptogram {
        choice: Choice,
        handshake: Handshake,
    },
    InstallKey,
    Identify,
    Capabilities,
    Run,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "round keys live in place: there is no allocation")]
pub(super) enum Channel {
    Clear,
    Secure(Session),
}

/// What the command on the way is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Phase,
    Startup(Startup),
    Poll,
    Job { token: Option<Token>, expires_at: Micros, urgent: bool },
    Rekey(Token),
    File(Token),
}

/// Questions to a device that has just come on-line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Startup {
    ReceiveSize,
    LocalStatus,
    InputStatus,
    OutputStatus,
    Nothing,
}

impl Startup {
    pub(super) const fn next(self) -> Self {
        match self {
            Self::ReceiveSize => Self::LocalStatus,
            Self::LocalStatus => Self::InputStatus,
            Self::InputStatus => Self::OutputStatus,
            Self::OutputStatus | Self::Nothing => Self::Nothing,
        }
    }
}

/// A command that was sent and not answered; repeated as it is, byte by byte.
#[derive(Debug)]
pub(super) struct Outstanding {
    pub(super) frame: Vec<u8, MAX_OUT>,
    pub(super) code: u8,
    pub(super) sequence: Sequence,
    pub(super) purpose: Purpose,
    pub(super) tries: u32,
    pub(super) retry_at: Micros,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing was told about it yet.
    Unknown,
    Online,
    Offline(OfflineReason),
}

/// A re-keying under way.
#[derive(Debug)]
pub(super) struct Rekey {
    pub(super) key: Key,
    pub(super) token: Token,
    pub(super) expires_at: Micros,
    /// The new key has gone out; which one the device has is unknown until a handshake shows it.
    pub(super) sent: bool,
}

#[derive(Debug)]
pub(super) struct Device<const QUEUE: usize> {
    pub(super) config: DeviceConfig,
    pub(super) phase: Phase,
    pub(super) standing: Standing,
    pub(super) channel: Channel,
    pub(super) next_sequence: Sequence,
    pub(super) outstanding: Option<Outstanding>,
    pub(super) queue: Vec<Job, QUEUE>,
    next_serial: u32,
    /// Differs from the configured one once the device has shown that it cannot do that.
    pub(super) check: Check,
    pub(super) startup: Startup,
    pub(super) identity: Option<Identity>,
    pub(super) capabilities: Vec<Capability, 32>,
    /// Unsuccessful attempts in a row, for the wait before the next one.
    pub(super) attempts: u32,
    /// A key was just installed with the default key, and has not been used yet.
    pub(super) just_installed: bool,
    pub(super) rekey: Option<Rekey>,
    pub(super) file: Option<Transfer>,
    /// The last command was a file block: a poll comes before the next one.
    pub(super) after_file: bool,
    pub(super) poll_at: Micros,
    pub(super) alive_at: Micros,
    pub(super) bad_macs_in_a_row: u32,
    pub(super) statistics: DeviceStatistics,
}

impl<const QUEUE: usize> Device<QUEUE> {
    pub(super) fn new(config: DeviceConfig, now: Micros) -> Self {
        let check = config.check;
        Self {
            config,
            check,
            next_serial: 0,
            phase: Phase::Probe { at: now },
            standing: Standing::Unknown,
            channel: Channel::Clear,
            next_sequence: Sequence::RESTART,
            outstanding: None,
            queue: Vec::new(),
            startup: Startup::Nothing,
            identity: None,
            capabilities: Vec::new(),
            attempts: 0,
            just_installed: false,
            rekey: None,
            file: None,
            after_file: false,
            poll_at: now,
            alive_at: now,
            bad_macs_in_a_row: 0,
            statistics: DeviceStatistics::default(),
        }
    }

    pub(super) fn is_online(&self) -> bool {
        self.standing == Standing::Online
    }

    pub(super) fn is_secure(&self) -> bool {
        matches!((&self.channel, &self.phase), (Channel::Secure(_), Phase::Run))
    }

    /// The key a handshake uses; `None` if the device is spoken to in clear or that choice is closed.
    pub(super) fn key(&self, choice: Choice, now: Micros) -> Option<Key> {
        match (choice, &self.config.security) {
            (_, DeviceSecurity::Clear) => None,
            (Choice::Own, DeviceSecurity::Required(key) | DeviceSecurity::Install { key, .. }) => {
                Some(key.clone())
            }
            (Choice::Next, _) => {
                self.rekey.as_ref().filter(|rekey| rekey.sent).map(|rekey| rekey.key.clone())
            }
            (Choice::Default, DeviceSecurity::Install { until, .. }) => {
                (now < *until).then_some(Key::DEFAULT)
            }
            (Choice::Default, DeviceSecurity::Required(_)) => None,
        }
    }

    pub(super) fn capability(&self, wanted: u8) -> Option<Capability> {
        self.capabilities.iter().copied().find(|line| line.function == wanted && line.level > 0)
    }

    /// Largest data of a command that fits the device's buffer.
    pub(super) fn room(&self) -> usize {
        let line = self.capabilities.iter().find(|line| line.function == function::RECEIVE_BUFFER);
        let buffer = line.map_or(MIN_FRAME_BUFFER, |line| usize::from(line.size()));
        let buffer = buffer.max(MIN_FRAME_BUFFER);
        // With padding 15 bytes less than a whole number of blocks fit for certain.
        (0..=MAX_COMMAND).rev().find(|&len| sealed_len(len, self.check) <= buffer).unwrap_or(0)
    }

    /// Whether the device can be sent this at all.
    fn offers(&self, command: &Command<'_>) -> Result<(), SubmitError> {
        let offers = |function| match self.capability(function) {
            Some(line) => Ok(line),
            None => Err(SubmitError::Unsupported { function }),
        };
        // Some devices report 0 of what they have.
        let counted = |line: Capability, number: u8| line.count == 0 || number < line.count;
        match command {
            Command::Poll
            | Command::Id
            | Command::Capabilities
            | Command::Challenge(_)
            | Command::Cryptogram(_)
            | Command::KeySet(_)
            | Command::ReceiveSize(_)
            | Command::File(_) => Err(SubmitError::Reserved),
            Command::Output(records) => {
                let line = offers(function::OUTPUT_CONTROL)?;
                let all = records.iter().all(|record| counted(line, record.output));
                if all { Ok(()) } else { Err(SubmitError::Unsupported { function: line.function }) }
            }
            Command::Led(records) => {
                let line = offers(function::LED_CONTROL)?;
                let all = records.iter().all(|record| counted(line, record.led));
                if all { Ok(()) } else { Err(SubmitError::Unsupported { function: line.function }) }
            }
            Command::Buzzer(_) => offers(function::AUDIBLE_OUTPUT).map(drop),
            Command::Text(_) => offers(function::TEXT_OUTPUT).map(drop),
            Command::InputStatus => offers(function::CONTACT_STATUS).map(drop),
            Command::OutputStatus => offers(function::OUTPUT_CONTROL).map(drop),
            Command::BioRead(_) | Command::BioMatch(..) => offers(function::BIOMETRICS).map(drop),
            Command::ExtendedWrite(_)
            | Command::PivData(_)
            | Command::GenAuth(_)
            | Command::CrAuth(_)
            | Command::KeepActive(_) => offers(function::SMART_CARD).map(drop),
            Command::LocalStatus
            | Command::ReaderStatus
            | Command::LineSettings(_)
            | Command::Mfg(..)
            | Command::Abort
            | Command::Other(..) => Ok(()),
        }
    }

    pub(super) fn enqueue(
        &mut self,
        now: Micros,
        command: &Command<'_>,
        token: Option<Token>,
        expires_at: Micros,
    ) -> Result<(), SubmitError> {
        if !self.is_online() {
            return Err(SubmitError::Offline);
        }
        if expires_at <= now {
            return Err(SubmitError::Expired);
        }
        self.offers(command)?;
        let mut data = Vec::new();
        data.resize_default(MAX_COMMAND).expect("its capacity is MAX_COMMAND");
        let mut writer = Writer::new(&mut data);
        command.encode(&mut writer).map_err(|_| SubmitError::TooLong)?;
        let len = writer.len();
        data.truncate(len);
        if len > self.room() {
            return Err(SubmitError::TooLong);
        }
        let urgent = moves_an_output(command);
        self.next_serial = self.next_serial.wrapping_add(1);
        let (serial, code) = (self.next_serial, command.code());
        let job = Job { token, serial, code, data, expires_at, urgent, verdict: None };
        self.queue.push(job).map_err(|_| SubmitError::Full)
    }

    /// The job to send next: outputs go before the rest, each in the order it came.
    pub(super) fn next_job(&self) -> Option<&Job> {
        let open = || self.queue.iter().filter(|job| job.verdict.is_none());
        open().find(|job| job.urgent).or_else(|| open().next())
    }

    pub(super) fn take_job(&mut self) -> Option<Job> {
        let serial = self.next_job()?.serial;
        let at = self.queue.iter().position(|job| job.serial == serial)?;
        Some(self.queue.remove(at))
    }

    /// Takes a job out of the queue that only waits to be told about.
    pub(super) fn take_verdict(&mut self) -> Option<(Token, Failure)> {
        while let Some(at) = self.queue.iter().position(|job| job.verdict.is_some()) {
            let job = self.queue.remove(at);
            if let (Some(token), Some(failure)) = (job.token, job.verdict) {
                return Some((token, failure));
            }
        }
        None
    }

    pub(super) fn expire(&mut self, now: Micros) {
        for job in &mut self.queue {
            if job.verdict.is_none() && job.expires_at <= now {
                job.verdict = Some(Failure::Expired);
            }
        }
    }

    pub(super) fn fail_queue(&mut self, failure: Failure) {
        for job in &mut self.queue {
            job.verdict.get_or_insert(failure);
        }
    }

    /// When a waiting command's time is over.
    pub(super) fn next_expiry(&self) -> Option<Micros> {
        let queued = self.queue.iter().filter(|job| job.verdict.is_none()).map(|job| job.expires_at).min();
        let rekey = self.rekey.as_ref().filter(|rekey| !rekey.sent).map(|rekey| rekey.expires_at);
        queued.into_iter().chain(rekey).min()
    }

    /// When the sent command's time is over.
    pub(super) fn sent_expiry(&self) -> Option<Micros> {
        match self.outstanding.as_ref()?.purpose {
            Purpose::Job { expires_at, .. } => Some(expires_at),
            Purpose::Phase | Purpose::Startup(_) | Purpose::Poll | Purpose::Rekey(_) | Purpose::File(_) => {
                None
            }
        }
    }

    /// When something may be sent to the device, and how urgent it is.
    pub(super) fn due(&self, now: Micros) -> Option<(Class, Micros)> {
        if let Some(sent) = &self.outstanding {
            let class = match sent.purpose {
                Purpose::Job { urgent: true, .. } => Class::Urgent,
                Purpose::Job { .. } | Purpose::Rekey(_) | Purpose::File(_) => Class::Command,
                Purpose::Phase | Purpose::Startup(_) | Purpose::Poll => Class::Poll,
            };
            return Some((class, sent.retry_at));
        }
        match &self.phase {
            Phase::Probe { at } => return Some((Class::Poll, *at)),
            Phase::Challenge { .. }
            | Phase::Cryptogram { .. }
            | Phase::InstallKey
            | Phase::Identify
            | Phase::Capabilities => return Some((Class::Command, now)),
            Phase::Run => {}
        }
        let exclusive = self.file.as_ref().is_some_and(|file| file.exclusive);
        let file = self.file.as_ref().and_then(Transfer::due);
        if exclusive {
            // The device wants nothing in between; while the caller prepares a block, polls keep it alive.
            return file.map(|at| (Class::Command, at)).or(Some((Class::Poll, self.poll_at)));
        }
        if let Some(job) = self.next_job() {
            return Some((if job.urgent { Class::Urgent } else { Class::Command }, now));
        }
        if self.rekey.as_ref().is_some_and(|rekey| !rekey.sent) || self.startup != Startup::Nothing {
            return Some((Class::Command, now));
        }
        match file {
            Some(at) if at <= now && !self.after_file => Some((Class::Command, at)),
            Some(at) if at <= now => Some((Class::Poll, now)),
            Some(at) => Some((Class::Poll, self.poll_at.min(at))),
            None => Some((Class::Poll, self.poll_at)),
        }
    }

    /// Waits longer after each unsuccessful attempt.
    pub(super) fn back_off(&mut self, now: Micros, bus: &BusConfig) {
        let [first, second, later] = bus.probe_after;
        let wait = match self.attempts {
            0 => first,
            1 => second,
            _ => later,
        };
        self.attempts = self.attempts.saturating_add(1);
        self.phase = Phase::Probe { at: now + wait };
        self.channel = Channel::Clear;
        self.next_sequence = Sequence::RESTART;
    }

    /// Begins anew with sequence number 0 at `at`; what was on the way is forgotten and returned.
    pub(super) fn restart(&mut self, at: Micros) -> Option<Outstanding> {
        self.statistics.restarts = self.statistics.restarts.saturating_add(1);
        self.phase = Phase::Probe { at };
        self.channel = Channel::Clear;
        self.next_sequence = Sequence::RESTART;
        self.bad_macs_in_a_row = 0;
        self.outstanding.take()
    }
}

/// How a bus chooses: outputs first, then commands, then polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Urgent,
    Command,
    Poll,
}

fn moves_an_output(command: &Command<'_>) -> bool {
    matches!(command, Command::Output(records) if records.iter().any(|record| record.action != OutputAction::Nop))
}
