//! The processes themselves: a board on a socket, two boards on one bus behind a pseudo-terminal.
#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one event among many")]

mod panel;
mod process;

use osdp::{Command, OutputAction, OutputControl, Records};

use panel::Panel;
use process::{Place, board, hub};

fn release(tenths: u16) -> [OutputControl; 1] {
    [OutputControl { output: 0, action: OutputAction::OnForTimer, timer_100ms: tenths }]
}

#[test]
fn a_board_on_a_socket_is_driven_by_a_panel_and_by_its_world() {
    let place = Place::new();
    let mut door = board(&place, "door", 3);
    let mut panel = Panel::connect(&place.path("door.sock"), &[3]);
    panel.until_secure(3);

    panel.order(3, &Command::Output(Records::new(&release(10))));
    let on = door.edge("lock", true);
    let off = door.edge("lock", false);
    assert!((950_000..1_500_000).contains(&(off - on)), "{} us", off - on);

    assert_eq!(door.say("fire on")["ok"], true);
    door.edge("lock", true);
    door.say("fire off");
    door.edge("lock", false);

    door.say("card 26 18:13398");
    panel.until("a card", |e| matches!(e, osdp::cp::EventKind::Card(card) if card.bits == 26));
    door.say("pin 1#");
    panel.until("a key", |e| matches!(e, osdp::cp::EventKind::Keys(_)));

    assert_eq!(door.say("press nothing")["ok"], false);
    assert_eq!(door.say("state")["link"], "up");
}

#[test]
fn a_board_without_power_is_dark_and_knows_its_key_afterwards() {
    let place = Place::new();
    let mut door = board(&place, "door", 3);
    let mut panel = Panel::connect(&place.path("door.sock"), &[3]);
    panel.until_secure(3);
    door.say("press rex");
    door.edge("lock", true);
    door.say("power cut");
    door.edge("lock", false);
    assert_eq!(door.say("state")["power"], false);
    door.say("release rex");
    door.say("power on");
    panel.until("a new channel", |e| {
        matches!(e, osdp::cp::EventKind::SecureChannelUp | osdp::cp::EventKind::Online { secure: true, .. })
    });
}

#[test]
fn two_boards_share_one_bus_behind_a_pseudo_terminal() {
    let place = Place::new();
    let mut door = board(&place, "door", 3);
    let mut lane = board(&place, "gate-lane", 4);
    let _hub = hub(&place, &["door.sock", "gate-lane.sock"]);
    let mut panel = Panel::on_terminal(&place.path("bus"), &[3, 4]);
    panel.until_secure(3);
    panel.until_secure(4);
    panel.order(3, &Command::Output(Records::new(&release(5))));
    panel.order(4, &Command::Output(Records::new(&release(50))));
    door.edge("lock", true);
    lane.edge("open_entry", true);
    lane.say("walk in");
    lane.edge("brake", true);
}
