//! What goes out: the answer to a request, the transmit buffer's turn, refusals.

use heapless::Vec;

use super::{After, AsideMessage, Channel, Link, Work, note};
use crate::command::Command;
use crate::frame::{Builder, Header, Scs};
use crate::pd::{PdEvent, PdSecurity, RespondError};
use crate::reply::Reply;
use crate::status::NakCode;
use crate::time::Micros;
use crate::wire::{TooLong, Writer};

impl<const FRAME: usize, const QUEUE: usize, const ITEM: usize> Link<FRAME, QUEUE, ITEM> {
    pub(in crate::pd) fn poll_request(&mut self) -> Option<Command<'_>> {
        let (code, data) = self.take_request()?;
        Command::decode(code, data).ok()
    }

    pub(in crate::pd) fn copy_request<'r>(&mut self, room: &'r mut Vec<u8, FRAME>) -> Option<Command<'r>> {
        let (code, data) = self.take_request()?;
        room.clear();
        room.extend_from_slice(data).ok()?;
        Command::decode(code, room).ok()
    }

    fn take_request(&mut self) -> Option<(u8, &[u8])> {
        let Work::Request { len, taken: taken @ false, .. } = &mut self.work else { return None };
        *taken = true;
        let (&code, data) = self.buffer[..*len].split_first()?;
        Some((code, data))
    }

    pub(in crate::pd) fn respond(&mut self, now: Micros, reply: &Reply<'_>) -> Result<(), RespondError> {
        let Work::Request { len, header, secured, put_off, .. } = self.work else {
            return Err(RespondError::NoRequest);
        };
        if secured && !matches!(self.channel, Channel::Secure { .. }) {
            // What came over a secure channel is never answered in clear.
            self.work = Work::Nothing;
            return Err(RespondError::NoRequest);
        }
        // What the answer entails is read before the answer overwrites the command.
        let request = self.buffer[..len].split_first();
        let command = request.and_then(|(&code, data)| Command::decode(code, data).ok());
        let after = match (command, reply) {
            (Some(Command::KeySet(key)), Reply::Ack) => After::NewKey(key),
            (Some(Command::LineSettings(_)), Reply::LineSettings(settings)) => After::NewLine(*settings),
            (Some(_) | None, _) => After::Nothing,
        };
        let room = self.panel_buffer.min(FRAME);
        check_room(reply, header, room)?;
        let message = |out: &mut Writer<'_>| reply.encode(out);
        let code = reply.code();
        let len = write(&mut self.channel, &mut self.buffer[..room], header, secured, None, code, message)?;
        if matches!(reply, Reply::Nak(..)) {
            self.statistics.naks = self.statistics.naks.saturating_add(1);
        }
        // After BUSY the panel does not listen any more: the reply waits until it asks again.
        let send_at = (!put_off).then_some(now + self.config.turnaround);
        self.work = Work::Replied { len, send_at };
        self.after = after;
        Ok(())
    }

    pub(in crate::pd) fn poll_transmit(&mut self, now: Micros) -> Option<&[u8]> {
        if let Some((at, aside)) = self.aside
            && at <= now
        {
            self.aside = None;
            let mut builder = Builder::begin(&mut self.aside_buffer, aside.header, None).ok()?;
            let message_len = match aside.message {
                AsideMessage::Busy => {
                    builder.message()[0] = crate::reply::code::BUSY;
                    1
                }
                AsideMessage::Nak(code) => {
                    builder.message()[..2].copy_from_slice(&[crate::reply::code::NAK, code.byte()]);
                    2
                }
            };
            let len = builder.finish(message_len).ok()?;
            return Some(&self.aside_buffer[..len]);
        }
        let Work::Replied { len, send_at } = &mut self.work else { return None };
        send_at.filter(|at| *at <= now)?;
        *send_at = None;
        let len = *len;
        match core::mem::replace(&mut self.after, After::Nothing) {
            After::Nothing => {}
            After::Told => self.queue.sent(),
            After::NewKey(key) => {
                self.config.security = match self.config.security {
                    PdSecurity::Optional(_) => PdSecurity::Optional(Some(key)),
                    PdSecurity::Install | PdSecurity::Required(_) => PdSecurity::Required(key),
                };
                self.close_channel();
            }
            After::NewLine(settings) => {
                self.config.address = settings.address;
                if let Some(baud) = crate::Baud::new(settings.baud) {
                    self.config.baud = baud;
                    self.config.turnaround = self.config.turnaround.max(baud.characters(2));
                }
                note(&mut self.events, PdEvent::LineSettings(settings));
            }
        }
        Some(&self.buffer[..len])
    }

    pub(super) fn answer_poll(&mut self, now: Micros, header: Header, secured: bool) {
        let head = self.queue.head(now, self.config.credential_life);
        let Some(item) = head else { return self.reply_or_nak(now, header, secured, &Reply::Ack) };
        let message = |out: &mut Writer<'_>| out.bytes(&item.data);
        let room = self.panel_buffer.min(FRAME);
        let written =
            write(&mut self.channel, &mut self.buffer[..room], header, secured, None, item.code, message);
        match written {
            Ok(len) => {
                self.after = After::Told;
                self.work = Work::Replied { len, send_at: Some(now + self.config.turnaround) };
            }
            Err(TooLong) => {
                // The panel's buffer is too small for it, and will be at every poll.
                self.queue.drop_head();
                self.reply_or_nak(now, header, secured, &Reply::Ack);
            }
        }
    }

    pub(super) fn reply_or_nak(&mut self, now: Micros, header: Header, secured: bool, reply: &Reply<'_>) {
        let room = self.panel_buffer.min(FRAME);
        let message = |out: &mut Writer<'_>| reply.encode(out);
        let code = reply.code();
        match write(&mut self.channel, &mut self.buffer[..room], header, secured, None, code, message) {
            Ok(len) => self.work = Work::Replied { len, send_at: Some(now + self.config.turnaround) },
            Err(TooLong) => self.nak(now, header, secured, NakCode::Record),
        }
    }

    pub(super) fn nak(&mut self, now: Micros, header: Header, secured: bool, code: NakCode) {
        self.statistics.naks = self.statistics.naks.saturating_add(1);
        let message = |out: &mut Writer<'_>| out.u8(code.byte());
        let nak = crate::reply::code::NAK;
        let len = write(&mut self.channel, &mut self.buffer, header, secured, None, nak, message)
            .expect("a refusal fits the smallest frame");
        self.work = Work::Replied { len, send_at: Some(now + self.config.turnaround) };
    }

    pub(super) fn reply_in_handshake(
        &mut self,
        now: Micros,
        header: Header,
        block: (Scs, u8),
        reply: &Reply<'_>,
    ) {
        let message = |out: &mut Writer<'_>| reply.encode(out);
        let len =
            write(&mut self.channel, &mut self.buffer, header, false, Some(block), reply.code(), message)
                .expect("a handshake fits the smallest frame");
        self.work = Work::Replied { len, send_at: Some(now + self.config.turnaround) };
    }
}

/// Whether a reply fits before anything is overwritten: the request must survive a refusal.
fn check_room(reply: &Reply<'_>, header: Header, room: usize) -> Result<(), TooLong> {
    let len = reply.data_len().ok_or(TooLong)?;
    let sealed = crate::secure::sealed_len(len, header.check);
    if sealed > room { Err(TooLong) } else { Ok(()) }
}

fn write(
    channel: &mut Channel,
    buffer: &mut [u8],
    header: Header,
    secured: bool,
    block: Option<(Scs, u8)>,
    code: u8,
    message: impl FnOnce(&mut Writer<'_>) -> Result<(), TooLong>,
) -> Result<usize, TooLong> {
    if secured && let Channel::Secure { session, .. } = channel {
        return session.seal(buffer, header, code, message);
    }
    let data = block.map(|(scs, byte)| (scs, [byte]));
    let block = data.as_ref().map(|(scs, byte)| (*scs, &byte[..]));
    crate::frame::write_clear(buffer, header, block, code, message)
}
