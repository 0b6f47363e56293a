//! The link comes and goes: nothing opens, nothing is lost.

use endpoints::door::{Event, Input, Output};
use endpoints::vendor::{Kind, What};
use endpoints::{Condition, Link, Order};
use osdp::{DeviceSecurity, Key};

use crate::bench::{Bench, KEY, SECOND};
use crate::flash::Cut;

const LOCK: u8 = Output::Lock.number();

#[test]
fn losing_and_regaining_the_link_never_opens() {
    let mut bench = Bench::new(Kind::Door);
    bench.hello();
    for _ in 0..3 {
        bench.cut_wire();
        for _ in 0..100 {
            bench.wait(SECOND / 5);
            assert!(!bench.is_on(LOCK));
        }
        assert_eq!(bench.board.link(), Link::Down);
        bench.mend_wire();
        bench.until("up again", |b| b.board.link() == Link::Up && b.panel_is_secure());
        assert!(!bench.is_on(LOCK));
    }
    bench.hello();
    bench.until("told", |b| b.has(What::Ended(Condition::ControllerLost)));
}

#[test]
fn a_release_under_way_ends_in_its_time_though_the_link_is_lost() {
    let mut bench = Bench::new(Kind::Door);
    bench.order(1, Order::Hold, 60_000);
    bench.cut_wire();
    bench.wait(59 * SECOND);
    assert!(bench.is_on(LOCK));
    bench.wait(2 * SECOND);
    assert!(!bench.is_on(LOCK));
}

#[test]
fn events_from_the_time_apart_arrive_in_order_without_gaps_after_a_power_cut() {
    let mut bench = Bench::new(Kind::Door);
    bench.hello();
    bench.cut_wire();
    bench.wait(20 * SECOND);
    for _ in 0..150 {
        bench.press(Input::Rex.number(), 400_000);
        bench.wait(6 * SECOND);
    }
    bench.start();
    bench.mend_wire();
    bench.until("secure again", |b| b.panel_is_secure() && b.board.link() == Link::Up);
    let info = bench.hello();
    assert!(info.newest > 450, "{info:?}");
    bench.until("all told", |b| b.events.last().is_some_and(|e| e.seq >= info.newest));
    let numbers: Vec<u32> = bench.events.iter().map(|e| e.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>());
    bench.until("acknowledged", |b| b.events.last().is_some_and(|e| e.seq >= info.newest));
    bench.wait(SECOND);
    assert!(bench.hello().acked >= info.newest);
}

#[test]
fn what_is_not_acknowledged_comes_again() {
    let mut bench = Bench::new(Kind::Door);
    bench.acknowledges = false;
    bench.hello();
    bench.press(Input::Rex.number(), 400_000);
    bench.wait(SECOND);
    let seen = bench.events.len();
    assert!(seen > 0);
    bench.events.clear();
    bench.wait(3 * SECOND);
    assert!(bench.events.len() >= seen, "told again from the last acknowledged one");
    assert_eq!(bench.events[0].seq, 1);
}

fn exits(bench: &Bench) -> usize {
    bench.events.iter().filter(|e| e.what == What::Door(Event::ExitRequested)).count()
}

#[test]
fn a_controller_that_cannot_write_hears_everything_and_gets_each_once_when_it_can() {
    let mut bench = Bench::new(Kind::Door);
    bench.acknowledges = false;
    bench.hello();
    let start = bench.now;
    for number in 1..=40 {
        bench.press(Input::Rex.number(), 400_000);
        bench.wait(SECOND);
        assert_eq!(exits(&bench), number, "heard at once, though nothing is acknowledged");
        bench.wait(6 * SECOND);
    }
    let heard = bench.events.len();
    assert!(heard > 100, "{heard}");
    let times = usize::try_from((bench.now - start) / (2 * SECOND)).unwrap() + 1;
    assert!(bench.sayings <= heard + 8 * times, "a few at once are told again: {} of {heard}", bench.sayings);
    // The last of them is enough: what was told before it is written, too.
    bench.acknowledges = true;
    bench.wait(3 * SECOND);
    let info = bench.hello();
    assert_eq!((info.acked, info.newest as usize), (info.newest, heard));
    let numbers: Vec<u32> = bench.events.iter().map(|e| e.seq).collect();
    assert_eq!(numbers, (1..=info.newest).collect::<Vec<_>>());
}

#[test]
fn a_controller_that_could_take_no_more_is_told_what_it_did_not_take() {
    let mut bench = Bench::new(Kind::Door);
    bench.hello();
    bench.press(Input::Rex.number(), 400_000);
    bench.wait(7 * SECOND);
    bench.deaf = true;
    for _ in 0..40 {
        bench.press(Input::Rex.number(), 400_000);
        bench.wait(7 * SECOND);
    }
    assert_eq!(exits(&bench), 1);
    bench.deaf = false;
    bench.wait(5 * SECOND);
    assert_eq!(exits(&bench), 41, "without another Hello");
    let info = bench.hello();
    assert_eq!((info.acked, info.newest as usize), (info.newest, bench.events.len()));
}

#[test]
fn the_installed_key_outlives_power_and_the_default_key_is_refused() {
    let mut bench = Bench::new(Kind::Door);
    bench.start();
    bench.until("secure with the installed key", |b| b.panel_is_secure() && b.board.link() == Link::Up);
    assert!(bench.hello().boot >= 2);

    let mut stranger = Bench::without_panel(Kind::Door, bench.flash.clone());
    stranger.connect(DeviceSecurity::Install { key: Key::new([1; 16]), until: u64::MAX });
    stranger.wait(30 * SECOND);
    assert!(!stranger.panel_is_secure());
    assert_eq!(stranger.board.link(), Link::Down);
    assert_ne!(KEY, [1; 16]);
}

#[test]
fn a_board_whose_flash_is_broken_still_tells_under_another_epoch() {
    let mut bench = Bench::new(Kind::Door);
    bench.hello();
    bench.wait(SECOND);
    let (epoch, told) = (bench.epoch, bench.events.len());
    assert!(told > 0);
    bench.flash.cut_at(bench.flash.operations(), Cut::Before, 0);
    for _ in 0..20 {
        bench.press(Input::Rex.number(), 400_000);
        assert!(bench.is_on(LOCK), "exits need no flash");
        bench.wait(6 * SECOND);
    }
    assert_ne!(bench.epoch, epoch);
    let numbers: Vec<u32> = bench.events.iter().map(|e| e.seq).collect();
    assert!(numbers.len() >= 60, "{}", numbers.len());
    assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>());
}
