//! What is to be done for one row, as it is stored until it is: its own form, apart from the types that are worked with.

use std::collections::HashMap;

use domain::ids::{CredentialId, GroupId, PersonId};
use domain::policy::PersonStatus;
use domain::request::{BoardEntry, CredentialDigest};
use people::bulk::{CardAct, Digested, Intended, Who};
use people::person::{Particulars, PersonKind};
use people::word::Word;
use serde::{Deserialize, Serialize};

use crate::plan::Deed;

/// A deed as it is stored.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Stored {
    pub(super) line: u32,
    /// Whom it is about, and as of when they were seen.
    known: Option<(u64, i64)>,
    key: String,
    kind: String,
    name: String,
    latin: String,
    department: String,
    number: String,
    from: i64,
    until: i64,
    is_active: bool,
    clearance: u8,
    groups: Vec<u64>,
    /// Groups that were made with the import, by their keys.
    new_groups: Vec<String>,
    differs: bool,
    regroups: bool,
    card: Card,
}

#[derive(Debug, Deserialize, Serialize)]
enum Card {
    Nothing,
    Give { key: String, digest: [u8; 32], entry: Option<[u8; 8]> },
    Exchange { id: u64, was: [u8; 32], digest: [u8; 32], entry: Option<[u8; 8]> },
}

impl Stored {
    pub(super) fn of(line: u32, deed: &Deed, group_key: &impl Fn(usize) -> String) -> Self {
        let Intended { who, particulars: p, differs, regroups, card } = &deed.intended;
        let known = match who {
            Who::New => None,
            Who::Known { id, seen } => Some((id.0, *seen)),
        };
        let entry = |card: &Digested| card.entry.map(|entry| entry.0);
        let card = match card {
            CardAct::Nothing => Card::Nothing,
            CardAct::Give { key, card } => {
                Card::Give { key: key.clone(), digest: card.digest.0, entry: entry(card) }
            }
            CardAct::Exchange { id, was, card } => {
                Card::Exchange { id: id.0, was: was.0, digest: card.digest.0, entry: entry(card) }
            }
        };
        Self {
            line,
            known,
            key: p.key.clone(),
            kind: p.kind.word().to_owned(),
            name: p.name.clone(),
            latin: p.latin.clone(),
            department: p.department.clone(),
            number: p.number.clone(),
            from: p.validity.from.0,
            until: p.validity.until.0,
            is_active: p.status == PersonStatus::Active,
            clearance: p.clearance,
            groups: p.groups.iter().map(|group| group.0).collect(),
            new_groups: deed.new_groups.iter().map(|at| group_key(*at)).collect(),
            differs: *differs,
            regroups: *regroups,
            card,
        }
    }

    /// As it is written; `made` are the groups by key. One that was removed meanwhile has no members.
    pub(super) fn intended(self, made: &HashMap<String, GroupId>) -> Intended {
        let who = self.known.map_or(Who::New, |(id, seen)| Who::Known { id: PersonId(id), seen });
        let mut groups: Vec<GroupId> = self.groups.into_iter().map(GroupId).collect();
        groups.extend(self.new_groups.iter().filter_map(|key| made.get(key)));
        let digested = |digest, entry: Option<[u8; 8]>| Digested {
            digest: CredentialDigest(digest),
            entry: entry.map(BoardEntry),
        };
        let card = match self.card {
            Card::Nothing => CardAct::Nothing,
            Card::Give { key, digest, entry } => CardAct::Give { key, card: digested(digest, entry) },
            Card::Exchange { id, was, digest, entry } => CardAct::Exchange {
                id: CredentialId(id),
                was: CredentialDigest(was),
                card: digested(digest, entry),
            },
        };
        Intended {
            who,
            particulars: Particulars {
                key: self.key,
                kind: PersonKind::parse(&self.kind).unwrap_or(PersonKind::Employee),
                name: self.name,
                latin: self.latin,
                department: self.department,
                number: self.number,
                validity: domain::time::Validity {
                    from: domain::time::Utc(self.from),
                    until: domain::time::Utc(self.until),
                },
                status: if self.is_active { PersonStatus::Active } else { PersonStatus::Suspended },
                clearance: self.clearance,
                groups,
            },
            differs: self.differs,
            regroups: self.regroups,
            card,
        }
    }
}
