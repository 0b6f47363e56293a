//! Lists for boards: sent, renewed, sent again after a loss.

use domain::policy::{Credential, CredentialStatus, CredentialUse};
use domain::request::{BoardEntry, CredentialDigest, CredentialKind};
use endpoints::vendor::whitelist::{HEADER_LEN, Header};
use osdp::cp::{Failure, Token};

use super::*;
use crate::bus::Counted;
use crate::outbox::Levels;
use uplink::live;

const BOARD: BoardId = BoardId(0);
const DAY: Duration = Duration::from_secs(86_400);

/// Ada has a card that opens the lobby, and so has another card of hers, if it has.
fn with_cards(version: u64, cards: u8) -> Arc<Policy> {
    let mut parts = policy(|door| door.otherwise = vec![Factors::CARD]).parts();
    parts.version = domain::ids::PolicyVersion(version);
    parts.credentials = (1..=cards)
        .map(|id| Credential {
            id: domain::ids::CredentialId(id.into()),
            person: PersonId(ADA),
            kind: CredentialKind::Card,
            digest: CredentialDigest([id; 32]),
            board_entry: Some(BoardEntry([id; 8])),
            validity: Validity::ALWAYS,
            status: CredentialStatus::Active,
            usage: CredentialUse::Ordinary,
        })
        .collect();
    Arc::new(Policy::try_from(parts).expect("it is right"))
}

fn case_at(policy: Arc<Policy>, memory: &[(String, String, String)]) -> Case {
    let mut plan = plan();
    plan.boards[0].device.offline = OfflineRule::Whitelist;
    let site = Site::new(plan, CredentialKey::new(&[1; 32]), Some(policy), 100, memory);
    let mut case = Case { site, ..Case::offline(self::policy(|_| ()), &[]) };
    for board in 0..3 {
        case.step(Input::Heard(BoardId(board), Box::new(EventKind::Online { identity: None, secure: true })));
    }
    case
}

impl Case {
    /// The board says which list it has.
    fn board_has(&mut self, number: u32) {
        let now = self.time();
        self.site.has_list(now, BOARD, number);
        self.step(Input::Tick);
    }

    /// The list on its way since these were forgotten last, and its token.
    fn sent(&self) -> Option<(Header, Token)> {
        let of_file = |(at, (board, say)): (usize, &(BoardId, Say))| match say {
            Say::File { kind: 0x80, data, .. } if *board == BOARD => {
                let header = Header::decode(&data[..HEADER_LEN]).expect("a list");
                Some((header, Token(self.tokens[at])))
            }
            _ => None,
        };
        self.orders.iter().enumerate().filter_map(of_file).next_back()
    }

    /// The board takes what was sent; says which number that was.
    fn takes(&mut self) -> u32 {
        let (header, token) = self.sent().expect("a list was sent");
        self.step(Input::Heard(BOARD, Box::new(EventKind::Done(token))));
        self.forget_orders();
        header.list
    }
}

#[test]
fn a_board_gets_its_list_when_it_comes_and_another_before_it_ends() {
    let mut case = case_at(with_cards(1, 1), &[]);
    case.wait(Duration::from_secs(5));
    assert!(case.sent().is_none(), "it has not said yet what it has");
    case.board_has(7);
    let (header, _) = case.sent().expect("a list");
    assert_eq!((header.list, header.count), (8, 1), "above what it has");
    assert_eq!(header.expires_us, START + 5_000_000 + 86_400_000_000);
    case.takes();
    case.wait(DAY / 2 - Duration::from_secs(1_000));
    assert!(case.sent().is_none(), "half of its time is to go");
    case.wait(Duration::from_secs(2_000));
    assert_eq!(case.takes(), 9, "renewed long before it ends");
    assert!(case.orders.is_empty());
}

#[test]
fn a_change_of_policy_reaches_the_list_at_once_and_only_where_it_changes_it() {
    let mut case = case_at(with_cards(1, 1), &[]);
    case.board_has(0);
    assert_eq!(case.takes(), 1);
    case.step(Input::Policy(with_cards(2, 2)));
    assert_eq!(case.sent().map(|(header, _)| header.count), Some(2));
    case.takes();
    case.step(Input::Policy(with_cards(3, 2)));
    assert!(case.sent().is_none(), "the same people");
    case.step(Input::Policy(with_cards(4, 0)));
    assert_eq!(case.sent().map(|(header, _)| header.count), Some(0), "nobody is a list, too");
}

#[test]
fn a_list_that_did_not_arrive_is_sent_again_and_one_that_did_is_remembered() {
    let mut case = case_at(with_cards(1, 1), &[]);
    case.board_has(0);
    let (_, token) = case.sent().expect("a list");
    case.forget_orders();
    case.step(Input::Heard(BOARD, Box::new(EventKind::Failed(token, Failure::Interrupted))));
    assert!(case.orders.iter().any(|(_, say)| matches!(say, Say::Ours(ToBoard::Hello))), "what has it now?");
    case.board_has(0);
    case.wait(Duration::from_secs(29));
    assert!(case.sent().is_none(), "not at once");
    case.wait(Duration::from_secs(2));
    let number = case.takes();

    // The board was away: it still has what it was given.
    case.step(Input::Heard(BOARD, Box::new(EventKind::Offline(OfflineReason::NoReply))));
    case.step(Input::Heard(BOARD, Box::new(EventKind::Online { identity: None, secure: true })));
    case.board_has(number);
    assert!(case.sent().is_none());
    // So does it when the controller was away.
    let memory = case.memory.clone();
    let mut again = case_at(with_cards(1, 1), &memory);
    again.now = case.now;
    again.board_has(number);
    assert!(again.sent().is_none(), "{memory:?}");
    // A board with empty flash has none.
    again.board_has(0);
    assert_eq!(again.sent().map(|(header, _)| header.list), Some(1));
}

#[test]
fn a_board_whose_rule_is_to_refuse_gets_none_and_one_that_is_away_neither() {
    let mut case = case_at(with_cards(1, 1), &[]);
    let now = case.time();
    case.site.has_list(now, BoardId(1), 0);
    case.wait(Duration::from_secs(60));
    assert!(!case.orders.iter().any(|(_, say)| matches!(say, Say::File { .. })));
    case.board_has(0);
    case.step(Input::Heard(BOARD, Box::new(EventKind::Offline(OfflineReason::NoReply))));
    case.forget_orders();
    case.step(Input::Policy(with_cards(2, 2)));
    case.wait(DAY);
    assert!(case.sent().is_none());
}

#[test]
fn a_step_of_the_clock_makes_lists_anew() {
    let mut case = case_at(with_cards(1, 1), &[]);
    case.board_has(0);
    case.takes();
    let back = Now { mono: case.now + 1_000, utc: Utc(START - 86_400_000_000) };
    let effects = case.site.handle(back, Input::Tick);
    let makes = |effects: &[Effect]| effects.iter().any(|it| matches!(it, Effect::MakeList(..)));
    let again = case.site.handle(back, Input::Tick);
    assert!(makes(&effects) || makes(&again), "it would outlive a day now");
}

#[test]
fn the_centre_is_told_of_a_boards_line_and_until_when_its_list_holds() {
    let mut case = case_at(with_cards(1, 1), &[]);
    let board = |case: &Case| {
        let levels = Levels { epoch: [1; 2], last: [0; 2], acked: [0; 2] };
        let now = Now { mono: case.now, utc: Utc(START) };
        case.site.live(now, levels).boards.remove(0)
    };
    assert_eq!((board(&case).line, board(&case).list), (None, None));
    case.board_has(0);
    let (header, _) = case.sent().expect("a list");
    assert_eq!(board(&case).list, None, "it has not arrived yet");
    let number = case.takes();
    let list = Some(live::List { number, until: header.expires_us });
    assert_eq!(board(&case).list, list);
    let counted = Counted { commands: 40, retries: 3, timeouts: 2, damaged: 1, reply_us: 1_900 };
    for _ in 0..2 {
        case.step(Input::Counted(BOARD, counted));
    }
    let line = live::Line { commands: 80, timeouts: 4, damaged: 2, reply_us: 1_900 };
    assert_eq!((board(&case).retries, board(&case).line), (6, Some(line)));
    // Away, it still opens by what it was given.
    case.step(Input::Heard(BOARD, Box::new(EventKind::Offline(OfflineReason::NoReply))));
    assert_eq!(board(&case).list, list);
}

/// The server makes the entries: the same bytes stand in its own test.
#[test]
fn the_salt_of_lists_is_frozen() {
    let salt = CredentialKey::new(&[7; 32]).list_salt();
    let hex: String = salt.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "188567baef58bca9125c43cdd7635d1d");
}
