//! A short list of parts, sorted by identity.

use alloc::vec::Vec;

use super::fault::{Fault, Part};
use super::parts::{Area, Door, Level};
use crate::ids::{AreaId, ControllerId, DoorId, FireZoneId, GroupId, LevelId, ScheduleId};
use crate::schedule::Schedule;

/// A part with an identity of its own.
pub(super) trait Identified: Clone + PartialEq {
    type Id: Copy + Ord;
    fn id(&self) -> Self::Id;
    fn part(id: Self::Id) -> Part;
}

macro_rules! identified {
    ($($row:ty, $id:ident, $part:ident, |$this:ident| $get:expr;)*) => {$(
        impl Identified for $row {
            type Id = $id;

            fn id(&self) -> $id {
                let $this = self;
                $get
            }

            fn part(id: $id) -> Part {
                Part::$part(id)
            }
        }
    )*};
}

identified! {
    ControllerId, ControllerId, Controller, |id| *id;
    FireZoneId, FireZoneId, FireZone, |id| *id;
    GroupId, GroupId, Group, |id| *id;
    Area, AreaId, Area, |area| area.id;
    Schedule, ScheduleId, Schedule, |schedule| schedule.id;
    Door, DoorId, Door, |door| door.id;
    Level, LevelId, Level, |level| level.id;
}

/// Parts of one kind, ascending by identity, none twice.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rows<R>(Vec<R>);

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Rows(Vec::new())
    }
}

impl<R: Identified> Rows<R> {
    pub(super) fn as_slice(&self) -> &[R] {
        &self.0
    }

    pub(super) fn position(&self, id: R::Id) -> Option<usize> {
        self.0.binary_search_by_key(&id, R::id).ok()
    }

    pub(super) fn get(&self, id: R::Id) -> Option<&R> {
        self.position(id).map(|at| &self.0[at])
    }

    pub(super) fn has(&self, id: R::Id) -> bool {
        self.position(id).is_some()
    }

    /// Takes out what is removed, then puts in what is new or changed; says what does not fit.
    pub(super) fn edit(&mut self, removed: &[R::Id], upserted: &[R], faults: &mut Vec<Fault>) {
        let mut named: Vec<R::Id> = removed.iter().copied().chain(upserted.iter().map(R::id)).collect();
        named.sort_unstable();
        report_twice(&named, R::part, faults);
        for id in removed {
            if !self.has(*id) {
                faults.push(Fault::NothingToRemove(R::part(*id)));
            }
        }
        self.0.retain(|row| named.binary_search(&row.id()).is_err());
        self.0.extend_from_slice(upserted);
        self.0.sort_by_key(R::id);
        self.0.dedup_by_key(|row| row.id());
    }

    /// What of `before` and `self` differ: what went, and what came or changed.
    pub(super) fn difference(&self, before: &Rows<R>) -> (Vec<R::Id>, Vec<R>) {
        let gone = before.0.iter().map(R::id).filter(|id| !self.has(*id)).collect();
        let new = self.0.iter().filter(|row| before.get(row.id()) != Some(row)).cloned().collect();
        (gone, new)
    }
}

/// Says which of the ascending ids are there more than once.
pub(super) fn report_twice<I: Copy + Eq>(ascending: &[I], part: fn(I) -> Part, faults: &mut Vec<Fault>) {
    let mut twice: Vec<I> =
        ascending.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    twice.dedup();
    faults.extend(twice.into_iter().map(|id| Fault::Twice(part(id))));
}
