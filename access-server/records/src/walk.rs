//! Walking postings backwards in time: those of one term, or of any of several, each record once.

use std::collections::{BinaryHeap, VecDeque};

use kit::Micros;
use sqlx::AnyPool;

use crate::search::Place;
use crate::term::Term;

/// Postings fetched at once for a term alone, at first; twice as many each further time.
const FIRST_PAGE: i64 = 128;
const LARGEST_PAGE: i64 = 4096;

kit::statements! {
    BACKWARDS = "SELECT at, seq, person, door, marks FROM record_posting WHERE term = $1 AND at >= $2 AND (at < $3 OR (at = $3 AND seq < $4)) ORDER BY at DESC, seq DESC LIMIT $5";
}

/// One record under one of its terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Posting {
    pub(crate) place: Place,
    /// 0 for none, [`SEVERAL`](crate::keep::SEVERAL) for more than one.
    pub(crate) person: u64,
    /// 0 for none.
    pub(crate) door: u64,
    pub(crate) marks: i64,
}

/// A walk over the records that have one of some terms, newest first.
pub(crate) struct Walk<'a> {
    pool: &'a AnyPool,
    from: Micros,
    runs: Vec<Run>,
    /// The next posting of each run that has one.
    heads: BinaryHeap<(Posting, usize)>,
    last: Option<Place>,
}

/// The postings of one term, as far as they have been fetched.
struct Run {
    term: Term,
    fetched: VecDeque<Posting>,
    page: i64,
    /// Behind what was fetched; `None` when there is nothing more.
    rest: Option<Place>,
}

impl<'a> Walk<'a> {
    /// Begins before a place, and ends at a time.
    pub(crate) async fn begin(
        pool: &'a AnyPool,
        terms: &[Term],
        from: Micros,
        before: Place,
    ) -> Result<Self, sqlx::Error> {
        let page = if terms.len() == 1 { FIRST_PAGE } else { 1 };
        let runs = terms
            .iter()
            .map(|term| Run { term: *term, fetched: VecDeque::new(), page, rest: Some(before) })
            .collect();
        let mut walk = Self { pool, from, runs, heads: BinaryHeap::new(), last: None };
        for run in 0..walk.runs.len() {
            walk.draw(run).await?;
        }
        Ok(walk)
    }

    /// The next record.
    pub(crate) async fn next(&mut self) -> Result<Option<Posting>, sqlx::Error> {
        while let Some((posting, run)) = self.heads.pop() {
            self.draw(run).await?;
            // A record may have several of the terms.
            if self.last.replace(posting.place) != Some(posting.place) {
                return Ok(Some(posting));
            }
        }
        Ok(None)
    }

    /// Puts a run's next posting among the heads.
    async fn draw(&mut self, number: usize) -> Result<(), sqlx::Error> {
        let run = &mut self.runs[number];
        if run.fetched.is_empty()
            && let Some(before) = run.rest
        {
            run.fetched = fetch(self.pool, run.term, self.from, before, run.page).await?.into();
            run.rest =
                run.fetched.back().map(|last| last.place).filter(|_| run.fetched.len() as i64 == run.page);
            run.page = (run.page * if run.page < FIRST_PAGE { 8 } else { 2 }).min(LARGEST_PAGE);
        }
        if let Some(posting) = run.fetched.pop_front() {
            self.heads.push((posting, number));
        }
        Ok(())
    }
}

/// Postings of a term before a place, newest first.
pub(crate) async fn fetch(
    pool: &AnyPool,
    term: Term,
    from: Micros,
    before: Place,
    limit: i64,
) -> Result<Vec<Posting>, sqlx::Error> {
    let rows: Vec<(i64, i64, i64, i64, i64)> = sqlx::query_as(BACKWARDS)
        .bind(term.0)
        .bind(from)
        .bind(before.at)
        .bind(i64::try_from(before.seq).unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(pool)
        .await?;
    let posting = |(at, seq, person, door, marks): (i64, i64, i64, i64, i64)| Posting {
        place: Place { at, seq: seq.cast_unsigned() },
        person: person.cast_unsigned(),
        door: door.cast_unsigned(),
        marks,
    };
    Ok(rows.into_iter().map(posting).collect())
}
