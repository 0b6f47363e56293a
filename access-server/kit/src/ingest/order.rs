//! Which events are next in their lane: pure. How far a lane is complete is for the database to say, each time; only
//! what waits behind a gap is kept here, and that may be lost.

use std::collections::{BTreeMap, HashMap};

use super::Lane;
use crate::journal::{NewEvent, Stream};

/// Events a lane holds back behind a gap; later ones are left to be sent again.
const HELD: usize = 1024;
/// Bytes a source holds back in all its lanes.
const HELD_BYTES: usize = 1 << 20;
/// Sources that hold events back at once.
const SOURCES: usize = 256;
/// What an event takes besides its texts, about.
const EVENT_BYTES: usize = 256;

/// What waits behind a gap, by source.
#[derive(Clone, Debug, Default)]
pub(super) struct Order(HashMap<String, Held>);

#[derive(Clone, Debug, Default)]
struct Held {
    bytes: usize,
    streams: HashMap<Stream, Waiting>,
}

/// One stream has one epoch: the source decides which, and may not fill a place for each.
#[derive(Clone, Debug, Default)]
struct Waiting {
    epoch: u32,
    events: BTreeMap<u64, NewEvent>,
}

/// What became of the events of one offer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sorted {
    /// Next in their lane, in order.
    pub(super) next: Vec<NewEvent>,
    /// How far the lane is complete with them.
    pub(super) complete: u64,
    /// Known already.
    pub(super) duplicates: u64,
    /// Behind a gap with no room to hold them.
    pub(super) ahead: u64,
}

impl Order {
    /// Puts the events of one lane in their order; without them it is complete up to `complete`.
    pub(super) fn sort(&mut self, lane: &Lane, complete: u64, mut events: Vec<NewEvent>) -> Sorted {
        events.sort_by_key(|event| event.number);
        let mut sorted = Sorted { complete, ..Sorted::default() };
        for event in events {
            if event.number <= sorted.complete {
                sorted.duplicates += 1;
            } else if event.number == sorted.complete + 1 {
                sorted.complete += 1;
                sorted.next.push(event);
                self.close_gap(lane, &mut sorted);
            } else {
                self.hold(lane, event, &mut sorted);
            }
        }
        // Another writer may have closed it.
        self.close_gap(lane, &mut sorted);
        sorted
    }

    fn close_gap(&mut self, lane: &Lane, sorted: &mut Sorted) {
        let Some(held) = self.0.get_mut(&lane.source) else { return };
        let Some(waiting) = held.streams.get_mut(&lane.stream) else { return };
        while waiting.epoch == lane.epoch
            && let Some(first) = waiting.events.first_entry()
            && *first.key() <= sorted.complete + 1
        {
            let event = first.remove();
            held.bytes -= size(&event);
            if event.number > sorted.complete {
                sorted.complete += 1;
                sorted.next.push(event);
            } else {
                sorted.duplicates += 1;
            }
        }
        if held.streams.values().all(|waiting| waiting.events.is_empty()) {
            self.0.remove(&lane.source);
        }
    }

    fn hold(&mut self, lane: &Lane, event: NewEvent, sorted: &mut Sorted) {
        if self.0.len() >= SOURCES && !self.0.contains_key(&lane.source) {
            sorted.ahead += 1;
            return;
        }
        let held = self.0.entry(lane.source.clone()).or_default();
        let waiting = held.streams.entry(lane.stream).or_default();
        if waiting.epoch != lane.epoch {
            held.bytes -= waiting.events.values().map(size).sum::<usize>();
            *waiting = Waiting { epoch: lane.epoch, events: BTreeMap::new() };
        }
        let bytes = held.bytes + size(&event);
        if waiting.events.contains_key(&event.number) {
            sorted.duplicates += 1;
        } else if waiting.events.len() >= HELD || bytes > HELD_BYTES {
            sorted.ahead += 1;
        } else {
            held.bytes = bytes;
            waiting.events.insert(event.number, event);
        }
    }
}

fn size(event: &NewEvent) -> usize {
    EVENT_BYTES + event.source.len() + event.kind.len() + event.body.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
                let sorted = order.sort(&lane(), taken.len() as u64, offer.iter().copied().map(event).collect());
                taken.extend(sorted.next.iter().map(|event| event.number));
                prop_assert_eq!(sorted.complete, taken.len() as u64);
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
        let sorted = order.sort(&lane(), 0, (2..5000).map(event).collect());
        assert_eq!(sorted.ahead, 4998 - HELD as u64);
        assert_eq!(order.sort(&lane(), 0, vec![event(1)]).next.len(), HELD + 1);
        assert!(order.0.is_empty(), "nothing is kept of what was taken");
    }

    /// A certificate's holder chooses epochs and sizes as it likes.
    #[test]
    fn one_source_holds_back_a_mebibyte_whatever_it_sends() {
        let mut order = Order::default();
        let large = |number| NewEvent { body: "x".repeat(60_000), ..event(number) };
        let kept = |order: &Order| {
            let waiting = order.0.values().flat_map(|held| held.streams.values());
            waiting.flat_map(|waiting| waiting.events.values()).map(|event| event.body.len()).sum::<usize>()
        };
        for epoch in 1..=100 {
            for stream in [Stream::Urgent, Stream::Bulk] {
                let lane = Lane { epoch, stream, ..lane() };
                order.sort(&lane, 0, (2..30).map(large).collect());
                assert!(kept(&order) <= HELD_BYTES, "{} bytes in epoch {epoch}", kept(&order));
            }
        }
        let newest = Lane { epoch: 100, stream: Stream::Urgent, ..lane() };
        assert!(order.sort(&newest, 0, vec![event(1)]).next.len() > 1, "the newest epoch has the room");
    }

    #[test]
    fn what_another_writer_took_is_not_taken_again() {
        let mut order = Order::default();
        order.sort(&lane(), 0, vec![event(3), event(4)]);
        let sorted = order.sort(&lane(), 3, vec![]);
        assert_eq!((sorted.next.len(), sorted.complete, sorted.duplicates), (1, 4, 1));
    }
}
