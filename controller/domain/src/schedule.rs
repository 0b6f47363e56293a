//! Schedules: weekly windows, also overnight; holidays and working weekends; one-day exceptions.
//!
//! A window belongs to the day it begins on: Friday 22:00–06:00 covers Saturday's small hours even when Saturday is
//! a holiday. Windows are civil time: an hour that a clock change repeats is open twice, one it skips never comes.

use alloc::vec::Vec;

use crate::civil::{DAY_MINUTES, Date, Local, Weekday};
use crate::ids::ScheduleId;
use crate::time::{MICROS_PER_MINUTE, Utc, Zone};

/// What kind of day a date is. The calendar names the unusual ones, all others are their weekday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DayKind {
    /// An ordinary day of the week.
    Weekday(Weekday),
    /// A public holiday (法定节假日): only windows that name holidays apply.
    PublicHoliday,
    /// A Saturday or Sunday worked to make up for a holiday (调休上班).
    WorkingWeekend,
    /// A day of the site's own: stocktaking, company day.
    SiteDay,
}

/// A set of day kinds that a window applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Days(u16);

/// The site's unusual days, ascending by date, one entry a date.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Date and what it is instead of its weekday.
    pub days: Vec<(Date, DayKind)>,
}

/// A span of minutes counted from midnight of the day it begins on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First minute, 0..1440.
    from: u16,
    /// First minute no longer in the span, above `from`, at most 1440 above it: 22:00–06:00 is 1320..1800.
    until: u16,
}

/// A span that repeats on certain days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The days it begins on.
    pub days: Days,
    /// When.
    pub span: Span,
}

/// When something applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its identity.
    pub id: ScheduleId,
    /// Open whenever one of them is.
    pub windows: Vec<Window>,
    /// On such a date these spans replace all windows that would begin then; none at all means closed.
    /// Ascending by date, one entry a date.
    pub exceptions: Vec<(Date, Vec<Span>)>,
}

/// An instant with all that schedules ask of it, worked out once per decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Civil time.
    pub local: Local,
    today: Days,
    yesterday: Days,
}

impl Days {
    /// No day.
    pub const NONE: Days = Days(0);
    /// Monday to Friday and working weekends: office days in China.
    pub const WORKDAYS: Days = Days(0b01_0001_1111);
    /// Every day there is.
    pub const EVERY: Days = Days(0b11_1111_1111);

    /// Just this kind of day.
    #[must_use]
    pub const fn only(kind: DayKind) -> Days {
        Days(match kind {
            DayKind::Weekday(day) => 1 << day as u16,
            DayKind::PublicHoliday => 1 << 7,
            DayKind::WorkingWeekend => 1 << 8,
            DayKind::SiteDay => 1 << 9,
        })
    }

    /// From the stored bits: 0–6 Monday to Sunday, 7 public holiday, 8 working weekend, 9 site day; `None` when others are set.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Option<Days> {
        if bits & !Days::EVERY.0 == 0 { Some(Days(bits)) } else { None }
    }

    /// The bits, as [`Days::from_bits`] takes them.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Days) -> Days {
        Days(self.0 | other.0)
    }

    /// Whether they share a day.
    #[must_use]
    pub const fn meets(self, other: Days) -> bool {
        self.0 & other.0 != 0
    }
}

impl Calendar {
    /// What kind of day a date is.
    #[must_use]
    pub fn kind_of(&self, date: Date) -> DayKind {
        match self.days.binary_search_by_key(&date, |(day, _)| *day) {
            Ok(found) => self.days[found].1,
            Err(_) => DayKind::Weekday(date.weekday()),
        }
    }

    /// Whether the dates ascend without repeating.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        self.days.is_sorted_by(|a, b| a.0 < b.0)
    }
}

impl Span {
    /// The whole day.
    pub const ALL_DAY: Span = Span { from: 0, until: DAY_MINUTES };

    /// From one minute of the day to another; when `until` is not above `from` it ends on the next day.
    /// `None` when a minute is out of range (`from` 0..1440, `until` 0..=1440).
    #[must_use]
    pub const fn new(from: u16, until: u16) -> Option<Span> {
        if from >= DAY_MINUTES || until > DAY_MINUTES {
            return None;
        }
        Some(Span { from, until: if until > from { until } else { until + DAY_MINUTES } })
    }

    /// First minute, 0..1440.
    #[must_use]
    pub const fn from(self) -> u16 {
        self.from
    }

    /// First minute after it, counted from the midnight before it began: 1..=2879.
    #[must_use]
    pub const fn until(self) -> u16 {
        self.until
    }

    const fn contains(self, minute: u16) -> bool {
        self.from <= minute && minute < self.until
    }
}

impl Moment {
    /// An instant seen from the site.
    #[must_use]
    pub fn new(at: Utc, zone: &Zone, calendar: &Calendar) -> Moment {
        Moment::of_local(zone.local(at), calendar)
    }

    /// A civil time seen from the site.
    #[must_use]
    pub fn of_local(local: Local, calendar: &Calendar) -> Moment {
        let yesterday = local.date.plus_days(-1);
        Moment {
            local,
            today: Days::only(calendar.kind_of(local.date)),
            yesterday: Days::only(calendar.kind_of(yesterday)),
        }
    }
}

impl Schedule {
    /// A schedule that is always open.
    #[must_use]
    pub fn always(id: ScheduleId) -> Schedule {
        let windows = alloc::vec![Window { days: Days::EVERY, span: Span::ALL_DAY }];
        Schedule { id, windows, exceptions: Vec::new() }
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self, moment: &Moment) -> bool {
        let Local { date, minute } = moment.local;
        self.day_contains(date, moment.today, minute)
            || self.day_contains(date.plus_days(-1), moment.yesterday, minute + DAY_MINUTES)
    }

    /// The first instant after `at` when it opens or closes, looking `horizon_days` ahead; `None` when it stays as it is.
    #[must_use]
    pub fn next_change(&self, at: Utc, zone: &Zone, calendar: &Calendar, horizon_days: u16) -> Option<Utc> {
        let open_now = self.is_open(&Moment::new(at, zone, calendar));
        let horizon =
            at.0.saturating_add(i64::from(horizon_days) * i64::from(DAY_MINUTES) * MICROS_PER_MINUTE);
        let mut from = at;
        // Between two changes of offset civil time runs evenly, so each stretch is searched in civil days.
        loop {
            let offset = i64::from(zone.offset_at(from)) * 1_000_000;
            let stretch_end = zone.next_transition(from).map_or(horizon, |next| next.0.min(horizon));
            let mut date = zone.local(from).date;
            while (i64::from(date.0) * i64::from(DAY_MINUTES) * MICROS_PER_MINUTE).saturating_sub(offset)
                < stretch_end
            {
                let change = self.boundaries(date).into_iter().find_map(|minute| {
                    let local = Local { date, minute };
                    let instant = (local.minutes() * MICROS_PER_MINUTE).saturating_sub(offset);
                    let differs = instant > from.0
                        && instant < stretch_end
                        && self.is_open(&Moment::of_local(local, calendar)) != open_now;
                    differs.then_some(Utc(instant))
                });
                if change.is_some() {
                    return change;
                }
                date = date.plus_days(1);
            }
            if stretch_end >= horizon {
                return None;
            }
            from = Utc(stretch_end);
            if self.is_open(&Moment::new(from, zone, calendar)) != open_now {
                return Some(from);
            }
        }
    }

    /// Whether the exceptions ascend without repeating.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        self.exceptions.is_sorted_by(|a, b| a.0 < b.0)
    }

    fn exception(&self, date: Date) -> Option<&[Span]> {
        let found = self.exceptions.binary_search_by_key(&date, |(day, _)| *day).ok()?;
        Some(&self.exceptions[found].1)
    }

    /// Whether a span that begins on `date` covers that minute, counted from its midnight.
    fn day_contains(&self, date: Date, kind: Days, minute: u16) -> bool {
        match self.exception(date) {
            Some(spans) => spans.iter().any(|span| span.contains(minute)),
            None => self.windows.iter().any(|window| window.days.meets(kind) && window.span.contains(minute)),
        }
    }

    /// Minutes of the day at which the schedule may change, ascending. Midnight only where a span begins or ends there.
    fn boundaries(&self, date: Date) -> Vec<u16> {
        let spans = self.windows.iter().map(|window| window.span);
        let special = [date.plus_days(-1), date];
        let special = special.iter().filter_map(|day| self.exception(*day)).flatten().copied();
        let mut minutes: Vec<u16> =
            spans.chain(special).flat_map(|span| [span.from, span.until % DAY_MINUTES]).collect();
        minutes.sort_unstable();
        minutes.dedup();
        minutes
    }
}
