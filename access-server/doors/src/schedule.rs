//! Schedules and the calendar of unusual days.

use domain::civil::{DAY_MINUTES, Date};
use domain::ids::ScheduleId;
use domain::schedule::{Calendar, DayKind, Days, Span, Window};
use kit::Tx;
use kit::auth::OperatorId;
use people::word::Word;
use people::{text, words};
use serde_json::json;
use sqlx::AnyConnection;

use crate::error::{DoorsError, on_constraint};
use crate::label::{Label, Put, row_id};
use crate::place::removed;

/// When something applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What it is called.
    pub label: Label,
    /// Open whenever one of them is. Order means nothing, but is kept.
    pub windows: Vec<Window>,
    /// On such a date these spans stand in place of all windows; none: closed. Ascending by date.
    pub exceptions: Vec<(Date, Vec<Span>)>,
}

/// What an unusual day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unusual {
    /// 法定节假日.
    PublicHoliday,
    /// A Saturday or Sunday worked to make up for a holiday, 调休上班.
    WorkingWeekend,
    /// A day of the site's own.
    SiteDay,
}

words!(Unusual { PublicHoliday = "public-holiday", WorkingWeekend = "working-weekend", SiteDay = "site-day" });

/// A day that is not what its weekday says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarDay {
    /// The date.
    pub date: Date,
    /// What it is.
    pub kind: Unusual,
    /// What it is called, as `春节`; may be empty.
    pub name: String,
}

/// Day, kind, name.
type DayRow = (i64, String, String);
/// Id, key, name, name in Latin letters.
type Row = (i64, String, String, String);
/// Schedule, days, opening, closing.
type WindowRow = (i64, i64, i64, i64);
/// Schedule, day, opening, closing.
type ExceptionRow = (i64, i64, Option<i64>, Option<i64>);

kit::statements! {
    SCHEDULES = "SELECT id, key, name, latin FROM schedule ORDER BY id";
    BY_KEY = "SELECT id, key, name, latin FROM schedule WHERE key = $1";
    WINDOWS_OF = "SELECT schedule, days, opens, closes FROM schedule_window WHERE schedule = $1 ORDER BY place";
    EXCEPTIONS_OF = "SELECT schedule, day, opens, closes FROM schedule_exception WHERE schedule = $1 ORDER BY day, place";
    WINDOWS = "SELECT schedule, days, opens, closes FROM schedule_window ORDER BY schedule, place";
    EXCEPTIONS = "SELECT schedule, day, opens, closes FROM schedule_exception ORDER BY schedule, day, place";
    ADD = "INSERT INTO schedule (key, name, latin) VALUES ($1, $2, $3) RETURNING id";
    CHANGE = "UPDATE schedule SET name = $2, latin = $3 WHERE id = $1";
    REMOVE = "DELETE FROM schedule WHERE id = $1";
    CLEAR_WINDOWS = "DELETE FROM schedule_window WHERE schedule = $1";
    CLEAR_EXCEPTIONS = "DELETE FROM schedule_exception WHERE schedule = $1";
    ADD_WINDOW = "INSERT INTO schedule_window (schedule, place, days, opens, closes) VALUES ($1, $2, $3, $4, $5)";
    ADD_EXCEPTION = "INSERT INTO schedule_exception (schedule, day, place, opens, closes) VALUES ($1, $2, $3, $4, $5)";
    DAYS = "SELECT day, kind, name FROM calendar_day ORDER BY day";
    DAY = "SELECT day, kind, name FROM calendar_day WHERE day = $1";
    PUT_DAY = "INSERT INTO calendar_day (day, kind, name) VALUES ($1, $2, $3) ON CONFLICT (day) DO UPDATE SET kind = excluded.kind, name = excluded.name";
    REMOVE_DAY = "DELETE FROM calendar_day WHERE day = $1";
}

/// Windows of a schedule at most.
pub const WINDOWS_MAX: usize = 64;
/// Dates on which a schedule is an exception at most.
pub const EXCEPTIONS_MAX: usize = 400;
/// Spans on one such date at most.
pub const SPANS_MAX: usize = 16;

/// Every schedule, by id.
///
/// # Errors
/// When the database fails.
pub async fn list(connection: &mut AnyConnection) -> Result<Vec<(ScheduleId, Schedule)>, sqlx::Error> {
    let rows = sqlx::query_as(SCHEDULES).fetch_all(&mut *connection).await?;
    let windows = sqlx::query_as(WINDOWS).fetch_all(&mut *connection).await?;
    let exceptions = sqlx::query_as(EXCEPTIONS).fetch_all(connection).await?;
    together(rows, windows, exceptions)
}

async fn by_key(
    connection: &mut AnyConnection,
    key: &str,
) -> Result<Option<(ScheduleId, Schedule)>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(BY_KEY).bind(key).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(None) };
    let windows = sqlx::query_as(WINDOWS_OF).bind(row.0).fetch_all(&mut *connection).await?;
    let exceptions = sqlx::query_as(EXCEPTIONS_OF).bind(row.0).fetch_all(connection).await?;
    Ok(together(vec![row], windows, exceptions)?.pop())
}

/// Schedules with what belongs to them; all ascend by schedule.
fn together(
    rows: Vec<Row>,
    windows: Vec<WindowRow>,
    exceptions: Vec<ExceptionRow>,
) -> Result<Vec<(ScheduleId, Schedule)>, sqlx::Error> {
    let mut schedules: Vec<(ScheduleId, Schedule)> = rows
        .into_iter()
        .map(|(id, key, name, latin)| {
            let label = Label { key, name, latin };
            (ScheduleId(id.cast_unsigned()), Schedule { label, windows: Vec::new(), exceptions: Vec::new() })
        })
        .collect();
    let at = |schedules: &[(ScheduleId, Schedule)], id: i64| {
        let found = schedules.binary_search_by_key(&id.cast_unsigned(), |(id, _)| id.0);
        found.map_err(|_| sqlx::Error::Decode("a window of no schedule".into()))
    };
    for (schedule, days, opens, closes) in windows {
        let days = u16::try_from(days).ok().and_then(Days::from_bits);
        let days = days.ok_or_else(|| sqlx::Error::Decode("day bits that are not known".into()))?;
        let at = at(&schedules, schedule)?;
        schedules[at].1.windows.push(Window { days, span: span(opens, closes)? });
    }
    for (schedule, day, opens, closes) in exceptions {
        let date = Date(i32::try_from(day).map_err(|error| sqlx::Error::Decode(error.into()))?);
        let at = at(&schedules, schedule)?;
        let exceptions = &mut schedules[at].1.exceptions;
        if exceptions.last().is_none_or(|(last, _)| *last != date) {
            exceptions.push((date, Vec::new()));
        }
        if let (Some(opens), Some(closes), Some((_, spans))) = (opens, closes, exceptions.last_mut()) {
            spans.push(span(opens, closes)?);
        }
    }
    Ok(schedules)
}

/// Puts a schedule in place, found by its key.
///
/// # Errors
/// Names the field that is not taken.
pub async fn put(
    tx: &mut Tx,
    by: Option<OperatorId>,
    new: &Schedule,
) -> Result<(ScheduleId, Put), DoorsError> {
    new.label.check()?;
    if new.windows.len() > WINDOWS_MAX {
        return Err(DoorsError::field("windows", "at most 64"));
    }
    if new.exceptions.len() > EXCEPTIONS_MAX || new.exceptions.iter().any(|(_, it)| it.len() > SPANS_MAX) {
        return Err(DoorsError::field("exceptions", "at most 400 dates, and 16 spans on one"));
    }
    if new.windows.iter().any(|window| window.days == Days::NONE) {
        return Err(DoorsError::field("windows", "a window applies on no day"));
    }
    if !new.exceptions.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(DoorsError::field("exceptions", "dates must ascend, each once"));
    }
    let (id, put) = match by_key(tx, &new.label.key).await? {
        Some((id, old)) if old == *new => return Ok((id, Put::Same)),
        Some((id, _)) => {
            let id = row_id(id.0);
            let change = sqlx::query(CHANGE).bind(id).bind(new.label.name.as_str());
            change.bind(new.label.latin.as_str()).execute(&mut **tx).await?;
            sqlx::query(CLEAR_WINDOWS).bind(id).execute(&mut **tx).await?;
            sqlx::query(CLEAR_EXCEPTIONS).bind(id).execute(&mut **tx).await?;
            (id, Put::Changed)
        }
        None => {
            let add = sqlx::query_as(ADD).bind(new.label.key.as_str()).bind(new.label.name.as_str());
            let (id,): (i64,) = add.bind(new.label.latin.as_str()).fetch_one(&mut **tx).await?;
            (id, Put::Created)
        }
    };
    for (place, window) in (0_i64..).zip(&new.windows) {
        let (opens, closes) = minutes(window.span);
        let add = sqlx::query(ADD_WINDOW).bind(id).bind(place).bind(i64::from(window.days.bits()));
        add.bind(opens).bind(closes).execute(&mut **tx).await?;
    }
    for (date, spans) in &new.exceptions {
        let mut stored: Vec<Option<(i64, i64)>> = spans.iter().map(|span| Some(minutes(*span))).collect();
        if stored.is_empty() {
            stored.push(None);
        }
        for (place, span) in (0_i64..).zip(stored) {
            let (opens, closes) = span.unzip();
            let add = sqlx::query(ADD_EXCEPTION).bind(id).bind(i64::from(date.0)).bind(place);
            add.bind(opens).bind(closes).execute(&mut **tx).await?;
        }
    }
    tx.record("schedule.changed", &json!({ "schedule": id, "by": by.map(|by| by.0) })).await?;
    Ok((ScheduleId(id.cast_unsigned()), put))
}

/// Removes a schedule.
///
/// # Errors
/// When a door or level names it, or it is not there.
pub async fn remove(tx: &mut Tx, by: Option<OperatorId>, id: ScheduleId) -> Result<(), DoorsError> {
    removed(tx, by, REMOVE, "schedule", id.0).await
}

/// Every unusual day, by date.
///
/// # Errors
/// When the database fails.
pub async fn calendar_days(connection: &mut AnyConnection) -> Result<Vec<CalendarDay>, sqlx::Error> {
    let rows: Vec<DayRow> = sqlx::query_as(DAYS).fetch_all(connection).await?;
    rows.into_iter().map(calendar_day).collect()
}

fn calendar_day((day, kind, name): DayRow) -> Result<CalendarDay, sqlx::Error> {
    let date = Date(i32::try_from(day).map_err(|error| sqlx::Error::Decode(error.into()))?);
    Ok(CalendarDay { date, kind: Unusual::from_row(&kind)?, name })
}

/// Puts an unusual day in place of what was there on that date.
///
/// # Errors
/// When the database fails.
pub async fn put_day(tx: &mut Tx, by: Option<OperatorId>, new: &CalendarDay) -> Result<Put, DoorsError> {
    text::line(&new.name).map_err(|why| DoorsError::field("name", why))?;
    let old: Option<DayRow> =
        sqlx::query_as(DAY).bind(i64::from(new.date.0)).fetch_optional(&mut **tx).await?;
    let old = old.map(calendar_day).transpose()?;
    if old.as_ref() == Some(new) {
        return Ok(Put::Same);
    }
    let put = sqlx::query(PUT_DAY).bind(i64::from(new.date.0)).bind(new.kind.word());
    let put = put.bind(new.name.as_str()).execute(&mut **tx).await;
    put.map_err(on_constraint(DoorsError::field("kind", "is not known")))?;
    let body = json!({ "day": new.date.0, "kind": new.kind.word(), "by": by.map(|by| by.0) });
    tx.record("calendar.changed", &body).await?;
    Ok(if old.is_some() { Put::Changed } else { Put::Created })
}

/// Makes a date what its weekday says again.
///
/// # Errors
/// When it was nothing else.
pub async fn remove_day(tx: &mut Tx, by: Option<OperatorId>, date: Date) -> Result<(), DoorsError> {
    let done = sqlx::query(REMOVE_DAY).bind(i64::from(date.0)).execute(&mut **tx).await?;
    if done.rows_affected() == 0 {
        return Err(DoorsError::Unknown("calendar day"));
    }
    tx.record("calendar.changed", &json!({ "day": date.0, "kind": null, "by": by.map(|by| by.0) })).await?;
    Ok(())
}

/// The calendar, as a policy has it.
#[must_use]
pub fn calendar(days: &[CalendarDay]) -> Calendar {
    let kind = |day: &CalendarDay| match day.kind {
        Unusual::PublicHoliday => DayKind::PublicHoliday,
        Unusual::WorkingWeekend => DayKind::WorkingWeekend,
        Unusual::SiteDay => DayKind::SiteDay,
    };
    Calendar { days: days.iter().map(|day| (day.date, kind(day))).collect() }
}

/// `08:00-18:00`; 24:00 is the end of the day, and an end not after the beginning is on the next day.
#[must_use]
pub fn parse_span(text: &str) -> Option<Span> {
    let (from, until) = text.split_once('-')?;
    Span::new(minute(from)?, minute(until)?)
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let two = |digits: &str| {
        let is_two = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        is_two.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    let of_day = hour * 60 + minute;
    (minute < 60 && of_day <= DAY_MINUTES).then_some(of_day)
}

/// Opening minute and closing minute; the latter of the next day when it is not above the former.
fn minutes(span: Span) -> (i64, i64) {
    let until = if span.until() > DAY_MINUTES { span.until() - DAY_MINUTES } else { span.until() };
    (i64::from(span.from()), i64::from(until))
}

fn span(opens: i64, closes: i64) -> Result<Span, sqlx::Error> {
    let span = u16::try_from(opens).ok().zip(u16::try_from(closes).ok());
    span.and_then(|(opens, closes)| Span::new(opens, closes))
        .ok_or_else(|| sqlx::Error::Decode("minutes that are none of a day".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_overnight_and_to_the_end_of_the_day() {
        assert_eq!(parse_span("08:00-18:00"), Span::new(480, 1080));
        assert_eq!(parse_span("22:00-06:00"), Span::new(1320, 360));
        assert_eq!(parse_span("00:00-24:00"), Some(Span::ALL_DAY));
        for bad in ["8:00-18:00", "08:00", "08:60-09:00", "24:00-08:00", "25:00-26:00", "a-b", "+8:00-18:00"]
        {
            assert_eq!(parse_span(bad), None, "{bad}");
        }
    }
}
