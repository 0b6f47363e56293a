//! What doors do, as told by those who use them.

use domain::ids::{DoorId, PersonId};
use domain::policy::{AntiPassback, CredentialStatus, DoorKind, FaceConsent, PersonStatus};
use domain::request::{CredentialKind, Factors, Liveness, Shown, Side};
use domain::state::{Event, Override, OverrideMode};
use domain::time::{Utc, Validity};
use std::time::Duration;

use crate::house::*;

#[test]
fn known_people_open_the_lobby_with_face_card_or_code() {
    let mut site = Site::open();
    site.badge(ADA).at(LOBBY).opens().quietly();
    site.face(ADA).at(LOBBY).opens().quietly();
    site.code(BOB).at(LOBBY).opens().quietly();
}

#[test]
fn strangers_stay_outside() {
    let mut site = Site::open();
    site.stranger().at(LOBBY).refuses(&["unknown-face"]);
    site.unknown_card().at(LOBBY).refuses(&["unknown-credential"]);
    site.nobody().at(LOBBY).refuses(&["nothing-shown"]);
}

#[test]
fn a_printed_face_is_refused() {
    let mut site = Site::open();
    site.shows(face(ADA, 8000, 3000, Liveness::NotLive)).at(LOBBY).refuses(&["face-not-live"]);
    site.shows(face(ADA, 8000, 3000, Liveness::Unchecked)).at(LOBBY).refuses(&["face-not-live"]);
}

#[test]
fn every_reason_is_told_at_once() {
    let mut site = Site::with(|parts| {
        parts.people[1].status = PersonStatus::Suspended;
        parts.people[1].face = FaceConsent::Absent;
    });
    site.shows(face(BOB, 3999, 499, Liveness::NotLive)).at(VAULT).refuses(&[
        "person-suspended",
        "face-without-consent",
        "face-not-live",
        "face-score-low",
        "face-margin-low",
        "no-access-level",
        "combination-not-met",
    ]);
}

#[test]
fn the_vault_asks_for_card_and_pin() {
    let mut site = Site::open();
    site.badge(ADA).at(VAULT).asks_for(Factors::PIN);
    site.later(10).types(pin_of(ADA)).at(VAULT).opens().quietly();
    site.badge(ADA).at(VAULT).asks_for(Factors::PIN);
    site.later(16).types(pin_of(ADA)).at(VAULT).asks_for(Factors::CARD);
}

#[test]
fn duress_opens_like_always_and_alarms_silently() {
    let mut site = Site::open();
    site.badge(ADA).at(VAULT);
    let plain = site.types(pin_of(ADA)).at(VAULT).opens();
    site.went(ADA, VAULT, Side::Entry);
    site.badge(ADA).at(VAULT);
    let forced = site.types(duress_pin_of(ADA)).at(VAULT).opens().alarms(&["duress"]);
    assert_eq!(plain.0.outcome, forced.0.outcome, "nothing at the door tells");
    assert!(forced.0.alarms[0].is_silent());
}

#[test]
fn wrong_pins_alarm_and_lock_for_a_while() {
    let mut site = Site::open();
    site.badge(ADA).at(VAULT).asks_for(Factors::PIN);
    site.types(digest(7, 7)).at(VAULT).refuses(&["wrong-pin"]).quietly();
    site.types(digest(7, 7)).at(VAULT).refuses(&["wrong-pin"]).quietly();
    site.types(digest(7, 7)).at(VAULT).refuses(&["wrong-pin"]).alarms(&["wrong-tries"]);
    site.types(pin_of(ADA)).at(VAULT).refuses(&["reader-locked-out", "credential-locked-out"]);
    site.later(61).badge(ADA).at(VAULT).asks_for(Factors::PIN);
    site.types(pin_of(ADA)).at(VAULT).opens().quietly();
}

#[test]
fn office_hours_end_at_six() {
    let mut site = Site::open();
    site.at(shanghai(2026, 3, 4, 17, 59)).badge(BOB).at(LOBBY).opens();
    site.at(shanghai(2026, 3, 4, 18, 0)).badge(BOB).at(LOBBY).refuses(&["outside-schedule"]);
    site.badge(ADA).at(LOBBY).opens();
    site.badge(BOB).leaving().at(LOBBY).opens().quietly();
}

#[test]
fn lost_cards_refuse_and_alarm() {
    let mut site = Site::with(|parts| parts.credentials[0].status = CredentialStatus::Stolen);
    site.badge(ADA).at(LOBBY).refuses(&["credential-stolen"]).alarms(&["credential-stolen"]);
    site.badge(ADA).leaving().at(LOBBY).opens().alarms(&["credential-stolen"]);
    site.face(ADA).at(LOBBY).opens().quietly();
}

#[test]
fn validity_ends() {
    let end = shanghai(2026, 3, 4, 12, 0);
    let mut site = Site::with(|parts| parts.people[0].validity = Validity { from: Utc::MIN, until: end });
    site.badge(ADA).at(LOBBY).opens();
    site.at(end).badge(ADA).at(LOBBY).refuses(&["person-not-valid-now"]);
}

#[test]
fn entering_twice_is_refused_and_leaving_twice_alarms() {
    let mut site = Site::with(|parts| parts.doors[0].anti_passback = AntiPassback::Hard);
    site.badge(ADA).at(LOBBY).opens();
    site.went(ADA, LOBBY, Side::Entry);
    site.later(60).badge(ADA).at(LOBBY).refuses(&["enters-twice"]);
    site.badge(ADA).leaving().at(LOBBY).opens().quietly();
    site.went(ADA, LOBBY, Side::Exit);
    site.badge(ADA).leaving().at(LOBBY).opens().alarms(&["leaves-twice"]);
    site.later(60).badge(ADA).at(LOBBY).opens();
}

#[test]
fn the_vault_is_inside_the_building_for_anti_passback() {
    let mut site = Site::with(|parts| parts.doors[0].anti_passback = AntiPassback::Hard);
    site.went(ADA, VAULT, Side::Entry);
    site.badge(ADA).at(LOBBY).refuses(&["enters-twice"]);
    site.observe(Event::Forgiven(ADA));
    site.badge(ADA).at(LOBBY).opens();
}

#[test]
fn soft_alarms_and_timed_forgets() {
    let mut site = Site::with(|parts| {
        parts.doors[0].anti_passback = AntiPassback::Soft;
        parts.doors[1].anti_passback = AntiPassback::Timed(Duration::from_secs(600));
    });
    site.went(ADA, LOBBY, Side::Entry);
    site.later(599).badge(ADA).at(LOBBY_BESIDE).refuses(&["enters-twice"]);
    site.later(1).badge(ADA).at(LOBBY_BESIDE).opens().quietly();
    site.later(60).badge(ADA).at(LOBBY).opens().alarms(&["enters-twice"]);
}

#[test]
fn a_card_shown_again_before_anybody_passed_lets_one_person_in() {
    let mut site = Site::with(|parts| parts.doors[0].anti_passback = AntiPassback::Hard);
    assert!(site.badge(ADA).at(LOBBY).adds_a_passage());
    for _ in 0..3 {
        assert!(!site.later(1).badge(ADA).at(LOBBY).adds_a_passage());
    }
    assert!(site.badge(BOB).at(LOBBY).adds_a_passage(), "somebody else is somebody else");
    assert!(site.badge(ADA).at(BRIDGE).adds_a_passage(), "so is another lane");
}

#[test]
fn once_it_was_used_or_not_used_a_card_is_a_passage_again() {
    let mut site = Site::open();
    site.badge(ADA).at(LOBBY).opens();
    site.went(ADA, LOBBY, Side::Entry);
    assert!(site.badge(ADA).at(LOBBY).adds_a_passage());
    site.observe(Event::NotUsed { door: LOBBY, side: Side::Entry, person: ADA });
    assert!(site.badge(ADA).at(LOBBY).adds_a_passage());
    // Nothing was told of it: a lane has long forgotten it.
    assert!(!site.later(14).badge(ADA).at(LOBBY).adds_a_passage());
    assert!(site.later(16).badge(ADA).at(LOBBY).adds_a_passage());
}

#[test]
fn a_door_is_released_anew_each_time() {
    let mut site = Site::with(|parts| parts.doors[0].kind = DoorKind::Door);
    site.badge(ADA).at(LOBBY).opens();
    assert!(site.badge(ADA).at(LOBBY).adds_a_passage());
    assert!(site.badge(ADA).leaving().at(LOBBY_BESIDE).adds_a_passage());
    assert!(site.badge(ADA).leaving().at(LOBBY_BESIDE).adds_a_passage(), "nobody is counted out");
}

#[test]
fn one_face_does_not_open_two_lanes() {
    let mut site = Site::open();
    site.face(ADA).at(LOBBY).opens();
    site.later(4).face(ADA).at(LOBBY_BESIDE).refuses(&["just-granted-elsewhere"]);
    site.later(1).face(ADA).at(LOBBY_BESIDE).opens();
}

#[test]
fn a_lock_keeps_out_and_never_in() {
    let mut site = Site::open();
    let it = Override { mode: OverrideMode::Locked, by: CHIEF, rank: 5, since: site.now, until: Utc::MAX };
    site.observe(Event::Overridden(LOBBY, it));
    site.badge(ADA).at(LOBBY).refuses(&["door-locked"]);
    site.badge(ADA).leaving().at(LOBBY).opens().quietly();
    assert!(!site.state.may_override(LOBBY, 4, site.now));
    assert!(site.state.may_override(LOBBY, 5, site.now));
}

#[test]
fn a_lockdown_lets_clearance_pass() {
    let mut site = Site::with(|parts| parts.people[0].clearance = 4);
    let mode = OverrideMode::Lockdown { clearance: 4 };
    let until = site.now.plus(Duration::from_secs(60));
    let it = Override { mode, by: CHIEF, rank: 5, since: site.now, until };
    site.observe(Event::Overridden(LOBBY, it));
    site.badge(ADA).at(LOBBY).opens();
    site.badge(BOB).at(LOBBY).refuses(&["door-locked-down"]);
    site.later(60).badge(BOB).at(LOBBY).opens();
}

#[test]
fn fire_suspends_anti_passback_and_the_answer_says_the_door_is_free() {
    let mut site = Site::with(|parts| parts.doors[0].anti_passback = AntiPassback::Hard);
    site.went(ADA, LOBBY, Side::Entry);
    site.observe(Event::FireBegan(NORTH));
    let answer = site.badge(ADA).at(LOBBY).opens();
    assert_eq!(answer.0.trace.facts.fire, Some(NORTH));
    site.stranger().at(LOBBY).refuses(&["unknown-face"]);
    site.nobody().leaving().at(LOBBY).opens().quietly();
}

#[test]
fn without_a_record_entry_follows_the_door_and_exit_works() {
    let mut site = Site::open();
    let at = site.now;
    site.observe(Event::RecordLost { at });
    site.badge(ADA).at(LOBBY).refuses(&["record-cannot-be-kept"]);
    site.badge(ADA).leaving().at(LOBBY).opens();
    site.observe(Event::RecordBack);
    site.badge(ADA).at(LOBBY).opens();
}

#[test]
fn two_people_do_not_make_one() {
    let mut site = Site::open();
    let bobs = Shown::Digest { kind: CredentialKind::Card, digest: card_of(BOB) };
    site.face(ADA).and(bobs).at(LOBBY).refuses(&["different-people"]);
}

#[test]
fn an_escape_route_both_ways_refuses_nobody() {
    let mut site = Site::open();
    site.stranger().at(BRIDGE).opens().alarms(&["unknown-face"]);
}

#[test]
fn a_door_the_policy_does_not_know_only_lets_out() {
    let mut site = Site::open();
    site.badge(ADA).at(DoorId(404)).refuses(&["unknown-door"]);
    site.badge(ADA).leaving().at(DoorId(404)).opens().alarms(&["unknown-door"]);
}

#[test]
fn a_face_the_policy_does_not_know_yet_is_refused() {
    let mut site = Site::open();
    site.face(PersonId(404)).at(LOBBY).refuses(&["unknown-person"]);
}

#[test]
fn a_suspended_card_is_refused_without_alarm() {
    let mut site = Site::with(|parts| parts.credentials[0].status = CredentialStatus::Suspended);
    site.badge(ADA).at(LOBBY).refuses(&["credential-suspended"]).quietly();
    site.badge(ADA).leaving().at(LOBBY).opens().alarms(&["credential-suspended"]);
}

#[test]
fn a_card_is_no_code_even_with_the_same_digest() {
    let mut site = Site::open();
    let forged = Shown::Digest { kind: CredentialKind::Qr, digest: card_of(ADA) };
    site.shows(forged).at(LOBBY).refuses(&["unknown-credential"]);
}

#[test]
fn the_vault_keeps_the_card_waiting_while_it_is_shown_again() {
    let mut site = Site::open();
    site.badge(ADA).at(VAULT).asks_for(Factors::PIN);
    let again = site.later(3).badge(ADA).at(VAULT).asks_for(Factors::PIN);
    assert_eq!(again.0.trace.seen.iter().count(), 1);
    site.later(12).types(pin_of(ADA)).at(VAULT).opens();
}

#[test]
fn the_vault_takes_no_code() {
    let mut site = Site::open();
    site.code(ADA).at(VAULT).refuses(&["combination-not-met"]);
}

#[test]
fn a_face_just_good_enough_opens() {
    let mut site = Site::open();
    site.shows(face(ADA, 4000, 500, Liveness::Live)).at(LOBBY).opens();
}

#[test]
fn two_lanes_mind_only_entries_side_by_side_in_order_of_time() {
    let mut site = Site::open();
    site.badge(ADA).leaving().at(LOBBY).opens();
    site.later(1).badge(ADA).at(LOBBY_BESIDE).opens();
    site.later(1).badge(ADA).at(VAULT).asks_for(Factors::PIN);
    let earlier = Utc(site.now.0 - 3_600_000_000);
    site.at(earlier).badge(ADA).at(LOBBY).opens();
}

#[test]
fn two_lanes_let_everybody_pass_in_a_fire() {
    let mut site = Site::open();
    site.observe(Event::FireBegan(NORTH));
    site.badge(ADA).at(LOBBY).opens();
    site.badge(ADA).at(LOBBY_BESIDE).opens();
}

#[test]
fn timed_anti_passback_forgets_entries_that_lie_ahead() {
    let mut site =
        Site::with(|parts| parts.doors[0].anti_passback = AntiPassback::Timed(Duration::from_secs(600)));
    site.went(ADA, LOBBY, Side::Entry);
    let earlier = Utc(site.now.0 - 3_600_000_000);
    site.at(earlier).badge(ADA).at(LOBBY).opens();
}

#[test]
fn a_clock_set_back_lifts_no_lock() {
    let mut site = Site::open();
    for (mode, refused) in
        [(OverrideMode::Locked, "door-locked"), (OverrideMode::Lockdown { clearance: 8 }, "door-locked-down")]
    {
        let since = site.now;
        let until = site.now.plus(Duration::from_secs(3600));
        site.observe(Event::Overridden(LOBBY, Override { mode, by: CHIEF, rank: 5, since, until }));
        site.at(Utc(0)).badge(ADA).at(LOBBY).refuses(&[refused]);
        assert!(!site.state.may_override(LOBBY, 4, site.now), "{mode:?}");
        site.at(since);
    }
}

#[test]
fn a_clock_set_back_holds_no_door_open() {
    let mut site = Site::open();
    let (since, until) = (site.now, Utc::MAX);
    let it = Override { mode: OverrideMode::HeldOpen, by: CHIEF, rank: 5, since, until };
    site.observe(Event::Overridden(LOBBY, it));
    assert!(site.state.override_at(LOBBY, since).is_some());
    assert!(site.state.override_at(LOBBY, Utc(0)).is_none());
}
