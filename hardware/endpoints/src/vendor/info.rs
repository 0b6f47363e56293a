//! What a board says of itself.

use super::wire::{BadBody, NoRoom, Reader, Writer};

/// Which kind of endpoint a board serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// [`crate::door`].
    Door,
    /// [`crate::gate_lane`].
    GateLane,
}

/// What a board says of itself, in answer to [`super::ToBoard::Hello`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Info {
    /// What it serves.
    pub kind: Kind,
    /// Version of its firmware.
    pub firmware: [u8; 3],
    /// Its event log's epoch: another one whenever the log was created anew.
    pub epoch: u32,
    /// The oldest event it still has (0: none). If this is past the last acknowledged one plus one, the log was overwritten.
    pub oldest: u32,
    /// The newest event (0: none).
    pub newest: u32,
    /// Acknowledged up to this one.
    pub acked: u32,
    /// Which start this is, from 1.
    pub boot: u16,
    /// Milliseconds since that start.
    pub uptime_ms: u64,
    /// UTC microseconds, if the clock is set.
    pub utc_us: Option<i64>,
    /// Digest of the settings in force, [`super::BoardSettings::digest`].
    pub settings: u64,
    /// The whitelist in force, 0 if none.
    pub whitelist: u32,
}

impl Kind {
    /// Its number on the wire.
    pub(super) const fn number(self) -> u8 {
        match self {
            Kind::Door => 1,
            Kind::GateLane => 2,
        }
    }

    /// The kind with this number.
    pub(super) const fn of_number(number: u8) -> Option<Kind> {
        match number {
            1 => Some(Kind::Door),
            2 => Some(Kind::GateLane),
            _ => None,
        }
    }
}

impl Info {
    pub(super) fn write(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.u8(self.kind.number())?;
        w.bytes(&self.firmware)?;
        w.u32(self.epoch)?;
        w.u32(self.oldest)?;
        w.u32(self.newest)?;
        w.u32(self.acked)?;
        w.u16(self.boot)?;
        w.u64(self.uptime_ms)?;
        w.i64(self.utc_us.unwrap_or(i64::MIN))?;
        w.u64(self.settings)?;
        w.u32(self.whitelist)
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Info, BadBody> {
        Ok(Info {
            kind: Kind::of_number(r.u8()?).ok_or(BadBody::Range("kind of endpoint"))?,
            firmware: r.array()?,
            epoch: r.u32()?,
            oldest: r.u32()?,
            newest: r.u32()?,
            acked: r.u32()?,
            boot: r.u16()?,
            uptime_ms: r.u64()?,
            utc_us: match r.i64()? {
                i64::MIN => None,
                us => Some(us),
            },
            settings: r.u64()?,
            whitelist: r.u32()?,
        })
    }
}
