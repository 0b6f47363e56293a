//! An update as the controller sees it: over the bus, while the door does what doors do.

use board_logic::{GOOD_AFTER_US, TRIAL_US};
use ed25519_dalek::SigningKey;
use endpoints::vendor::firmware::{FILE_TYPE, Header, Text, Unfit};
use endpoints::vendor::{FromBoard, HoldUp, Kind, Stage, ToBoard, Update, What};
use endpoints::{Link, Order, Outcome, door};
use osdp::cp::EventKind;
use osdp::{DeviceSecurity, Key};

use crate::bench::{Bench, KEY, SECOND};
use crate::swap::{NEW, OLD, boot, file, flash, header, image, maker, place, updates};

const LOCK: u8 = door::Output::Lock.number();
const FIRE: u8 = door::Input::Fire.number();
const CONTACT: u8 = door::Input::Contact.number();
const REX: u8 = door::Input::Rex.number();

fn bench() -> Bench {
    let mut bench = Bench::without_panel(Kind::Door, flash());
    bench.updates = Some(updates(OLD));
    bench.start();
    bench.connect(DeviceSecurity::Install { key: Key::new(KEY), until: u64::MAX });
    bench.until("online", Bench::panel_is_secure);
    bench.hello();
    bench
}

fn ask(bench: &mut Bench, message: ToBoard) -> Update {
    let answers = bench.ask_board(message);
    let found = answers.iter().find_map(|kind| match kind {
        EventKind::Mfg { data, token: Some(_), .. } => match FromBoard::decode(data) {
            Ok(FromBoard::Update(update)) => Some(update),
            _ => None,
        },
        _ => None,
    });
    found.unwrap_or_else(|| panic!("an update among {answers:?}"))
}

fn good_file() -> Vec<u8> {
    file(&header(NEW), &image(NEW), &maker())
}

fn install(bench: &mut Bench) -> Update {
    ask(bench, ToBoard::Install { image: header(NEW).image(), even_if_open: false })
}

/// What a reset does: the bootloader, and then whatever version is there.
fn reset(bench: &mut Bench) -> [u8; 3] {
    let running = boot(&bench.flash).unwrap();
    bench.setup.firmware = running;
    bench.updates = Some(updates(running));
    bench.start();
    running
}

#[test]
fn a_version_arrives_is_tried_and_stays() {
    let mut bench = bench();
    assert_eq!(ask(&mut bench, ToBoard::Update).stage, Stage::Idle);
    assert!(bench.transfer_file(FILE_TYPE, &good_file(), 0, u32::MAX));
    let image = header(NEW).image();
    assert_eq!(ask(&mut bench, ToBoard::Update).stage, Stage::Ready { image });
    assert!(bench.has(What::UpdateReady { firmware: NEW }));

    let answer = install(&mut bench);
    assert_eq!((answer.stage, answer.hold_up, answer.running), (Stage::Installing { image }, None, OLD));
    bench.until("a start", |b| b.board.wants_restart(b.now));
    assert_eq!(reset(&mut bench), NEW);
    bench.until("online", |b| b.board.link() == Link::Up && b.panel_is_secure());
    assert_eq!(ask(&mut bench, ToBoard::Update).stage, Stage::Trial);
    // Nobody has said Hello: it has not spoken with its controller yet.
    bench.wait(2 * GOOD_AFTER_US);
    assert_eq!(ask(&mut bench, ToBoard::Update).stage, Stage::Trial);
    bench.hello();
    bench.wait(GOOD_AFTER_US + SECOND);
    let now = ask(&mut bench, ToBoard::Update);
    assert_eq!((now.stage, now.running), (Stage::Idle, NEW));
    assert!(bench.has(What::UpdateTrial { firmware: NEW }) && bench.has(What::UpdateGood { firmware: NEW }));
    assert_eq!(reset(&mut bench), NEW, "it stays over the next start");
}

#[test]
fn a_version_that_never_hears_its_controller_goes_back() {
    let mut bench = bench();
    assert!(bench.transfer_file(FILE_TYPE, &good_file(), 0, u32::MAX));
    install(&mut bench);
    bench.until("a start", |b| b.board.wants_restart(b.now));
    assert_eq!(reset(&mut bench), NEW);
    bench.cut_wire();
    bench.wait(TRIAL_US - SECOND);
    assert!(!bench.board.wants_restart(bench.now));
    // Somebody leaves just then: the door is not left alone.
    bench.press(REX, 50_000);
    bench.wait(SECOND);
    assert!(bench.is_on(LOCK) && !bench.board.wants_restart(bench.now));
    bench.wait(60 * SECOND);
    assert!(bench.board.wants_restart(bench.now));
    assert_eq!(reset(&mut bench), OLD);
    bench.mend_wire();
    bench.until("online", Bench::panel_is_secure);
    bench.hello();
    bench.wait(SECOND);
    assert!(bench.has(What::UpdateReturned { firmware: NEW }), "{:?}", bench.events);
    assert_eq!(ask(&mut bench, ToBoard::Update).stage, Stage::Idle);
}

#[test]
fn an_image_that_is_not_meant_for_this_board_never_touches_its_place() {
    let ours = header(NEW);
    let other = |fits: fn(&mut Header)| {
        let mut header = ours;
        fits(&mut header);
        file(&header, &image(NEW), &maker())
    };
    let mut altered = good_file();
    altered[40] ^= 1;
    let cases = [
        (file(&ours, &image(NEW), &SigningKey::from_bytes(&[9; 32])), Unfit::Signature),
        (altered, Unfit::Signature),
        (other(|it| it.fits.kind = Kind::GateLane), Unfit::OtherBoard),
        (other(|it| it.fits.model = 2), Unfit::OtherBoard),
        (other(|it| it.fits.revision = 2), Unfit::OtherBoard),
        (other(|it| it.fits.target = Text::new("bench2").unwrap()), Unfit::OtherBoard),
        (other(|it| it.security = 2), Unfit::TooOld),
        (other(|it| it.firmware = OLD), Unfit::Same),
        (other(|it| it.length -= 1), Unfit::Form),
        (vec![7; 3_000], Unfit::Form),
    ];
    let mut bench = bench();
    let before = place(&bench.flash);
    for (file, why) in cases {
        bench.events.clear();
        assert!(!bench.transfer_file(FILE_TYPE, &file, 0, u32::MAX), "{why:?}");
        bench.wait(SECOND);
        assert!(bench.has(What::UpdateRefused { why }), "{why:?}: {:?}", bench.events);
        assert_eq!(install(&mut bench).hold_up, Some(HoldUp::NoImage));
    }
    assert_eq!(place(&bench.flash), before);
}

#[test]
fn an_image_too_long_for_its_place_is_refused_at_its_head() {
    let mut long = image(NEW);
    long.resize(4 * 2048 + 1, 1);
    let header = Header { length: long.len() as u32, ..header(NEW) };
    let mut bench = bench();
    assert!(!bench.transfer_file(FILE_TYPE, &file(&header, &long, &maker()), 0, u32::MAX));
    bench.wait(SECOND);
    assert!(bench.has(What::UpdateRefused { why: Unfit::NoRoom }));
}

#[test]
fn an_image_altered_on_the_way_is_never_started() {
    let mut bench = bench();
    for at in [160, 3_000, good_file().len() - 1] {
        bench.events.clear();
        let mut file = good_file();
        file[at] ^= 0x10;
        assert!(!bench.transfer_file(FILE_TYPE, &file, 0, u32::MAX));
        bench.wait(SECOND);
        assert!(bench.has(What::UpdateRefused { why: Unfit::Digest }), "{at}");
        assert_eq!(install(&mut bench).hold_up, Some(HoldUp::NoImage));
        assert_eq!(reset(&mut bench), OLD);
        bench.connect_another(DeviceSecurity::Required(Key::new(KEY)));
        bench.until("online", Bench::panel_is_secure);
        bench.hello();
    }
    // And the right one still is.
    assert!(bench.transfer_file(FILE_TYPE, &good_file(), 0, u32::MAX));
}

#[test]
fn a_transfer_goes_on_where_it_was_broken_off() {
    let mut bench = bench();
    let file = good_file();
    // The bus is lost in the middle; the board stays.
    assert!(!bench.transfer_file(FILE_TYPE, &file, 0, 2_000));
    bench.connect_another(DeviceSecurity::Required(Key::new(KEY)));
    bench.until("online", Bench::panel_is_secure);
    let Stage::Receiving { have, .. } = ask(&mut bench, ToBoard::Update).stage else { panic!("receiving") };
    assert!((1_800..=2_200).contains(&have), "{have}");
    // Then the board loses its power.
    assert!(!bench.transfer_file(FILE_TYPE, &file, have, 5_000));
    assert_eq!(reset(&mut bench), OLD);
    bench.connect_another(DeviceSecurity::Required(Key::new(KEY)));
    bench.until("online", Bench::panel_is_secure);
    let Stage::Receiving { have, .. } = ask(&mut bench, ToBoard::Update).stage else { panic!("receiving") };
    assert_eq!(have, 160 + 4_096);
    assert!(bench.transfer_file(FILE_TYPE, &file, have, u32::MAX));
}

#[test]
fn nobody_waits_for_an_update() {
    let mut bench = bench();
    assert!(!bench.transfer_file(FILE_TYPE, &good_file(), 0, 3_000));
    bench.input(FIRE, true);
    bench.wait(10_000);
    assert!(bench.is_on(LOCK), "a fire frees the way within its debounce time");
    bench.input(FIRE, false);
    bench.wait(SECOND);
    bench.press(REX, 50_000);
    assert!(bench.is_on(LOCK));
}

#[test]
fn a_board_does_not_start_anew_while_its_door_is_in_use() {
    let mut bench = bench();
    assert!(bench.transfer_file(FILE_TYPE, &good_file(), 0, u32::MAX));
    bench.input(FIRE, true);
    bench.wait(SECOND);
    assert_eq!(install(&mut bench).hold_up, Some(HoldUp::LifeSafety));
    bench.input(FIRE, false);
    bench.wait(SECOND);
    assert_eq!(bench.order(7, Order::Hold, 60_000), Outcome::Done);
    assert_eq!(install(&mut bench).hold_up, Some(HoldUp::Released));
    assert_eq!(bench.order(8, Order::Normal, 0), Outcome::Done);
    bench.input(CONTACT, true);
    bench.wait(SECOND);
    assert_eq!(install(&mut bench).hold_up, Some(HoldUp::Open));
    let stays = |b: &Bench| !b.board.wants_restart(b.now);
    assert!(stays(&bench));
    // Told to all the same; then it burns before the start.
    let answer = ask(&mut bench, ToBoard::Install { image: header(NEW).image(), even_if_open: true });
    assert_eq!(answer.hold_up, None);
    bench.input(FIRE, true);
    bench.wait(10 * SECOND);
    assert!(stays(&bench) && bench.is_on(LOCK));
    bench.input(FIRE, false);
    bench.until("a start", |b| b.board.wants_restart(b.now));
    assert_eq!(reset(&mut bench), NEW);
}

#[test]
fn a_board_without_a_place_for_updates_says_so() {
    let mut bench = Bench::new(Kind::Door);
    assert_eq!(ask(&mut bench, ToBoard::Update).stage, Stage::Never);
    assert!(!bench.transfer_file(FILE_TYPE, &good_file(), 0, u32::MAX));
    assert_eq!(install(&mut bench).hold_up, Some(HoldUp::NoImage));
}

#[test]
fn a_version_on_trial_takes_no_image_over_its_way_back() {
    let mut bench = bench();
    assert!(bench.transfer_file(FILE_TYPE, &good_file(), 0, u32::MAX));
    install(&mut bench);
    bench.until("a start", |b| b.board.wants_restart(b.now));
    assert_eq!(reset(&mut bench), NEW);
    bench.until("online", |b| b.board.link() == Link::Up && b.panel_is_secure());
    let next = Header { firmware: [0, 3, 0], ..header(NEW) };
    let before = place(&bench.flash);
    assert!(!bench.transfer_file(FILE_TYPE, &file(&next, &image(NEW), &maker()), 0, u32::MAX));
    assert_eq!(place(&bench.flash), before);
    assert_eq!(reset(&mut bench), OLD, "a start before it was found good goes back");
}
