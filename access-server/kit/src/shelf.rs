//! What waits in memory until somebody confirms it: an import that was looked at and not yet begun.
//!
//! Nothing of it outlives the process, its time or its turn: who has more things lying here than they may loses the
//! oldest, and what is larger than the room that is left is refused.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ring::rand::{SecureRandom, SystemRandom};

use crate::auth::OperatorId;
use crate::clock::Micros;
use crate::journal::hex;

/// Things of one operator at most: the oldest makes room.
const EACH: usize = 2;
/// Things of all of them at most.
const ALL: usize = 16;
/// Bytes of all of them at most, as far as their owners say.
const BYTES: usize = 256 * 1024 * 1024;
/// What nobody looked at for so long is gone.
const KEPT: Micros = 30 * 60 * 1_000_000;

/// There is no room: others' things wait for their confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much waits for confirmation already: try again later")]
pub struct ShelfFull;

/// What waits for confirmation.
#[derive(Default)]
pub struct Shelf(Mutex<Vec<Thing>>);

/// What was taken down.
pub struct Taken(Thing);

struct Thing {
    id: String,
    of: OperatorId,
    touched: Micros,
    bytes: usize,
    what: Arc<dyn Any + Send + Sync>,
}

impl Shelf {
    /// Puts something there; the word it is found by, which cannot be guessed.
    ///
    /// # Errors
    /// When there is no room for so many bytes, or for one thing more.
    pub fn put<T: Any + Send + Sync>(
        &self,
        of: OperatorId,
        now: Micros,
        bytes: usize,
        what: T,
    ) -> Result<String, ShelfFull> {
        let mut things = self.things(now);
        while things.iter().filter(|thing| thing.of == of).count() >= EACH {
            let oldest = things.iter().position(|thing| thing.of == of).expect("there are some");
            things.remove(oldest);
        }
        let taken: usize = things.iter().map(|thing| thing.bytes).sum();
        if things.len() >= ALL || taken.saturating_add(bytes) > BYTES {
            return Err(ShelfFull);
        }
        let mut id = [0; 16];
        SystemRandom::new().fill(&mut id).expect("the system's random source works");
        let id = hex(&id);
        things.push(Thing { id: id.clone(), of, touched: now, bytes, what: Arc::new(what) });
        Ok(id)
    }

    /// What an operator put there, and keeps it for as long again.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self, of: OperatorId, now: Micros, id: &str) -> Option<Arc<T>> {
        let mut things = self.things(now);
        let thing = things.iter_mut().find(|thing| thing.id == id && thing.of == of)?;
        thing.touched = now;
        Arc::clone(&thing.what).downcast().ok()
    }

    /// Puts something else in its place; nothing happens where it is gone.
    pub fn replace<T: Any + Send + Sync>(&self, of: OperatorId, now: Micros, id: &str, what: T) {
        if let Some(thing) = self.things(now).iter_mut().find(|thing| thing.id == id && thing.of == of) {
            thing.what = Arc::new(what);
            thing.touched = now;
        }
    }

    /// Takes it away.
    pub fn remove(&self, of: OperatorId, now: Micros, id: &str) {
        self.things(now).retain(|thing| thing.id != id || thing.of != of);
    }

    /// Takes it down, for whoever does what it says: nobody else finds it meanwhile.
    #[must_use]
    pub fn take(&self, of: OperatorId, now: Micros, id: &str) -> Option<Taken> {
        let mut things = self.things(now);
        let at = things.iter().position(|thing| thing.id == id && thing.of == of)?;
        Some(Taken(things.remove(at)))
    }

    /// Puts back what was taken down and not done.
    pub fn put_back(&self, taken: Taken) {
        let now = taken.0.touched;
        self.things(now).push(taken.0);
    }

    fn things(&self, now: Micros) -> std::sync::MutexGuard<'_, Vec<Thing>> {
        let mut things = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        things.retain(|thing| now - thing.touched < KEPT);
        things
    }
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Taken(..)")
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shelf(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: OperatorId = OperatorId(1);
    const BOB: OperatorId = OperatorId(2);

    #[test]
    fn only_who_put_it_there_finds_it_and_not_for_ever() {
        let shelf = Shelf::default();
        let id = shelf.put(ADA, 0, 1, "draft").unwrap();
        assert_eq!(shelf.get::<&str>(ADA, KEPT - 1, &id).as_deref(), Some(&"draft"));
        assert_eq!(shelf.get::<&str>(BOB, KEPT - 1, &id), None);
        assert!(shelf.get::<&str>(ADA, 2 * KEPT - 2, &id).is_some(), "a look keeps it");
        assert_eq!(shelf.get::<&str>(ADA, 4 * KEPT, &id), None);
    }

    #[test]
    fn one_alone_takes_it_down() {
        let shelf = Shelf::default();
        let id = shelf.put(ADA, 0, 1, "draft").unwrap();
        assert!(shelf.take(BOB, 0, &id).is_none());
        let taken = shelf.take(ADA, 0, &id).unwrap();
        assert!(shelf.take(ADA, 0, &id).is_none() && shelf.get::<&str>(ADA, 0, &id).is_none());
        shelf.put_back(taken);
        assert!(shelf.get::<&str>(ADA, 0, &id).is_some());
    }

    #[test]
    fn the_oldest_of_ones_own_makes_room_and_nobody_elses_does() {
        let shelf = Shelf::default();
        let first = shelf.put(ADA, 0, 1, 1_u8).unwrap();
        for more in 0..EACH {
            shelf.put(ADA, 0, 1, more).unwrap();
        }
        assert_eq!(shelf.get::<u8>(ADA, 0, &first), None);
        assert_eq!(shelf.put(BOB, 0, BYTES, ()), Err(ShelfFull));
        assert!(shelf.put(BOB, 0, BYTES / 2, ()).is_ok());
    }
}
