//! Groups of people.

use domain::ids::GroupId;
use kit::auth::OperatorId;
use kit::{Kit, Tx};
use serde_json::json;
use sqlx::AnyConnection;

use crate::error::{PeopleError, on_constraint, taken};
use crate::person::{KEY_RULE, is_key, row_id};
use crate::text;

/// What is known about a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupName {
    /// The site's own name for the row.
    pub key: String,
    /// The name as it is shown: a [`text::name`].
    pub name: String,
    /// The name in Latin letters; may be empty.
    pub latin: String,
}

/// A group of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its identity.
    pub id: GroupId,
    /// Its names.
    pub name: GroupName,
    /// How many people belong to it.
    pub members: u64,
}

kit::statements! {
    ADD = "INSERT INTO person_group (key, name, latin) VALUES ($1, $2, $3) RETURNING id";
    CHANGE = "UPDATE person_group SET key = $2, name = $3, latin = $4 WHERE id = $1";
    REMOVE = "DELETE FROM person_group WHERE id = $1";
    BY_KEY = "SELECT id, key, name, latin FROM person_group WHERE key = $1";
    GET = "SELECT key, name, latin FROM person_group WHERE id = $1";
    LIST = "SELECT g.id, g.key, g.name, g.latin, (SELECT COUNT(*) FROM person_group_member m WHERE m.person_group = g.id) FROM person_group g ORDER BY g.id";
    IDS = "SELECT id FROM person_group ORDER BY id";
    KEYS = "SELECT id, key FROM person_group ORDER BY id";
}

impl GroupName {
    fn check(&self) -> Result<(), PeopleError> {
        let field = |field, why| Err(PeopleError::Field { field, why });
        if !is_key(&self.key) {
            return field("key", KEY_RULE);
        }
        text::name(&self.name).or_else(|why| field("name", why))?;
        text::line(&self.latin).or_else(|why| field("latin", why))
    }
}

/// Adds a group.
///
/// # Errors
/// Names the field that is not taken.
pub async fn add(tx: &mut Tx, by: Option<OperatorId>, name: &GroupName) -> Result<GroupId, PeopleError> {
    name.check()?;
    let (id,): (i64,) = sqlx::query_as(ADD)
        .bind(name.key.as_str())
        .bind(name.name.as_str())
        .bind(name.latin.as_str())
        .fetch_one(&mut **tx)
        .await
        .map_err(taken("key"))?;
    tx.record("group.added", &json!({ "group": id, "by": by.map(|by| by.0) })).await?;
    Ok(GroupId(id.cast_unsigned()))
}

/// Renames a group.
///
/// # Errors
/// Names the field that is not taken; there is no such group.
pub async fn change(
    tx: &mut Tx,
    by: Option<OperatorId>,
    group: GroupId,
    name: &GroupName,
) -> Result<(), PeopleError> {
    name.check()?;
    let changed = sqlx::query(CHANGE)
        .bind(row_id(group.0))
        .bind(name.key.as_str())
        .bind(name.name.as_str())
        .bind(name.latin.as_str())
        .execute(&mut **tx)
        .await
        .map_err(taken("key"))?;
    if changed.rows_affected() == 0 {
        return Err(PeopleError::Unknown("group"));
    }
    tx.record("group.changed", &json!({ "group": group.0, "by": by.map(|by| by.0) })).await?;
    Ok(())
}

/// Removes a group; its members stay. One that an access level names is not removed.
///
/// # Errors
/// When it is named by a level, or there is no such group.
pub async fn remove(tx: &mut Tx, by: Option<OperatorId>, group: GroupId) -> Result<(), PeopleError> {
    let removed = sqlx::query(REMOVE).bind(row_id(group.0)).execute(&mut **tx).await;
    let refusal = PeopleError::Field { field: "group", why: "an access level names it" };
    let removed = removed.map_err(on_constraint(refusal))?;
    if removed.rows_affected() == 0 {
        return Err(PeopleError::Unknown("group"));
    }
    tx.record("group.removed", &json!({ "group": group.0, "by": by.map(|by| by.0) })).await?;
    Ok(())
}

/// A group by key.
///
/// # Errors
/// When the database fails.
pub async fn by_key(
    connection: &mut AnyConnection,
    key: &str,
) -> Result<Option<(GroupId, GroupName)>, sqlx::Error> {
    let row: Option<(i64, String, String, String)> =
        sqlx::query_as(BY_KEY).bind(key).fetch_optional(connection).await?;
    Ok(row.map(|(id, key, name, latin)| (GroupId(id.cast_unsigned()), GroupName { key, name, latin })))
}

/// A group by id.
///
/// # Errors
/// When the database fails.
pub async fn get(connection: &mut AnyConnection, group: GroupId) -> Result<Option<GroupName>, sqlx::Error> {
    let row: Option<(String, String, String)> =
        sqlx::query_as(GET).bind(row_id(group.0)).fetch_optional(connection).await?;
    Ok(row.map(|(key, name, latin)| GroupName { key, name, latin }))
}

/// Every group, by id.
///
/// # Errors
/// When the database fails.
pub async fn list(kit: &Kit) -> Result<Vec<Group>, sqlx::Error> {
    all(&mut *kit.read().acquire().await?).await
}

/// Every group, by id, as this connection sees them.
///
/// # Errors
/// When the database fails.
pub async fn all(connection: &mut AnyConnection) -> Result<Vec<Group>, sqlx::Error> {
    let rows: Vec<(i64, String, String, String, i64)> = sqlx::query_as(LIST).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(id, key, name, latin, members)| Group {
            id: GroupId(id.cast_unsigned()),
            name: GroupName { key, name, latin },
            members: members.cast_unsigned(),
        })
        .collect())
}

/// Every group's id and key, by id.
///
/// # Errors
/// When the database fails.
pub async fn keys(connection: &mut AnyConnection) -> Result<Vec<(GroupId, String)>, sqlx::Error> {
    let rows: Vec<(i64, String)> = sqlx::query_as(KEYS).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(id, key)| (GroupId(id.cast_unsigned()), key)).collect())
}

/// Every group's id, ascending, for a policy.
///
/// # Errors
/// When the database fails.
pub async fn for_policy(connection: &mut AnyConnection) -> Result<Vec<GroupId>, sqlx::Error> {
    let rows: Vec<(i64,)> = sqlx::query_as(IDS).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(id,)| GroupId(id.cast_unsigned())).collect())
}
