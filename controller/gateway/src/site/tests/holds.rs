//! Doors held open by an operator: a hold is there while its board has it, and comes back by itself never.

use domain::state::OverrideMode;
use endpoints::{Condition, Conditions, LeafNow, LockNow, Outcome, Status};
use osdp::cp::{Failure, Token};

use super::boards::Mark;
use super::*;

const BOARD: BoardId = BoardId(0);
const NEIGHBOUR: BoardId = BoardId(1);

impl Case {
    fn fire(&mut self, burns: bool) {
        let now = self.time();
        self.site.fire_at(now, now.utc.0, NEIGHBOUR, burns);
        self.step(Input::Tick);
    }

    /// A fire that comes and goes; says what the board is told when it is over.
    fn after_a_fire(&mut self) -> Vec<Order> {
        self.fire(true);
        self.forget_orders();
        self.fire(false);
        self.ordered(0)
    }

    fn an_hour_on(&self) -> i64 {
        self.time().utc.0 + 3_600_000_000
    }

    /// An operator holds the lobby open for an hour; says by which order.
    fn hold(&mut self, id: &str) -> u64 {
        let until = self.an_hour_on();
        self.forget_orders();
        self.command(id, Action::HoldOpen { door: 1, until });
        self.last_order()
    }

    fn held(&mut self) {
        let order = self.hold("hold");
        self.board_answers(order);
        assert_eq!(self.results.last().map(|it| it.settled), Some(Settled::Done));
    }

    fn last_order(&self) -> u64 {
        let mut orders = self.orders.iter().filter_map(|(board, say)| match say {
            Say::Ours(ToBoard::Command { id, .. }) if *board == BOARD => Some(*id),
            _ => None,
        });
        orders.next_back().expect("an order")
    }

    fn board_answers(&mut self, order: u64) {
        let now = self.time();
        self.site.order_answered(now, BOARD, order, Outcome::Done);
        self.step(Input::Tick);
    }

    fn board_fails(&mut self, order: u64) {
        self.step(Input::Heard(BOARD, Box::new(EventKind::Failed(Token(order), Failure::Unconfirmed))));
    }

    fn board_is(&mut self, there: bool) {
        let event = if there {
            EventKind::Online { identity: None, secure: true }
        } else {
            EventKind::Offline(OfflineReason::NoReply)
        };
        self.step(Input::Heard(BOARD, Box::new(event)));
    }

    /// The board says how it stands.
    fn board_holds(&mut self, holds: bool) {
        let conditions = if holds { &[Condition::HeldOpen][..] } else { &[] };
        let status = Status {
            leaf: LeafNow::Closed,
            lock: LockNow::Locked,
            forced: false,
            held: false,
            conditions: Conditions::from_slice(conditions).expect("one"),
        };
        let now = self.time();
        self.site.stands(now, BOARD, Mark { epoch: 9, seq: 0 }, &status);
        self.step(Input::Tick);
    }

    fn in_force(&self) -> Option<OverrideMode> {
        self.site.state.override_at(LOBBY, self.time().utc).map(|it| it.mode)
    }
}

#[test]
fn what_is_ordered_of_a_board_that_is_away_changes_nothing() {
    let mut case = Case::new(policy(|_| ()));
    case.board_is(false);
    let until = case.an_hour_on();
    let ordered = [
        Action::HoldOpen { door: 1, until },
        Action::Lock { door: 1, until },
        Action::HoldOpen { door: 1, until },
    ];
    for (at, action) in ordered.into_iter().enumerate() {
        case.command(&at.to_string(), action);
        assert_eq!(case.results.last().map(|it| it.settled), Some(Settled::BoardOffline));
        assert_eq!(case.in_force(), None);
    }
    case.board_is(true);
    assert_eq!(case.after_a_fire(), [Order::Normal]);

    // Neither does it end what stands.
    let mut case = Case::new(policy(|_| ()));
    case.held();
    case.board_is(false);
    case.command("normal", Action::Normal { door: 1 });
    assert_eq!(case.in_force(), Some(OverrideMode::HeldOpen));
}

#[test]
fn a_hold_that_a_board_has_forgotten_is_over() {
    let again: [fn(&mut Case); 2] = [
        |case| {
            case.board_is(false);
            case.board_is(true);
        },
        |case| case.step(Input::Heard(BOARD, Box::new(EventKind::SecureChannelUp))),
    ];
    for comes_back in again {
        let mut case = Case::new(policy(|_| ()));
        case.held();
        comes_back(&mut case);
        case.board_holds(false);
        assert_eq!(case.in_force(), None);
        assert!(!case.memory.iter().any(|(kind, ..)| kind == "override"), "{:?}", case.memory);
        assert_eq!(case.after_a_fire(), [Order::Normal]);
    }
}

#[test]
fn a_hold_that_a_board_still_has_ends_at_its_time() {
    let mut case = Case::new(policy(|_| ()));
    case.held();
    // A fire has it held without end; the word that it is over is lost with the link.
    case.fire(true);
    case.board_is(false);
    case.fire(false);
    case.wait(Duration::from_secs(1_800));
    case.board_is(true);
    case.forget_orders();
    case.board_holds(true);
    let holds = case.orders.iter().find_map(|(board, say)| match say {
        Say::Ours(ToBoard::Command { order: Order::Hold, for_ms, .. }) if *board == BOARD => Some(*for_ms),
        _ => None,
    });
    assert_eq!(holds, Some(1_800_000), "the half hour that is left");
    assert_eq!(case.in_force(), Some(OverrideMode::HeldOpen));
}

#[test]
fn a_hold_does_not_come_back_with_a_board_whose_own_fire_is_over() {
    let mut case = Case::new(policy(|_| ()));
    case.held();
    let now = case.time();
    case.site.fire_at(now, now.utc.0, BOARD, true);
    case.board_is(false);
    case.board_is(true);
    case.forget_orders();
    // It has started again, with its fire contact at rest.
    case.board_holds(false);
    assert_eq!(case.ordered(0), [Order::Normal]);
    assert_eq!(case.in_force(), None);
}

#[test]
fn while_a_hold_is_in_doubt_no_end_of_a_fire_gives_it_again() {
    let mut case = Case::new(policy(|_| ()));
    case.held();
    case.board_is(false);
    case.board_is(true);
    assert_eq!(case.after_a_fire(), []);
    case.board_holds(true);
    assert_eq!(case.ordered(0), [Order::Hold]);
}

#[test]
fn a_hold_that_failed_is_given_up_and_a_lock_it_replaced_holds_again() {
    let mut case = Case::new(policy(|_| ()));
    let order = case.hold("first");
    case.forget_orders();
    case.board_fails(order);
    assert_eq!(case.results.last().map(|it| it.settled), Some(Settled::BoardOffline));
    assert_eq!(
        (case.in_force(), case.ordered(0)),
        (None, vec![Order::Normal]),
        "it may have been carried out"
    );
    assert_eq!(case.after_a_fire(), [Order::Normal]);

    let until = case.an_hour_on();
    case.forget_orders();
    case.command("lock", Action::Lock { door: 1, until });
    let lock = case.last_order();
    case.board_answers(lock);
    let order = case.hold("second");
    case.forget_orders();
    case.board_fails(order);
    assert_eq!((case.in_force(), case.ordered(0)), (Some(OverrideMode::Locked), vec![Order::Lock]));

    // Nobody answers at all.
    let _silence = case.hold("third");
    case.forget_orders();
    case.wait(Duration::from_secs(3));
    assert_eq!((case.in_force(), case.ordered(0)), (Some(OverrideMode::Locked), vec![Order::Lock]));
}

#[test]
fn what_shuts_a_door_is_wanted_though_it_failed() {
    let mut case = Case::new(policy(|_| ()));
    case.held();
    case.forget_orders();
    case.command("normal", Action::Normal { door: 1 });
    let order = case.last_order();
    case.forget_orders();
    case.board_fails(order);
    assert_eq!(case.ordered(0), [Order::Normal]);
    let until = case.an_hour_on();
    case.command("lock", Action::Lock { door: 1, until });
    let order = case.last_order();
    case.forget_orders();
    case.board_fails(order);
    assert_eq!((case.in_force(), case.ordered(0)), (Some(OverrideMode::Locked), vec![Order::Lock]));
}

#[test]
fn a_hold_ordered_after_a_board_has_come_is_not_taken_for_one_it_forgot() {
    let mut case = Case::new(policy(|_| ()));
    case.held();
    case.step(Input::Heard(BOARD, Box::new(EventKind::SecureChannelUp)));
    let _on_its_way = case.hold("again");
    case.board_holds(false);
    assert_eq!(case.in_force(), Some(OverrideMode::HeldOpen));
    case.step(Input::Heard(BOARD, Box::new(EventKind::SecureChannelUp)));
    case.board_holds(false);
    assert_eq!(case.in_force(), Some(OverrideMode::HeldOpen), "its answer will tell");
}

#[test]
fn another_makers_door_is_not_held_again_by_a_controller_that_has_started() {
    let mut case = Case::new(policy(|_| ()));
    let until = case.an_hour_on();
    case.command("hold", Action::HoldOpen { door: 3, until });
    let memory = case.memory.clone();
    let mut case = Case::offline(policy(|_| ()), &memory);
    case.step(Input::Heard(PLAIN, Box::new(EventKind::Online { identity: None, secure: true })));
    case.fire(true);
    case.forget_orders();
    case.fire(false);
    let mut told = case.orders.iter().filter_map(|(board, say)| match say {
        Say::Output(control) if *board == PLAIN => Some(control.action),
        _ => None,
    });
    assert_eq!(told.next_back(), Some(OutputAction::OffAbortTimer));
}
