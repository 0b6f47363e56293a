//! A keyed table that shares its content with the copies made of it.
//!
//! A changed policy is a new policy; copying 250 000 credentials for one new card would not do. The table is cut into
//! shards of a dozen rows behind reference counts: a copy shares all, a change copies its own shard only.
//! Rows lie sorted by a spread key, so looking one up touches one shard, mostly at the right place at once, and there is
//! no hasher to seed.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

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

/// Rows by key; cheap to copy, cheap to change a little.
#[derive(Clone, Debug)]
pub struct Table<R> {
    /// A power of two of them; the top bits of the spread key choose. In each, rows ascend by spread key, then key.
    shards: Vec<Arc<[R]>>,
    len: usize,
}

/// Rows in a shard when a table is laid out; it is laid out again when the average passes four times that.
/// Fewer make looking up and changing cheaper, and copying dearer.
const ROWS_PER_SHARD: usize = 16;

/// In shards up to this long a row is guessed from how far along its spread key is, and found a step or two beside;
/// longer ones come from keys that do not spread, and are searched by halves.
const GUESSABLE: usize = 64;

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
        Table { shards: alloc::vec![Arc::from([]); shards], len: 0 }
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
        self.find(shard, spread, key).ok().map(|at| &shard[at])
    }

    /// Puts a row in, returning the one it replaces.
    pub fn insert(&mut self, row: R) -> Option<R> {
        self.extend(alloc::vec![row]).pop()
    }

    /// Puts rows in, returning those they replace. Of rows with one key the last stays.
    pub fn extend(&mut self, mut rows: Vec<R>) -> Vec<R> {
        let room = self.len + rows.len();
        if room > self.shards.len() * ROWS_PER_SHARD * 4 {
            self.lay_out_again(room);
        }
        rows.sort_by_cached_key(|row| R::spread(&row.key()));
        let mut replaced = Vec::new();
        let mut rows = rows.into_iter().peekable();
        while let Some(first) = rows.next() {
            let at = self.shard_of(R::spread(&first.key()));
            let mut shard = self.shards[at].to_vec();
            let mut next = Some(first);
            while let Some(row) = next {
                let key = row.key();
                match self.find(&shard, R::spread(&key), &key) {
                    Ok(at) => replaced.push(core::mem::replace(&mut shard[at], row)),
                    Err(at) => {
                        shard.insert(at, row);
                        self.len += 1;
                    }
                }
                next = rows.next_if(|row| self.shard_of(R::spread(&row.key())) == at);
            }
            self.shards[at] = Arc::from(shard);
        }
        replaced
    }

    /// Takes a row out.
    pub fn remove(&mut self, key: &R::Key) -> Option<R> {
        let spread = R::spread(key);
        let at = self.shard_of(spread);
        let found = self.find(&self.shards[at], spread, key).ok()?;
        let mut shard = self.shards[at].to_vec();
        let row = shard.remove(found);
        self.shards[at] = Arc::from(shard);
        self.len -= 1;
        Some(row)
    }

    /// All rows in no order that means anything, though always the same for the same rows and layout.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }

    /// All rows by ascending key.
    #[must_use]
    pub fn sorted(&self) -> Vec<&R> {
        let mut rows: Vec<&R> = self.iter().collect();
        rows.sort_unstable_by_key(|row| row.key());
        rows
    }

    fn shard_of(&self, spread: u64) -> usize {
        // A shift by all 64 bits is the single shard.
        spread.checked_shr(64 - self.shard_bits()).unwrap_or(0) as usize
    }

    fn shard_bits(&self) -> u32 {
        self.shards.len().trailing_zeros()
    }

    /// Where the row is in a shard, or where it would go.
    fn find(&self, shard: &[R], spread: u64, key: &R::Key) -> Result<usize, usize> {
        let order = |row: &R| {
            let own = row.key();
            R::spread(&own).cmp(&spread).then_with(|| own.cmp(key))
        };
        if shard.len() > GUESSABLE {
            return shard.binary_search_by(order);
        }
        // The bits below the shard's say how far along it the key is, in 1/2^32.
        let along = (spread << self.shard_bits()) >> 32;
        let mut at = ((along * shard.len() as u64) >> 32) as usize;
        while at > 0 && order(&shard[at - 1]).is_ge() {
            at -= 1;
        }
        loop {
            match shard.get(at).map(order) {
                Some(Ordering::Less) => at += 1,
                Some(Ordering::Equal) => return Ok(at),
                Some(Ordering::Greater) | None => return Err(at),
            }
        }
    }

    fn lay_out_again(&mut self, room: usize) {
        let mut larger = Table::with_room(room);
        larger.extend(self.iter().cloned().collect());
        *self = larger;
    }
}

impl<R: Keyed + PartialEq> PartialEq for Table<R> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().all(|row| other.get(&row.key()) == Some(row))
    }
}
