//! Firmware from the server to the boards: sent, broken off, tried, kept or not.

use std::thread;
use std::time::{Duration, Instant};

use board_sim::update::{Image, fits};
use endpoints::vendor::Kind;
use endpoints::vendor::firmware::{HEADER_LEN, Header, Text, signed_message};
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use uplink::event::{BoardChange, Body, ControllerChange};
use uplink::live::UpdateStage;
use uplink::sync::firmware::{KeyRow, OrderRow, file_rows};
use uplink::sync::{Change, Chunk, Set, chunks};

use crate::broker::Broker;
use crate::building::{self, Building, policy_parts};
use crate::server::Server;

/// A transfer, a start and a trial of ten seconds, on a busy machine.
const LONG: Duration = Duration::from_secs(90);
const NEW: [u8; 3] = [0, 2, 0];

fn maker() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[77; 32]).expect("any 32 bytes are a seed")
}

pub(crate) fn maker_public() -> [u8; 32] {
    maker().public_key().as_ref().try_into().expect("32 bytes")
}

fn file(kind: Kind, comes_up: bool, length: usize, key: &Ed25519KeyPair) -> Vec<u8> {
    let image = Image { firmware: NEW, comes_up }.bytes(length);
    let model = if kind == Kind::Door { 1 } else { 2 };
    let header = Header {
        fits: fits(kind, model, 1),
        firmware: NEW,
        security: 1,
        length: image.len() as u32,
        words: Text::new("a test's").expect("short"),
        sha256: digest(&SHA256, &image).as_ref().try_into().expect("32 bytes"),
    };
    let mut head = [0; HEADER_LEN];
    header.encode(&mut head).expect("its length");
    [&head[..], key.sign(&signed_message(&head)).as_ref(), &image].concat()
}

fn order(address: u8, image: u64) -> Change {
    let row = OrderRow {
        plan: 5,
        bus: "ground floor".into(),
        address,
        image,
        from: 0,
        until: building::utc_now() + 3_600_000_000,
        even_if_open: true,
    };
    Change::put("order", address.into(), &row)
}

fn replica(version: u64, images: &[Vec<u8>], orders: Vec<Change>) -> Vec<Chunk> {
    let public = maker_public().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut rows = vec![Change::put("key", 1, &KeyRow { public })];
    for (number, file) in (1..).zip(images) {
        rows.extend(file_rows(number, file));
    }
    rows.extend(orders);
    let digest = building::digest(&rows);
    chunks(Set::Firmware, None, version, digest, rows)
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LONG;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// Whether the server was told this of a board.
fn told(server: &Server, address: u8, change: BoardChange, count: Option<i64>) -> bool {
    let is = |body: &Body| {
        matches!(body, Body::Board(it) if (it.address, it.change) == (address, change)
            && count.is_none_or(|count| it.count == Some(count)))
    };
    server.count(is) > 0
}

fn wait(server: &Server, address: u8, change: BoardChange, count: Option<i64>) {
    until(&format!("{change:?} {count:?}"), || told(server, address, change, count).then_some(()));
}

struct Site {
    building: Building,
    server: Server,
    _broker: Broker,
}

fn site() -> Site {
    let mut building = Building::new();
    building.knows(1, &policy_parts(1));
    let broker = Broker::start(building.folder.path());
    building.broker_port = broker.port;
    let server = Server::start(building.folder.path(), broker.port);
    Site { building, server, _broker: broker }
}

#[test]
fn a_version_reaches_its_board_whatever_breaks_off_and_stays() {
    let Site { building, server, _broker } = site();
    let controller = building.running();
    until("its link to the server", || server.look(|known| known.haves.first().cloned()));
    let file = file(Kind::Door, true, 26_000, &maker());
    server.offer(&replica(1, &[file], vec![order(1, 1)]));
    let door = &building.boards[0];
    wait(&server, 1, BoardChange::FirmwareOrdered, Some(2_000));
    wait(&server, 1, BoardChange::FirmwareSending, Some(25));
    // Somebody leaves meanwhile, at once.
    door.world("press rex");
    door.wait_on("lock", 1);
    door.world("release rex");
    // The controller's power goes, and comes.
    controller.kill();
    let _controller = building.running();
    wait(&server, 1, BoardChange::FirmwareSending, Some(50));
    // The board's.
    door.world("power cut");
    wait(&server, 1, BoardChange::Offline, None);
    door.world("power on");
    wait(&server, 1, BoardChange::FirmwareReady, Some(2_000));
    wait(&server, 1, BoardChange::FirmwareTrial, Some(2_000));
    wait(&server, 1, BoardChange::FirmwareGood, Some(2_000));
    assert_eq!(door.version(), "0.2.0");
    assert!(!told(&server, 1, BoardChange::FirmwareRefused, None));
    until("that it is done", || {
        let stage = server.look(|known| {
            let board = known.live.as_ref()?.boards.iter().find(|it| it.address == 1)?;
            board.update.as_ref().map(|it| it.stage)
        });
        (stage == Some(UpdateStage::Done)).then_some(())
    });
    assert_eq!(building.boards[1].version(), "0.1.0", "nobody ordered it for the other");
    server.has_no_gaps();
}

#[test]
fn a_version_that_does_not_come_up_goes_back_and_the_plan_stops() {
    let Site { building, server, _broker } = site();
    let _controller = building.running();
    until("its link to the server", || server.look(|known| known.haves.first().cloned()));
    // The lane's image is long: it is still on its way when the door is back.
    let files = [file(Kind::Door, false, 2_000, &maker()), file(Kind::GateLane, true, 30_000, &maker())];
    server.offer(&replica(1, &files, vec![order(1, 1), order(2, 2)]));
    wait(&server, 1, BoardChange::FirmwareReturned, Some(2_000));
    let [door, lane] = &building.boards[..] else { panic!("two boards") };
    assert_eq!(
        (door.version(), door.started()),
        ("0.1.0".to_owned(), vec!["0.2.0".to_owned(), "0.1.0".to_owned()])
    );
    // The lane has its image at last, and leaves it at that.
    until("that the plan is over", || {
        let stages: Vec<_> = server.look(|known| {
            let boards = known.live.as_ref().map(|live| live.boards.clone()).unwrap_or_default();
            boards.into_iter().filter_map(|it| it.update.map(|it| it.stage)).collect()
        });
        (stages == [UpdateStage::Stopped, UpdateStage::Stopped]).then_some(())
    });
    assert_eq!(lane.version(), "0.1.0");
    assert!(lane.started().is_empty() && !told(&server, 2, BoardChange::FirmwareTrial, None));
}

#[test]
fn an_image_that_the_maker_did_not_sign_goes_on_no_bus() {
    let Site { building, server, _broker } = site();
    let _controller = building.running();
    until("its link to the server", || server.look(|known| known.haves.first().cloned()));
    let other = Ed25519KeyPair::from_seed_unchecked(&[78; 32]).expect("any 32 bytes are a seed");
    server.offer(&replica(1, &[file(Kind::Door, true, 2_000, &other)], vec![order(1, 1)]));
    server.wait_event(
        "the refusal",
        |body| matches!(body, Body::Controller(it) if it.change == ControllerChange::FirmwareRefused),
    );
    assert!(!told(&server, 1, BoardChange::FirmwareOrdered, None));
    // A lane's image for the door: refused by the controller, before a block of it.
    server.offer(&replica(2, &[file(Kind::GateLane, true, 2_000, &maker())], vec![order(1, 1)]));
    wait(&server, 1, BoardChange::FirmwareRefused, Some(3));
    assert!(!told(&server, 1, BoardChange::FirmwareSending, None));
    assert_eq!(building.boards[0].version(), "0.1.0");
}
