//! Instants in UTC and the site's offset from it. No time zone database: the server computes the transitions.

use alloc::vec::Vec;
use core::time::Duration;

use crate::civil::Local;

/// An instant: microseconds since 1970-01-01 00:00:00 UTC, leap seconds not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utc(pub i64);

/// Microseconds in one second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds in one minute.
pub const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;

impl Utc {
    /// Before every real instant: "valid from always".
    pub const MIN: Utc = Utc(i64::MIN);
    /// After every real instant: "until further notice".
    pub const MAX: Utc = Utc(i64::MAX);

    /// From whole seconds since 1970, saturating.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Utc {
        Utc(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// This much later, saturating at [`Utc::MAX`].
    #[must_use]
    pub fn plus(self, duration: Duration) -> Utc {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Utc(self.0.saturating_add(micros))
    }

    /// How long ago `earlier` was; zero when it lies in the future (a clock was set back).
    #[must_use]
    pub fn since(self, earlier: Utc) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A span of validity: `from` is included, `until` is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First valid instant; [`Utc::MIN`] for "always has been".
    pub from: Utc,
    /// First instant no longer valid; [`Utc::MAX`] for "until further notice".
    pub until: Utc,
}

impl Validity {
    /// No limit on either side.
    pub const ALWAYS: Validity = Validity { from: Utc::MIN, until: Utc::MAX };

    /// Whether `at` lies within.
    #[must_use]
    pub fn holds(&self, at: Utc) -> bool {
        self.from <= at && (at < self.until || self.until == Utc::MAX)
    }
}

/// The site's offset from UTC over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Seconds east of UTC before the first transition; +28 800 in Asia/Shanghai.
    pub base: i32,
    /// From each instant on, that many seconds east of UTC. Ascending.
    pub transitions: Vec<(Utc, i32)>,
}

/// The largest offset a real zone has had, in seconds (±18 h covers all of history).
pub const OFFSET_MAX: i32 = 18 * 3600;

impl Zone {
    /// A zone that never changes its offset: `seconds` east of UTC.
    #[must_use]
    pub const fn fixed(seconds: i32) -> Zone {
        Zone { base: seconds, transitions: Vec::new() }
    }

    /// Seconds east of UTC at an instant.
    #[must_use]
    pub fn offset_at(&self, at: Utc) -> i32 {
        let after = self.transitions.partition_point(|(from, _)| *from <= at);
        after.checked_sub(1).map_or(self.base, |last| self.transitions[last].1)
    }

    /// The civil time at an instant.
    #[must_use]
    pub fn local(&self, at: Utc) -> Local {
        Local::from_micros(at.0.saturating_add(i64::from(self.offset_at(at)) * MICROS_PER_SECOND))
    }

    /// The first change of offset after an instant.
    #[must_use]
    pub fn next_transition(&self, after: Utc) -> Option<Utc> {
        let next = self.transitions.partition_point(|(from, _)| *from <= after);
        self.transitions.get(next).map(|(from, _)| *from)
    }

    /// Whether the transitions ascend and every offset is one a zone can have.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let offsets = core::iter::once(self.base).chain(self.transitions.iter().map(|(_, offset)| *offset));
        self.transitions.is_sorted_by(|a, b| a.0 < b.0)
            && offsets.into_iter().all(|offset| (-OFFSET_MAX..=OFFSET_MAX).contains(&offset))
    }
}
