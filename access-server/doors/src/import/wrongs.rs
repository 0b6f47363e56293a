//! What is wrong with a file, as far as it is listed.

use super::Wrong;

/// Faults listed at most. Who has made more has made one mistake many times.
const LISTED: usize = 200;

/// Everything found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Wrongs(Vec<Wrong>);

impl Wrongs {
    /// Notes a fault; none beyond those that are listed.
    pub(super) fn add(&mut self, line: usize, what: &str, code: &'static str, why: String) {
        if !self.is_full() {
            self.0.push(Wrong { line, what: what.to_owned(), code, why });
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether looking for more is of no use.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= LISTED
    }

    /// Whether something of this thing was told already.
    pub(super) fn is_told(&self, what: &str) -> bool {
        self.0.iter().any(|wrong| wrong.what == what)
    }

    /// By line; where it is full, the last says so.
    pub(super) fn listed(self) -> Vec<Wrong> {
        let Self(mut wrong) = self;
        wrong.sort_by_key(|wrong| wrong.line);
        if wrong.len() >= LISTED {
            let line = wrong.last().map_or(1, |wrong| wrong.line);
            let why = format!("these {LISTED} are listed and no more was looked for");
            wrong.push(Wrong { line, what: String::new(), code: "more", why });
        }
        wrong
    }
}
