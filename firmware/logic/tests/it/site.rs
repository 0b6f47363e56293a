//! A door's board: life safety without any link, and under a panel.

use board_logic::Read;
use endpoints::door::{Cause, Event, Input, Output};
use endpoints::vendor::{BoardSettings, Kind, What};
use endpoints::{Condition, Link, Order, Outcome, Refusal};
use osdp::cp::EventKind;
use osdp::{
    Blink, Buzzer, Command, LedColor, LedControl, OutputAction, Records, TemporaryLed, Text, TextMode, Tone,
};

use crate::bench::{Bench, SECOND, card, strike};
use crate::flash::Flash;

const LOCK: u8 = Output::Lock.number();
const REX: u8 = Input::Rex.number();
const CONTACT: u8 = Input::Contact.number();
const FIRE: u8 = Input::Fire.number();

#[test]
fn without_any_link_exit_and_fire_release() {
    let mut bench = Bench::without_panel(Kind::Door, Flash::new());
    bench.wait(SECOND);
    assert!(!bench.is_on(LOCK));
    bench.press(REX, 400_000);
    assert!(bench.is_on(LOCK));
    bench.wait(5 * SECOND);
    assert!(!bench.is_on(LOCK));
    bench.input(FIRE, true);
    bench.wait(5_000);
    assert!(bench.is_on(LOCK), "a fire releases within its debounce time");
    bench.wait(3600 * SECOND);
    assert!(bench.is_on(LOCK));
    bench.input(FIRE, false);
    bench.wait(5_000);
    assert!(!bench.is_on(LOCK));
}

#[test]
fn fire_releases_before_flash_has_answered_anything() {
    let mut board = board_logic::Board::new(crate::bench::setup(Kind::Door));
    board.handle_input(0, FIRE, false);
    board.handle_timeout(200_000);
    assert!(board.next_job().is_none(), "no storage yet");
    board.handle_input(300_000, FIRE, true);
    assert_eq!(board.deadline(300_000), Some(305_000));
    board.handle_timeout(305_000);
    assert!(board.outputs().is_on(LOCK));
}

#[test]
fn exits_of_400_ms_are_never_missed_even_if_handed_over_late() {
    let mut board = board_logic::Board::new(crate::bench::setup(Kind::Door));
    board.handle_input(0, REX, false);
    board.handle_timeout(SECOND);
    board.handle_input(2 * SECOND, REX, true);
    board.handle_input(2 * SECOND + 400_000, REX, false);
    assert!(board.outputs().is_on(LOCK));
}

#[test]
fn a_cut_fire_loop_reads_as_fault_and_releases() {
    let mut bench = Bench::new(Kind::Door);
    bench.hello();
    let at = bench.now;
    bench.board.handle_reading(at, FIRE, 500);
    bench.wait(10_000);
    assert!(!bench.is_on(LOCK));
    let at = bench.now;
    bench.board.handle_reading(at, FIRE, 1000);
    bench.wait(10_000);
    assert!(bench.is_on(LOCK));
    bench.until("the fault is told", |b| b.has(What::Began(Condition::Cut(FIRE))));
}

#[test]
fn the_panel_releases_by_output_timer() {
    let mut bench = Bench::new(Kind::Door);
    bench.out(LOCK, OutputAction::OnForTimer, 50);
    assert!(bench.is_on(LOCK));
    bench.wait(4_900_000);
    assert!(bench.is_on(LOCK));
    bench.wait(200_000);
    assert!(!bench.is_on(LOCK));
    bench.out(LOCK, OutputAction::OnAbortTimer, 0);
    bench.wait(300 * SECOND);
    assert!(bench.is_on(LOCK), "held until told otherwise");
    bench.out(LOCK, OutputAction::OffAbortTimer, 0);
    assert!(!bench.is_on(LOCK));
}

#[test]
fn any_panel_reads_inputs_outputs_and_local_status() {
    let mut bench = Bench::new(Kind::Door);
    bench.input(CONTACT, true);
    bench.until("told at a poll", |b| {
        b.panel_heard(|k| matches!(k, EventKind::Inputs(i) if i[usize::from(CONTACT)] == 1))
    });
    bench.input(Input::Tamper.number(), true);
    bench.until("tamper told", |b| {
        b.panel_heard(|k| matches!(k, EventKind::LocalStatus { tamper: true, power: false }))
    });
    bench.input(Input::Mains.number(), true);
    bench.wait(300_000);
    let answers = bench.ask(&Command::LocalStatus);
    assert!(answers.contains(&EventKind::LocalStatus { tamper: true, power: true }), "{answers:?}");
    let answers = bench.ask(&Command::OutputStatus);
    assert!(answers.iter().any(|a| matches!(a, EventKind::Outputs(o) if o.len() == 2)), "{answers:?}");
}

#[test]
fn cards_and_keys_reach_the_panel() {
    let mut bench = Bench::new(Kind::Door);
    bench.show(0, card(7));
    bench.until("a card", |b| {
        b.panel_heard(
            |k| matches!(k, EventKind::Card(c) if c.bits == 26 && c.data.len() == 4 && c.reader == 0),
        )
    });
    bench.show(1, Read::Key(b'5'));
    bench.until("a key", |b| {
        b.panel_heard(|k| matches!(k, EventKind::Keys(keys) if keys.reader == 1 && keys.keys == [b'5']))
    });
}

#[test]
fn a_command_repeated_does_nothing_again() {
    let mut bench = Bench::new(Kind::Door);
    assert_eq!(bench.order(77, Order::Release, 2_000), Outcome::Done);
    bench.wait(3 * SECOND);
    assert!(!bench.is_on(LOCK));
    assert_eq!(bench.order(77, Order::Release, 2_000), Outcome::Repeated);
    assert!(!bench.is_on(LOCK));
    assert_eq!(bench.order(78, Order::Lockdown, 60_000), Outcome::Done);
    assert_eq!(bench.order(79, Order::Release, 2_000), Outcome::Refused(Refusal::Lockdown));
    bench.press(REX, 400_000);
    assert!(bench.is_on(LOCK), "lockdown blocks no exit");
}

#[test]
fn the_controller_learns_what_happened_with_the_command_that_caused_it() {
    let mut bench = Bench::new(Kind::Door);
    bench.hello();
    bench.order(5, Order::Release, 5_000);
    bench.input(CONTACT, true);
    bench.wait(SECOND);
    bench.input(CONTACT, false);
    bench.until("closed", |b| b.has(What::Door(Event::Closed)));
    assert!(bench.has(What::Door(Event::Opened { cause: Cause::Grant, id: 5 })));
    let numbers: Vec<u32> = bench.events.iter().map(|e| e.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>(), "numbered without gaps");
}

#[test]
fn settings_are_in_force_and_known_by_their_digest_after_a_start() {
    let mut bench = Bench::new(Kind::Door);
    let settings = BoardSettings { kind: strike(9), ..BoardSettings::door() };
    assert_ne!(bench.hello().settings, settings.digest());
    bench.configure(settings);
    assert_eq!(bench.hello().settings, settings.digest());
    bench.start();
    bench.until("secure again", |b| b.panel_is_secure() && b.board.link() == Link::Up);
    assert_eq!(bench.hello().settings, settings.digest());
    bench.order(1, Order::Release, 0);
    bench.wait(8_900_000);
    assert!(bench.is_on(LOCK));
    bench.wait(200_000);
    assert!(!bench.is_on(LOCK));
}

#[test]
fn lamps_buzzer_and_text_do_as_told_and_fall_back() {
    let mut bench = Bench::new(Kind::Door);
    let (green, red) = (Output::ReaderGreen.number(), Output::ReaderRed.number());
    assert!(bench.is_on(red) && !bench.is_on(green), "locked shows red");
    let led = LedControl {
        reader: 0,
        led: 0,
        temporary: TemporaryLed::Set(
            Blink { on_100ms: 2, off_100ms: 2, on: LedColor::GREEN, off: LedColor::BLACK },
            10,
        ),
        permanent: None,
    };
    bench.ask(&Command::Led(Records::new(&[led])));
    assert!(bench.is_on(green) && !bench.is_on(red));
    bench.wait(200_000);
    assert!(!bench.is_on(green) && !bench.is_on(red));
    bench.wait(SECOND);
    assert!(bench.is_on(red));
    let buzz = Buzzer { reader: 0, tone: Tone::Default, on_100ms: 1, off_100ms: 1, count: 2 };
    bench.ask(&Command::Buzzer(buzz));
    let buzzer = Output::ReaderBuzzer.number();
    assert!(bench.is_on(buzzer));
    bench.wait(120_000);
    assert!(!bench.is_on(buzzer));
    bench.wait(SECOND);
    assert!(!bench.is_on(buzzer));
    let text = Text { reader: 0, mode: TextMode::Temporary, seconds: 2, row: 1, column: 1, text: b"Welcome" };
    bench.ask(&Command::Text(text));
    assert_eq!(bench.board.text(0).unwrap().text, b"Welcome");
    bench.wait(3 * SECOND);
    assert!(bench.board.text(0).unwrap().text.is_empty());
}

#[test]
fn a_panel_that_fetches_nothing_for_a_while_still_gets_the_card() {
    let mut bench = Bench::new(Kind::Door);
    bench.cut_wire();
    for number in 0..7 {
        bench.input(number, true);
        bench.wait(150_000);
        bench.input(number, false);
        bench.wait(150_000);
    }
    bench.show(0, card(7));
    bench.mend_wire();
    bench.until("a card", |b| b.panel_heard(|k| matches!(k, EventKind::Card(_))));
    bench.until("the state at last", |b| {
        b.panel_heard(|k| matches!(k, EventKind::Inputs(i) if i.iter().all(|level| *level == 0)))
    });
}
