//! Fire: what one board senses frees every door of its zone on this controller, until the last board there is quiet again.
//!
//! A board that goes away while it burns still burns: only its own word ends that.

use std::collections::BTreeSet;

use domain::ids::{DoorId, FireZoneId};
use domain::state;
use endpoints::Condition;
use endpoints::vendor::What;
use uplink::event::{Body, Fire, FireChange};

use super::point::Cause;
use super::{BoardId, Now, Site};

impl Site {
    /// Whether the end of a fire is none: the line went from operated into fault, as one does that burns through. Boards of an
    /// older make tell that as an end and a fault.
    pub(super) fn burns_through(&mut self, board: BoardId, what: What, then: Option<What>) -> bool {
        let through =
            what == What::Ended(Condition::Fire) && then.is_some_and(|it| self.is_loop_fault(board, it));
        if through && !self.replaying {
            self.boards[board.0].burnt_through = self.boards[board.0].fire;
        }
        through
    }

    /// Whether a fire is over that only the fault of its line kept up: the line is at rest again.
    pub(super) fn has_burnt_out(&self, board: BoardId, what: What, then: Option<What>) -> bool {
        let What::Ended(ended) = what else { return false };
        let goes_on = |it| it == What::Began(Condition::Fire) || self.is_loop_fault(board, it);
        self.boards[board.0].burnt_through
            && !self.replaying
            && self.is_loop_fault(board, What::Began(ended))
            && !then.is_some_and(goes_on)
    }

    fn is_loop_fault(&self, board: BoardId, what: What) -> bool {
        matches!(what, What::Began(Condition::Cut(input) | Condition::Shorted(input))
            if Some(input) == self.fire_input(board))
    }

    pub(super) fn fire_at(&mut self, now: Now, at: i64, board: BoardId, burns: bool) {
        if !self.replaying {
            self.boards[board.0].burnt_through = false;
            if std::mem::replace(&mut self.boards[board.0].fire, burns) == burns {
                return;
            }
            self.keep_board(board);
            self.fire_zones_changed(now);
        }
        let door = self.plan.door(board);
        let zone = door.and_then(|door| self.policy_door(door)?.fire_zone).map(u64::from);
        let change = if burns { FireChange::Alarm } else { FireChange::Cleared };
        self.event(at, Body::Fire(Fire { door: door.map(u64::from), zone, change }));
    }

    /// Brings rules and boards in line with the zones that burn now.
    pub(super) fn fire_zones_changed(&mut self, now: Now) {
        let burning: BTreeSet<FireZoneId> = self
            .plan
            .ids()
            .filter(|board| self.boards[board.0].fire)
            .filter_map(|board| self.zone(board))
            .collect();
        let freed = self.doors_in(&burning);
        let before = std::mem::replace(&mut self.burning, burning);
        let freed_before = std::mem::replace(&mut self.freed, freed);
        let (began, ended): (Vec<_>, Vec<_>) =
            self.burning.symmetric_difference(&before).copied().partition(|zone| self.burning.contains(zone));
        for zone in began {
            self.observe(state::Event::FireBegan(zone));
        }
        for zone in ended {
            self.observe(state::Event::FireEnded(zone));
        }
        let changed: Vec<DoorId> = self.freed.symmetric_difference(&freed_before).copied().collect();
        for door in changed {
            if let Some(board) = self.plan.driver(door) {
                // An operator's hold that the fire overlaid goes on: no link was lost.
                self.want_standing(now, board);
            }
        }
        self.show_fire();
    }

    /// Whether a fire in its zone frees this door.
    pub(super) fn freed(&self, door: DoorId) -> bool {
        self.freed.contains(&door)
    }

    fn zone(&self, board: BoardId) -> Option<FireZoneId> {
        self.policy_door(self.plan.door(board)?)?.fire_zone
    }

    fn doors_in(&self, zones: &BTreeSet<FireZoneId>) -> BTreeSet<DoorId> {
        let doors = self.policy.doors().iter();
        let here = doors.filter(|door| door.fire_zone.is_some_and(|zone| zones.contains(&zone)));
        here.map(|door| door.id).filter(|door| self.plan.driver(*door).is_some()).collect()
    }

    pub(super) fn show_fire(&mut self) {
        for board in self.plan.ids() {
            let own = self.boards[board.0].fire;
            let zone = self.plan.door(board).is_some_and(|door| self.freed(door));
            self.touch(board, |point| point.cause(Cause::Fire, own || zone));
        }
    }
}
