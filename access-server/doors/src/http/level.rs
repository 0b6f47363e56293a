//! Access levels and groups of doors, for programs.

use domain::ids::{DoorId, GroupId, LevelId, ScheduleId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::things::{Names, Resource, aim, print};
use crate::edit::{Edit, Seen};
use crate::error::DoorsError;
use crate::survey::{Survey, Thing};
use crate::{door, level};

/// Who may pass where and when.
#[derive(Serialize, ToSchema)]
pub(super) struct Level {
    id: u64,
    key: String,
    name: String,
    latin: String,
    /// Groups of people.
    groups: Vec<u64>,
    doors: Vec<u64>,
    door_groups: Vec<u64>,
    schedule: u64,
    /// Another one with every change.
    version: String,
}

/// An access level to be put in place.
#[derive(Deserialize, ToSchema)]
#[schema(as = LevelBody)]
pub(super) struct LevelBody {
    #[serde(flatten)]
    #[schema(inline)]
    names: Names,
    /// Groups of people.
    #[serde(default)]
    groups: Vec<u64>,
    #[serde(default)]
    doors: Vec<u64>,
    #[serde(default)]
    door_groups: Vec<u64>,
    schedule: u64,
}

/// Doors that levels name together.
#[derive(Serialize, ToSchema)]
pub(super) struct DoorGroup {
    id: u64,
    key: String,
    name: String,
    latin: String,
    doors: Vec<u64>,
    /// Another one with every change.
    version: String,
}

/// A group of doors to be put in place.
#[derive(Deserialize, ToSchema)]
#[schema(as = DoorGroupBody)]
pub(super) struct DoorGroupBody {
    #[serde(flatten)]
    #[schema(inline)]
    names: Names,
    #[serde(default)]
    doors: Vec<u64>,
}

/// Ascending, each once: order means nothing.
fn sorted(mut ids: Vec<u64>) -> Vec<u64> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

impl Resource for Level {
    type Body = LevelBody;

    fn list(survey: &Survey) -> Vec<Self> {
        let levels = survey.levels.iter().map(|(id, it)| Self {
            id: id.0,
            key: it.label.key.clone(),
            name: it.label.name.clone(),
            latin: it.label.latin.clone(),
            groups: it.groups.iter().map(|group| group.0).collect(),
            doors: it.doors.iter().map(|door| door.0).collect(),
            door_groups: it.door_groups.clone(),
            schedule: it.schedule.0,
            version: Seen::of(it).to_string(),
        });
        levels.collect()
    }

    fn thing(id: u64) -> Thing {
        Thing::Level(LevelId(id))
    }

    fn seen(survey: &Survey, id: u64) -> Option<Seen> {
        print(&survey.levels, LevelId(id))
    }

    async fn put(edit: &mut Edit, known: Option<(u64, Seen)>, body: LevelBody) -> Result<u64, DoorsError> {
        let level = level::Level {
            label: body.names.into(),
            groups: sorted(body.groups).into_iter().map(GroupId).collect(),
            doors: sorted(body.doors).into_iter().map(DoorId).collect(),
            door_groups: sorted(body.door_groups),
            schedule: ScheduleId(body.schedule),
        };
        Ok(edit.level(aim(known, LevelId), &level).await?.0)
    }
}

impl Resource for DoorGroup {
    type Body = DoorGroupBody;

    fn list(survey: &Survey) -> Vec<Self> {
        let groups = survey.door_groups.iter().map(|(id, it)| Self {
            id: *id,
            key: it.label.key.clone(),
            name: it.label.name.clone(),
            latin: it.label.latin.clone(),
            doors: it.doors.iter().map(|door| door.0).collect(),
            version: Seen::of(it).to_string(),
        });
        groups.collect()
    }

    fn thing(id: u64) -> Thing {
        Thing::DoorGroup(id)
    }

    fn seen(survey: &Survey, id: u64) -> Option<Seen> {
        print(&survey.door_groups, id)
    }

    async fn put(
        edit: &mut Edit,
        known: Option<(u64, Seen)>,
        body: DoorGroupBody,
    ) -> Result<u64, DoorsError> {
        let doors = sorted(body.doors).into_iter().map(DoorId).collect();
        let group = door::DoorGroup { label: body.names.into(), doors };
        edit.door_group(aim(known, |id| id), &group).await
    }
}
