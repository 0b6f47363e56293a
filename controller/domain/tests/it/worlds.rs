//! Small random sites in random states, for the laws.

use std::time::Duration;

use domain::decision::Decision;
use domain::ids::{
    AreaId, ControllerId, CredentialId, DoorId, FireZoneId, GroupId, LevelId, OperatorId, PersonId,
    PolicyVersion, ScheduleId,
};
use domain::policy::{
    AntiPassback, Area, Credential, CredentialRule, CredentialStatus, CredentialUse, Door, Egress, EntryRule,
    FaceConsent, Level, Person, PersonStatus, Policy, PolicyParts,
};
use domain::request::{
    AskedBy, CredentialDigest, CredentialKind, Factors, Few, Liveness, Presented, Request, Score, Shown, Side,
};
use domain::schedule::{Days, Schedule, Span, Window};
use domain::state::{Event, Override, OverrideMode, Presence, State};
use domain::time::{Utc, Validity, Zone};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::house::{digest, door, parts, shanghai};

pub(crate) const PEOPLE: [PersonId; 3] = [PersonId(1), PersonId(2), PersonId(3)];
pub(crate) const DOORS: [DoorId; 3] = [DoorId(1), DoorId(2), DoorId(3)];
pub(crate) const GROUPS: [GroupId; 3] = [GroupId(1), GroupId(2), GroupId(3)];
pub(crate) const KINDS: [CredentialKind; 3] = [CredentialKind::Card, CredentialKind::Pin, CredentialKind::Qr];
const AREAS: [AreaId; 3] = [AreaId(1), AreaId(2), AreaId(3)];
const SCHEDULES: [ScheduleId; 3] = [ScheduleId(1), ScheduleId(2), ScheduleId(3)];
const ZONE: FireZoneId = FireZoneId(1);

/// Eight times as many cases as usual (2048); `PROPTEST_CASES` still scales them.
pub(crate) fn thorough() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.saturating_mul(8), max_global_rejects: u32::MAX, ..usual }
}

/// A site, what is known about it, and a question.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) parts: PolicyParts,
    pub(crate) state: State,
    pub(crate) request: Request,
    pub(crate) now: Utc,
}

impl World {
    pub(crate) fn policy(&self) -> Policy {
        Policy::try_from(self.parts.clone()).expect("worlds are made in order")
    }

    pub(crate) fn decide(&self) -> Decision {
        domain::decide(&self.policy(), &self.state, &self.request, self.now)
    }
}

/// A Wednesday at ten; most worlds happen around it.
pub(crate) fn noonish() -> Utc {
    shanghai(2026, 3, 4, 10, 0)
}

/// The digest of the nth credential of its kind; those beyond the people's are nobody's.
pub(crate) fn nth(kind: CredentialKind, number: u64) -> CredentialDigest {
    digest(u64::from(kind.factor().bits()), number)
}

fn instant() -> impl Strategy<Value = Utc> {
    (-3600_i64..3600).prop_map(|seconds| Utc(noonish().0 + seconds * 1_000_000))
}

fn validity() -> impl Strategy<Value = Validity> {
    prop_oneof![
        6 => Just(Validity::ALWAYS),
        1 => instant().prop_map(|from| Validity { from, until: Utc::MAX }),
        1 => instant().prop_map(|until| Validity { from: Utc::MIN, until }),
    ]
}

pub(crate) fn any_person(id: PersonId) -> impl Strategy<Value = Person> {
    let status = prop_oneof![5 => Just(PersonStatus::Active), 1 => Just(PersonStatus::Suspended)];
    let face = prop_oneof![3 => Just(FaceConsent::Given), 1 => Just(FaceConsent::Absent)];
    let groups = subsequence(GROUPS.to_vec(), 0..=GROUPS.len());
    (validity(), status, face, 0_u8..=7, groups).prop_map(
        move |(validity, status, face, clearance, groups)| Person {
            id,
            validity,
            status,
            face,
            clearance,
            groups,
        },
    )
}

pub(crate) fn any_credential(person: PersonId, kind: CredentialKind) -> impl Strategy<Value = Credential> {
    let status = prop_oneof![
        6 => Just(CredentialStatus::Active),
        1 => Just(CredentialStatus::Suspended),
        1 => Just(CredentialStatus::Lost),
        1 => Just(CredentialStatus::Stolen),
    ];
    (validity(), status).prop_map(move |(validity, status)| Credential {
        id: CredentialId(person.0 * 10 + u64::from(kind.factor().bits())),
        person,
        kind,
        digest: nth(kind, person.0),
        board_entry: None,
        validity,
        status,
        usage: CredentialUse::Ordinary,
    })
}

fn combinations() -> impl Strategy<Value = Vec<Factors>> {
    let one = (1_u8..16).prop_filter_map("a PIN alone is no combination", |bits| {
        Factors::from_bits(bits).filter(|it| *it != Factors::PIN)
    });
    let common = prop::sample::select(vec![
        Factors::FACE,
        Factors::CARD,
        Factors::QR,
        Factors::CARD.and(Factors::PIN),
    ]);
    vec(prop_oneof![4 => common, 1 => one], 0..4)
}

pub(crate) fn any_door(id: DoorId) -> impl Strategy<Value = Door> {
    let passback = prop_oneof![
        Just(AntiPassback::Off),
        Just(AntiPassback::Soft),
        Just(AntiPassback::Hard),
        (1_u64..3600).prop_map(|seconds| AntiPassback::Timed(Duration::from_secs(seconds))),
    ];
    let sides = prop::sample::select(vec![(1, 2), (1, 3), (2, 3), (3, 2)]);
    let unrecorded = prop_oneof![Just(EntryRule::Refuse), Just(EntryRule::Allow)];
    let egress = prop_oneof![8 => Just(Egress::Exit), 1 => Just(Egress::Both)];
    let rules = vec(
        (prop::sample::select(SCHEDULES.to_vec()), combinations())
            .prop_map(|(schedule, any_of)| CredentialRule { schedule, any_of }),
        0..2,
    );
    (passback, sides, unrecorded, egress, rules, combinations()).prop_map(
        move |(anti_passback, (outside, inside), unrecorded_entry, egress, credential_rules, otherwise)| {
            Door {
                anti_passback,
                unrecorded_entry,
                egress,
                credential_rules,
                ..door(id, AreaId(outside), AreaId(inside), otherwise)
            }
        },
    )
}

fn any_level(id: LevelId) -> impl Strategy<Value = Level> {
    let groups = subsequence(GROUPS.to_vec(), 0..=GROUPS.len());
    let doors = subsequence(DOORS.to_vec(), 0..=DOORS.len());
    (groups, doors, prop::sample::select(SCHEDULES.to_vec()))
        .prop_map(move |(groups, doors, schedule)| Level { id, groups, doors, schedule })
}

pub(crate) fn any_parts() -> impl Strategy<Value = PolicyParts> {
    let people = (0..=PEOPLE.len(), any_person(PEOPLE[0]), any_person(PEOPLE[1]), any_person(PEOPLE[2]))
        .prop_map(|(count, a, b, c)| [a, b, c][..count].to_vec());
    let credentials: Vec<_> =
        PEOPLE.iter().flat_map(|person| KINDS.map(|kind| any_credential(*person, kind))).collect();
    let doors = [any_door(DOORS[0]), any_door(DOORS[1]), any_door(DOORS[2])];
    let levels = [any_level(LevelId(1)), any_level(LevelId(2)), any_level(LevelId(3))];
    (people, credentials, doors, levels, any::<bool>()).prop_map(
        |(people, credentials, doors, levels, nested)| {
            let hours =
                |from, until| Window { days: Days::EVERY, span: Span::new(from, until).expect("in range") };
            let known: Vec<PersonId> = people.iter().map(|person| person.id).collect();
            PolicyParts {
                version: PolicyVersion(1),
                zone: Zone::fixed(8 * 3600),
                areas: vec![
                    Area { id: AREAS[0], parent: None },
                    Area { id: AREAS[1], parent: None },
                    Area { id: AREAS[2], parent: nested.then_some(AREAS[1]) },
                ],
                groups: GROUPS.to_vec(),
                schedules: vec![
                    Schedule::always(SCHEDULES[0]),
                    Schedule { id: SCHEDULES[1], windows: vec![hours(10 * 60, 18 * 60)], exceptions: vec![] },
                    Schedule { id: SCHEDULES[2], windows: vec![], exceptions: vec![] },
                ],
                doors: doors.into(),
                levels: levels.into(),
                credentials: credentials.into_iter().filter(|it| known.contains(&it.person)).collect(),
                people,
                controllers: vec![ControllerId(1)],
                fire_zones: vec![ZONE],
                ..parts()
            }
        },
    )
}

pub(crate) fn any_shown() -> impl Strategy<Value = Shown> {
    let live = prop_oneof![
        4 => Just(Liveness::Live),
        1 => Just(Liveness::NotLive),
        1 => Just(Liveness::Unchecked)
    ];
    let face =
        (1_u64..=4, 3500_i16..8000, 300_i16..3000, live.clone()).prop_map(|(person, score, margin, live)| {
            Shown::Face { person: PersonId(person), score: Score(score), margin: Score(margin), live }
        });
    let coded = (prop::sample::select(KINDS.to_vec()), 1_u64..=4)
        .prop_map(|(kind, number)| Shown::Digest { kind, digest: nth(kind, number) });
    prop_oneof![4 => face, 8 => coded, 1 => unknown(live)]
}

fn unknown(live: impl Strategy<Value = Liveness>) -> impl Strategy<Value = Shown> {
    (0_i16..4000, live).prop_map(|(score, live)| Shown::UnknownFace { score: Score(score), live })
}

/// Something that belongs to nobody in any world.
pub(crate) fn any_unknown() -> impl Strategy<Value = Shown> {
    let coded = (prop::sample::select(KINDS.to_vec()), 100_u64..200)
        .prop_map(|(kind, number)| Shown::Digest { kind, digest: nth(kind, number) });
    prop_oneof![coded, unknown(Just(Liveness::Live))]
}

pub(crate) fn any_request(shown: impl Strategy<Value = Shown>) -> impl Strategy<Value = Request> {
    let side = prop_oneof![3 => Just(Side::Entry), 1 => Just(Side::Exit)];
    let door = prop_oneof![12 => prop::sample::select(DOORS.to_vec()), 1 => Just(DoorId(99))];
    let age = prop_oneof![8 => 0_i64..10_000_000, 1 => 10_000_001_i64..60_000_000];
    (door, side, vec((shown, age), 0..=3)).prop_map(|(door, side, shown)| {
        let mut presented = Few::new();
        for (shown, age) in shown {
            presented.push(Presented { shown, at: Utc(noonish().0 - age) }).expect("at most four");
        }
        Request { door, side, presented, asked_by: AskedBy::Reader }
    })
}

/// A thing that happened before: owned, so that it can be generated.
#[derive(Clone, Debug)]
pub(crate) enum Past {
    Asked(Request),
    Present(Presence),
    Overridden(DoorId, Override),
    Fire,
    RecordLost,
    CentreHeard,
}

fn any_past() -> impl Strategy<Value = Past> {
    let present = (prop::sample::select(PEOPLE.to_vec()), prop::sample::select(AREAS.to_vec()), instant())
        .prop_map(|(person, area, since)| Past::Present(Presence { person, area, since }));
    let mode = prop_oneof![
        Just(OverrideMode::Locked),
        (0_u8..=8).prop_map(|clearance| OverrideMode::Lockdown { clearance }),
        Just(OverrideMode::HeldOpen)
    ];
    let overridden =
        (prop::sample::select(DOORS.to_vec()), mode, instant()).prop_map(|(door, mode, until)| {
            Past::Overridden(door, Override { mode, by: OperatorId(1), rank: 3, since: Utc::MIN, until })
        });
    prop_oneof![
        8 => any_request(any_shown()).prop_map(Past::Asked),
        2 => present,
        1 => overridden,
        1 => Just(Past::Fire),
        1 => Just(Past::RecordLost),
        1 => Just(Past::CentreHeard),
    ]
}

/// Any site in any state, asked any question by those strategies.
pub(crate) fn any_world_asked(request: impl Strategy<Value = Request>) -> impl Strategy<Value = World> {
    (any_parts(), vec((any_past(), 0_i64..10), 0..8), request).prop_map(|(parts, past, request)| {
        let policy = Policy::try_from(parts.clone()).expect("worlds are made in order");
        let mut state = State::default();
        let now = noonish();
        // The past happens in the last seconds; its instants end at `now`.
        let mut at = Utc(now.0 - past.iter().map(|(_, seconds)| seconds * 1_000_000).sum::<i64>());
        for (past, seconds) in past {
            match &past {
                Past::Asked(request) => {
                    let decision = domain::decide(&policy, &state, request, at);
                    state.observe(&policy, Event::Decided { request, decision: &decision });
                }
                Past::Present(presence) => state.observe(&policy, Event::Located(*presence)),
                Past::Overridden(door, it) => state.observe(&policy, Event::Overridden(*door, *it)),
                Past::Fire => state.observe(&policy, Event::FireBegan(ZONE)),
                Past::RecordLost => state.observe(&policy, Event::RecordLost { at }),
                Past::CentreHeard => state.observe(&policy, Event::CentreHeard { at }),
            }
            at = Utc(at.0 + seconds * 1_000_000);
        }
        World { parts, state, request, now }
    })
}

pub(crate) fn any_world() -> impl Strategy<Value = World> {
    any_world_asked(any_request(any_shown()))
}
