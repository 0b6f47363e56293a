//! What a device is sent next.

use heapless::Vec;

use super::config::BusConfig;
use super::device::{Channel, Choice, Device, MAX_OUT, Outstanding, Phase, Purpose, Startup};
use super::file::SHARE;
use crate::command::{Command, code};
use crate::frame::{Direction, Header, MARK, Scs, write_clear};
use crate::secure::Key;
use crate::status::function;
use crate::time::Micros;
use crate::wire::{Sequence, TooLong, Writer};

impl<const QUEUE: usize> Device<QUEUE> {
    /// Puts the next command into `outstanding`. There is none on the way.
    pub(super) fn prepare(&mut self, now: Micros, bus: &BusConfig) {
        match &self.phase {
            Phase::Probe { .. } => {
                self.channel = Channel::Clear;
                self.next_sequence = Sequence::RESTART;
                self.put(bus, Purpose::Phase, &Command::Id, None);
            }
            Phase::Challenge { choice, random } => {
                let block = (Scs::Challenge, u8::from(*choice != Choice::Default));
                let command = Command::Challenge(*random);
                self.put(bus, Purpose::Phase, &command, Some(block));
            }
            Phase::Cryptogram { choice, handshake } => {
                let block = (Scs::ServerCryptogram, u8::from(*choice != Choice::Default));
                let command = Command::Cryptogram(handshake.server_cryptogram());
                self.put(bus, Purpose::Phase, &command, Some(block));
            }
            Phase::InstallKey => {
                let key = self.key(Choice::Own, now).unwrap_or(Key::DEFAULT);
                self.put(bus, Purpose::Phase, &Command::KeySet(key), None);
            }
            Phase::Identify => self.put(bus, Purpose::Phase, &Command::Id, None),
            Phase::Capabilities => self.put(bus, Purpose::Phase, &Command::Capabilities, None),
            Phase::Run => self.prepare_running(now, bus),
        }
        self.statistics.commands = self.statistics.commands.saturating_add(1);
    }

    fn prepare_running(&mut self, now: Micros, bus: &BusConfig) {
        let exclusive = self.file.as_ref().is_some_and(|file| file.exclusive);
        if !exclusive {
            if let Some(job) = self.take_job() {
                let purpose =
                    Purpose::Job { token: job.token, expires_at: job.expires_at, urgent: job.urgent };
                return self.put_encoded(bus, purpose, job.code, |out| out.bytes(&job.data), None);
            }
            if let Some(rekey) = &mut self.rekey
                && !rekey.sent
            {
                rekey.sent = true;
                let (key, token) = (rekey.key.clone(), rekey.token);
                return self.put(bus, Purpose::Rekey(token), &Command::KeySet(key), None);
            }
            if let Some((question, command)) = self.next_question(bus) {
                return self.put(bus, Purpose::Startup(question), &command, None);
            }
        }
        if let Some(mut file) = self.file.take() {
            let due = file.due().is_some_and(|at| at <= now) && (exclusive || !self.after_file);
            if due {
                let purpose = Purpose::File(file.token);
                self.after_file = true;
                self.put(bus, purpose, &Command::File(file.take_block()), None);
                let length = self.outstanding.as_ref().map_or(0, |sent| sent.frame.len());
                file.rest(now + SHARE * bus.baud.characters(length));
                self.file = Some(file);
                return;
            }
            self.file = Some(file);
        }
        self.after_file = false;
        self.poll_at = now + bus.poll_interval;
        self.put(bus, Purpose::Poll, &Command::Poll, None);
    }

    /// The next question to a device that has just come on-line; skips what it does not offer.
    fn next_question(&mut self, bus: &BusConfig) -> Option<(Startup, Command<'static>)> {
        loop {
            let question = self.startup;
            let (asked, command) = match question {
                Startup::Nothing => return None,
                Startup::ReceiveSize => (true, Command::ReceiveSize(bus.receive_size)),
                Startup::LocalStatus => (bus.ask_status, Command::LocalStatus),
                Startup::InputStatus => (
                    bus.ask_status && self.capability(function::CONTACT_STATUS).is_some(),
                    Command::InputStatus,
                ),
                Startup::OutputStatus => (
                    bus.ask_status && self.capability(function::OUTPUT_CONTROL).is_some(),
                    Command::OutputStatus,
                ),
            };
            if asked {
                return Some((question, command));
            }
            self.startup = question.next();
        }
    }

    fn put(&mut self, bus: &BusConfig, purpose: Purpose, command: &Command<'_>, block: Option<(Scs, u8)>) {
        self.put_encoded(bus, purpose, command.code(), |out| command.encode(out), block);
    }

    fn put_encoded(
        &mut self,
        bus: &BusConfig,
        purpose: Purpose,
        code: u8,
        message: impl FnOnce(&mut Writer<'_>) -> Result<(), TooLong>,
        block: Option<(Scs, u8)>,
    ) {
        let header = Header {
            address: self.config.address.get(),
            direction: Direction::Command,
            sequence: self.next_sequence,
            check: self.check,
        };
        let mut frame: Vec<u8, MAX_OUT> = Vec::new();
        frame.resize_default(MAX_OUT).expect("its capacity is MAX_OUT");
        frame[0] = MARK;
        let written = match &mut self.channel {
            Channel::Secure(session) => session.seal(&mut frame[1..], header, code, message),
            Channel::Clear => {
                let data = block.map(|(scs, byte)| (scs, [byte]));
                let block = data.as_ref().map(|(scs, byte)| (*scs, &byte[..]));
                write_clear(&mut frame[1..], header, block, code, message)
            }
        };
        let len = written.expect("a queued command is at most MAX_COMMAND, which fits MAX_OUT sealed");
        frame.truncate(1 + len);
        if !bus.mark {
            frame.rotate_left(1);
            frame.truncate(len);
        }
        let sequence = self.next_sequence;
        self.next_sequence = sequence.next();
        self.outstanding = Some(Outstanding { frame, code, sequence, purpose, tries: 0, retry_at: 0 });
        debug_assert!(code != code::KEYSET || matches!(self.channel, Channel::Secure(_)));
    }
}
