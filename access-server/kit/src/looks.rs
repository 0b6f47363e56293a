//! Who looked at what a moment ago: the same look again is not journaled again.
//!
//! Held in memory: after a start a look is journaled once more than it would have been.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::auth::OperatorId;
use crate::clock::{Micros, micros};

/// A look at the same within so long is the same look.
pub const SAME_LOOK: Duration = Duration::from_secs(5 * 60);
/// Looks remembered; the stalest is forgotten first, and journaled again.
const REMEMBERED: usize = 10_000;

/// The looks of a moment ago: operator and person, and when it was journaled.
#[derive(Debug, Default)]
pub struct Looks(Mutex<HashMap<(OperatorId, u64), Micros>>);

impl Looks {
    /// Notes a look; whether it is to be journaled, being no look of a moment ago. When that fails: [`Self::forget`].
    pub fn is_new(&self, operator: OperatorId, person: u64, now: Micros) -> bool {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let look = (operator, person);
        // One in the future was before the clock was set back.
        let is_of_now = |at: Micros| (0..micros(SAME_LOOK)).contains(&(now - at));
        if looks.get(&look).is_some_and(|at| is_of_now(*at)) {
            return false;
        }
        if looks.len() >= REMEMBERED {
            looks.retain(|_, at| is_of_now(*at));
        }
        if looks.len() >= REMEMBERED
            && let Some(stalest) = looks.iter().min_by_key(|(_, at)| **at).map(|(look, _)| *look)
        {
            looks.remove(&stalest);
        }
        looks.insert(look, now);
        true
    }

    /// The look was not journaled after all.
    pub fn forget(&self, operator: OperatorId, person: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(operator, person));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: OperatorId = OperatorId(1);

    #[test]
    fn the_same_look_within_five_minutes_is_one() {
        let looks = Looks::default();
        let end = micros(SAME_LOOK);
        assert!(looks.is_new(ADA, 7, 0));
        assert!(!looks.is_new(ADA, 7, end - 1));
        assert!(looks.is_new(ADA, 8, 1), "another person");
        assert!(looks.is_new(OperatorId(2), 7, 1), "another operator");
        assert!(looks.is_new(ADA, 7, end), "later again");
        assert!(looks.is_new(ADA, 7, 5), "the clock was set back");
        looks.forget(ADA, 7);
        assert!(looks.is_new(ADA, 7, 6), "it was not journaled");
    }

    #[test]
    fn they_are_bounded() {
        let looks = Looks::default();
        for person in 0..=REMEMBERED as u64 {
            assert!(looks.is_new(ADA, person, i64::try_from(person).expect("small")));
        }
        assert_eq!(looks.0.lock().expect("nobody panics").len(), REMEMBERED);
        assert!(!looks.is_new(ADA, 1, 10_001));
        assert!(looks.is_new(ADA, 0, 10_001), "the stalest was forgotten");
    }
}
