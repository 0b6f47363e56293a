use domain::civil::Date;
use domain::ids::{AreaId, ControllerId, GroupId, LevelId, PersonId, PolicyVersion};
use domain::policy::{
    AntiPassback, Area, CredentialRule, CredentialStatus, CredentialUse, Door, DoorKind, Egress, EntryRule,
    FaceConsent, Level, Person, PersonStatus, PolicyParts, Relock, SiteRules,
};
use domain::request::{CredentialDigest, Factors, Score};
use domain::schedule::{Calendar, Days, Span, Window};
use domain::time::{Validity, Zone};

use super::*;

const DOOR: DoorId = DoorId(1);
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// Thursday 1 January 1970 was day 0; day 4 was a Monday. UTC is the site's time here.
const MONDAY: i64 = 4 * DAY + 7 * 100 * DAY;
const LIFE: Duration = Duration::from_secs(86_400);

const STAFF: u64 = 1;
const GUARDS: u64 = 2;

/// Staff may enter on weekdays from 8 to 18, guards always; every person has one card.
fn parts(people: &[(u64, u64)]) -> PolicyParts {
    let window = |from: u16, until: u16, days| Window { days, span: Span::new(from, until).expect("a span") };
    let weekdays = Days::from_bits(0x1F).expect("Monday to Friday");
    PolicyParts {
        version: PolicyVersion(1),
        made_at: Utc(MONDAY),
        site: SiteRules {
            face_score: Score(4_500),
            face_margin: Score(0),
            wrong_tries: 5,
            wrong_tries_within: Duration::from_secs(60),
            lock_out: Duration::ZERO,
            second_factor_within: Duration::from_secs(10),
            same_person_within: Duration::ZERO,
        },
        zone: Zone::fixed(0),
        calendar: Calendar::default(),
        controllers: vec![ControllerId(1)],
        areas: vec![Area { id: AreaId(1), parent: None }, Area { id: AreaId(2), parent: None }],
        fire_zones: vec![],
        groups: vec![GroupId(STAFF), GroupId(GUARDS)],
        schedules: vec![
            Schedule { id: ScheduleId(1), windows: vec![window(480, 1080, weekdays)], exceptions: vec![] },
            Schedule::always(ScheduleId(2)),
            Schedule { id: ScheduleId(3), windows: vec![], exceptions: vec![(Date(0), vec![])] },
        ],
        doors: vec![Door {
            id: DOOR,
            controller: ControllerId(1),
            kind: DoorKind::Door,
            outside: AreaId(1),
            inside: AreaId(2),
            egress: Egress::Exit,
            credential_rules: vec![CredentialRule {
                schedule: ScheduleId(3),
                any_of: vec![Factors::CARD.and(Factors::PIN)],
            }],
            otherwise: vec![Factors::CARD],
            strike: Duration::from_secs(3),
            held_after: Duration::from_secs(30),
            relock: Relock::OnClose,
            anti_passback: AntiPassback::Off,
            unrecorded_entry: EntryRule::Refuse,
            fire_zone: None,
        }],
        levels: vec![
            Level {
                id: LevelId(1),
                groups: vec![GroupId(STAFF)],
                doors: vec![DOOR],
                schedule: ScheduleId(1),
            },
            Level {
                id: LevelId(2),
                groups: vec![GroupId(GUARDS)],
                doors: vec![DOOR],
                schedule: ScheduleId(2),
            },
        ],
        people: people
            .iter()
            .map(|(id, group)| Person {
                id: PersonId(*id),
                validity: Validity::ALWAYS,
                status: PersonStatus::Active,
                face: FaceConsent::Absent,
                clearance: 0,
                groups: vec![GroupId(*group)],
            })
            .collect(),
        credentials: people.iter().map(|(id, _)| card(*id)).collect(),
    }
}

fn card(person: u64) -> Credential {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&person.to_be_bytes());
    Credential {
        id: CredentialId(person),
        person: PersonId(person),
        kind: CredentialKind::Card,
        digest: CredentialDigest(digest),
        board_entry: Some(entry(person)),
        validity: Validity::ALWAYS,
        status: CredentialStatus::Active,
        usage: CredentialUse::Ordinary,
    }
}

fn entry(person: u64) -> BoardEntry {
    BoardEntry(person.to_be_bytes())
}

fn policy(parts: PolicyParts) -> Policy {
    Policy::try_from(parts).expect("it is right")
}

/// Who is on the list of a moment, and until when.
fn list(parts: PolicyParts, now: i64) -> (Vec<u64>, i64) {
    let Members { entries, until, left_out } = members(&policy(parts), DOOR, Utc(now), LIFE);
    assert_eq!(left_out, 0);
    (entries.into_iter().map(|it| u64::from_be_bytes(it.0)).collect(), until.0)
}

#[test]
fn nobody_is_on_a_list_whose_right_ends_before_it() {
    let people = [(1, STAFF), (2, STAFF), (3, STAFF), (4, STAFF), (5, STAFF), (9, GUARDS)];
    let noon = MONDAY + 12 * HOUR;
    assert_eq!(
        list(parts(&people), noon),
        (vec![1, 2, 3, 4, 5, 9], MONDAY + 18 * HOUR),
        "everybody until six"
    );
    let late = MONDAY + 17 * HOUR;
    assert_eq!(list(parts(&people), late), (vec![9], late + DAY), "for an hour's sake guards lose no day");
    let night = MONDAY + 22 * HOUR;
    assert_eq!(list(parts(&people), night), (vec![9], night + DAY));
    // A visitor who leaves soon does not shorten everybody's list.
    let mut visited = parts(&people);
    visited.people[0].validity.until = Utc(noon + HOUR / 2);
    assert_eq!(list(visited, noon), (vec![2, 3, 4, 5, 9], MONDAY + 18 * HOUR));
}

#[test]
fn who_would_not_be_let_in_by_card_alone_is_not_on_it() {
    let noon = MONDAY + 12 * HOUR;
    let people = [(1, GUARDS), (2, GUARDS)];
    let without_one = |change: fn(&mut PolicyParts)| {
        let mut parts = parts(&people);
        change(&mut parts);
        list(parts, noon).0
    };
    assert_eq!(without_one(|_| ()), [1, 2]);
    assert_eq!(without_one(|it| it.credentials[0].status = CredentialStatus::Lost), [2]);
    assert_eq!(without_one(|it| it.people[0].status = PersonStatus::Suspended), [2]);
    assert_eq!(without_one(|it| it.people[0].groups.clear()), [2]);
    assert_eq!(without_one(|it| it.credentials[0].board_entry = None), [2], "a card of before");
    assert_eq!(without_one(|it| it.credentials[0].kind = CredentialKind::Qr), [2], "boards read cards alone");
    assert_eq!(without_one(|it| it.credentials[0].validity.until = Utc(MONDAY)), [2]);
    assert!(without_one(|it| it.doors[0].otherwise = vec![Factors::CARD.and(Factors::PIN)]).is_empty());
    assert!(without_one(|it| it.doors[0].anti_passback = AntiPassback::Hard).is_empty());
    assert_eq!(without_one(|it| it.doors[0].anti_passback = AntiPassback::Soft), [1, 2]);
    let empty = members(&policy(parts(&[])), DOOR, Utc(noon), LIFE);
    assert_eq!((empty.entries.len(), empty.until), (0, Utc(noon + DAY)), "an empty list is one, too");
}

/// The law: at every minute of a list's time the policy grants to everybody who is on it.
#[test]
fn a_list_grants_nothing_that_the_policy_does_not() {
    let mut parts = parts(&[(1, STAFF), (2, STAFF), (3, GUARDS), (4, GUARDS)]);
    // From ten at night the door asks for card and PIN; one guard's badge ends on Wednesday at noon.
    let night = Window { days: Days::EVERY, span: Span::new(1_320, 360).expect("overnight") };
    parts.schedules[2].windows = vec![night];
    parts.people[3].validity.until = Utc(MONDAY + 2 * DAY + 12 * HOUR);
    let policy = policy(parts);
    let mut made = 0;
    for now in (MONDAY..MONDAY + 7 * DAY).step_by(97 * 60_000_000) {
        let Members { entries, until, .. } = members(&policy, DOOR, Utc(now), LIFE);
        assert!(until.0 > now && until.0 <= now + DAY);
        for at in (now..until.0).step_by(60_000_000) {
            for person in &entries {
                let digest = card(u64::from_be_bytes(person.0)).digest;
                let shown = Shown::Digest { kind: CredentialKind::Card, digest };
                let request = Request::shows(DOOR, Side::Entry, shown, Utc(at));
                let decision = decide(&policy, &State::default(), &request, Utc(at));
                assert!(decision.is_granted(), "made at {now}, at {at}: {person:?}");
                made += 1;
            }
        }
    }
    assert!(made > 10_000, "only {made} moments were looked at");
}

#[test]
fn where_not_all_have_room_higher_clearance_goes_first_and_it_is_said_how_many_are_left_out() {
    let people: Vec<(u64, u64)> = (1..=600).map(|id| (id, GUARDS)).collect();
    let mut parts = parts(&people);
    parts.people[599].clearance = 7;
    let Members { entries, left_out, .. } = members(&policy(parts), DOOR, Utc(MONDAY), LIFE);
    assert_eq!((entries.len(), left_out), (usize::from(MAX_ENTRIES), 102));
    assert!(entries.contains(&entry(600)) && entries.contains(&entry(1)) && !entries.contains(&entry(599)));
    assert!(entries.is_sorted());
}

#[test]
fn the_file_is_signed_for_one_board() {
    let key = ListKey::new(&[5; 32]);
    let order = |number| Order {
        policy: Arc::new(policy(parts(&[(2, GUARDS), (1, GUARDS)]))),
        door: DOOR,
        number,
        board: 4711,
        now: Utc(MONDAY),
        life: LIFE,
        salt: [6; 16],
    };
    let made = make(&key, &order(3));
    let header = Header::decode(&made.file[..HEADER_LEN]).expect("a header");
    assert_eq!((header.list, header.board, header.count, header.salt), (3, 4711, 2, [6; 16]));
    assert_eq!((header.issued_us, header.expires_us), (MONDAY - 60_000_000, MONDAY + DAY));
    assert_eq!(made.file.len(), header.file_len());
    let (signed, signature) = made.file.split_at(made.file.len() - SIGNATURE_LEN);
    assert_eq!(signed[HEADER_LEN..], [entry(1).0, entry(2).0].concat());
    let hash: [u8; 32] = digest(&SHA256, signed).as_ref().try_into().expect("32 bytes");
    let public = key.public();
    let verifier = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, &public);
    assert!(verifier.verify(&signed_message(&hash), signature).is_ok());
    assert_eq!(make(&key, &order(9)).members, made.members, "the same people, whatever the number");
}

#[test]
fn the_key_is_made_once_and_nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let first = ListKey::open(folder.path()).expect("made");
    assert_eq!(ListKey::open(folder.path()).expect("read").public(), first.public());
    let path = folder.path().join("whitelist.key");
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::write(&path, "torn").expect("written");
    assert_ne!(ListKey::open(folder.path()).expect("made anew").public(), first.public());
}
