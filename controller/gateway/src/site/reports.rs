//! A board's numbered events: each is taken once, written down, and acknowledged when it is on the disk.

use domain::request::Side;
use endpoints::vendor::{BoardEvent, Events, LocalRefusal, Reset, What};
use endpoints::{Condition, door, gate_lane};
use gate_lane::Direction;
use uplink::event::{self, BoardChange, Body, DoorChange, Fact, Fire, FireChange};
use uplink::live::{Lock, Position};

use super::owed::Matter;
use super::point::{Cause, Point, Trouble};
use super::record::After;
use super::{BoardId, Now, Site, trace};
use crate::config::Kind;

/// Board clocks further in the future than this are not believed, in microseconds.
const FUTURE: i64 = 60_000_000;
/// What a board left out comes again within this time, or is gone, in microseconds: a board tells its oldest again after two seconds.
const GAP_WAITS: u64 = 10_000_000;

impl Site {
    pub(super) fn board_events(&mut self, now: Now, board: BoardId, epoch: u32, events: Events<'_>) {
        if self.boards[board.0].mark.epoch != epoch {
            return self.ask_of_log(now, board);
        }
        let mut taken = false;
        let mut again = None;
        let mut events = events.peekable();
        while let Some(event) = events.next() {
            let Ok(event) = event else {
                tracing::warn!(board = %self.plan.board(board).name, "an event of a board cannot be read");
                break;
            };
            let mark = self.boards[board.0].mark;
            if event.seq <= mark.seq {
                again.get_or_insert(event.seq);
                continue;
            }
            if !self.record.has_room() {
                self.turned_away(now, board);
                break;
            }
            let gap = event.seq > mark.seq + 1;
            if gap && self.missing_may_come(now, board) {
                break;
            }
            self.boards[board.0].gap_since = None;
            self.boards[board.0].mark.seq = event.seq;
            taken = true;
            let as_of = self.boards[board.0].as_of;
            self.replaying = as_of.epoch == epoch && event.seq <= as_of.seq;
            let at = self.time_of(now, board, &event);
            if gap {
                self.board_event(at, board, BoardChange::EventsLost);
            }
            let then = events.peek().and_then(|it| it.as_ref().ok()).map(|it| it.what);
            if self.burns_through(board, event.what, then) {
                continue;
            }
            self.reported(now, at, board, event.what);
            if self.has_burnt_out(board, event.what, then) {
                self.fire_at(now, at, board, false);
            }
        }
        self.replaying = false;
        let (up_to, safe) = (self.boards[board.0].mark.seq, self.boards[board.0].safe);
        if taken {
            self.keep_board(board);
            self.record.gathering.after.push(After::AckBoard { board, epoch, up_to });
        } else if again.is_some_and(|first| first <= safe) {
            // It has not heard the acknowledgement.
            self.acknowledge_board(board, epoch, safe);
        }
    }

    /// What a board tells would be lost: it keeps it itself, and tells it again. How it stands, and whether it burns, is asked at once.
    fn turned_away(&mut self, now: Now, board: BoardId) {
        self.boards[board.0].gap_since = None;
        self.owe(now, board, Matter::Status);
    }

    /// Events are missing before these. A board tells again what is not acknowledged, so they are waited for; how it stands is asked
    /// at once.
    fn missing_may_come(&mut self, now: Now, board: BoardId) -> bool {
        match self.boards[board.0].gap_since {
            Some(since) => now.mono < since.saturating_add(GAP_WAITS),
            None => {
                self.boards[board.0].gap_since = Some(now.mono);
                self.owe(now, board, Matter::Status);
                true
            }
        }
    }

    /// When an event happened, by the board's clock if it had one, else by its uptime, else now.
    fn time_of(&self, now: Now, board: BoardId, event: &BoardEvent) -> i64 {
        let by_uptime = || {
            let (boot, base) = self.boards[board.0].base?;
            let uptime = i64::try_from(event.uptime_ms).ok()?.checked_mul(1_000)?;
            (boot == event.boot).then(|| base.saturating_add(uptime))
        };
        let told = event.utc_us.filter(|at| *at > 0 && *at <= now.utc.0.saturating_add(FUTURE));
        told.or_else(by_uptime).unwrap_or(now.utc.0).min(now.utc.0)
    }

    fn reported(&mut self, now: Now, at: i64, board: BoardId, what: What) {
        self.update_reported(now, board, &what);
        match what {
            What::Started(Reset::Watchdog) => self.board_event(at, board, BoardChange::WatchdogReset),
            What::Started(Reset::PowerOn | Reset::Software | Reset::Other) => {
                self.board_event(at, board, BoardChange::Started);
            }
            What::Began(condition) => self.condition(now, at, board, condition, true),
            What::Ended(condition) => self.condition(now, at, board, condition, false),
            What::Lost { .. } => self.board_event(at, board, BoardChange::EventsLost),
            What::LocalGranted { reader, list } => {
                let why = trace::own_reason("local-whitelist", [("list", Fact::Int(list.into()))]);
                self.local(at, board, reader, event::Outcome::Granted, why);
            }
            What::LocalRefused { reader, why } => {
                let why = trace::own_reason(local_code(why), []);
                self.local(at, board, reader, event::Outcome::Denied, why);
            }
            What::Door(event) => self.door_reported(at, board, event),
            What::Lane(event) => self.lane_reported(at, board, event),
            What::ClockSet { by_ms } => {
                self.board_event_with(at, board, BoardChange::ClockSet, Some(by_ms));
            }
            What::WhitelistStored { list } => {
                self.board_event_with(at, board, BoardChange::WhitelistStored, Some(list.into()));
            }
            What::WhitelistRejected => self.board_event(at, board, BoardChange::WhitelistRejected),
            What::Configured { .. } => self.board_event(at, board, BoardChange::Configured),
            What::KeyChanged => self.board_event(at, board, BoardChange::KeyChanged),
            What::KeyReset => self.board_event(at, board, BoardChange::KeyReset),
            What::UpdateReady { firmware } => {
                self.firmware_event(at, board, BoardChange::FirmwareReady, firmware);
            }
            What::UpdateRefused { why } => {
                self.board_event_with(at, board, BoardChange::FirmwareRefused, Some(why.number().into()));
            }
            What::UpdateTrial { firmware } => {
                self.firmware_event(at, board, BoardChange::FirmwareTrial, firmware);
            }
            What::UpdateGood { firmware } => {
                self.firmware_event(at, board, BoardChange::FirmwareGood, firmware);
            }
            What::UpdateReturned { firmware } => {
                self.firmware_event(at, board, BoardChange::FirmwareReturned, firmware);
            }
            What::Unknown(number) => {
                self.board_event_with(at, board, BoardChange::UnknownEvent, Some(number.into()));
            }
        }
    }

    pub(super) fn firmware_event(&mut self, at: i64, board: BoardId, change: BoardChange, firmware: [u8; 3]) {
        self.board_event_with(at, board, change, Some(event::firmware_number(firmware)));
    }

    /// The board decided by itself while no controller polled it.
    fn local(&mut self, at: i64, board: BoardId, reader: u8, outcome: event::Outcome, why: event::Reason) {
        let Some(reader) = self.plan.reader(board, reader) else { return };
        let reasons = match outcome {
            event::Outcome::Granted => Vec::new(),
            event::Outcome::Denied => vec![why.clone()],
        };
        self.event(
            at,
            Body::Access(event::Access {
                door: reader.door.0,
                side: trace::side(reader.side),
                person: None,
                outcome,
                reasons,
                alarms: Vec::new(),
                trace: event::Trace {
                    policy_version: 0,
                    shown: vec![why],
                    rules: Vec::new(),
                    would_have_passed: Vec::new(),
                    centre: "board-alone".to_owned(),
                    stages_us: std::collections::BTreeMap::new(),
                },
                decision: None,
                corrects: false,
            }),
        );
    }

    pub(super) fn condition(&mut self, now: Now, at: i64, board: BoardId, condition: Condition, began: bool) {
        match condition {
            Condition::Fire => self.fire_at(now, at, board, began),
            Condition::BreakGlass => {
                self.touch(board, |point| point.cause(Cause::BreakGlass, began));
                let change = if began { DoorChange::BreakGlass } else { DoorChange::BreakGlassRestored };
                self.door_event(at, board, change, None);
            }
            Condition::Tamper => {
                self.touch(board, |point| point.trouble(Trouble::Tamper, began));
                let change = if began { BoardChange::Tamper } else { BoardChange::TamperRestored };
                self.board_event(at, board, change);
            }
            Condition::MainsLost => {
                self.touch(board, |point| point.trouble(Trouble::MainsLost, began));
                let change = if began { BoardChange::MainsLost } else { BoardChange::MainsRestored };
                self.board_event(at, board, change);
            }
            Condition::BatteryLow => {
                self.touch(board, |point| point.trouble(Trouble::BatteryLow, began));
                let change = if began { BoardChange::BatteryLow } else { BoardChange::BatteryRestored };
                self.board_event(at, board, change);
            }
            Condition::Cut(input) | Condition::Shorted(input) if Some(input) == self.fire_input(board) => {
                if !self.replaying {
                    self.boards[board.0].fire_fault = began;
                }
                self.touch(board, |point| point.trouble(Trouble::FireLoopFault, began));
                let change = if began { FireChange::LoopFault } else { FireChange::LoopRestored };
                let door = self.plan.door(board);
                let zone = door.and_then(|door| self.policy_door(door)?.fire_zone).map(u64::from);
                self.event(at, Body::Fire(Fire { door: door.map(u64::from), zone, change }));
            }
            Condition::Cut(input) | Condition::Shorted(input) => {
                let faults = &mut self.boards[board.0].faults;
                if !self.replaying {
                    let _changed = if began { faults.insert(input) } else { faults.remove(&input) };
                }
                let any = !faults.is_empty();
                self.touch(board, |point| point.trouble(Trouble::InputFault, any));
                let change = if began { DoorChange::InputFault } else { DoorChange::InputRestored };
                self.door_event(at, board, change, None);
            }
            Condition::HeldOpen => self.touch(board, |point| point.cause(Cause::HoldOpen, began)),
            Condition::LockedByCommand => self.touch(board, |point| point.cause(Cause::Locked, began)),
            Condition::Lockdown => self.touch(board, |point| point.cause(Cause::Lockdown, began)),
            // Told as the board going off-line and coming back.
            Condition::ControllerLost => {}
            Condition::LeafStuck | Condition::BeamBlocked => {
                self.touch(board, |point| point.trouble(Trouble::Obstructed, began));
                let change = if began { DoorChange::Obstructed } else { DoorChange::Restored };
                self.door_event(at, board, change, None);
            }
        }
    }

    pub(super) fn fire_input(&self, board: BoardId) -> Option<u8> {
        match self.plan.board(board).kind {
            Kind::Door | Kind::PlainDoor(_) => Some(door::Input::Fire.number()),
            Kind::GateLane => Some(gate_lane::Input::Fire.number()),
            Kind::Reader => None,
        }
    }

    pub(super) fn door_reported(&mut self, at: i64, board: BoardId, event: door::Event) {
        use door::Event;
        let (change, by) = match event {
            Event::Released { cause, id } => {
                self.touch(board, |point| released(point, cause));
                (DoorChange::Released, Some(id))
            }
            Event::Locked => {
                self.touch(board, locked);
                (DoorChange::Locked, None)
            }
            Event::Opened { cause: _, id } => {
                self.touch(board, |point| point.position = Position::Open);
                (DoorChange::Opened, Some(id))
            }
            Event::FoundOpen => {
                self.touch(board, |point| point.position = Position::Open);
                (DoorChange::Opened, None)
            }
            Event::Closed => {
                self.touch(board, closed);
                (DoorChange::Closed, None)
            }
            Event::Forced => {
                self.touch(board, |point| {
                    point.position = Position::Open;
                    point.trouble(Trouble::Forced, true);
                });
                (DoorChange::Forced, None)
            }
            Event::HeldTooLong => {
                self.touch(board, |point| point.trouble(Trouble::Held, true));
                (DoorChange::Held, None)
            }
            Event::ClosedAfterForced | Event::ClosedAfterHeld => {
                self.touch(board, closed);
                (DoorChange::Restored, None)
            }
            Event::NotOpened { id } => (DoorChange::NotOpened, Some(id)),
            Event::ExitRequested => (DoorChange::RequestToExit, None),
        };
        let side = by.and_then(|id| self.releases.get(&id)).map(|released| released.side);
        self.door_event(at, board, change, side);
        match (change, by) {
            (DoorChange::Opened, Some(id)) => self.went_through(at, id),
            (DoorChange::NotOpened, Some(id)) => self.not_used(id),
            _ => {}
        }
    }

    fn lane_reported(&mut self, at: i64, board: BoardId, event: gate_lane::Event) {
        use gate_lane::Event;
        let (change, direction, by) = match event {
            Event::Authorised { direction, id } => (DoorChange::Released, Some(direction), Some(id)),
            Event::Passed { direction, id } => (DoorChange::Passed, Some(direction), Some(id)),
            Event::Abandoned { direction, id } => (DoorChange::Abandoned, Some(direction), Some(id)),
            Event::NotUsed { direction, id } => (DoorChange::NotOpened, Some(direction), Some(id)),
            Event::Tailgating { direction } => (DoorChange::Tailgating, Some(direction), None),
            Event::WrongWay { direction } => (DoorChange::WrongWay, Some(direction), None),
            // Through without authority, whether the leaf was pushed or somebody slipped past it.
            Event::Forced { direction } | Event::Slipped { direction } => {
                (DoorChange::Forced, Some(direction), None)
            }
            Event::Reversed => (DoorChange::Obstructed, None, None),
            Event::ExitRequested => (DoorChange::RequestToExit, None, None),
            Event::Freed => (DoorChange::Released, None, None),
            Event::Secured => (DoorChange::Locked, None, None),
        };
        match event {
            Event::Authorised { .. } => self.touch(board, |point| released(point, door::Cause::Grant)),
            Event::Freed => self.touch(board, |point| {
                point.lock = Lock::Released;
                point.position = Position::Open;
            }),
            Event::Passed { .. } | Event::NotUsed { .. } | Event::Secured => self.touch(board, |point| {
                locked(point);
                closed(point);
            }),
            Event::Abandoned { .. }
            | Event::Tailgating { .. }
            | Event::WrongWay { .. }
            | Event::Forced { .. }
            | Event::Slipped { .. }
            | Event::Reversed
            | Event::ExitRequested => {}
        }
        let side = direction.map(|direction| match direction {
            Direction::Entry => Side::Entry,
            Direction::Exit => Side::Exit,
        });
        self.door_event(at, board, change, side);
        match (change, by) {
            (DoorChange::Passed, Some(id)) => self.went_through(at, id),
            (DoorChange::NotOpened, Some(id)) => self.not_used(id),
            _ => {}
        }
    }

    fn door_event(&mut self, at: i64, board: BoardId, change: DoorChange, side: Option<Side>) {
        let Some(door) = self.plan.door(board) else { return };
        self.event(at, Body::Door(event::Door { door: door.0, change, side: side.map(trace::side) }));
    }

    /// Changes what a door or lane is known to be; what a board tells late does not.
    pub(super) fn touch(&mut self, board: BoardId, change: impl FnOnce(&mut Point)) {
        if self.replaying {
            return;
        }
        if let Some(point) = self.plan.door(board).and_then(|door| self.points.get_mut(&door)) {
            change(point);
        }
    }
}

fn released(point: &mut Point, cause: door::Cause) {
    point.lock = Lock::Released;
    point.cause(cause_of(cause), true);
}

/// The cause as the live state names it.
pub(super) fn cause_of(cause: door::Cause) -> Cause {
    match cause {
        door::Cause::Fire => Cause::Fire,
        door::Cause::BreakGlass => Cause::BreakGlass,
        door::Cause::MainsLoss => Cause::MainsLoss,
        door::Cause::Rex => Cause::Rex,
        door::Cause::Hold => Cause::HoldOpen,
        door::Cause::Grant => Cause::Grant,
        door::Cause::Local => Cause::Local,
    }
}

fn locked(point: &mut Point) {
    point.lock = Lock::Locked;
    for cause in [Cause::MainsLoss, Cause::Rex, Cause::Grant, Cause::Local] {
        point.cause(cause, false);
    }
}

fn closed(point: &mut Point) {
    point.position = Position::Closed;
    point.trouble(Trouble::Forced, false);
    point.trouble(Trouble::Held, false);
}

fn local_code(why: LocalRefusal) -> &'static str {
    match why {
        LocalRefusal::Rule => "local-rule",
        LocalRefusal::NoList => "local-no-list",
        LocalRefusal::Expired => "local-list-expired",
        LocalRefusal::NoClock => "local-no-clock",
        LocalRefusal::NotListed => "local-not-listed",
        LocalRefusal::Locked => "local-locked",
    }
}
