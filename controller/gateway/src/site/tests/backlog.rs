//! While the outbox takes nothing, or only what is urgent: what waits, what goes first, and what is dropped when too much waits.

use endpoints::vendor::What;
use endpoints::{Condition, LeafNow, LockNow, door};
use uplink::event::{BoardChange, DoorChange, FireChange};

use super::standing::status;
use super::*;

/// Steps that find room in memory.
const ROOM: u32 = 2_000;
const OPENED: What = What::Door(door::Event::FoundOpen);
const CLOSED: What = What::Door(door::Event::Closed);
const FORCED: What = What::Door(door::Event::Forced);

impl Case {
    fn door_changes(&self) -> Vec<DoorChange> {
        let changes = self.written.iter().filter_map(|entry| match &entry.body {
            Body::Door(it) => Some(it.change),
            _ => None,
        });
        changes.collect()
    }

    fn controller_changes(&self) -> Vec<ControllerChange> {
        let changes = self.written.iter().filter_map(|entry| match &entry.body {
            Body::Controller(it) => Some(it.change),
            _ => None,
        });
        changes.collect()
    }

    fn events_lost(&self) -> bool {
        let lost =
            |entry: &Entry| matches!(&entry.body, Body::Board(it) if it.change == BoardChange::EventsLost);
        self.written.iter().any(lost)
    }

    fn acknowledged(&self) -> Option<u32> {
        self.orders.iter().rev().find_map(|(_, say)| match say {
            Say::Ours(ToBoard::Ack { up_to, .. }) => Some(*up_to),
            _ => None,
        })
    }

    fn asks_how_it_stands(&self) -> bool {
        self.orders.iter().any(|(_, say)| matches!(say, Say::Ours(ToBoard::Status)))
    }
}

/// A disk that fails, and a board that has told as much as memory holds: up to that number.
fn full() -> (Case, u32) {
    let mut case = Case::new(policy(|_| ()));
    case.disk = Disk::Fails;
    for seq in 1..=ROOM + 10 {
        case.tells(seq, &[if seq % 2 == 1 { OPENED } else { CLOSED }]);
    }
    let taken = case.site.boards[0].mark.seq;
    assert!((ROOM - 10..=ROOM).contains(&taken), "{taken}");
    case.forget_orders();
    (case, taken)
}

#[test]
fn what_memory_has_no_room_for_stays_with_the_board() {
    let (mut case, taken) = full();
    assert_eq!(case.acknowledged(), None);
    case.disk = Disk::Works;
    case.wait(Duration::from_secs(3));
    assert_eq!(case.acknowledged(), Some(taken), "and no more");
    for seq in taken + 1..=ROOM + 10 {
        case.tells(seq, &[if seq % 2 == 1 { OPENED } else { CLOSED }]);
    }
    assert_eq!(case.acknowledged(), Some(ROOM + 10));
    let changes = case.door_changes();
    assert_eq!(changes.len(), usize::try_from(ROOM + 10).expect("a few"), "each once");
    assert!(changes.chunks(2).all(|pair| pair == [DoorChange::Opened, DoorChange::Closed]), "in order");
    assert!(!case.events_lost() && !case.controller_changes().contains(&ControllerChange::EventsDropped));
}

#[test]
fn a_fire_is_seen_though_there_is_no_room_to_write_of_it() {
    let (mut case, taken) = full();
    case.tells(taken + 1, &[What::Began(Condition::Fire)]);
    assert!(case.asks_how_it_stands());
    assert_eq!(case.site.boards[0].mark.seq, taken);
    case.stands(
        taken + 1,
        &status(LeafNow::Closed, LockNow::Released(door::Cause::Fire), &[Condition::Fire]),
    );
    assert!(case.ordered(1).contains(&Order::Hold), "the zone is free");
    case.disk = Disk::Works;
    case.wait(Duration::from_secs(3));
    case.tells(taken + 1, &[What::Began(Condition::Fire)]);
    assert_eq!(case.fires(), [FireChange::Alarm]);
}

#[test]
fn urgent_events_wait_behind_no_everyday_ones() {
    let mut case = Case::new(policy(|_| ()));
    case.disk = Disk::Full;
    case.tells_at_once(1, &[CLOSED, FORCED, What::Door(door::Event::ClosedAfterForced)]);
    case.tells_at_once(4, &[OPENED, What::Began(Condition::Tamper)]);
    case.forget_orders();
    case.wait(Duration::from_millis(1_100));
    assert_eq!(case.door_changes(), [DoorChange::Forced]);
    assert_eq!(case.controller_changes(), [ControllerChange::OutboxFailed]);
    let tamper = |case: &Case| {
        case.written
            .iter()
            .filter(|it| matches!(&it.body, Body::Board(it) if it.change == BoardChange::Tamper))
            .count()
    };
    assert_eq!((tamper(&case), case.acknowledged()), (1, None), "not all of it is safe");
    case.disk = Disk::Works;
    case.wait(Duration::from_millis(1_100));
    let everyday = [DoorChange::Forced, DoorChange::Closed, DoorChange::Restored, DoorChange::Opened];
    assert_eq!(case.door_changes(), everyday, "each once, and otherwise in order");
    assert_eq!((tamper(&case), case.acknowledged()), (1, Some(5)));
}

#[test]
fn when_something_must_go_it_is_everyday_events_and_an_alarm_says_so() {
    let mut case = Case::new(policy(|_| ()));
    case.disk = Disk::Fails;
    let until = START + 3_600_000_000;
    for track in 0..u64::from(ROOM) + 100 {
        case.face(track);
    }
    case.command("lock", Action::Lock { door: LOBBY.0, until });
    case.step(Input::Heard(BoardId(1), Box::new(EventKind::Offline(OfflineReason::NoReply))));
    case.disk = Disk::Full;
    let before = case.written.len();
    case.wait(Duration::from_secs(2));
    assert_eq!(case.controller_changes(), [ControllerChange::OutboxFailed, ControllerChange::EventsDropped]);
    assert!(case.written[before..].iter().all(|entry| entry.body.stream() == Stream::Urgent));
    assert!(
        case.written
            .iter()
            .any(|it| matches!(&it.body, Body::Board(it) if it.change == BoardChange::Offline))
    );
    case.disk = Disk::Works;
    case.wait(Duration::from_secs(2));
    let restored = case.written.iter().find_map(|entry| match &entry.body {
        Body::Controller(it) if it.change == ControllerChange::OutboxRestored => it.count,
        _ => None,
    });
    let kept = i64::try_from(case.decisions().len()).expect("a few");
    assert!(kept >= 1_990, "{kept}");
    assert!(restored.is_some_and(|dropped| dropped >= i64::from(ROOM) + 100 - kept), "{restored:?}");
    let locked = case.memory.iter().any(|(kind, ..)| kind == "override");
    assert!(locked, "what is remembered is not dropped");
}
