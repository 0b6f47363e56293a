//! A keyed table that shares its content with the copies made of it.
//!
//! A changed policy is a new policy; copying 250 000 credentials for one new card would not do. The table is cut into
//! shards of a few dozen rows behind reference counts: a copy shares all, a change copies its own shard only.
//! Rows lie sorted by a mixed key, so looking one up is one shard and a short search, with no hasher to seed.

use alloc::sync::Arc;
use alloc::vec::Vec;

/// A row that knows its key.
pub trait Keyed: Clone {
    /// What it is found by.
    type Key: Copy + Ord;
    /// Its key.
    fn key(&self) -> Self::Key;
    /// The key as 64 well-spread bits; equal keys give equal bits.
    fn spread(key: &Self::Key) -> u64;
}

/// Spreads an id: multiplying by an odd constant loses nothing and moves the low bits to the top.
#[must_use]
pub const fn spread_id(id: u64) -> u64 {
    // 2^64 / golden ratio, Knuth's multiplicative hashing (TAOCP 6.4).
    id.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[derive(Clone, Debug)]
struct Shard<R> {
    spreads: Vec<u64>,
    rows: Vec<R>,
}

/// Rows by key; cheap to copy, cheap to change a little.
#[derive(Clone, Debug)]
pub struct Table<R> {
    shards: Vec<Arc<Shard<R>>>,
    len: usize,
}

/// Rows in a shard when a table is laid out; it is laid out again when the average passes four times that.
const ROWS_PER_SHARD: usize = 32;

impl<R: Keyed> Default for Table<R> {
    fn default() -> Self {
        Table::with_room(0)
    }
}

impl<R: Keyed> Table<R> {
    /// An empty table laid out for about that many rows.
    #[must_use]
    pub fn with_room(rows: usize) -> Table<R> {
        let shards = (rows / ROWS_PER_SHARD).max(1).next_power_of_two();
        let empty = Arc::new(Shard { spreads: Vec::new(), rows: Vec::new() });
        Table { shards: alloc::vec![empty; shards], len: 0 }
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The row with that key.
    #[must_use]
    pub fn get(&self, key: &R::Key) -> Option<&R> {
        let spread = R::spread(key);
        let shard = &self.shards[self.shard_of(spread)];
        shard.find(spread, key).ok().map(|at| &shard.rows[at])
    }

    /// Puts a row in, returning the one it replaces.
    pub fn insert(&mut self, row: R) -> Option<R> {
        if self.len >= self.shards.len() * ROWS_PER_SHARD * 4 {
            self.lay_out_again();
        }
        let key = row.key();
        let spread = R::spread(&key);
        let at = self.shard_of(spread);
        let shard = Arc::make_mut(&mut self.shards[at]);
        match shard.find(spread, &key) {
            Ok(at) => Some(core::mem::replace(&mut shard.rows[at], row)),
            Err(at) => {
                shard.spreads.insert(at, spread);
                shard.rows.insert(at, row);
                self.len += 1;
                None
            }
        }
    }

    /// Takes a row out.
    pub fn remove(&mut self, key: &R::Key) -> Option<R> {
        let spread = R::spread(key);
        let at = self.shard_of(spread);
        let found = self.shards[at].find(spread, key).ok()?;
        let shard = Arc::make_mut(&mut self.shards[at]);
        shard.spreads.remove(found);
        self.len -= 1;
        Some(shard.rows.remove(found))
    }

    /// All rows in no order that means anything, though always the same for the same rows and layout.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.shards.iter().flat_map(|shard| &shard.rows)
    }

    /// All rows by ascending key.
    #[must_use]
    pub fn sorted(&self) -> Vec<&R> {
        let mut rows: Vec<&R> = self.iter().collect();
        rows.sort_unstable_by_key(|row| row.key());
        rows
    }

    fn shard_of(&self, spread: u64) -> usize {
        // Shards are a power of two, at least one; the top bits choose. A shift by 64 is the single-shard case.
        let bits = self.shards.len().trailing_zeros();
        spread.checked_shr(64 - bits).unwrap_or(0) as usize
    }

    fn lay_out_again(&mut self) {
        let mut larger = Table::with_room(self.len * 2);
        for row in self.iter() {
            larger.insert(row.clone());
        }
        *self = larger;
    }
}

impl<R: Keyed + PartialEq> PartialEq for Table<R> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().all(|row| other.get(&row.key()) == Some(row))
    }
}

impl<R: Keyed> FromIterator<R> for Table<R> {
    fn from_iter<I: IntoIterator<Item = R>>(rows: I) -> Self {
        let rows = rows.into_iter();
        let mut table = Table::with_room(rows.size_hint().0);
        for row in rows {
            table.insert(row);
        }
        table
    }
}

impl<R: Keyed> Shard<R> {
    /// Where the row is, or where it would go.
    fn find(&self, spread: u64, key: &R::Key) -> Result<usize, usize> {
        let first = self.spreads.partition_point(|other| *other < spread);
        let mut at = first;
        while self.spreads.get(at) == Some(&spread) {
            match self.rows[at].key().cmp(key) {
                core::cmp::Ordering::Equal => return Ok(at),
                core::cmp::Ordering::Less => at += 1,
                core::cmp::Ordering::Greater => return Err(at),
            }
        }
        Err(at)
    }
}
