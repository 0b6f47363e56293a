//! How doors stand is known as soon as their boards are there.

use uplink::live::{Door, Lock, Position};

use crate::broker::Broker;
use crate::building::{Building, GATE, LOBBY, policy_parts, until};
use crate::server::Server;

/// Waits until a door is said to be so.
pub(crate) fn wait(server: &Server, what: &str, door: u64, is: impl Fn(&Door) -> bool) -> Door {
    until(what, || {
        server.look(|known| {
            let live = known.live.as_ref()?;
            live.doors.iter().find(|it| it.door == door && is(it)).cloned()
        })
    })
}

/// A door that stands so, and whose board is there.
pub(crate) fn stands(position: Position, lock: Lock) -> impl Fn(&Door) -> bool {
    move |door| {
        (door.position, door.lock) == (position, lock) && !door.troubles.contains(&"board-offline".to_owned())
    }
}

#[test]
fn a_controller_that_comes_learns_what_lasts_and_a_board_that_comes_tells_it() {
    let mut building = Building::new();
    let broker = Broker::start(building.folder.path());
    building.broker_port = broker.port;
    let server = Server::start(building.folder.path(), broker.port);
    building.knows(1, &policy_parts(1));
    let controller = building.running();
    let (door, lane) = (&building.boards[0], &building.boards[1]);
    let shut = || stands(Position::Closed, Lock::Locked);
    wait(&server, "the lobby, shut", LOBBY.0, shut());
    wait(&server, "the gate, shut", GATE.0, shut());

    door.world("open contact");
    wait(&server, "the lobby, forced", LOBBY.0, |it| it.troubles.contains(&"forced".to_owned()));
    door.world("cut rex");
    wait(&server, "a line in fault", LOBBY.0, |it| it.troubles.contains(&"input-fault".to_owned()));
    // Its events are acknowledged; whoever comes now is told none of them.
    until("an empty outbox", || {
        server.look(|known| {
            let outbox = known.live.as_ref()?.outbox?;
            (outbox.urgent == 0 && outbox.bulk == 0).then_some(())
        })
    });
    controller.kill();
    server.forget_live();
    let _controller = building.running();
    let lobby = wait(&server, "the lobby, open", LOBBY.0, stands(Position::Open, Lock::Locked));
    assert!(lobby.troubles.contains(&"forced".to_owned()), "{lobby:?}");
    assert!(lobby.troubles.contains(&"input-fault".to_owned()), "{lobby:?}");
    wait(&server, "the gate, shut", GATE.0, shut());

    lane.world("serial cut");
    wait(&server, "the gate, unknown", GATE.0, |it| it.lock == Lock::Unknown);
    lane.world("press break_glass");
    lane.world("serial mend");
    let gate = wait(&server, "the gate, free", GATE.0, |it| it.lock == Lock::Released);
    assert_eq!(gate.causes, ["break-glass"]);
    lane.world("power cut");
    wait(&server, "the gate, unknown", GATE.0, |it| it.position == Position::Unknown);
    lane.world("release break_glass");
    lane.world("power on");
    wait(&server, "the gate, shut", GATE.0, shut());
}
