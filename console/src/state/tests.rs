use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use uplink::live::{Board, Live, Outbox};

use super::*;
use crate::words::Language;

const NOW: i64 = 1_772_438_400_000_000;

fn page() -> Page {
    Page { language: Language::English, operator: None, zone: TimeZone::UTC, section: "" }
}

/// A site of one controller with two doors.
fn directory() -> Directory {
    let door = |id, name: &str, address| Door {
        id,
        name: name.to_owned(),
        area: "Lobby".to_owned(),
        kind: "kind-door",
        controller: "controller-1".to_owned(),
        board: Some(("lobby".to_owned(), address)),
    };
    Directory {
        doors: BTreeMap::from([(1, door(1, "Main Door", 1)), (2, door(2, "Archive", 2))]),
        controllers: BTreeMap::from([("controller-1".to_owned(), "Controller One".to_owned())]),
        ..Directory::default()
    }
}

fn door(id: u64, lock: Lock, troubles: &[&str]) -> wire::Door {
    wire::Door {
        door: id,
        position: Position::Closed,
        lock,
        causes: Vec::new(),
        troubles: troubles.iter().map(|it| (*it).to_owned()).collect(),
        heard_at: Some(NOW),
    }
}

fn board(address: u8, online: bool) -> Board {
    Board {
        bus: "lobby".to_owned(),
        address,
        online,
        secure: online,
        firmware: None,
        heard_at: Some(NOW),
        retries: 0,
        line: None,
        list: None,
        update: None,
        install: None,
    }
}

/// What the controller said, `age` microseconds ago.
fn heard(age: i64, doors: Vec<wire::Door>, boards: Vec<Board>) -> BTreeMap<String, Heard> {
    let outbox = Some(Outbox { epoch: 1, urgent: 0, bulk: 0, writable: true });
    let live = Live {
        at: NOW - age,
        software: "1.0".to_owned(),
        doors,
        boards,
        cameras: Vec::new(),
        outbox,
        replica_version: Some(3),
    };
    BTreeMap::from([(
        "controller-1".to_owned(),
        Heard { heard_at: NOW - age, clock_error: 0, live: Arc::new(live) },
    )])
}

fn all_well() -> BTreeMap<String, Heard> {
    let doors = vec![door(1, Lock::Locked, &[]), door(2, Lock::Released, &[])];
    heard(1_000_000, doors, vec![board(1, true), board(2, true)])
}

fn drawn(devices: &BTreeMap<String, Heard>, troubles: &[Trouble]) -> String {
    let troubles = troubles.iter().map(|trouble| (*trouble, NOW)).collect();
    render(&page(), &directory(), devices, &troubles, NOW)
}

/// The answer at the top.
fn answer(html: &str) -> &str {
    html.split("</section>").next().expect("split gives one part at least")
}

#[test]
fn a_building_without_troubles_is_normal() {
    let html = drawn(&all_well(), &[]);
    assert!(answer(&html).contains("All normal"), "{html}");
    assert!(!html.contains("attention"), "{html}");
    assert!(html.contains("Board: Main Door"), "a board is named after its door: {html}");
}

#[test]
fn a_trouble_of_the_server_stands_in_the_answer() {
    let html = drawn(&all_well(), &[Trouble::BrokerAway]);
    let answer = answer(&html);
    assert!(answer.contains("1 thing needs attention"), "{answer}");
    assert!(answer.contains("The message broker is not connected"), "{answer}");
}

#[test]
fn while_no_policy_can_be_put_in_force_a_withdrawn_right_is_said_to_open_doors() {
    for trouble in [Trouble::PolicyFaulty, Trouble::PolicyUnpublished] {
        let html = drawn(&all_well(), &[trouble]);
        assert!(answer(&html).contains("withdrawn right"), "{html}");
    }
}

#[test]
fn a_silent_controller_is_one_matter_and_nothing_it_said_is_drawn_as_now() {
    let doors = vec![door(1, Lock::Locked, &["forced"]), door(2, Lock::Released, &[])];
    let html = drawn(&heard(STALE_AFTER + 1, doors, vec![board(1, true)]), &[]);
    let top = answer(&html);
    assert!(top.contains("1 thing needs attention") && top.contains("Controller One"), "{top}");
    for old in ["Locked", "Released", "forced open", "encrypted", "waiting to be sent"] {
        assert!(!html.contains(old), "{old} is drawn as it is now: {html}");
    }
    assert_eq!(html.matches("the controller is silent").count(), 2, "each door says why: {html}");
}

#[test]
fn a_controller_that_was_never_heard_is_drawn() {
    let html = drawn(&BTreeMap::new(), &[]);
    assert!(answer(&html).contains("Controller One"), "{html}");
    assert!(html.contains("not heard since the start"), "{html}");
}

#[test]
fn a_board_off_line_is_one_matter_with_its_door() {
    let doors = vec![door(1, Lock::Locked, &[]), door(2, Lock::Released, &["board-offline"])];
    let html = drawn(&heard(0, doors, vec![board(1, true), board(2, false)]), &[]);
    assert!(!html.contains("Released"), "what the board said before is not drawn as it is now: {html}");
    let top = answer(&html);
    assert!(top.contains("1 thing needs attention") && top.contains("Board: Archive"), "{top}");
    assert!(html.contains("nobody can say how the lock stands"), "{html}");
}

#[test]
fn a_door_forced_and_off_line_is_two_matters() {
    let doors = vec![door(1, Lock::Locked, &[]), door(2, Lock::Unknown, &["forced", "board-offline"])];
    let html = drawn(&heard(0, doors, vec![board(1, true), board(2, false)]), &[]);
    assert!(answer(&html).contains("2 things need attention"), "{html}");
}

#[test]
fn a_lock_nobody_told_of_says_so() {
    let doors = vec![door(1, Lock::Unknown, &[]), door(2, Lock::Locked, &[])];
    let html = drawn(&heard(0, doors, vec![board(1, true), board(2, true)]), &[]);
    assert!(answer(&html).contains("1 thing needs attention"), "{html}");
    assert!(html.contains("the board has not yet said how the lock stands"), "{html}");
}

/// Any number may stand in what a device says.
#[test]
fn an_outbox_of_impossible_length_is_drawn() {
    let mut devices = all_well();
    let heard = devices.get_mut("controller-1").unwrap();
    let mut live = Live::clone(&heard.live);
    live.outbox = Some(Outbox { epoch: 1, urgent: u64::MAX, bulk: 2, writable: true });
    heard.live = Arc::new(live);
    assert!(drawn(&devices, &[]).contains("18446744073709551615"));
}
