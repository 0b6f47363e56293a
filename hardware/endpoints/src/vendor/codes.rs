//! The numbers on the wire of the small enums. They grow at the end and are never reused.

use super::wire::{BadBody, NoRoom, Reader, Writer};
use crate::common::{Condition, Order, Outcome, Refusal};
use crate::door::{Cause, MainsLoss, Relock};
use crate::gate_lane::Direction;
use crate::vendor::firmware::Unfit;
use crate::vendor::update::HoldUp;

/// Both ways between an enum without data and its number.
macro_rules! numbers {
    ($to:ident, $from:ident, $type:ty, $name:literal, { $($variant:path => $number:literal),+ $(,)? }) => {
        pub(super) const fn $to(v: $type) -> u8 {
            match v { $($variant => $number),+ }
        }

        pub(super) const fn $from(n: u8) -> Result<$type, BadBody> {
            match n { $($number => Ok($variant),)+ _ => Err(BadBody::Range($name)) }
        }
    };
}

numbers!(from_order, to_order, Order, "order", {
    Order::Release => 1,
    Order::Hold => 2,
    Order::Lock => 3,
    Order::Lockdown => 4,
    Order::Normal => 5,
    Order::PassEntry => 6,
    Order::PassExit => 7,
});

numbers!(from_cause, to_cause, Cause, "cause", {
    Cause::Fire => 1,
    Cause::BreakGlass => 2,
    Cause::MainsLoss => 3,
    Cause::Rex => 4,
    Cause::Hold => 5,
    Cause::Grant => 6,
    Cause::Local => 7,
});

numbers!(from_direction, to_direction, Direction, "direction", {
    Direction::Entry => 0,
    Direction::Exit => 1,
});

numbers!(from_relock, to_relock, Relock, "relock", {
    Relock::AtTimeout => 0,
    Relock::OnOpen => 1,
    Relock::OnClose => 2,
});

numbers!(from_mains_loss, to_mains_loss, MainsLoss, "mains loss", {
    MainsLoss::Keep => 0,
    MainsLoss::Release => 1,
});

numbers!(from_refusal, to_refusal, Refusal, "refusal", {
    Refusal::Lockdown => 1,
    Refusal::Locked => 2,
    Refusal::WrongKind => 3,
    Refusal::NoTime => 4,
    Refusal::TooMany => 5,
});

numbers!(from_unfit, to_unfit, Unfit, "unfit", {
    Unfit::Form => 1,
    Unfit::Signature => 2,
    Unfit::OtherBoard => 3,
    Unfit::TooOld => 4,
    Unfit::Same => 5,
    Unfit::Digest => 6,
    Unfit::NoRoom => 7,
    Unfit::Busy => 8,
    Unfit::Flash => 9,
});

numbers!(from_hold_up, to_hold_up, HoldUp, "hold-up", {
    HoldUp::NoImage => 1,
    HoldUp::LifeSafety => 2,
    HoldUp::Released => 3,
    HoldUp::Open => 4,
});

/// Two bytes: what, and which refusal (0 if none).
pub(super) fn write_outcome(w: &mut Writer<'_>, outcome: Outcome) -> Result<(), NoRoom> {
    match outcome {
        Outcome::Done => w.bytes(&[1, 0]),
        Outcome::Repeated => w.bytes(&[2, 0]),
        Outcome::Refused(why) => w.bytes(&[3, from_refusal(why)]),
    }
}

pub(super) fn read_outcome(r: &mut Reader<'_>) -> Result<Outcome, BadBody> {
    match r.array::<2>()? {
        [1, 0] => Ok(Outcome::Done),
        [2, 0] => Ok(Outcome::Repeated),
        [3, why] => to_refusal(why).map(Outcome::Refused),
        _ => Err(BadBody::Range("outcome")),
    }
}

/// Two bytes: which condition, and the input's number for those that have one.
pub(super) fn write_condition(w: &mut Writer<'_>, condition: Condition) -> Result<(), NoRoom> {
    w.bytes(&match condition {
        Condition::Fire => [1, 0],
        Condition::BreakGlass => [2, 0],
        Condition::Tamper => [3, 0],
        Condition::MainsLost => [4, 0],
        Condition::BatteryLow => [5, 0],
        Condition::Cut(input) => [6, input],
        Condition::Shorted(input) => [7, input],
        Condition::ControllerLost => [8, 0],
        Condition::HeldOpen => [9, 0],
        Condition::LockedByCommand => [10, 0],
        Condition::Lockdown => [11, 0],
        Condition::LeafStuck => [12, 0],
        Condition::BeamBlocked => [13, 0],
    })
}

pub(super) fn read_condition(r: &mut Reader<'_>) -> Result<Condition, BadBody> {
    match r.array::<2>()? {
        [1, 0] => Ok(Condition::Fire),
        [2, 0] => Ok(Condition::BreakGlass),
        [3, 0] => Ok(Condition::Tamper),
        [4, 0] => Ok(Condition::MainsLost),
        [5, 0] => Ok(Condition::BatteryLow),
        [6, input] => Ok(Condition::Cut(input)),
        [7, input] => Ok(Condition::Shorted(input)),
        [8, 0] => Ok(Condition::ControllerLost),
        [9, 0] => Ok(Condition::HeldOpen),
        [10, 0] => Ok(Condition::LockedByCommand),
        [11, 0] => Ok(Condition::Lockdown),
        [12, 0] => Ok(Condition::LeafStuck),
        [13, 0] => Ok(Condition::BeamBlocked),
        _ => Err(BadBody::Range("condition")),
    }
}
