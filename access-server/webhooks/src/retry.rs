//! What becomes of a record that was not taken. Pure.

use std::fmt;
use std::time::Duration;

/// The first pause; each is four times the one before.
const FIRST: Duration = Duration::from_millis(500);
/// The longest pause.
pub(crate) const LONGEST: Duration = Duration::from_secs(15 * 60);
/// The longest that a receiver may ask to be left alone.
const ASKED_MOST: Duration = Duration::from_secs(60 * 60);
/// A receiver that takes nothing for so long is told nothing more until an administrator says so.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// After so many tries a record that the receiver cannot read is passed over: an hour and a half.
const UNREADABLE_TRIES: u32 = 12;
/// Nothing was taken for so long: the console says so.
pub(crate) const WORTH_SAYING: Duration = Duration::from_secs(5 * 60);

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer's status, and how long the receiver asks to be left alone.
    Answered(u16, Option<Duration>),
    /// There was none.
    Unanswered(Why),
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The name stands for no machine.
    Name,
    /// It stands for a machine that no webhook may reach.
    Forbidden,
    /// Nobody listens there.
    Connect,
    /// Its certificate is not good for the name.
    Certificate,
    /// It did not answer in time.
    Time,
    /// The connection broke, or what came was no answer.
    Broken,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Next {
    /// It was taken.
    Told,
    /// It is tried again after this.
    Again(Duration),
    /// The receiver does not understand this record: the next one is told.
    PassOver,
    /// Nothing more is told.
    GiveUp,
}

/// What is done after a try. `tries` counts those in vain, this one among them; `failing_for` is how long nothing was
/// taken; `chance`, from 0 to 1, keeps receivers that failed together from being tried together.
pub(crate) fn next(outcome: Outcome, tries: u32, failing_for: Duration, chance: f64) -> Next {
    let asked = match outcome {
        Outcome::Answered(200..=299, _) => return Next::Told,
        // "The endpoint is no longer active": said once, it holds.
        Outcome::Answered(410, _) => return Next::GiveUp,
        Outcome::Answered(400 | 413 | 415 | 422, _) if tries >= UNREADABLE_TRIES => return Next::PassOver,
        Outcome::Answered(_, asked) => asked,
        Outcome::Unanswered(_) => None,
    };
    if failing_for >= GIVE_UP {
        return Next::GiveUp;
    }
    let pause = FIRST.saturating_mul(4_u32.saturating_pow(tries.saturating_sub(1).min(16))).min(LONGEST);
    let pause = pause.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0));
    Next::Again(asked.map_or(pause, |asked| pause.max(asked.min(ASKED_MOST))))
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(status, _) => write!(f, "{status}"),
            Self::Unanswered(why) => f.write_str(match why {
                Why::Name => "name",
                Why::Forbidden => "forbidden",
                Why::Connect => "connect",
                Why::Certificate => "certificate",
                Why::Time => "time",
                Why::Broken => "broken",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AWAY: Outcome = Outcome::Unanswered(Why::Connect);

    fn pause(outcome: Outcome, tries: u32) -> Duration {
        let next = next(outcome, tries, Duration::ZERO, 0.5);
        let Next::Again(pause) = next else { panic!("{next:?}") };
        pause
    }

    #[test]
    fn pauses_grow_to_a_quarter_of_an_hour() {
        let pauses: Vec<_> = (1..=8).map(|tries| pause(AWAY, tries).as_millis()).collect();
        assert_eq!(pauses, [500, 2_000, 8_000, 32_000, 128_000, 512_000, 900_000, 900_000]);
    }

    #[test]
    fn only_two_hundreds_are_taken() {
        for status in 100..600 {
            let taken = next(Outcome::Answered(status, None), 1, Duration::ZERO, 0.5) == Next::Told;
            assert_eq!(taken, (200..300).contains(&status), "{status}");
        }
    }

    #[test]
    fn a_receiver_that_is_gone_is_left_alone_and_one_that_asks_for_it_for_an_hour_at_most() {
        assert_eq!(next(Outcome::Answered(410, None), 1, Duration::ZERO, 0.5), Next::GiveUp);
        assert_eq!(next(AWAY, 400, GIVE_UP, 0.5), Next::GiveUp);
        let asks = |seconds| Outcome::Answered(429, Some(Duration::from_secs(seconds)));
        assert_eq!(pause(asks(60), 1), Duration::from_secs(60));
        assert_eq!(pause(asks(1_000_000), 1), Duration::from_secs(3600));
        assert_eq!(pause(asks(0), 2), Duration::from_secs(2));
    }

    #[test]
    fn a_record_that_cannot_be_read_is_passed_over_but_not_what_is_refused_for_another_reason() {
        let refused = |status, tries| next(Outcome::Answered(status, None), tries, Duration::ZERO, 0.5);
        assert!(matches!(refused(400, UNREADABLE_TRIES - 1), Next::Again(_)));
        for status in [400, 413, 415, 422] {
            assert_eq!(refused(status, UNREADABLE_TRIES), Next::PassOver);
        }
        for status in [301, 401, 403, 404, 500, 503] {
            assert!(matches!(refused(status, 100), Next::Again(_)), "{status}");
        }
    }

    proptest! {
        #[test]
        fn no_pause_is_longer_than_it_may_be_and_none_is_missing(
            status in 300_u16..600,
            asked in proptest::option::of(0_u64..u64::MAX),
            tries in 1_u32..u32::MAX,
            failing in 0_u64..400_000,
            chance in 0.0_f64..1.0,
        ) {
            let outcome = Outcome::Answered(status, asked.map(Duration::from_secs));
            if let Next::Again(pause) = next(outcome, tries, Duration::from_secs(failing), chance) {
                prop_assert!(pause >= FIRST.mul_f64(0.8));
                prop_assert!(pause <= ASKED_MOST);
                prop_assert!(asked.is_some() || pause <= LONGEST.mul_f64(1.2));
            }
        }
    }
}
