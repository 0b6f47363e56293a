//! What boards of ours are owed: a greeting, the question how they stand, the time, their settings, how their door must be.
//!
//! A bus may lose any of it, and a lost release is a life: each is said until the board has answered. What is said again is what
//! holds by then. Nothing is owed to a board that is away, and nothing to a new session but its greeting: what must hold is
//! worked out anew when the board has said who it is.

use domain::ids::DoorId;
use domain::state::OverrideMode;
use domain::time::Utc;
use endpoints::vendor::ToBoard;
use endpoints::{Order, Outcome};
use osdp::cp::Failure;

use super::boards::{WITHOUT_END, lasting};
use super::{BoardId, Now, RELEASE_LIFE, Say, Site};

/// What is not answered by then is lost, in microseconds: a second after the bus has given it up.
const ANSWERS: u64 = RELEASE_LIFE + 1_000_000;
/// From a failure until it is said again, in microseconds. Doubled each time, up to so often; but a fire does not wait longer.
const PAUSE: u64 = 1_000_000;
const DOUBLED: u32 = 4;
/// A board that tells of a log that is not known is greeted at most so often, in microseconds.
const GREETED: u64 = 1_000_000;

/// What a board can be owed, each at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matter {
    Hello,
    Status,
    Clock,
    Settings,
    Standing,
}

const MATTERS: [Matter; 5] =
    [Matter::Hello, Matter::Status, Matter::Clock, Matter::Settings, Matter::Standing];

#[derive(Debug, Default)]
pub(super) struct Owed {
    debts: [Debt; MATTERS.len()],
    /// It refused how its door must be: what stands against that ends first.
    refused: bool,
    /// When it was greeted last, microseconds since start.
    greeted_at: Option<u64>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Debt {
    #[default]
    None,
    /// Said under this number, after so many failures; taken for lost at that time.
    Said { token: u64, failures: u32, lost_at: u64 },
    /// Failed so many times, and said again at that time.
    Failed { failures: u32, again_at: u64 },
}

impl Debt {
    fn deadline(self) -> Option<u64> {
        match self {
            Debt::None => None,
            Debt::Said { lost_at: at, .. } | Debt::Failed { again_at: at, .. } => Some(at),
        }
    }

    fn failures(self) -> u32 {
        match self {
            Debt::None => 0,
            Debt::Said { failures, .. } | Debt::Failed { failures, .. } => failures,
        }
    }
}

impl Owed {
    pub(super) fn deadline(&self) -> Option<u64> {
        self.debts.iter().filter_map(|debt| debt.deadline()).min()
    }

    /// The board has it.
    pub(super) fn paid(&mut self, matter: Matter) {
        self.debts[matter as usize] = Debt::None;
        self.refused &= matter != Matter::Standing;
    }

    /// It is away, or began a new session.
    pub(super) fn forget(&mut self) {
        *self = Owed::default();
    }

    fn said(&self, token: u64) -> Option<Matter> {
        let is_it = |matter: &Matter| matches!(self.debts[*matter as usize], Debt::Said { token: said, .. } if said == token);
        MATTERS.into_iter().find(is_it)
    }

    fn due(&self, now: Now) -> Vec<Matter> {
        let due = |matter: &Matter| self.debts[*matter as usize].deadline().is_some_and(|at| at <= now.mono);
        MATTERS.into_iter().filter(due).collect()
    }
}

/// How a door must be by order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// A fire in its zone frees it.
    Free,
    HeldOpen(Utc),
    Locked(Utc),
    Normal,
}

impl Site {
    /// Says it now, and again until the board has it.
    pub(super) fn owe(&mut self, now: Now, board: BoardId, matter: Matter) {
        self.boards[board.0].owed.paid(matter);
        self.pay(now, board, matter);
    }

    /// Who is it, and how does it stand?
    pub(super) fn greet(&mut self, now: Now, board: BoardId) {
        if self.plan.is_ours(board) {
            self.boards[board.0].owed.greeted_at = Some(now.mono);
            self.owe(now, board, Matter::Hello);
            self.owe(now, board, Matter::Status);
        }
    }

    /// A board tells of a log that is not known: it had to begin another. It tells these again when it has said so.
    pub(super) fn ask_of_log(&mut self, now: Now, board: BoardId) {
        let owed = &self.boards[board.0].owed;
        let asked = !matches!(owed.debts[Matter::Hello as usize], Debt::None);
        let lately = owed.greeted_at.is_some_and(|at| now.mono < at + GREETED);
        if !asked && !lately {
            self.greet(now, board);
        }
    }

    pub(super) fn owed_due(&mut self, now: Now) {
        for board in self.plan.ids() {
            for matter in self.boards[board.0].owed.due(now) {
                match self.boards[board.0].owed.debts[matter as usize] {
                    Debt::Said { .. } => self.unpaid(now, board, matter),
                    Debt::Failed { .. } => self.pay(now, board, matter),
                    Debt::None => {}
                }
            }
        }
    }

    /// The bus has an answer to a message. Says whether it was one of these.
    pub(super) fn owed_answered(&mut self, now: Now, board: BoardId, token: u64) -> bool {
        match self.boards[board.0].owed.said(token) {
            Some(matter @ (Matter::Clock | Matter::Settings)) => self.boards[board.0].owed.paid(matter),
            // These have answers of their own, which come first: this one could not be read.
            Some(matter @ (Matter::Hello | Matter::Status | Matter::Standing)) => {
                self.unpaid(now, board, matter);
            }
            None => return false,
        }
        true
    }

    /// A message did not arrive, or nobody can tell. Says whether it was one of these.
    pub(super) fn owed_failed(&mut self, now: Now, board: BoardId, token: u64, failure: Failure) -> bool {
        let Some(matter) = self.boards[board.0].owed.said(token) else { return false };
        if self.boards[board.0].owed.debts[matter as usize].failures() == 0 {
            let board = &self.plan.board(board).name;
            tracing::warn!(%board, %failure, ?matter, "a board was not told; it is told again");
        }
        self.unpaid(now, board, matter);
        true
    }

    /// A board answered an order. Says whether it was one by which its door must stand.
    pub(super) fn owed_order_answered(
        &mut self,
        now: Now,
        board: BoardId,
        order: u64,
        outcome: Outcome,
    ) -> bool {
        if self.boards[board.0].owed.said(order) != Some(Matter::Standing) {
            return false;
        }
        match outcome {
            Outcome::Done | Outcome::Repeated => self.boards[board.0].owed.paid(Matter::Standing),
            Outcome::Refused(_) => {
                let before = std::mem::replace(&mut self.boards[board.0].owed.refused, true);
                self.unpaid(now, board, Matter::Standing);
                if !before {
                    self.pay(now, board, Matter::Standing);
                }
            }
        }
        true
    }

    /// Tells a board how its door must be now.
    pub(super) fn want_standing(&mut self, now: Now, board: BoardId) {
        let Some(door) = self.plan.door(board) else { return };
        if self.plan.is_ours(board) {
            return self.owe(now, board, Matter::Standing);
        }
        let (order, for_ms) = self.order_for(now, door);
        let id = self.order_number();
        self.order_plain(now, board, id, order, for_ms);
    }

    /// A board has said who it is. Losing or regaining a link never opens a door: an operator's hold is not given again, only
    /// a fire is.
    pub(super) fn restore_standing(&mut self, now: Now, board: BoardId) {
        let Some(door) = self.plan.door(board) else { return };
        match self.standing(now, door) {
            Standing::HeldOpen(_) => {}
            Standing::Free | Standing::Locked(_) | Standing::Normal => self.want_standing(now, board),
        }
    }

    fn standing(&self, now: Now, door: DoorId) -> Standing {
        if self.freed(door) {
            return Standing::Free;
        }
        match self.state.override_at(door, now.utc).map(|it| (it.mode, it.until)) {
            None => Standing::Normal,
            Some((OverrideMode::HeldOpen, until)) => Standing::HeldOpen(until),
            Some((OverrideMode::Locked | OverrideMode::Lockdown { .. }, until)) => Standing::Locked(until),
        }
    }

    /// The order that makes a door stand as it must, and for how many milliseconds.
    fn order_for(&self, now: Now, door: DoorId) -> (Order, u32) {
        match self.standing(now, door) {
            Standing::Free => (Order::Hold, WITHOUT_END),
            Standing::HeldOpen(until) => (Order::Hold, lasting(now, until)),
            Standing::Locked(until) => (Order::Lock, lasting(now, until)),
            Standing::Normal => (Order::Normal, 0),
        }
    }

    fn unpaid(&mut self, now: Now, board: BoardId, matter: Matter) {
        let door = self.plan.door(board).filter(|_| matter == Matter::Standing);
        let burns = door.is_some_and(|door| self.freed(door));
        let debt = &mut self.boards[board.0].owed.debts[matter as usize];
        let failures = debt.failures();
        let pause = if burns { PAUSE } else { PAUSE << failures.min(DOUBLED) };
        *debt = Debt::Failed { failures: failures.saturating_add(1), again_at: now.mono + pause };
    }

    fn pay(&mut self, now: Now, board: BoardId, matter: Matter) {
        let messages =
            if self.boards[board.0].online() { self.messages(now, board, matter) } else { Vec::new() };
        let debt = &mut self.boards[board.0].owed.debts[matter as usize];
        let failures = debt.failures();
        let Some((token, _)) = messages.last() else { return *debt = Debt::None };
        *debt = Debt::Said { token: *token, failures, lost_at: now.mono + ANSWERS };
        for (token, message) in messages {
            self.say(board, Say::Ours(message), token, RELEASE_LIFE);
        }
    }

    /// What there is to say, each under its number; the last one's answer counts.
    fn messages(&mut self, now: Now, board: BoardId, matter: Matter) -> Vec<(u64, ToBoard)> {
        let message = match matter {
            Matter::Hello => Some(ToBoard::Hello),
            Matter::Status => Some(ToBoard::Status),
            Matter::Clock => Some(ToBoard::SetClock { utc_us: now.utc.0 }),
            Matter::Settings => self.settings_of(board).map(ToBoard::Configure),
            Matter::Standing => return self.standing_orders(now, board),
        };
        message.map(|message| (self.order_number(), message)).into_iter().collect()
    }

    fn standing_orders(&mut self, now: Now, board: BoardId) -> Vec<(u64, ToBoard)> {
        let Some(door) = self.plan.door(board) else { return Vec::new() };
        let in_doubt = self.boards[board.0].hold_in_doubt;
        if in_doubt && matches!(self.standing(now, door), Standing::HeldOpen(_)) {
            return Vec::new();
        }
        // A lockdown on the board refuses a hold. Only then: a door that is free already must not lock in between.
        let first = self.boards[board.0].owed.refused.then_some((Order::Normal, 0));
        let orders = first.into_iter().chain([self.order_for(now, door)]);
        let numbered = |(order, for_ms)| {
            let id = self.order_number();
            (id, ToBoard::Command { id, order, for_ms })
        };
        orders.map(numbered).collect()
    }
}
