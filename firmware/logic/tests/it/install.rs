//! Install mode closes by itself; a lost key is reset at the device, and only there.

use board_logic::{BUTTON_HELD_US, INSTALL_WINDOW_US, Layout, Setup, Storage};
use endpoints::Link;
use endpoints::door::{Input, Output};
use endpoints::vendor::{Kind, What};
use osdp::{DeviceSecurity, Key, OutputAction};

use crate::bench::{Bench, KEY, SECOND, setup};
use crate::flash::{CAPACITY, Cut, Flash, block_on};

const LOCK: u8 = Output::Lock.number();
const TAMPER: u8 = Input::Tamper.number();
const NEW_KEY: [u8; 16] = [0x24; 16];

fn install(key: [u8; 16]) -> DeviceSecurity {
    DeviceSecurity::Install { key: Key::new(key), until: u64::MAX }
}

fn key_in(flash: &Flash) -> Option<[u8; 16]> {
    let layout = Layout::new::<Flash>(CAPACITY as u32).unwrap();
    let opened = block_on(Storage::open(Flash::of(flash.image()), layout, [99; 16]));
    let Ok((_, restored)) = opened else { panic!("the flash opens") };
    restored.key
}

/// A board with a key that nobody has any more; its power was just switched on.
fn locked_out() -> Bench {
    let flash = Bench::new(Kind::Door).flash;
    Bench::without_panel(Kind::Door, flash)
}

/// The controller has every event up to now.
fn all_told(bench: &mut Bench) {
    let newest = bench.hello().newest;
    bench.until("all told", |b| b.events.last().is_some_and(|e| e.seq >= newest));
}

/// Time passes, and all the while nobody is let pass.
fn wait_locked(bench: &mut Bench, us: u64) {
    let end = bench.now + us;
    while bench.now < end {
        bench.wait((end - bench.now).min(100_000));
        assert!(!bench.is_on(LOCK), "a key reset moves no lock");
    }
}

#[test]
fn the_button_held_under_the_open_cover_from_the_start_on_resets_the_key() {
    let mut bench = locked_out();
    bench.input(TAMPER, true);
    bench.button(true);
    wait_locked(&mut bench, BUTTON_HELD_US);
    assert_eq!(key_in(&bench.flash), Some(KEY), "not a moment too early");
    wait_locked(&mut bench, SECOND / 2);
    assert_eq!(key_in(&bench.flash), None);
    assert!(bench.is_on(Output::Sounder.number()), "whoever stands there hears it");
    wait_locked(&mut bench, 2 * SECOND);
    assert!(!bench.is_on(Output::Sounder.number()));

    bench.connect(install(NEW_KEY));
    bench.until("installed", Bench::panel_is_secure);
    all_told(&mut bench);
    assert!(bench.has(What::KeyReset));
    assert_eq!(key_in(&bench.flash), Some(NEW_KEY));
    assert!(!bench.is_on(LOCK));
}

#[test]
fn the_controller_that_still_has_the_old_key_is_not_let_in_and_may_install_again() {
    let mut bench = Bench::new(Kind::Door);
    bench.start();
    bench.until("secure", Bench::panel_is_secure);
    bench.input(TAMPER, true);
    bench.button(true);
    wait_locked(&mut bench, BUTTON_HELD_US + 20 * SECOND);
    assert!(!bench.panel_is_secure(), "the key is gone");
    bench.connect_another(install(KEY));
    bench.until("installed", Bench::panel_is_secure);
}

#[test]
fn nothing_less_resets_it() {
    type Deed = fn(&mut Bench);
    let deeds: [(&str, Deed); 7] = [
        ("the cover on", |bench| bench.button(true)),
        ("let go a moment too early", |bench| {
            bench.input(TAMPER, true);
            bench.button(true);
            bench.wait(BUTTON_HELD_US);
            bench.button(false);
        }),
        ("let go and pressed again", |bench| {
            bench.input(TAMPER, true);
            bench.button(true);
            bench.wait(BUTTON_HELD_US / 2);
            bench.button(false);
            bench.button(true);
        }),
        ("the cover put on before the time is over", |bench| {
            bench.input(TAMPER, true);
            bench.button(true);
            bench.wait(BUTTON_HELD_US - SECOND);
            bench.input(TAMPER, false);
        }),
        ("the cover taken off later", |bench| {
            bench.button(true);
            bench.wait(2 * SECOND);
            bench.input(TAMPER, true);
        }),
        ("pressed after the start", |bench| {
            bench.button(false);
            bench.input(TAMPER, true);
            bench.wait(SECOND);
            bench.button(true);
        }),
        ("the cover off, and no button", |bench| bench.input(TAMPER, true)),
    ];
    for (name, deed) in deeds {
        let mut bench = locked_out();
        deed(&mut bench);
        wait_locked(&mut bench, 3 * BUTTON_HELD_US);
        assert_eq!(key_in(&bench.flash), Some(KEY), "{name}");
    }
}

#[test]
fn exits_work_while_the_button_is_held() {
    let mut bench = locked_out();
    bench.input(TAMPER, true);
    bench.button(true);
    bench.wait(5 * SECOND);
    bench.press(Input::Rex.number(), 400_000);
    assert!(bench.is_on(LOCK));
}

#[test]
fn install_mode_closes_by_itself_and_opens_again_at_the_next_start() {
    let mut bench = Bench::without_panel(Kind::Door, Flash::new());
    bench.wait(INSTALL_WINDOW_US);
    bench.connect(install(NEW_KEY));
    bench.wait(60 * SECOND);
    assert!(!bench.panel_is_secure());
    assert_eq!(key_in(&bench.flash), None);

    bench.start();
    bench.wait(INSTALL_WINDOW_US - 60 * SECOND);
    bench.connect_another(install(NEW_KEY));
    bench.until("installed", Bench::panel_is_secure);
    bench.wait(2 * INSTALL_WINDOW_US);
    assert!(bench.panel_is_secure(), "a key that was installed stays");
}

#[test]
fn a_panel_may_speak_in_clear_only_while_there_is_no_key() {
    let in_clear = || Setup { allow_clear: true, ..setup(Kind::Door) };
    let online = |bench: &mut Bench| {
        bench.connect(DeviceSecurity::Clear);
        bench.wait(5 * SECOND);
        bench.board.link() == Link::Up
    };
    let mut bench = Bench::set_up(in_clear(), Flash::new());
    assert!(online(&mut bench));
    bench.out(LOCK, OutputAction::OnForTimer, 50);
    assert!(bench.is_on(LOCK), "a panel without secure channel");

    let mut bench = Bench::set_up(in_clear(), Bench::new(Kind::Door).flash);
    assert!(!online(&mut bench), "the key counts");
    bench.out(LOCK, OutputAction::OnForTimer, 50);
    assert!(!bench.is_on(LOCK));
    bench.connect_another(DeviceSecurity::Required(Key::new(KEY)));
    bench.until("secure", Bench::panel_is_secure);
}

#[test]
fn power_may_fail_at_any_moment_of_a_reset_and_the_key_is_never_gone_without_a_trace() {
    let image = Bench::new(Kind::Door).flash.image();
    let reset = |flash: Flash| {
        let mut bench = Bench::without_panel(Kind::Door, flash);
        bench.input(TAMPER, true);
        bench.button(true);
        let before = bench.flash.operations();
        wait_locked(&mut bench, BUTTON_HELD_US + SECOND);
        (before, bench)
    };
    let (first, whole) = reset(Flash::of(image.clone()));
    let last = whole.flash.operations();
    assert_eq!(key_in(&whole.flash), None);
    assert!(last > first + 2, "{first} to {last}");

    let (mut kept, mut gone) = (0, 0);
    for operation in first..last {
        for cut in [Cut::Before, Cut::Within, Cut::After] {
            for noise in 0..4 {
                let flash = Flash::of(image.clone());
                flash.cut_at(operation, cut, noise);
                let (_, bench) = reset(flash);
                // Power is back, the button let go; whoever has the key comes, then whoever installs.
                let key = key_in(&bench.flash);
                let mut bench = Bench::without_panel(Kind::Door, Flash::of(bench.flash.image()));
                bench.button(false);
                match key {
                    Some(key) => {
                        kept += 1;
                        assert_eq!(key, KEY);
                        bench.connect(DeviceSecurity::Required(Key::new(key)));
                    }
                    None => {
                        gone += 1;
                        bench.connect(install(NEW_KEY));
                    }
                }
                bench.until("in use again", Bench::panel_is_secure);
                all_told(&mut bench);
                assert!(key.is_some() || bench.has(What::KeyReset), "{cut:?} operation {operation}");
                assert!(!bench.is_on(LOCK));
            }
        }
    }
    assert!(kept > 0 && gone > 0, "{kept} kept, {gone} gone");
}
