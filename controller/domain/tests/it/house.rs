//! A small site to tell stories about: `site.badge(ADA).at(LOBBY).opens()`.

use std::time::Duration;

use domain::civil::Date;
use domain::decision::{Decision, Outcome};
use domain::ids::{
    AreaId, ControllerId, CredentialId, DoorId, FireZoneId, GroupId, LevelId, OperatorId, PersonId,
    PolicyVersion, ScheduleId,
};
use domain::policy::{
    AntiPassback, Area, Credential, CredentialStatus, CredentialUse, Door, DoorKind, Egress, EntryRule,
    FaceConsent, Level, Person, PersonStatus, Policy, PolicyParts, Relock, SiteRules,
};
use domain::reason::Reason;
use domain::request::{
    AskedBy, CredentialDigest, CredentialKind, Factors, Few, Liveness, Presented, Request, Score, Shown, Side,
};
use domain::schedule::{Calendar, Days, Schedule, Span, Window};
use domain::state::{Event, State};
use domain::time::{Utc, Validity, Zone};

pub(crate) const ADA: PersonId = PersonId(1);
pub(crate) const BOB: PersonId = PersonId(2);

pub(crate) const LOBBY: DoorId = DoorId(10);
pub(crate) const LOBBY_BESIDE: DoorId = DoorId(11);
pub(crate) const VAULT: DoorId = DoorId(12);
pub(crate) const BRIDGE: DoorId = DoorId(13);

pub(crate) const STREET: AreaId = AreaId(1);
pub(crate) const BUILDING: AreaId = AreaId(2);
pub(crate) const VAULT_ROOM: AreaId = AreaId(3);

pub(crate) const STAFF: GroupId = GroupId(1);
pub(crate) const TREASURY: GroupId = GroupId(2);
pub(crate) const OFFICE_HOURS: ScheduleId = ScheduleId(1);
pub(crate) const ALWAYS: ScheduleId = ScheduleId(2);
pub(crate) const STAFF_LEVEL: LevelId = LevelId(1);
pub(crate) const TREASURY_LEVEL: LevelId = LevelId(2);
pub(crate) const NORTH: FireZoneId = FireZoneId(1);
pub(crate) const CHIEF: OperatorId = OperatorId(1);

/// A fixed site with clock and state.
pub(crate) struct Site {
    pub(crate) policy: Policy,
    pub(crate) state: State,
    pub(crate) now: Utc,
}

/// Somebody about to show something at a door.
pub(crate) struct Visit<'s> {
    site: &'s mut Site,
    shown: Vec<Shown>,
    side: Side,
}

/// What came of it.
pub(crate) struct Answer(pub(crate) Decision);

pub(crate) fn shanghai(year: i32, month: u8, day: u8, hour: u16, minute: u16) -> Utc {
    let date = Date::from_ymd(year, month, day).expect("a date");
    let minutes = i64::from(date.0) * 1440 + i64::from(hour) * 60 + i64::from(minute) - 8 * 60;
    Utc(minutes * 60_000_000)
}

pub(crate) fn card_of(person: PersonId) -> CredentialDigest {
    digest(1, person.0)
}

pub(crate) fn pin_of(person: PersonId) -> CredentialDigest {
    digest(2, person.0)
}

pub(crate) fn duress_pin_of(person: PersonId) -> CredentialDigest {
    digest(4, person.0)
}

pub(crate) fn code_of(person: PersonId) -> CredentialDigest {
    digest(3, person.0)
}

/// Stands in for an HMAC: spread like one, told from any other.
pub(crate) fn digest(kind: u64, number: u64) -> CredentialDigest {
    let mut bytes = [0; 32];
    let mut word = kind.wrapping_mul(0xD6E8_FEB8_6659_FD93) ^ number;
    for eight in bytes.chunks_mut(8) {
        word = (word ^ (word >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93).wrapping_add(1);
        eight.copy_from_slice(&word.to_be_bytes());
    }
    CredentialDigest(bytes)
}

pub(crate) fn door(id: DoorId, outside: AreaId, inside: AreaId, otherwise: Vec<Factors>) -> Door {
    Door {
        id,
        controller: ControllerId(1),
        kind: DoorKind::Lane,
        outside,
        inside,
        egress: Egress::Exit,
        credential_rules: vec![],
        otherwise,
        strike: Duration::from_secs(5),
        held_after: Duration::from_secs(30),
        relock: Relock::OnClose,
        anti_passback: AntiPassback::Off,
        unrecorded_entry: EntryRule::Refuse,
        fire_zone: Some(NORTH),
    }
}

pub(crate) fn person(id: PersonId, groups: &[GroupId]) -> Person {
    Person {
        id,
        validity: Validity::ALWAYS,
        status: PersonStatus::Active,
        face: FaceConsent::Given,
        clearance: 0,
        groups: groups.to_vec(),
    }
}

fn credentials(person: PersonId) -> Vec<Credential> {
    let make = |slot: u64, kind, digest, usage| Credential {
        id: CredentialId(person.0 * 10 + slot),
        person,
        kind,
        digest,
        board_entry: None,
        validity: Validity::ALWAYS,
        status: CredentialStatus::Active,
        usage,
    };
    vec![
        make(1, CredentialKind::Card, card_of(person), CredentialUse::Ordinary),
        make(2, CredentialKind::Pin, pin_of(person), CredentialUse::Ordinary),
        make(3, CredentialKind::Qr, code_of(person), CredentialUse::Ordinary),
        make(4, CredentialKind::Pin, duress_pin_of(person), CredentialUse::Duress),
    ]
}

/// Ada is staff and treasury, Bob is staff. The lobby takes anything, the vault card and PIN.
pub(crate) fn parts() -> PolicyParts {
    let any_one = vec![Factors::FACE, Factors::CARD, Factors::QR];
    let office = Window { days: Days::WORKDAYS, span: Span::new(8 * 60, 18 * 60).expect("in range") };
    PolicyParts {
        version: PolicyVersion(7),
        made_at: shanghai(2026, 3, 1, 0, 0),
        site: SiteRules {
            face_score: Score(4000),
            face_margin: Score(500),
            wrong_tries: 3,
            wrong_tries_within: Duration::from_secs(300),
            lock_out: Duration::from_secs(60),
            second_factor_within: Duration::from_secs(15),
            same_person_within: Duration::from_secs(5),
        },
        zone: Zone::fixed(8 * 3600),
        calendar: Calendar::default(),
        controllers: vec![ControllerId(1)],
        areas: vec![
            Area { id: STREET, parent: None },
            Area { id: BUILDING, parent: None },
            Area { id: VAULT_ROOM, parent: Some(BUILDING) },
        ],
        fire_zones: vec![NORTH],
        groups: vec![STAFF, TREASURY],
        schedules: vec![
            Schedule { id: OFFICE_HOURS, windows: vec![office], exceptions: vec![] },
            Schedule::always(ALWAYS),
        ],
        doors: vec![
            door(LOBBY, STREET, BUILDING, any_one.clone()),
            door(LOBBY_BESIDE, STREET, BUILDING, any_one),
            door(VAULT, BUILDING, VAULT_ROOM, vec![Factors::CARD.and(Factors::PIN)]),
            Door { egress: Egress::Both, ..door(BRIDGE, STREET, BUILDING, vec![Factors::CARD]) },
        ],
        levels: vec![
            Level {
                id: STAFF_LEVEL,
                groups: vec![STAFF],
                doors: vec![LOBBY, LOBBY_BESIDE, BRIDGE],
                schedule: OFFICE_HOURS,
            },
            Level { id: TREASURY_LEVEL, groups: vec![TREASURY], doors: vec![VAULT, LOBBY], schedule: ALWAYS },
        ],
        people: vec![person(ADA, &[STAFF, TREASURY]), person(BOB, &[STAFF])],
        credentials: [credentials(ADA), credentials(BOB)].concat(),
    }
}

impl Site {
    /// The site as it is, on a Wednesday morning at ten.
    pub(crate) fn open() -> Site {
        Site::with(|_| {})
    }

    /// The site with something about it changed.
    pub(crate) fn with(change: impl FnOnce(&mut PolicyParts)) -> Site {
        let mut parts = parts();
        change(&mut parts);
        let policy = Policy::try_from(parts).expect("the house is in order");
        Site { policy, state: State::default(), now: shanghai(2026, 3, 4, 10, 0) }
    }

    pub(crate) fn observe(&mut self, event: Event<'_>) {
        self.state.observe(&self.policy, event);
    }

    pub(crate) fn later(&mut self, seconds: u64) -> &mut Site {
        self.now = self.now.plus(Duration::from_secs(seconds));
        self
    }

    pub(crate) fn at(&mut self, now: Utc) -> &mut Site {
        self.now = now;
        self
    }

    pub(crate) fn badge(&mut self, person: PersonId) -> Visit<'_> {
        self.shows(Shown::Digest { kind: CredentialKind::Card, digest: card_of(person) })
    }

    pub(crate) fn code(&mut self, person: PersonId) -> Visit<'_> {
        self.shows(Shown::Digest { kind: CredentialKind::Qr, digest: code_of(person) })
    }

    pub(crate) fn types(&mut self, digest: CredentialDigest) -> Visit<'_> {
        self.shows(Shown::Digest { kind: CredentialKind::Pin, digest })
    }

    pub(crate) fn unknown_card(&mut self) -> Visit<'_> {
        self.shows(Shown::Digest { kind: CredentialKind::Card, digest: digest(9, 9) })
    }

    pub(crate) fn face(&mut self, person: PersonId) -> Visit<'_> {
        self.shows(face(person, 8000, 3000, Liveness::Live))
    }

    pub(crate) fn stranger(&mut self) -> Visit<'_> {
        self.shows(Shown::UnknownFace { score: Score(1200), live: Liveness::Live })
    }

    pub(crate) fn shows(&mut self, shown: Shown) -> Visit<'_> {
        Visit { site: self, shown: vec![shown], side: Side::Entry }
    }

    pub(crate) fn nobody(&mut self) -> Visit<'_> {
        Visit { site: self, shown: vec![], side: Side::Entry }
    }

    pub(crate) fn went(&mut self, person: PersonId, door: DoorId, side: Side) {
        self.told_late(person, door, side, self.now);
    }

    /// The board tells now what happened then.
    pub(crate) fn told_late(&mut self, person: PersonId, door: DoorId, side: Side, at: Utc) {
        let told = self.now;
        self.observe(Event::Passed { door, side, person, at, told });
    }
}

pub(crate) fn face(person: PersonId, score: i16, margin: i16, live: Liveness) -> Shown {
    Shown::Face { person, score: Score(score), margin: Score(margin), live }
}

impl Visit<'_> {
    pub(crate) fn and(mut self, shown: Shown) -> Self {
        self.shown.push(shown);
        self
    }

    pub(crate) fn leaving(mut self) -> Self {
        self.side = Side::Exit;
        self
    }

    /// Decides and lets the state know.
    pub(crate) fn at(self, door: DoorId) -> Answer {
        let Visit { site, shown, side } = self;
        let mut presented = Few::new();
        for shown in shown {
            presented.push(Presented { shown, at: site.now }).expect("few are shown");
        }
        let request = Request { door, side, presented, asked_by: AskedBy::Reader };
        let decision = domain::decide(&site.policy, &site.state, &request, site.now);
        site.state.observe(&site.policy, Event::Decided { request: &request, decision: &decision });
        Answer(decision)
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn opens(self) -> Answer {
        assert!(self.0.is_granted(), "stays shut: {:?}", self.0.outcome);
        self
    }

    #[track_caller]
    pub(crate) fn quietly(self) -> Answer {
        assert_eq!(self.0.alarms, [], "alarms");
        self
    }

    #[track_caller]
    pub(crate) fn asks_for(self, missing: Factors) -> Answer {
        assert!(
            matches!(self.0.outcome, Outcome::NeedsMore { missing: asked, .. } if asked == missing),
            "not asked for {missing:?}: {:?}",
            self.0.outcome
        );
        self
    }

    /// Whether it lets somebody in anew, rather than renewing a grant that was not used.
    #[track_caller]
    pub(crate) fn adds_a_passage(self) -> bool {
        match self.0.outcome {
            Outcome::Granted(release) => !release.renews,
            Outcome::Denied(_) | Outcome::NeedsMore { .. } => panic!("stays shut: {:?}", self.0.outcome),
        }
    }

    /// Stays shut for exactly these reasons.
    #[track_caller]
    pub(crate) fn refuses(self, codes: &[&str]) -> Answer {
        assert!(!self.0.is_granted(), "opens");
        assert_eq!(self.0.reasons().iter().map(Reason::code).collect::<Vec<_>>(), codes);
        self
    }

    #[track_caller]
    pub(crate) fn alarms(self, codes: &[&str]) -> Answer {
        assert_eq!(self.0.alarms.iter().map(Reason::code).collect::<Vec<_>>(), codes);
        self
    }
}
