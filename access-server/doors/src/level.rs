//! Access levels: which groups of people enter which doors when.

use domain::ids::{DoorId, GroupId, LevelId, ScheduleId};
use kit::Tx;
use kit::auth::OperatorId;
use serde_json::json;
use sqlx::AnyConnection;

use crate::error::{DoorsError, on_constraint};
use crate::label::{Label, Put, row_id};
use crate::place::removed;

/// Any of the groups may enter any of the doors while the schedule is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// What it is called.
    pub label: Label,
    /// Groups of people.
    pub groups: Vec<GroupId>,
    /// Doors by themselves.
    pub doors: Vec<DoorId>,
    /// Doors by their groups, as [`crate::door::groups`] numbers them.
    pub door_groups: Vec<u64>,
    /// When.
    pub schedule: ScheduleId,
}

/// Id, key, name, name in Latin letters, schedule.
type Row = (i64, String, String, String, i64);

kit::statements! {
    LEVELS = "SELECT id, key, name, latin, schedule FROM level ORDER BY id";
    OF_GROUPS = "SELECT level, person_group FROM level_group ORDER BY level, person_group";
    OF_DOORS = "SELECT level, door FROM level_door ORDER BY level, door";
    OF_DOOR_GROUPS = "SELECT level, door_group FROM level_door_group ORDER BY level, door_group";
    GROUPS_OF = "SELECT level, person_group FROM level_group WHERE level = $1 ORDER BY person_group";
    DOORS_OF = "SELECT level, door FROM level_door WHERE level = $1 ORDER BY door";
    DOOR_GROUPS_OF = "SELECT level, door_group FROM level_door_group WHERE level = $1 ORDER BY door_group";
    BY_KEY = "SELECT id, key, name, latin, schedule FROM level WHERE key = $1";
    ADD = "INSERT INTO level (key, name, latin, schedule) VALUES ($1, $2, $3, $4) RETURNING id";
    CHANGE = "UPDATE level SET name = $2, latin = $3, schedule = $4 WHERE id = $1";
    CLEAR_GROUPS = "DELETE FROM level_group WHERE level = $1";
    CLEAR_DOORS = "DELETE FROM level_door WHERE level = $1";
    CLEAR_DOOR_GROUPS = "DELETE FROM level_door_group WHERE level = $1";
    ADD_GROUP = "INSERT INTO level_group (level, person_group) VALUES ($1, $2)";
    ADD_DOOR = "INSERT INTO level_door (level, door) VALUES ($1, $2)";
    ADD_DOOR_GROUP = "INSERT INTO level_door_group (level, door_group) VALUES ($1, $2)";
    REMOVE = "DELETE FROM level WHERE id = $1";
}

/// Every level, by id.
///
/// # Errors
/// When the database fails.
pub async fn list(connection: &mut AnyConnection) -> Result<Vec<(LevelId, Level)>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(LEVELS).fetch_all(&mut *connection).await?;
    let groups: Vec<(i64, i64)> = sqlx::query_as(OF_GROUPS).fetch_all(&mut *connection).await?;
    let doors: Vec<(i64, i64)> = sqlx::query_as(OF_DOORS).fetch_all(&mut *connection).await?;
    let door_groups: Vec<(i64, i64)> = sqlx::query_as(OF_DOOR_GROUPS).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| together(row, &groups, &doors, &door_groups)).collect())
}

async fn by_key(connection: &mut AnyConnection, key: &str) -> Result<Option<(LevelId, Level)>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(BY_KEY).bind(key).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(None) };
    let groups: Vec<(i64, i64)> = sqlx::query_as(GROUPS_OF).bind(row.0).fetch_all(&mut *connection).await?;
    let doors: Vec<(i64, i64)> = sqlx::query_as(DOORS_OF).bind(row.0).fetch_all(&mut *connection).await?;
    let door_groups: Vec<(i64, i64)> =
        sqlx::query_as(DOOR_GROUPS_OF).bind(row.0).fetch_all(connection).await?;
    Ok(Some(together(row, &groups, &doors, &door_groups)))
}

fn together(
    (id, key, name, latin, schedule): Row,
    groups: &[(i64, i64)],
    doors: &[(i64, i64)],
    door_groups: &[(i64, i64)],
) -> (LevelId, Level) {
    let level = Level {
        label: Label { key, name, latin },
        groups: of(groups, id).map(GroupId).collect(),
        doors: of(doors, id).map(DoorId).collect(),
        door_groups: of(door_groups, id).collect(),
        schedule: ScheduleId(schedule.cast_unsigned()),
    };
    (LevelId(id.cast_unsigned()), level)
}

/// Puts a level in place, found by its key.
///
/// # Errors
/// Names the field that is not taken.
pub async fn put(tx: &mut Tx, by: Option<OperatorId>, new: &Level) -> Result<(LevelId, Put), DoorsError> {
    new.label.check()?;
    let mut new = new.clone();
    ascending(&mut new.groups);
    ascending(&mut new.doors);
    ascending(&mut new.door_groups);
    let no_schedule = || DoorsError::field("schedule", "there is no such schedule");
    let (id, put) = match by_key(tx, &new.label.key).await? {
        Some((id, old)) if old == new => return Ok((id, Put::Same)),
        Some((id, _)) => {
            let id = row_id(id.0);
            let change =
                sqlx::query(CHANGE).bind(id).bind(new.label.name.as_str()).bind(new.label.latin.as_str());
            let change = change.bind(row_id(new.schedule.0)).execute(&mut **tx).await;
            change.map_err(on_constraint(no_schedule()))?;
            for clear in [CLEAR_GROUPS, CLEAR_DOORS, CLEAR_DOOR_GROUPS] {
                sqlx::query(clear).bind(id).execute(&mut **tx).await?;
            }
            (id, Put::Changed)
        }
        None => {
            let add = sqlx::query_as(ADD).bind(new.label.key.as_str()).bind(new.label.name.as_str());
            let add = add.bind(new.label.latin.as_str()).bind(row_id(new.schedule.0));
            let (id,): (i64,) = add.fetch_one(&mut **tx).await.map_err(on_constraint(no_schedule()))?;
            (id, Put::Created)
        }
    };
    let members = [
        (ADD_GROUP, new.groups.iter().map(|group| group.0).collect::<Vec<_>>(), "groups"),
        (ADD_DOOR, new.doors.iter().map(|door| door.0).collect(), "doors"),
        (ADD_DOOR_GROUP, new.door_groups.clone(), "door_groups"),
    ];
    for (add, ids, field) in members {
        for member in ids {
            let added = sqlx::query(add).bind(id).bind(row_id(member)).execute(&mut **tx).await;
            added.map_err(on_constraint(DoorsError::field(field, "one of them is not there")))?;
        }
    }
    tx.record("level.changed", &json!({ "level": id, "by": by.map(|by| by.0) })).await?;
    Ok((LevelId(id.cast_unsigned()), put))
}

/// Removes a level.
///
/// # Errors
/// When it is not there.
pub async fn remove(tx: &mut Tx, by: Option<OperatorId>, id: LevelId) -> Result<(), DoorsError> {
    removed(tx, by, REMOVE, "level", id.0).await
}

fn of(pairs: &[(i64, i64)], level: i64) -> impl Iterator<Item = u64> {
    // They ascend by level.
    let first = pairs.partition_point(|(id, _)| *id < level);
    pairs[first..].iter().take_while(move |(id, _)| *id == level).map(|(_, member)| member.cast_unsigned())
}

fn ascending<I: Ord>(ids: &mut Vec<I>) {
    ids.sort_unstable();
    ids.dedup();
}
