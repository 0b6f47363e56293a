//! A decision explains itself: what was looked at, and what would have let it pass.

use std::time::Duration;

use domain::decision::{Free, Outcome, Remedy};
use domain::ids::PolicyVersion;
use domain::policy::AntiPassback;
use domain::reason::{Reason, Rule};
use domain::request::{CredentialKind, Factors, Few, Liveness, Presented, Request, Seen, Shown, Side};
use domain::state::{Event, Override, OverrideMode, Presence};
use domain::time::{Utc, Validity};

use crate::house::*;

#[test]
fn a_grant_tells_the_level_the_combination_and_the_age_of_all_it_used() {
    let mut site = Site::with(|parts| parts.doors[0].anti_passback = AntiPassback::Hard);
    let (since, heard) = (Utc(site.now.0 - 60_000_000), Utc(site.now.0 - 2_000_000));
    site.observe(Event::Located(Presence { person: ADA, area: STREET, since }));
    site.observe(Event::CentreHeard { at: heard });
    let at = Utc(site.now.0 - 150_000);
    let request = Request::shows(LOBBY, Side::Entry, face(ADA, 8000, 3000, Liveness::Live), at);
    let trace = domain::decide(&site.policy, &site.state, &request, site.now).trace;
    assert_eq!(
        (trace.policy, trace.policy_age),
        (PolicyVersion(7), site.now.since(shanghai(2026, 3, 1, 0, 0)))
    );
    assert_eq!((trace.at, trace.door, trace.side, trace.person), (site.now, LOBBY, Side::Entry, Some(ADA)));
    assert_eq!(trace.centre_heard, Some(heard));
    assert_eq!(trace.facts.level, Some((STAFF_LEVEL, OFFICE_HOURS)));
    assert_eq!(trace.facts.combination, Some(Factors::FACE));
    assert_eq!(trace.facts.presence, Some((STREET, since)));
    assert_eq!(trace.facts.face_needs, Some((site.policy.site().face_score, site.policy.site().face_margin)));
    let seen: Vec<_> = trace.seen.iter().collect();
    assert_eq!((seen.len(), seen[0].age, seen[0].waited), (1, Duration::from_millis(150), false));
    assert_eq!(trace.failed.bits(), 0);
    assert!(
        trace.asked.has(Rule::AccessLevel) && !trace.asked.has(Rule::CredentialActive),
        "no credential was shown"
    );
}

#[test]
fn a_waiting_card_is_told_with_its_age() {
    let mut site = Site::open();
    site.badge(ADA).at(VAULT).asks_for(Factors::PIN);
    let trace = site.later(7).types(pin_of(ADA)).at(VAULT).opens().0.trace;
    let seen: Vec<_> = trace.seen.iter().map(|it| (it.age.as_secs(), it.waited)).collect();
    assert_eq!(seen, [(0, false), (7, true)]);
}

#[test]
fn an_unknown_card_is_told_by_its_tag_and_a_pin_not_at_all() {
    let mut site = Site::open();
    let card = site.unknown_card().at(LOBBY).0;
    let tag = Some(digest(9, 9).tag());
    assert_eq!(card.reasons(), [Reason::UnknownCredential { kind: CredentialKind::Card, tag }]);
    let pin = site.types(digest(9, 9)).at(VAULT).0;
    let unknown = Seen::UnknownCredential { kind: CredentialKind::Pin, tag: None };
    assert_eq!(pin.trace.seen.iter().map(|it| it.seen).collect::<Vec<_>>(), [unknown]);
    assert!(!format!("{:?}", digest(9, 9)).contains(char::is_numeric), "a digest is not printed");
}

#[test]
fn what_would_pass_is_told() {
    let opens = shanghai(2026, 3, 5, 8, 0);
    let mut site = Site::with(|parts| {
        let from = shanghai(2026, 4, 1, 0, 0);
        parts.credentials[4].validity = Validity { from, until: Utc::MAX };
    });
    let evening = site.at(shanghai(2026, 3, 4, 20, 0)).code(BOB).at(LOBBY).refuses(&["outside-schedule"]);
    assert_eq!(evening.0.trace.would_pass, [Remedy::Wait(opens)]);
    let early = site.at(opens).badge(BOB).at(LOBBY).refuses(&["credential-not-valid-now"]);
    assert_eq!(early.0.trace.would_pass, [Remedy::Wait(shanghai(2026, 4, 1, 0, 0))]);
    let more = site.badge(ADA).at(VAULT).asks_for(Factors::PIN);
    assert_eq!(more.0.trace.would_pass, [Remedy::Show(Factors::PIN)]);
    let printed = site.shows(face(ADA, 8000, 3000, Liveness::NotLive)).at(LOBBY);
    assert_eq!(printed.0.trace.would_pass, [Remedy::Show(Factors::FACE)]);
    let stranger = site.stranger().at(LOBBY);
    assert_eq!(stranger.0.trace.would_pass, [Remedy::Change(stranger.0.reasons()[0])]);
    let nothing = site.nobody().at(VAULT);
    assert_eq!(nothing.0.trace.would_pass, [Remedy::Show(Factors::CARD.and(Factors::PIN))]);
}

#[test]
fn an_old_sighting_opens_nothing() {
    let site = Site::open();
    let ask = |seconds_ago: i64| {
        let at = Utc(site.now.0 - seconds_ago * 1_000_000);
        let request = Request::shows(LOBBY, Side::Entry, face(ADA, 8000, 3000, Liveness::Live), at);
        Answer(domain::decide(&site.policy, &site.state, &request, site.now))
    };
    ask(10).opens();
    ask(11).refuses(&["shown-too-long-ago"]);
    ask(-3600).opens();
}

#[test]
fn why_a_door_stands_free() {
    let mut site = Site::open();
    let free =
        |site: &Site| domain::free_because(&site.policy, &site.state, LOBBY, site.now).collect::<Vec<_>>();
    assert_eq!(free(&site), []);
    let until = site.now.plus(Duration::from_secs(60));
    let it = Override { mode: OverrideMode::HeldOpen, by: CHIEF, rank: 5, since: site.now, until };
    site.observe(Event::Overridden(LOBBY, it));
    site.observe(Event::FireBegan(NORTH));
    let held = Free::HeldOpen { by: CHIEF, until };
    assert_eq!(free(&site), [Free::Fire(NORTH), held]);
    assert_eq!(site.state.overrides().map(|(door, _)| door).collect::<Vec<_>>(), [LOBBY]);
    assert_eq!(site.state.fires().collect::<Vec<_>>(), [NORTH]);
    let granted = site.badge(ADA).at(LOBBY).opens();
    assert!(
        matches!(granted.0.outcome, Outcome::Granted(release) if release.already == Some(Free::Fire(NORTH)))
    );
    site.observe(Event::FireEnded(NORTH));
    assert_eq!(free(&site), [held]);
    site.later(60);
    assert_eq!(free(&site), []);
}

#[test]
fn a_stranger_in_the_background_neither_takes_nor_spoils_what_waits() {
    let mut site = Site::open();
    site.badge(ADA).at(VAULT).asks_for(Factors::PIN);
    let stranger = site.stranger().at(VAULT).refuses(&["unknown-face"]);
    assert_eq!(stranger.0.trace.person, None, "Ada's card has nothing to do with it");
    site.badge(BOB).at(VAULT).refuses(&["no-access-level", "combination-not-met"]);
    site.types(pin_of(ADA)).at(VAULT).opens();
}

#[test]
fn a_colleague_in_the_background_does_not_displace_the_card_that_waits() {
    let mut site = Site::with(|parts| {
        let with_pin = |factor: Factors| factor.and(Factors::PIN);
        parts.doors[0].otherwise = vec![with_pin(Factors::CARD), with_pin(Factors::FACE)];
    });
    site.badge(ADA).at(LOBBY).asks_for(Factors::PIN);
    site.face(BOB).at(LOBBY).asks_for(Factors::PIN);
    site.types(pin_of(ADA)).at(LOBBY).opens();
    // Whoever shows a card there is at the reader; and a face waits where no card does.
    site.badge(ADA).at(LOBBY).asks_for(Factors::PIN);
    site.badge(BOB).at(LOBBY).asks_for(Factors::PIN);
    site.types(pin_of(BOB)).at(LOBBY).opens();
    site.face(ADA).at(LOBBY).asks_for(Factors::PIN);
    site.face(BOB).at(LOBBY).asks_for(Factors::PIN);
    site.types(pin_of(BOB)).at(LOBBY).opens();
}

#[test]
fn passing_out_does_not_excuse_guesses() {
    let mut site = Site::open();
    for _ in 0..3 {
        site.unknown_card().leaving().at(LOBBY).opens();
    }
    site.badge(ADA).leaving().at(LOBBY).opens().alarms(&["reader-locked-out"]);
    site.badge(ADA).leaving().at(LOBBY).opens().alarms(&["reader-locked-out"]);
    site.badge(ADA).at(LOBBY).opens().quietly();
}

#[test]
fn a_clock_set_back_locks_nobody_out_for_long() {
    let mut site = Site::open();
    for _ in 0..3 {
        site.unknown_card().at(LOBBY);
    }
    site.badge(ADA).at(LOBBY).refuses(&["reader-locked-out"]);
    let earlier = Utc(site.now.0 - 3_600_000_000);
    site.at(earlier).badge(ADA).at(LOBBY).opens();
}

#[test]
fn older_news_does_not_move_anybody() {
    let mut site = Site::open();
    let (newer, older) = (site.now, Utc(site.now.0 - 1));
    site.observe(Event::Located(Presence { person: ADA, area: BUILDING, since: newer }));
    site.observe(Event::Located(Presence { person: ADA, area: STREET, since: older }));
    assert_eq!(site.state.presence(ADA).map(|it| it.area), Some(BUILDING));
    site.observe(Event::AllForgiven);
    assert_eq!(site.state.present(), Vec::<&Presence>::new());
}

#[test]
fn a_late_report_moves_nobody_back() {
    let mut site = Site::open();
    let earlier = site.now;
    site.later(60).went(ADA, LOBBY, Side::Exit);
    site.later(60).told_late(ADA, LOBBY, Side::Entry, earlier);
    assert_eq!(site.state.presence(ADA).map(|it| it.area), Some(STREET));
    // What lies ahead was recorded before the clock was set back: the passage counts.
    site.at(earlier).went(ADA, LOBBY, Side::Entry);
    assert_eq!(site.state.presence(ADA).map(|it| it.area), Some(BUILDING));
}

#[test]
fn no_more_than_four_things_are_shown_at_once() {
    let shown =
        Presented { shown: Shown::Digest { kind: CredentialKind::Card, digest: digest(1, 1) }, at: Utc(0) };
    let mut few = Few::new();
    for _ in 0..4 {
        few.push(shown).expect("there is room");
    }
    assert_eq!(few.push(shown), Err(shown));
}

#[test]
fn what_waits_or_was_tried_after_now_does_not_count() {
    let mut site = Site::open();
    let earlier = Utc(site.now.0 - 3_600_000_000);
    site.badge(ADA).at(VAULT).asks_for(Factors::PIN);
    site.unknown_card().at(LOBBY).quietly();
    site.unknown_card().at(LOBBY).quietly();
    site.at(earlier).types(pin_of(ADA)).at(VAULT).asks_for(Factors::CARD);
    site.unknown_card().at(LOBBY).quietly();
}
