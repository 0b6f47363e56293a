//! The form of each row, and the part of a policy it stands for.

use std::time::Duration;

use domain::civil::{DAY_MINUTES, Date, Weekday};
use domain::ids::{
    AreaId, ControllerId, CredentialId, DoorId, FireZoneId, GroupId, LevelId, PersonId, ScheduleId,
};
use domain::policy::{self as part, PolicyParts};
use domain::request::{BoardEntry, CredentialDigest, CredentialKind, Factors, Score};
use domain::schedule::{Calendar, DayKind, Days, Schedule, Span, Window};
use domain::time::{Utc, Validity, Zone};
use serde::{Deserialize, Serialize};

use crate::sync::parse_hex;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Empty {}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AreaRow {
    pub(super) parent: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SiteRow {
    made_at: i64,
    face_score: i16,
    face_margin: i16,
    wrong_tries: u8,
    wrong_tries_within_ms: u64,
    lock_out_ms: u64,
    second_factor_within_ms: u64,
    same_person_within_ms: u64,
    zone_base_s: i32,
    zone_transitions: Vec<(i64, i32)>,
    calendar: Vec<(i32, DayRow)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DayRow {
    Weekday(u8),
    PublicHoliday,
    WorkingWeekend,
    SiteDay,
}

impl From<&PolicyParts> for SiteRow {
    fn from(parts: &PolicyParts) -> Self {
        let day = |kind: &DayKind| match kind {
            DayKind::Weekday(day) => DayRow::Weekday(*day as u8),
            DayKind::PublicHoliday => DayRow::PublicHoliday,
            DayKind::WorkingWeekend => DayRow::WorkingWeekend,
            DayKind::SiteDay => DayRow::SiteDay,
        };
        Self {
            made_at: parts.made_at.0,
            face_score: parts.site.face_score.0,
            face_margin: parts.site.face_margin.0,
            wrong_tries: parts.site.wrong_tries,
            wrong_tries_within_ms: millis(parts.site.wrong_tries_within),
            lock_out_ms: millis(parts.site.lock_out),
            second_factor_within_ms: millis(parts.site.second_factor_within),
            same_person_within_ms: millis(parts.site.same_person_within),
            zone_base_s: parts.zone.base,
            zone_transitions: parts.zone.transitions.iter().map(|(at, offset)| (at.0, *offset)).collect(),
            calendar: parts.calendar.days.iter().map(|(date, kind)| (date.0, day(kind))).collect(),
        }
    }
}

impl SiteRow {
    pub(super) fn fill(self, parts: &mut PolicyParts) -> Result<(), String> {
        parts.made_at = Utc(self.made_at);
        parts.site = part::SiteRules {
            face_score: Score(self.face_score),
            face_margin: Score(self.face_margin),
            wrong_tries: self.wrong_tries,
            wrong_tries_within: Duration::from_millis(self.wrong_tries_within_ms),
            lock_out: Duration::from_millis(self.lock_out_ms),
            second_factor_within: Duration::from_millis(self.second_factor_within_ms),
            same_person_within: Duration::from_millis(self.same_person_within_ms),
        };
        parts.zone = Zone {
            base: self.zone_base_s,
            transitions: self.zone_transitions.into_iter().map(|(at, offset)| (Utc(at), offset)).collect(),
        };
        let days = self.calendar.into_iter().map(|(date, day)| {
            let kind = match day {
                DayRow::Weekday(day) => DayKind::Weekday(
                    *Weekday::ALL
                        .get(usize::from(day))
                        .ok_or("calendar: a weekday is 0 to 6, Monday first")?,
                ),
                DayRow::PublicHoliday => DayKind::PublicHoliday,
                DayRow::WorkingWeekend => DayKind::WorkingWeekend,
                DayRow::SiteDay => DayKind::SiteDay,
            };
            Ok((Date(date), kind))
        });
        parts.calendar = Calendar { days: days.collect::<Result<_, String>>()? };
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleRow {
    /// Day bits, first minute, first minute after.
    windows: Vec<(u16, u16, u16)>,
    /// Day number, spans.
    exceptions: Vec<(i32, Vec<(u16, u16)>)>,
}

impl From<&Schedule> for ScheduleRow {
    fn from(it: &Schedule) -> Self {
        let pair = |span: &Span| (span.from(), span.until());
        Self {
            windows: it.windows.iter().map(|w| (w.days.bits(), w.span.from(), w.span.until())).collect(),
            exceptions: it
                .exceptions
                .iter()
                .map(|(date, spans)| (date.0, spans.iter().map(pair).collect()))
                .collect(),
        }
    }
}

impl ScheduleRow {
    pub(super) fn read(self, id: u64) -> Result<Schedule, String> {
        let span = |(from, until): (u16, u16)| {
            let of_day = if until > DAY_MINUTES { until - DAY_MINUTES } else { until };
            let span = Span::new(from, of_day).filter(|span| span.until() == until);
            span.ok_or(format!("no span from minute {from} until {until}"))
        };
        let window = |(days, from, until)| {
            let days = Days::from_bits(days).ok_or(format!("day bits {days} are not known"))?;
            Ok::<_, String>(Window { days, span: span((from, until))? })
        };
        let exception = |(date, spans): (i32, Vec<_>)| {
            Ok::<_, String>((Date(date), spans.into_iter().map(span).collect::<Result<_, _>>()?))
        };
        Ok(Schedule {
            id: ScheduleId(id),
            windows: self.windows.into_iter().map(window).collect::<Result<_, _>>()?,
            exceptions: self.exceptions.into_iter().map(exception).collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DoorRow {
    controller: u64,
    kind: DoorKindRow,
    outside: u64,
    inside: u64,
    egress: EgressRow,
    /// Schedule and the factor bits of each combination.
    credential_rules: Vec<(u64, Vec<u8>)>,
    otherwise: Vec<u8>,
    strike_ms: u64,
    held_after_ms: u64,
    relock: RelockRow,
    anti_passback: AntiPassbackRow,
    unrecorded_entry: EntryRow,
    fire_zone: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DoorKindRow {
    Door,
    Lane,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum EgressRow {
    Exit,
    Both,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RelockRow {
    OnOpen,
    OnClose,
    AfterTime,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AntiPassbackRow {
    Off,
    Soft,
    Hard,
    TimedMs(u64),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum EntryRow {
    Refuse,
    Allow,
}

impl From<&part::Door> for DoorRow {
    fn from(it: &part::Door) -> Self {
        let bits = |any_of: &[Factors]| any_of.iter().map(|factors| factors.bits()).collect();
        Self {
            controller: it.controller.0,
            kind: match it.kind {
                part::DoorKind::Door => DoorKindRow::Door,
                part::DoorKind::Lane => DoorKindRow::Lane,
            },
            outside: it.outside.0,
            inside: it.inside.0,
            egress: match it.egress {
                part::Egress::Exit => EgressRow::Exit,
                part::Egress::Both => EgressRow::Both,
            },
            credential_rules: it
                .credential_rules
                .iter()
                .map(|rule| (rule.schedule.0, bits(&rule.any_of)))
                .collect(),
            otherwise: bits(&it.otherwise),
            strike_ms: millis(it.strike),
            held_after_ms: millis(it.held_after),
            relock: match it.relock {
                part::Relock::OnOpen => RelockRow::OnOpen,
                part::Relock::OnClose => RelockRow::OnClose,
                part::Relock::AfterTime => RelockRow::AfterTime,
            },
            anti_passback: match it.anti_passback {
                part::AntiPassback::Off => AntiPassbackRow::Off,
                part::AntiPassback::Soft => AntiPassbackRow::Soft,
                part::AntiPassback::Hard => AntiPassbackRow::Hard,
                part::AntiPassback::Timed(time) => AntiPassbackRow::TimedMs(millis(time)),
            },
            unrecorded_entry: match it.unrecorded_entry {
                part::EntryRule::Refuse => EntryRow::Refuse,
                part::EntryRule::Allow => EntryRow::Allow,
            },
            fire_zone: it.fire_zone.map(u64::from),
        }
    }
}

impl DoorRow {
    pub(super) fn read(self, id: u64) -> Result<part::Door, String> {
        let factors = |any_of: Vec<u8>| {
            let read = |bits| Factors::from_bits(bits).ok_or(format!("factor bits {bits} are not known"));
            any_of.into_iter().map(read).collect::<Result<Vec<_>, _>>()
        };
        let rule = |(schedule, any_of)| {
            Ok::<_, String>(part::CredentialRule { schedule: ScheduleId(schedule), any_of: factors(any_of)? })
        };
        Ok(part::Door {
            id: DoorId(id),
            controller: ControllerId(self.controller),
            kind: match self.kind {
                DoorKindRow::Door => part::DoorKind::Door,
                DoorKindRow::Lane => part::DoorKind::Lane,
            },
            outside: AreaId(self.outside),
            inside: AreaId(self.inside),
            egress: match self.egress {
                EgressRow::Exit => part::Egress::Exit,
                EgressRow::Both => part::Egress::Both,
            },
            credential_rules: self.credential_rules.into_iter().map(rule).collect::<Result<_, _>>()?,
            otherwise: factors(self.otherwise)?,
            strike: Duration::from_millis(self.strike_ms),
            held_after: Duration::from_millis(self.held_after_ms),
            relock: match self.relock {
                RelockRow::OnOpen => part::Relock::OnOpen,
                RelockRow::OnClose => part::Relock::OnClose,
                RelockRow::AfterTime => part::Relock::AfterTime,
            },
            anti_passback: match self.anti_passback {
                AntiPassbackRow::Off => part::AntiPassback::Off,
                AntiPassbackRow::Soft => part::AntiPassback::Soft,
                AntiPassbackRow::Hard => part::AntiPassback::Hard,
                AntiPassbackRow::TimedMs(time) => part::AntiPassback::Timed(Duration::from_millis(time)),
            },
            unrecorded_entry: match self.unrecorded_entry {
                EntryRow::Refuse => part::EntryRule::Refuse,
                EntryRow::Allow => part::EntryRule::Allow,
            },
            fire_zone: self.fire_zone.map(FireZoneId),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LevelRow {
    groups: Vec<u64>,
    doors: Vec<u64>,
    schedule: u64,
}

impl From<&part::Level> for LevelRow {
    fn from(it: &part::Level) -> Self {
        Self {
            groups: it.groups.iter().map(|id| id.0).collect(),
            doors: it.doors.iter().map(|id| id.0).collect(),
            schedule: it.schedule.0,
        }
    }
}

impl LevelRow {
    pub(super) fn read(self, id: u64) -> part::Level {
        part::Level {
            id: LevelId(id),
            groups: self.groups.into_iter().map(GroupId).collect(),
            doors: self.doors.into_iter().map(DoorId).collect(),
            schedule: ScheduleId(self.schedule),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonRow {
    from: i64,
    until: i64,
    active: bool,
    face: bool,
    clearance: u8,
    groups: Vec<u64>,
}

impl From<&part::Person> for PersonRow {
    fn from(it: &part::Person) -> Self {
        Self {
            from: it.validity.from.0,
            until: it.validity.until.0,
            active: matches!(it.status, part::PersonStatus::Active),
            face: matches!(it.face, part::FaceConsent::Given),
            clearance: it.clearance,
            groups: it.groups.iter().map(|id| id.0).collect(),
        }
    }
}

impl PersonRow {
    pub(super) fn read(self, id: u64) -> part::Person {
        part::Person {
            id: PersonId(id),
            validity: Validity { from: Utc(self.from), until: Utc(self.until) },
            status: if self.active { part::PersonStatus::Active } else { part::PersonStatus::Suspended },
            face: if self.face { part::FaceConsent::Given } else { part::FaceConsent::Absent },
            clearance: self.clearance,
            groups: self.groups.into_iter().map(GroupId).collect(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialRow {
    person: u64,
    kind: CredentialKindRow,
    /// 64 hexadecimal digits.
    digest: String,
    from: i64,
    until: i64,
    status: CredentialStatusRow,
    duress: bool,
    /// 16 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    board_entry: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CredentialKindRow {
    Card,
    Pin,
    Qr,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CredentialStatusRow {
    Active,
    Suspended,
    Lost,
    Stolen,
}

impl From<&part::Credential> for CredentialRow {
    fn from(it: &part::Credential) -> Self {
        Self {
            person: it.person.0,
            kind: match it.kind {
                CredentialKind::Card => CredentialKindRow::Card,
                CredentialKind::Pin => CredentialKindRow::Pin,
                CredentialKind::Qr => CredentialKindRow::Qr,
            },
            digest: it.digest.0.iter().map(|byte| format!("{byte:02x}")).collect(),
            from: it.validity.from.0,
            until: it.validity.until.0,
            status: match it.status {
                part::CredentialStatus::Active => CredentialStatusRow::Active,
                part::CredentialStatus::Suspended => CredentialStatusRow::Suspended,
                part::CredentialStatus::Lost => CredentialStatusRow::Lost,
                part::CredentialStatus::Stolen => CredentialStatusRow::Stolen,
            },
            duress: matches!(it.usage, part::CredentialUse::Duress),
            board_entry: it.board_entry.map(|entry| format!("{:016x}", u64::from_be_bytes(entry.0))),
        }
    }
}

impl CredentialRow {
    pub(super) fn read(self, id: u64) -> Result<part::Credential, String> {
        Ok(part::Credential {
            id: CredentialId(id),
            person: PersonId(self.person),
            kind: match self.kind {
                CredentialKindRow::Card => CredentialKind::Card,
                CredentialKindRow::Pin => CredentialKind::Pin,
                CredentialKindRow::Qr => CredentialKind::Qr,
            },
            digest: CredentialDigest(parse_hex(&self.digest).ok_or("digest: 64 hexadecimal digits")?),
            validity: Validity { from: Utc(self.from), until: Utc(self.until) },
            status: match self.status {
                CredentialStatusRow::Active => part::CredentialStatus::Active,
                CredentialStatusRow::Suspended => part::CredentialStatus::Suspended,
                CredentialStatusRow::Lost => part::CredentialStatus::Lost,
                CredentialStatusRow::Stolen => part::CredentialStatus::Stolen,
            },
            usage: if self.duress { part::CredentialUse::Duress } else { part::CredentialUse::Ordinary },
            board_entry: self.board_entry.as_deref().map(board_entry).transpose()?,
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn board_entry(text: &str) -> Result<BoardEntry, String> {
    let good = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = good.then(|| u64::from_str_radix(text, 16).ok()).flatten();
    Ok(BoardEntry(number.ok_or("board_entry: 16 hexadecimal digits")?.to_be_bytes()))
}
