//! What the panel of another maker's door is told.

use osdp::cp::{Failure, Token};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const NEIGHBOUR: BoardId = BoardId(1);

/// "Off" as 0, "on for so many tenths of a second" as these.
fn told(case: &mut Case) -> Vec<u16> {
    let outputs = case.orders.iter().filter_map(|(board, say)| match say {
        Say::Output(control) if *board == PLAIN && control.action == OutputAction::OnForTimer => {
            assert_ne!(control.timer_100ms, 0, "that would be for ever");
            Some(control.timer_100ms)
        }
        Say::Output(control) if *board == PLAIN && control.action == OutputAction::OffAbortTimer => Some(0),
        _ => None,
    });
    let outputs = outputs.collect();
    case.orders.clear();
    outputs
}

impl Case {
    fn lets_in(&mut self, id: &str) {
        self.command(id, Action::Release { door: 3, side: uplink::event::Side::Entry });
    }

    fn holds_open(&mut self, time: Duration) {
        let until = self.time().utc.plus(time).0;
        self.command("hold", Action::HoldOpen { door: 3, until });
    }

    fn button(&mut self, pressed: bool) {
        let inputs = heapless::Vec::from_slice(&[0, u8::from(pressed)]).expect("two");
        self.step(Input::Heard(PLAIN, Box::new(EventKind::Inputs(inputs))));
    }

    fn zone_burns(&mut self, burns: bool) {
        let now = self.time();
        self.site.fire_at(now, now.utc.0, NEIGHBOUR, burns);
        self.step(Input::Tick);
    }

    /// What the panel was told last did not reach it.
    fn line_fails(&mut self) {
        let token = *self.tokens.last().expect("it was told something");
        self.step(Input::Heard(PLAIN, Box::new(EventKind::Failed(Token(token), Failure::Expired))));
    }
}

fn case(strike: u64) -> Case {
    let mut case = Case::new(policy(move |door| door.strike = Duration::from_secs(strike)));
    case.button(false);
    case.forget_orders();
    case
}

#[test]
fn a_release_is_told_for_what_is_left_of_it() {
    let mut case = self::case(3);
    case.lets_in("a");
    assert_eq!(told(&mut case), [30]);
    case.wait(2 * SECOND);
    case.lets_in("b");
    assert_eq!(told(&mut case), [30], "from now");
    case.wait(20 * SECOND);
    assert_eq!(told(&mut case), [0]);
    // One that lasts is told for half a minute at a time.
    let mut case = self::case(45);
    case.lets_in("a");
    case.wait(20 * SECOND);
    assert_eq!(told(&mut case), [300, 300, 250]);
    case.wait(30 * SECOND);
    assert_eq!(told(&mut case), [0]);
}

#[test]
fn an_exit_is_told_for_its_time_and_for_as_long_as_the_button_is_pressed() {
    let mut case = self::case(3);
    case.button(true);
    assert_eq!(told(&mut case), [300]);
    case.wait(SECOND);
    case.button(false);
    assert_eq!(told(&mut case), [20]);
    case.wait(20 * SECOND);
    assert_eq!(told(&mut case), [0]);
    case.button(true);
    case.wait(25 * SECOND);
    assert_eq!(told(&mut case), [300, 300, 300]);
    // The panel goes in the middle of it, and comes back without a word of its button.
    case.step(Input::Heard(PLAIN, Box::new(EventKind::Offline(OfflineReason::NoReply))));
    case.wait(10 * SECOND);
    case.forget_orders();
    case.step(Input::Heard(PLAIN, Box::new(EventKind::Online { identity: None, secure: true })));
    assert_eq!(told(&mut case), [0]);
}

#[test]
fn a_hold_is_renewed_and_ends_at_its_time() {
    let mut case = self::case(3);
    case.holds_open(36 * SECOND);
    case.wait(35 * SECOND);
    assert_eq!(told(&mut case), [300, 260]);
    case.wait(SECOND);
    assert_eq!(told(&mut case), [0]);
}

#[test]
fn a_fire_outlasts_the_release_that_it_came_upon() {
    let mut case = self::case(3);
    case.lets_in("a");
    assert_eq!(told(&mut case), [30]);
    case.zone_burns(true);
    assert_eq!(told(&mut case).last(), Some(&300));
    case.wait(25 * SECOND);
    assert_eq!(told(&mut case), [300, 300]);
    case.zone_burns(false);
    assert_eq!(told(&mut case), [0]);
    // And one that somebody is let in by during it ends with it.
    case.zone_burns(true);
    case.lets_in("b");
    case.forget_orders();
    case.zone_burns(false);
    assert_eq!(told(&mut case), [0], "the end of what was ordered ends grants, too");
}

#[test]
fn what_did_not_reach_the_panel_is_told_again_but_for_a_grant() {
    let mut case = self::case(3);
    for (burns, tenths) in [(true, 300), (false, 0)] {
        case.zone_burns(burns);
        for _ in 0..3 {
            assert_eq!(told(&mut case).last(), Some(&tenths));
            case.line_fails();
            case.wait(SECOND);
        }
        assert_eq!(told(&mut case), [tenths]);
        case.wait(5 * SECOND);
        assert!(told(&mut case).is_empty());
    }
    case.button(true);
    case.line_fails();
    case.wait(SECOND);
    case.button(false);
    case.wait(5 * SECOND);
    assert_eq!(told(&mut case), [300, 300, 20, 0]);
    case.lets_in("a");
    case.line_fails();
    case.wait(2 * SECOND);
    assert_eq!(told(&mut case), [30], "it is refused by then");
    case.wait(2 * SECOND);
    assert_eq!(told(&mut case), [0]);
}
