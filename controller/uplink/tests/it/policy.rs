//! A policy taken apart and put together again is the same; what is not understood is refused, every row of it named.

use std::time::Duration;

use domain::civil::{Date, Weekday};
use domain::ids::*;
use domain::policy::*;
use domain::request::{BoardEntry, CredentialDigest, CredentialKind, Factors, Score};
use domain::schedule::{Calendar, DayKind, Days, Schedule, Span, Window};
use domain::time::{Utc, Validity, Zone};
use uplink::sync::Change;
use uplink::sync::policy::{RowFault, assemble, rows};

fn everything() -> PolicyParts {
    PolicyParts {
        version: PolicyVersion(12),
        made_at: Utc(1_764_000_000_000_000),
        site: SiteRules {
            face_score: Score(4500),
            face_margin: Score(500),
            wrong_tries: 5,
            wrong_tries_within: Duration::from_secs(60),
            lock_out: Duration::from_secs(300),
            second_factor_within: Duration::from_secs(10),
            same_person_within: Duration::from_secs(5),
        },
        zone: Zone { base: 28_800, transitions: vec![(Utc(5), 32_400), (Utc(9), 28_800)] },
        calendar: Calendar {
            days: vec![
                (Date(20_000), DayKind::PublicHoliday),
                (Date(20_001), DayKind::WorkingWeekend),
                (Date(20_002), DayKind::SiteDay),
                (Date(20_003), DayKind::Weekday(Weekday::Sunday)),
            ],
        },
        controllers: vec![ControllerId(1)],
        areas: vec![Area { id: AreaId(1), parent: None }, Area { id: AreaId(2), parent: Some(AreaId(1)) }],
        fire_zones: vec![FireZoneId(1)],
        groups: vec![GroupId(1), GroupId(2)],
        schedules: vec![Schedule {
            id: ScheduleId(1),
            windows: vec![Window { days: Days::WORKDAYS, span: Span::new(1320, 360).expect("overnight") }],
            exceptions: vec![(Date(20_005), vec![]), (Date(20_006), vec![Span::ALL_DAY])],
        }],
        doors: [
            AntiPassback::Off,
            AntiPassback::Soft,
            AntiPassback::Hard,
            AntiPassback::Timed(Duration::from_secs(600)),
        ]
        .into_iter()
        .zip(1..)
        .map(|(anti_passback, id)| Door {
            id: DoorId(id),
            controller: ControllerId(1),
            kind: if id == 1 { DoorKind::Lane } else { DoorKind::Door },
            outside: AreaId(1),
            inside: AreaId(2),
            egress: if id == 1 { Egress::Both } else { Egress::Exit },
            credential_rules: vec![CredentialRule {
                schedule: ScheduleId(1),
                any_of: vec![Factors::FACE, Factors::from_bits(6).expect("card and PIN")],
            }],
            otherwise: vec![Factors::CARD],
            strike: Duration::from_secs(3),
            held_after: Duration::from_secs(30),
            relock: [Relock::OnOpen, Relock::OnClose, Relock::AfterTime][(id % 3) as usize],
            anti_passback,
            unrecorded_entry: if id == 1 { EntryRule::Allow } else { EntryRule::Refuse },
            fire_zone: (id == 1).then_some(FireZoneId(1)),
        })
        .collect(),
        levels: vec![Level {
            id: LevelId(1),
            groups: vec![GroupId(1)],
            doors: vec![DoorId(1), DoorId(2)],
            schedule: ScheduleId(1),
        }],
        people: vec![
            Person {
                id: PersonId(1),
                validity: Validity::ALWAYS,
                status: PersonStatus::Active,
                face: FaceConsent::Given,
                clearance: 7,
                groups: vec![GroupId(1), GroupId(2)],
            },
            Person {
                id: PersonId(2),
                validity: Validity { from: Utc(1), until: Utc(2) },
                status: PersonStatus::Suspended,
                face: FaceConsent::Absent,
                clearance: 0,
                groups: vec![],
            },
        ],
        credentials: [
            (CredentialKind::Card, CredentialStatus::Active, CredentialUse::Ordinary),
            (CredentialKind::Pin, CredentialStatus::Suspended, CredentialUse::Duress),
            (CredentialKind::Qr, CredentialStatus::Lost, CredentialUse::Ordinary),
            (CredentialKind::Card, CredentialStatus::Stolen, CredentialUse::Ordinary),
        ]
        .into_iter()
        .zip(1..)
        .map(|((kind, status, usage), id)| Credential {
            id: CredentialId(id),
            person: PersonId(1),
            kind,
            digest: CredentialDigest([id as u8 * 17; 32]),
            board_entry: (id == 1).then_some(BoardEntry([0, 1, 2, 3, 4, 5, 6, 0xFE])),
            validity: Validity::ALWAYS,
            status,
            usage,
        })
        .collect(),
    }
}

fn texts(changes: &[Change]) -> Vec<(&str, u64, &str)> {
    changes
        .iter()
        .map(|change| match change {
            Change::Put { table, id, row } => (table.as_str(), *id, row.get()),
            Change::Remove { .. } => unreachable!("a whole policy removes nothing"),
        })
        .collect()
}

#[test]
fn a_policy_comes_back_the_same() {
    let parts = everything();
    let changes = rows(&parts);
    assert_eq!(assemble(12, texts(&changes)), Ok(parts));
}

#[test]
fn every_row_that_is_not_understood_is_named() {
    let changes = rows(&everything());
    let mut texts = texts(&changes);
    texts.push(("door", 77, r#"{"controller":1}"#));
    texts.push(("credential", 78, "not json"));
    texts.push(("moat", 1, "{}"));
    texts.push(("site", 1, "{}"));
    let faults = assemble(12, texts).unwrap_err();
    assert_eq!(faults.len(), 5, "{faults:?}");
    assert!(matches!(&faults[0], RowFault::Malformed { table: "door", id: 77, .. }));
    assert!(matches!(&faults[1], RowFault::Malformed { table: "credential", id: 78, .. }));
    assert_eq!(faults[2], RowFault::UnknownTable("moat".into()));
    assert_eq!(faults[4], RowFault::SiteRows(2));
}

#[test]
fn a_policy_without_a_site_row_is_none() {
    assert_eq!(assemble(1, []), Err(vec![RowFault::SiteRows(0)]));
}

#[test]
fn a_card_carries_its_entry_on_boards_lists_and_rows_of_before_have_none() {
    let row = |entry: &str| {
        format!(
            r#"{{"person":1,"kind":"card","digest":"{}","from":0,"until":9,"status":"active","duress":false{entry}}}"#,
            "ab".repeat(32)
        )
    };
    let site = rows(&everything()).remove(0);
    let Change::Put { row: site, .. } = site else { panic!("a policy's rows are put") };
    let read = |entry: &str| {
        let row = row(entry);
        assemble(1, [("site", 0, site.get()), ("credential", 1, row.as_str())])
            .map(|parts| parts.credentials[0].board_entry)
    };
    assert_eq!(read(""), Ok(None));
    assert_eq!(
        read(r#","board_entry":"00010203040506fe""#),
        Ok(Some(BoardEntry([0, 1, 2, 3, 4, 5, 6, 0xFE])))
    );
    for bad in [r#","board_entry":"00""#, r#","board_entry":"+0010203040506fe""#] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
