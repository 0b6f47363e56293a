//! Which events are next in their lane: pure, and in memory alone.

use std::collections::{BTreeMap, HashMap};

use super::Lane;
use crate::journal::NewEvent;

/// Events a lane holds back behind a gap; later ones are left to be sent again.
const HELD: usize = 1024;
/// Lanes that hold events back at once.
const LANES: usize = 1024;

/// How far each lane is complete, and what waits behind a gap.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    complete: HashMap<Lane, u64>,
    held: HashMap<Lane, BTreeMap<u64, NewEvent>>,
}

/// What became of the events of one offer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sorted {
    /// Next in their lane, in order.
    pub(super) next: Vec<NewEvent>,
    /// Known already.
    pub(super) duplicates: u64,
    /// Behind a gap with no room to hold them.
    pub(super) ahead: u64,
}

impl Order {
    pub(super) fn new(complete: impl IntoIterator<Item = (Lane, u64)>) -> Self {
        Self { complete: complete.into_iter().collect(), held: HashMap::new() }
    }

    pub(super) fn complete(&self, lane: &Lane) -> u64 {
        self.complete.get(lane).copied().unwrap_or(0)
    }

    /// Puts the events of one lane in their order.
    pub(super) fn sort(&mut self, lane: &Lane, mut events: Vec<NewEvent>) -> Sorted {
        events.sort_by_key(|event| event.number);
        let mut sorted = Sorted::default();
        let mut last = self.complete(lane);
        for event in events {
            if event.number <= last {
                sorted.duplicates += 1;
            } else if event.number == last + 1 {
                last += 1;
                sorted.next.push(event);
                self.close_gap(lane, &mut last, &mut sorted);
            } else {
                self.hold(lane, event, &mut sorted);
            }
        }
        if !sorted.next.is_empty() {
            self.complete.insert(lane.clone(), last);
        }
        sorted
    }

    fn close_gap(&mut self, lane: &Lane, last: &mut u64, sorted: &mut Sorted) {
        let Some(held) = self.held.get_mut(lane) else { return };
        while let Some(first) = held.first_entry() {
            if *first.key() > *last + 1 {
                return;
            }
            let event = first.remove();
            if event.number == *last + 1 {
                *last += 1;
                sorted.next.push(event);
            } else {
                sorted.duplicates += 1;
            }
        }
        self.held.remove(lane);
    }

    fn hold(&mut self, lane: &Lane, event: NewEvent, sorted: &mut Sorted) {
        if self.held.len() >= LANES && !self.held.contains_key(lane) {
            sorted.ahead += 1;
            return;
        }
        let held = self.held.entry(lane.clone()).or_default();
        if held.contains_key(&event.number) {
            sorted.duplicates += 1;
        } else if held.len() >= HELD {
            sorted.ahead += 1;
        } else {
            held.insert(event.number, event);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::journal::Stream;

    fn lane() -> Lane {
        Lane { source: "controller-1".into(), epoch: 1, stream: Stream::Bulk }
    }

    fn event(number: u64) -> NewEvent {
        let Lane { source, epoch, stream } = lane();
        NewEvent { source, epoch, stream, number, at: 0, kind: "door".into(), body: "{}".into() }
    }

    proptest! {
        /// However events are shuffled, repeated and lost on the way: what is taken is 1, 2, 3 … without gap or
        /// repetition, as far as nothing is missing.
        #[test]
        fn each_number_is_taken_once_and_in_order(
            offers in proptest::collection::vec(proptest::collection::vec(1_u64..40, 0..12), 0..20),
        ) {
            let mut order = Order::default();
            let mut taken = Vec::new();
            for offer in &offers {
                let sorted = order.sort(&lane(), offer.iter().copied().map(event).collect());
                taken.extend(sorted.next.iter().map(|event| event.number));
                prop_assert_eq!(order.complete(&lane()), taken.len() as u64);
            }
            let expected: Vec<u64> = (1..=taken.len() as u64).collect();
            prop_assert_eq!(&taken, &expected);
            let seen: std::collections::BTreeSet<u64> = offers.concat().into_iter().collect();
            prop_assert!(!seen.contains(&(taken.len() as u64 + 1)), "nothing that was there is left behind");
        }
    }

    #[test]
    fn what_is_held_back_is_bounded() {
        let mut order = Order::default();
        let sorted = order.sort(&lane(), (2..5000).map(event).collect());
        assert_eq!(sorted.ahead, 4998 - HELD as u64);
        assert_eq!(order.sort(&lane(), vec![event(1)]).next.len(), HELD + 1);
    }
}
