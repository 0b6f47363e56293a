//! Install windows: who may open one, for how long, and what closes it.

use uplink::command::LONGEST_WINDOW;
use uplink::event::BoardChange;

use super::*;

const DOOR: BoardId = BoardId(0);
const MINUTE: i64 = 60_000_000;

impl Case {
    fn open(&mut self, id: &str, address: Option<u8>, life: i64) -> Settled {
        let until = self.time().utc.0 + life;
        self.command(id, Action::OpenInstall { bus: "ground floor".into(), address, until });
        self.results.last().expect("it is answered").settled
    }

    fn address(&self, board: BoardId) -> u8 {
        self.site.plan.board(board).address
    }

    fn window(&self, board: BoardId) -> Option<(u64, i64)> {
        self.site.boards[board.0].window.map(|window| (window.by, window.until.0))
    }

    fn changes(&self) -> Vec<BoardChange> {
        let changes = self.written.iter().filter_map(|entry| match &entry.body {
            Body::Board(board) => Some(board.change),
            _ => None,
        });
        let about = [BoardChange::InstallOpened, BoardChange::InstallClosed, BoardChange::Installed];
        changes.filter(|change| about.contains(change)).collect()
    }

    fn away(&mut self, board: BoardId) {
        let gone = EventKind::Offline(OfflineReason::KeyRefused);
        self.step(Input::Heard(board, Box::new(gone)));
    }

    fn told(&self, wanted: impl Fn(&Say) -> bool) -> usize {
        self.orders.iter().filter(|(board, say)| *board == DOOR && wanted(say)).count()
    }
}

#[test]
fn a_window_is_for_a_board_that_is_not_there_and_ends_when_it_has_its_key() {
    let mut case = Case::new(policy(|_| ()));
    let door = case.address(DOOR);
    assert_eq!(case.open("there", Some(door), MINUTE), Settled::HasKey, "it answers under its key");
    case.away(DOOR);
    assert_eq!(case.open("one", Some(door), MINUTE), Settled::Done);
    assert_eq!(case.told(|say| matches!(say, Say::Install)), 1);
    assert_eq!(case.window(DOOR), Some((1, case.time().utc.0 + MINUTE)));
    case.step(Input::Heard(DOOR, Box::new(EventKind::KeyInstalled)));
    assert_eq!(case.window(DOOR), None);
    assert_eq!(case.changes(), [BoardChange::InstallOpened, BoardChange::Installed]);
    let urgent = |change| {
        Body::Board(uplink::event::Board { bus: String::new(), address: 0, change, count: None }).stream()
    };
    assert_eq!(urgent(BoardChange::Installed), Stream::Urgent);
}

#[test]
fn a_window_closes_by_itself_and_by_command_and_with_its_port() {
    let mut case = Case::new(policy(|_| ()));
    case.away(DOOR);
    let door = case.address(DOOR);
    case.open("one", Some(door), MINUTE);
    case.wait(Duration::from_secs(60));
    assert_eq!(case.window(DOOR), None, "its time is over");
    // However long was asked for.
    case.open("long", Some(door), 100 * LONGEST_WINDOW);
    assert_eq!(case.window(DOOR), Some((1, case.time().utc.0 + LONGEST_WINDOW)));
    case.command("close", Action::CloseInstall { bus: "ground floor".into(), address: None });
    assert_eq!((case.window(DOOR), case.told(|say| matches!(say, Say::EndInstall))), (None, 1));
    case.open("again", None, MINUTE);
    case.step(Input::Bus { bus: 0, up: false });
    assert_eq!(case.window(DOOR), None, "who would speak to it is gone");
    let opened = case.changes().iter().filter(|it| **it == BoardChange::InstallOpened).count();
    let closed = case.changes().iter().filter(|it| **it == BoardChange::InstallClosed).count();
    assert_eq!((opened, closed), (3, 3));
}

#[test]
fn nobody_else_opens_one() {
    let mut case = Case::new(policy(|_| ()));
    case.away(DOOR);
    let door = case.address(DOOR);
    let now = case.time().utc.0;
    let open = |bus: &str, address, until| Action::OpenInstall { bus: bus.into(), address, until };
    for (id, rank, action, settled) in [
        ("rank", 3, open("ground floor", Some(door), now + MINUTE), Settled::Outranked),
        ("past", 5, open("ground floor", Some(door), now - 1), Settled::Expired),
        ("bus", 5, open("attic", None, now + MINUTE), Settled::UnknownBoard),
        ("address", 5, open("ground floor", Some(99), now + MINUTE), Settled::UnknownBoard),
    ] {
        let command = Command { id: id.into(), expires_at: now + 1_000_000, by: 1, rank, action };
        case.step(Input::Command(command));
        assert_eq!(case.results.last().map(|it| it.settled), Some(settled), "{id}");
    }
    // One that came too late, and one that comes again.
    let late = Command {
        id: "late".into(),
        expires_at: now - 1,
        by: 1,
        rank: 5,
        action: open("ground floor", None, now + MINUTE),
    };
    case.step(Input::Command(late));
    assert_eq!(case.results.last().map(|it| it.settled), Some(Settled::Expired));
    assert_eq!(case.window(DOOR), None);
    case.open("once", Some(door), MINUTE);
    case.command("close", Action::CloseInstall { bus: "ground floor".into(), address: Some(door) });
    case.open("once", Some(door), MINUTE);
    assert_eq!(case.window(DOOR), None, "the same command again opens nothing");
}
