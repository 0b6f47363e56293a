//! The form of a schedule: windows of the week, each with its days and hours, and days apart.

use domain::ids::ScheduleId;
use domain::schedule::{Days, Span, Window};
use doors::edit::{Edit, Seen};
use doors::schedule::{EXCEPTIONS_MAX, Schedule, WINDOWS_MAX, parse_span};
use doors::survey::{Survey, Thing};

use super::days::parse_date;
use super::sentence::{clock, date};
use super::week;
use crate::form::Fields;
use crate::page::Page;
use crate::routes::forms::{Form, Refused, aim};
use crate::routes::site::{label, label_fields};
use crate::sheet::{Fault, Part};

/// Empty rows offered below those that are filled.
const SPARE: usize = 1;
const DAY: u16 = 24 * 60;

pub(crate) struct ScheduleForm;

impl Form for ScheduleForm {
    const BACK: (&'static str, &'static str, &'static str) = ("access", "/access", "access-title");
    const NEW: &'static str = "schedule-new";

    fn thing(id: u64) -> Thing {
        Thing::Schedule(ScheduleId(id))
    }

    fn blank(_: &Survey, _: &Fields) -> Fields {
        let days = (0..10_u16).filter(|bit| Days::WORKDAYS.bits() & 1 << bit != 0);
        Fields::default().with_all("days-0", days).with("from-0", "08:00").with("until-0", "18:00")
    }

    fn fill(survey: &Survey, id: u64) -> Option<(Fields, Seen)> {
        let schedule = survey.schedule(ScheduleId(id))?;
        let fields = schedule.windows.iter().enumerate().fold(
            label_fields(&schedule.label),
            |fields, (at, window)| {
                let days = (0..10_u16).filter(|bit| window.days.bits() & 1 << bit != 0);
                let (from, until) = hours(window.span);
                let fields = fields.with_all(&format!("days-{at}"), days);
                fields.with(&format!("from-{at}"), from).with(&format!("until-{at}"), until)
            },
        );
        let fields = schedule.exceptions.iter().enumerate().fold(fields, |fields, (at, (day, spans))| {
            let open = spans.iter().map(|span| {
                let (from, until) = hours(*span);
                format!("{from}-{until}")
            });
            let open = open.collect::<Vec<_>>().join(", ");
            fields.with(&format!("date-{at}"), date(*day)).with(&format!("open-{at}"), open)
        });
        Some((fields, Seen::of(schedule)))
    }

    fn parts(page: &Page, _: &Survey, fields: &Fields, is_new: bool) -> Vec<Part> {
        let mut parts = vec![Part::names(page, fields)];
        parts.push(Part::heading(page, "schedule-windows", "schedule-windows-hint"));
        // What cannot be read yet is drawn as if it were not there.
        let readable = windows(page, fields).unwrap_or_default();
        parts.push(Part::Drawn(week::drawn(page, &readable)));
        let days =
            || (0..10_u16).map(|bit| (bit.to_string(), page.say(&format!("day-name-{bit}")).into_owned()));
        for at in 0..rows(fields, "from", WINDOWS_MAX) {
            let time = |name: String, label: &str| {
                let line = Part::text(page, fields, &name, label);
                Part::Line(crate::sheet::Line { longest: 5, ..line })
            };
            parts.push(Part::checks(page, fields, &format!("days-{at}"), "schedule-days", days()));
            parts.push(Part::Row(vec![
                time(format!("from-{at}"), "schedule-from").with_hint(page, "schedule-from-hint"),
                time(format!("until-{at}"), "schedule-until").with_hint(page, "schedule-until-hint"),
            ]));
        }
        parts.push(Part::heading(page, "schedule-exceptions", "schedule-exceptions-hint"));
        for at in 0..rows(fields, "date", EXCEPTIONS_MAX) {
            let date = Part::text(page, fields, &format!("date-{at}"), "schedule-date").kind("date");
            let open = Part::text(page, fields, &format!("open-{at}"), "schedule-open");
            parts.push(Part::Row(vec![Part::Line(date), Part::Line(open.hint(page, "schedule-open-hint"))]));
        }
        parts.extend(Part::key(page, fields, is_new));
        parts
    }

    async fn put(
        edit: &mut Edit,
        page: &Page,
        fields: &Fields,
        known: Option<(u64, Seen)>,
    ) -> Result<u64, Refused> {
        let (windows, exceptions) = (windows(page, fields)?, exceptions(page, fields)?);
        let schedule = Schedule { label: label(fields), windows, exceptions };
        Ok(edit.schedule(aim(known, ScheduleId), &schedule).await?.0)
    }
}

/// From when until when, as they are typed; 24:00 is the end of the day.
fn hours(span: Span) -> (String, String) {
    let until = if span.until() > DAY { span.until() - DAY } else { span.until() };
    (clock(span.from()), clock(until))
}

/// Rows shown: those that are filled, and one to fill.
fn rows(fields: &Fields, name: &str, most: usize) -> usize {
    let last = (0..most).rev().find(|at| !fields.get(&format!("{name}-{at}")).is_empty());
    (last.map_or(0, |at| at + 1) + SPARE).min(most)
}

/// The windows that were sent; a row without hours and days is none.
fn windows(page: &Page, fields: &Fields) -> Result<Vec<Window>, Fault> {
    let mut windows = Vec::new();
    for at in 0..WINDOWS_MAX {
        let (from, until) = (fields.get(&format!("from-{at}")), fields.get(&format!("until-{at}")));
        let name = format!("days-{at}");
        let bits = fields.numbers(&name).into_iter().filter(|bit| *bit < 10);
        let days = Days::from_bits(bits.fold(0, |all, bit| all | 1 << bit)).unwrap_or(Days::NONE);
        if from.is_empty() && until.is_empty() {
            continue;
        }
        if days == Days::NONE {
            return Err(Fault::at(page, &name, "fault-windows"));
        }
        let until = if until == "00:00" { "24:00" } else { until };
        let span = parse_span(&format!("{from}-{until}"));
        let span = span.ok_or_else(|| Fault::at(page, &format!("until-{at}"), "fault-hours"))?;
        windows.push(Window { days, span });
    }
    Ok(windows)
}

/// The days apart that were sent, by date.
fn exceptions(page: &Page, fields: &Fields) -> Result<Vec<(domain::civil::Date, Vec<Span>)>, Fault> {
    let mut exceptions = Vec::new();
    for at in 0..EXCEPTIONS_MAX {
        let (name, open) = (format!("date-{at}"), format!("open-{at}"));
        let day = match fields.get(&name) {
            "" => continue,
            day => parse_date(day).ok_or_else(|| Fault::at(page, &name, "fault-date"))?,
        };
        let spans = fields.get(&open).split([',', '，', '、', ';', '；']).map(str::trim);
        let spans: Option<Vec<_>> = spans.filter(|it| !it.is_empty()).map(read_span).collect();
        exceptions.push((day, spans.ok_or_else(|| Fault::at(page, &open, "fault-open"))?));
    }
    exceptions.sort_by_key(|(day, _)| *day);
    if exceptions.windows(2).any(|two| two[0].0 == two[1].0) {
        return Err(Fault::at(page, "date-0", "fault-date-twice"));
    }
    Ok(exceptions)
}

/// `08:00-12:00`, with any of the dashes that keyboards write.
fn read_span(text: &str) -> Option<Span> {
    parse_span(&text.replace(['–', '—', '~', '～', '－'], "-"))
}

#[cfg(test)]
mod tests {
    use domain::civil::Date;
    use doors::label::Label;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::words::Language;

    fn page() -> Page {
        Page { language: Language::Chinese, operator: None, zone: TimeZone::UTC, section: "" }
    }

    #[test]
    fn a_schedule_is_read_as_it_is_filled_in() {
        let span = |from, until| Span::new(from, until).expect("minutes of a day");
        let windows_before = vec![
            Window { days: Days::WORKDAYS, span: span(480, 1080) },
            Window { days: Days::from_bits(1 << 5).expect("Saturday"), span: span(1320, 360) },
            Window { days: Days::EVERY, span: Span::ALL_DAY },
        ];
        let exceptions_before =
            vec![(Date(20_500), vec![]), (Date(20_501), vec![span(480, 720), span(780, 1440)])];
        let schedule = Schedule {
            label: Label::new("x", "办公"),
            windows: windows_before.clone(),
            exceptions: exceptions_before.clone(),
        };
        let survey = Survey {
            site: None,
            areas: Vec::new(),
            controllers: Vec::new(),
            fire_zones: Vec::new(),
            schedules: vec![(ScheduleId(1), schedule)],
            days: Vec::new(),
            doors: Vec::new(),
            door_groups: Vec::new(),
            levels: Vec::new(),
            groups: Vec::new(),
        };
        let (fields, _) = ScheduleForm::fill(&survey, 1).expect("it is there");
        assert_eq!(windows(&page(), &fields).expect("nothing is wrong"), windows_before);
        assert_eq!(exceptions(&page(), &fields).expect("nothing is wrong"), exceptions_before);
        assert_eq!((rows(&fields, "from", WINDOWS_MAX), rows(&fields, "date", EXCEPTIONS_MAX)), (4, 3));
    }

    #[test]
    fn what_cannot_be_read_is_said_at_its_field() {
        let field = |fields: &Fields| windows(&page(), fields).err().map(|it| it.field);
        let fields = Fields::default().with("from-0", "8:00").with("until-0", "18:00").with("days-0", 1);
        assert_eq!(field(&fields).as_deref(), Some("until-0"));
        let fields = Fields::default().with("from-2", "08:00").with("until-2", "18:00");
        assert_eq!(field(&fields).as_deref(), Some("days-2"));
        let fields = Fields::default().with("date-1", "2026-10-01").with("open-1", "eight to six");
        let fault = exceptions(&page(), &fields).err().map(|it| it.field);
        assert_eq!(fault.as_deref(), Some("open-1"));
        let fields =
            Fields::default().with("date-0", "2026-10-01").with("open-0", "08:00–12:00、13:00～18:00");
        assert_eq!(exceptions(&page(), &fields).expect("any dash")[0].1.len(), 2);
    }
}
