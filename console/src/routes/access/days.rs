//! The calendar: days that are not what their weekday says, put there and taken back.

use axum::Form as Sent;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use domain::civil::Date;
use domain::time::Utc;
use doors::edit::Edit;
use doors::schedule::{CalendarDay, Unusual};
use kit::auth::Operator;
use kit::problem::Problem;
use people::word::Word;

use crate::Console;
use crate::form::Fields;
use crate::page::html;
use crate::routes::forms::by;
use crate::sheet::Fault;

/// Days in one go at most: a long holiday.
const DAYS_MAX: i32 = 62;

/// What stands in the form of a day.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) first: String,
    pub(super) last: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) fault: Option<String>,
}

pub(super) async fn put(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Sent(fields): Sent<Fields>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("access");
    let text = |name| fields.get(name).to_owned();
    let mut draft = Draft {
        first: text("first"),
        last: text("last"),
        kind: text("kind"),
        name: text("name"),
        fault: None,
    };
    let mut edit = Edit::begin(&console.kit, by(&page)).await?;
    let before = edit.before().clone();
    let fault = match read(&draft) {
        None => page.say("fault-day").into_owned(),
        Some(days) => {
            let mut put = Ok(());
            for day in &days {
                put = edit.day(day).await;
                if put.is_err() {
                    break;
                }
            }
            let done = match put {
                Ok(()) => edit.finish().await,
                Err(error) => Err(error),
            };
            match done {
                Ok(done) => {
                    done.commit().await?;
                    return Ok(Redirect::to("/access?said=saved").into_response());
                }
                Err(error) => Fault::of(&page, &before, error)?.words,
            }
        }
    };
    draft.fault = Some(fault);
    let now = Utc(console.kit.now());
    Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &super::drawn(page, &before, now, None, draft)))
}

pub(super) async fn remove(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(day): Path<i32>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("access");
    let mut edit = Edit::begin(&console.kit, by(&page)).await?;
    edit.remove_day(Date(day)).await?;
    edit.finish().await?.commit().await?;
    Ok(Redirect::to("/access?said=removed").into_response())
}

/// Every day from the first to the last, which may be left out; `None` when they are none or too many.
fn read(draft: &Draft) -> Option<Vec<CalendarDay>> {
    let kind = Unusual::parse(&draft.kind)?;
    let first = parse_date(&draft.first)?;
    let last = if draft.last.is_empty() { first } else { parse_date(&draft.last)? };
    let days = (last.0 - first.0).checked_add(1).filter(|days| (1..=DAYS_MAX).contains(days))?;
    let day = |at| CalendarDay { date: first.plus_days(at), kind, name: draft.name.clone() };
    Some((0..days).map(day).collect())
}

/// `2026-11-27`.
pub(super) fn parse_date(text: &str) -> Option<Date> {
    let date: jiff::civil::Date = text.parse().ok()?;
    let part = |value: i8| u8::try_from(value).ok();
    Date::from_ymd(i32::from(date.year()), part(date.month())?, part(date.day())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holiday_is_every_day_from_the_first_to_the_last() {
        let draft = |first: &str, last: &str| Draft {
            first: first.to_owned(),
            last: last.to_owned(),
            kind: "public-holiday".to_owned(),
            ..Draft::default()
        };
        assert_eq!(read(&draft("2026-10-01", "2026-10-07")).map(|days| days.len()), Some(7));
        assert_eq!(read(&draft("2026-10-01", "")).map(|days| days.len()), Some(1));
        for (first, last) in
            [("2026-10-02", "2026-10-01"), ("2026-02-30", ""), ("", ""), ("2026-01-01", "2027-01-01")]
        {
            assert!(read(&draft(first, last)).is_none(), "{first} {last}");
        }
    }
}
