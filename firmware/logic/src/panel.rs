//! The panel's side of the board: what each OSDP command does, and what is told at polls.

use endpoints::vendor::{
    self, BoardSettings, EventsWriter, FromBoard, Info, Kind, ToBoard, What, firmware, whitelist,
};
use endpoints::{Command, Order, Outcome, Sense};
use heapless::Vec;
use osdp::{FileBlock, FileStatus, LineSettings, NakCode, Oui, OutputAction, OutputControl, PdEvent, Reply};

use crate::board::{Board, Clock, MAX_INPUTS, MAX_READERS, Sounder, UntoldStatus};
use crate::job::{Done, Job, MAX_PIECE};

/// What the panel waits for until the storage is done.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Expected {
    Nothing,
    Key([u8; 16]),
    Settings(BoardSettings),
    Piece { next: u32 },
    ImagePiece { next: u32, total: u32 },
}

/// What to answer, without borrowing the command.
pub(crate) enum Answer {
    Ack,
    Nak(NakCode),
    Inputs,
    Outputs,
    Readers,
    Local,
    Line(LineSettings),
    Mfg(Vec<u8, { vendor::MAX_BODY }>),
    File(i16),
    /// The file is being looked at: ask again after so many milliseconds.
    Wait(u16),
    /// When the storage is done.
    Later,
}

/// Places for poll replies that states may take.
const FOR_STATUS: usize = 4;
/// A clock that was off by less is set without a word, µs.
const CLOCK_TOLERANCE_US: i64 = 1_000_000;
/// A panel that cannot repeat a command holds until told otherwise, at most this long, µs (49 days).
const WITHOUT_END_US: u64 = 1_000 * u32::MAX as u64;

impl Board {
    /// Carries out what the panel asks, and notes what happened to the link.
    pub(crate) fn serve_panel(&mut self, now: u64) {
        // Carried out from a copy: the peripheral is kilobytes, too much to be set aside meanwhile.
        let mut copy = Vec::new();
        let command = self.pd.as_mut().and_then(|pd| pd.copy_request(&mut copy));
        if let Some(command) = command {
            let answer = self.act(now, &command);
            self.owed = (!matches!(answer, Answer::Later)).then_some(answer);
        }
        while let Some(event) = self.pd.as_mut().and_then(|pd| pd.poll_event()) {
            match event {
                // A new channel may be a new controller: it says Hello again.
                PdEvent::SecureChannelUp { .. } | PdEvent::SecureChannelDown | PdEvent::Offline => {
                    self.subscribed = false;
                }
                PdEvent::CardGivenUp => self.local.card_given_up(),
                PdEvent::Online | PdEvent::LineSettings(_) => {}
            }
        }
    }

    /// Seals the answer that is owed. Apart from carrying out: that takes long, and the outputs go first.
    pub(crate) fn answer_owed(&mut self, now: u64) {
        if let Some(answer) = self.owed.take() {
            self.answer(now, answer);
        }
    }

    fn act(&mut self, now: u64, command: &osdp::Command<'_>) -> Answer {
        use osdp::Command as C;
        match command {
            C::LocalStatus => Answer::Local,
            C::InputStatus => Answer::Inputs,
            C::OutputStatus => Answer::Outputs,
            C::ReaderStatus => Answer::Readers,
            C::Output(controls) => {
                if controls.iter().any(|c| c.output >= self.shape().commanded) {
                    return Answer::Nak(NakCode::Record);
                }
                for control in controls.iter() {
                    self.output(now, control);
                }
                Answer::Outputs
            }
            C::Led(controls) => {
                for control in controls.iter() {
                    match self.lamps.get_mut(usize::from(control.reader)) {
                        Some(lamps) if control.led == 0 => lamps.led(now, &control),
                        Some(_) | None => return Answer::Nak(NakCode::Record),
                    }
                }
                Answer::Ack
            }
            C::Buzzer(control) => match self.lamps.get_mut(usize::from(control.reader)) {
                Some(lamps) => {
                    lamps.buzz(now, control);
                    Answer::Ack
                }
                None => Answer::Nak(NakCode::Record),
            },
            C::Text(text) => match self.lamps.get_mut(usize::from(text.reader)) {
                Some(lamps) if self.setup.display => {
                    lamps.show(now, text);
                    Answer::Ack
                }
                Some(_) | None => Answer::Nak(NakCode::UnknownCommand),
            },
            // Address and speed are the board's switches: the answer says what stays.
            C::LineSettings(_) => {
                let setup = &self.setup;
                Answer::Line(LineSettings { address: setup.address, baud: setup.baud.get() })
            }
            C::KeySet(key) => {
                if key.is_default() {
                    return Answer::Nak(NakCode::Record);
                }
                let key = *key.expose();
                self.later(Expected::Key(key), Job::SaveKey(key))
            }
            C::File(block) => self.file(block),
            C::Mfg(Oui(vendor::OUI), body) => match ToBoard::decode(body) {
                Ok(message) => self.message(now, message),
                Err(_) => Answer::Nak(NakCode::Record),
            },
            C::Abort => {
                self.local.received = 0;
                self.update.abort();
                Answer::Ack
            }
            C::Mfg(..)
            | C::BioRead(_)
            | C::BioMatch(..)
            | C::ExtendedWrite(_)
            | C::PivData(_)
            | C::GenAuth(_)
            | C::CrAuth(_)
            | C::KeepActive(_)
            | C::Poll
            | C::Id
            | C::Capabilities
            | C::Challenge(_)
            | C::Cryptogram(_)
            | C::ReceiveSize(_)
            | C::Other(..) => Answer::Nak(NakCode::UnknownCommand),
        }
    }

    /// A message of our own controller.
    fn message(&mut self, now: u64, message: ToBoard) -> Answer {
        match message {
            ToBoard::Hello => {
                self.subscribed = true;
                self.journal.tell_again();
                own(&FromBoard::Info(self.info(now)))
            }
            ToBoard::Ack { epoch, up_to } => {
                self.journal.acknowledge(now, epoch, up_to);
                Answer::Ack
            }
            ToBoard::SetClock { utc_us } => {
                let by_us = self.utc(now).map(|old| utc_us.saturating_sub(old));
                self.clock = Some(Clock { utc_us, at: now });
                if by_us.is_none_or(|by| by.saturating_abs() > CLOCK_TOLERANCE_US) {
                    self.record(now, What::ClockSet { by_ms: by_us.unwrap_or(0) / 1000 });
                }
                Answer::Ack
            }
            ToBoard::Command { id, order, for_ms } => {
                let outcome = self.command(now, Command::from_controller(id, order, for_ms));
                own(&FromBoard::Outcome { id, outcome })
            }
            ToBoard::Configure(settings) => {
                if !self.endpoint.takes(&settings) {
                    return Answer::Nak(NakCode::Record);
                }
                self.later(Expected::Settings(settings), Job::SaveSettings(settings))
            }
            ToBoard::Status => {
                let (epoch, as_of) = (self.journal.epoch(), self.journal.recorded());
                own(&FromBoard::Status { epoch, as_of, status: self.endpoint.status() })
            }
            ToBoard::Update => self.update_answer(None),
            ToBoard::Install { image, even_if_open } => self.install(image, even_if_open),
        }
    }

    fn info(&self, now: u64) -> Info {
        let (oldest, newest, acked) = self.journal.marks();
        Info {
            kind: self.endpoint.kind(),
            firmware: self.setup.firmware,
            epoch: self.journal.epoch(),
            oldest,
            newest,
            acked,
            boot: self.journal.boot(),
            uptime_ms: now / 1000,
            utc_us: self.utc(now),
            settings: self.settings.digest(),
            whitelist: self.local.list.map_or(0, |head| head.header.list),
        }
    }

    /// One output of `osdp_OUT`. The last commanded output is the sounder; the others release, or let pass.
    fn output(&mut self, now: u64, control: OutputControl) {
        let for_us = u64::from(control.timer_100ms) * 100_000;
        if control.output == self.shape().sounder {
            self.sounder = match control.action {
                OutputAction::Nop => self.sounder,
                OutputAction::OffAbortTimer | OutputAction::OffForTimer => Sounder::Off,
                OutputAction::OnAbortTimer | OutputAction::OnAfterTimer => Sounder::On,
                OutputAction::OnForTimer if for_us == 0 => Sounder::On,
                OutputAction::OnForTimer => Sounder::Until(now + for_us),
                OutputAction::OffAfterTimer => match self.sounder {
                    Sounder::On => Sounder::Off,
                    other @ (Sounder::Off | Sounder::Until(_)) => other,
                },
            };
            return;
        }
        let once = match (self.setup.kind, control.output) {
            (Kind::Door, _) => Order::Release,
            (Kind::GateLane, 0) => Order::PassEntry,
            (Kind::GateLane, _) => Order::PassExit,
        };
        let longest = endpoints::door::MAX_RELEASE_US;
        let (order, for_us) = match control.action {
            // A timer that runs ends in off by itself.
            OutputAction::Nop | OutputAction::OffAfterTimer => return,
            OutputAction::OffAbortTimer => (Order::Normal, 0),
            OutputAction::OnAbortTimer | OutputAction::OnAfterTimer => (Order::Hold, WITHOUT_END_US),
            OutputAction::OnForTimer if for_us == 0 => (Order::Hold, WITHOUT_END_US),
            OutputAction::OnForTimer if for_us > longest => (Order::Hold, for_us),
            OutputAction::OnForTimer => (once, for_us),
            OutputAction::OffForTimer => (Order::Lock, for_us.max(1)),
        };
        let source = endpoints::Source::Controller;
        // What became of it shows in the outputs that are the answer.
        let _outcome: Outcome = self.command(now, Command { id: 0, order, for_us, source });
    }

    fn file(&mut self, block: &FileBlock<'_>) -> Answer {
        let longest = u32::try_from(whitelist::MAX_FILE).expect("a few kilobytes");
        match block.kind {
            whitelist::FILE_TYPE => {}
            firmware::FILE_TYPE => return self.image_block(block),
            _ => return Answer::File(FileStatus::UNKNOWN_KIND),
        }
        if block.data.is_empty() {
            return Answer::File(FileStatus::OK);
        }
        let next = if block.offset == 0 { 0 } else { self.local.received };
        let Ok(data) = Vec::<u8, MAX_PIECE>::from_slice(block.data) else {
            return Answer::File(FileStatus::ABORTED);
        };
        let end = block.offset.saturating_add(u32::try_from(data.len()).expect("at most MAX_PIECE"));
        if block.offset != next || block.total > longest || end > block.total {
            self.local.received = 0;
            return Answer::File(FileStatus::ABORTED);
        }
        let job = Job::ListPiece {
            offset: block.offset,
            total: block.total,
            data,
            key: self.settings.whitelist_key,
            serial: self.setup.serial,
            newest: self.local.list.map_or(0, |head| head.header.list),
        };
        self.later(Expected::Piece { next: end }, job)
    }

    /// Asks the storage; the panel is answered when it is done. One such request at a time.
    pub(crate) fn later(&mut self, expected: Expected, job: Job) -> Answer {
        if self.expected != Expected::Nothing || self.jobs.push_back(job).is_err() {
            return match expected {
                Expected::Piece { .. } | Expected::ImagePiece { .. } => Answer::File(FileStatus::ABORTED),
                Expected::Nothing | Expected::Key(_) | Expected::Settings(_) => Answer::Nak(NakCode::Record),
            };
        }
        self.expected = expected;
        Answer::Later
    }

    /// The storage is done with what the panel waits for.
    pub(crate) fn answer_expected(&mut self, now: u64, done: Done) {
        let answer = match (core::mem::replace(&mut self.expected, Expected::Nothing), done) {
            (Expected::Key(key), Done::KeySaved) => {
                self.record(now, What::KeyChanged);
                self.key_kept(now, key);
                return;
            }
            (Expected::Settings(settings), Done::SettingsSaved) => {
                self.settings = settings;
                self.endpoint.set_settings(settings.kind);
                self.record(now, What::Configured { digest: settings.digest() });
                Answer::Ack
            }
            (Expected::ImagePiece { next, total }, done) => self.image_piece_done(now, next, total, done),
            (Expected::Piece { next }, Done::PieceTaken) => {
                self.local.received = next;
                Answer::File(FileStatus::OK)
            }
            (Expected::Piece { .. }, Done::ListInForce(head)) => {
                self.set_list(head);
                self.local.received = 0;
                self.record(now, What::WhitelistStored { list: head.header.list });
                Answer::File(FileStatus::PROCESSED)
            }
            (Expected::Piece { .. }, Done::ListRefused) => {
                self.local.received = 0;
                self.record(now, What::WhitelistRejected);
                Answer::File(FileStatus::MALFORMED)
            }
            (Expected::Piece { .. }, _) => {
                self.local.received = 0;
                Answer::File(FileStatus::ABORTED)
            }
            (Expected::Key(_) | Expected::Settings(_), _) => Answer::Nak(NakCode::Record),
            (Expected::Nothing, _) => return,
        };
        self.answer(now, answer);
    }

    /// The key is in flash: the peripheral takes it with its answer, or without if the panel has given up.
    fn key_kept(&mut self, now: u64, key: [u8; 16]) {
        let Some(pd) = &mut self.pd else { return };
        if pd.respond(now, &Reply::Ack).is_err() {
            pd.set_security(osdp::PdSecurity::Required(osdp::Key::new(key)));
        }
    }

    fn answer(&mut self, now: u64, answer: Answer) {
        let mut bytes: Vec<u8, MAX_INPUTS> = Vec::new();
        let reply = match &answer {
            Answer::Later => return,
            Answer::Ack => Reply::Ack,
            Answer::Nak(code) => Reply::Nak(*code, &[]),
            Answer::Inputs => {
                bytes = self.input_bytes();
                Reply::InputStatus(&bytes)
            }
            Answer::Outputs => {
                let outputs = self.endpoint.outputs();
                bytes.extend((0..self.shape().commanded).map(|n| u8::from(outputs & 1 << n != 0)));
                Reply::OutputStatus(&bytes)
            }
            Answer::Readers => {
                bytes.extend((0..self.setup.readers).map(|_| 0));
                Reply::ReaderStatus(&bytes)
            }
            Answer::Local => self.local_status(),
            Answer::Line(settings) => Reply::LineSettings(*settings),
            Answer::Mfg(body) => Reply::Mfg(Oui(vendor::OUI), body),
            Answer::File(status) => Reply::FileStatus(file_status(*status, 0)),
            Answer::Wait(delay_ms) => Reply::FileStatus(file_status(FileStatus::FINISHING, *delay_ms)),
        };
        if let Some(pd) = &mut self.pd {
            // An answer the panel no longer waits for is no answer.
            let _sent = pd.respond(now, &reply);
        }
    }

    fn input_bytes(&self) -> Vec<u8, MAX_INPUTS> {
        (0..self.shape().inputs).map(|n| u8::from(self.sense(n) != Sense::Rest)).collect()
    }

    fn local_status(&self) -> Reply<'static> {
        let shape = self.shape();
        Reply::LocalStatus {
            tamper: self.sense(shape.tamper) != Sense::Rest,
            power: self.sense(shape.mains) != Sense::Rest,
        }
    }

    /// A panel that does not fetch our events is told of inputs in OSDP's own words. Half of the places for poll replies are left to
    /// cards and keys: while the panel is slow, states are told together, later.
    pub(crate) fn tell_status(&mut self, now: u64) {
        let untold = self.untold_status;
        if self.subscribed || self.link() == endpoints::Link::Down {
            self.untold_status = UntoldStatus::default();
            return;
        }
        let room = |board: &Board| board.pd.as_ref().is_some_and(|pd| pd.posted() < FOR_STATUS);
        if untold.inputs && room(self) {
            self.untold_status.inputs = false;
            let bytes = self.input_bytes();
            self.post(now, &Reply::InputStatus(&bytes));
        }
        if untold.local && room(self) {
            self.untold_status.local = false;
            let status = self.local_status();
            self.post(now, &status);
        }
    }

    /// Whether the controller wants events, and fetches what waits.
    pub(crate) fn may_tell(&self) -> bool {
        self.subscribed && self.pd.as_ref().is_some_and(|pd| pd.posted() == 0)
    }

    /// Hands stored events to the peripheral.
    pub(crate) fn tell_events(&mut self, now: u64) {
        if !self.may_tell() {
            return;
        }
        let mut body = [0; vendor::MAX_BODY];
        let epoch = self.journal.epoch();
        let mut writer = EventsWriter::new(&mut body, epoch).expect("MAX_BODY holds the head");
        let mut last = None;
        for event in self.journal.untold(now) {
            if writer.push(event).is_err() {
                break;
            }
            last = Some(event.seq);
        }
        let used = writer.finish();
        if let Some(last) = last {
            self.journal.told(now, last);
            self.post(now, &Reply::Mfg(Oui(vendor::OUI), &body[..used]));
        }
    }
}

const _: () = assert!(MAX_READERS <= MAX_INPUTS);

fn file_status(status: i16, delay_ms: u16) -> FileStatus {
    let max_message = u16::try_from(MAX_PIECE).expect("a few hundred") - 64;
    FileStatus { control: 1, delay_ms, status, max_message }
}

/// The body of a message to our own controller.
pub(crate) fn own(message: &FromBoard<'_>) -> Answer {
    let mut body = Vec::new();
    body.resize_default(vendor::MAX_BODY).expect("its capacity");
    let used = message.encode(&mut body).expect("MAX_BODY holds every message");
    body.truncate(used);
    Answer::Mfg(body)
}
