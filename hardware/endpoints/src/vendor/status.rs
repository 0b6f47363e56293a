//! How an endpoint stands, on the wire: `leaf | lock | flags | conditions to the end, two bytes each`.

use super::codes;
use super::wire::{BadBody, NoRoom, Reader, Writer};
use crate::status::{Conditions, LeafNow, LockNow, Status};

const FORCED: u8 = 1;
const HELD: u8 = 2;

pub(super) fn write(w: &mut Writer<'_>, status: &Status) -> Result<(), NoRoom> {
    w.u8(match status.leaf {
        LeafNow::Unknown => 0,
        LeafNow::Closed => 1,
        LeafNow::Open => 2,
    })?;
    w.u8(match status.lock {
        LockNow::Locked => 0,
        LockNow::Released(cause) => codes::from_cause(cause),
    })?;
    let flag = |holds: bool, bit: u8| if holds { bit } else { 0 };
    w.u8(flag(status.forced, FORCED) | flag(status.held, HELD))?;
    status.conditions.iter().try_for_each(|condition| codes::write_condition(w, *condition))
}

pub(super) fn read(r: &mut Reader<'_>) -> Result<Status, BadBody> {
    let leaf = match r.u8()? {
        0 => LeafNow::Unknown,
        1 => LeafNow::Closed,
        2 => LeafNow::Open,
        _ => return Err(BadBody::Range("leaf")),
    };
    let lock = match r.u8()? {
        0 => LockNow::Locked,
        cause => LockNow::Released(codes::to_cause(cause)?),
    };
    let flags = r.u8()?;
    if flags & !(FORCED | HELD) != 0 {
        return Err(BadBody::Range("flags"));
    }
    let mut conditions = Conditions::new();
    while !r.0.is_empty() {
        conditions.push(codes::read_condition(r)?).map_err(|_| BadBody::Long)?;
    }
    Ok(Status { leaf, lock, forced: flags & FORCED != 0, held: flags & HELD != 0, conditions })
}
