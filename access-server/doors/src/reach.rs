//! What of the site somebody has to do with: their rank in each of its areas and at each of its doors. Pure.
//!
//! A rank in a place holds in all that lies in it. A door belongs to where it leads into: whoever changes it or commands it
//! needs the rank there. Seen it is from both sides.

use std::collections::BTreeMap;

use domain::ids::{AreaId, DoorId};
use kit::auth::{Ranks, Role};

use crate::door::{Door, DoorGroup};
use crate::place::{Area, AreaKind};
use crate::survey::{Survey, Thing};

/// The rank of somebody everywhere in the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    site: Option<Role>,
    /// The areas in which it is higher than at the site.
    areas: BTreeMap<AreaId, Role>,
}

impl Reach {
    /// Where somebody has which rank, in the site as it is.
    #[must_use]
    pub fn of(ranks: &Ranks, survey: &Survey) -> Self {
        let places = ranks.places();
        let rank = |area: AreaId| {
            survey.around(area).into_iter().filter_map(|place| places.get(&place.0)).copied().max()
        };
        // Whoever has one rank everywhere needs no walk.
        let areas = if places.is_empty() { &[][..] } else { &survey.areas[..] };
        let areas = areas.iter().filter_map(|(id, _)| Some((*id, rank(*id)?)));
        Self { site: ranks.at_site(), areas: areas.collect() }
    }

    /// Whether all of the site is seen.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.site.is_some()
    }

    /// The rank in an area.
    #[must_use]
    pub fn in_area(&self, area: AreaId) -> Option<Role> {
        self.areas.get(&area).copied().max(self.site)
    }

    /// The rank at a door.
    #[must_use]
    pub fn at_door(&self, door: &Door) -> Option<Role> {
        self.in_area(door.inside)
    }

    /// The rank at a thing of the site; at what belongs to no place it is the one at the site.
    #[must_use]
    pub fn at(&self, survey: &Survey, thing: Thing) -> Option<Role> {
        match thing {
            Thing::Area(area) => self.in_area(area),
            Thing::Door(door) => survey.door(door).map_or(self.site, |door| self.at_door(door)),
            Thing::Controller(_)
            | Thing::FireZone(_)
            | Thing::Schedule(_)
            | Thing::DoorGroup(_)
            | Thing::Level(_)
            | Thing::Group(_) => self.site,
        }
    }

    /// Whether a door is seen.
    #[must_use]
    pub fn sees(&self, door: &Door) -> bool {
        [door.inside, door.outside].into_iter().any(|side| self.in_area(side).is_some())
    }
}

impl Survey {
    /// What of it somebody sees: the areas in reach and what lies around them, the doors that lead into them or out, and
    /// the controllers, fire zones and groups of those doors. Levels, schedules and groups of people are of the whole site.
    #[must_use]
    pub fn within(mut self, reach: &Reach) -> Self {
        if reach.is_whole() {
            return self;
        }
        let seen: Vec<AreaId> =
            self.areas.iter().map(|(id, _)| *id).filter(|id| reach.in_area(*id).is_some()).collect();
        self.doors.retain(|(_, door)| reach.sees(door));
        let sides = self.doors.iter().flat_map(|(_, door)| [door.inside, door.outside]);
        // What lies around is named, so that one knows where one is.
        let named: Vec<AreaId> = seen.into_iter().chain(sides).flat_map(|id| self.around(id)).collect();
        self.areas.retain(|(id, _)| named.contains(id));
        let doors: Vec<DoorId> = self.doors.iter().map(|(id, _)| *id).collect();
        let of_doors = &self.doors;
        self.controllers.retain(|(id, _)| of_doors.iter().any(|(_, door)| door.controller == *id));
        self.fire_zones.retain(|(id, _)| of_doors.iter().any(|(_, door)| door.fire_zone == Some(*id)));
        for (_, group) in &mut self.door_groups {
            group.doors.retain(|id| doors.contains(id));
        }
        self.door_groups.retain(|(_, group)| !group.doors.is_empty());
        self
    }
}

/// Whether somebody with these ranks may have turned the site from what it was into what it is: whoever has the rank at the
/// whole site may anything; whoever has it in places changes what lies in them, and moves nothing in or out. Their doors lead
/// in from their own areas or from outside, hang on controllers that drive doors of theirs, and belong to zones of theirs.
#[must_use]
pub fn may_turn(ranks: &Ranks, least: Role, before: &Survey, after: &Survey) -> bool {
    if ranks.at_site() >= Some(least) {
        return true;
    }
    let (was, is) = (Reach::of(ranks, before), Reach::of(ranks, after));
    let change = Change { least: Some(least), before, after, was, is };
    change.leaves_the_rest() && change.of_areas() && change.of_doors()
}

struct Change<'a> {
    least: Option<Role>,
    before: &'a Survey,
    after: &'a Survey,
    was: Reach,
    is: Reach,
}

impl Change<'_> {
    /// What belongs to the whole site is as it was; levels and groups may have lost doors that are gone.
    fn leaves_the_rest(&self) -> bool {
        let (before, after) = (self.before, self.after);
        let left = |doors: &[DoorId]| -> Vec<DoorId> {
            doors.iter().copied().filter(|door| after.door(*door).is_some()).collect()
        };
        let levels = before
            .levels
            .iter()
            .map(|(id, level)| (*id, crate::level::Level { doors: left(&level.doors), ..level.clone() }));
        let groups = before
            .door_groups
            .iter()
            .map(|(id, group)| (*id, DoorGroup { doors: left(&group.doors), ..group.clone() }));
        before.site == after.site
            && before.controllers == after.controllers
            && before.fire_zones == after.fire_zones
            && before.schedules == after.schedules
            && before.days == after.days
            && levels.eq(after.levels.iter().cloned())
            && groups.eq(after.door_groups.iter().cloned())
    }

    fn of_areas(&self) -> bool {
        let ids = self.before.areas.iter().chain(&self.after.areas).map(|(id, _)| *id);
        ids.into_iter().all(|id| {
            let around = |area: &Area, reach: &Reach| {
                area.parent.is_some_and(|parent| reach.in_area(parent) >= self.least)
            };
            match (self.before.area(id), self.after.area(id)) {
                (Some(was), Some(is)) if was == is => true,
                // Renamed where it is: its own manager may. Moved, or made something else: only who has what lies around it.
                (Some(was), Some(is)) if (was.kind, was.parent) == (is.kind, is.parent) => {
                    self.was.in_area(id) >= self.least
                }
                (Some(was), Some(is)) => around(was, &self.was) && around(is, &self.is),
                (Some(was), None) => around(was, &self.was),
                (None, Some(is)) => around(is, &self.is),
                (None, None) => true,
            }
        })
    }

    fn of_doors(&self) -> bool {
        let ids = self.before.doors.iter().chain(&self.after.doors).map(|(id, _)| *id);
        ids.into_iter().all(|id| match (self.before.door(id), self.after.door(id)) {
            (Some(was), Some(is)) if was == is => true,
            (was, is) => {
                was.is_none_or(|was| self.was.at_door(was) >= self.least)
                    && is.is_none_or(|is| self.is.at_door(is) >= self.least && self.hangs_together(was, is))
            }
        })
    }

    /// Whether what a door names is the own, or was named before.
    fn hangs_together(&self, was: Option<&Door>, is: &Door) -> bool {
        let own =
            || self.before.doors.iter().map(|(_, door)| door).filter(|it| self.was.at_door(it) >= self.least);
        let kept = |same: fn(&Door, &Door) -> bool| was.is_some_and(|was| same(was, is));
        let from = self.after.area(is.outside);
        let outside = self.is.in_area(is.outside) >= self.least
            || from.is_some_and(|area| area.kind == AreaKind::Outside)
            || kept(|was, is| was.outside == is.outside);
        let controller = own().any(|door| door.controller == is.controller);
        let zone = is.fire_zone.is_none()
            || own().any(|door| door.fire_zone == is.fire_zone)
            || kept(|was, is| was.fire_zone == is.fire_zone);
        outside && (controller || kept(|was, is| was.controller == is.controller)) && zone
    }
}
