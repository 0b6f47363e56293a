//! The week of a schedule as a picture: a row a kind of day, a bar for each span. Positions are attributes of the drawing:
//! the page's policy allows no style of its own.

use askama::Template;
use domain::schedule::{Days, Window};

use super::sentence::{clock, times};
use crate::page::Page;

/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// Where the hours begin, and how wide a day is: half a unit a minute.
const LEFT: f32 = 104.0;
const WIDE: f32 = 720.0;
const ROW: f32 = 26.0;
const TOP: f32 = 24.0;

#[derive(Template)]
#[template(path = "access/week.html")]
struct Week<'a> {
    page: &'a Page,
    /// All of it in words, for whoever does not see it.
    words: String,
    rows: Vec<Row>,
    hours: Vec<(f32, String)>,
    width: f32,
    height: f32,
}

struct Row {
    name: String,
    y: f32,
    bars: Vec<Bar>,
}

#[derive(Debug, PartialEq)]
struct Bar {
    x: f32,
    width: f32,
    words: String,
    /// What began on the day before.
    goes_on: bool,
}

/// The picture's HTML. Unusual days that no window names are left out.
pub(crate) fn drawn(page: &Page, windows: &[Window]) -> String {
    let named = windows.iter().fold(Days::NONE, |all, window| all.and(window.days));
    let shown = (0..10_u16).filter(|bit| *bit < 7 || named.bits() & 1 << bit != 0);
    let rows: Vec<_> = shown
        .enumerate()
        .map(|(at, bit)| Row {
            name: page.say(&format!("day-name-{bit}")).into_owned(),
            y: TOP + at as f32 * ROW,
            bars: bars(windows, bit),
        })
        .collect();
    let hours = (0..=8_u16).map(|at| (x(at * 180), clock(at * 180)));
    let week = Week {
        page,
        words: times(page, windows),
        height: TOP + rows.len() as f32 * ROW + 4.0,
        rows,
        hours: hours.collect(),
        width: LEFT + WIDE + 24.0,
    };
    week.render().unwrap_or_default()
}

/// The bars of a kind of day: what begins on it, and what an ordinary day before it leaves over.
fn bars(windows: &[Window], bit: u16) -> Vec<Bar> {
    let begins = |window: &&Window| window.days.bits() & 1 << bit != 0;
    // Before a Monday is a Sunday; what comes before an unusual day nobody can say.
    let before = (bit < 7).then(|| (bit + 6) % 7);
    let bar = |from: u16, until: u16, goes_on| Bar {
        x: x(from),
        width: f32::from(until - from) / f32::from(DAY) * WIDE,
        words: format!("{}–{}", clock(from), clock(until)),
        goes_on,
    };
    let own = windows.iter().filter(begins).map(|it| bar(it.span.from(), it.span.until().min(DAY), false));
    let left_over = windows.iter().filter(|window| {
        window.span.until() > DAY && before.is_some_and(|bit| window.days.bits() & 1 << bit != 0)
    });
    let left_over = left_over.map(|it| bar(0, it.span.until() - DAY, true));
    left_over.chain(own).collect()
}

fn x(minute: u16) -> f32 {
    LEFT + f32::from(minute) / f32::from(DAY) * WIDE
}

#[cfg(test)]
mod tests {
    use domain::schedule::Span;

    use super::*;

    #[test]
    fn a_night_goes_on_into_the_next_day_and_round_the_week() {
        let span = Span::new(22 * 60, 6 * 60).expect("a night");
        let night = |bit: u16| vec![Window { days: Days::from_bits(1 << bit).expect("a day"), span }];
        // Friday's.
        assert_eq!(bars(&night(4), 4).len(), 1);
        assert_eq!(bars(&night(4), 4)[0].words, "22:00–24:00");
        assert_eq!(
            bars(&night(4), 5),
            [Bar { x: LEFT, width: WIDE / 4.0, words: "00:00–06:00".into(), goes_on: true }]
        );
        assert!(bars(&night(4), 6).is_empty());
        // Sunday's goes on into Monday.
        assert!(bars(&night(6), 0)[0].goes_on);
        assert!(bars(&night(6), 7).is_empty(), "nobody knows what is before a holiday");
    }
}
