//! Who looked at whose personal data: journaled, so that a person can be told.
//!
//! A look is written down once in [`SAME_LOOK`] for an operator, a person and a kind of page. The photographs beside
//! the events of the live page are one kind by themselves, without a person: whoever watches sees everybody who passes,
//! and the journal says who passed.
//!
//! No page waits for it. Looks are written behind its back, as many as wait in one transaction; what cannot be written is
//! kept and tried again, and that it could not is told as a [trouble](Trouble::LooksUnwritten). Beyond [`WAITING`] they
//! are only counted, and the count is journaled. What waits is in memory: a process that is killed takes it along.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;

use crate::auth::OperatorId;
use crate::clock::{Micros, micros};
use crate::problem::chain;
use crate::state::Kit;
use crate::trouble::Trouble;

/// A look at the same within so long is the same look.
pub const SAME_LOOK: Duration = Duration::from_secs(10 * 60);
/// Looks remembered; the stalest is forgotten first, and journaled again.
const REMEMBERED: usize = 10_000;
/// Looks that wait to be written down at most.
const WAITING: usize = 10_000;
/// Written in one transaction at most.
const BATCH: usize = 64;
/// Between tries.
const RETRY: Duration = Duration::from_secs(5);

/// What was looked at. The words are journaled: they are never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// Their particulars, credentials, consents.
    Profile,
    /// Their photograph, by itself.
    Photograph,
    /// Where they were, when.
    History,
    /// Everybody's particulars, in pages.
    List,
    /// Photographs beside the events of the live page.
    Live,
    /// Everybody who comes in, with their departments, on a wall of photographs.
    Wall,
}

impl What {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Photograph => "photograph",
            Self::History => "history",
            Self::List => "list",
            Self::Live => "live",
            Self::Wall => "wall",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Look {
    by: OperatorId,
    /// Nobody in particular, for what shows everybody.
    person: Option<u64>,
    what: What,
}

/// The looks of a moment ago, and those that wait to be written down.
#[derive(Debug, Default)]
pub struct Looks(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    recent: HashMap<Look, Micros>,
    waiting: VecDeque<(Look, Micros)>,
    /// Looks that there was no room for.
    lost: u64,
    /// Whether somebody is writing.
    writing: bool,
}

impl Kit {
    /// Notes that somebody is shown something of a person, or of everybody. Returns at once.
    pub fn saw(&self, by: OperatorId, person: Option<u64>, what: What) {
        if self.looks().note(Look { by, person, what }, self.now()) {
            tokio::spawn(write_down(self.clone()));
        }
    }
}

impl Looks {
    /// Notes a look, unless it is one of a moment ago; whether somebody must begin to write.
    fn note(&self, look: Look, now: Micros) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One in the future was before the clock was set back.
        let is_of_now = |at: Micros| (0..micros(SAME_LOOK)).contains(&(now - at));
        if kept.recent.get(&look).is_some_and(|at| is_of_now(*at)) {
            return false;
        }
        if kept.recent.len() >= REMEMBERED {
            kept.recent.retain(|_, at| is_of_now(*at));
        }
        if kept.recent.len() >= REMEMBERED
            && let Some(stalest) = kept.recent.iter().min_by_key(|(_, at)| **at).map(|(look, _)| *look)
        {
            kept.recent.remove(&stalest);
        }
        kept.recent.insert(look, now);
        if kept.waiting.len() < WAITING {
            kept.waiting.push_back((look, now));
        } else {
            kept.lost += 1;
        }
        !std::mem::replace(&mut kept.writing, true)
    }

    /// What is to be written next, with how many were lost; `None` ends the writing.
    fn next(&self) -> Option<(Vec<(Look, Micros)>, u64)> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let batch: Vec<_> = kept.waiting.iter().take(BATCH).copied().collect();
        kept.writing = !batch.is_empty() || kept.lost > 0;
        kept.writing.then_some((batch, kept.lost))
    }

    fn written(&self, count: usize, lost: u64) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.waiting.drain(..count);
        kept.lost -= lost;
    }
}

async fn write_down(kit: Kit) {
    while let Some((batch, lost)) = kit.looks().next() {
        match write(&kit, &batch, lost).await {
            Ok(()) => {
                kit.looks().written(batch.len(), lost);
                kit.troubles().clear(Trouble::LooksUnwritten);
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "who looked at personal data could not be written down");
                kit.troubles().raise(Trouble::LooksUnwritten, kit.now());
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn write(kit: &Kit, batch: &[(Look, Micros)], lost: u64) -> Result<(), sqlx::Error> {
    let mut tx = kit.begin().await?;
    for (Look { by, person, what }, at) in batch {
        let what = what.as_str();
        match person {
            Some(person) => {
                let body = json!({ "person": person, "operator": by.0, "looked_at": what, "at": at });
                tx.record("person.viewed", &body).await?;
            }
            None => {
                let body = json!({ "operator": by.0, "looked_at": what, "at": at });
                tx.record("people.viewed", &body).await?;
            }
        }
    }
    if lost > 0 {
        tx.record("people.views-lost", &json!({ "count": lost })).await?;
    }
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: OperatorId = OperatorId(1);

    fn look(person: u64) -> Look {
        Look { by: ADA, person: Some(person), what: What::Profile }
    }

    fn waiting(looks: &Looks) -> usize {
        looks.0.lock().expect("nobody panics").waiting.len()
    }

    #[test]
    fn the_same_look_within_ten_minutes_is_one() {
        let looks = Looks::default();
        let end = micros(SAME_LOOK);
        assert!(looks.note(look(7), 0), "somebody must begin to write");
        for (it, at) in [
            (look(7), end - 1),
            (look(8), 1),
            (Look { by: OperatorId(2), ..look(7) }, 1),
            (Look { what: What::History, ..look(7) }, 1),
            (look(7), end),
            (look(7), 5),
        ] {
            assert!(!looks.note(it, at), "somebody writes already");
        }
        assert_eq!(waiting(&looks), 6, "all but the second");
        while let Some((batch, lost)) = looks.next() {
            looks.written(batch.len(), lost);
        }
        assert!(looks.note(look(9), end), "the next one begins anew");
    }

    #[test]
    fn they_are_bounded_and_what_there_is_no_room_for_is_counted() {
        let looks = Looks::default();
        for person in 0..WAITING as u64 + 3 {
            looks.note(look(person), i64::try_from(person).expect("small"));
        }
        assert_eq!((waiting(&looks), looks.next().expect("much to write").1), (WAITING, 3));
        assert_eq!(looks.0.lock().expect("nobody panics").recent.len(), REMEMBERED);
    }
}
