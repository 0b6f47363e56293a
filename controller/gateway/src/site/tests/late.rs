//! Commands that cannot be written down in time.

use endpoints::Outcome as BoardOutcome;

use super::*;

const BOARD: BoardId = BoardId(0);
const LIFE: i64 = 10_000_000;

fn release() -> Action {
    Action::Release { door: LOBBY.0, side: uplink::event::Side::Entry }
}

impl Case {
    /// A command that the disk keeps waiting.
    fn slowly(action: Action) -> Case {
        let mut case = Case::new(policy(|_| ()));
        case.disk = Disk::Hangs;
        let expires_at = case.time().utc.0 + LIFE;
        case.step(Input::Command(Command { id: "slow".into(), expires_at, by: 1, rank: 5, action }));
        case
    }

    fn answers(&self) -> Vec<Settled> {
        self.results.iter().map(|it| it.settled).collect()
    }

    fn overridden(&self) -> bool {
        self.site.state.override_at(LOBBY, self.time().utc).is_some()
    }
}

#[test]
fn a_command_that_was_told_to_have_failed_moves_nothing_afterwards() {
    let until = START + 3_600_000_000;
    for action in
        [release(), Action::HoldOpen { door: LOBBY.0, until }, Action::Lock { door: LOBBY.0, until }]
    {
        let mut case = Case::slowly(action);
        case.wait(Duration::from_secs(4));
        case.disk_wakes();
        assert_eq!(case.answers(), [Settled::BoardOffline]);
        assert!(case.ordered(0).is_empty() && !case.overridden(), "{:?}", case.orders);
    }
}

#[test]
fn a_command_whose_time_is_over_when_it_is_written_moves_nothing() {
    let until = START + 3_600_000_000;
    for action in [release(), Action::HoldOpen { door: LOBBY.0, until }] {
        for ok in [true, false] {
            let mut case = Case::new(policy(|_| ()));
            case.disk = Disk::Hangs;
            case.command("short", action.clone());
            case.wait(Duration::from_millis(1_001));
            if ok {
                case.disk_wakes();
            } else {
                case.disk = Disk::Fails;
                for write in std::mem::take(&mut case.unanswered) {
                    case.step(Input::Written { token: write.token, ok: false });
                }
            }
            assert_eq!(case.answers(), [Settled::Expired], "{ok}");
            assert!(case.ordered(0).is_empty() && !case.overridden(), "{:?}", case.orders);
        }
    }
}

#[test]
fn a_command_that_is_written_late_and_in_time_is_carried_out_and_answered() {
    let mut case = Case::slowly(release());
    case.wait(Duration::from_millis(2_900));
    case.disk_wakes();
    assert_eq!(case.ordered(0), [Order::Release]);
    case.wait(Duration::from_millis(500));
    assert!(case.answers().is_empty(), "the board has its time to answer");
    let (now, order) = (case.time(), *case.tokens.last().expect("an order"));
    case.site.order_answered(now, BOARD, order, BoardOutcome::Done);
    case.step(Input::Tick);
    assert_eq!(case.answers(), [Settled::Done]);
}

#[test]
fn an_order_waits_for_the_bus_no_longer_than_its_command_is_good_for() {
    for (door, board) in [(LOBBY.0, BOARD), (3, PLAIN)] {
        let mut case = Case::new(policy(|_| ()));
        case.disk = Disk::Hangs;
        let second = 1_000_000;
        case.command("short", Action::Release { door, side: uplink::event::Side::Entry });
        case.wait(Duration::from_micros(second - 400_000));
        let mut lives = Vec::new();
        for write in std::mem::take(&mut case.unanswered) {
            let written = case.keep(write);
            let effects = case.site.handle(case.time(), written);
            lives.extend(effects.iter().filter_map(|effect| match effect {
                Effect::Say { board: to, life, .. } if *to == board => Some(*life),
                _ => None,
            }));
        }
        assert_eq!(lives, [400_000]);
    }
}

#[test]
fn of_two_commands_that_wait_for_the_disk_the_higher_rank_stands() {
    let mut case = Case::new(policy(|_| ()));
    case.disk = Disk::Hangs;
    let until = START + 3_600_000_000;
    let expires_at = START + LIFE;
    let mut command = |id: &str, rank, action| {
        case.step(Input::Command(Command { id: id.into(), expires_at, by: 1, rank, action }));
    };
    command("lock", 9, Action::Lock { door: LOBBY.0, until });
    command("open", 3, Action::HoldOpen { door: LOBBY.0, until });
    case.disk_wakes();
    assert_eq!(case.ordered(0), [Order::Lock]);
    assert_eq!(case.answers(), [Settled::Outranked]);
}
