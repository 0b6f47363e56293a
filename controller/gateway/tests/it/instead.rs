//! What the program does instead of serving.

use std::time::Duration;

use gateway::config;
use gateway::install::{InstallError, install};
use serde_json::Value;
use uplink::command::{Action, Settled};
use uplink::event::{BoardChange, Body};

use crate::broker::Broker;
use crate::building::{Building, policy_parts, runtime, until, utc_now};
use crate::server::Server;

#[test]
fn a_new_board_is_given_its_key_and_works_with_it_alone() {
    let building = Building::with_new_boards();
    building.knows(1, &policy_parts(1));
    assert_eq!(
        building.instead(&["install", "lobby door"]),
        Ok("lobby door answers under its own key\n".into())
    );
    assert_eq!(
        building.instead(&["install", "lobby door"]),
        Ok("lobby door answers under its own key\n".into()),
        "again, and nothing has changed"
    );
    let _controller = building.controller();
    let (door, lane) = (&building.boards[0], &building.boards[1]);
    door.wait_linked();
    door.world("card 26 12:3456");
    door.wait_on("lock", 1);
    assert!(!lane.linked(), "whoever was not given a key is not spoken to");
}

/// While the controller runs: an operator opens the window from afar, and the new board is given its key in it.
#[test]
fn a_new_board_is_given_its_key_in_a_window_that_is_commanded() {
    let mut building = Building::with_new_boards();
    building.knows(1, &policy_parts(1));
    let broker = Broker::start(building.folder.path());
    building.broker_port = broker.port;
    let server = Server::start(building.folder.path(), broker.port);
    let _controller = building.controller();
    let live = |server: &Server| server.look(|known| known.live.clone());
    let board = until("the controller says which boards it has", || live(&server)?.boards.first().cloned());
    assert!(!board.online, "nobody speaks to it yet");
    let window = utc_now() + 60_000_000;
    let open = Action::OpenInstall { bus: board.bus.clone(), address: Some(board.address), until: window };
    server.command("guard", 5_000, 2, open.clone());
    assert_eq!(server.wait_result("guard").settled, Settled::Outranked);
    server.command("open", 5_000, 4, open);
    assert_eq!(server.wait_result("open").settled, Settled::Done);
    let is = |body: &Body, wanted| matches!(body, Body::Board(it) if it.change == wanted && it.address == board.address);
    server.wait_event("the window", |body| is(body, BoardChange::InstallOpened));
    server.wait_event("the key", |body| is(body, BoardChange::Installed));
    until("it answers under its own key, and its window is closed", || {
        let boards = live(&server)?.boards;
        boards.iter().find(|it| it.address == board.address && it.online && it.install.is_none()).cloned()
    });
    let (door, lane) = (&building.boards[0], &building.boards[1]);
    door.wait_linked();
    assert!(!lane.linked(), "the window was for one board");
    // Of the bus: for the others that are new. It closes when it is told to.
    let open = Action::OpenInstall { bus: board.bus.clone(), address: Some(board.address), until: window };
    server.command("again", 5_000, 4, open);
    assert_eq!(server.wait_result("again").settled, Settled::HasKey);
    server.command(
        "bus",
        5_000,
        4,
        Action::OpenInstall { bus: board.bus.clone(), address: None, until: window },
    );
    assert_eq!(server.wait_result("bus").settled, Settled::Done);
    lane.wait_linked();
    door.wait_linked();
}

#[test]
fn a_device_that_nobody_configured_is_one_sentence() {
    let building = Building::new();
    let said = building.instead(&["install", "cellar door"]).expect_err("there is none");
    assert!(said.contains("no device is called \"cellar door\""), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_board_with_another_key_takes_none_and_the_window_closes_by_itself() {
    let building = Building::new();
    let path = building.configuration();
    let other = std::fs::read_to_string(&path).expect("read").replace("board.key", "other.key");
    std::fs::write(&path, other).expect("written");
    building.secret("other.key", &[0x5A; 16]);
    let config = config::read(&path).expect("it is right");
    let outcome = runtime().block_on(install(&config, "lobby door", Duration::from_secs(3)));
    assert!(matches!(outcome, Err(InstallError::Window(_))), "{outcome:?}");
    // It still has the key it had.
    let _controller = building.running();
}

#[test]
fn the_outbox_says_what_was_numbered_and_what_the_server_has() {
    let mut building = Building::new();
    building.knows(1, &policy_parts(1));
    let said = building.instead(&["outbox"]).expect_err("nothing has run yet");
    assert_eq!(said.lines().count(), 1, "{said}");
    let counts = |building: &Building| -> Value {
        serde_json::from_str(&building.instead(&["outbox"]).expect("it has run")).expect("JSON")
    };
    building.running().kill();
    let before = counts(&building);
    assert!(before["bulk"].as_u64().is_some_and(|it| it > 0), "{before}");
    assert_eq!((&before["urgent_acked"], &before["bulk_acked"]), (&0.into(), &0.into()), "nobody was there");
    let broker = Broker::start(building.folder.path());
    building.broker_port = broker.port;
    let server = Server::start(building.folder.path(), broker.port);
    let controller = building.running();
    until("everything acknowledged", || {
        let now = counts(&building);
        (now["bulk"] == now["bulk_acked"] && now["urgent"] == now["urgent_acked"]).then_some(())
    });
    controller.stop();
    let after = counts(&building);
    assert_eq!((&after["epoch"], &after["bulk_epoch"]), (&before["epoch"], &before["bulk_epoch"]));
    let had = server.look(|known| known.events.len() as u64);
    assert!(after["bulk"].as_u64().zip(after["urgent"].as_u64()).is_some_and(|(a, b)| a + b >= had));
}
