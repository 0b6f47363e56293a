//! The site, its areas, controllers and fire zones.

use std::time::Duration;

use domain::ids::{AreaId, ControllerId, FireZoneId};
use domain::policy::SiteRules;
use domain::request::Score;
use jiff::tz::TimeZone;
use kit::Tx;
use kit::auth::OperatorId;
use people::word::Word;
use people::words;
use serde_json::json;
use sqlx::AnyConnection;

use crate::error::{DoorsError, on_constraint};
use crate::label::{Label, Put, from_millis, millis, row_id};

/// The site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// What it is called.
    pub label: Label,
    /// Its time zone, by IANA name, as `Asia/Shanghai`.
    pub zone: String,
    /// The numbers that hold everywhere in it.
    pub rules: SiteRules,
}

/// What kind of area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AreaKind {
    /// Where people are before they enter anything. No parent.
    Outside,
    /// No parent.
    Building,
    /// Of a building.
    Floor,
    /// Of a floor, a building or another area.
    Area,
}

words!(AreaKind { Outside = "outside", Building = "building", Floor = "floor", Area = "area" });

/// A place people are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// What it is called.
    pub label: Label,
    /// What kind.
    pub kind: AreaKind,
    /// The area around it.
    pub parent: Option<AreaId>,
}

kit::statements! {
    SITE = "SELECT key, name, latin, zone, face_score, face_margin, wrong_tries, wrong_tries_within_ms, lock_out_ms, second_factor_within_ms, same_person_within_ms FROM site WHERE id = 1";
    PUT_SITE = "INSERT INTO site (id, key, name, latin, zone, face_score, face_margin, wrong_tries, wrong_tries_within_ms, lock_out_ms, second_factor_within_ms, same_person_within_ms) VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO UPDATE SET key = excluded.key, name = excluded.name, latin = excluded.latin, zone = excluded.zone, face_score = excluded.face_score, face_margin = excluded.face_margin, wrong_tries = excluded.wrong_tries, wrong_tries_within_ms = excluded.wrong_tries_within_ms, lock_out_ms = excluded.lock_out_ms, second_factor_within_ms = excluded.second_factor_within_ms, same_person_within_ms = excluded.same_person_within_ms";
    AREAS = "SELECT id, key, name, latin, kind, parent FROM area ORDER BY id";
    AREA_BY_KEY = "SELECT id, key, name, latin, kind, parent FROM area WHERE key = $1";
    ADD_AREA = "INSERT INTO area (key, name, latin, kind, parent) VALUES ($1, $2, $3, $4, $5) RETURNING id";
    AROUND = "WITH RECURSIVE around (id, steps) AS (SELECT parent, 1 FROM area WHERE id = $1 UNION SELECT a.parent, r.steps + 1 FROM area a JOIN around r ON a.id = r.id WHERE r.steps < 64) SELECT id FROM around WHERE id IS NOT NULL";
    CHANGE_AREA = "UPDATE area SET name = $2, latin = $3, kind = $4, parent = $5 WHERE id = $1";
    REMOVE_AREA = "DELETE FROM area WHERE id = $1";
    CONTROLLERS = "SELECT id, key, name, latin FROM controller ORDER BY id";
    CONTROLLER = "SELECT id, key, name, latin FROM controller WHERE id = $1";
    PUT_CONTROLLER = "INSERT INTO controller (id, key, name, latin) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET key = excluded.key, name = excluded.name, latin = excluded.latin";
    REMOVE_CONTROLLER = "DELETE FROM controller WHERE id = $1";
    FIRE_ZONES = "SELECT id, key, name, latin FROM fire_zone ORDER BY id";
    FIRE_ZONE_BY_KEY = "SELECT id, key, name, latin FROM fire_zone WHERE key = $1";
    ADD_FIRE_ZONE = "INSERT INTO fire_zone (key, name, latin) VALUES ($1, $2, $3) RETURNING id";
    CHANGE_FIRE_ZONE = "UPDATE fire_zone SET name = $2, latin = $3 WHERE id = $1";
    REMOVE_FIRE_ZONE = "DELETE FROM fire_zone WHERE id = $1";
}

type SiteRow = (String, String, String, String, i64, i64, i64, i64, i64, i64, i64);
type AreaRow = (i64, String, String, String, String, Option<i64>);
type NamedRow = (i64, String, String, String);

/// The zone of a site that names none.
pub const USUAL_ZONE: &str = "Asia/Shanghai";

/// The numbers of a site that names none: faces from 0.50 with a margin of 0.05 (of 1,611 tries of strangers against 874
/// people 4 came that near: `vision/vision/README.md`; thousands of people need 0.55), an alarm at the fifth wrong try
/// within five minutes and a minute's pause, ten seconds for a second factor, three for the next lane.
pub const USUAL_RULES: SiteRules = SiteRules {
    face_score: Score(5000),
    face_margin: Score(500),
    wrong_tries: 5,
    wrong_tries_within: Duration::from_secs(300),
    lock_out: Duration::from_secs(60),
    second_factor_within: Duration::from_secs(10),
    same_person_within: Duration::from_secs(3),
};

/// The longest of the site's durations.
pub const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// The site; `None` before it was set up.
///
/// # Errors
/// When the database fails.
pub async fn site(connection: &mut AnyConnection) -> Result<Option<Site>, sqlx::Error> {
    let row: Option<SiteRow> = sqlx::query_as(SITE).fetch_optional(connection).await?;
    let Some((key, name, latin, zone, score, margin, tries, within, lock_out, second, same)) = row else {
        return Ok(None);
    };
    let small = |value: i64| i16::try_from(value).map_err(|error| sqlx::Error::Decode(error.into()));
    let rules = SiteRules {
        face_score: Score(small(score)?),
        face_margin: Score(small(margin)?),
        wrong_tries: u8::try_from(tries).map_err(|error| sqlx::Error::Decode(error.into()))?,
        wrong_tries_within: from_millis(within),
        lock_out: from_millis(lock_out),
        second_factor_within: from_millis(second),
        same_person_within: from_millis(same),
    };
    Ok(Some(Site { label: Label { key, name, latin }, zone, rules }))
}

/// Puts the site's names, zone and numbers in place.
///
/// # Errors
/// Names the field that is not taken.
pub async fn put_site(tx: &mut Tx, by: Option<OperatorId>, new: &Site) -> Result<Put, DoorsError> {
    new.label.check()?;
    if TimeZone::get(&new.zone).is_err() {
        return Err(DoorsError::field("zone", "is no IANA time zone, as Asia/Shanghai"));
    }
    let rules = &new.rules;
    if !(0..=10_000).contains(&rules.face_score.0) || !(0..=10_000).contains(&rules.face_margin.0) {
        return Err(DoorsError::field("face_score", "and face_margin must be 0 to 1"));
    }
    if !(1..=5).contains(&rules.wrong_tries) {
        return Err(DoorsError::field("wrong_tries", "must be 1 to 5"));
    }
    if !(1_000..=120_000).contains(&rules.second_factor_within.as_millis()) {
        return Err(DoorsError::field("second_factor_within", "must be 1 to 120 s"));
    }
    for (field, duration) in [
        ("wrong_tries_within", rules.wrong_tries_within),
        ("lock_out", rules.lock_out),
        ("same_person_within", rules.same_person_within),
    ] {
        if duration > LONGEST {
            return Err(DoorsError::field(field, "must be at most a week"));
        }
    }
    let old = site(tx).await?;
    if old.as_ref() == Some(new) {
        return Ok(Put::Same);
    }
    sqlx::query(PUT_SITE)
        .bind(new.label.key.as_str())
        .bind(new.label.name.as_str())
        .bind(new.label.latin.as_str())
        .bind(new.zone.as_str())
        .bind(i64::from(rules.face_score.0))
        .bind(i64::from(rules.face_margin.0))
        .bind(i64::from(rules.wrong_tries))
        .bind(millis(rules.wrong_tries_within))
        .bind(millis(rules.lock_out))
        .bind(millis(rules.second_factor_within))
        .bind(millis(rules.same_person_within))
        .execute(&mut **tx)
        .await?;
    tx.record("site.changed", &json!({ "by": by.map(|by| by.0) })).await?;
    Ok(if old.is_some() { Put::Changed } else { Put::Created })
}

/// Every area, by id.
///
/// # Errors
/// When the database fails.
pub async fn areas(connection: &mut AnyConnection) -> Result<Vec<(AreaId, Area)>, sqlx::Error> {
    let rows: Vec<AreaRow> = sqlx::query_as(AREAS).fetch_all(connection).await?;
    rows.into_iter().map(area).collect()
}

/// Puts an area in place, found by its key.
///
/// # Errors
/// Names the field that is not taken.
pub async fn put_area(tx: &mut Tx, by: Option<OperatorId>, new: &Area) -> Result<(AreaId, Put), DoorsError> {
    new.label.check()?;
    let needs_parent = matches!(new.kind, AreaKind::Floor | AreaKind::Area);
    match (needs_parent, new.parent) {
        (true, None) => return Err(DoorsError::field("parent", "a floor or an area lies in something")),
        (false, Some(_)) => {
            return Err(DoorsError::field("parent", "the outside and buildings lie in nothing"));
        }
        (true, Some(_)) | (false, None) => {}
    }
    let old: Option<AreaRow> =
        sqlx::query_as(AREA_BY_KEY).bind(new.label.key.as_str()).fetch_optional(&mut **tx).await?;
    let old = old.map(area).transpose()?;
    let no_parent = || DoorsError::field("parent", "there is no such area");
    let parent = new.parent.map(|parent| row_id(parent.0));
    if old.as_ref().is_none_or(|(_, old)| old.parent != new.parent) {
        check_around(tx, new.parent, old.as_ref().map(|(id, _)| *id)).await?;
    }
    let (id, put) = match old {
        Some((id, old)) if old == *new => return Ok((id, Put::Same)),
        Some((id, _)) => {
            sqlx::query(CHANGE_AREA)
                .bind(row_id(id.0))
                .bind(new.label.name.as_str())
                .bind(new.label.latin.as_str())
                .bind(new.kind.word())
                .bind(parent)
                .execute(&mut **tx)
                .await
                .map_err(on_constraint(no_parent()))?;
            (id, Put::Changed)
        }
        None => {
            let (id,): (i64,) = sqlx::query_as(ADD_AREA)
                .bind(new.label.key.as_str())
                .bind(new.label.name.as_str())
                .bind(new.label.latin.as_str())
                .bind(new.kind.word())
                .bind(parent)
                .fetch_one(&mut **tx)
                .await
                .map_err(on_constraint(no_parent()))?;
            (AreaId(id.cast_unsigned()), Put::Created)
        }
    };
    tx.record("area.changed", &json!({ "area": id.0, "by": by.map(|by| by.0) })).await?;
    Ok((id, put))
}

/// Areas around another at most, when it is put there: each way up is walked for each controller before a policy is put
/// in force.
const DEEPEST: usize = 64;

/// Refuses a place within the area itself, or in more than [`DEEPEST`] others.
async fn check_around(tx: &mut Tx, parent: Option<AreaId>, own: Option<AreaId>) -> Result<(), DoorsError> {
    let Some(parent) = parent else { return Ok(()) };
    let around: Vec<(i64,)> = sqlx::query_as(AROUND).bind(row_id(parent.0)).fetch_all(&mut **tx).await?;
    let around: Vec<AreaId> = around.into_iter().map(|(id,)| AreaId(id.cast_unsigned())).collect();
    if own.is_some_and(|own| own == parent || around.contains(&own)) {
        return Err(DoorsError::field("parent", "the area would lie within itself"));
    }
    if around.len() >= DEEPEST {
        return Err(DoorsError::field("parent", "the area would lie in more than 64 others"));
    }
    Ok(())
}

/// Removes an area.
///
/// # Errors
/// When a door leads to it or another area lies in it, or it is not there.
pub async fn remove_area(tx: &mut Tx, by: Option<OperatorId>, id: AreaId) -> Result<(), DoorsError> {
    removed(tx, by, REMOVE_AREA, "area", id.0).await
}

/// Every controller, by id.
///
/// # Errors
/// When the database fails.
pub async fn controllers(connection: &mut AnyConnection) -> Result<Vec<(ControllerId, Label)>, sqlx::Error> {
    let rows: Vec<NamedRow> = sqlx::query_as(CONTROLLERS).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| named(row, ControllerId)).collect())
}

/// Puts a controller in place. Its number is chosen, because its certificate has it: `controller-<number>`.
///
/// # Errors
/// Names the field that is not taken.
pub async fn put_controller(
    tx: &mut Tx,
    by: Option<OperatorId>,
    id: ControllerId,
    label: &Label,
) -> Result<Put, DoorsError> {
    label.check()?;
    if id.0 == 0 || i64::try_from(id.0).is_err() {
        return Err(DoorsError::field("number", "must be above 0"));
    }
    let old: Option<NamedRow> =
        sqlx::query_as(CONTROLLER).bind(row_id(id.0)).fetch_optional(&mut **tx).await?;
    let old = old.map(|row| named(row, ControllerId).1);
    if old.as_ref() == Some(label) {
        return Ok(Put::Same);
    }
    sqlx::query(PUT_CONTROLLER)
        .bind(row_id(id.0))
        .bind(label.key.as_str())
        .bind(label.name.as_str())
        .bind(label.latin.as_str())
        .execute(&mut **tx)
        .await
        .map_err(on_constraint(DoorsError::field("key", "another controller has it")))?;
    tx.record("controller.changed", &json!({ "controller": id.0, "by": by.map(|by| by.0) })).await?;
    Ok(if old.is_some() { Put::Changed } else { Put::Created })
}

/// Removes a controller.
///
/// # Errors
/// When it has doors, or is not there.
pub async fn remove_controller(
    tx: &mut Tx,
    by: Option<OperatorId>,
    id: ControllerId,
) -> Result<(), DoorsError> {
    removed(tx, by, REMOVE_CONTROLLER, "controller", id.0).await
}

/// Every fire zone, by id.
///
/// # Errors
/// When the database fails.
pub async fn fire_zones(connection: &mut AnyConnection) -> Result<Vec<(FireZoneId, Label)>, sqlx::Error> {
    let rows: Vec<NamedRow> = sqlx::query_as(FIRE_ZONES).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| named(row, FireZoneId)).collect())
}

/// Puts a fire zone in place, found by its key.
///
/// # Errors
/// Names the field that is not taken.
pub async fn put_fire_zone(
    tx: &mut Tx,
    by: Option<OperatorId>,
    label: &Label,
) -> Result<(FireZoneId, Put), DoorsError> {
    label.check()?;
    let old: Option<NamedRow> =
        sqlx::query_as(FIRE_ZONE_BY_KEY).bind(label.key.as_str()).fetch_optional(&mut **tx).await?;
    let (id, put) = match old.map(|row| named(row, FireZoneId)) {
        Some((id, old)) if old == *label => return Ok((id, Put::Same)),
        Some((id, _)) => {
            let change = sqlx::query(CHANGE_FIRE_ZONE).bind(row_id(id.0));
            change.bind(label.name.as_str()).bind(label.latin.as_str()).execute(&mut **tx).await?;
            (id, Put::Changed)
        }
        None => {
            let add = sqlx::query_as(ADD_FIRE_ZONE).bind(label.key.as_str());
            let (id,): (i64,) =
                add.bind(label.name.as_str()).bind(label.latin.as_str()).fetch_one(&mut **tx).await?;
            (FireZoneId(id.cast_unsigned()), Put::Created)
        }
    };
    tx.record("fire-zone.changed", &json!({ "fire_zone": id.0, "by": by.map(|by| by.0) })).await?;
    Ok((id, put))
}

/// Removes a fire zone.
///
/// # Errors
/// When a door names it, or it is not there.
pub async fn remove_fire_zone(tx: &mut Tx, by: Option<OperatorId>, id: FireZoneId) -> Result<(), DoorsError> {
    removed(tx, by, REMOVE_FIRE_ZONE, "fire zone", id.0).await
}

/// Removes a row that nothing names any more, and journals it.
pub(crate) async fn removed(
    tx: &mut Tx,
    by: Option<OperatorId>,
    statement: &'static str,
    what: &'static str,
    id: u64,
) -> Result<(), DoorsError> {
    let done = sqlx::query(statement).bind(row_id(id)).execute(&mut **tx).await;
    let done = done.map_err(on_constraint(DoorsError::InUse(what)))?;
    if done.rows_affected() == 0 {
        return Err(DoorsError::Unknown(what));
    }
    let kind = format!("{}.removed", what.replace(' ', "-"));
    tx.record(&kind, &json!({ "id": id, "by": by.map(|by| by.0) })).await?;
    Ok(())
}

fn area((id, key, name, latin, kind, parent): AreaRow) -> Result<(AreaId, Area), sqlx::Error> {
    let kind = AreaKind::from_row(&kind)?;
    let parent = parent.map(|parent| AreaId(parent.cast_unsigned()));
    Ok((AreaId(id.cast_unsigned()), Area { label: Label { key, name, latin }, kind, parent }))
}

pub(crate) fn named<I>((id, key, name, latin): NamedRow, new: fn(u64) -> I) -> (I, Label) {
    (new(id.cast_unsigned()), Label { key, name, latin })
}
