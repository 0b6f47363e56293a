//! The rows, whose they are, and the search.

use std::collections::HashMap;

use crate::codes::{Block, Code, LANES, Query};
use crate::scan::Path;
use crate::template::{DIMENSIONS, Person, Template, cosine};

/// Templates of people, searched exactly.
///
/// Takes 660 bytes a template. Rows keep no order; the answer does not depend on the order they came in.
#[derive(Default)]
pub struct Gallery {
    numbers: Vec<[f32; DIMENSIONS]>,
    owner: Vec<Person>,
    blocks: Vec<Block>,
    rows_of: HashMap<Person, Vec<usize>>,
}

/// A person and how near the nearest of their templates is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// The person.
    pub person: Person,
    /// Cosine similarity, -1 to 1.
    pub cosine: f32,
}

/// The two nearest people. Of two equally near the one with the smaller number comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Found {
    /// The nearest, if the gallery holds anybody.
    pub best: Option<Match>,
    /// The nearest other person, if the gallery holds two people.
    pub second: Option<Match>,
}

impl Gallery {
    /// An empty gallery.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many templates it holds.
    pub fn len(&self) -> usize {
        self.owner.len()
    }

    /// Whether it holds nobody.
    pub fn is_empty(&self) -> bool {
        self.owner.is_empty()
    }

    /// How many people it holds.
    pub fn people(&self) -> usize {
        self.rows_of.len()
    }

    /// Adds one more template of a person.
    pub fn add(&mut self, person: Person, template: &Template) {
        let row = self.owner.len();
        if row.is_multiple_of(LANES) {
            self.blocks.push(Block::empty());
        }
        self.blocks[row / LANES].put(row % LANES, &Code::of(template.numbers()));
        self.numbers.push(*template.numbers());
        self.owner.push(person);
        self.rows_of.entry(person).or_default().push(row);
    }

    /// Puts these templates in place of all the person had; with none, the person is removed.
    pub fn replace(&mut self, person: Person, templates: &[Template]) {
        self.remove(person);
        for template in templates {
            self.add(person, template);
        }
    }

    /// Removes a person; returns how many templates went. Their numbers are overwritten.
    pub fn remove(&mut self, person: Person) -> usize {
        let mut rows = self.rows_of.remove(&person).unwrap_or_default();
        // From the highest row down, so that no row moved in from the end is one of those still to go.
        rows.sort_unstable();
        for &row in rows.iter().rev() {
            self.remove_row(row);
        }
        rows.len()
    }

    fn remove_row(&mut self, row: usize) {
        let last = self.owner.len() - 1;
        if row != last {
            let code = self.blocks[last / LANES].lane(last % LANES);
            self.blocks[row / LANES].put(row % LANES, &code);
            self.numbers[row] = self.numbers[last];
            self.owner[row] = self.owner[last];
            let rows =
                self.rows_of.get_mut(&self.owner[row]).expect("a row that stays has an owner who stays");
            *rows.iter_mut().find(|moved| **moved == last).expect("the owner lists the row") = row;
        }
        self.numbers[last] = [0.0; DIMENSIONS];
        self.numbers.truncate(last);
        self.owner.truncate(last);
        if last.is_multiple_of(LANES) {
            self.blocks.pop();
        } else {
            let nothing = Code { numbers: [0; DIMENSIONS], step: 0.0, rest: 0.0 };
            self.blocks[last / LANES].put(last % LANES, &nothing);
        }
    }

    /// The two people nearest to the query.
    pub fn search(&self, query: &Template) -> Found {
        self.search_on(Path::best(), query)
    }

    /// The same by a chosen path through the processor, for tests and measurements.
    pub fn search_on(&self, path: Path, query: &Template) -> Found {
        let prepared = Query::of(query.numbers());
        let mut found = Found::default();
        let mut block = 0;
        while let Some((at, lanes)) = path.next(&prepared, &self.blocks, block, found.floor()) {
            for lane in (0..LANES).filter(|lane| lanes & (1 << lane) != 0) {
                let row = at * LANES + lane;
                // The last block may have empty places.
                let Some(numbers) = self.numbers.get(row) else { break };
                found.offer(Match { person: self.owner[row], cosine: cosine(query.numbers(), numbers) });
            }
            block = at + 1;
        }
        found
    }
}

impl Found {
    /// Best score minus the second person's; the score itself when there is no second. `None` for an empty gallery.
    pub fn margin(&self) -> Option<f32> {
        self.best.map(|best| best.cosine - self.second.map_or(0.0, |second| second.cosine))
    }

    /// What a row must reach to change the answer.
    fn floor(&self) -> f32 {
        self.second.map_or(f32::NEG_INFINITY, |second| second.cosine)
    }

    fn offer(&mut self, new: Match) {
        match (&mut self.best, &mut self.second) {
            (Some(best), _) if best.person == new.person => best.cosine = best.cosine.max(new.cosine),
            (Some(best), second) if new.nearer_than(best) => {
                *second = Some(*best);
                *best = new;
            }
            (Some(_), Some(second)) if second.person == new.person => {
                second.cosine = second.cosine.max(new.cosine);
            }
            (Some(_), Some(second)) if new.nearer_than(second) => *second = new,
            (Some(_), Some(_)) => {}
            (Some(_), second @ None) => *second = Some(new),
            (best @ None, _) => *best = Some(new),
        }
    }
}

impl Match {
    fn nearer_than(&self, other: &Self) -> bool {
        self.cosine > other.cosine || (self.cosine == other.cosine && self.person < other.person)
    }
}
