//! Boards that are alone: they open by their list, for whom it names, until it ends.

use domain::ids::GroupId;
use domain::policy::CredentialStatus;
use uplink::event::{Body, Outcome};

use crate::broker::Broker;
use crate::building::{Building, policy_parts, snapshot, until, utc_now};
use crate::server::Server;

const DOOR: &str = "lobby door";
/// Ada's card, and Ben's, who may not enter.
const ADAS: &str = "card 26 12:3456";
const BENS: &str = "card 26 12:3457";

fn building(life_s: u32) -> Building {
    let mut building = Building::new();
    building.extra = format!("whitelist_life_s = {life_s}");
    building.of_boards = "offline = \"whitelist\"\noffline_after_s = 2".to_owned();
    building.knows(1, &policy_parts(1));
    building
}

/// What a board decided alone, with the reason it gave.
fn decided(server: &Server, outcome: Outcome, why: &str) {
    server.wait_event(why, |body| {
        matches!(body, Body::Access(it)
            if it.trace.centre == "board-alone" && it.outcome == outcome && it.trace.shown[0].code == why)
    });
}

#[test]
fn a_board_alone_opens_for_whom_its_list_names_until_it_ends() {
    // A machine under load may need longer than the first list lasts before anybody stands at the door.
    let told = [20, 80].into_iter().any(opens_until_the_end);
    assert!(told, "too slow a machine to tell");
}

/// With lists that last so many seconds. Says whether that was long enough to tell.
fn opens_until_the_end(life_s: u32) -> bool {
    let mut building = building(life_s);
    let broker = Broker::start(building.folder.path());
    building.broker_port = broker.port;
    let server = Server::start(building.folder.path(), broker.port);
    let controller = building.running();
    let door = &building.boards[0];
    let list = until("a list at the board", || building.list_of(DOOR));
    controller.kill();
    door.wait_alone();
    door.world(ADAS);
    if door.clock() >= list.until {
        return false;
    }
    door.wait_on("lock", 1);
    door.wait_off("lock");
    // A board looks up one card at a time: whoever is shown beside another is refused.
    door.world(BENS);
    while door.clock() < list.until {
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    door.world(ADAS);
    // What it decided is told to the controller that comes back.
    let _controller = building.running();
    decided(&server, Outcome::Denied, "local-not-listed");
    decided(&server, Outcome::Granted, "local-whitelist");
    decided(&server, Outcome::Denied, "local-list-expired");
    assert_eq!(door.went_on("lock").len(), 1, "for Ada, and once");
    until("another list", || building.list_of(DOOR).filter(|it| it.number > list.number));
    true
}

#[test]
fn a_list_is_renewed_before_it_ends() {
    let building = building(10);
    let _controller = building.running();
    let first = until("a list at the board", || building.list_of(DOOR));
    let second = until("the next", || building.list_of(DOOR).filter(|it| it.number > first.number));
    assert!(utc_now() < first.until, "the first holds still");
    assert!(second.until > first.until);
}

#[test]
fn a_change_of_policy_is_on_the_list_at_once() {
    let mut building = building(3_600);
    let broker = Broker::start(building.folder.path());
    building.broker_port = broker.port;
    let server = Server::start(building.folder.path(), broker.port);
    let controller = building.running();
    let door = &building.boards[0];
    let first = until("a list at the board", || building.list_of(DOOR));
    until("its link to the server", || server.look(|known| known.haves.first().cloned()));
    // Ada lost her card, and Ben may enter now.
    let mut changed = policy_parts(2);
    changed.credentials[0].status = CredentialStatus::Lost;
    changed.people[1].groups = vec![GroupId(1)];
    server.offer(&snapshot(2, &changed));
    until("the next", || building.list_of(DOOR).filter(|it| it.number > first.number));
    controller.kill();
    door.wait_alone();
    door.world(BENS);
    door.wait_on("lock", 1);
    door.wait_off("lock");
    door.world(ADAS);
    let _controller = building.running();
    decided(&server, Outcome::Denied, "local-not-listed");
    assert_eq!(door.went_on("lock").len(), 1);
}

#[test]
fn without_the_rule_a_board_alone_lets_nobody_in_and_everybody_out() {
    let mut building = Building::new();
    building.of_boards = "offline_after_s = 2".to_owned();
    building.knows(1, &policy_parts(1));
    let controller = building.running();
    let (door, lane) = (&building.boards[0], &building.boards[1]);
    controller.kill();
    door.wait_alone();
    lane.wait_alone();
    door.world(ADAS);
    lane.world(&format!("{ADAS} 1"));
    lane.wait_on("open_exit", 1);
    door.world("press rex 200");
    door.wait_on("lock", 1);
    assert_eq!(door.went_on("lock").len(), 1, "the button, not the card");
    assert!(building.list_of(DOOR).is_none());
}
