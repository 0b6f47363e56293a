//! What is asked for. Pure.

use std::collections::HashSet;

use kit::{Micros, StoredEvent};

use crate::keep::SEVERAL;
use crate::term::{self, Term, Traits};
use crate::walk::Posting;

/// Records that meet every condition. One with nothing in it asks for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// That name one of these people; nobody in it finds nothing.
    pub people: Option<Vec<u64>>,
    /// That name one of these doors or lanes.
    pub doors: Option<Vec<u64>>,
    /// That each of these lists has a word of; see [`Traits::words`].
    pub words: Vec<Vec<String>>,
    /// That happened at this time or later, by the source's clock.
    pub from: Option<Micros>,
    /// That happened before this time.
    pub until: Option<Micros>,
}

/// The question as postings and records are checked against it.
pub(crate) struct Check<'a> {
    question: &'a Question,
    people: Option<HashSet<u64>>,
    doors: Option<HashSet<u64>>,
    /// For each list of words the bits that one of them sets.
    marks: Vec<Vec<i64>>,
}

impl Question {
    /// The terms of each condition: a record has one of each list.
    pub(crate) fn conditions(&self) -> Vec<Vec<Term>> {
        let people = self.people.iter().map(|ids| ids.iter().map(|id| Term::person(*id)).collect());
        let doors = self.doors.iter().map(|ids| ids.iter().map(|id| Term::door(*id)).collect());
        let words = self.words.iter().map(|words| words.iter().map(|word| Term::word(word)).collect());
        let mut conditions: Vec<Vec<Term>> = people.chain(doors).chain(words).collect();
        for terms in &mut conditions {
            terms.sort();
            terms.dedup();
        }
        if conditions.is_empty() { vec![vec![term::ALL]] } else { conditions }
    }

    pub(crate) fn check(&self) -> Check<'_> {
        Check {
            question: self,
            people: self.people.as_ref().map(|ids| ids.iter().copied().collect()),
            doors: self.doors.as_ref().map(|ids| ids.iter().copied().collect()),
            marks: self
                .words
                .iter()
                .map(|words| words.iter().map(|word| term::mark(word)).collect())
                .collect(),
        }
    }
}

impl Check<'_> {
    /// Whether the record behind a posting may be asked for.
    pub(crate) fn may_meet(&self, posting: &Posting) -> bool {
        self.people.as_ref().is_none_or(|ids| posting.person == SEVERAL || ids.contains(&posting.person))
            && self.doors.as_ref().is_none_or(|ids| ids.contains(&posting.door))
            && self.marks.iter().all(|any| any.iter().any(|mark| posting.marks & mark != 0))
    }

    /// Whether a record is asked for.
    pub(crate) fn meets(&self, record: &StoredEvent) -> bool {
        let Question { words, from, until, .. } = self.question;
        let traits = Traits::of(record);
        let has = |ids: &Option<HashSet<u64>>, id: Option<u64>| {
            ids.as_ref().is_none_or(|ids| id.is_some_and(|id| ids.contains(&id)))
        };
        let is_named = |ids: &HashSet<u64>| {
            traits.person.iter().chain(&traits.persons).any(|person| ids.contains(person))
        };
        self.people.as_ref().is_none_or(is_named)
            && has(&self.doors, traits.door)
            && words.iter().all(|any| any.iter().any(|word| traits.words.contains(word)))
            && from.is_none_or(|from| record.at >= from)
            && until.is_none_or(|until| record.at < until)
    }
}
