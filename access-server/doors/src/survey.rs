//! The whole site at one moment: what lies where, what names what, and what of it comes to nothing.

mod concern;
mod thing;

use std::collections::BTreeSet;

pub use concern::Concern;
use domain::ids::{AreaId, ControllerId, DoorId, FireZoneId, LevelId, ScheduleId};
use people::group::{self, Group};
use sqlx::AnyConnection;
pub use thing::Thing;

use crate::door::{self, Door, DoorGroup};
use crate::label::Label;
use crate::level::{self, Level};
use crate::place::{self, Area, AreaKind, Site};
use crate::schedule::{self, CalendarDay, Schedule};

/// Everything the site is made of but its people; each list by id, days by date.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each list is of what it names")]
pub struct Survey {
    /// `None` before it was set up.
    pub site: Option<Site>,
    pub areas: Vec<(AreaId, Area)>,
    pub controllers: Vec<(ControllerId, Label)>,
    pub fire_zones: Vec<(FireZoneId, Label)>,
    pub schedules: Vec<(ScheduleId, Schedule)>,
    pub days: Vec<CalendarDay>,
    pub doors: Vec<(DoorId, Door)>,
    pub door_groups: Vec<(u64, DoorGroup)>,
    pub levels: Vec<(LevelId, Level)>,
    /// Groups of people, with how many belong to each.
    pub groups: Vec<Group>,
}

impl Survey {
    /// The site as it is seen through this connection: hand in one that holds a transaction where two moments must not be
    /// mixed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(connection: &mut AnyConnection) -> Result<Self, sqlx::Error> {
        Ok(Self {
            site: place::site(connection).await?,
            areas: place::areas(connection).await?,
            controllers: place::controllers(connection).await?,
            fire_zones: place::fire_zones(connection).await?,
            schedules: schedule::list(connection).await?,
            days: schedule::calendar_days(connection).await?,
            doors: door::list(connection).await?,
            door_groups: door::groups(connection).await?,
            levels: level::list(connection).await?,
            groups: group::all(connection).await?,
        })
    }

    /// An area.
    #[must_use]
    pub fn area(&self, id: AreaId) -> Option<&Area> {
        found(&self.areas, id)
    }

    /// A door.
    #[must_use]
    pub fn door(&self, id: DoorId) -> Option<&Door> {
        found(&self.doors, id)
    }

    /// A schedule.
    #[must_use]
    pub fn schedule(&self, id: ScheduleId) -> Option<&Schedule> {
        found(&self.schedules, id)
    }

    /// A group of doors.
    #[must_use]
    pub fn door_group(&self, id: u64) -> Option<&DoorGroup> {
        found(&self.door_groups, id)
    }

    /// A level.
    #[must_use]
    pub fn level(&self, id: LevelId) -> Option<&Level> {
        found(&self.levels, id)
    }

    /// The areas that lie in this one, by id; for `None` those that lie in nothing.
    pub fn areas_in(&self, around: Option<AreaId>) -> impl Iterator<Item = &(AreaId, Area)> {
        self.areas.iter().filter(move |(_, area)| area.parent == around)
    }

    /// An area and all around it, from the inside out. Ends where an area would lie within itself.
    #[must_use]
    pub fn around(&self, area: AreaId) -> Vec<AreaId> {
        let mut all = Vec::new();
        let mut next = Some(area);
        while let Some(id) = next.filter(|id| !all.contains(id)) {
            all.push(id);
            next = self.area(id).and_then(|area| area.parent);
        }
        all
    }

    /// The floor an area lies on, or is.
    #[must_use]
    pub fn floor_of(&self, area: AreaId) -> Option<AreaId> {
        self.around(area).into_iter().find(|id| self.area(*id).is_some_and(|it| it.kind == AreaKind::Floor))
    }

    /// The doors that lead into a floor, out of it, or from one of its areas to another, by id.
    pub fn doors_of_floor(&self, floor: AreaId) -> impl Iterator<Item = &(DoorId, Door)> {
        self.doors.iter().filter(move |(_, door)| {
            [door.inside, door.outside].into_iter().any(|side| self.floor_of(side) == Some(floor))
        })
    }

    /// The doors a level leads through, by themselves and by their groups.
    #[must_use]
    pub fn doors_of_level(&self, level: &Level) -> BTreeSet<DoorId> {
        let groups = level.door_groups.iter().filter_map(|group| self.door_group(*group));
        groups.flat_map(|group| &group.doors).chain(&level.doors).copied().collect()
    }

    /// How many people a level's groups have; somebody in two of them counts twice.
    #[must_use]
    pub fn people_of_level(&self, level: &Level) -> u64 {
        self.groups.iter().filter(|group| level.groups.contains(&group.id)).map(|group| group.members).sum()
    }
}

/// The row of an id; rows ascend by id.
fn found<I: Ord + Copy, T>(rows: &[(I, T)], id: I) -> Option<&T> {
    rows.binary_search_by_key(&id, |(id, _)| *id).ok().map(|at| &rows[at].1)
}
