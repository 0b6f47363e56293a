//! Commands of the centre: carried out once, before their expiry, by rank.

use std::collections::BTreeMap;

use domain::ids::{DoorId, OperatorId};
use domain::policy::DoorKind;
use domain::request::Side;
use domain::state::{self, Override, OverrideMode};
use domain::time::Utc;
use endpoints::{Order, Outcome as BoardOutcome};
use osdp::cp::Failure;
use uplink::command::{Action, Command, Outcome, Settled};
use uplink::event::{self, Body};

use super::boards::lasting;
use super::record::After;
use super::{BoardId, Effect, Now, Released, Site};

/// A board that has not answered an order by then does not, in microseconds.
const BOARD_ANSWERS: u64 = 3_000_000;
/// Commands remembered until their expiry, so that none is carried out twice.
const COMMANDS_MAX: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Commands {
    /// By the command's id.
    seen: BTreeMap<String, Given>,
    /// By the number of the order to the board.
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    pub(super) expires_at: i64,
    /// When and how it was settled.
    pub(super) settled: Option<(i64, Settled)>,
}

#[derive(Debug)]
struct Waiting {
    id: String,
    board: BoardId,
    deadline: u64,
    ordered: Ordered,
}

/// What an order leaves here, should it come to nothing.
#[derive(Debug, Clone, Copy)]
enum Ordered {
    /// It was for a passage, or has not been carried out yet: nothing.
    Nothing,
    /// This hold, and the lock that it replaced.
    Hold { hold: Override, replaced: Option<Override> },
    /// That the door is to be shut, or to stand as usual.
    Shut,
}

impl Commands {
    fn hold_is_on_its_way(&self, board: BoardId) -> bool {
        self.waiting.values().any(|it| it.board == board && matches!(it.ordered, Ordered::Hold { .. }))
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.waiting.values().map(|it| it.deadline).min()
    }

    pub(super) fn remember(&mut self, id: String, seen: Given) {
        self.seen.insert(id, seen);
    }
}

impl Site {
    pub(super) fn commanded(&mut self, now: Now, command: Command) {
        if let Some(seen) = self.commands.seen.get(&command.id) {
            // Told again what came of it, if something has; carried out once.
            if let Some((at, settled)) = seen.settled {
                self.effects.push(Effect::Result(Outcome { id: command.id, at, settled }));
            }
            return;
        }
        if command.expires_at <= now.utc.0 {
            return self.settle_command(now, command.id, Settled::Expired);
        }
        self.forget_expired(now);
        if self.commands.seen.len() >= COMMANDS_MAX {
            return self.settle_command(now, command.id, Settled::Refused);
        }
        let seen = Given { expires_at: command.expires_at, settled: None };
        self.commands.seen.insert(command.id.clone(), seen);
        self.keep_command(&command.id);
        // Nothing of it is on the disk before it is done: a start forgets it, and opens no window.
        if let Some(settled) = self.window_commanded(now, &command) {
            return self.settle_command(now, command.id, settled);
        }
        let Some((door, board)) = door_of(&command.action).and_then(|it| Some((it, self.plan.driver(it)?)))
        else {
            return self.settle_command(now, command.id, Settled::UnknownDoor);
        };
        if !self.rank_allows(now, &command, door) {
            return self.settle_command(now, command.id, Settled::Outranked);
        }
        if !self.boards[board.0].online() {
            // Nothing has changed, and nothing waits for its return.
            return self.settle_command(now, command.id, Settled::BoardOffline);
        }
        let order = self.order_number();
        let waiting = Waiting {
            id: command.id.clone(),
            board,
            deadline: now.mono + BOARD_ANSWERS,
            ordered: Ordered::Nothing,
        };
        self.commands.waiting.insert(order, waiting);
        // The command's id is on the disk before it moves anything: a restart in between carries it out at most once.
        self.record.gathering.after.push(After::Command { order, command: Box::new(command) });
    }

    /// A command is on the disk, or cannot be written: it is carried out by that order, unless it was told to have failed or
    /// its time is over.
    pub(super) fn obey(&mut self, now: Now, order: u64, command: &Command) {
        let Some(door) = door_of(&command.action) else { return };
        let Some(waiting) = self.commands.waiting.get_mut(&order) else { return };
        let board = waiting.board;
        waiting.deadline = now.mono + BOARD_ANSWERS;
        if command.expires_at <= now.utc.0 {
            return self.order_settled(now, order, Settled::Expired);
        }
        if !self.rank_allows(now, command, door) {
            return self.order_settled(now, order, Settled::Outranked);
        }
        let before = self.state.override_at(door, now.utc).copied();
        let (what, for_ms) = self.carry_out(now, command, door, board);
        let ordered = self.ordered(&command.action, door, before);
        if let Some(waiting) = self.commands.waiting.get_mut(&order) {
            waiting.ordered = ordered;
        }
        if let Action::Release { side, .. } = command.action {
            let side = domain_side(side);
            self.remember_release(
                order,
                Released { door, side, person: None, decision: None, renewed: false },
            );
        }
        self.send_order(now, board, order, what, for_ms);
        // It waits for the bus no longer than its command is good for.
        let left = u64::try_from(command.expires_at.saturating_sub(now.utc.0)).unwrap_or(0);
        for effect in &mut self.effects {
            if let Effect::Say { token, life, .. } = effect
                && *token == order
            {
                *life = left.min(*life);
            }
        }
    }

    /// Nobody is ever held back on an exit, whoever locked what.
    fn rank_allows(&self, now: Now, command: &Command, door: DoorId) -> bool {
        let exit = matches!(&command.action, Action::Release { side, .. } if self.is_egress(door, domain_side(*side)));
        exit || self.state.may_override(door, command.rank, now.utc)
    }

    /// What it changes here, and the order it is for the board.
    fn carry_out(&mut self, now: Now, command: &Command, door: DoorId, board: BoardId) -> (Order, u32) {
        let change = |mode, until| Override {
            mode,
            by: OperatorId(command.by),
            rank: command.rank,
            since: now.utc,
            until: Utc(until),
        };
        match command.action {
            Action::Release { side, .. } => match (self.kind_of(board), side) {
                (DoorKind::Door, _) => {
                    let strike = self.policy_door(door).map(|it| it.strike.as_millis());
                    (Order::Release, strike.and_then(|it| u32::try_from(it).ok()).unwrap_or(0))
                }
                (DoorKind::Lane, event::Side::Entry) => (Order::PassEntry, 0),
                (DoorKind::Lane, event::Side::Exit) => (Order::PassExit, 0),
            },
            // What a fire frees stays free for as long as it burns.
            Action::HoldOpen { until, .. } => {
                self.set_override(door, Some(change(OverrideMode::HeldOpen, until)));
                (Order::Hold, if self.freed(door) { u32::MAX } else { lasting(now, Utc(until)) })
            }
            // During a fire the door stays free; the lock holds for entries again when it ends.
            Action::Lock { until, .. } if self.freed(door) => {
                self.set_override(door, Some(change(OverrideMode::Locked, until)));
                (Order::Hold, u32::MAX)
            }
            Action::Lock { until, .. } => {
                self.set_override(door, Some(change(OverrideMode::Locked, until)));
                (Order::Lock, lasting(now, Utc(until)))
            }
            Action::Normal { .. } => {
                self.set_override(door, None);
                if self.freed(door) { (Order::Hold, u32::MAX) } else { (Order::Normal, 0) }
            }
            Action::OpenInstall { .. } | Action::CloseInstall { .. } => {
                unreachable!("no order is given for a window: it was settled when it came")
            }
        }
    }

    fn set_override(&mut self, door: DoorId, it: Option<Override>) {
        if let Some(board) = self.plan.driver(door) {
            self.boards[board.0].hold_in_doubt = false;
        }
        match it {
            Some(it) => self.observe(state::Event::Overridden(door, it)),
            None => self.observe(state::Event::OverrideLifted(door)),
        }
        self.keep_override(door, it);
    }

    /// What stands here after an order for a door on which `before` was in force.
    fn ordered(&self, action: &Action, door: DoorId, before: Option<Override>) -> Ordered {
        match action {
            Action::Release { .. } | Action::OpenInstall { .. } | Action::CloseInstall { .. } => {
                Ordered::Nothing
            }
            Action::HoldOpen { .. } => match self.override_set(door) {
                Some(hold) => {
                    let replaced = before.filter(|it| it.mode != OverrideMode::HeldOpen);
                    Ordered::Hold { hold, replaced }
                }
                None => Ordered::Nothing,
            },
            Action::Lock { .. } | Action::Normal { .. } => Ordered::Shut,
        }
    }

    /// The override that was set last, whether its time has come or is over.
    fn override_set(&self, door: DoorId) -> Option<Override> {
        self.state.overrides().find(|(of, _)| *of == door).map(|(_, it)| *it)
    }

    /// An order did not arrive, or nobody can tell. Once that was said a door opens no more: a hold is given up, and the lock that
    /// it replaced holds again. What shuts a door is wanted all the same.
    fn came_to_nothing(&mut self, now: Now, board: BoardId, ordered: Ordered) {
        let Some(door) = self.plan.door(board) else { return };
        match ordered {
            Ordered::Nothing => return,
            Ordered::Hold { hold, replaced } if self.override_set(door) == Some(hold) => {
                self.set_override(door, replaced);
            }
            Ordered::Hold { .. } | Ordered::Shut => {}
        }
        self.want_standing(now, board);
    }

    /// A board began a session, and may have forgotten a hold that stands here.
    pub(super) fn doubt_hold(&mut self, now: Now, board: BoardId) {
        let held = self.plan.door(board).is_some_and(|door| self.is_held_open(now, door));
        // Of an order that is on its way its own answer tells.
        self.boards[board.0].hold_in_doubt = held && !self.commands.hold_is_on_its_way(board);
    }

    /// A board says whether it holds its door open. A hold that ended with its power does not come back by itself; one that it
    /// still has ends when the operator said, whatever it was told by a fire in between.
    pub(super) fn hold_is(&mut self, now: Now, board: BoardId, held: bool) {
        let Some(door) = self.plan.door(board) else { return };
        if !std::mem::take(&mut self.boards[board.0].hold_in_doubt) {
            return;
        }
        if !held {
            self.lift_hold(now, door);
        } else if !self.freed(door) {
            self.want_standing(now, board);
        }
    }

    pub(super) fn lift_hold(&mut self, now: Now, door: DoorId) {
        if self.is_held_open(now, door) {
            self.set_override(door, None);
        }
    }

    fn is_held_open(&self, now: Now, door: DoorId) -> bool {
        self.state.override_at(door, now.utc).is_some_and(|it| it.mode == OverrideMode::HeldOpen)
    }

    /// A board of ours answered an order.
    pub(super) fn order_answered(&mut self, now: Now, board: BoardId, order: u64, outcome: BoardOutcome) {
        if let BoardOutcome::Refused(why) = outcome {
            tracing::warn!(board = %self.plan.board(board).name, ?why, "a board refused an order");
        }
        if self.owed_order_answered(now, board, order, outcome) {
            return;
        }
        if let BoardOutcome::Refused(_) = outcome {
            self.not_released(now, order, "board-refused");
        }
        if outcome == BoardOutcome::Repeated {
            self.release_anew(now, board, order);
        }
        let settled = match outcome {
            BoardOutcome::Done | BoardOutcome::Repeated => Settled::Done,
            BoardOutcome::Refused(_) => Settled::Refused,
        };
        self.order_settled(now, order, settled);
    }

    pub(super) fn order_failed(&mut self, now: Now, order: u64, failure: Failure) {
        match failure {
            Failure::Refused(_) => self.not_released(now, order, "board-refused"),
            Failure::Expired => self.not_released(now, order, "order-expired"),
            // It may have been carried out: what the door does next tells.
            Failure::Unconfirmed
            | Failure::Interrupted
            | Failure::Offline
            | Failure::File(_)
            | Failure::Cancelled => {}
        }
        let settled = match failure {
            Failure::Refused(_) => Settled::Refused,
            Failure::Expired
            | Failure::Unconfirmed
            | Failure::Interrupted
            | Failure::Offline
            | Failure::File(_)
            | Failure::Cancelled => Settled::BoardOffline,
        };
        self.order_settled(now, order, settled);
    }

    /// A release certainly did not happen. One that was to be renewed stands as it was.
    pub(super) fn not_released(&mut self, now: Now, order: u64, why: &'static str) {
        let Some(released) = self.releases.get_mut(&order) else { return };
        let it = *released;
        if it.renewed {
            released.renewed = false;
        } else {
            self.releases.remove(&order);
        }
        self.correct(now, it, why);
    }

    pub(super) fn order_settled(&mut self, now: Now, order: u64, settled: Settled) {
        let Some(waiting) = self.commands.waiting.remove(&order) else { return };
        if settled != Settled::Done {
            self.came_to_nothing(now, waiting.board, waiting.ordered);
        }
        self.settle_command(now, waiting.id, settled);
    }

    pub(super) fn commands_expire(&mut self, now: Now) {
        let late = |commands: &Commands| {
            commands.waiting.iter().find(|(_, it)| it.deadline <= now.mono).map(|(order, _)| *order)
        };
        while let Some(order) = late(&self.commands) {
            self.order_settled(now, order, Settled::BoardOffline);
        }
    }

    pub(super) fn board_commands_fail(&mut self, now: Now, board: BoardId) {
        let of_board = |commands: &Commands| {
            commands.waiting.iter().find(|(_, it)| it.board == board).map(|(order, _)| *order)
        };
        while let Some(order) = of_board(&self.commands) {
            self.order_settled(now, order, Settled::BoardOffline);
        }
    }

    fn settle_command(&mut self, now: Now, id: String, settled: Settled) {
        if let Some(seen) = self.commands.seen.get_mut(&id) {
            seen.settled = Some((now.utc.0, settled));
            self.keep_command(&id);
        }
        let outcome = Outcome { id, at: now.utc.0, settled };
        self.event(now.utc.0, Body::Command(outcome.clone()));
        self.record.gathering.after.push(After::Result(outcome));
    }

    fn keep_command(&mut self, id: &str) {
        let Some(seen) = self.commands.seen.get(id) else { return };
        let kept = super::memory::CommandKept { expires_at: seen.expires_at, settled: seen.settled };
        let value = serde_json::to_string(&kept).expect("numbers and words");
        self.keep("command", id.to_owned(), Some(value));
    }

    /// An id need not be remembered once its command would do nothing anyway.
    fn forget_expired(&mut self, now: Now) {
        let waiting: Vec<&String> = self.commands.waiting.values().map(|it| &it.id).collect();
        let expired: Vec<String> = self
            .commands
            .seen
            .iter()
            .filter(|(id, seen)| seen.expires_at <= now.utc.0 && !waiting.contains(id))
            .map(|(id, _)| id.clone())
            .collect();
        for id in expired {
            self.commands.seen.remove(&id);
            self.keep("command", id, None);
        }
    }
}

fn door_of(action: &Action) -> Option<DoorId> {
    match action {
        Action::Release { door, .. }
        | Action::HoldOpen { door, .. }
        | Action::Lock { door, .. }
        | Action::Normal { door } => Some(DoorId(*door)),
        Action::OpenInstall { .. } | Action::CloseInstall { .. } => None,
    }
}

fn domain_side(side: event::Side) -> Side {
    match side {
        event::Side::Entry => Side::Entry,
        event::Side::Exit => Side::Exit,
    }
}
