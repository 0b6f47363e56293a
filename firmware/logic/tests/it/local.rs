//! No controller: the door's offline rule.

use ed25519_dalek::SigningKey;
use endpoints::door::Output;
use endpoints::vendor::{Kind, LocalRefusal, OfflineRule, What};
use endpoints::{Link, Order};
use osdp::cp::EventKind;

use crate::bench::{Bench, SECOND, card, settings, signer, whitelist};

const LOCK: u8 = Output::Lock.number();
const DAY: i64 = 86_400_000_000;
const TODAY: i64 = 20_000 * DAY;

fn apart(bench: &mut Bench) {
    bench.cut_wire();
    bench.until("apart", |b| b.board.link() == Link::Down);
}

fn together(bench: &mut Bench) {
    bench.mend_wire();
    bench.until("together", |b| b.board.link() == Link::Up && b.panel_is_secure());
    bench.hello();
    bench.wait(2 * SECOND);
}

#[test]
fn refuses_by_default_and_lets_out() {
    let mut bench = Bench::new(Kind::Door);
    bench.configure(settings(OfflineRule::Refuse));
    apart(&mut bench);
    bench.show(0, card(1));
    bench.wait(SECOND);
    assert!(!bench.is_on(LOCK));
    bench.show(1, card(1));
    assert!(bench.is_on(LOCK), "whoever shows a card on the inside leaves");
    together(&mut bench);
    assert!(bench.has(What::LocalRefused { reader: 0, why: LocalRefusal::Rule }));
    assert!(bench.has(What::LocalGranted { reader: 1, list: 0 }));
}

/// The wire is whole again; how many cards the panel is told then, of this reader.
fn cards_told_at_return(bench: &mut Bench, reader: u8) -> usize {
    bench.told.clear();
    bench.mend_wire();
    bench.wait(10 * SECOND);
    assert!(bench.panel_is_secure());
    bench.told.iter().filter(|e| matches!(&e.kind, EventKind::Card(card) if card.reader == reader)).count()
}

/// What the board itself let out.
fn let_out(bench: &Bench) -> usize {
    bench.events.iter().filter(|e| matches!(e.what, What::LocalGranted { reader: 1, list: 0 })).count()
}

#[test]
fn whoever_leaves_does_not_wait_for_a_controller_that_has_fallen_silent() {
    for loses in [Bench::cut_wire, Bench::lose_replies] {
        let mut bench = Bench::new(Kind::Door);
        bench.hello();
        bench.wait(SECOND);
        loses(&mut bench);
        bench.show(0, card(1));
        bench.show(1, card(1));
        bench.wait(990_000);
        assert!(!bench.is_on(LOCK), "the controller has its moment");
        bench.wait(20_000);
        assert!(bench.is_on(LOCK));
        assert_eq!(bench.board.link(), Link::Up, "though it does not count as gone");
        bench.wait(SECOND);
        assert_eq!(cards_told_at_return(&mut bench, 1), 0, "a card that opened is not told");
        assert!(!bench.is_on(LOCK));
        together(&mut bench);
        assert_eq!(let_out(&bench), 1);
    }
}

#[test]
fn the_exit_is_the_controllers_while_it_fetches_cards() {
    let mut bench = Bench::new(Kind::Door);
    bench.hello();
    bench.show(1, card(1));
    for _ in 0..20 {
        bench.wait(SECOND / 10);
        assert!(!bench.is_on(LOCK));
    }
    assert!(bench.panel_heard(|k| matches!(k, EventKind::Card(card) if card.reader == 1)));
    // One at the entry waits for it, always.
    bench.cut_wire();
    bench.show(0, card(1));
    bench.wait(3 * SECOND);
    assert!(!bench.is_on(LOCK));
    assert_eq!(cards_told_at_return(&mut bench, 0), 1);
    together(&mut bench);
    assert_eq!(let_out(&bench), 0);
}

#[test]
fn whoever_leaves_leaves_though_somebody_disturbs_the_line() {
    let mut bench = Bench::new(Kind::Door);
    bench.hello();
    bench.wait(SECOND);
    bench.lose_replies();
    bench.show(1, card(1));
    bench.wait(SECOND / 2);
    // The card was sent, nobody heard it, and a frame that anybody can make begins anew: an ID with sequence 0, in clear.
    let mut frame = vec![0x53, 5, 9, 0, 4, 0x61, 0];
    frame.extend_from_slice(&osdp::crc16(&frame).to_le_bytes());
    let at = bench.now;
    bench.board.handle_serial(at, &frame);
    bench.wait(SECOND);
    assert!(bench.is_on(LOCK));
    assert_eq!(cards_told_at_return(&mut bench, 1), 0);
    together(&mut bench);
    assert_eq!(let_out(&bench), 1);
}

#[test]
fn the_signed_whitelist_decides_until_it_expires_and_after_a_start() {
    let mut bench = Bench::new(Kind::Door);
    bench.configure(settings(OfflineRule::Whitelist));
    bench.set_clock(TODAY);
    let cards: Vec<u16> = (0..400).map(|n| n * 3).collect();
    assert!(bench.transfer(&whitelist(9, &cards, TODAY - DAY, TODAY + DAY, &signer())));
    assert_eq!(bench.hello().whitelist, 9);
    apart(&mut bench);
    for (number, listed) in [(0, true), (1, false), (1197, true), (1200, false), (600, true)] {
        bench.show(0, card(number));
        assert_eq!(bench.is_on(LOCK), listed, "card {number}");
        bench.wait(10 * SECOND);
    }
    bench.wait(2 * 86_400 * SECOND);
    bench.show(0, card(0));
    assert!(!bench.is_on(LOCK), "expired");
    together(&mut bench);
    assert!(bench.has(What::LocalGranted { reader: 0, list: 9 }));
    assert!(bench.has(What::LocalRefused { reader: 0, why: LocalRefusal::NotListed }));
    assert!(bench.has(What::LocalRefused { reader: 0, why: LocalRefusal::Expired }));

    bench.start();
    bench.until("together", |b| b.board.link() == Link::Up && b.panel_is_secure());
    assert_eq!(bench.hello().whitelist, 9);
    apart(&mut bench);
    bench.show(0, card(0));
    assert!(!bench.is_on(LOCK), "the clock is not set after a start");
    together(&mut bench);
    assert!(bench.has(What::LocalRefused { reader: 0, why: LocalRefusal::NoClock }));
}

#[test]
fn a_list_that_is_forged_altered_foreign_or_old_is_not_taken() {
    let mut bench = Bench::new(Kind::Door);
    bench.configure(settings(OfflineRule::Whitelist));
    bench.set_clock(TODAY);
    let good = whitelist(5, &[1, 2, 3], TODAY - DAY, TODAY + DAY, &signer());
    assert!(bench.transfer(&good));
    let forged = whitelist(6, &[666], TODAY - DAY, TODAY + DAY, &SigningKey::from_bytes(&[8; 32]));
    assert!(!bench.transfer(&forged));
    for at in [10, 20, 49, good.len() - 1] {
        let mut altered = good.clone();
        altered[at] ^= 1;
        assert!(!bench.transfer(&altered), "altered at {at}");
    }
    assert!(!bench.transfer(&whitelist(4, &[1], TODAY - DAY, TODAY + DAY, &signer())), "older");
    assert!(!bench.transfer(&good[..good.len() - 1]), "cut short");
    assert_eq!(bench.hello().whitelist, 5, "what was in force stays");
    apart(&mut bench);
    bench.show(0, card(2));
    assert!(bench.is_on(LOCK));
}

#[test]
fn locked_down_the_whitelist_opens_nothing() {
    let mut bench = Bench::new(Kind::Door);
    bench.configure(settings(OfflineRule::Whitelist));
    bench.set_clock(TODAY);
    assert!(bench.transfer(&whitelist(1, &[1], TODAY - DAY, TODAY + DAY, &signer())));
    bench.order(1, Order::Lock, 3_600_000);
    apart(&mut bench);
    bench.show(0, card(1));
    bench.wait(SECOND);
    assert!(!bench.is_on(LOCK));
    bench.show(1, card(1));
    assert!(bench.is_on(LOCK), "whoever leaves leaves");
}
