//! Install windows: an operator lets new boards be given their keys, for some minutes, while the controller runs.
//!
//! A window is open only here, in memory: it is of this run, and no start opens one. It is for boards that are not there yet:
//! one that answers under its own key is not disturbed.

use domain::time::Utc;
use uplink::command::{Action, Command, LONGEST_WINDOW, Settled, WINDOW_RANK};
use uplink::event::BoardChange;

use super::{BoardId, Now, Say, Site};

/// A window that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Who opened it.
    pub(super) by: u64,
    /// When it closes, by the wall clock, for people.
    pub(super) until: Utc,
    /// And in truth: microseconds since start, whatever becomes of the wall clock.
    pub(super) closes: u64,
}

impl Site {
    /// Carries out a command that concerns windows; nothing, when it concerns a door.
    pub(super) fn window_commanded(&mut self, now: Now, command: &Command) -> Option<Settled> {
        match &command.action {
            Action::OpenInstall { bus, address, until } => {
                let left = until.saturating_sub(now.utc.0);
                Some(if command.rank < WINDOW_RANK {
                    Settled::Outranked
                } else if left <= 0 {
                    Settled::Expired
                } else {
                    // Clocks differ by a little; nobody has it open for longer.
                    self.open_windows(now, bus, *address, command.by, left.min(LONGEST_WINDOW))
                })
            }
            Action::CloseInstall { bus, address } => {
                let boards = self.boards_of(bus, *address);
                if boards.is_empty() {
                    return Some(Settled::UnknownBoard);
                }
                for board in boards {
                    if self.boards[board.0].window.is_some() {
                        self.say(board, Say::EndInstall, 0, LIFE);
                        self.window_closed(now, board);
                    }
                }
                Some(Settled::Done)
            }
            Action::Release { .. }
            | Action::HoldOpen { .. }
            | Action::Lock { .. }
            | Action::Normal { .. } => None,
        }
    }

    fn boards_of(&self, bus: &str, address: Option<u8>) -> Vec<BoardId> {
        let of_bus = |id: &BoardId| {
            let plan = &self.plan.boards[id.0];
            self.plan.buses[plan.bus] == bus && address.is_none_or(|it| it == plan.device.address)
        };
        self.plan.ids().filter(of_bus).collect()
    }

    fn open_windows(&mut self, now: Now, bus: &str, address: Option<u8>, by: u64, left: i64) -> Settled {
        let boards = self.boards_of(bus, address);
        if boards.is_empty() {
            return Settled::UnknownBoard;
        }
        let new: Vec<BoardId> = boards.into_iter().filter(|board| !self.boards[board.0].online()).collect();
        if new.is_empty() {
            return Settled::HasKey;
        }
        let life = u64::try_from(left).unwrap_or(0);
        for board in new {
            let window = Window { by, until: Utc(now.utc.0 + left), closes: now.mono + life };
            self.boards[board.0].window = Some(window);
            self.say(board, Say::Install, 0, life);
            self.board_event(now.utc.0, board, BoardChange::InstallOpened);
        }
        Settled::Done
    }

    /// It answers under the key that it was given.
    pub(super) fn installed(&mut self, now: Now, board: BoardId) {
        if self.boards[board.0].window.take().is_some() {
            self.board_event(now.utc.0, board, BoardChange::Installed);
        }
    }

    /// It is closed, by whatever.
    pub(super) fn window_closed(&mut self, now: Now, board: BoardId) {
        if self.boards[board.0].window.take().is_some() {
            self.board_event(now.utc.0, board, BoardChange::InstallClosed);
        }
    }

    pub(super) fn windows_due(&mut self, now: Now) {
        for board in self.plan.ids() {
            if self.boards[board.0].window.is_some_and(|window| window.closes <= now.mono) {
                self.window_closed(now, board);
            }
        }
    }
}

/// That a window is closed is said as long as it may be open.
const LIFE: u64 = LONGEST_WINDOW.unsigned_abs();
