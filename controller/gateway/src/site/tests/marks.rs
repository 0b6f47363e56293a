//! Up to where a board's events are ours, up to where they are on the disk, and what is said of that.

use endpoints::vendor::{self, BoardEvent, EventsWriter, FromBoard, Info, MAX_BODY, What};
use endpoints::{Condition, door};
use uplink::event::{BoardChange, DoorChange};

use super::*;
use crate::outbox::Levels;

const BOARD: BoardId = BoardId(0);
const EPOCH: u32 = 9;

impl Case {
    fn hears_board(&mut self, body: &[u8]) {
        let now = self.time();
        self.site.board_said(now, BOARD, body);
        self.step(Input::Tick);
    }

    /// The board says who it is, and what its log has.
    fn says_its_log(&mut self, newest: u32, acked: u32) {
        let info = Info {
            kind: vendor::Kind::Door,
            firmware: [0, 1, 0],
            epoch: EPOCH,
            oldest: u32::from(newest > 0),
            newest,
            acked,
            boot: 1,
            uptime_ms: 0,
            utc_us: None,
            settings: 0,
            whitelist: 0,
        };
        let mut body = [0; MAX_BODY];
        let used = FromBoard::Info(info).encode(&mut body).expect("room");
        self.hears_board(&body[..used]);
    }

    /// The board tells these events, three in a message; each number has its own time.
    fn tells_numbers(&mut self, numbers: std::ops::RangeInclusive<u32>, what: What) {
        for some in numbers.collect::<Vec<_>>().chunks(3) {
            let mut body = [0; MAX_BODY];
            let mut writer = EventsWriter::new(&mut body, EPOCH).expect("room");
            for seq in some {
                let utc_us = Some(i64::from(*seq));
                writer.push(&BoardEvent { seq: *seq, boot: 1, uptime_ms: 0, utc_us, what }).expect("room");
            }
            let used = writer.finish();
            self.hears_board(&body[..used]);
        }
    }

    /// Up to where the board was told that its events are safe, each time.
    fn acks(&self) -> Vec<u32> {
        let acks = self.orders.iter().filter_map(|(_, say)| match say {
            Say::Ours(ToBoard::Ack { epoch: EPOCH, up_to }) => Some(*up_to),
            _ => None,
        });
        acks.collect()
    }

    /// The numbers of the board's requests to exit that are written down, in the order in which they are.
    fn exits(&self) -> Vec<i64> {
        let exits = self.written.iter().filter(|entry| {
            matches!(&entry.body, Body::Door(it) if it.door == LOBBY.0 && it.change == DoorChange::RequestToExit)
        });
        exits.map(|entry| entry.at).collect()
    }

    fn losses(&self) -> usize {
        let lost =
            |entry: &&Entry| matches!(&entry.body, Body::Board(it) if it.change == BoardChange::EventsLost);
        self.written.iter().filter(lost).count()
    }
}

const EXIT: What = What::Door(door::Event::ExitRequested);

#[test]
fn a_board_whose_events_cannot_be_written_is_heard_and_acknowledged_when_they_can() {
    let mut case = Case::new(policy(|_| ()));
    case.says_its_log(0, 0);
    case.disk = Disk::Fails;
    for number in 1..=40 {
        case.tells_numbers(number..=number, EXIT);
    }
    case.tells_numbers(41..=41, What::Door(door::Event::Forced));
    let levels = Levels { epoch: [1; 2], last: [0; 2], acked: [0; 2] };
    let live = case.site.live(case.time(), levels);
    let lobby = live.doors.into_iter().find(|it| it.door == LOBBY.0).expect("the lobby");
    assert_eq!(lobby.troubles, ["forced"], "what happens is seen though it is not written");
    // Told again, and in a new session, too: nothing is safe yet.
    case.tells_numbers(1..=4, EXIT);
    case.says_its_log(41, 0);
    assert!(case.acks().is_empty(), "{:?}", case.acks());

    case.disk = Disk::Works;
    case.wait(Duration::from_secs(3));
    assert_eq!(case.acks().last(), Some(&41));
    assert_eq!(case.exits(), (1..=40).collect::<Vec<_>>(), "in order, each once");
}

#[test]
fn an_acknowledgement_that_did_not_arrive_is_given_again() {
    let mut case = Case::new(policy(|_| ()));
    case.says_its_log(0, 0);
    case.tells_numbers(1..=3, EXIT);
    assert_eq!(case.acks(), [3]);
    case.tells_numbers(1..=3, EXIT);
    assert_eq!(case.acks(), [3, 3]);
    assert_eq!(case.exits(), [1, 2, 3]);
    // What follows is not on the disk: the board hears of what is, and only if it asks for that.
    case.disk = Disk::Hangs;
    case.tells_numbers(4..=6, EXIT);
    case.tells_numbers(4..=6, EXIT);
    assert_eq!(case.acks(), [3, 3]);
    case.tells_numbers(3..=6, EXIT);
    assert_eq!(case.acks(), [3, 3, 3]);
    case.disk_wakes();
    assert_eq!(case.acks().last(), Some(&6));
    assert_eq!(case.exits(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn what_a_restart_remembers_is_on_the_disk() {
    let mut case = Case::new(policy(|_| ()));
    case.says_its_log(0, 0);
    case.tells_numbers(1..=3, EXIT);
    let mut case = Case::offline(policy(|_| ()), &case.memory);
    case.step(Input::Heard(BOARD, Box::new(EventKind::Online { identity: None, secure: true })));
    case.says_its_log(3, 0);
    assert_eq!(case.acks(), [3], "it had not heard the acknowledgement");
}

#[test]
fn what_is_missing_is_waited_for_and_how_the_board_stands_is_asked_at_once() {
    let mut case = Case::new(policy(|_| ()));
    case.says_its_log(0, 0);
    case.tells_numbers(1..=2, EXIT);
    case.forget_orders();
    case.tells_numbers(5..=5, EXIT);
    case.wait(Duration::from_secs(2));
    case.tells_numbers(6..=6, What::Began(Condition::Tamper));
    let asked = case.orders.iter().filter(|(_, say)| matches!(say, Say::Ours(ToBoard::Status))).count();
    assert_eq!((asked, case.acks()), (1, vec![]), "how it stands is asked, and nothing taken out of order");
    case.tells_numbers(3..=5, EXIT);
    assert_eq!((case.exits(), case.acks(), case.losses()), (vec![1, 2, 3, 4, 5], vec![5], 0));
    // A gap that stays is one.
    case.tells_numbers(7..=7, EXIT);
    case.wait(Duration::from_secs(9));
    case.tells_numbers(7..=7, EXIT);
    assert_eq!(case.losses(), 0);
    case.wait(Duration::from_secs(1));
    case.tells_numbers(7..=7, EXIT);
    assert_eq!((case.exits(), case.losses()), (vec![1, 2, 3, 4, 5, 7], 1));
}

#[test]
fn what_a_board_says_is_safe_and_is_not_here_is_lost() {
    let mut case = Case::new(policy(|_| ()));
    case.says_its_log(0, 0);
    case.tells_numbers(1..=2, EXIT);
    case.says_its_log(8, 7);
    assert_eq!(case.losses(), 1);
    case.tells_numbers(8..=8, EXIT);
    assert_eq!((case.exits(), case.losses()), (vec![1, 2, 8], 1));
}
