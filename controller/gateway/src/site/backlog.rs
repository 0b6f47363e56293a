//! What waits in memory while the outbox takes nothing, or only what is urgent.
//!
//! Urgent events wait for nothing but the disk: they are tried first, and one that is refused everyday events may still take them. The
//! rest of a step stays in the order in which it happened, with what is remembered and what follows it.

use std::collections::BTreeMap;

use uplink::event::Stream;

use super::record::{After, Unit};

/// Steps kept of either kind. What comes beyond is dropped, but for what a board told: it keeps its own events until they are
/// acknowledged, and is heard no more before there is room.
pub(super) const BACKLOG: usize = 2_000;

/// Steps by their number.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    urgent: BTreeMap<u64, Unit>,
    rest: BTreeMap<u64, Unit>,
}

impl Backlog {
    /// Keeps a step, or what is left of it. Says how many events there was no room for.
    pub(super) fn put(&mut self, number: u64, mut unit: Unit) -> usize {
        let of_board = unit.after.iter().any(|after| matches!(after, After::AckBoard { .. }));
        let fits = |steps: &BTreeMap<u64, Unit>| of_board || steps.len() < BACKLOG;
        let mut dropped = 0;
        let urgent: Vec<_> =
            unit.events.extract_if(.., |entry| entry.body.stream() == Stream::Urgent).collect();
        if !urgent.is_empty() && fits(&self.urgent) {
            self.urgent.insert(number, Unit { events: urgent, ..Unit::default() });
        } else {
            dropped += urgent.len();
        }
        if unit.is_empty() {
            return dropped;
        }
        if fits(&self.rest) {
            self.rest.insert(number, unit);
            return dropped;
        }
        // What is remembered is never dropped: it goes with the step before.
        dropped += unit.events.len();
        unit.events.clear();
        match self.rest.range_mut(..number).next_back() {
            Some((_, before)) => before.remember(unit.kept),
            None => self.back(number, unit),
        }
        dropped
    }

    /// A step that was tried in vain keeps its place.
    pub(super) fn back(&mut self, number: u64, unit: Unit) {
        let is_urgent = unit.events.first().is_some_and(|entry| entry.body.stream() == Stream::Urgent);
        let steps = if is_urgent { &mut self.urgent } else { &mut self.rest };
        steps.insert(number, unit);
    }

    /// The step to be tried next.
    pub(super) fn next(&mut self) -> Option<(u64, Unit)> {
        self.urgent.pop_first().or_else(|| self.rest.pop_first())
    }

    /// Steps that wait, of the kind of which there are more.
    pub(super) fn len(&self) -> usize {
        self.rest.len().max(self.urgent.len())
    }
}
