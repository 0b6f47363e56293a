//! One thing of the site, whatever it is, and what names it.

use domain::ids::{AreaId, ControllerId, DoorId, FireZoneId, GroupId, LevelId, ScheduleId};

use super::{Survey, found};
use crate::door::Door;
use crate::label::Label;
use crate::level::Level;

/// One thing of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Thing {
    Area(AreaId),
    Controller(ControllerId),
    FireZone(FireZoneId),
    Schedule(ScheduleId),
    Door(DoorId),
    DoorGroup(u64),
    Level(LevelId),
    /// A group of people.
    Group(GroupId),
}

impl Thing {
    /// What kind of thing, for programs and language files.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Area(_) => "area",
            Self::Controller(_) => "controller",
            Self::FireZone(_) => "fire-zone",
            Self::Schedule(_) => "schedule",
            Self::Door(_) => "door",
            Self::DoorGroup(_) => "door-group",
            Self::Level(_) => "level",
            Self::Group(_) => "group",
        }
    }

    /// Its number among its kind.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::Area(id) => id.0,
            Self::Controller(id) => id.0,
            Self::FireZone(id) => id.0,
            Self::Schedule(id) => id.0,
            Self::Door(id) => id.0,
            Self::DoorGroup(id) => id,
            Self::Level(id) => id.0,
            Self::Group(id) => id.0,
        }
    }
}

impl Survey {
    /// What a thing is called; `None` when it is not there.
    #[must_use]
    pub fn label(&self, thing: Thing) -> Option<Label> {
        match thing {
            Thing::Area(id) => self.area(id).map(|it| it.label.clone()),
            Thing::Schedule(id) => self.schedule(id).map(|it| it.label.clone()),
            Thing::Door(id) => self.door(id).map(|it| it.label.clone()),
            Thing::DoorGroup(id) => self.door_group(id).map(|it| it.label.clone()),
            Thing::Level(id) => self.level(id).map(|it| it.label.clone()),
            Thing::Controller(id) => found(&self.controllers, id).cloned(),
            Thing::FireZone(id) => found(&self.fire_zones, id).cloned(),
            Thing::Group(id) => self.groups.iter().find(|it| it.id == id).map(|it| Label {
                key: it.name.key.clone(),
                name: it.name.name.clone(),
                latin: it.name.latin.clone(),
            }),
        }
    }

    /// What names a thing and would be left without it: while there is any, the thing is not removed.
    #[must_use]
    pub fn holders(&self, thing: Thing) -> Vec<Thing> {
        let doors = |names: &dyn Fn(&Door) -> bool| -> Vec<Thing> {
            self.doors.iter().filter(|(_, it)| names(it)).map(|(id, _)| Thing::Door(*id)).collect()
        };
        let levels = |names: &dyn Fn(&Level) -> bool| -> Vec<Thing> {
            self.levels.iter().filter(|(_, it)| names(it)).map(|(id, _)| Thing::Level(*id)).collect()
        };
        match thing {
            Thing::Area(area) => {
                let within = self.areas_in(Some(area)).map(|(id, _)| Thing::Area(*id));
                within.chain(doors(&|it| it.inside == area || it.outside == area)).collect()
            }
            Thing::Controller(controller) => doors(&|it| it.controller == controller),
            Thing::FireZone(zone) => doors(&|it| it.fire_zone == Some(zone)),
            Thing::Schedule(schedule) => {
                let mut holders = levels(&|it| it.schedule == schedule);
                holders.extend(doors(&|it| it.rules.iter().any(|rule| rule.schedule == schedule)));
                holders
            }
            Thing::DoorGroup(group) => levels(&|it| it.door_groups.contains(&group)),
            Thing::Group(group) => levels(&|it| it.groups.contains(&group)),
            // Levels and groups go on without a door, and nothing names a level.
            Thing::Door(_) | Thing::Level(_) => Vec::new(),
        }
    }
}
