//! Debounce: a level counts once it has stood for its time. Levels come with the time they began, so that a pulse whose two edges are
//! handed over late still counts if it was long enough: nothing of 400 ms is missed while no debounce time exceeds 200 ms.

use endpoints::Sense;

/// The longest debounce time, µs.
pub(crate) const MAX_DEBOUNCE_US: u64 = 200_000;

/// One input line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct DebouncedLine {
    debounce_us: u64,
    /// What counts; none until the line was first heard.
    stable: Option<Sense>,
    /// What the line says now, and since when.
    raw: Raw,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Raw {
    /// As what counts.
    Settled,
    /// Different, since.
    Moved { to: Sense, since: u64 },
}

impl DebouncedLine {
    pub(crate) const fn new(debounce_us: u64) -> DebouncedLine {
        let debounce_us = if debounce_us > MAX_DEBOUNCE_US { MAX_DEBOUNCE_US } else { debounce_us };
        DebouncedLine { debounce_us, stable: None, raw: Raw::Settled }
    }

    /// What counts now; at rest before the line was heard.
    pub(crate) fn sense(&self) -> Sense {
        self.stable.unwrap_or_default()
    }

    /// The line says `sense` from `now` on. What had stood long enough until then is returned: it counts.
    pub(crate) fn level(&mut self, now: u64, sense: Sense) -> Option<Sense> {
        let settled = self.settle(now);
        self.raw = match (self.stable, self.raw) {
            (Some(stable), _) if stable == sense => Raw::Settled,
            (_, Raw::Moved { to, since }) if to == sense => Raw::Moved { to, since },
            (Some(_) | None, Raw::Moved { .. } | Raw::Settled) => Raw::Moved { to: sense, since: now },
        };
        settled
    }

    /// What has stood long enough at `now`, once.
    pub(crate) fn settle(&mut self, now: u64) -> Option<Sense> {
        match self.raw {
            Raw::Moved { to, since } if now >= since + self.debounce_us => {
                self.stable = Some(to);
                self.raw = Raw::Settled;
                Some(to)
            }
            Raw::Moved { .. } | Raw::Settled => None,
        }
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        match self.raw {
            Raw::Settled => None,
            Raw::Moved { since, .. } => Some(since + self.debounce_us),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glitch_is_ignored_and_400_ms_never() {
        for debounce in [0, 5_000, 20_000, 200_000, 900_000] {
            let mut line = DebouncedLine::new(debounce);
            line.level(0, Sense::Rest);
            assert_eq!(line.settle(MAX_DEBOUNCE_US), Some(Sense::Rest));
            // Both edges handed over late, without a tick in between.
            assert_eq!(line.level(1_000_000, Sense::Active), None);
            assert_eq!(line.level(1_400_000, Sense::Rest), Some(Sense::Active), "{debounce}");
            assert_eq!(line.settle(2_000_000), Some(Sense::Rest));
        }
        let mut line = DebouncedLine::new(20_000);
        line.level(0, Sense::Rest);
        line.settle(20_000);
        line.level(100_000, Sense::Active);
        assert_eq!(line.level(119_999, Sense::Rest), None);
        assert_eq!((line.settle(1_000_000), line.deadline()), (None, None));
    }

    #[test]
    fn a_bouncing_contact_counts_from_its_last_bounce() {
        let mut line = DebouncedLine::new(20_000);
        line.level(0, Sense::Rest);
        line.settle(20_000);
        for bounce in 0..10 {
            let at = 100_000 + bounce * 1_000;
            let sense = if bounce % 2 == 0 { Sense::Active } else { Sense::Rest };
            assert_eq!(line.level(at, sense), None);
        }
        assert_eq!(line.level(110_000, Sense::Active), None);
        assert_eq!(line.deadline(), Some(130_000));
        assert_eq!(line.settle(130_000), Some(Sense::Active));
    }
}
