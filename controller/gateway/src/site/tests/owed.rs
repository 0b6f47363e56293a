//! What a board must have is said until it has it.

use endpoints::vendor::{BoardEvent, EventsWriter, FromBoard, Info, Kind as Shape, MAX_BODY, Reset, What};
use endpoints::{Outcome, Refusal, Status};
use osdp::cp::{Failure, Token};
use uplink::event::BoardChange;

use super::*;

const BOARD: BoardId = BoardId(0);
const NEIGHBOUR: BoardId = BoardId(1);
const SECOND: Duration = Duration::from_secs(1);

/// What was said to the board since these were forgotten last, each with its number.
fn said(case: &Case) -> Vec<(ToBoard, u64)> {
    let all = case.orders.iter().zip(&case.tokens);
    let ours = all.filter_map(|((board, say), token)| match say {
        Say::Ours(message) if *board == BOARD => Some((*message, *token)),
        _ => None,
    });
    ours.collect()
}

impl Case {
    fn burns(&mut self, burns: bool) {
        let now = self.time();
        self.site.fire_at(now, now.utc.0, NEIGHBOUR, burns);
        self.step(Input::Tick);
    }

    /// All that was said to the board since comes to nothing.
    fn all_lost(&mut self) {
        for (_, token) in said(self) {
            self.step(Input::Heard(BOARD, Box::new(EventKind::Failed(Token(token), Failure::Expired))));
        }
        self.forget_orders();
    }

    fn answers_last_order(&mut self, outcome: Outcome) {
        let (_, order) = *said(self).last().expect("an order");
        self.forget_orders();
        let now = self.time();
        self.site.order_answered(now, BOARD, order, outcome);
        self.step(Input::Heard(BOARD, Box::new(EventKind::Done(Token(order)))));
    }

    /// The board says who it is, that it has these settings and this log.
    fn introduces_itself(&mut self, settings: u64, epoch: u32) {
        let info = Info {
            kind: Shape::Door,
            firmware: [1, 0, 0],
            epoch,
            oldest: 0,
            newest: 0,
            acked: 0,
            boot: 1,
            uptime_ms: 0,
            utc_us: None,
            settings,
            whitelist: 0,
        };
        let mut body = [0; MAX_BODY];
        let used = FromBoard::Info(info).encode(&mut body).expect("it fits");
        let now = self.time();
        self.site.board_said(now, BOARD, &body[..used]);
        self.step(Input::Tick);
    }

    fn says_how_it_stands(&mut self, conditions: &[endpoints::Condition]) {
        let status = Status {
            leaf: endpoints::LeafNow::Closed,
            lock: endpoints::LockNow::Locked,
            forced: false,
            held: false,
            conditions: endpoints::Conditions::from_slice(conditions).expect("a few"),
        };
        let now = self.time();
        self.site.stands(now, BOARD, boards::Mark { epoch: 9, seq: 0 }, &status);
        self.step(Input::Tick);
    }

    /// It has started, and tells so as the first event of this log.
    fn tells_its_start(&mut self, epoch: u32) {
        let mut body = [0; MAX_BODY];
        let mut writer = EventsWriter::new(&mut body, epoch).expect("room");
        let what = What::Started(Reset::PowerOn);
        writer.push(&BoardEvent { seq: 1, boot: 1, uptime_ms: 0, utc_us: None, what }).expect("room");
        let used = writer.finish();
        let now = self.time();
        self.site.board_said(now, BOARD, &body[..used]);
        self.step(Input::Tick);
    }

    /// It has nothing left to be told.
    fn is_satisfied(&mut self) {
        self.forget_orders();
        self.wait(60 * SECOND);
        assert_eq!(said(self), []);
    }
}

/// A board that has said all that it is asked for.
fn known() -> Case {
    let mut case = Case::new(policy(|_| ()));
    case.introduces_itself(0, 9);
    case.says_how_it_stands(&[]);
    for (message, token) in said(&case) {
        match message {
            ToBoard::Command { id, .. } => {
                let now = case.time();
                case.site.order_answered(now, BOARD, id, Outcome::Done);
            }
            _ => case.step(Input::Heard(BOARD, Box::new(EventKind::Done(Token(token))))),
        }
    }
    case.forget_orders();
    case
}

#[test]
fn a_fire_is_said_every_second_and_its_end_ever_less_often_until_the_board_has_answered() {
    for (burns, order, pauses) in [(true, Order::Hold, [1, 1, 1]), (false, Order::Normal, [1, 2, 4])] {
        let mut case = known();
        if !burns {
            case.burns(true);
            case.answers_last_order(Outcome::Done);
        }
        case.burns(burns);
        assert_eq!(case.ordered(0), [order]);
        for pause in pauses {
            case.all_lost();
            case.wait(pause * SECOND);
            assert_eq!(case.ordered(0), [order], "burns: {burns}");
        }
        case.answers_last_order(Outcome::Done);
        case.is_satisfied();
    }
}

#[test]
fn what_is_said_again_is_what_holds_by_then() {
    let mut case = known();
    case.burns(true);
    case.all_lost();
    case.burns(false);
    assert_eq!(case.ordered(0), [Order::Normal]);
    let until = case.time().utc.0 + 3_600_000_000;
    case.all_lost();
    case.command("lock", Action::Lock { door: 1, until });
    case.answers_last_order(Outcome::Done);
    case.wait(SECOND);
    assert_eq!(case.ordered(0), [Order::Lock]);
}

#[test]
fn a_greeting_is_repeated_until_the_board_has_said_who_it_is_and_how_it_stands() {
    let mut case = Case::new(policy(|_| ()));
    case.step(Input::Heard(BOARD, Box::new(EventKind::SecureChannelUp)));
    let messages = |case: &Case| said(case).into_iter().map(|(it, _)| it).collect::<Vec<_>>();
    assert_eq!(messages(&case), [ToBoard::Hello, ToBoard::Status]);
    case.all_lost();
    case.wait(SECOND);
    assert_eq!(messages(&case), [ToBoard::Hello, ToBoard::Status]);
    // An answer that cannot be read is none.
    for (_, token) in said(&case) {
        case.step(Input::Heard(BOARD, Box::new(EventKind::Done(Token(token)))));
    }
    case.forget_orders();
    case.wait(2 * SECOND);
    assert_eq!(messages(&case), [ToBoard::Hello, ToBoard::Status]);
    known().is_satisfied();
}

#[test]
fn the_time_the_settings_and_how_a_door_stands_are_said_until_the_board_has_them() {
    let mut case = known();
    case.step(Input::Policy(policy(|door| door.strike = Duration::from_secs(7))));
    case.introduces_itself(0, 9);
    let kinds = |case: &Case| {
        let kind = |(message, _)| match message {
            ToBoard::SetClock { .. } => "clock",
            ToBoard::Configure(_) => "settings",
            ToBoard::Command { order: Order::Normal, .. } => "normal",
            other => panic!("{other:?}"),
        };
        said(case).into_iter().map(kind).collect::<Vec<_>>()
    };
    case.forget_orders();
    case.introduces_itself(0, 9);
    assert_eq!(kinds(&case), ["clock", "settings", "normal"]);
    for seconds in [1, 2, 4, 8, 16, 16] {
        case.all_lost();
        case.wait(seconds * SECOND - Duration::from_millis(1));
        assert_eq!(said(&case), [], "not before its time");
        case.wait(Duration::from_millis(1));
        assert_eq!(kinds(&case), ["clock", "settings", "normal"]);
    }
    for (message, token) in said(&case) {
        if !matches!(message, ToBoard::Command { .. }) {
            case.step(Input::Heard(BOARD, Box::new(EventKind::Done(Token(token)))));
        }
    }
    case.answers_last_order(Outcome::Done);
    case.is_satisfied();
}

#[test]
fn nothing_is_owed_to_a_board_that_is_away() {
    let mut case = known();
    case.burns(true);
    case.step(Input::Heard(BOARD, Box::new(EventKind::Offline(OfflineReason::NoReply))));
    case.is_satisfied();
    case.step(Input::Heard(BOARD, Box::new(EventKind::Online { identity: None, secure: true })));
    case.introduces_itself(0, 9);
    assert_eq!(case.ordered(0), [Order::Hold]);
}

#[test]
fn a_board_that_is_locked_down_is_freed_by_a_fire_at_once() {
    let mut case = known();
    case.burns(true);
    case.answers_last_order(Outcome::Refused(Refusal::Lockdown));
    assert_eq!(case.ordered(0), [Order::Normal, Order::Hold]);
    case.answers_last_order(Outcome::Refused(Refusal::Lockdown));
    assert_eq!(case.ordered(0), [], "not in a circle");
    case.wait(SECOND);
    assert_eq!(case.ordered(0), [Order::Normal, Order::Hold]);
    case.answers_last_order(Outcome::Done);
    case.is_satisfied();
}

#[test]
fn a_hold_that_is_ordered_in_a_fire_does_not_end_before_it() {
    let mut case = known();
    case.burns(true);
    case.answers_last_order(Outcome::Done);
    let until = case.time().utc.0 + 5_000_000;
    case.command("hold", Action::HoldOpen { door: 1, until });
    let held = said(&case).into_iter().find_map(|(message, _)| match message {
        ToBoard::Command { order: Order::Hold, for_ms, .. } => Some(for_ms),
        _ => None,
    });
    assert_eq!(held, Some(u32::MAX));
}

#[test]
fn a_board_that_had_to_begin_another_log_is_asked_of_it_and_tells_all_of_it() {
    let started = |case: &Case| {
        let started =
            |entry: &&Entry| matches!(&entry.body, Body::Board(it) if it.change == BoardChange::Started);
        case.written.iter().filter(started).count()
    };
    let greeted = |case: &Case| said(case).iter().filter(|(it, _)| *it == ToBoard::Hello).count();
    let mut case = known();
    case.wait(SECOND);
    case.forget_orders();
    for _ in 0..5 {
        case.tells_its_start(10);
        case.wait(Duration::from_millis(150));
    }
    assert_eq!((greeted(&case), started(&case)), (1, 0), "asked once, though it tells again and again");
    case.introduces_itself(0, 10);
    case.tells_its_start(10);
    assert_eq!(started(&case), 1);
    // One that says one thing and does another is asked every second.
    case.forget_orders();
    for _ in 0..10 {
        case.tells_its_start(11);
        case.introduces_itself(0, 10);
        case.wait(Duration::from_millis(300));
    }
    assert_eq!(greeted(&case), 3);
}
