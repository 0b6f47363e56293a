//! Flash forgets, and power fails: a board that had a key is never taken for one that never had any.

use board_logic::{BUTTON_HELD_US, Done, Job, Layout, Restored, Storage};
use endpoints::door::{Input, Output};
use endpoints::vendor::{Kind, What};
use osdp::{DeviceSecurity, Key};

use crate::bench::{Bench, KEY, SECOND};
use crate::flash::{CAPACITY, Cut, Flash, PAGE, block_on};

const NEW_KEY: [u8; 16] = [0x24; 16];
/// The pages of the map, and those of the key.
const MAP: std::ops::Range<usize> = 0..3;
const KEYS: std::ops::Range<usize> = CAPACITY / PAGE - 2..CAPACITY / PAGE;

fn open(flash: &Flash) -> Option<(Storage<Flash>, Restored)> {
    let layout = Layout::new::<Flash>(CAPACITY as u32).unwrap();
    block_on(Storage::open(flash.clone(), layout, [7; 16])).ok()
}

fn does(storage: &mut Storage<Flash>, job: Job) -> bool {
    block_on(storage.perform(job)) != Done::Failed
}

/// A flash of a board that was installed.
fn installed() -> Vec<u8> {
    let flash = Flash::new();
    let (mut storage, _) = open(&flash).unwrap();
    assert!(does(&mut storage, Job::SaveKey(KEY)));
    flash.image()
}

/// What flash that forgets may look like.
#[derive(Clone, Copy, Debug)]
enum Rot {
    Zeros,
    Erased,
    /// A bit of every byte.
    Bits,
    /// One bit of one byte.
    Bit(usize),
}

fn rot(image: &mut [u8], page: usize, rot: Rot) {
    let cells = &mut image[page * PAGE..(page + 1) * PAGE];
    match rot {
        Rot::Zeros => cells.fill(0),
        Rot::Erased => cells.fill(0xFF),
        Rot::Bits => cells.iter_mut().enumerate().for_each(|(at, byte)| *byte &= !(1 << (at % 8))),
        Rot::Bit(at) => cells[at] ^= 4,
    }
}

#[test]
fn the_key_outlives_any_one_page() {
    let image = installed();
    for page in 0..CAPACITY / PAGE {
        for how in [Rot::Zeros, Rot::Erased, Rot::Bits] {
            let mut image = image.clone();
            rot(&mut image, page, how);
            let flash = Flash::of(image);
            let (_, restored) = open(&flash).unwrap_or_else(|| panic!("opens: {how:?} in page {page}"));
            assert_eq!((restored.key, restored.key_lost), (Some(KEY), false), "{how:?} in page {page}");
            // It is kept twice again.
            let mut image = flash.image();
            MAP.chain([KEYS.start]).for_each(|page| rot(&mut image, page, how));
            let (_, restored) = open(&Flash::of(image)).expect("it opens");
            assert_eq!(restored.key, Some(KEY), "{how:?} in page {page}, then in all but one");
        }
    }
}

#[test]
fn the_key_outlives_any_bit_of_it() {
    let image = installed();
    for page in MAP.chain(KEYS) {
        for at in (0..PAGE).filter(|at| image[page * PAGE + at] != 0xFF) {
            let mut image = image.clone();
            rot(&mut image, page, Rot::Bit(at));
            let (_, restored) = open(&Flash::of(image)).unwrap_or_else(|| panic!("opens: {at} in {page}"));
            assert_eq!((restored.key, restored.key_lost), (Some(KEY), false), "byte {at} of page {page}");
        }
    }
}

#[test]
fn a_log_that_is_begun_anew_is_told() {
    let mut bench = Bench::new(Kind::Door);
    bench.hello();
    bench.wait(SECOND);
    assert!(!bench.events.iter().any(|e| matches!(e.what, What::Lost { .. })));
    let mut image = bench.flash.image();
    MAP.for_each(|page| rot(&mut image, page, Rot::Bits));
    let mut bench = Bench::without_panel(Kind::Door, Flash::of(image));
    bench.connect(DeviceSecurity::Required(Key::new(KEY)));
    bench.until("secure", Bench::panel_is_secure);
    bench.hello();
    bench.until("told", |b| b.events.iter().any(|e| matches!(e.what, What::Lost { count } if count > 0)));
}

#[test]
fn a_board_that_has_lost_its_key_takes_none_until_it_is_reset_at_the_device() {
    let mut image = installed();
    MAP.for_each(|page| rot(&mut image, page, Rot::Zeros));
    KEYS.for_each(|page| rot(&mut image, page, Rot::Bits));
    let mut bench = Bench::without_panel(Kind::Door, Flash::of(image));
    bench.connect(DeviceSecurity::Install { key: Key::new(NEW_KEY), until: u64::MAX });
    bench.wait(60 * SECOND);
    assert!(!bench.panel_is_secure(), "the default key is not enough");
    bench.press(Input::Rex.number(), 400_000);
    assert!(bench.is_on(Output::Lock.number()), "exits need no key");

    bench.start();
    bench.input(Input::Tamper.number(), true);
    bench.button(true);
    bench.wait(BUTTON_HELD_US + SECOND);
    bench.until("installed", Bench::panel_is_secure);
    let (_, restored) = open(&Flash::of(bench.flash.image())).unwrap();
    assert_eq!(restored.key, Some(NEW_KEY));
}

#[test]
fn a_key_from_before_it_was_kept_twice_is_kept_twice_from_now_on() {
    let mut image = installed();
    KEYS.for_each(|page| rot(&mut image, page, Rot::Erased));
    let whole = Flash::of(image.clone());
    open(&whole).unwrap();
    for operation in 0..whole.operations() {
        for cut in [Cut::Before, Cut::Within, Cut::After] {
            let flash = Flash::of(image.clone());
            flash.cut_at(operation, cut, 3);
            assert!(open(&flash).is_none(), "power fails while it opens");
            let flash = Flash::of(flash.image());
            let (_, restored) = open(&flash).unwrap();
            assert_eq!(restored.key, Some(KEY), "{cut:?} operation {operation}");
            let mut image = flash.image();
            MAP.for_each(|page| rot(&mut image, page, Rot::Zeros));
            let (_, restored) = open(&Flash::of(image)).expect("it opens");
            assert_eq!(restored.key, Some(KEY), "{cut:?} operation {operation}, and no map");
        }
    }
}

/// From the first key on, over more keys than a page holds, one taken away between.
fn keys() -> Vec<Option<[u8; 16]>> {
    [None].into_iter().chain((1..=150_u8).map(|n| (n != 70).then_some([n; 16]))).collect()
}

#[test]
fn power_may_fail_at_any_moment_of_any_change_of_the_key() {
    let job = |key: Option<[u8; 16]>| key.map_or(Job::EraseKey, Job::SaveKey);
    let flash = Flash::new();
    open(&flash).unwrap();
    let (mut image, mut before) = (flash.image(), None);
    for key in keys() {
        let whole = Flash::of(image.clone());
        let (mut storage, restored) = open(&whole).unwrap();
        assert_eq!((restored.key, restored.key_lost), (before, false));
        let first = whole.operations();
        assert!(does(&mut storage, job(key)));
        for operation in first..whole.operations() {
            for (cut, noise) in [(Cut::Before, 0), (Cut::Within, 1), (Cut::Within, 2), (Cut::After, 0)] {
                let flash = Flash::of(image.clone());
                let (mut storage, _) = open(&flash).unwrap();
                flash.cut_at(operation, cut, noise);
                assert!(!does(&mut storage, job(key)));
                let (_, restored) = open(&Flash::of(flash.image())).expect("it opens");
                let what = format!("{cut:?} operation {operation}: {:?}", restored.key);
                assert!(restored.key == before || restored.key == key, "{what}");
                assert!(!restored.key_lost, "{what}");
            }
        }
        (image, before) = (whole.image(), key);
    }
}
