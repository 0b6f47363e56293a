//! Doing what a file says, in one transaction.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use domain::ids::{AreaId, ControllerId, DoorId, FireZoneId, GroupId, ScheduleId};
use domain::policy::{AntiPassback, CredentialRule, DoorKind, Egress, EntryRule, Relock, SiteRules};
use domain::request::{Factors, Score};
use domain::schedule::{Days, Window};
use jiff::tz::TimeZone;
use kit::auth::OperatorId;
use kit::{Kit, Tx};
use people::PeopleError;
use people::group::{self, GroupName};
use people::word::Word;
use sqlx::Executor;

use super::file::{self, File, Text, holidays};
use super::persons::{self, Looked};
use super::text::{DAY_WORDS, date, days, factors, line_at, line_of_field, span};
use super::{Options, Photos, Report, Wrong};
use crate::door::{Board, Door, DoorGroup};
use crate::error::DoorsError;
use crate::label::{Label, Put};
use crate::level::Level;
use crate::place::{self, Area, AreaKind, LONGEST, Site, USUAL_RULES, USUAL_ZONE};
use crate::policy::objections;
use crate::schedule::{self, CalendarDay, Schedule, Unusual};
use crate::{door, level};

/// What became of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Done {
    /// It was not there.
    Created,
    /// It was there, otherwise.
    Changed,
    /// It was there just so.
    Same,
    /// It was left out because photographs were.
    LeftOut,
    /// It was left out because the person has withdrawn their consent since.
    Withdrawn,
}

/// One thing in the file and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line, from 1.
    pub line: usize,
    /// What, as `door main`.
    pub what: String,
    /// What became of it.
    pub done: Done,
}

/// The database failed: nothing more can be found out.
pub(super) struct Stop(pub(super) sqlx::Error);

pub(super) enum ApplyError {
    Wrong(Vec<Wrong>),
    Database(sqlx::Error),
}

/// An import under way.
pub(super) struct Run<'t> {
    pub(super) by: Option<OperatorId>,
    pub(super) leaves_photos_out: bool,
    pub(super) wrong: Vec<Wrong>,
    text: &'t str,
    lines: Vec<Line>,
    /// Things that name one that was refused: their own refusal is only its consequence.
    consequences: HashSet<String>,
}

type Ids = HashMap<String, u64>;

/// Fields that name other things: refused when what they name was.
const NAMING: [&str; 7] = ["door", "rules", "parent", "groups", "doors", "door_groups", "schedule"];

/// Does all of it; keeps it when nothing is wrong and it is no dry run.
pub(super) async fn apply(
    kit: &Kit,
    file: &File,
    text: &str,
    looked: &Looked,
    options: &Options<'_>,
) -> Result<Report, ApplyError> {
    let leaves_photos_out = matches!(options.photos, Photos::LeaveOut);
    let mut run = Run {
        by: options.by,
        leaves_photos_out,
        wrong: Vec::new(),
        text,
        lines: Vec::new(),
        consequences: HashSet::new(),
    };
    let mut tx = kit.begin().await.map_err(ApplyError::Database)?;
    all(&mut run, &mut tx, file, looked).await.map_err(|Stop(error)| ApplyError::Database(error))?;
    if run.wrong.is_empty() {
        // What could not be put in force would keep every later change, a withdrawn right too, from being so.
        for why in objections(&mut tx).await.map_err(ApplyError::Database)? {
            run.wrong_at(1, "policy", "policy-faulty", why);
        }
    }
    if !run.wrong.is_empty() {
        run.wrong.sort_by_key(|wrong| wrong.line);
        return Err(ApplyError::Wrong(run.wrong));
    }
    if !options.dry_run {
        tx.commit().await.map_err(ApplyError::Database)?;
    }
    Ok(Report { lines: run.lines, kept: !options.dry_run })
}

async fn all(run: &mut Run<'_>, tx: &mut Tx, file: &File, looked: &Looked) -> Result<(), Stop> {
    put_site(run, tx, file.site.as_ref()).await?;
    let zone = place::site(tx).await?.map_or(USUAL_ZONE.to_owned(), |site| site.zone);
    let zone = TimeZone::get(&zone).unwrap_or(TimeZone::UTC);
    put_days(run, tx, &file.day).await?;
    for entry in &file.controller {
        let label = label(&entry.key, &entry.name, &entry.latin);
        run.begin(tx).await?;
        let put = place::put_controller(tx, run.by, ControllerId(entry.number), &label).await;
        run.put(tx, "controller", &entry.key, put).await?;
    }
    let areas = put_areas(run, tx, &file.area).await?;
    let mut zones: Ids =
        place::fire_zones(tx).await?.into_iter().map(|(id, label)| (label.key, id.0)).collect();
    for entry in &file.fire_zone {
        run.begin(tx).await?;
        let put = place::put_fire_zone(tx, run.by, &label(&entry.key, &entry.name, &entry.latin)).await;
        let put = put.map(|(id, put)| (id.0, put));
        run.put_named(tx, "fire zone", &entry.key, put, &mut zones).await?;
    }
    let schedules = put_schedules(run, tx, &file.schedule).await?;
    let doors = put_doors(run, tx, &file.door, &areas, &zones, &schedules).await?;
    let mut door_groups: Ids =
        door::groups(tx).await?.into_iter().map(|(id, it)| (it.label.key, id)).collect();
    for entry in &file.door_group {
        let what = format!("door group {}", entry.key.get_ref());
        let members = run.names(&what, "door", &entry.doors, &doors).into_iter().map(DoorId).collect();
        let new = DoorGroup { label: label(&entry.key, &entry.name, &entry.latin), doors: members };
        run.begin(tx).await?;
        let put = door::put_group(tx, run.by, &new).await;
        run.put_named(tx, "door group", &entry.key, put, &mut door_groups).await?;
    }
    let groups = put_groups(run, tx, &file.group).await?;
    for entry in &file.level {
        let what = format!("level {}", entry.key.get_ref());
        let new = Level {
            label: label(&entry.key, &entry.name, &entry.latin),
            groups: run.names(&what, "group", &entry.groups, &groups).into_iter().map(GroupId).collect(),
            doors: run.names(&what, "door", &entry.doors, &doors).into_iter().map(DoorId).collect(),
            door_groups: run.names(&what, "door group", &entry.door_groups, &door_groups),
            schedule: ScheduleId(run.name(&what, "schedule", &entry.schedule, &schedules)),
        };
        run.begin(tx).await?;
        let put = level::put(tx, run.by, &new).await.map(|(_, put)| put);
        run.put(tx, "level", &entry.key, put).await?;
    }
    persons::put_all(run, tx, file, looked, &zone, &groups).await
}

async fn put_site(run: &mut Run<'_>, tx: &mut Tx, entry: Option<&file::Site>) -> Result<(), Stop> {
    let Some(entry) = entry else { return Ok(()) };
    let line = run.line(&entry.key);
    let mut rules =
        SiteRules { wrong_tries: entry.wrong_tries.unwrap_or(USUAL_RULES.wrong_tries), ..USUAL_RULES };
    for (field, value, within) in [
        ("wrong_tries_within_s", entry.wrong_tries_within_s, &mut rules.wrong_tries_within),
        ("lock_out_s", entry.lock_out_s, &mut rules.lock_out),
        ("second_factor_within_s", entry.second_factor_within_s, &mut rules.second_factor_within),
        ("same_person_within_s", entry.same_person_within_s, &mut rules.same_person_within),
    ] {
        if let Some(value) = run.seconds(line, "site", field, value) {
            *within = value;
        }
    }
    for (field, value, score) in [
        ("face_score", entry.face_score, &mut rules.face_score),
        ("face_margin", entry.face_margin, &mut rules.face_margin),
    ] {
        if let Some(value) = run.number(line, "site", field, value, 1.0) {
            *score = Score((value * 10_000.0).round() as i16);
        }
    }
    let zone = entry.zone.clone().unwrap_or_else(|| USUAL_ZONE.to_owned());
    let new = Site { label: label(&entry.key, &entry.name, &entry.latin), zone, rules };
    run.begin(tx).await?;
    let put = place::put_site(tx, run.by, &new).await;
    run.put(tx, "site", &entry.key, put).await?;
    for name in &entry.calendar {
        let Some(table) = holidays(name.get_ref()) else {
            run.unknown("site", "calendar", name);
            continue;
        };
        let mut put = Put::Same;
        run.begin(tx).await?;
        for day in table.holiday.iter().flat_map(of_holiday) {
            put = put.min(schedule::put_day(tx, run.by, &day).await.map_err(stop)?);
        }
        run.done(run.line(name), &format!("calendar {}", name.get_ref()), put);
        run.end(tx).await?;
    }
    Ok(())
}

fn of_holiday(holiday: &file::Holiday) -> Vec<CalendarDay> {
    let day = |date, kind| CalendarDay { date, kind, name: holiday.name.clone() };
    let our = "our own table, read by a test";
    let (first, last) = (date(&holiday.off.0).expect(our), date(&holiday.off.1).expect(our));
    let off = (0..=last.0 - first.0).map(|at| day(first.plus_days(at), Unusual::PublicHoliday));
    let work = holiday.work.iter().map(|work| day(date(work).expect(our), Unusual::WorkingWeekend));
    off.chain(work).collect()
}

async fn put_days(run: &mut Run<'_>, tx: &mut Tx, entries: &[file::Day]) -> Result<(), Stop> {
    for entry in entries {
        let what = format!("day {}", entry.date.get_ref());
        let line = run.line_of(entry.date.span().start);
        let kind = run.word(&what, Some(&entry.kind), Unusual::SiteDay);
        let Some(date) = date(entry.date.get_ref()) else {
            run.wrong_at(line, &what, "field", "date: is no day".to_owned());
            continue;
        };
        run.begin(tx).await?;
        let put = schedule::put_day(tx, run.by, &CalendarDay { date, kind, name: entry.name.clone() }).await;
        run.settle(tx, line, &what, put).await?;
    }
    Ok(())
}

async fn put_areas(run: &mut Run<'_>, tx: &mut Tx, entries: &[file::Area]) -> Result<Ids, Stop> {
    let mut areas: Ids = place::areas(tx).await?.into_iter().map(|(id, it)| (it.label.key, id.0)).collect();
    for entry in entries {
        let what = format!("area {}", entry.key.get_ref());
        let new = Area {
            label: label(&entry.key, &entry.name, &entry.latin),
            kind: run.word(&what, Some(&entry.kind), AreaKind::Area),
            parent: entry
                .r#in
                .as_ref()
                .map(|around| AreaId(run.name(&what, "area above this line", around, &areas))),
        };
        run.begin(tx).await?;
        let put = place::put_area(tx, run.by, &new).await.map(|(id, put)| (id.0, put));
        run.put_named(tx, "area", &entry.key, put, &mut areas).await?;
    }
    Ok(areas)
}

async fn put_schedules(run: &mut Run<'_>, tx: &mut Tx, entries: &[file::Schedule]) -> Result<Ids, Stop> {
    let mut schedules: Ids =
        schedule::list(tx).await?.into_iter().map(|(id, it)| (it.label.key, id.0)).collect();
    for entry in entries {
        let what = format!("schedule {}", entry.key.get_ref());
        let open = |run: &mut Run<'_>, text: &Text| {
            let read = span(text.get_ref());
            if read.is_none() {
                let why = "open: is written as 08:00-18:00".to_owned();
                run.wrong_at(run.line(text), &what, "field", why);
            }
            read
        };
        let mut windows = Vec::new();
        for window in &entry.windows {
            let mut on = Days::NONE;
            for word in &window.days {
                match days(word.get_ref()) {
                    Some(days) => on = on.and(days),
                    None => run.wrong_at(run.line(word), &what, "field", format!("days: are {DAY_WORDS}")),
                }
            }
            windows.extend(open(run, &window.open).map(|span| Window { days: on, span }));
        }
        let mut exceptions = Vec::new();
        for exception in &entry.exceptions {
            let spans = exception.open.iter().filter_map(|text| open(run, text)).collect();
            match date(exception.date.get_ref()) {
                Some(date) => exceptions.push((date, spans)),
                None => {
                    let line = run.line_of(exception.date.span().start);
                    run.wrong_at(line, &what, "field", "exceptions: date is no day".to_owned());
                }
            }
        }
        exceptions.sort_by_key(|(date, _)| *date);
        let new = Schedule { label: label(&entry.key, &entry.name, &entry.latin), windows, exceptions };
        run.begin(tx).await?;
        let put = schedule::put(tx, run.by, &new).await.map(|(id, put)| (id.0, put));
        run.put_named(tx, "schedule", &entry.key, put, &mut schedules).await?;
    }
    Ok(schedules)
}

async fn put_doors(
    run: &mut Run<'_>,
    tx: &mut Tx,
    entries: &[file::Door],
    areas: &Ids,
    zones: &Ids,
    schedules: &Ids,
) -> Result<Ids, Stop> {
    let mut doors: Ids = door::list(tx).await?.into_iter().map(|(id, it)| (it.label.key, id.0)).collect();
    for entry in entries {
        let what = format!("door {}", entry.key.get_ref());
        let line = run.line(&entry.key);
        let board = entry.bus.clone().zip(entry.address).map(|(bus, address)| Board { bus, address });
        if board.is_none() && (entry.bus.is_some() || entry.address.is_some()) {
            let why = "bus: and address belong together".to_owned();
            run.wrong_at(run.line(&entry.key), &what, "field", why);
        }
        let rule = |run: &mut Run<'_>, rule: &file::Rule| CredentialRule {
            schedule: ScheduleId(run.name(&what, "schedule", &rule.schedule, schedules)),
            any_of: combinations(run, &what, &rule.open_with),
        };
        let new = Door {
            label: label(&entry.key, &entry.name, &entry.latin),
            controller: ControllerId(entry.controller),
            board,
            kind: run.word(&what, Some(&entry.kind), DoorKind::Door),
            outside: AreaId(run.name(&what, "area", &entry.outside, areas)),
            inside: AreaId(run.name(&what, "area", &entry.inside, areas)),
            egress: run.word(&what, entry.egress.as_ref(), Egress::Exit),
            rules: entry.rules.iter().map(|entry| rule(run, entry)).collect(),
            otherwise: combinations(run, &what, &entry.open_with),
            strike: run.seconds(line, &what, "strike_s", entry.strike_s).unwrap_or(Duration::from_secs(5)),
            held_after: run
                .seconds(line, &what, "held_after_s", entry.held_after_s)
                .unwrap_or(Duration::from_secs(30)),
            relock: run.word(&what, entry.relock.as_ref(), Relock::OnClose),
            anti_passback: anti_passback(run, &what, entry),
            unrecorded_entry: run.word(&what, entry.unrecorded_entry.as_ref(), EntryRule::Refuse),
            fire_zone: entry
                .fire_zone
                .as_ref()
                .map(|zone| FireZoneId(run.name(&what, "fire zone", zone, zones))),
        };
        run.begin(tx).await?;
        let put = door::put(tx, run.by, &new).await.map(|(id, put)| (id.0, put));
        run.put_named(tx, "door", &entry.key, put, &mut doors).await?;
    }
    Ok(doors)
}

fn combinations(run: &mut Run<'_>, what: &str, words: &[Text]) -> Vec<Factors> {
    let mut all = Vec::new();
    for word in words {
        match factors(word.get_ref()) {
            Some(factors) => all.push(factors),
            None => {
                let why = "open_with: combines face, card, pin and qr, as card+pin".to_owned();
                run.wrong_at(run.line(word), what, "field", why);
            }
        }
    }
    all
}

fn anti_passback(run: &mut Run<'_>, what: &str, entry: &file::Door) -> AntiPassback {
    let word = entry.anti_passback.as_ref().map_or("off", |word| word.get_ref().as_str());
    match (word, entry.anti_passback_s) {
        ("off", None) => AntiPassback::Off,
        ("soft", None) => AntiPassback::Soft,
        ("hard", None) => AntiPassback::Hard,
        ("timed", Some(within)) => {
            let line = run.line(&entry.key);
            let within = run.seconds(line, what, "anti_passback_s", Some(within));
            within.map_or(AntiPassback::Off, AntiPassback::Timed)
        }
        _ => {
            let line =
                entry.anti_passback.as_ref().map_or_else(|| run.line(&entry.key), |word| run.line(word));
            let why = "anti_passback: is off, soft, hard, or timed with anti_passback_s".to_owned();
            run.wrong_at(line, what, "field", why);
            AntiPassback::Off
        }
    }
}

async fn put_groups(run: &mut Run<'_>, tx: &mut Tx, entries: &[file::Named]) -> Result<Ids, Stop> {
    let mut groups = Ids::new();
    for id in group::for_policy(tx).await? {
        if let Some(name) = group::get(tx, id).await? {
            groups.insert(name.key, id.0);
        }
    }
    for entry in entries {
        let key = entry.key.get_ref();
        let name = GroupName { key: key.clone(), name: entry.name.clone(), latin: entry.latin.clone() };
        run.begin(tx).await?;
        let put = match group::by_key(tx, key).await? {
            None => group::add(tx, run.by, &name).await.map(|id| (id.0, Put::Created)),
            Some((id, known)) if known == name => Ok((id.0, Put::Same)),
            Some((id, _)) => group::change(tx, run.by, id, &name).await.map(|()| (id.0, Put::Changed)),
        };
        run.put_named(tx, "group", &entry.key, put, &mut groups).await?;
    }
    Ok(groups)
}

/// A refusal of a command, whoever gave it.
pub(super) trait Refusal: Sized {
    /// Field, stable kind and words; or the database's own failure.
    fn words(self) -> Result<(Option<&'static str>, &'static str, String), sqlx::Error>;
}

impl Refusal for DoorsError {
    fn words(self) -> Result<(Option<&'static str>, &'static str, String), sqlx::Error> {
        let (code, words) = (self.code(), self.to_string());
        match self {
            Self::Database(error) => Err(error),
            Self::Field { field, .. } => Ok((Some(field), code, words)),
            Self::Unknown(_) | Self::InUse(_) => Ok((None, code, words)),
        }
    }
}

impl Refusal for PeopleError {
    fn words(self) -> Result<(Option<&'static str>, &'static str, String), sqlx::Error> {
        let (field, code, words) = (self.field(), self.code(), self.to_string());
        match self {
            Self::Database(error) => Err(error),
            Self::Unknown(_)
            | Self::Field { .. }
            | Self::Taken(_)
            | Self::Stale(_)
            | Self::NoConsent
            | Self::Enrolment(_)
            | Self::Sealed => Ok((field, code, words)),
        }
    }
}

impl Run<'_> {
    pub(super) fn line(&self, text: &Text) -> usize {
        self.line_of(text.span().start)
    }

    pub(super) fn line_of(&self, byte: usize) -> usize {
        line_at(self.text, byte)
    }

    pub(super) fn wrong_at(&mut self, line: usize, what: &str, code: &'static str, why: String) {
        self.wrong.push(Wrong { line, what: what.to_owned(), code, why });
    }

    /// Notes a name that stands for nothing.
    fn unknown(&mut self, what: &str, kind: &str, name: &Text) -> u64 {
        let why = format!("there is no {kind} {:?}", name.get_ref());
        self.wrong_at(self.line(name), what, "unknown-name", why);
        0
    }

    /// The id behind a name; 0, which is nobody's, when there is none.
    fn name(&mut self, what: &str, kind: &str, name: &Text, ids: &Ids) -> u64 {
        let id = ids.get(name.get_ref()).copied().unwrap_or_else(|| self.unknown(what, kind, name));
        if id == 0 {
            self.consequences.insert(what.to_owned());
        }
        id
    }

    pub(super) fn names(&mut self, what: &str, kind: &str, names: &[Text], ids: &Ids) -> Vec<u64> {
        names.iter().map(|name| self.name(what, kind, name, ids)).collect()
    }

    /// The value of a word, or the usual one where none is written.
    pub(super) fn word<W: Word>(&mut self, what: &str, word: Option<&Text>, usual: W) -> W {
        let Some(text) = word else { return usual };
        W::parse(text.get_ref()).unwrap_or_else(|| {
            let why = format!("{:?} is none of {}", text.get_ref(), W::words());
            self.wrong_at(self.line(text), what, "field", why);
            usual
        })
    }

    /// A number from 0 to `most`; `None` where none is written, or none that can be taken.
    fn number(&mut self, line: usize, what: &str, field: &str, value: Option<f64>, most: f64) -> Option<f64> {
        let value = value?;
        // Written so that what is no number is out of range too.
        if (0.0..=most).contains(&value) {
            return Some(value);
        }
        let line = line_of_field(self.text, line, field);
        self.wrong_at(line, what, "field", format!("{field}: must be 0 to {most}"));
        None
    }

    fn seconds(&mut self, line: usize, what: &str, field: &str, value: Option<f64>) -> Option<Duration> {
        self.number(line, what, field, value, LONGEST.as_secs_f64()).map(Duration::from_secs_f64)
    }

    pub(super) fn done(&mut self, line: usize, what: &str, done: impl Into<Done>) {
        self.lines.push(Line { line, what: what.to_owned(), done: done.into() });
    }

    /// Before one thing: a refusal of it must not spoil the transaction for the next, so that every fault is found.
    pub(super) async fn begin(&self, tx: &mut Tx) -> Result<(), Stop> {
        Ok(tx.execute("SAVEPOINT thing").await.map(drop)?)
    }

    pub(super) async fn end(&self, tx: &mut Tx) -> Result<(), Stop> {
        Ok(tx.execute("RELEASE SAVEPOINT thing").await.map(drop)?)
    }

    /// Notes a refusal. From here on nothing will be kept; the journal's records of this transaction go with it.
    pub(super) async fn refused(
        &mut self,
        tx: &mut Tx,
        line: usize,
        what: &str,
        refusal: impl Refusal,
    ) -> Result<(), Stop> {
        let (field, code, why) = refusal.words()?;
        let line = field.map_or(line, |field| line_of_field(self.text, line, field));
        let told = self.wrong.iter().any(|wrong| wrong.what == what);
        let consequence =
            self.consequences.contains(what) && field.is_some_and(|field| NAMING.contains(&field));
        if !told && !consequence {
            self.wrong_at(line, what, code, why);
        }
        tx.execute("ROLLBACK TO SAVEPOINT thing").await?;
        self.end(tx).await
    }

    pub(super) async fn settle<R: Refusal>(
        &mut self,
        tx: &mut Tx,
        line: usize,
        what: &str,
        put: Result<Put, R>,
    ) -> Result<(), Stop> {
        match put {
            Ok(put) => {
                self.done(line, what, put);
                self.end(tx).await
            }
            Err(refusal) => self.refused(tx, line, what, refusal).await,
        }
    }

    async fn put<R: Refusal>(
        &mut self,
        tx: &mut Tx,
        kind: &str,
        key: &Text,
        put: Result<Put, R>,
    ) -> Result<(), Stop> {
        let (line, what) = (self.line(key), format!("{kind} {}", key.get_ref()));
        self.settle(tx, line, &what, put).await
    }

    /// Also remembers the id, so that what follows can name the thing. One that was refused is known by name too: who
    /// names it is not to blame.
    async fn put_named<R: Refusal>(
        &mut self,
        tx: &mut Tx,
        kind: &str,
        key: &Text,
        put: Result<(u64, Put), R>,
        ids: &mut Ids,
    ) -> Result<(), Stop> {
        let id = put.as_ref().map_or(0, |(id, _)| *id);
        ids.insert(key.get_ref().clone(), id);
        self.put(tx, kind, key, put.map(|(_, put)| put)).await
    }
}

impl From<Put> for Done {
    fn from(put: Put) -> Self {
        match put {
            Put::Created => Self::Created,
            Put::Changed => Self::Changed,
            Put::Same => Self::Same,
        }
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = match self.done {
            Done::Created => "created",
            Done::Changed => "changed",
            Done::Same => "as it was",
            Done::LeftOut => "left out",
            Done::Withdrawn => "left out: consent was withdrawn since",
        };
        write!(f, "{}: {}: {done}", self.line, self.what)
    }
}

fn label(key: &Text, name: &str, latin: &str) -> Label {
    Label { key: key.get_ref().clone(), name: name.to_owned(), latin: latin.to_owned() }
}

fn stop(error: DoorsError) -> Stop {
    match error {
        DoorsError::Database(error) => Stop(error),
        DoorsError::Unknown(_) | DoorsError::Field { .. } | DoorsError::InUse(_) => {
            Stop(sqlx::Error::Decode(error.to_string().into()))
        }
    }
}
