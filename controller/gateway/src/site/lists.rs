//! The lists that boards open by while they are alone: made, sent and renewed while their controller is there.
//!
//! A board whose rule is to refuse gets none. A list that did not arrive is sent again; one that is half over, or names
//! others than the policy does by now, is replaced. What a board away holds stays good until its time ends: that is what a
//! list is for, and why it ends.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::DoorId;
use endpoints::vendor::OfflineRule;
use endpoints::vendor::whitelist::FILE_TYPE;
use osdp::cp::Failure;
use serde::{Deserialize, Serialize};
use uplink::live;

use super::{BoardId, Effect, Now, RELEASE_LIFE, Say, Site};
use crate::whitelist::{List, Order};

/// A list that did not arrive is made and sent again after this, in microseconds.
const RETRY: u64 = 30_000_000;
/// Whether a list is still right is asked at least so often, and a quarter of its life at most.
const LOOK: Duration = Duration::from_secs(900);

/// The list of one board.
#[derive(Debug, Default)]
pub(super) struct ListNow {
    /// The number that the board says it has, 0 for none; not known while it is away.
    has: Option<u32>,
    /// The list that it was given last. Not what it has, if that has another number.
    pub(super) given: Option<ListKept>,
    work: Work,
    /// When to look again, microseconds since start.
    look_at: Option<u64>,
    /// Not before this again.
    not_before: u64,
}

#[derive(Debug, Default)]
enum Work {
    #[default]
    Nothing,
    Making,
    Sending {
        token: u64,
        list: ListKept,
    },
}

/// A list as it is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ListKept {
    number: u32,
    /// UTC, microseconds.
    until: i64,
    members: u64,
}

impl ListNow {
    /// The list it was given last, where that is what it holds or was when it went.
    pub(super) fn told(&self) -> Option<live::List> {
        let given = self.given.filter(|given| self.has.is_none_or(|has| has == given.number));
        given.map(|given| live::List { number: given.number, until: given.until })
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        match self.work {
            Work::Nothing => self.look_at,
            Work::Making | Work::Sending { .. } => None,
        }
    }

    /// The board went: what was on its way to it is not any more.
    pub(super) fn gone(&mut self) {
        (self.has, self.work, self.look_at) = (None, Work::Nothing, None);
    }

    fn look(&mut self, at: u64) {
        if self.has.is_some() {
            self.look_at = Some(at.max(self.not_before));
        }
    }
}

impl Site {
    /// A board says which list it has.
    pub(super) fn has_list(&mut self, now: Now, board: BoardId, number: u32) {
        if self.list_door(board).is_none() {
            return;
        }
        let list = &mut self.boards[board.0].list;
        list.has = Some(number);
        list.given = list.given.filter(|given| given.number == number);
        list.look(now.mono);
    }

    /// Policy or clock are others now.
    pub(super) fn look_at_lists(&mut self, now: Now) {
        for board in &mut self.boards {
            board.list.look(now.mono);
        }
    }

    pub(super) fn lists_due(&mut self, now: Now) {
        for board in self.plan.ids() {
            let list = &mut self.boards[board.0].list;
            if list.deadline().is_none_or(|at| at > now.mono) {
                continue;
            }
            list.look_at = None;
            let Some(door) = self.list_door(board) else { continue };
            let list = &mut self.boards[board.0].list;
            let newest = list.has.unwrap_or(0).max(list.given.map_or(0, |given| given.number));
            list.work = Work::Making;
            let order = Order {
                policy: Arc::clone(&self.policy),
                door,
                number: newest.saturating_add(1),
                board: self.boards[board.0].serial(),
                now: now.utc,
                life: self.plan.whitelist_life,
                salt: self.key.list_salt(),
            };
            self.effects.push(Effect::MakeList(board, Box::new(order)));
        }
    }

    pub(super) fn list_made(&mut self, now: Now, board: BoardId, made: &List) {
        let life = self.plan.whitelist_life;
        let list = &mut self.boards[board.0].list;
        if !matches!(list.work, Work::Making) {
            return;
        }
        list.work = Work::Nothing;
        let again = u64::try_from((life / 4).min(LOOK).as_micros()).unwrap_or(u64::MAX);
        list.look(now.mono.saturating_add(again));
        let fresh = ListKept { number: made.number, until: made.until.0, members: made.members };
        if list.given.is_some_and(|given| given.is_as_good_as(&fresh, now)) {
            return;
        }
        if made.left_out > 0 {
            let board = &self.plan.board(board).name;
            tracing::warn!(%board, left_out = made.left_out, "more people may enter than a board's list has room for");
        }
        let token = self.order_number();
        self.boards[board.0].list.work = Work::Sending { token, list: fresh };
        let say = Say::File { kind: FILE_TYPE, data: Arc::clone(&made.file), from: 0 };
        self.say(board, say, token, RELEASE_LIFE);
    }

    /// A board took a list. Says whether the token was one's.
    pub(super) fn list_taken(&mut self, board: BoardId, token: u64) -> bool {
        let list = &mut self.boards[board.0].list;
        let Work::Sending { token: sent, list: taken } = list.work else { return false };
        if sent != token {
            return false;
        }
        (list.work, list.has, list.given) = (Work::Nothing, Some(taken.number), Some(taken));
        tracing::info!(board = %self.plan.board(board).name, list = taken.number, "a board has a new list");
        self.keep_board(board);
        true
    }

    /// A list did not arrive, or was not taken. Says whether the token was one's.
    pub(super) fn list_not_taken(&mut self, now: Now, board: BoardId, token: u64, failure: Failure) -> bool {
        let list = &mut self.boards[board.0].list;
        if !matches!(list.work, Work::Sending { token: sent, .. } if sent == token) {
            return false;
        }
        list.work = Work::Nothing;
        list.not_before = now.mono.saturating_add(RETRY);
        list.look(now.mono);
        tracing::warn!(board = %self.plan.board(board).name, %failure, "a board did not take its list");
        // It may have another number or other settings than was thought: it says so in its answer.
        self.greet(now, board);
        true
    }

    /// The door whose people a board may let in alone.
    fn list_door(&self, board: BoardId) -> Option<DoorId> {
        let device = self.plan.board(board);
        let wanted = self.plan.is_ours(board) && device.offline == OfflineRule::Whitelist;
        // Without its settings, which come from the policy, a board does not know the key either.
        device.door.filter(|door| wanted && self.policy.door(*door).is_some())
    }
}

impl ListKept {
    /// Names the same, holds no longer than is right, and has more than half of its time to go.
    fn is_as_good_as(&self, fresh: &ListKept, now: Now) -> bool {
        let left = |list: &ListKept| list.until.saturating_sub(now.utc.0);
        self.members == fresh.members && self.until <= fresh.until && left(self) > left(fresh) / 2
    }
}
