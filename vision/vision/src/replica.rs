//! The local copy of the gallery: searched in memory, encrypted at rest, changed whole or not at all.

mod rest;

use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};

use gallery::{Found, Gallery, Person, Template};
pub use rest::{RestError, Vault};
use thiserror::Error;
use uplink::sync::gallery::{TEMPLATE, TemplateRow};
use uplink::sync::{Change, Chunk, Digest, Have, Set};

/// Templates at most; more would be a fault of the sender.
pub const MOST_TEMPLATES: usize = 500_000;
/// Parts of one change at most.
const MOST_PARTS: u32 = 65_536;

/// The copy. Searches go on while a change is prepared.
pub struct Replica {
    held: RwLock<Held>,
    searched: RwLock<Gallery>,
}

/// What is held, row by row.
#[derive(Clone, Default)]
pub struct Held {
    version: Option<u64>,
    digest: Digest,
    rows: BTreeMap<u64, Row>,
}

/// One template and the digest of the text it came in.
#[derive(Clone)]
struct Row {
    person: u64,
    template: Template,
    print: [u8; 32],
}

/// Parts of a change that came so far.
#[derive(Default)]
pub struct Gathering {
    of: Option<(Option<u64>, u64, u32, Digest)>,
    parts: BTreeMap<u32, Vec<Change>>,
}

/// Why a part or a change was refused. Nothing was changed then.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Refused {
    /// It is no part of a gallery.
    #[error("a chunk of another set")]
    OtherSet,
    /// Its numbers make no sense.
    #[error("part {part} of {parts}")]
    Part {
        /// Which part.
        part: u32,
        /// Of how many.
        parts: u32,
    },
    /// It starts from a version that is not the one held.
    #[error("the change starts from version {from:?}, held is {held:?}")]
    OtherVersion {
        /// Where it starts.
        from: Option<u64>,
        /// What is held.
        held: Option<u64>,
    },
    /// A row is malformed.
    #[error("row {0} is no template")]
    Row(u64),
    /// More rows than anybody has.
    #[error("more than {MOST_TEMPLATES} templates")]
    TooMany,
    /// What came out is not what the sender has.
    #[error("the digest after the change is not the sender's")]
    Digest,
}

impl Replica {
    /// A replica that holds this.
    pub fn new(held: Held) -> Self {
        let mut gallery = Gallery::new();
        for row in held.rows.values() {
            gallery.add(Person(row.person), &row.template);
        }
        Self { held: RwLock::new(held), searched: RwLock::new(gallery) }
    }

    /// The two people nearest to a template.
    pub fn search(&self, template: &Template) -> Found {
        self.searched.read().unwrap_or_else(PoisonError::into_inner).search(template)
    }

    /// The version held.
    pub fn version(&self) -> Option<u64> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).version
    }

    /// How many templates are held.
    pub fn len(&self) -> usize {
        self.held.read().unwrap_or_else(PoisonError::into_inner).rows.len()
    }

    /// Whether nobody is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is held, for the server.
    pub fn have(&self) -> Have {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        Have { set: Set::Gallery, version: held.version, digest: held.digest }
    }

    /// What is held, for writing it down.
    pub fn held(&self) -> Held {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a whole change: all parts, in order. Only one caller changes the replica.
    fn apply(&self, from: Option<u64>, to: u64, digest: Digest, changes: Vec<Change>) -> Result<(), Refused> {
        let mut new = match from {
            Some(_) => self.held(),
            None => Held::default(),
        };
        if from.is_some() && new.version != from {
            return Err(Refused::OtherVersion { from, held: new.version });
        }
        let mut people: HashMap<u64, ()> = HashMap::new();
        for change in changes {
            let gone = match change {
                Change::Put { table, id, row } if table == TEMPLATE => {
                    let (row, print) = read(id, row.get())?;
                    people.insert(row.person, ());
                    xor(&mut new.digest, &print);
                    new.rows.insert(id, Row { print, ..row })
                }
                Change::Remove { table, id } if table == TEMPLATE => new.rows.remove(&id),
                // Tables of a later version of the server: their rows count in its digest, so this ends in a refusal
                // there and never in half a gallery here.
                Change::Put { .. } | Change::Remove { .. } => None,
            };
            if let Some(gone) = gone {
                people.insert(gone.person, ());
                xor(&mut new.digest, &gone.print);
            }
        }
        if new.rows.len() > MOST_TEMPLATES {
            return Err(Refused::TooMany);
        }
        if new.digest != digest {
            return Err(Refused::Digest);
        }
        new.version = Some(to);
        match from {
            None => {
                let Self { searched, .. } = Self::new(new.clone());
                let fresh = searched.into_inner().unwrap_or_else(PoisonError::into_inner);
                *self.searched.write().unwrap_or_else(PoisonError::into_inner) = fresh;
            }
            Some(_) => {
                let mut templates: HashMap<u64, Vec<Template>> = HashMap::new();
                for row in new.rows.values().filter(|row| people.contains_key(&row.person)) {
                    templates.entry(row.person).or_default().push(row.template.clone());
                }
                let mut searched = self.searched.write().unwrap_or_else(PoisonError::into_inner);
                for person in people.into_keys() {
                    let templates = templates.remove(&person).unwrap_or_default();
                    searched.replace(Person(person), &templates);
                }
            }
        }
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }
}

impl Gathering {
    /// Takes one part; applies the change when it was the last one missing. `Ok(true)`: the replica changed.
    ///
    /// # Errors
    /// [`Refused`]; what was gathered of that change is forgotten.
    pub fn take(&mut self, chunk: Chunk, replica: &Replica) -> Result<bool, Refused> {
        if chunk.set != Set::Gallery {
            return Err(Refused::OtherSet);
        }
        if chunk.part >= chunk.parts || chunk.parts > MOST_PARTS {
            return Err(Refused::Part { part: chunk.part, parts: chunk.parts });
        }
        let of = (chunk.from, chunk.to, chunk.parts, chunk.digest);
        if self.of != Some(of) {
            // A newer change takes the place of one that did not come whole.
            self.parts.clear();
            self.of = Some(of);
        }
        self.parts.insert(chunk.part, chunk.changes);
        if self.parts.len() < chunk.parts as usize {
            return Ok(false);
        }
        self.of = None;
        let changes = std::mem::take(&mut self.parts).into_values().flatten().collect();
        replica.apply(chunk.from, chunk.to, chunk.digest, changes).map(|()| true)
    }
}

fn read(id: u64, text: &str) -> Result<(Row, [u8; 32]), Refused> {
    let row: TemplateRow = serde_json::from_str(text).map_err(|_| Refused::Row(id))?;
    let template = Template::new(&row.values).map_err(|_| Refused::Row(id))?;
    let mut print = Digest::default();
    print.toggle(TEMPLATE, id, text);
    let print = *print.as_bytes();
    Ok((Row { person: row.person, template, print }, print))
}

fn xor(digest: &mut Digest, print: &[u8; 32]) {
    let mut bytes = *digest.as_bytes();
    for (byte, other) in bytes.iter_mut().zip(print) {
        *byte ^= other;
    }
    *digest = Digest::from_bytes(bytes);
}
