//! Doors without any centre: neither server nor broker is there.

use std::time::Duration;

use crate::building::{ADA, BEN, Building, policy_parts, runtime, utc_now};
use crate::vision::{STRANGER, Vision, known};

#[test]
fn a_known_face_opens_and_nobody_else_does() {
    let building = Building::new();
    building.knows(1, &policy_parts(1));
    let controller = building.running();
    let (door, lane) = (&building.boards[0], &building.boards[1]);
    runtime().block_on(async {
        let mut vision =
            Vision::connect(building.folder.path(), "vision-1", controller.link).await.expect("welcome");
        assert_eq!(vision.cameras, ["gate", "lobby"], "the cellar is not bound here");
        assert!(!vision.sees("lobby", STRANGER, true).await, "a stranger");
        assert!(!vision.sees("lobby", known(BEN), true).await, "no access level");
        assert!(!vision.sees("lobby", known(ADA), false).await, "a print");
        assert!(door.went_on("lock").is_empty());
        assert!(vision.sees("lobby", known(ADA), true).await);
        door.wait_on("lock", 1);
        assert!(vision.sees("gate", known(ADA), true).await);
        lane.wait_on("open_entry", 1);
        let late = utc_now() - 2_000_000;
        assert!(!vision.sees_again("lobby", known(ADA), true, late).await || door.went_on("lock").len() == 1);
    });
    door.wait_off("lock");
    assert_eq!(door.went_on("lock").len(), 1);
    assert!(controller.stop() < Duration::from_secs(2));
}

#[test]
fn from_the_sighting_to_the_lock_it_takes_few_milliseconds() {
    let building = Building::new();
    building.knows(1, &policy_parts(1));
    let controller = building.running();
    let door = &building.boards[0];
    let mut times: Vec<i64> = Vec::new();
    runtime().block_on(async {
        let mut vision =
            Vision::connect(building.folder.path(), "vision-1", controller.link).await.expect("welcome");
        for nth in 1..=20 {
            let seen = utc_now();
            assert!(vision.sees("lobby", known(ADA), true).await);
            times.push(door.wait_on("lock", nth) - seen);
            // Opening and closing ends the release.
            door.world("pass 50");
            door.wait_off("lock");
        }
    });
    times.sort_unstable();
    println!("sighting to lock, µs: {times:?}");
    assert!(times[times.len() / 2] < 20_000, "median of {times:?}");
}

#[test]
fn a_card_opens_and_a_restart_keeps_everything() {
    let building = Building::new();
    building.knows(1, &policy_parts(1));
    let controller = building.running();
    let door = &building.boards[0];
    door.world("card 26 12:3456");
    door.wait_on("lock", 1);
    controller.kill();
    door.wait_off("lock");
    let controller = building.running();
    door.world("card 26 12:3456");
    door.wait_on("lock", 2);
    controller.stop();
}

#[test]
fn a_board_that_comes_back_opens_nothing() {
    let building = Building::new();
    building.knows(1, &policy_parts(1));
    let _controller = building.running();
    let door = &building.boards[0];
    door.world("card 26 12:3456");
    door.wait_on("lock", 1);
    door.wait_off("lock");
    door.world("power cut");
    door.world("power on");
    door.wait_linked();
    door.world("card 26 12:3456");
    door.wait_on("lock", 2);
    assert_eq!(door.went_on("lock").len(), 2, "the power coming back released nothing");
}

#[test]
fn a_fire_at_one_board_frees_the_whole_zone_until_it_is_over() {
    let building = Building::new();
    building.knows(1, &policy_parts(1));
    let _controller = building.running();
    let (door, lane) = (&building.boards[0], &building.boards[1]);
    assert!(!door.is_on("lock"));
    lane.world("fire on");
    door.wait_on("lock", 1);
    lane.world("fire off");
    door.wait_off("lock");
}
