//! Doing what a file says, in one transaction.

use std::time::Duration;

use domain::ids::{AreaId, ControllerId, DoorId, FireZoneId, GroupId, ScheduleId};
use domain::policy::{AntiPassback, CredentialRule, DoorKind, Egress, EntryRule, Relock, SiteRules};
use domain::request::{Factors, Score};
use domain::schedule::{Days, Window};
use jiff::tz::TimeZone;
use kit::{Kit, Tx};
use people::group::{self, GroupName};

use super::file::{self, File, Text, holidays};
use super::persons::{self, Looked};
use super::run::{Ids, Run, Stop};
use super::text::{DAY_WORDS, Lines, date, days, factors};
use super::wrongs::Wrongs;
use super::{Options, Report, Wrong};
use crate::door::{Board, Door, DoorGroup};
use crate::error::DoorsError;
use crate::label::{Label, Put};
use crate::level::Level;
use crate::place::{self, Area, AreaKind, Site, USUAL_RULES, USUAL_ZONE};
use crate::policy::objections;
use crate::schedule::{self, CalendarDay, Schedule, Unusual, parse_span};
use crate::{door, level};

pub(super) enum ApplyError {
    Wrong(Vec<Wrong>),
    Database(sqlx::Error),
}

/// Does all of it; keeps it when nothing is wrong and it is no dry run. `wrong` is what the file showed by itself.
pub(super) async fn apply(
    kit: &Kit,
    file: &File,
    lines: &Lines<'_>,
    wrong: Wrongs,
    looked: &Looked,
    options: &Options<'_>,
) -> Result<Report, ApplyError> {
    let mut run = Run::new(options, lines, wrong);
    let mut tx = kit.begin().await.map_err(ApplyError::Database)?;
    match all(&mut run, &mut tx, file, looked).await {
        Ok(()) | Err(Stop::Enough) => {}
        Err(Stop::Database(error)) => return Err(ApplyError::Database(error)),
    }
    if run.wrong.is_empty() {
        // What could not be put in force would keep every later change, a withdrawn right too, from being so.
        for why in objections(&mut tx).await.map_err(ApplyError::Database)? {
            run.wrong_at(1, "policy", "policy-faulty", why);
        }
    }
    if !run.wrong.is_empty() {
        return Err(ApplyError::Wrong(run.wrong.listed()));
    }
    if !options.dry_run {
        tx.commit().await.map_err(ApplyError::Database)?;
    }
    Ok(Report { lines: run.report, kept: !options.dry_run })
}

async fn all(run: &mut Run<'_>, tx: &mut Tx, file: &File, looked: &Looked) -> Result<(), Stop> {
    put_site(run, tx, file.site.as_ref()).await?;
    let zone = place::site(tx).await?.map_or(USUAL_ZONE.to_owned(), |site| site.zone);
    let zone = TimeZone::get(&zone).unwrap_or(TimeZone::UTC);
    put_days(run, tx, &file.day).await?;
    for entry in &file.controller {
        let label = label(&entry.key, &entry.name, &entry.latin);
        run.begin(tx).await?;
        let put = place::put_controller(tx, run.by, ControllerId(*entry.number.get_ref()), &label).await;
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
            let read = parse_span(text.get_ref());
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
    let mut groups: Ids = group::keys(tx).await?.into_iter().map(|(id, key)| (key, id.0)).collect();
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

pub(super) fn label(key: &Text, name: &str, latin: &str) -> Label {
    Label { key: key.get_ref().clone(), name: name.to_owned(), latin: latin.to_owned() }
}

fn stop(error: DoorsError) -> Stop {
    match error {
        DoorsError::Database(error) => Stop::Database(error),
        DoorsError::Unknown(_)
        | DoorsError::Field { .. }
        | DoorsError::Taken { .. }
        | DoorsError::Stale(_)
        | DoorsError::InUse(_)
        | DoorsError::Used { .. }
        | DoorsError::Unfit(_)
        | DoorsError::People(_) => Stop::Database(sqlx::Error::Decode(error.to_string().into())),
    }
}
