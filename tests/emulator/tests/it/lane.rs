//! A gate lane and a door on one bus.

use std::time::Instant;

use emulator::Bus;

use crate::panel::Panel;
use crate::support::{SOON, door, kind};

#[test]
fn two_boards_share_a_bus() {
    let bus = Bus::start().expect("a bus");
    let panel = Panel::on(&bus);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lane = kind("gate-lane", Some(&bus), "lane", 18, &folder);
    let (door, _flash) = door(Some(&bus), "door", 5);
    lane.press("leaf_closed").expect("the leaf rests closed");
    panel.install(18);
    panel.install(5);

    let asked = Instant::now();
    panel.release(18, 0, 50);
    lane.edge("open_entry", true, asked, SOON).expect("the lane opens for one person");
    assert!(
        door.edges(asked).expect("powered").iter().all(|edge| edge.output != "lock"),
        "and the door does not"
    );

    let asked = Instant::now();
    panel.release(5, 0, 3);
    door.edge("lock", true, asked, SOON).expect("the door opens");
    door.edge("lock", false, asked, SOON).expect("and locks");
}

#[test]
fn fire_frees_the_lane() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lane = kind("gate-lane", None, "lane", 18, &folder);
    lane.press("leaf_closed").expect("the leaf rests closed");
    lane.wait_output("brake", true, SOON).expect("the closed leaf is held");
    let since = Instant::now();
    lane.press("fire").expect("pressed");
    lane.wait_output("brake", false, SOON).expect("free both ways");
    println!(
        "fire to a free lane, 5 ms of debounce included: {:?} (emulated, looked at every millisecond)",
        since.elapsed()
    );
}
