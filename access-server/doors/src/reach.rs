//! What of the site somebody has to do with: their rank in each of its areas and at each of its doors. Pure.
//!
//! A rank in a place holds in all that lies in it. A door belongs to where it leads into: whoever changes it or commands it
//! needs the rank there. Seen it is from both sides.

use std::collections::BTreeMap;

use domain::ids::{AreaId, DoorId};
use kit::auth::{Ranks, Role};

use crate::door::Door;
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
