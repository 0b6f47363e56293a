//! Orders for firmware: what boards are told, and when.

use endpoints::vendor::firmware::{FILE_TYPE, Fits, Header, Text, Unfit};
use endpoints::vendor::{HoldUp, Kind as BoardKind, Stage, Update, What};
use osdp::cp::{Failure, Token};
use uplink::event::BoardChange;
use uplink::image::Image;
use uplink::live::UpdateStage;
use uplink::sync::firmware::OrderRow;

use super::*;

const DOOR: BoardId = BoardId(0);
const LANE: BoardId = BoardId(1);
const OLD: [u8; 3] = [0, 1, 0];
const NEW: [u8; 3] = [0, 2, 0];
const HOUR: i64 = 3_600_000_000;

fn header(kind: BoardKind) -> Header {
    let target = Text::new("host").expect("short");
    Header {
        fits: Fits { kind, model: 1, revision: 1, target },
        firmware: NEW,
        security: 1,
        length: 10_000,
        words: Text::new("").expect("short"),
        sha256: [if kind == BoardKind::Door { 7 } else { 8 }; 32],
    }
}

fn order(address: u8) -> OrderRow {
    OrderRow {
        plan: 1,
        bus: "ground floor".into(),
        address,
        image: address.into(),
        from: 0,
        until: START + HOUR,
        even_if_open: false,
    }
}

/// An order for the door and one for the lane.
fn firmware(orders: &[(u64, OrderRow)]) -> Arc<Firmware> {
    let image = |kind| Image { header: header(kind), file: vec![0; 10_160].into() };
    let images = [(1, image(BoardKind::Door)), (2, image(BoardKind::GateLane))];
    Arc::new(Firmware { images: images.into(), orders: orders.iter().cloned().collect() })
}

fn both() -> Arc<Firmware> {
    firmware(&[(1, order(1)), (2, order(2))])
}

impl Case {
    fn ordered_firmware(firmware: Arc<Firmware>) -> Case {
        let mut case = Case::new(policy(|_| ()));
        case.step(Input::Firmware(firmware));
        case
    }

    /// The board answers the question how it stands.
    fn update_is(&mut self, board: BoardId, stage: Stage, hold_up: Option<HoldUp>, running: [u8; 3]) {
        self.forget_orders();
        let now = self.time();
        self.site.update_stands(now, board, &Update { running, security: 1, stage, hold_up });
        self.step(Input::Tick);
    }

    fn asked(&self, board: BoardId) -> bool {
        self.orders.iter().any(|(of, say)| *of == board && matches!(say, Say::Ours(ToBoard::Update)))
    }

    /// An image on its way: its token and where it begins.
    fn sending(&self, board: BoardId) -> Option<(Token, u32)> {
        self.orders.iter().zip(&self.tokens).find_map(|((of, say), token)| match say {
            Say::File { kind: FILE_TYPE, from, .. } if *of == board => Some((Token(*token), *from)),
            _ => None,
        })
    }

    fn told_to_start(&self, board: BoardId) -> bool {
        self.orders.iter().any(|(of, say)| *of == board && matches!(say, Say::Ours(ToBoard::Install { .. })))
    }

    fn firmware_events(&self, board: BoardId) -> Vec<(BoardChange, Option<i64>)> {
        let address = self.site.plan.board(board).address;
        let of_board = self.written.iter().filter_map(|entry| match &entry.body {
            Body::Board(it) if it.address == address => Some((it.change, it.count)),
            _ => None,
        });
        of_board.filter(|(change, _)| *change != BoardChange::Online).collect()
    }

    fn stage(&self, board: BoardId) -> Option<UpdateStage> {
        self.site.boards[board.0].update.live().map(|it| it.stage)
    }
}

#[test]
fn one_board_of_a_bus_is_sent_its_image_at_a_time() {
    let mut case = Case::ordered_firmware(both());
    assert!(case.asked(DOOR) && case.asked(LANE));
    case.update_is(DOOR, Stage::Idle, None, OLD);
    let (token, from) = case.sending(DOOR).expect("the door's image");
    assert_eq!(from, 0);
    case.update_is(LANE, Stage::Idle, None, OLD);
    assert!(case.sending(LANE).is_none() && case.stage(LANE) == Some(UpdateStage::Waiting));
    case.step(Input::Heard(DOOR, Box::new(EventKind::Done(token))));
    case.step(Input::Tick);
    assert!(case.asked(LANE), "its turn");
    case.update_is(LANE, Stage::Idle, None, OLD);
    assert!(case.sending(LANE).is_some());
}

#[test]
fn a_transfer_goes_on_where_the_board_says_and_is_given_up_when_it_gets_nowhere() {
    let mut case = Case::ordered_firmware(firmware(&[(1, order(1))]));
    case.update_is(DOOR, Stage::Idle, None, OLD);
    for _ in 0..20 {
        // As long as it gets further each time, it goes on.
        let (token, from) = case.sending(DOOR).expect("on its way");
        case.step(Input::FileAt(DOOR, from + 100));
        case.step(Input::Heard(DOOR, Box::new(EventKind::Failed(token, Failure::Offline))));
        case.wait(Duration::from_secs(31));
        assert!(case.asked(DOOR));
        let image = header(BoardKind::Door).image();
        case.update_is(DOOR, Stage::Receiving { image, have: from + 100 }, None, OLD);
        assert_eq!(case.sending(DOOR).map(|it| it.1), Some(from + 100));
    }
    let mut tries = 0;
    while let Some((token, _)) = case.sending(DOOR) {
        tries += 1;
        case.step(Input::Heard(DOOR, Box::new(EventKind::Failed(token, Failure::File(-1)))));
        case.wait(Duration::from_secs(31));
        let stage = Stage::Receiving { image: header(BoardKind::Door).image(), have: 2_160 };
        case.update_is(DOOR, stage, None, OLD);
    }
    assert!((5..=10).contains(&tries), "{tries}");
    assert_eq!(case.stage(DOOR), Some(UpdateStage::Refused));
    let refused = (BoardChange::FirmwareRefused, Some(Unfit::Form.number().into()));
    assert!(case.firmware_events(DOOR).contains(&refused));
}

#[test]
fn a_board_starts_anew_within_its_time_and_when_nothing_holds_it_up() {
    let tonight = OrderRow { from: START + HOUR / 2, ..order(1) };
    let mut case = Case::ordered_firmware(firmware(&[(1, tonight)]));
    let image = header(BoardKind::Door).image();
    let ready = Stage::Ready { image };
    case.update_is(DOOR, ready, None, OLD);
    assert!(!case.told_to_start(DOOR) && case.stage(DOOR) == Some(UpdateStage::Ready));
    case.wait(Duration::from_secs(1_799));
    assert!(!case.told_to_start(DOOR));
    case.wait(Duration::from_secs(2));
    assert!(case.asked(DOOR));
    case.update_is(DOOR, ready, None, OLD);
    assert!(case.told_to_start(DOOR));
    case.update_is(DOOR, ready, Some(HoldUp::Open), OLD);
    assert_eq!(case.stage(DOOR), Some(UpdateStage::HeldUp));
    case.wait(Duration::from_secs(11));
    assert!(case.asked(DOOR));
    case.update_is(DOOR, ready, None, OLD);
    assert!(case.told_to_start(DOOR));
    case.update_is(DOOR, Stage::Installing { image }, None, OLD);
    case.update_is(DOOR, Stage::Trial, None, NEW);
    assert_eq!(case.stage(DOOR), Some(UpdateStage::Trial));
    case.update_is(DOOR, Stage::Idle, None, NEW);
    assert_eq!(case.stage(DOOR), Some(UpdateStage::Done));
}

#[test]
fn an_order_whose_time_is_over_is_left() {
    let mut case = Case::ordered_firmware(firmware(&[(1, order(1))]));
    case.update_is(DOOR, Stage::Ready { image: 1 }, None, OLD);
    assert!(case.sending(DOOR).is_some(), "another image: its own is sent");
    let mut late = Case::ordered_firmware(firmware(&[(1, OrderRow { until: START, ..order(1) })]));
    assert!(!late.asked(DOOR));
    late.wait(Duration::from_secs(60));
    assert_eq!((late.asked(DOOR), late.stage(DOOR)), (false, Some(UpdateStage::Stopped)));
}

#[test]
fn a_board_that_returns_stops_its_plan_and_no_other() {
    let mut case = Case::ordered_firmware(both());
    let image = header(BoardKind::Door).image();
    case.update_is(DOOR, Stage::Ready { image }, None, OLD);
    assert!(case.told_to_start(DOOR));
    let now = case.time();
    case.site.update_reported(now, DOOR, &What::UpdateReturned { firmware: NEW });
    case.step(Input::Tick);
    assert_eq!(case.stage(DOOR), Some(UpdateStage::Stopped));
    case.forget_orders();
    case.wait(Duration::from_secs(60));
    assert_eq!((case.stage(LANE), case.asked(LANE)), (Some(UpdateStage::Stopped), false));
    // Another plan is another matter.
    let next = OrderRow { plan: 2, ..order(2) };
    case.step(Input::Firmware(firmware(&[(3, next)])));
    assert!(case.asked(LANE));
    assert!(case.site.stopped.is_empty(), "what was stopped is over");
}

#[test]
fn a_board_that_was_told_and_runs_what_it_ran_has_returned() {
    let mut case = Case::ordered_firmware(both());
    let image = header(BoardKind::Door).image();
    case.update_is(DOOR, Stage::Ready { image }, None, OLD);
    // Its log was lost with its flash: it says nothing of a return.
    case.update_is(DOOR, Stage::Idle, None, OLD);
    assert_eq!(case.stage(DOOR), Some(UpdateStage::Stopped));
    assert!(case.sending(DOOR).is_none(), "it would come back once more");
}

#[test]
fn an_order_outlives_a_restart_of_the_controller() {
    let mut case = Case::ordered_firmware(both());
    let image = header(BoardKind::Door).image();
    case.update_is(DOOR, Stage::Ready { image }, None, OLD);
    let now = case.time();
    case.site.update_reported(now, DOOR, &What::UpdateReturned { firmware: NEW });
    case.step(Input::Tick);
    let memory = case.memory.clone();
    let mut again = Case::offline(policy(|_| ()), &memory);
    again.step(Input::Firmware(both()));
    for board in [DOOR, LANE] {
        again.step(Input::Heard(board, Box::new(EventKind::Online { identity: None, secure: true })));
        again.wait(Duration::from_secs(60));
        assert!(!again.asked(board), "its plan was stopped");
        assert!(again.firmware_events(board).is_empty(), "nothing is said twice");
    }
}

#[test]
fn an_image_for_another_kind_of_board_is_sent_to_none() {
    let wrong = OrderRow { image: 2, ..order(1) };
    let mut case = Case::ordered_firmware(firmware(&[(1, wrong)]));
    case.update_is(DOOR, Stage::Idle, None, OLD);
    assert!(case.sending(DOOR).is_none());
    let refused = (BoardChange::FirmwareRefused, Some(Unfit::OtherBoard.number().into()));
    assert!(case.firmware_events(DOOR).contains(&refused));
}
