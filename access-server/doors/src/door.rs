//! Doors and lanes, and groups of them.

use std::time::Duration;

use domain::ids::{AreaId, ControllerId, DoorId, FireZoneId, ScheduleId};
use domain::policy::{AntiPassback, Combinations, CredentialRule, DoorKind, Egress, EntryRule, Relock};
use domain::request::Factors;
use kit::Tx;
use kit::auth::OperatorId;
use people::text;
use people::word::Word;
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::error::{DoorsError, on_constraint};
use crate::label::{Label, Put, from_millis, millis, row_id};
use crate::place::{named, removed};

/// Where a door's board hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// The bus's name in the controller's configuration.
    pub bus: String,
    /// OSDP address, 0 to 126.
    pub address: u8,
}

/// A door, or one lane of a gate. The same words as [`domain::policy::Door`], which says more about each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of domain::policy::Door, which documents them")]
pub struct Door {
    pub label: Label,
    pub controller: ControllerId,
    /// Where its board hangs; `None` until it is wired.
    pub board: Option<Board>,
    pub kind: DoorKind,
    pub outside: AreaId,
    pub inside: AreaId,
    pub egress: Egress,
    pub rules: Vec<CredentialRule>,
    pub otherwise: Combinations,
    pub strike: Duration,
    pub held_after: Duration,
    pub relock: Relock,
    pub anti_passback: AntiPassback,
    pub unrecorded_entry: EntryRule,
    pub fire_zone: Option<FireZoneId>,
}

/// Doors that levels name together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorGroup {
    /// What it is called.
    pub label: Label,
    /// Ascending.
    pub doors: Vec<DoorId>,
}

/// Door, place, schedule, factors.
type RuleRow = (i64, i64, Option<i64>, i64);

kit::statements! {
    DOORS = "SELECT id, key, name, latin, controller, bus, address, kind, outside, inside, egress, strike_ms, held_after_ms, relock, anti_passback, anti_passback_ms, unrecorded_entry, fire_zone FROM door ORDER BY id";
    DOOR = "SELECT id, key, name, latin, controller, bus, address, kind, outside, inside, egress, strike_ms, held_after_ms, relock, anti_passback, anti_passback_ms, unrecorded_entry, fire_zone FROM door WHERE id = $1";
    RULES = "SELECT door, place, schedule, factors FROM door_rule ORDER BY door, place, factors";
    RULES_OF = "SELECT door, place, schedule, factors FROM door_rule WHERE door = $1 ORDER BY place, factors";
    BY_KEY = "SELECT id FROM door WHERE key = $1";
    ADD = "INSERT INTO door (key, name, latin, controller, bus, address, kind, outside, inside, egress, strike_ms, held_after_ms, relock, anti_passback, anti_passback_ms, unrecorded_entry, fire_zone) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) RETURNING id";
    CHANGE = "UPDATE door SET key = $1, name = $2, latin = $3, controller = $4, bus = $5, address = $6, kind = $7, outside = $8, inside = $9, egress = $10, strike_ms = $11, held_after_ms = $12, relock = $13, anti_passback = $14, anti_passback_ms = $15, unrecorded_entry = $16, fire_zone = $17 WHERE id = $18 RETURNING id";
    CLEAR_RULES = "DELETE FROM door_rule WHERE door = $1";
    ADD_RULE = "INSERT INTO door_rule (door, place, schedule, factors) VALUES ($1, $2, $3, $4)";
    REMOVE = "DELETE FROM door WHERE id = $1";
    GROUPS = "SELECT id, key, name, latin FROM door_group ORDER BY id";
    MEMBERS = "SELECT door_group, door FROM door_group_member ORDER BY door_group, door";
    MEMBERS_OF = "SELECT door FROM door_group_member WHERE door_group = $1 ORDER BY door";
    GROUP_BY_KEY = "SELECT id, key, name, latin FROM door_group WHERE key = $1";
    ADD_GROUP = "INSERT INTO door_group (key, name, latin) VALUES ($1, $2, $3) RETURNING id";
    CHANGE_GROUP = "UPDATE door_group SET name = $2, latin = $3 WHERE id = $1";
    CLEAR_MEMBERS = "DELETE FROM door_group_member WHERE door_group = $1";
    ADD_MEMBER = "INSERT INTO door_group_member (door_group, door) VALUES ($1, $2)";
    REMOVE_GROUP = "DELETE FROM door_group WHERE id = $1";
}

/// The place of the combinations asked when no rule's schedule is open: behind every rule.
const OTHERWISE: i64 = 1000;
/// Rules of a door at most.
pub const RULES_MAX: usize = 16;

impl Door {
    fn check(&self) -> Result<(), DoorsError> {
        self.label.check()?;
        if self.outside == self.inside {
            return Err(DoorsError::field("inside", "is the same area as outside"));
        }
        if !(100..=600_000).contains(&self.strike.as_millis()) {
            return Err(DoorsError::field("strike", "must be 0.1 to 600 s"));
        }
        if self.rules.len() > RULES_MAX {
            return Err(DoorsError::field("rules", "at most 16"));
        }
        let combinations = self.rules.iter().map(|rule| &rule.any_of).chain([&self.otherwise]);
        for combinations in combinations {
            if combinations.contains(&Factors::NONE) {
                return Err(DoorsError::field("open_with", "a combination asks for nothing"));
            }
            if combinations.contains(&Factors::PIN) {
                return Err(DoorsError::field("open_with", "a PIN alone does not say whose it is"));
            }
        }
        if self.rules.iter().any(|rule| rule.any_of.is_empty()) {
            return Err(DoorsError::field("rules", "a rule asks for no combination"));
        }
        if let Some(board) = &self.board {
            text::name(&board.bus).map_err(|why| DoorsError::field("bus", why))?;
            if board.address > 126 {
                return Err(DoorsError::field("address", "must be 0 to 126"));
            }
        }
        Ok(())
    }

    /// Every list in the order it is stored in, so that two equal doors compare equal.
    fn in_order(mut self) -> Self {
        for combinations in self.rules.iter_mut().map(|rule| &mut rule.any_of).chain([&mut self.otherwise]) {
            combinations.sort_unstable_by_key(|factors| factors.bits());
            combinations.dedup();
        }
        self
    }
}

/// Every door, by id.
///
/// # Errors
/// When the database fails.
pub async fn list(connection: &mut AnyConnection) -> Result<Vec<(DoorId, Door)>, sqlx::Error> {
    let rows = sqlx::query(DOORS).fetch_all(&mut *connection).await?;
    let rules = sqlx::query_as(RULES).fetch_all(connection).await?;
    together(&rows, rules)
}

async fn get(connection: &mut AnyConnection, id: i64) -> Result<Option<Door>, sqlx::Error> {
    let rows = sqlx::query(DOOR).bind(id).fetch_all(&mut *connection).await?;
    let rules = sqlx::query_as(RULES_OF).bind(id).fetch_all(connection).await?;
    Ok(together(&rows, rules)?.pop().map(|(_, door)| door))
}

/// Doors with their rules; both ascend by door.
fn together(rows: &[AnyRow], rules: Vec<RuleRow>) -> Result<Vec<(DoorId, Door)>, sqlx::Error> {
    let mut doors = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut last = None;
    for (door, place, schedule, factors) in rules {
        let at = doors.binary_search_by_key(&door.cast_unsigned(), |(id, _)| id.0);
        let door = &mut doors[at.map_err(|_| sqlx::Error::Decode("a rule of no door".into()))?].1;
        let factors = u8::try_from(factors).ok().and_then(Factors::from_bits);
        let factors = factors.ok_or_else(|| sqlx::Error::Decode("factor bits that are not known".into()))?;
        match schedule {
            None => door.otherwise.push(factors),
            Some(schedule) => {
                if last != Some((at, place)) {
                    let schedule = ScheduleId(schedule.cast_unsigned());
                    door.rules.push(CredentialRule { schedule, any_of: Vec::new() });
                }
                last = Some((at, place));
                door.rules.last_mut().expect("pushed above").any_of.push(factors);
            }
        }
    }
    Ok(doors)
}

/// Puts a door in place, found by its key.
///
/// # Errors
/// Names the field that is not taken.
pub async fn put(tx: &mut Tx, by: Option<OperatorId>, new: &Door) -> Result<(DoorId, Put), DoorsError> {
    new.check()?;
    let new = new.clone().in_order();
    let known: Option<(i64,)> =
        sqlx::query_as(BY_KEY).bind(new.label.key.as_str()).fetch_optional(&mut **tx).await?;
    if let Some((id,)) = known
        && get(tx, id).await?.as_ref() == Some(&new)
    {
        return Ok((DoorId(id.cast_unsigned()), Put::Same));
    }
    let (anti_passback, timed) = match new.anti_passback {
        AntiPassback::Off => ("off", Duration::ZERO),
        AntiPassback::Soft => ("soft", Duration::ZERO),
        AntiPassback::Hard => ("hard", Duration::ZERO),
        AntiPassback::Timed(within) => ("timed", within),
    };
    let statement = sqlx::query_as(if known.is_some() { CHANGE } else { ADD })
        .bind(new.label.key.as_str())
        .bind(new.label.name.as_str())
        .bind(new.label.latin.as_str())
        .bind(row_id(new.controller.0))
        .bind(new.board.as_ref().map(|board| board.bus.clone()))
        .bind(new.board.as_ref().map(|board| i64::from(board.address)))
        .bind(new.kind.word())
        .bind(row_id(new.outside.0))
        .bind(row_id(new.inside.0))
        .bind(new.egress.word())
        .bind(millis(new.strike))
        .bind(millis(new.held_after))
        .bind(new.relock.word())
        .bind(anti_passback)
        .bind(millis(timed))
        .bind(new.unrecorded_entry.word())
        .bind(new.fire_zone.map(|zone| row_id(zone.0)));
    let statement = match known {
        Some((id,)) => statement.bind(id),
        None => statement,
    };
    let refusal = DoorsError::field(
        "door",
        "names an area, controller or fire zone that is not there, or a board that another door has",
    );
    let (id,): (i64,) = statement.fetch_one(&mut **tx).await.map_err(on_constraint(refusal))?;
    sqlx::query(CLEAR_RULES).bind(id).execute(&mut **tx).await?;
    let rules =
        (0_i64..).zip(&new.rules).map(|(place, rule)| (place, Some(row_id(rule.schedule.0)), &rule.any_of));
    for (place, schedule, any_of) in rules.chain([(OTHERWISE, None, &new.otherwise)]) {
        for factors in any_of {
            let add =
                sqlx::query(ADD_RULE).bind(id).bind(place).bind(schedule).bind(i64::from(factors.bits()));
            let refusal = DoorsError::field("rules", "there is no such schedule");
            add.execute(&mut **tx).await.map_err(on_constraint(refusal))?;
        }
    }
    tx.record("door.changed", &json!({ "door": id, "by": by.map(|by| by.0) })).await?;
    Ok((DoorId(id.cast_unsigned()), if known.is_some() { Put::Changed } else { Put::Created }))
}

/// Removes a door; levels and groups that name it go on without it.
///
/// # Errors
/// When it is not there.
pub async fn remove(tx: &mut Tx, by: Option<OperatorId>, id: DoorId) -> Result<(), DoorsError> {
    removed(tx, by, REMOVE, "door", id.0).await
}

/// Every group of doors, by id.
///
/// # Errors
/// When the database fails.
pub async fn groups(connection: &mut AnyConnection) -> Result<Vec<(u64, DoorGroup)>, sqlx::Error> {
    let rows: Vec<(i64, String, String, String)> = sqlx::query_as(GROUPS).fetch_all(&mut *connection).await?;
    let members: Vec<(i64, i64)> = sqlx::query_as(MEMBERS).fetch_all(connection).await?;
    let of = |group: u64| {
        let of = members.iter().filter(move |(id, _)| id.cast_unsigned() == group);
        of.map(|(_, door)| DoorId(door.cast_unsigned())).collect()
    };
    let rows = rows.into_iter().map(|row| named(row, |id| id));
    Ok(rows.map(|(id, label)| (id, DoorGroup { label, doors: of(id) })).collect())
}

/// Puts a group of doors in place, found by its key.
///
/// # Errors
/// Names the field that is not taken.
pub async fn put_group(
    tx: &mut Tx,
    by: Option<OperatorId>,
    new: &DoorGroup,
) -> Result<(u64, Put), DoorsError> {
    new.label.check()?;
    let mut new = new.clone();
    new.doors.sort_unstable();
    new.doors.dedup();
    let known: Option<(i64, String, String, String)> =
        sqlx::query_as(GROUP_BY_KEY).bind(new.label.key.as_str()).fetch_optional(&mut **tx).await?;
    let (id, put) = match known {
        Some((id, key, name, latin)) => {
            let doors: Vec<(i64,)> = sqlx::query_as(MEMBERS_OF).bind(id).fetch_all(&mut **tx).await?;
            let doors = doors.into_iter().map(|(door,)| DoorId(door.cast_unsigned())).collect();
            if (DoorGroup { label: Label { key, name, latin }, doors }) == new {
                return Ok((id.cast_unsigned(), Put::Same));
            }
            let change = sqlx::query(CHANGE_GROUP).bind(id).bind(new.label.name.as_str());
            change.bind(new.label.latin.as_str()).execute(&mut **tx).await?;
            sqlx::query(CLEAR_MEMBERS).bind(id).execute(&mut **tx).await?;
            (id, Put::Changed)
        }
        None => {
            let add = sqlx::query_as(ADD_GROUP).bind(new.label.key.as_str()).bind(new.label.name.as_str());
            let (id,): (i64,) = add.bind(new.label.latin.as_str()).fetch_one(&mut **tx).await?;
            (id, Put::Created)
        }
    };
    for door in &new.doors {
        let add = sqlx::query(ADD_MEMBER).bind(id).bind(row_id(door.0)).execute(&mut **tx).await;
        add.map_err(on_constraint(DoorsError::field("doors", "there is no such door")))?;
    }
    tx.record("door-group.changed", &json!({ "door_group": id, "by": by.map(|by| by.0) })).await?;
    Ok((id.cast_unsigned(), put))
}

/// Removes a group of doors; the doors stay.
///
/// # Errors
/// When a level names it, or it is not there.
pub async fn remove_group(tx: &mut Tx, by: Option<OperatorId>, id: u64) -> Result<(), DoorsError> {
    removed(tx, by, REMOVE_GROUP, "door group", id).await
}

fn read(row: &AnyRow) -> Result<(DoorId, Door), sqlx::Error> {
    let id = |at: usize| row.try_get::<i64, _>(at).map(i64::cast_unsigned);
    let bus: Option<String> = row.try_get(5)?;
    let address: Option<i64> = row.try_get(6)?;
    let anti_passback: &str = row.try_get(14)?;
    let door = Door {
        label: Label { key: row.try_get(1)?, name: row.try_get(2)?, latin: row.try_get(3)? },
        controller: ControllerId(id(4)?),
        board: bus
            .zip(address.and_then(|address| u8::try_from(address).ok()))
            .map(|(bus, address)| Board { bus, address }),
        kind: DoorKind::from_row(row.try_get(7)?)?,
        outside: AreaId(id(8)?),
        inside: AreaId(id(9)?),
        egress: Egress::from_row(row.try_get(10)?)?,
        rules: Vec::new(),
        otherwise: Vec::new(),
        strike: from_millis(row.try_get(11)?),
        held_after: from_millis(row.try_get(12)?),
        relock: Relock::from_row(row.try_get(13)?)?,
        anti_passback: match anti_passback {
            "off" => AntiPassback::Off,
            "soft" => AntiPassback::Soft,
            "hard" => AntiPassback::Hard,
            "timed" => AntiPassback::Timed(from_millis(row.try_get(15)?)),
            _ => return Err(sqlx::Error::Decode("a word that this program does not know".into())),
        },
        unrecorded_entry: EntryRule::from_row(row.try_get(16)?)?,
        fire_zone: row.try_get::<Option<i64>, _>(17)?.map(|zone| FireZoneId(zone.cast_unsigned())),
    };
    Ok((DoorId(id(0)?), door))
}
