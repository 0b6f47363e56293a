//! How boards say they stand.

use endpoints::vendor::{BoardEvent, EventsWriter, FromBoard, MAX_BODY, What};
use endpoints::{Condition, Conditions, LeafNow, LockNow, Status, door};
use uplink::event::FireChange;
use uplink::live::{Lock, Position};

use super::boards::Mark;
use super::*;
use crate::outbox::Levels;

const BOARD: BoardId = BoardId(0);
const EPOCH: u32 = 9;

pub(super) fn status(leaf: LeafNow, lock: LockNow, conditions: &[Condition]) -> Status {
    let conditions = Conditions::from_slice(conditions).expect("a few");
    Status { leaf, lock, forced: false, held: false, conditions }
}

impl Case {
    pub(super) fn stands(&mut self, seq: u32, status: &Status) {
        let now = self.time();
        self.site.stands(now, BOARD, Mark { epoch: EPOCH, seq }, status);
        self.step(Input::Tick);
    }

    /// The board tells what happened, from a number on.
    pub(super) fn tells(&mut self, first: u32, happened: &[What]) {
        let now = self.time();
        self.site.boards[BOARD.0].mark.epoch = EPOCH;
        for (seq, what) in (first..).zip(happened) {
            let mut body = [0; MAX_BODY];
            let mut writer = EventsWriter::new(&mut body, EPOCH).expect("room");
            let event = BoardEvent { seq, boot: 1, uptime_ms: 0, utc_us: Some(now.utc.0), what: *what };
            writer.push(&event).expect("room");
            let used = writer.finish();
            let Ok(FromBoard::Events { epoch, events }) = FromBoard::decode(&body[..used]) else {
                panic!("it was just written")
            };
            self.site.board_events(now, BOARD, epoch, events);
        }
        self.step(Input::Tick);
    }

    /// The board tells what happened, in one message.
    pub(super) fn tells_at_once(&mut self, first: u32, happened: &[What]) {
        let now = self.time();
        self.site.boards[BOARD.0].mark.epoch = EPOCH;
        let mut body = [0; MAX_BODY];
        let mut writer = EventsWriter::new(&mut body, EPOCH).expect("room");
        for (seq, what) in (first..).zip(happened) {
            let event = BoardEvent { seq, boot: 1, uptime_ms: 0, utc_us: Some(now.utc.0), what: *what };
            writer.push(&event).expect("room");
        }
        let used = writer.finish();
        let Ok(FromBoard::Events { epoch, events }) = FromBoard::decode(&body[..used]) else {
            panic!("it was just written")
        };
        self.site.board_events(now, BOARD, epoch, events);
        self.step(Input::Tick);
    }

    fn lobby(&self) -> uplink::live::Door {
        let levels = Levels { epoch: [1; 2], last: [0; 2], acked: [0; 2] };
        let live = self.site.live(self.time(), levels);
        live.doors.into_iter().find(|it| it.door == LOBBY.0).expect("the lobby")
    }

    pub(super) fn fires(&self) -> Vec<FireChange> {
        let fires = self.written.iter().filter_map(|entry| match &entry.body {
            Body::Fire(fire) => Some(fire.change),
            _ => None,
        });
        fires.collect()
    }
}

#[test]
fn a_board_that_says_how_it_stands_is_not_unknown_any_more() {
    let mut case = Case::new(policy(|_| ()));
    assert_eq!((case.lobby().position, case.lobby().lock), (Position::Unknown, Lock::Unknown));
    case.stands(0, &status(LeafNow::Closed, LockNow::Locked, &[Condition::LockedByCommand]));
    let lobby = case.lobby();
    assert_eq!((lobby.position, lobby.lock), (Position::Closed, Lock::Locked));
    assert_eq!((lobby.causes, lobby.troubles), (vec!["locked".to_owned()], vec![]));
    let released = LockNow::Released(door::Cause::BreakGlass);
    let mut now =
        status(LeafNow::Open, released, &[Condition::BreakGlass, Condition::Cut(0), Condition::Tamper]);
    now.forced = true;
    case.stands(0, &now);
    let lobby = case.lobby();
    assert_eq!((lobby.position, lobby.lock), (Position::Open, Lock::Released));
    assert_eq!(lobby.causes, ["break-glass"]);
    assert_eq!(lobby.troubles, ["forced", "input-fault", "tamper"]);
    case.step(Input::Heard(BOARD, Box::new(EventKind::Offline(OfflineReason::NoReply))));
    assert_eq!((case.lobby().position, case.lobby().lock), (Position::Unknown, Lock::Unknown));
}

#[test]
fn what_is_told_late_goes_to_the_journal_and_changes_nothing() {
    let mut case = Case::new(policy(|_| ()));
    case.stands(3, &status(LeafNow::Closed, LockNow::Locked, &[]));
    let before = case.written.len();
    case.tells(1, &[What::Door(door::Event::Forced), What::Door(door::Event::ClosedAfterForced)]);
    case.tells(3, &[What::Began(Condition::Cut(1))]);
    assert_eq!(case.written.len() - before, 3, "each is written down");
    assert_eq!((case.lobby().position, case.lobby().troubles), (Position::Closed, vec![]));
    case.tells(4, &[What::Door(door::Event::Forced)]);
    assert_eq!((case.lobby().position, case.lobby().troubles), (Position::Open, vec!["forced".to_owned()]));
}

#[test]
fn a_fire_that_a_board_comes_with_frees_the_zone_at_once_and_is_told_once() {
    let mut case = Case::new(policy(|_| ()));
    let burning = status(LeafNow::Closed, LockNow::Released(door::Cause::Fire), &[Condition::Fire]);
    case.site.boards[BOARD.0].mark.epoch = EPOCH;
    case.stands(3, &burning);
    assert!(case.ordered(1).contains(&Order::Hold), "before its log has said so");
    assert!(case.fires().is_empty());
    // Its log: it burned, it did not, it does. The zone stays free.
    case.forget_orders();
    let fire = [What::Began(Condition::Fire), What::Ended(Condition::Fire), What::Began(Condition::Fire)];
    case.tells(1, &fire);
    assert!(case.ordered(1).is_empty(), "{:?}", case.orders);
    assert_eq!(case.fires(), [FireChange::Alarm, FireChange::Cleared, FireChange::Alarm]);
    case.tells(4, &[What::Ended(Condition::Fire)]);
    assert!(!case.ordered(1).is_empty(), "and now it is over");
    // Nothing of it is left to be told: the difference itself is.
    case.stands(4, &burning);
    assert_eq!(case.fires().last(), Some(&FireChange::Alarm));
}

#[test]
fn another_makers_door_is_known_by_its_inputs_and_its_lock_by_what_it_was_told() {
    let mut case = Case::new(policy(|_| ()));
    let plain = |case: &Case| {
        let levels = Levels { epoch: [1; 2], last: [0; 2], acked: [0; 2] };
        let live = case.site.live(case.time(), levels);
        let door = live.doors.into_iter().find(|it| it.door == 3).expect("the third door");
        (door.position, door.lock)
    };
    let inputs = |values: &[u8]| Box::new(EventKind::Inputs(heapless::Vec::from_slice(values).expect("two")));
    assert_eq!(plain(&case), (Position::Unknown, Lock::Locked));
    case.step(Input::Heard(PLAIN, inputs(&[0, 0])));
    assert_eq!(plain(&case), (Position::Closed, Lock::Locked));
    case.step(Input::Heard(PLAIN, Box::new(EventKind::Offline(OfflineReason::NoReply))));
    assert_eq!(plain(&case), (Position::Unknown, Lock::Unknown));
    case.step(Input::Heard(PLAIN, Box::new(EventKind::Online { identity: None, secure: true })));
    case.step(Input::Heard(PLAIN, inputs(&[0, 0])));
    assert_eq!(plain(&case), (Position::Closed, Lock::Locked), "though nothing moved meanwhile");
}

const LOOP: Condition = Condition::Cut(door::Input::Fire as u8);

#[test]
fn a_fire_that_an_older_board_ends_with_its_cable_goes_on() {
    let mut case = Case::new(policy(|_| ()));
    let burns = |case: &Case| case.site.freed(YARD);
    case.tells_at_once(1, &[What::Began(Condition::Fire)]);
    assert!(burns(&case));
    case.forget_orders();
    case.tells_at_once(2, &[What::Ended(Condition::Fire), What::Began(LOOP)]);
    case.tells_at_once(4, &[What::Ended(LOOP), What::Began(Condition::Shorted(2))]);
    assert!(burns(&case) && case.ordered(1).is_empty(), "{:?}", case.orders);
    assert_eq!(
        case.fires(),
        [FireChange::Alarm, FireChange::LoopFault, FireChange::LoopRestored, FireChange::LoopFault]
    );
    case.tells_at_once(6, &[What::Ended(Condition::Shorted(2))]);
    assert!(!burns(&case));
    assert_eq!(case.fires().last(), Some(&FireChange::Cleared));
}

#[test]
fn a_board_that_starts_again_with_its_cable_burnt_through_ends_no_fire() {
    let mut case = Case::new(policy(|_| ()));
    case.tells_at_once(1, &[What::Began(Condition::Fire), What::Began(LOOP)]);
    let released = LockNow::Released(door::Cause::Fire);
    case.stands(2, &status(LeafNow::Closed, released, &[LOOP]));
    assert!(case.site.freed(YARD));
    case.tells_at_once(3, &[What::Ended(LOOP)]);
    assert!(!case.site.freed(YARD));
}

#[test]
fn a_cable_that_is_cut_without_a_fire_frees_nobody_else() {
    let mut case = Case::new(policy(|_| ()));
    case.tells_at_once(1, &[What::Began(LOOP)]);
    case.stands(1, &status(LeafNow::Closed, LockNow::Released(door::Cause::Fire), &[LOOP]));
    assert!(!case.site.freed(YARD));
}
