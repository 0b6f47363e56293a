//! The peripheral's rules: which command counts, which is repeated, which is refused.

mod answer;

use super::queue::PollQueue;
use super::{Events, PdConfig, PdEvent, PdSecurity, PdStatistics, note};
use crate::command::{Command, code};
use crate::frame::{Direction, Frame, Header, Scs};
use crate::records::{DecodeError, Records};
use crate::reply::Reply;
use crate::secure::{Handshake, Key, Nonces, Session};
use crate::status::NakCode;
use crate::time::Micros;
use crate::wire::{BROADCAST, Check, Sequence, crc16};

/// A secure channel's life.
#[derive(Debug)]
enum Channel {
    Clear,
    Challenged { handshake: Handshake, default_key: bool },
    Secure { session: Session, default_key: bool },
}

/// What stands in the transmit buffer.
#[derive(Debug)]
enum Work {
    Nothing,
    /// A command for the device: code at 0, data after it.
    Request {
        len: usize,
        header: Header,
        secured: bool,
        taken: bool,
        busy_at: Micros,
        put_off: bool,
    },
    /// The reply to the last command, kept to be repeated.
    Replied {
        len: usize,
        send_at: Option<Micros>,
    },
}

/// What happens once the reply has gone out.
#[derive(Debug)]
enum After {
    Nothing,
    /// The head of the poll queue was told.
    Told,
    NewKey(Key),
    NewLine(crate::LineSettings),
}

/// A command as it is remembered, to tell a repeat from a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    sequence: Sequence,
    len: usize,
    crc: u16,
    mac: Option<[u8; 4]>,
}

#[derive(Debug)]
pub(super) struct Link<const FRAME: usize, const QUEUE: usize, const ITEM: usize> {
    pub(super) config: PdConfig,
    pub(super) queue: PollQueue<QUEUE, ITEM>,
    pub(super) events: Events,
    pub(super) statistics: PdStatistics,
    nonces: Nonces,
    channel: Channel,
    last: Option<Seen>,
    heard_at: Option<Micros>,
    panel_buffer: usize,
    buffer: [u8; FRAME],
    work: Work,
    after: After,
    /// A short frame that does not disturb the buffer: busy, or a refusal that changes nothing.
    aside: Option<(Micros, Aside)>,
    aside_buffer: [u8; 10],
}

#[derive(Clone, Copy, Debug)]
struct Aside {
    header: Header,
    message: AsideMessage,
}

#[derive(Clone, Copy, Debug)]
enum AsideMessage {
    Busy,
    Nak(NakCode),
}

impl<const FRAME: usize, const QUEUE: usize, const ITEM: usize> Link<FRAME, QUEUE, ITEM> {
    pub(super) fn new(config: PdConfig, nonces: Nonces) -> Self {
        Self {
            config,
            queue: PollQueue::new(),
            events: Events::new(),
            statistics: PdStatistics::default(),
            nonces,
            channel: Channel::Clear,
            last: None,
            heard_at: None,
            panel_buffer: crate::MAX_FRAME,
            buffer: [0; FRAME],
            work: Work::Nothing,
            after: After::Nothing,
            aside: None,
            aside_buffer: [0; 10],
        }
    }

    pub(super) fn is_online(&self) -> bool {
        self.heard_at.is_some()
    }

    pub(super) fn is_secure(&self) -> bool {
        matches!(self.channel, Channel::Secure { default_key: false, .. })
    }

    pub(super) fn set_security(&mut self, security: PdSecurity) {
        self.config.security = security;
        self.close_channel();
        // What was asked under the old rules is not answered under the new ones.
        self.work = Work::Nothing;
    }

    pub(super) fn handle_frame(&mut self, now: Micros, bytes: &mut [u8]) {
        let Ok(frame) = Frame::layout(bytes) else { return };
        let header = frame.header;
        let ours = header.address == self.config.address.get() || header.address == BROADCAST;
        if header.direction == Direction::Reply || !ours {
            return;
        }
        let seen = Seen {
            sequence: header.sequence,
            len: bytes.len(),
            crc: match (header.check, &*bytes) {
                (Check::Crc16, [.., low, high]) => u16::from_le_bytes([*low, *high]),
                (Check::Crc16 | Check::Checksum, _) => crc16(bytes),
            },
            mac: frame.mac,
        };
        match self.last {
            // 0 always begins anew, also after 0.
            _ if header.sequence == Sequence::RESTART => self.restart(),
            Some(last) if last.sequence == header.sequence => {
                if last == seen {
                    self.repeat(now, header);
                } else {
                    self.out_of_sequence(now, header);
                }
                return;
            }
            Some(last) if last.sequence.next() == header.sequence => {}
            Some(_) | None => {
                self.out_of_sequence(now, header);
                return;
            }
        }
        match self.admit(bytes) {
            // While a session is up, only who proves to be the panel moves anything.
            Err(code) if matches!(self.channel, Channel::Secure { .. }) => {
                self.refuse_aside(now, header, code);
            }
            Err(code) => {
                self.last = Some(seen);
                self.aside = None;
                self.after = After::Nothing;
                self.nak(now, reply_to(header), false, code);
            }
            Ok(admitted) => {
                self.last = Some(seen);
                self.queue.confirm();
                self.statistics.commands = self.statistics.commands.saturating_add(1);
                // With a key set, whoever cannot prove to have it does not keep the device on-line.
                if admitted.secured || matches!(self.config.security, PdSecurity::Optional(_)) {
                    self.heard(now);
                }
                self.aside = None;
                self.after = After::Nothing;
                let data = bytes.get(admitted.data).unwrap_or_default();
                self.execute(now, header, admitted.secured, admitted.default_key, admitted.code, data);
            }
        }
    }

    fn restart(&mut self) {
        self.close_channel();
        self.unconfirm();
        self.last = None;
        self.work = Work::Nothing;
        self.after = After::Nothing;
    }

    fn unconfirm(&mut self) {
        if self.queue.unconfirm() {
            note(&mut self.events, PdEvent::CardGivenUp);
        }
    }

    /// What was sent of them and may not have arrived is not repeated either: the panel has to begin anew.
    pub(super) fn take_back_cards(&mut self, reader: u8) -> bool {
        let on_its_way = self.queue.is_head_sent() || matches!(self.after, After::Told);
        if on_its_way && self.queue.head_is_card_of(reader) {
            self.work = Work::Nothing;
            self.after = After::Nothing;
        }
        self.queue.drop_cards(reader)
    }

    fn repeat(&mut self, now: Micros, header: Header) {
        self.statistics.repeats = self.statistics.repeats.saturating_add(1);
        let send_at = now + self.config.turnaround;
        match &mut self.work {
            Work::Replied { send_at: at, .. } => *at = Some(send_at),
            Work::Request { busy_at, put_off, .. } => {
                if *put_off {
                    *busy_at = now + self.config.busy_after;
                }
            }
            Work::Nothing => self.out_of_sequence(now, header),
        }
    }

    fn out_of_sequence(&mut self, now: Micros, header: Header) {
        self.statistics.bad_sequences = self.statistics.bad_sequences.saturating_add(1);
        self.refuse_aside(now, header, NakCode::Sequence);
    }

    /// Refuses without taking note of the command: nobody proved to be the panel.
    fn refuse_aside(&mut self, now: Micros, header: Header, code: NakCode) {
        self.statistics.naks = self.statistics.naks.saturating_add(1);
        let message = AsideMessage::Nak(code);
        self.aside = Some((now + self.config.turnaround, Aside { header: reply_to(header), message }));
    }

    fn heard(&mut self, now: Micros) {
        if self.heard_at.replace(now).is_none() {
            note(&mut self.events, PdEvent::Online);
        }
    }

    /// Decides whether a command may be looked at, and opens it.
    fn admit(&mut self, bytes: &mut [u8]) -> Result<Admitted, NakCode> {
        let frame = Frame::layout(bytes).map_err(|_| NakCode::Length)?;
        let code = frame.code;
        let clear = frame.data_at..frame.data_at + frame.data.len();
        match frame.security.map(|block| (block.scs, block.data)) {
            Some((scs, _)) if scs.has_mac() => {
                let Channel::Secure { session, default_key } = &mut self.channel else {
                    return Err(NakCode::SecurityRequired);
                };
                let default_key = *default_key;
                match session.open(bytes) {
                    Ok(data) => Ok(Admitted { code, data, secured: true, default_key }),
                    Err(_) => {
                        self.statistics.bad_macs = self.statistics.bad_macs.saturating_add(1);
                        self.close_channel();
                        Err(NakCode::SecurityRequired)
                    }
                }
            }
            Some((Scs::Challenge, &[key, ..])) if code == code::CHLNG => {
                Ok(Admitted { code, data: clear, secured: false, default_key: key == 0 })
            }
            Some((Scs::ServerCryptogram, _)) if code == code::SCRYPT => {
                Ok(Admitted { code, data: clear, secured: false, default_key: false })
            }
            Some(_) => Err(NakCode::SecurityBlock),
            None => self.admit_clear(code).map(|()| Admitted {
                code,
                data: clear,
                secured: false,
                default_key: false,
            }),
        }
    }

    fn admit_clear(&mut self, code: u8) -> Result<(), NakCode> {
        let harmless = matches!(code, code::ID | code::CAP);
        let open = matches!(self.config.security, PdSecurity::Optional(_));
        let secure = matches!(self.channel, Channel::Secure { .. });
        match code {
            code::CHLNG | code::SCRYPT => Err(NakCode::SecurityBlock),
            _ if !secure && (open || harmless) => Ok(()),
            _ => {
                self.statistics.refused_clear = self.statistics.refused_clear.saturating_add(1);
                Err(NakCode::SecurityRequired)
            }
        }
    }

    fn execute(
        &mut self,
        now: Micros,
        header: Header,
        secured: bool,
        default_key: bool,
        code: u8,
        data: &[u8],
    ) {
        let header = reply_to(header);
        let command = match Command::decode(code, data) {
            Ok(command) => command,
            Err(DecodeError::Length) => return self.nak(now, header, secured, NakCode::Length),
            Err(DecodeError::Value) => return self.nak(now, header, secured, NakCode::Record),
        };
        if secured && default_key && drives_something(&command) {
            return self.nak(now, header, secured, NakCode::SecurityRequired);
        }
        match command {
            Command::Poll => self.answer_poll(now, header, secured),
            Command::Id => {
                let identity = self.config.identity;
                self.reply_or_nak(now, header, secured, &Reply::Identity(identity));
            }
            Command::Capabilities => {
                let report = self.config.report(FRAME);
                self.reply_or_nak(now, header, secured, &Reply::Capabilities(Records::new(&report)));
            }
            Command::ReceiveSize(size) => {
                self.panel_buffer = usize::from(size).max(crate::MIN_FRAME_BUFFER);
                self.reply_or_nak(now, header, secured, &Reply::Ack);
            }
            Command::Challenge(random) => self.challenge(now, header, default_key, &random),
            Command::Cryptogram(cryptogram) => self.cryptogram(now, header, &cryptogram),
            Command::KeySet(_) if !secured => self.nak(now, header, secured, NakCode::SecurityRequired),
            Command::Other(..) => self.nak(now, header, secured, NakCode::UnknownCommand),
            Command::LocalStatus
            | Command::InputStatus
            | Command::OutputStatus
            | Command::ReaderStatus
            | Command::Output(_)
            | Command::Led(_)
            | Command::Buzzer(_)
            | Command::Text(_)
            | Command::LineSettings(_)
            | Command::BioRead(_)
            | Command::BioMatch(..)
            | Command::KeySet(_)
            | Command::File(_)
            | Command::Mfg(..)
            | Command::ExtendedWrite(_)
            | Command::Abort
            | Command::PivData(_)
            | Command::GenAuth(_)
            | Command::CrAuth(_)
            | Command::KeepActive(_) => {
                self.buffer[0] = code;
                self.buffer[1..=data.len()].copy_from_slice(data);
                self.work = Work::Request {
                    len: data.len() + 1,
                    header,
                    secured,
                    taken: false,
                    busy_at: now + self.config.busy_after,
                    put_off: false,
                };
            }
        }
    }

    fn challenge(&mut self, now: Micros, header: Header, default_key: bool, random: &[u8; 8]) {
        let key = match (&self.config.security, default_key) {
            (PdSecurity::Install, true) => Key::DEFAULT,
            (PdSecurity::Required(key) | PdSecurity::Optional(Some(key)), false) => key.clone(),
            (PdSecurity::Optional(None), _) => {
                return self.nak(now, header, false, NakCode::SecurityBlock);
            }
            (PdSecurity::Install | PdSecurity::Required(_) | PdSecurity::Optional(_), _) => {
                self.close_channel();
                return self.nak(now, header, false, NakCode::SecurityRequired);
            }
        };
        self.close_channel();
        let own = self.nonces.draw();
        let (handshake, client) = Handshake::peripheral(&key, random, &own, self.config.identity.client_id());
        self.channel = Channel::Challenged { handshake, default_key };
        let block = (Scs::ClientCryptogram, u8::from(!default_key));
        self.reply_in_handshake(now, header, block, &Reply::ClientCryptogram(client));
    }

    fn cryptogram(&mut self, now: Micros, header: Header, cryptogram: &[u8; 16]) {
        let Channel::Challenged { handshake, default_key } =
            core::mem::replace(&mut self.channel, Channel::Clear)
        else {
            self.close_channel();
            return self.nak(now, header, false, NakCode::SecurityRequired);
        };
        match handshake.accept(cryptogram) {
            Ok((session, initial)) => {
                self.reply_in_handshake(now, header, (Scs::InitialMac, 1), &Reply::InitialMac(initial));
                self.channel = Channel::Secure { session, default_key };
                self.heard(now);
                note(&mut self.events, PdEvent::SecureChannelUp { default_key });
            }
            Err(_) => self.nak(now, header, false, NakCode::SecurityRequired),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Micros> {
        let work = match self.work {
            Work::Nothing => None,
            Work::Request { busy_at, .. } => Some(busy_at),
            Work::Replied { send_at, .. } => send_at,
        };
        let aside = self.aside.map(|(at, _)| at);
        let offline = self.heard_at.map(|at| at + self.config.offline_after);
        [work, aside, offline].into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Micros) {
        if let Work::Request { busy_at, put_off, header, .. } = &mut self.work
            && *busy_at <= now
        {
            *busy_at = Micros::MAX;
            *put_off = true;
            let header = Header { sequence: Sequence::RESTART, ..*header };
            self.statistics.busy = self.statistics.busy.saturating_add(1);
            self.aside = Some((now, Aside { header, message: AsideMessage::Busy }));
        }
        if let Some(heard_at) = self.heard_at
            && now.saturating_sub(heard_at) >= self.config.offline_after
        {
            self.heard_at = None;
            self.close_channel();
            self.last = None;
            self.work = Work::Nothing;
            self.unconfirm();
            note(&mut self.events, PdEvent::Offline);
        }
    }

    fn close_channel(&mut self) {
        if let Channel::Secure { .. } = core::mem::replace(&mut self.channel, Channel::Clear) {
            note(&mut self.events, PdEvent::SecureChannelDown);
        }
    }
}

struct Admitted {
    code: u8,
    data: core::ops::Range<usize>,
    secured: bool,
    default_key: bool,
}

fn reply_to(header: Header) -> Header {
    Header { direction: Direction::Reply, ..header }
}

/// With the default key one may look and install a key; whoever drives a lock needs the device's own key.
fn drives_something(command: &Command<'_>) -> bool {
    !matches!(
        command,
        Command::Poll
            | Command::Id
            | Command::Capabilities
            | Command::LocalStatus
            | Command::InputStatus
            | Command::OutputStatus
            | Command::ReaderStatus
            | Command::KeySet(_)
            | Command::ReceiveSize(_)
            | Command::Challenge(_)
            | Command::Cryptogram(_)
            | Command::Other(..)
    )
}
