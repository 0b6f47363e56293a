//! Many people at once: who is known, and many rows in one statement.
//!
//! [`Known`] is what an import is compared with, read in a few statements; [`write`] puts a batch of what came of it in
//! place, inside the caller's transaction. What a batch was compared with may have changed meanwhile: such a person is
//! left as they are and named, the others are written.

mod insert;

use std::collections::{HashMap, HashSet};

use domain::ids::{CredentialId, GroupId, PersonId};
use domain::policy::{CredentialStatus, CredentialUse};
use domain::request::{BoardEntry, CredentialDigest, CredentialKind};
use kit::db::Fault;
use kit::{Kit, Tx};
use sqlx::{AnyConnection, Executor, Row};

use crate::error::PeopleError;
use crate::person::{self, Particulars, Person, open_from, open_until, row_id};
use crate::sought::{sort, sought};
use crate::word::Word;

/// People of one batch at most: what waits for the writer waits for one batch.
pub const BATCH_MAX: usize = 1000;

kit::statements! {
    PERSONS = "SELECT id, key, kind, name, latin, department, number, valid_from, valid_until, status, clearance, changed_at FROM person ORDER BY id";
    MEMBERS = "SELECT person, person_group FROM person_group_member ORDER BY person, person_group";
    CARDS = "SELECT id, person, key, digest, status FROM credential WHERE kind = 'card' AND use_as = 'ordinary' ORDER BY id";
    CHANGE = "UPDATE person SET kind = $2, name = $3, latin = $4, department = $5, number = $6, valid_from = $7, valid_until = $8, status = $9, clearance = $10, sort = $11, sought = $12, changed_at = CASE WHEN changed_at < $13 THEN $13 ELSE changed_at + 1 END WHERE id = $1 AND changed_at = $14";
    STANDS = "SELECT id FROM person WHERE id = $1 AND changed_at = $2";
    LEAVE = "DELETE FROM person_group_member WHERE person = $1";
    EXCHANGE = "UPDATE credential SET digest = $2, board_entry = $3, changed_at = $4 WHERE id = $1 AND digest = $5 AND status IN ('active', 'suspended')";
}

/// A card, as far as an import asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCard {
    /// Its identity.
    pub id: CredentialId,
    /// Whose it is.
    pub person: PersonId,
    /// Tells a person's cards apart.
    pub key: String,
    /// What is known about it.
    pub status: CredentialStatus,
}

/// Everybody, and every card, in memory: of 100,000 people some 60 MB.
#[derive(Debug, Default)]
pub struct Known {
    people: Vec<Person>,
    by_key: HashMap<String, usize>,
    by_number: HashMap<String, usize>,
    by_id: HashMap<PersonId, usize>,
    cards: HashMap<CredentialDigest, KnownCard>,
    cards_of: HashMap<PersonId, Vec<(CredentialDigest, String, CredentialId, CredentialStatus)>>,
}

/// Who a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Nobody known.
    New,
    /// Somebody who was seen as of this [`Person::changed_at`].
    Known {
        /// Who.
        id: PersonId,
        /// As of when.
        seen: i64,
    },
}

/// What is done about a person's card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardAct {
    /// They have it just so, or the row says nothing of one.
    Nothing,
    /// They are given one, under this key.
    Give {
        /// Tells their cards apart.
        key: String,
        /// The new card.
        card: Digested,
    },
    /// It takes the place of one they have; the old one opens nothing from then on.
    Exchange {
        /// Which one.
        id: CredentialId,
        /// What it was seen as.
        was: CredentialDigest,
        /// The new card.
        card: Digested,
    },
}

/// A card as it is kept: its number cannot be had back from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digested {
    /// Its keyed digest.
    pub digest: CredentialDigest,
    /// Its entry on boards' lists, where boards can read it.
    pub entry: Option<BoardEntry>,
}

/// What is to be so of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intended {
    /// Who.
    pub who: Who,
    /// All that is to be known about them.
    pub particulars: Particulars,
    /// Whether anything of that differs, groups apart.
    pub differs: bool,
    /// Whether their groups differ.
    pub regroups: bool,
    /// Their card.
    pub card: CardAct,
}

/// What came of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Those who were new, and who they are now: by their place in the batch.
    pub added: Vec<(usize, PersonId)>,
    /// Those who were known and changed.
    pub changed: Vec<PersonId>,
    /// Those left as they are because something changed since it was looked at, by their place in the batch.
    pub overtaken: Vec<usize>,
}

impl Known {
    /// Reads all of it. Hand in a connection that holds a transaction, or parts of two moments may be mixed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(connection: &mut AnyConnection) -> Result<Self, sqlx::Error> {
        let rows = sqlx::query(PERSONS).fetch_all(&mut *connection).await?;
        let members: Vec<(i64, i64)> = sqlx::query_as(MEMBERS).fetch_all(&mut *connection).await?;
        let mut members = members.into_iter().peekable();
        let mut known = Self::default();
        for row in rows {
            let id: i64 = row.try_get(0)?;
            let mut groups = Vec::new();
            // Both lists ascend by person.
            while let Some((_, group)) = members.next_if(|(person, _)| *person <= id) {
                groups.push(GroupId(group.cast_unsigned()));
            }
            known.add(person::read(&row, groups)?);
        }
        let cards: Vec<(i64, i64, String, Vec<u8>, String)> =
            sqlx::query_as(CARDS).fetch_all(connection).await?;
        for (id, person, key, digest, status) in cards {
            let digest =
                digest.try_into().map_err(|_| sqlx::Error::Decode("a digest has 32 bytes".into()))?;
            let (id, person) = (CredentialId(id.cast_unsigned()), PersonId(person.cast_unsigned()));
            let status = CredentialStatus::from_row(&status)?;
            let digest = CredentialDigest(digest);
            known.cards_of.entry(person).or_default().push((digest, key.clone(), id, status));
            known.cards.insert(digest, KnownCard { id, person, key, status });
        }
        Ok(known)
    }

    fn add(&mut self, person: Person) {
        let at = self.people.len();
        self.by_key.insert(person.particulars.key.clone(), at);
        if !person.particulars.number.is_empty() {
            self.by_number.insert(person.particulars.number.clone(), at);
        }
        self.by_id.insert(person.id, at);
        self.people.push(person);
    }

    /// Who has this key.
    #[must_use]
    pub fn of_key(&self, key: &str) -> Option<&Person> {
        self.by_key.get(key).map(|at| &self.people[*at])
    }

    /// Who has this staff number.
    #[must_use]
    pub fn of_number(&self, number: &str) -> Option<&Person> {
        self.by_number.get(number).map(|at| &self.people[*at])
    }

    /// Who this is.
    #[must_use]
    pub fn person(&self, id: PersonId) -> Option<&Person> {
        self.by_id.get(&id).map(|at| &self.people[*at])
    }

    /// Everybody, by id.
    #[must_use]
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// Every staff number.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        self.by_number.keys().map(String::as_str)
    }

    /// Whose card this is.
    #[must_use]
    pub fn card(&self, digest: &CredentialDigest) -> Option<&KnownCard> {
        self.cards.get(digest)
    }

    /// What is to be done so that somebody carries this card: under the key `main`, or where the card under it was
    /// reported lost or stolen, under the next free one, `main-2` and so on. One of theirs is left as it is.
    #[must_use]
    pub fn card_act(&self, person: Option<PersonId>, card: Digested) -> CardAct {
        let none = Vec::new();
        let own = person.and_then(|person| self.cards_of.get(&person)).unwrap_or(&none);
        if own.iter().any(|(digest, ..)| *digest == card.digest) {
            return CardAct::Nothing;
        }
        let taken: HashSet<&str> = own.iter().map(|(_, key, ..)| key.as_str()).collect();
        let usable = own.iter().rev().find(|(_, key, _, status)| {
            (key == MAIN || key.starts_with("main-"))
                && matches!(status, CredentialStatus::Active | CredentialStatus::Suspended)
        });
        if let Some((was, _, id, _)) = usable {
            return CardAct::Exchange { id: *id, was: *was, card };
        }
        let mut key = MAIN.to_owned();
        let mut next = 2;
        while taken.contains(key.as_str()) {
            key = format!("{MAIN}-{next}");
            next += 1;
        }
        CardAct::Give { key, card }
    }
}

/// What a person's card is called unless it is said.
const MAIN: &str = "main";

impl Digested {
    /// Of a card in clear, under the site's key.
    #[must_use]
    pub fn of(kit: &Kit, card: crate::credential::Card) -> Self {
        let secret = crate::credential::Secret::Card(card);
        let key = kit.keys().credential();
        // Of a card the person is no part of the digest.
        Self { digest: secret.digest(key, PersonId(0)), entry: secret.board_entry(key) }
    }
}

/// Puts a batch in place. The caller journals it. Nothing of those overtaken is written.
///
/// # Errors
/// When there are more than [`BATCH_MAX`], or the database fails.
pub async fn write(tx: &mut Tx, batch: &[Intended]) -> Result<Written, PeopleError> {
    if batch.len() > BATCH_MAX {
        return Err(PeopleError::Field { field: "batch", why: "at most 1000 people at once" });
    }
    let all: Vec<usize> = (0..batch.len()).collect();
    match together(tx, batch, &all).await? {
        Some(written) => Ok(written),
        // Somebody stands in the way: one by one then, and it is seen who.
        None => {
            let mut written = Written::default();
            for at in all {
                match together(tx, batch, &[at]).await? {
                    Some(one) => {
                        written.added.extend(one.added);
                        written.changed.extend(one.changed);
                    }
                    None => written.overtaken.push(at),
                }
            }
            Ok(written)
        }
    }
}

/// Writes these of a batch, all or none: `None` where something stands in the way of one of them.
async fn together(tx: &mut Tx, batch: &[Intended], at: &[usize]) -> Result<Option<Written>, PeopleError> {
    tx.execute("SAVEPOINT batch").await?;
    let written = match each(tx, batch, at).await {
        Ok(written) => written,
        Err(error) if Fault::of(&error) == Fault::Constraint => None,
        Err(error) => return Err(error.into()),
    };
    if written.is_none() {
        tx.execute("ROLLBACK TO SAVEPOINT batch").await?;
    }
    tx.execute("RELEASE SAVEPOINT batch").await?;
    Ok(written)
}

async fn each(tx: &mut Tx, batch: &[Intended], at: &[usize]) -> Result<Option<Written>, sqlx::Error> {
    let now = tx.now();
    let mut written = Written::default();
    let mut members: Vec<(i64, i64)> = Vec::new();
    let mut cards: Vec<(i64, &str, Digested)> = Vec::new();

    let new: Vec<&Particulars> =
        at.iter().map(|at| &batch[*at]).filter(|it| it.who == Who::New).map(|it| &it.particulars).collect();
    let ids = insert::persons(tx, now, &new).await?;
    for at in at {
        let it = &batch[*at];
        let (id, is_new) = match it.who {
            Who::New => (ids[it.particulars.key.as_str()], true),
            Who::Known { id, seen } => {
                if !known_stands(tx, now, row_id(id.0), seen, it).await? {
                    return Ok(None);
                }
                (row_id(id.0), false)
            }
        };
        let person = PersonId(id.cast_unsigned());
        if is_new {
            written.added.push((*at, person));
        } else {
            written.changed.push(person);
        }
        if it.regroups || is_new {
            if !is_new {
                sqlx::query(LEAVE).bind(id).execute(&mut **tx).await?;
            }
            members.extend(it.particulars.groups.iter().map(|group| (id, row_id(group.0))));
        }
        match &it.card {
            CardAct::Nothing => {}
            CardAct::Give { key, card } => cards.push((id, key, *card)),
            CardAct::Exchange { id, was, card } => {
                let exchanged = sqlx::query(EXCHANGE)
                    .bind(row_id(id.0))
                    .bind(card.digest.0.to_vec())
                    .bind(card.entry.map(|entry| entry.0.to_vec()))
                    .bind(now)
                    .bind(was.0.to_vec())
                    .execute(&mut **tx)
                    .await?;
                if exchanged.rows_affected() == 0 {
                    return Ok(None);
                }
            }
        }
    }
    insert::members(tx, &members).await?;
    insert::cards(tx, now, &cards).await?;
    Ok(Some(written))
}

/// Changes somebody known; false when they are not as they were seen.
async fn known_stands(tx: &mut Tx, now: i64, id: i64, seen: i64, it: &Intended) -> Result<bool, sqlx::Error> {
    if !it.differs && !it.regroups {
        let row: Option<(i64,)> =
            sqlx::query_as(STANDS).bind(id).bind(seen).fetch_optional(&mut **tx).await?;
        return Ok(row.is_some());
    }
    let p = &it.particulars;
    let changed = sqlx::query(CHANGE)
        .bind(id)
        .bind(p.kind.word())
        .bind(p.name.as_str())
        .bind(p.latin.as_str())
        .bind(p.department.as_str())
        .bind(p.number.as_str())
        .bind(open_from(p.validity.from))
        .bind(open_until(p.validity.until))
        .bind(p.status.word())
        .bind(i64::from(p.clearance))
        .bind(sort(p))
        .bind(sought(p))
        .bind(now)
        .bind(seen)
        .execute(&mut **tx)
        .await?;
    Ok(changed.rows_affected() == 1)
}

/// The kind and the use of what [`insert::cards`] writes.
const CARD: (CredentialKind, CredentialUse, CredentialStatus) =
    (CredentialKind::Card, CredentialUse::Ordinary, CredentialStatus::Active);
