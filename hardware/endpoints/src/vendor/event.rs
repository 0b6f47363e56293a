//! Board events: numbered without gaps, each with when and what.

use super::codes;
use super::firmware::Unfit;
use super::wire::{BadBody, NoRoom, Reader, Writer};
use crate::common::Condition;
use crate::{door, gate_lane};

/// The longest encoded event, its length byte included.
pub const MAX_EVENT: usize = 34;

/// One event of a board.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BoardEvent {
    /// Its number: from 1, without gaps within the log's epoch, on across restarts of the board.
    pub seq: u32,
    /// Which start of the board it belongs to, from 1.
    pub boot: u16,
    /// Milliseconds since that start.
    pub uptime_ms: u64,
    /// UTC microseconds, if the board's clock had been set by then.
    pub utc_us: Option<i64>,
    /// What happened.
    pub what: What,
}

/// What happened at a board.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// The board started.
    Started(Reset),
    /// A condition began.
    Began(Condition),
    /// A condition ended.
    Ended(Condition),
    /// The clock was set; before that it had been wrong by so many milliseconds, 0 if it was not set.
    ClockSet {
        /// New time minus old, ms.
        by_ms: i64,
    },
    /// So many events could not be stored and are gone, though they have no number.
    Lost {
        /// How many.
        count: u32,
    },
    /// The whitelist let somebody pass while the controller was away.
    LocalGranted {
        /// Which reader.
        reader: u8,
        /// Which whitelist.
        list: u32,
    },
    /// Nobody was let pass while the controller was away.
    LocalRefused {
        /// Which reader.
        reader: u8,
        /// Why.
        why: LocalRefusal,
    },
    /// A new whitelist is in force.
    WhitelistStored {
        /// Its number.
        list: u32,
    },
    /// A whitelist was transferred and not taken: its signature, form or number is not right.
    WhitelistRejected,
    /// New settings are in force.
    Configured {
        /// Their digest.
        digest: u64,
    },
    /// The secure-channel key was changed.
    KeyChanged,
    /// Somebody at the board held its reset button: its key is erased once this is kept, and it waits for a new one.
    KeyReset,
    /// An image was received whole, is rightly signed, and waits to be started.
    UpdateReady {
        /// Its version.
        firmware: [u8; 3],
    },
    /// An image was sent and not taken.
    UpdateRefused {
        /// Why.
        why: Unfit,
    },
    /// A version runs on trial.
    UpdateTrial {
        /// Which.
        firmware: [u8; 3],
    },
    /// A version that was on trial stays.
    UpdateGood {
        /// Which.
        firmware: [u8; 3],
    },
    /// A version did not stand its trial: the one before it runs again.
    UpdateReturned {
        /// Which did not.
        firmware: [u8; 3],
    },
    /// At the door.
    Door(door::Event),
    /// In the lane.
    Lane(gate_lane::Event),
    /// An event of a later version: its number.
    Unknown(u8),
}

/// Why a board started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    /// Power came.
    PowerOn,
    /// The watchdog.
    Watchdog,
    /// Asked for (an update).
    Software,
    /// Not known.
    Other,
}

/// Why the board itself let nobody pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LocalRefusal {
    /// The door's rule is to refuse.
    Rule,
    /// There is no valid whitelist.
    NoList,
    /// The list has expired.
    Expired,
    /// The board does not know the time.
    NoClock,
    /// Not on the list.
    NotListed,
    /// Locked or locked down.
    Locked,
}

impl BoardEvent {
    /// Writes `length | body`.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, NoRoom> {
        let (length, body) = buffer.split_first_mut().ok_or(NoRoom)?;
        let mut w = Writer::new(body);
        w.u32(self.seq)?;
        w.u16(self.boot)?;
        w.u64(self.uptime_ms)?;
        w.i64(self.utc_us.unwrap_or(i64::MIN))?;
        self.what.write(&mut w)?;
        *length = u8::try_from(w.used()).map_err(|_| NoRoom)?;
        Ok(1 + w.used())
    }

    /// Reads one event and says how many bytes it took.
    pub fn decode(bytes: &[u8]) -> Result<(BoardEvent, usize), BadBody> {
        let mut outer = Reader(bytes);
        let length = outer.u8()?;
        let mut r = Reader(outer.bytes(length.into())?);
        let seq = r.u32()?;
        let boot = r.u16()?;
        let uptime_ms = r.u64()?;
        let utc_us = match r.i64()? {
            i64::MIN => None,
            us => Some(us),
        };
        let what = What::read(&mut r)?;
        Ok((BoardEvent { seq, boot, uptime_ms, utc_us, what }, 1 + usize::from(length)))
    }
}

impl What {
    fn write(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        match *self {
            What::Started(reset) => w.bytes(&[1, from_reset(reset)]),
            What::Began(condition) => {
                w.u8(2)?;
                codes::write_condition(w, condition)
            }
            What::Ended(condition) => {
                w.u8(3)?;
                codes::write_condition(w, condition)
            }
            What::ClockSet { by_ms } => {
                w.u8(4)?;
                w.i64(by_ms)
            }
            What::Lost { count } => {
                w.u8(5)?;
                w.u32(count)
            }
            What::LocalGranted { reader, list } => {
                w.bytes(&[6, reader])?;
                w.u32(list)
            }
            What::LocalRefused { reader, why } => w.bytes(&[7, reader, from_local(why)]),
            What::WhitelistStored { list } => {
                w.u8(8)?;
                w.u32(list)
            }
            What::WhitelistRejected => w.u8(9),
            What::Configured { digest } => {
                w.u8(10)?;
                w.u64(digest)
            }
            What::KeyChanged => w.u8(11),
            What::KeyReset => w.u8(12),
            What::UpdateReady { firmware: [major, minor, patch] } => w.bytes(&[13, major, minor, patch]),
            What::UpdateRefused { why } => w.bytes(&[14, why.number()]),
            What::UpdateTrial { firmware: [major, minor, patch] } => w.bytes(&[15, major, minor, patch]),
            What::UpdateGood { firmware: [major, minor, patch] } => w.bytes(&[16, major, minor, patch]),
            What::UpdateReturned { firmware: [major, minor, patch] } => w.bytes(&[17, major, minor, patch]),
            What::Door(event) => write_door(w, event),
            What::Lane(event) => write_lane(w, event),
            What::Unknown(kind) => w.u8(kind),
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<What, BadBody> {
        let kind = r.u8()?;
        let what = match kind {
            1 => What::Started(to_reset(r.u8()?)),
            // What lasts of a later version is an event of a later version: it must not hold up those behind it.
            2 | 3 => match (kind, codes::read_condition(r)) {
                (_, Err(BadBody::Range(_))) => return Ok(What::Unknown(kind)),
                (2, condition) => What::Began(condition?),
                (_, condition) => What::Ended(condition?),
            },
            4 => What::ClockSet { by_ms: r.i64()? },
            5 => What::Lost { count: r.u32()? },
            6 => What::LocalGranted { reader: r.u8()?, list: r.u32()? },
            7 => What::LocalRefused { reader: r.u8()?, why: to_local(r.u8()?)? },
            8 => What::WhitelistStored { list: r.u32()? },
            9 => What::WhitelistRejected,
            10 => What::Configured { digest: r.u64()? },
            11 => What::KeyChanged,
            12 => What::KeyReset,
            13 => What::UpdateReady { firmware: r.array()? },
            // A reason of a later version must not hold up the events behind it.
            14 => match codes::to_unfit(r.u8()?) {
                Ok(why) => What::UpdateRefused { why },
                Err(_) => return Ok(What::Unknown(kind)),
            },
            15 => What::UpdateTrial { firmware: r.array()? },
            16 => What::UpdateGood { firmware: r.array()? },
            17 => What::UpdateReturned { firmware: r.array()? },
            32..=63 => return read_door(kind, r),
            64..=95 => return read_lane(kind, r),
            unknown => return Ok(What::Unknown(unknown)),
        };
        Reader(r.0).end()?;
        Ok(what)
    }
}

fn write_door(w: &mut Writer<'_>, event: door::Event) -> Result<(), NoRoom> {
    use door::Event;
    match event {
        Event::Released { cause, id } => {
            w.bytes(&[32, codes::from_cause(cause)])?;
            w.u64(id)
        }
        Event::Locked => w.u8(33),
        Event::Opened { cause, id } => {
            w.bytes(&[34, codes::from_cause(cause)])?;
            w.u64(id)
        }
        Event::FoundOpen => w.u8(35),
        Event::Closed => w.u8(36),
        Event::Forced => w.u8(37),
        Event::HeldTooLong => w.u8(38),
        Event::ClosedAfterForced => w.u8(39),
        Event::ClosedAfterHeld => w.u8(40),
        Event::NotOpened { id } => {
            w.u8(41)?;
            w.u64(id)
        }
        Event::ExitRequested => w.u8(42),
    }
}

fn read_door(kind: u8, r: &mut Reader<'_>) -> Result<What, BadBody> {
    use door::Event;
    let event = match kind {
        32 => Event::Released { cause: codes::to_cause(r.u8()?)?, id: r.u64()? },
        33 => Event::Locked,
        34 => Event::Opened { cause: codes::to_cause(r.u8()?)?, id: r.u64()? },
        35 => Event::FoundOpen,
        36 => Event::Closed,
        37 => Event::Forced,
        38 => Event::HeldTooLong,
        39 => Event::ClosedAfterForced,
        40 => Event::ClosedAfterHeld,
        41 => Event::NotOpened { id: r.u64()? },
        42 => Event::ExitRequested,
        unknown => return Ok(What::Unknown(unknown)),
    };
    Reader(r.0).end()?;
    Ok(What::Door(event))
}

fn write_lane(w: &mut Writer<'_>, event: gate_lane::Event) -> Result<(), NoRoom> {
    use gate_lane::Event;
    let (kind, direction, id) = match event {
        Event::Authorised { direction, id } => (64, Some(direction), Some(id)),
        Event::Passed { direction, id } => (65, Some(direction), Some(id)),
        Event::Abandoned { direction, id } => (66, Some(direction), Some(id)),
        Event::NotUsed { direction, id } => (67, Some(direction), Some(id)),
        Event::Tailgating { direction } => (68, Some(direction), None),
        Event::WrongWay { direction } => (69, Some(direction), None),
        Event::Forced { direction } => (70, Some(direction), None),
        Event::Slipped { direction } => (71, Some(direction), None),
        Event::Reversed => (72, None, None),
        Event::ExitRequested => (73, None, None),
        Event::Freed => (74, None, None),
        Event::Secured => (75, None, None),
    };
    w.u8(kind)?;
    if let Some(direction) = direction {
        w.u8(codes::from_direction(direction))?;
    }
    id.map_or(Ok(()), |id| w.u64(id))
}

fn read_lane(kind: u8, r: &mut Reader<'_>) -> Result<What, BadBody> {
    use gate_lane::Event;
    let event = match kind {
        64 => Event::Authorised { direction: codes::to_direction(r.u8()?)?, id: r.u64()? },
        65 => Event::Passed { direction: codes::to_direction(r.u8()?)?, id: r.u64()? },
        66 => Event::Abandoned { direction: codes::to_direction(r.u8()?)?, id: r.u64()? },
        67 => Event::NotUsed { direction: codes::to_direction(r.u8()?)?, id: r.u64()? },
        68 => Event::Tailgating { direction: codes::to_direction(r.u8()?)? },
        69 => Event::WrongWay { direction: codes::to_direction(r.u8()?)? },
        70 => Event::Forced { direction: codes::to_direction(r.u8()?)? },
        71 => Event::Slipped { direction: codes::to_direction(r.u8()?)? },
        72 => Event::Reversed,
        73 => Event::ExitRequested,
        74 => Event::Freed,
        75 => Event::Secured,
        unknown => return Ok(What::Unknown(unknown)),
    };
    Reader(r.0).end()?;
    Ok(What::Lane(event))
}

const fn from_reset(reset: Reset) -> u8 {
    match reset {
        Reset::PowerOn => 1,
        Reset::Watchdog => 2,
        Reset::Software => 3,
        Reset::Other => 0,
    }
}

const fn to_reset(n: u8) -> Reset {
    match n {
        1 => Reset::PowerOn,
        2 => Reset::Watchdog,
        3 => Reset::Software,
        _ => Reset::Other,
    }
}

const fn from_local(why: LocalRefusal) -> u8 {
    match why {
        LocalRefusal::Rule => 1,
        LocalRefusal::NoList => 2,
        LocalRefusal::Expired => 3,
        LocalRefusal::NoClock => 4,
        LocalRefusal::NotListed => 5,
        LocalRefusal::Locked => 6,
    }
}

const fn to_local(n: u8) -> Result<LocalRefusal, BadBody> {
    match n {
        1 => Ok(LocalRefusal::Rule),
        2 => Ok(LocalRefusal::NoList),
        3 => Ok(LocalRefusal::Expired),
        4 => Ok(LocalRefusal::NoClock),
        5 => Ok(LocalRefusal::NotListed),
        6 => Ok(LocalRefusal::Locked),
        _ => Err(BadBody::Range("refusal")),
    }
}

/// The events of one message, read one by one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Events<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Iterator for Events<'a> {
    type Item = Result<BoardEvent, BadBody>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match BoardEvent::decode(self.rest) {
            Ok((event, used)) => {
                self.rest = &self.rest[used..];
                Some(Ok(event))
            }
            Err(bad) => {
                self.rest = &[];
                Some(Err(bad))
            }
        }
    }
}

/// Writes a body of [`super::FromBoard::Events`], event by event until it is full.
pub struct EventsWriter<'a> {
    buffer: &'a mut [u8],
    used: usize,
}

impl<'a> EventsWriter<'a> {
    /// A body in `buffer` (at most [`super::MAX_BODY`] bytes of it are used) for the log's `epoch`.
    pub fn new(buffer: &'a mut [u8], epoch: u32) -> Result<EventsWriter<'a>, NoRoom> {
        let length = buffer.len().min(super::MAX_BODY);
        let buffer = &mut buffer[..length];
        let mut w = Writer::new(buffer);
        w.bytes(&[super::VERSION, super::message::EVENTS])?;
        w.u32(epoch)?;
        let used = w.used();
        Ok(EventsWriter { buffer, used })
    }

    /// Adds an event; [`NoRoom`] leaves the body as it was.
    pub fn push(&mut self, event: &BoardEvent) -> Result<(), NoRoom> {
        self.used += event.encode(&mut self.buffer[self.used..])?;
        Ok(())
    }

    /// The body's length so far.
    pub fn finish(self) -> usize {
        self.used
    }
}
