//! The messages themselves.

use super::event::Events;
use super::info::Info;
use super::settings::BoardSettings;
use super::update::Update;
use super::wire::{BadBody, NoRoom, Reader, Writer};
use super::{VERSION, codes, status};
use crate::common::{Command, Order, Outcome, Source};
use crate::status::Status;

/// From the controller to a board (MFG).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ToBoard {
    /// Who are you, and send me your events from now on. Answered by [`FromBoard::Info`].
    Hello,
    /// Events up to this number of this epoch are safe with the controller. Answered by ACK.
    Ack {
        /// The log's epoch; another one is ignored.
        epoch: u32,
        /// The last number.
        up_to: u32,
    },
    /// The time is. Answered by ACK.
    SetClock {
        /// UTC microseconds.
        utc_us: i64,
    },
    /// Do this for a time. Answered by [`FromBoard::Outcome`].
    Command {
        /// Its number, not 0. One of the last 16 seen is answered with [`Outcome::Repeated`] and does nothing.
        id: u64,
        /// What.
        order: Order,
        /// For how long, ms; 0: the endpoint's own time, where it has one.
        for_ms: u32,
    },
    /// Behave like this from now on. Answered by ACK once it is in force; kept in flash.
    Configure(BoardSettings),
    /// How do things stand? Answered by [`FromBoard::Status`].
    Status,
    /// How does your update stand? Answered by [`FromBoard::Update`].
    Update,
    /// Start anew with the image that you have. Answered by [`FromBoard::Update`]: it is [`super::Stage::Installing`] from then on, or
    /// says what holds it up.
    Install {
        /// The image's short name.
        image: u64,
        /// Also while the leaf is open. Never while anything is released.
        even_if_open: bool,
    },
}

/// From a board to the controller (MFGREP).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FromBoard<'a> {
    /// Answer to [`ToBoard::Hello`].
    Info(Info),
    /// In answer to a poll: events after the last acknowledged one, in order. The same ones again until acknowledged.
    Events {
        /// The log's epoch.
        epoch: u32,
        /// The events.
        events: Events<'a>,
    },
    /// Answer to [`ToBoard::Command`].
    Outcome {
        /// The command's number.
        id: u64,
        /// What became of it.
        outcome: Outcome,
    },
    /// Answer to [`ToBoard::Status`].
    Status {
        /// The log's epoch.
        epoch: u32,
        /// Events up to this number are taken account of, told or not; what comes later changes it.
        as_of: u32,
        /// How the endpoint stands.
        status: Status,
    },
    /// Answer to [`ToBoard::Update`] and [`ToBoard::Install`].
    Update(Update),
}

const HELLO: u8 = 0x01;
const ACK: u8 = 0x02;
const SET_CLOCK: u8 = 0x03;
const COMMAND: u8 = 0x04;
const CONFIGURE: u8 = 0x05;
const ASK_STATUS: u8 = 0x06;
const ASK_UPDATE: u8 = 0x07;
const INSTALL: u8 = 0x08;
const INFO: u8 = 0x81;
pub(super) const EVENTS: u8 = 0x82;
const OUTCOME: u8 = 0x84;
const STATUS: u8 = 0x86;
const UPDATE: u8 = 0x87;

impl ToBoard {
    /// Writes the body (what follows the OUI) and says its length.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, NoRoom> {
        let mut w = Writer::new(buffer);
        w.u8(VERSION)?;
        match self {
            ToBoard::Hello => w.u8(HELLO)?,
            ToBoard::Ack { epoch, up_to } => {
                w.u8(ACK)?;
                w.u32(*epoch)?;
                w.u32(*up_to)?;
            }
            ToBoard::SetClock { utc_us } => {
                w.u8(SET_CLOCK)?;
                w.i64(*utc_us)?;
            }
            ToBoard::Command { id, order, for_ms } => {
                w.u8(COMMAND)?;
                w.u64(*id)?;
                w.u8(codes::from_order(*order))?;
                w.u32(*for_ms)?;
            }
            ToBoard::Configure(settings) => {
                w.u8(CONFIGURE)?;
                settings.write(&mut w)?;
            }
            ToBoard::Status => w.u8(ASK_STATUS)?,
            ToBoard::Update => w.u8(ASK_UPDATE)?,
            ToBoard::Install { image, even_if_open } => {
                w.u8(INSTALL)?;
                w.u64(*image)?;
                w.u8(u8::from(*even_if_open))?;
            }
        }
        Ok(w.used())
    }

    /// Reads a body.
    pub fn decode(body: &[u8]) -> Result<ToBoard, BadBody> {
        let mut r = Reader(body);
        let message = match kind(&mut r)? {
            HELLO => ToBoard::Hello,
            ACK => ToBoard::Ack { epoch: r.u32()?, up_to: r.u32()? },
            SET_CLOCK => ToBoard::SetClock { utc_us: r.i64()? },
            COMMAND => {
                let id = r.u64()?;
                if id == 0 {
                    return Err(BadBody::Range("id"));
                }
                ToBoard::Command { id, order: codes::to_order(r.u8()?)?, for_ms: r.u32()? }
            }
            CONFIGURE => ToBoard::Configure(BoardSettings::read(&mut r)?),
            ASK_STATUS => ToBoard::Status,
            ASK_UPDATE => ToBoard::Update,
            INSTALL => ToBoard::Install {
                image: r.u64()?,
                even_if_open: match r.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(BadBody::Range("even_if_open")),
                },
            },
            unknown => return Err(BadBody::Kind(unknown)),
        };
        r.end()?;
        Ok(message)
    }
}

impl<'a> FromBoard<'a> {
    /// Writes the body. Events are written by [`super::EventsWriter`], or copied here.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, NoRoom> {
        let mut w = Writer::new(buffer);
        w.u8(VERSION)?;
        match self {
            FromBoard::Info(info) => {
                w.u8(INFO)?;
                info.write(&mut w)?;
            }
            FromBoard::Events { epoch, events } => {
                w.u8(EVENTS)?;
                w.u32(*epoch)?;
                w.bytes(events.rest)?;
            }
            FromBoard::Outcome { id, outcome } => {
                w.u8(OUTCOME)?;
                w.u64(*id)?;
                codes::write_outcome(&mut w, *outcome)?;
            }
            FromBoard::Status { epoch, as_of, status } => {
                w.u8(STATUS)?;
                w.u32(*epoch)?;
                w.u32(*as_of)?;
                status::write(&mut w, status)?;
            }
            FromBoard::Update(update) => {
                w.u8(UPDATE)?;
                update.write(&mut w)?;
            }
        }
        Ok(w.used())
    }

    /// Reads a body. Each event is checked when it is taken out.
    pub fn decode(body: &'a [u8]) -> Result<FromBoard<'a>, BadBody> {
        let mut r = Reader(body);
        match kind(&mut r)? {
            INFO => {
                let info = Info::read(&mut r)?;
                r.end()?;
                Ok(FromBoard::Info(info))
            }
            EVENTS => {
                let epoch = r.u32()?;
                Ok(FromBoard::Events { epoch, events: Events { rest: r.0 } })
            }
            OUTCOME => {
                let id = r.u64()?;
                let outcome = codes::read_outcome(&mut r)?;
                r.end()?;
                Ok(FromBoard::Outcome { id, outcome })
            }
            STATUS => {
                let (epoch, as_of) = (r.u32()?, r.u32()?);
                Ok(FromBoard::Status { epoch, as_of, status: status::read(&mut r)? })
            }
            UPDATE => {
                let update = Update::read(&mut r)?;
                r.end()?;
                Ok(FromBoard::Update(update))
            }
            unknown => Err(BadBody::Kind(unknown)),
        }
    }
}

impl Command {
    /// The command of a message, as the endpoint's machine takes it.
    pub fn from_controller(id: u64, order: Order, for_ms: u32) -> Command {
        Command { id, order, for_us: u64::from(for_ms) * 1000, source: Source::Controller }
    }
}

fn kind(r: &mut Reader<'_>) -> Result<u8, BadBody> {
    match r.u8()? {
        VERSION => r.u8(),
        other => Err(BadBody::Version(other)),
    }
}
