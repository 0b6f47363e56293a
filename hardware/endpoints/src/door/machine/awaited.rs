//! Who was let in and has not been seen to open: each is told once, as having opened or as not.

use heapless::Vec;

/// So many are waited for; with one more, the first is given up.
const MOST: usize = 4;

/// By the commands' numbers, in their order. All go in by one opening, whatever else releases the door then.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Awaited {
    ids: Vec<u64, MOST>,
    /// From then on they have not opened.
    until: u64,
}

impl Awaited {
    pub(super) const NOBODY: Awaited = Awaited { ids: Vec::new(), until: 0 };

    /// One more, and all of them until then; says who is given up for them. The same number is the same once more.
    pub(super) fn push(&mut self, id: u64, until: u64) -> Option<u64> {
        self.until = until;
        if self.ids.contains(&id) {
            return None;
        }
        let given_up = self.ids.is_full().then(|| self.ids.remove(0));
        self.ids.push(id).expect("a place was just made");
        given_up
    }

    /// They are waited for until then at the latest.
    pub(super) fn at_most_until(&mut self, until: u64) {
        self.until = self.until.min(until);
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        (!self.ids.is_empty()).then_some(self.until)
    }

    /// Takes all of them.
    pub(super) fn take(&mut self) -> impl Iterator<Item = u64> + use<> {
        core::mem::take(&mut self.ids).into_iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    #[cfg(test)]
    pub(super) fn counted_from(&self, now: u64) -> Awaited {
        let until = if self.is_empty() { 0 } else { self.until.saturating_sub(now) };
        Awaited { ids: self.ids.clone(), until }
    }
}
