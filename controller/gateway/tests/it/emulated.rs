//! The same controller with boards in QEMU that run their firmware images.

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use board_sim::script::standard_26;
use emulator::{Board, Bus, Image, Pins, Setup};
use uplink::live::{Lock, Position};

use crate::broker::Broker;
use crate::building::{Building, GATE, LOBBY, policy_parts, until, utc_now};
use crate::server::Server;
use crate::standing::{stands, wait};

/// Long for a busy host.
const SOON: Duration = Duration::from_secs(15);

fn board(building: &Building, bus: &Bus, kind: &str, address: u8) -> Board {
    let setup = Setup {
        name: kind.to_owned(),
        image: Image::named(kind).unwrap_or_else(|error| panic!("{error}: `cargo xtask test` builds it")),
        pins: Pins::of(kind).expect("its pin map"),
        address,
        flash: building.path(&format!("{kind}.flash")),
        bus: Some(bus.clone()),
        count_instructions: false,
    };
    let board = Board::start(setup).expect("QEMU starts it");
    board.wait_console("board ready", SOON).expect("the image starts");
    board
}

/// A card's bits, as its reader sends them.
fn bits(number: u16) -> Vec<bool> {
    let data = standard_26(12, number);
    (0..26).map(|bit| data[bit / 8] >> (7 - bit % 8) & 1 == 1).collect()
}

#[test]
fn an_image_is_given_its_key_says_how_it_stands_and_opens_by_its_list_when_alone() {
    let mut building = Building::without_boards();
    let broker = Broker::start(building.folder.path());
    building.broker_port = broker.port;
    let server = Server::start(building.folder.path(), broker.port);
    building.of_boards = "offline = \"whitelist\"\noffline_after_s = 2".to_owned();
    building.knows(1, &policy_parts(1));
    let bus = Bus::start().expect("a bus");
    symlink(bus.pty("controller").expect("a port"), building.path("bus")).expect("linked");
    let door = board(&building, &bus, "door", 1);
    let lane = board(&building, &bus, "gate-lane", 2);
    lane.press("leaf_closed").expect("its leaf is shut");
    for name in ["lobby door", "gate"] {
        let said = building.instead(&["install", name]);
        assert_eq!(said, Ok(format!("{name} answers under its own key\n")));
    }
    let controller = building.controller();
    wait(&server, "the lobby, shut", LOBBY.0, stands(Position::Closed, Lock::Locked));
    wait(&server, "the gate, shut", GATE.0, stands(Position::Closed, Lock::Locked));
    // What lasts is known to who comes later, too.
    door.press("contact").expect("pressed");
    wait(&server, "the lobby, forced", LOBBY.0, |it| it.troubles.contains(&"forced".to_owned()));
    let list = until("a list at the board", || building.list_of("lobby door"));
    controller.kill();
    server.forget_live();
    let controller = building.controller();
    let lobby = wait(&server, "the lobby, open", LOBBY.0, stands(Position::Open, Lock::Locked));
    assert!(lobby.troubles.contains(&"forced".to_owned()), "{lobby:?}");
    door.release("contact").expect("released");
    wait(&server, "the lobby, shut", LOBBY.0, stands(Position::Closed, Lock::Locked));
    assert_eq!(building.list_of("lobby door").map(|it| it.number), Some(list.number), "it had it still");

    controller.kill();
    assert!(utc_now() < list.until);
    // Until it knows that it is alone, it tells cards to nobody; and a reader misreads now and then.
    let alone = Instant::now();
    let opened = loop {
        let shown = Instant::now();
        door.present_wiegand(0, &bits(3456)).expect("presented");
        if let Ok(edge) = door.edge("lock", true, shown, Duration::from_secs(2)) {
            break edge;
        }
        assert!(alone.elapsed() < SOON, "its list opens nothing");
    };
    door.edge("lock", false, opened, SOON).expect("locked after its time");
    let shown = Instant::now();
    door.present_wiegand(0, &bits(3457)).expect("presented");
    assert!(door.edge("lock", true, shown, Duration::from_secs(2)).is_err(), "who is not on it stays out");
}
