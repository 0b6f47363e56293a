//! The door board, from power on.

use std::num::NonZeroU8;
use std::time::Instant;

use emulator::Bus;
use endpoints::door::Settings;
use endpoints::vendor::{BoardSettings, FromBoard, Info, KindSettings, ToBoard, What};
use osdp::EventKind;

use crate::panel::{Panel, online};
use crate::support::{SOON, door, kind, spread};

#[test]
fn it_answers_soon_after_power_comes() {
    let bus = Bus::start().expect("a bus");
    let panel = Panel::on(&bus);
    let (board, flash) = door(Some(&bus), "one", 1);
    panel.install(1);
    drop(board);

    let board = kind("door", Some(&bus), "one", 1, &flash);
    let since = board.powered_at().expect("powered");
    let (ready, _) = board.wait_console("board ready", SOON).expect("the image starts");
    let panel = Panel::on(&bus);
    panel.add(1, false);
    let (online, ()) =
        panel.wait(since, "on-line with the key it was given before", |event| online(event, 1));
    println!(
        "power to banner {:?}, to the first secured poll {:?} (emulated)",
        ready - since,
        online - since
    );
}

#[test]
fn a_request_to_exit_releases_the_lock() {
    let bus = Bus::start().expect("a bus");
    let panel = Panel::on(&bus);
    let (board, _flash) = door(Some(&bus), "rex", 1);
    panel.install(1);
    // The shortest time an exit releases, so that some rounds fit into a test.
    let mut settings = BoardSettings::door();
    settings.kind = KindSettings::Door(Settings { exit_s: NonZeroU8::MIN, ..Settings::default() });
    panel.configure(1, settings);
    let mut times = Vec::new();
    for _ in 0..12 {
        let pressed = Instant::now();
        board.press("rex").expect("pressed");
        times.push(board.edge("lock", true, pressed, SOON).expect("released") - pressed);
        board.release("rex").expect("let go");
        board.edge("lock", false, pressed, SOON).expect("locked again");
    }
    println!("request to exit to lock, 20 ms of debounce included: {} (emulated)", spread(times));
}

#[test]
fn fire_releases_the_lock_for_as_long_as_it_lasts() {
    let (board, _flash) = door(None, "fire", 1);
    let mut times = Vec::new();
    for _ in 0..20 {
        let pressed = Instant::now();
        board.press("fire").expect("pressed");
        times.push(board.edge("lock", true, pressed, SOON).expect("released") - pressed);
        board.release("fire").expect("over");
        board.edge("lock", false, pressed, SOON).expect("locked when it is over");
    }
    println!("fire contact to lock, 5 ms of debounce included: {} (emulated)", spread(times));

    board.press("fire").expect("pressed");
    board.wait_output("lock", true, SOON).expect("released");
    board.cut_power();
    board.power_on().expect("power");
    board.wait_output("lock", true, SOON).expect("still fire, still released");
    board.release("fire").expect("over");
    board.wait_output("lock", false, SOON).expect("locked when it is over");
}

#[test]
fn the_panel_s_command_reaches_the_lock() {
    let bus = Bus::start().expect("a bus");
    let panel = Panel::on(&bus);
    let (board, _flash) = door(Some(&bus), "one", 1);
    panel.install(1);
    let mut times = Vec::new();
    for _ in 0..20 {
        let asked = Instant::now();
        panel.release(1, 0, 3);
        times.push(board.edge("lock", true, asked, SOON).expect("released") - asked);
        let locked = board.edge("lock", false, asked, SOON).expect("locked after its time");
        let for_time = locked - asked;
        assert!(for_time.as_millis() >= 300, "released for 0.3 s, not {for_time:?}");
    }
    println!("command queued to lock, over Secure Channel: {} (emulated)", spread(times));
}

#[test]
fn a_card_at_the_reader_reaches_the_panel() {
    let bus = Bus::start().expect("a bus");
    let panel = Panel::on(&bus);
    let (board, _flash) = door(Some(&bus), "one", 1);
    panel.install(1);
    // 26 bits: even parity of the first half, odd of the second.
    let number = 0x00AB_CDEF_u32 & 0x00FF_FFFF;
    let half = |shift: u32| (number >> shift & 0xFFF).count_ones() % 2 == 1;
    let mut bits = vec![half(12)];
    bits.extend((0..24).rev().map(|bit| number >> bit & 1 == 1));
    bits.push(!half(0));
    for look in ["a card", "the card again", "the card once more"] {
        let since = Instant::now();
        board.present_wiegand(0, &bits).expect("presented");
        let (_, bits) = panel.wait(since, look, |event| {
            let EventKind::Card(card) = &event.kind else { return None };
            Some(card.bits)
        });
        assert_eq!(bits, 26);
    }
}

#[test]
fn what_is_in_flash_outlives_a_power_cut() {
    let bus = Bus::start().expect("a bus");
    let panel = Panel::on(&bus);
    let (board, _flash) = door(Some(&bus), "one", 1);
    panel.install(1);
    let info = || -> Info {
        let since = Instant::now();
        panel.say(1, ToBoard::Hello);
        panel.told(since, "info", |message| match message {
            FromBoard::Info(info) => Some(info),
            FromBoard::Events { .. }
            | FromBoard::Outcome { .. }
            | FromBoard::Status { .. }
            | FromBoard::Update(_) => None,
        })
    };
    let before = info();
    board.press("tamper").expect("pressed");
    board.press("mains").expect("pressed");
    let since = Instant::now();
    panel.told(since, "events of both conditions", |message| match message {
        FromBoard::Events { mut events, .. } => {
            events.any(|event| event.expect("well formed").seq >= before.newest + 2).then_some(())
        }
        FromBoard::Info(_) | FromBoard::Outcome { .. } | FromBoard::Status { .. } | FromBoard::Update(_) => {
            None
        }
    });
    let told = info();

    board.cut_power();
    let since = Instant::now();
    board.power_on().expect("power");
    panel.wait(since, "on-line again with its key", |event| {
        matches!(event.kind, EventKind::Online { secure: true, .. } | EventKind::SecureChannelUp)
            .then_some(())
    });
    let after = info();
    assert_eq!(after.epoch, told.epoch, "the same log");
    assert_eq!(after.boot, told.boot + 1);
    assert!(after.newest >= told.newest, "nothing told is gone: {told:?}, {after:?}");
}

#[test]
fn a_lost_key_is_reset_at_the_board() {
    let bus = Bus::start().expect("a bus");
    let panel = Panel::on(&bus);
    let (board, _flash) = door(Some(&bus), "one", 1);
    panel.install(1);
    drop(panel);

    // Its controller is gone, and the key with it.
    board.cut_power();
    board.press("tamper").expect("the cover is off");
    board.press("key_button").expect("held");
    board.power_on().expect("power");
    board.wait_output("sounder", true, SOON).expect("the key is gone");
    assert!(!board.is_on("lock").expect("powered"), "nobody is let in by it");
    let since = board.powered_at().expect("powered");
    assert!(since.elapsed().as_secs() >= 10, "held for ten seconds, not {:?}", since.elapsed());
    board.release("key_button").expect("let go");
    let edges = board.edges(since).expect("powered");
    assert!(edges.iter().all(|edge| edge.output != "lock"), "{edges:?}");

    let panel = Panel::on(&bus);
    panel.install_another(1);
    let since = Instant::now();
    panel.say(1, ToBoard::Hello);
    panel.told(since, "that the key was reset", |message| match message {
        FromBoard::Events { mut events, .. } => {
            events.any(|event| event.expect("well formed").what == What::KeyReset).then_some(())
        }
        FromBoard::Info(_) | FromBoard::Outcome { .. } | FromBoard::Status { .. } | FromBoard::Update(_) => {
            None
        }
    });
}
