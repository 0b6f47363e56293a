//! A door of another maker, through plain OSDP inputs and outputs: the machine that runs on our boards runs here instead.
//!
//! The lock is only ever released for a time, and for no longer than it may be: if this controller stops or the line is cut, the
//! panel locks by itself.

use std::time::Duration;

use endpoints::door::{Cause, Door, Event, Given, Input, Output, Settings};
use endpoints::{Command, Condition, Effect, LeafNow, Link, Order, Outcome, Sense};
use osdp::{OutputAction, OutputControl};
use uplink::command::Settled;
use uplink::live::Lock;

use super::boards::door_settings;
use super::{BoardId, Now, RELEASE_LIFE, Say, Site};
use crate::config::Terminals;

/// The panel is told to release for this long at most, and told again this often while it lasts longer, in microseconds.
const LASTS: u64 = 30_000_000;
const RENEW: u64 = 10_000_000;
/// What did not reach the panel is told again after this, in microseconds.
const AGAIN: u64 = 1_000_000;
/// The unit of OSDP's output timer, in microseconds.
const TICK: u64 = 100_000;

#[derive(Debug)]
pub(super) struct Plain {
    machine: Door,
    terminals: Terminals,
    told: Told,
    /// When the panel is told again.
    tell_at: Option<u64>,
}

/// What the panel was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Locked,
    /// Released, until then as the machine had it; without an end if there is none.
    Released(Option<u64>),
}

impl Plain {
    pub(super) fn new(terminals: Terminals) -> Plain {
        Plain { machine: Door::new(Settings::default()), terminals, told: Told::Locked, tell_at: None }
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        [self.machine.deadline(), self.tell_at].into_iter().flatten().min()
    }

    fn is_released(&self) -> bool {
        self.machine.output(Output::Lock)
    }

    /// What the panel should have been told.
    fn wanted(&self) -> Told {
        if self.is_released() { Told::Released(self.machine.released_until()) } else { Told::Locked }
    }

    /// Whether it is released for nothing but somebody who was let in.
    fn only_lets_in(&self) -> bool {
        let causes = self.machine.causes();
        let others = [Cause::Fire, Cause::BreakGlass, Cause::MainsLoss, Cause::Rex, Cause::Hold];
        self.is_released() && !others.into_iter().any(|cause| causes.contains(cause))
    }

    /// The output command for what holds now.
    fn control(&mut self, now: Now) -> OutputControl {
        self.told = self.wanted();
        let (output, left) = (
            self.terminals.lock,
            match self.told {
                Told::Locked => 0,
                Told::Released(until) => {
                    until.map_or(u64::MAX, |until| until.saturating_sub(now.mono).max(1))
                }
            },
        );
        self.tell_at = (left > LASTS).then_some(now.mono + RENEW);
        if left == 0 {
            return OutputControl { output, action: OutputAction::OffAbortTimer, timer_100ms: 0 };
        }
        let timer_100ms = u16::try_from(left.min(LASTS).div_ceil(TICK)).expect("300 at most");
        OutputControl { output, action: OutputAction::OnForTimer, timer_100ms }
    }
}

impl Site {
    pub(super) fn configure_plain(&mut self, board: BoardId) {
        let settings = self.plan.door(board).and_then(|door| self.policy_door(door)).map(door_settings);
        if let (Some(plain), Some(settings)) = (&mut self.boards[board.0].plain, settings) {
            plain.machine.set_settings(settings);
        }
    }

    pub(super) fn release_plain(&mut self, now: Now, board: BoardId, order: u64, strike: Duration) {
        let for_ms = u32::try_from(strike.as_millis()).unwrap_or(u32::MAX);
        let release = Command::from_controller(order, Order::Release, for_ms);
        if let Some(Outcome::Refused(_)) = self.step_plain(now, board, Given::Command(release)) {
            self.not_released(now, order, "board-refused");
        }
    }

    pub(super) fn order_plain(&mut self, now: Now, board: BoardId, id: u64, order: Order, for_ms: u32) {
        let outcome =
            self.step_plain(now, board, Given::Command(Command::from_controller(id, order, for_ms)));
        match outcome {
            Some(Outcome::Refused(_)) => self.order_settled(now, id, Settled::Refused),
            // The panel's answer to the output command settles a release; what moves no output is done now.
            Some(Outcome::Done | Outcome::Repeated) if order != Order::Release => {
                self.order_settled(now, id, Settled::Done);
            }
            Some(Outcome::Done | Outcome::Repeated) | None => {}
        }
    }

    /// The panel carried out the output command of an order.
    pub(super) fn plain_order_done(&mut self, now: Now, token: u64) {
        self.order_settled(now, token, Settled::Done);
    }

    pub(super) fn plain_inputs(&mut self, now: Now, board: BoardId, inputs: &[u8]) {
        let Some(plain) = &self.boards[board.0].plain else { return };
        let terminals = plain.terminals;
        let lines =
            [(Input::Contact, terminals.contact), (Input::Rex, terminals.rex), (Input::Fire, terminals.fire)];
        for (line, number) in lines {
            let value = number.and_then(|number| inputs.get(usize::from(number)));
            if let Some(value) = value {
                let sense = if *value == 0 { Sense::Rest } else { Sense::Active };
                self.step_plain(now, board, Given::Sense(line, sense));
            }
        }
        self.show_plain(board);
    }

    /// What the machine knows of the door is what the door is known by: most of it no event repeats.
    fn show_plain(&mut self, board: BoardId) {
        let Some(plain) = &self.boards[board.0].plain else { return };
        let mut status = plain.machine.status();
        if plain.terminals.contact.is_none() {
            status.leaf = LeafNow::Unknown;
        }
        let it = &self.boards[board.0];
        let conditions = [(Condition::Tamper, it.tamper), (Condition::MainsLost, it.power)];
        for (condition, _) in conditions.into_iter().filter(|(_, holds)| *holds) {
            status.conditions.push(condition).expect("a door has far fewer than there is room for");
        }
        self.show_status(board, &status);
    }

    /// It came: what stands is told, and that is a release only where it burns.
    pub(super) fn plain_online(&mut self, now: Now, board: BoardId) {
        if self.boards[board.0].plain.is_none() {
            return;
        }
        self.configure_plain(board);
        self.step_plain(now, board, Given::Link(Link::Up));
        self.drive(now, board, 0);
        if let Some(door) = self.plan.door(board) {
            // Of before this controller's start.
            self.lift_hold(now, door);
        }
        self.restore_standing(now, board);
        let lock = if self.lock_is_released(board) { Lock::Released } else { Lock::Locked };
        self.touch(board, |point| point.lock = lock);
    }

    /// It went: what it was told to hold ends, so that its return opens nothing.
    pub(super) fn plain_offline(&mut self, now: Now, board: BoardId) {
        if self.boards[board.0].plain.is_none() {
            return;
        }
        self.step_plain(now, board, Given::Command(Command::from_controller(0, Order::Normal, 0)));
        // Nobody can tell any more whether the button is still pressed.
        self.step_plain(now, board, Given::Sense(Input::Rex, Sense::Rest));
        self.step_plain(now, board, Given::Link(Link::Down));
        if let Some(door) = self.plan.door(board) {
            self.lift_hold(now, door);
        }
    }

    pub(super) fn plain_boards_tick(&mut self, now: Now) {
        for board in self.plan.ids() {
            if self.boards[board.0].deadline().is_some_and(|at| at <= now.mono) {
                self.step_plain(now, board, Given::Tick);
                let due = |plain: &Plain| plain.tell_at.is_some_and(|at| at <= now.mono);
                if self.boards[board.0].plain.as_ref().is_some_and(due) {
                    self.drive(now, board, 0);
                }
            }
        }
    }

    /// The panel may not do what it was told: it is told again what holds by then. Whom a lost release was to let in has been
    /// refused since.
    pub(super) fn tell_plain_again(&mut self, now: Now, board: BoardId) {
        let it = &mut self.boards[board.0];
        let online = it.online();
        if let Some(plain) = it.plain.as_mut().filter(|plain| online && !plain.only_lets_in()) {
            plain.tell_at = Some(now.mono + AGAIN);
        }
    }

    fn step_plain(&mut self, now: Now, board: BoardId, given: Given) -> Option<Outcome> {
        let order = match given {
            Given::Command(command) => command.id,
            Given::Sense(..) | Given::Link(_) | Given::Tick => 0,
        };
        let effects = self.boards[board.0].plain.as_mut()?.machine.step(now.mono, given);
        let mut answer = None;
        let mut driven = false;
        for effect in effects {
            match effect {
                Effect::Set(Output::Lock, _) => {
                    self.drive(now, board, order);
                    driven = true;
                }
                // Sounder and lights of another maker's panel are its own.
                Effect::Set(
                    Output::Sounder | Output::ReaderGreen | Output::ReaderRed | Output::ReaderBuzzer,
                    _,
                ) => {}
                Effect::Event(event) => self.plain_reported(now, board, event),
                Effect::Began(condition) => self.condition(now, now.utc.0, board, condition, true),
                Effect::Ended(condition) => self.condition(now, now.utc.0, board, condition, false),
                Effect::Answer(outcome) => answer = Some(outcome),
            }
        }
        let plain = self.boards[board.0].plain.as_ref()?;
        if answer == Some(Outcome::Done) && !driven && order != 0 && plain.is_released() {
            // Released already: the time is renewed.
            self.drive(now, board, order);
        } else if plain.told != plain.wanted() {
            // Released for something that lasts longer, or not so long.
            self.drive(now, board, 0);
        }
        answer
    }

    fn lock_is_released(&self, board: BoardId) -> bool {
        self.boards[board.0].plain.as_ref().is_some_and(Plain::is_released)
    }

    fn plain_reported(&mut self, now: Now, board: BoardId, event: Event) {
        self.door_reported(now.utc.0, board, event);
    }

    /// Tells the panel what holds now.
    fn drive(&mut self, now: Now, board: BoardId, token: u64) {
        let Some(plain) = &mut self.boards[board.0].plain else { return };
        let control = plain.control(now);
        if self.boards[board.0].online() {
            self.say(board, Say::Output(control), token, RELEASE_LIFE);
        }
    }
}
