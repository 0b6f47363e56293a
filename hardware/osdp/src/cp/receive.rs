//! What a device's reply means.

use heapless::Vec;

use super::device::{Channel, Choice, Phase, Purpose, Standing, Startup};
use super::event::{
    Card, Content, Event, EventKind, Failure, FormattedCardRead, KeysPressed, OfflineReason, Token,
};
use super::file::Progress;
use super::{Cp, DeviceSecurity};
use crate::command::code as command_code;
use crate::frame::{Frame, Scs};
use crate::reply::{Reply, code};
use crate::secure::Handshake;
use crate::status::{NakCode, function};
use crate::time::Micros;
use crate::wire::Check;

/// Replies with a wrong MAC in a row after which the session is given up.
const BAD_MACS: u32 = 3;
/// Wait before a busy device is asked again, in microseconds.
const BUSY_WAIT: Micros = 20_000;

/// What to do with the bus after a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The reply that was waited for: go on.
    Taken,
    /// Not for us or not yet: keep waiting.
    Ignored,
    /// Damaged: nothing more will come, ask again soon.
    Damaged,
}

impl<const DEVICES: usize, const QUEUE: usize> Cp<DEVICES, QUEUE> {
    /// A frame from the device that was asked last. `sent_until` is when the command had gone out.
    pub(super) fn handle_reply(
        &mut self,
        now: Micros,
        index: usize,
        sent_until: Micros,
        bytes: &mut [u8],
    ) -> Verdict {
        let Ok(frame) = Frame::layout(bytes) else { return Verdict::Damaged };
        let device = &mut self.devices[index];
        let Some(sent) = &mut device.outstanding else { return Verdict::Ignored };
        let clear = frame.security.is_none();
        if clear && frame.code == code::BUSY {
            device.statistics.busy = device.statistics.busy.saturating_add(1);
            sent.retry_at = now + BUSY_WAIT;
            sent.tries = 1;
            return Verdict::Taken;
        }
        let refused = (clear && frame.code == code::NAK)
            .then(|| frame.data.first().map(|&byte| NakCode::from_byte(byte)))
            .flatten();
        // A device that lost count answers with a number of its own.
        if frame.header.sequence != sent.sequence && refused != Some(NakCode::Sequence) {
            return Verdict::Ignored;
        }
        if refused == Some(NakCode::Check) {
            // Our frame was damaged on its way, or the device knows only the other kind of check.
            let untried = device.check == device.config.check;
            if matches!(device.phase, Phase::Probe { .. }) && sent.tries > 1 && untried {
                device.check = match device.check {
                    Check::Checksum => Check::Crc16,
                    Check::Crc16 => Check::Checksum,
                };
                device.outstanding = None;
            }
            return Verdict::Damaged;
        }
        let (code, clear_data) = (frame.code, frame.data_at..frame.data_at + frame.data.len());
        let block = frame.security.map(|block| block.scs);
        let data = match &mut device.channel {
            Channel::Clear => {
                if block.is_some_and(Scs::has_mac) {
                    return Verdict::Ignored;
                }
                clear_data
            }
            Channel::Secure(session) if !clear => match session.open(bytes) {
                Ok(data) => data,
                Err(_) => {
                    device.statistics.bad_macs = device.statistics.bad_macs.saturating_add(1);
                    device.bad_macs_in_a_row += 1;
                    if device.bad_macs_in_a_row >= BAD_MACS {
                        self.begin_anew(index, now);
                    }
                    return Verdict::Damaged;
                }
            },
            // Without a MAC only a refusal means anything: the device has lost the session.
            Channel::Secure(_) => {
                let lost = code == code::NAK || (code == code::ACK && sent.code == command_code::KEYSET);
                device.statistics.refused_clear = device.statistics.refused_clear.saturating_add(1);
                if !lost {
                    return Verdict::Ignored;
                }
                self.begin_anew(index, now);
                return Verdict::Taken;
            }
        };
        device.bad_macs_in_a_row = 0;
        if matches!(device.channel, Channel::Secure(_)) || device.config.security == DeviceSecurity::Clear {
            device.alive_at = now;
            device.statistics.last_reply_at = Some(now);
            device.statistics.last_reply_time = now.saturating_sub(sent_until);
        }
        let Ok(reply) = Reply::decode(code, bytes.get(data).unwrap_or_default()) else {
            device.statistics.unusable = device.statistics.unusable.saturating_add(1);
            self.unintelligible(index, now);
            return Verdict::Taken;
        };
        if let Reply::Nak(..) = reply {
            device.statistics.naks = device.statistics.naks.saturating_add(1);
        }
        let Some(sent) = device.outstanding.take() else { return Verdict::Ignored };
        if sent.purpose == Purpose::Phase {
            self.advance(index, now, block, &reply);
        } else {
            self.deliver(index, now, sent.purpose, &reply);
        }
        Verdict::Taken
    }

    /// A valid frame whose content makes no sense.
    fn unintelligible(&mut self, index: usize, now: Micros) {
        let Some(sent) = self.devices[index].outstanding.take() else { return };
        if sent.purpose == Purpose::Phase {
            self.attempt_failed(index, now, OfflineReason::Protocol);
        } else {
            // The device carried it out and answered; only the answer is lost.
            self.deliver(index, now, sent.purpose, &Reply::Ack);
        }
    }

    /// Bring-up: from the first question to being polled.
    fn advance(&mut self, index: usize, now: Micros, block: Option<Scs>, reply: &Reply<'_>) {
        let random = self.nonces.draw();
        let device = &mut self.devices[index];
        let phase = core::mem::replace(&mut device.phase, Phase::Probe { at: now });
        match (phase, *reply) {
            (Phase::Probe { .. }, Reply::Nak(NakCode::Sequence, _)) => {
                self.attempt_failed(index, now, OfflineReason::Protocol);
            }
            (Phase::Probe { .. }, Reply::Identity(_) | Reply::Nak(..)) => {
                if device.config.security == DeviceSecurity::Clear {
                    if let Reply::Identity(identity) = *reply {
                        device.identity = Some(identity);
                    }
                    device.phase = Phase::Capabilities;
                } else {
                    device.phase = Phase::Challenge { choice: Choice::Own, random };
                }
            }
            (Phase::Challenge { choice, random }, Reply::ClientCryptogram(client))
                if block == Some(Scs::ClientCryptogram) =>
            {
                let key = device.key(choice, now);
                match key.and_then(|key| Handshake::panel(&key, &random, &client).ok()) {
                    Some(handshake) => device.phase = Phase::Cryptogram { choice, handshake },
                    None => self.key_refused(index, now, choice, OfflineReason::KeyRefused),
                }
            }
            (Phase::Challenge { choice, .. }, Reply::Nak(reason, _)) => {
                let why = match reason {
                    NakCode::UnknownCommand | NakCode::SecurityBlock => OfflineReason::NoSecureChannel,
                    NakCode::Check
                    | NakCode::Length
                    | NakCode::Sequence
                    | NakCode::SecurityRequired
                    | NakCode::BioType
                    | NakCode::BioFormat
                    | NakCode::Record
                    | NakCode::Other(_) => OfflineReason::KeyRefused,
                };
                self.key_refused(index, now, choice, why);
            }
            (Phase::Cryptogram { choice, handshake }, Reply::InitialMac(mac))
                if block == Some(Scs::InitialMac) =>
            {
                match handshake.confirm(&mac) {
                    Ok(session) => {
                        device.channel = Channel::Secure(session);
                        device.phase = match choice {
                            Choice::Default => Phase::InstallKey,
                            Choice::Own | Choice::Next => Phase::Identify,
                        };
                        self.key_proved(index, choice);
                    }
                    Err(_) => self.key_refused(index, now, choice, OfflineReason::KeyRefused),
                }
            }
            (Phase::Cryptogram { choice, .. }, Reply::Nak(..)) => {
                self.key_refused(index, now, choice, OfflineReason::KeyRefused);
            }
            (Phase::InstallKey, Reply::Ack) => {
                // The next handshake, with the device's own key, shows whether it has it.
                device.just_installed = true;
                device.restart(now);
            }
            (Phase::InstallKey, _) => self.attempt_failed(index, now, OfflineReason::KeyRefused),
            (Phase::Identify, reply) => {
                if let Reply::Identity(identity) = reply {
                    device.identity = Some(identity);
                }
                device.phase = Phase::Capabilities;
            }
            (Phase::Capabilities, reply) => {
                if let Reply::Capabilities(lines) = reply {
                    device.capabilities = lines.iter().take(32).collect();
                }
                self.running(index, now);
            }
            (Phase::Probe { .. } | Phase::Challenge { .. } | Phase::Cryptogram { .. } | Phase::Run, _) => {
                self.attempt_failed(index, now, OfflineReason::Protocol);
            }
        }
    }

    /// The key that was tried is not the device's: try the next one that is allowed.
    fn key_refused(&mut self, index: usize, now: Micros, tried: Choice, why: OfflineReason) {
        let random = self.nonces.draw();
        let device = &mut self.devices[index];
        let next = match tried {
            Choice::Own => {
                [Choice::Next, Choice::Default].into_iter().find(|&c| device.key(c, now).is_some())
            }
            Choice::Next => Some(Choice::Default).filter(|&c| device.key(c, now).is_some()),
            Choice::Default => None,
        };
        match next {
            Some(choice) => device.phase = Phase::Challenge { choice, random },
            None => self.attempt_failed(index, now, why),
        }
    }

    /// A handshake succeeded with this key.
    fn key_proved(&mut self, index: usize, choice: Choice) {
        let device = &mut self.devices[index];
        let address = device.config.address;
        match choice {
            Choice::Default => {}
            Choice::Next => {
                if let Some(rekey) = device.rekey.take() {
                    device.config.security = DeviceSecurity::Required(rekey.key);
                    self.tell(Event { address, kind: EventKind::KeyInstalled });
                    self.tell(Event { address, kind: EventKind::Done(rekey.token) });
                }
            }
            Choice::Own => {
                if let DeviceSecurity::Install { key, .. } = &device.config.security {
                    device.config.security = DeviceSecurity::Required(key.clone());
                    let installed = core::mem::take(&mut device.just_installed);
                    let kind =
                        if installed { EventKind::KeyInstalled } else { EventKind::InstallWindowClosed };
                    self.tell(Event { address, kind });
                }
                // A re-keying whose outcome was open did not happen.
                let device = &mut self.devices[index];
                if let Some(rekey) = device.rekey.take_if(|rekey| rekey.sent) {
                    self.tell(Event { address, kind: EventKind::Failed(rekey.token, Failure::Interrupted) });
                }
            }
        }
    }

    fn running(&mut self, index: usize, now: Micros) {
        let device = &mut self.devices[index];
        device.phase = Phase::Run;
        device.attempts = 0;
        device.poll_at = now;
        device.alive_at = now;
        let address = device.config.address;
        let secure = device.is_secure();
        // After any interruption the device's state may be another.
        device.startup = if device.capability(function::RECEIVE_BUFFER).is_some() {
            Startup::ReceiveSize
        } else {
            Startup::LocalStatus
        };
        if device.standing == Standing::Online {
            if secure {
                self.tell(Event { address, kind: EventKind::SecureChannelUp });
            }
            return;
        }
        device.standing = Standing::Online;
        let identity = device.identity;
        self.tell(Event { address, kind: EventKind::Online { identity, secure } });
    }

    /// A reply to anything but bring-up.
    fn deliver(&mut self, index: usize, now: Micros, purpose: Purpose, reply: &Reply<'_>) {
        let address = self.devices[index].config.address;
        let token = match purpose {
            Purpose::Job { token, .. } => token,
            Purpose::Rekey(token) | Purpose::File(token) => Some(token),
            Purpose::Phase | Purpose::Startup(_) | Purpose::Poll => None,
        };
        let refused = if let Reply::Nak(code, _) = reply { Some(*code) } else { None };
        match (kind_of(reply, token), refused) {
            (Ok(Some(kind)), _) => self.tell(Event { address, kind }),
            (Ok(None), _) => {}
            (Err(TooLarge), _) => {
                let device = &mut self.devices[index];
                device.statistics.unusable = device.statistics.unusable.saturating_add(1);
            }
        }
        let device = &mut self.devices[index];
        match purpose {
            Purpose::Phase | Purpose::Poll => {}
            Purpose::Startup(question) => device.startup = question.next(),
            Purpose::Job { token, .. } => {
                let outcome = refused.map_or(Ok(()), |code| Err(Failure::Refused(code)));
                self.settle(address, token, outcome);
            }
            Purpose::Rekey(token) => match refused {
                Some(code) => {
                    device.rekey = None;
                    self.tell(Event { address, kind: EventKind::Failed(token, Failure::Refused(code)) });
                }
                None => {
                    // The device drops the session; the handshake with the new key settles it.
                    device.restart(now);
                }
            },
            Purpose::File(token) => self.file_progress(index, now, token, reply),
        }
        if refused == Some(NakCode::Sequence) {
            self.begin_anew(index, now);
        }
    }

    fn file_progress(&mut self, index: usize, now: Micros, token: Token, reply: &Reply<'_>) {
        let device = &mut self.devices[index];
        let Some(file) = device.file.as_mut().filter(|file| file.token == token) else { return };
        let progress = if let Reply::FileStatus(status) = reply {
            file.handle_status(now, *status)
        } else if let Reply::Nak(code, _) = reply {
            Progress::Failed(Failure::Refused(*code))
        } else {
            Progress::Failed(Failure::Refused(NakCode::UnknownCommand))
        };
        let kind = match progress {
            Progress::Going => return,
            Progress::Done => EventKind::Done(token),
            Progress::Failed(failure) => EventKind::Failed(token, failure),
        };
        device.file = None;
        let address = device.config.address;
        self.tell(Event { address, kind });
    }
}

struct TooLarge;

/// The event that a reply is by itself.
fn kind_of(reply: &Reply<'_>, token: Option<Token>) -> Result<Option<EventKind>, TooLarge> {
    fn copy<const N: usize>(bytes: &[u8]) -> Result<Vec<u8, N>, TooLarge> {
        Vec::from_slice(bytes).map_err(|_| TooLarge)
    }
    Ok(Some(match *reply {
        Reply::Raw(card) => EventKind::Card(Card {
            reader: card.reader,
            format: card.format,
            bits: card.bits,
            data: copy(card.data)?,
        }),
        Reply::Formatted(card) => EventKind::FormattedCard(FormattedCardRead {
            reader: card.reader,
            direction: card.direction,
            characters: copy(card.characters)?,
        }),
        Reply::Keypad(keypad) => {
            EventKind::Keys(KeysPressed { reader: keypad.reader, keys: copy(keypad.keys)? })
        }
        Reply::InputStatus(points) => EventKind::Inputs(copy(points)?),
        Reply::OutputStatus(points) => EventKind::Outputs(copy(points)?),
        Reply::ReaderStatus(points) => EventKind::Readers(copy(points)?),
        Reply::LocalStatus { tamper, power } => EventKind::LocalStatus { tamper, power },
        Reply::LineSettings(settings) => EventKind::LineSettings(settings),
        Reply::Mfg(oui, data) => EventKind::Mfg { oui, data: Content(copy(data)?), token },
        Reply::BioRead(..)
        | Reply::BioMatch(..)
        | Reply::PivData(_)
        | Reply::GenAuth(_)
        | Reply::CrAuth(_)
        | Reply::MfgStatus(_)
        | Reply::MfgError(_)
        | Reply::ExtendedRead(_)
        | Reply::Other(..) => {
            let mut data = [0; super::event::MAX_DATA];
            let mut writer = crate::wire::Writer::new(&mut data);
            reply.encode(&mut writer).map_err(|_| TooLarge)?;
            let len = writer.len();
            EventKind::Other { code: reply.code(), data: Content(copy(&data[..len])?), token }
        }
        Reply::Ack
        | Reply::Nak(..)
        | Reply::Busy
        | Reply::Identity(_)
        | Reply::Capabilities(_)
        | Reply::ClientCryptogram(_)
        | Reply::InitialMac(_)
        | Reply::FileStatus(_) => return Ok(None),
    }))
}
