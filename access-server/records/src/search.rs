//! Answering a question.

use std::sync::Arc;

use kit::journal::events_at;
use kit::{Kit, Micros, Problem, StoredEvent};
use sqlx::AnyPool;

use crate::keep::progress;
use crate::question::{Check, Question};
use crate::term::{ALL, Term};
use crate::walk::{Posting, Walk};

/// Alternatives of one condition at most: people whose names have the letters asked for.
pub const MOST_ALTERNATIVES: usize = 5000;
/// Records of one answer at most.
const LARGEST_ANSWER: usize = 1000;
/// Postings looked at for one answer; then it says how far it came.
const FARTHEST: usize = 300_000;
/// A condition has many alternatives from so many on.
const MANY: usize = 64;
/// Asking for one alternative costs more than looking at so many records.
const AHEAD: usize = 4;
/// A condition's postings are counted up to this many, to find the rarest.
const COUNTED: i64 = 20_000;
/// Of a condition with many alternatives so many are counted.
const SAMPLED: usize = 8;

kit::statements! {
    COUNT = "SELECT COUNT(*) FROM (SELECT 1 FROM record_posting WHERE term = $1 AND at >= $2 AND at < $3 LIMIT $4) AS counted";
}

/// A record's place in time: where the next page goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it happened, by the source's clock.
    pub at: Micros,
    /// Its place in the journal, for those of one time.
    pub seq: u64,
}

impl Place {
    /// After everything.
    pub const END: Self = Self { at: i64::MAX, seq: u64::MAX };
}

/// What was found, newest first.
#[derive(Clone, Debug)]
pub struct Found {
    /// The records.
    pub records: Vec<Arc<StoredEvent>>,
    /// Where to go on, when there may be more.
    pub next: Option<Place>,
    /// The answer is short because it had been looked for long enough: nothing else was found back to `next`.
    pub tired: bool,
    /// The last record of the journal that could be found.
    pub up_to: u64,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// It finds too many people, doors or words to look for each.
    #[error("the question means {0} people or doors; at most {MOST_ALTERNATIVES} are looked for at once")]
    Wide(usize),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        let words = error.to_string();
        match error {
            SearchError::Wide(_) => Self::refused("question-wide", words),
            SearchError::Database(error) => error.into(),
        }
    }
}

/// Answers a question with up to `limit` records that happened before a place, newest first.
///
/// # Errors
/// When a condition has too many alternatives, or the database fails.
pub async fn search(
    kit: &Kit,
    question: &Question,
    before: Place,
    limit: usize,
) -> Result<Found, SearchError> {
    let (pool, limit) = (kit.read(), limit.clamp(1, LARGEST_ANSWER));
    let conditions = question.conditions();
    if let Some(wide) = conditions.iter().map(Vec::len).find(|terms| *terms > MOST_ALTERNATIVES) {
        return Err(SearchError::Wide(wide));
    }
    let up_to = progress(kit).await?;
    let from = question.from.unwrap_or(i64::MIN);
    let before = before.min(question.until.map_or(Place::END, |until| Place { at: until, seq: 0 }));
    let terms = rarest(pool, conditions, from, before.at).await?;
    let mut answer = Answer { pool, check: question.check(), from, limit, before, records: Vec::new() };
    let mut end = End::Tired;
    if terms.len() > MANY {
        // Where many are meant the newest records mostly name some of them: asking for each one first costs more.
        end = answer.walk(&[ALL], terms.len() * AHEAD).await?;
    }
    if matches!(end, End::Tired) {
        end = answer.walk(&terms, FARTHEST).await?;
    }
    let next = (!matches!(end, End::Nothing)).then_some(answer.before);
    Ok(Found { records: answer.records, next, tired: matches!(end, End::Tired), up_to })
}

/// An answer as far as it has come.
struct Answer<'a> {
    pool: &'a AnyPool,
    check: Check<'a>,
    from: Micros,
    limit: usize,
    /// Everything from here on was looked at.
    before: Place,
    records: Vec<Arc<StoredEvent>>,
}

/// How a walk ended.
enum End {
    /// With enough records.
    Full,
    /// With nothing more to look at.
    Nothing,
    /// After as many postings as it may look at.
    Tired,
}

impl Answer<'_> {
    /// Adds what is asked for among the records with one of these terms, looking at so many postings at most.
    async fn walk(&mut self, terms: &[Term], most: usize) -> Result<End, sqlx::Error> {
        let mut walk = Walk::begin(self.pool, terms, self.from, self.before).await?;
        let (mut candidates, mut looked_at) = (Vec::new(), 0);
        loop {
            let posting = walk.next().await?;
            looked_at += 1;
            self.before = posting.map_or(self.before, |posting| posting.place);
            candidates.extend(posting.filter(|posting| self.check.may_meet(posting)));
            let is_enough = self.records.len() + candidates.len() >= self.limit;
            if !is_enough && posting.is_some() && looked_at < most {
                continue;
            }
            let found = fetch(self.pool, &candidates).await?;
            candidates.clear();
            self.records.extend(found.into_iter().filter(|record| self.check.meets(record)));
            if posting.is_none() {
                return Ok(End::Nothing);
            }
            if self.records.len() >= self.limit {
                return Ok(End::Full);
            }
            if looked_at >= most {
                return Ok(End::Tired);
            }
        }
    }
}

/// The condition with the fewest postings in that time.
async fn rarest(
    pool: &AnyPool,
    conditions: Vec<Vec<Term>>,
    from: Micros,
    until: Micros,
) -> Result<Vec<Term>, sqlx::Error> {
    if conditions.len() == 1 {
        return Ok(conditions.into_iter().next().unwrap_or_default());
    }
    let mut rarest = (i64::MAX, Vec::new());
    for terms in conditions {
        let sampled = terms.iter().step_by((terms.len() / SAMPLED).max(1)).take(SAMPLED);
        let mut count = 0;
        let mut samples = 0;
        for term in sampled {
            let query = sqlx::query_as(COUNT).bind(term.0).bind(from).bind(until).bind(COUNTED);
            let (some,): (i64,) = query.fetch_one(pool).await?;
            count += some;
            samples += 1;
        }
        let estimate = count * i64::try_from(terms.len()).unwrap_or(i64::MAX) / samples.max(1);
        if estimate < rarest.0 {
            rarest = (estimate, terms);
        }
    }
    Ok(rarest.1)
}

async fn fetch(pool: &AnyPool, postings: &[Posting]) -> Result<Vec<Arc<StoredEvent>>, sqlx::Error> {
    let places: Vec<u64> = postings.iter().map(|posting| posting.place.seq).collect();
    events_at(pool, &places).await
}
