//! How a board says it stands. Events tell what changes; this tells what lasts, to a controller that has just come, or that
//! a board has just come back to.

use endpoints::{Condition, LeafNow, LockNow, Status, gate_lane};
use uplink::live::{Lock, Position};

use super::boards::Mark;
use super::owed::Matter;
use super::point::{Cause, Point, Trouble};
use super::reports::cause_of;
use super::{BoardId, Now, Site};
use crate::config::Kind;

/// A leaf is at its limit after so long, or is asked about once more, µs.
const MOVES: u64 = 1_000_000;

impl Site {
    /// Leaves that were on their way: where are they now?
    pub(super) fn moved(&mut self, now: Now) {
        for board in self.plan.ids() {
            if self.boards[board.0].moves_until.take_if(|until| *until <= now.mono).is_some() {
                self.owe(now, board, Matter::Status);
            }
        }
    }

    /// A board of ours stands like this. Its events up to `as_of` may still be told: they go to the journal, and change
    /// nothing here any more.
    pub(super) fn stands(&mut self, now: Now, board: BoardId, as_of: Mark, status: &Status) {
        // Before a fire that it ends: what that overlaid goes on only if it is still there.
        self.hold_is(now, board, status.conditions.contains(&Condition::HeldOpen));
        let fire_input = self.fire_input(board);
        let faults = status.conditions.iter().filter_map(fault);
        let (of_fire, others): (Vec<u8>, Vec<u8>) = faults.partition(|input| Some(*input) == fire_input);
        let says_so = status.conditions.contains(&Condition::Fire);
        let it = &mut self.boards[board.0];
        it.owed.paid(Matter::Status);
        it.as_of = as_of;
        let shuts = status.lock == LockNow::Locked && status.leaf == LeafNow::Open;
        it.moves_until = (shuts && self.plan.board(board).kind == Kind::GateLane).then_some(now.mono + MOVES);
        it.fire_fault = !of_fire.is_empty();
        // A board that has started again does not know that its line was operated before it went into fault.
        let burnt_through = it.fire && it.fire_fault && !says_so;
        let burns = says_so || burnt_through;
        it.faults = others.into_iter().collect();
        if it.mark.epoch == as_of.epoch && it.mark.seq < as_of.seq {
            // Its own events will say since when.
            it.fire = burns;
            self.fire_zones_changed(now);
        } else {
            self.fire_at(now, now.utc.0, board, burns);
        }
        self.boards[board.0].burnt_through = burnt_through;
        self.keep_board(board);
        self.show_status(board, status);
    }

    /// A door or lane is as a status says.
    pub(super) fn show_status(&mut self, board: BoardId, status: &Status) {
        let fire_input = self.fire_input(board);
        self.touch(board, |point| show(point, status, fire_input));
        self.show_fire();
    }

    /// All outputs of a board by number, as OSDP tells them. Of use only while nothing better was told.
    pub(super) fn outputs(&mut self, board: BoardId, outputs: &[u8]) {
        let on = |number: u8| outputs.get(usize::from(number)).is_some_and(|value| *value != 0);
        let released = match self.plan.board(board).kind {
            Kind::Door => on(endpoints::door::Output::Lock.number()),
            Kind::GateLane => {
                on(gate_lane::Output::OpenEntry.number()) || on(gate_lane::Output::OpenExit.number())
            }
            Kind::PlainDoor(terminals) => on(terminals.lock),
            Kind::Reader => return,
        };
        self.touch(board, |point| {
            if point.lock == Lock::Unknown {
                point.lock = if released { Lock::Released } else { Lock::Locked };
            }
        });
    }
}

fn fault(condition: &Condition) -> Option<u8> {
    match condition {
        Condition::Cut(input) | Condition::Shorted(input) => Some(*input),
        Condition::Fire
        | Condition::BreakGlass
        | Condition::Tamper
        | Condition::MainsLost
        | Condition::BatteryLow
        | Condition::ControllerLost
        | Condition::HeldOpen
        | Condition::LockedByCommand
        | Condition::Lockdown
        | Condition::LeafStuck
        | Condition::BeamBlocked => None,
    }
}

fn show(point: &mut Point, status: &Status, fire_input: Option<u8>) {
    point.position = match status.leaf {
        LeafNow::Unknown => Position::Unknown,
        LeafNow::Closed => Position::Closed,
        LeafNow::Open => Position::Open,
    };
    point.causes.clear();
    point.lock = match status.lock {
        LockNow::Locked => Lock::Locked,
        LockNow::Released(cause) => {
            point.cause(cause_of(cause), true);
            Lock::Released
        }
    };
    let has = |condition| status.conditions.contains(&condition);
    for (cause, holds) in [
        (Cause::BreakGlass, has(Condition::BreakGlass)),
        (Cause::HoldOpen, has(Condition::HeldOpen)),
        (Cause::Locked, has(Condition::LockedByCommand)),
        (Cause::Lockdown, has(Condition::Lockdown)),
    ] {
        if holds {
            point.cause(cause, true);
        }
    }
    let faults = || status.conditions.iter().filter_map(fault);
    for (trouble, is_there) in [
        (Trouble::Forced, status.forced),
        (Trouble::Held, status.held),
        (Trouble::Obstructed, has(Condition::LeafStuck) || has(Condition::BeamBlocked)),
        (Trouble::Tamper, has(Condition::Tamper)),
        (Trouble::MainsLost, has(Condition::MainsLost)),
        (Trouble::BatteryLow, has(Condition::BatteryLow)),
        (Trouble::FireLoopFault, faults().any(|input| Some(input) == fire_input)),
        (Trouble::InputFault, faults().any(|input| Some(input) != fire_input)),
    ] {
        point.trouble(trouble, is_there);
    }
}
