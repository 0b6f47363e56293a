//! From the database to a policy's parts.

use std::collections::BTreeMap;

use domain::ids::{ControllerId, DoorId, PolicyVersion};
use domain::policy::{Area, Door, Level, PolicyParts};
use domain::time::Utc;
use sqlx::AnyConnection;

use super::publish::PublishError;
use super::zone::zone;
use crate::{door, level, place, schedule};

/// All parts of the whole site's policy, as the database is seen through this connection: hand in one that holds a
/// transaction, or parts of two moments may be mixed.
///
/// # Errors
/// When the site was not set up, its zone is not known any more, or the database fails.
pub async fn compile(
    connection: &mut AnyConnection,
    version: PolicyVersion,
    made_at: Utc,
) -> Result<PolicyParts, PublishError> {
    let site = compile_site(connection, version, made_at).await?;
    Ok(PolicyParts {
        people: people::person::for_policy(connection).await?,
        credentials: people::credential::for_policy(connection).await?,
        ..site
    })
}

/// All parts but people and credentials, which are many.
pub(super) async fn compile_site(
    connection: &mut AnyConnection,
    version: PolicyVersion,
    made_at: Utc,
) -> Result<PolicyParts, PublishError> {
    let site = place::site(connection).await?.ok_or(PublishError::NoSite)?;
    let zone = zone(&site.zone, made_at).ok_or(PublishError::Zone(site.zone))?;
    let days = schedule::calendar_days(connection).await?;
    let areas = place::areas(connection).await?;
    let controllers = place::controllers(connection).await?;
    let fire_zones = place::fire_zones(connection).await?;
    let schedules = schedule::list(connection).await?;
    let doors = door::list(connection).await?;
    let door_groups: BTreeMap<u64, Vec<DoorId>> =
        door::groups(connection).await?.into_iter().map(|(id, group)| (id, group.doors)).collect();
    let levels = level::list(connection).await?;
    Ok(PolicyParts {
        version,
        made_at,
        site: site.rules,
        zone,
        calendar: schedule::calendar(&days),
        controllers: controllers.into_iter().map(|(id, _)| id).collect(),
        areas: areas.into_iter().map(|(id, area)| Area { id, parent: area.parent }).collect(),
        fire_zones: fire_zones.into_iter().map(|(id, _)| id).collect(),
        groups: people::group::for_policy(connection).await?,
        schedules: schedules.into_iter().map(|(id, it)| schedule_part(id, it)).collect(),
        doors: doors.into_iter().map(|(id, it)| door_part(id, it)).collect(),
        levels: levels.into_iter().map(|(id, it)| level_part(id, it, &door_groups)).collect(),
        people: Vec::new(),
        credentials: Vec::new(),
    })
}

/// What one controller is sent: its own doors, and of each level the part that leads through them.
#[must_use]
pub fn for_controller(parts: &PolicyParts, controller: ControllerId) -> PolicyParts {
    let mut parts = parts.clone();
    narrow(&mut parts, controller);
    parts
}

/// Leaves out other controllers, their doors, and levels that lead through none of what is left.
pub(super) fn narrow(parts: &mut PolicyParts, controller: ControllerId) {
    parts.controllers.retain(|id| *id == controller);
    parts.doors.retain(|door| door.controller == controller);
    let own: Vec<DoorId> = parts.doors.iter().map(|door| door.id).collect();
    for level in &mut parts.levels {
        level.doors.retain(|door| own.contains(door));
    }
    parts.levels.retain(|level| !level.doors.is_empty());
}

/// The parts without people and credentials, which are many.
pub(super) fn without_people(parts: &PolicyParts) -> PolicyParts {
    PolicyParts {
        version: parts.version,
        made_at: parts.made_at,
        site: parts.site,
        zone: parts.zone.clone(),
        calendar: parts.calendar.clone(),
        controllers: parts.controllers.clone(),
        areas: parts.areas.clone(),
        fire_zones: parts.fire_zones.clone(),
        groups: parts.groups.clone(),
        schedules: parts.schedules.clone(),
        doors: parts.doors.clone(),
        levels: parts.levels.clone(),
        people: Vec::new(),
        credentials: Vec::new(),
    }
}

fn schedule_part(id: domain::ids::ScheduleId, it: schedule::Schedule) -> domain::schedule::Schedule {
    domain::schedule::Schedule { id, windows: it.windows, exceptions: it.exceptions }
}

fn door_part(id: DoorId, it: door::Door) -> Door {
    Door {
        id,
        controller: it.controller,
        kind: it.kind,
        outside: it.outside,
        inside: it.inside,
        egress: it.egress,
        credential_rules: it.rules,
        otherwise: it.otherwise,
        strike: it.strike,
        held_after: it.held_after,
        relock: it.relock,
        anti_passback: it.anti_passback,
        unrecorded_entry: it.unrecorded_entry,
        fire_zone: it.fire_zone,
    }
}

fn level_part(id: domain::ids::LevelId, it: level::Level, groups: &BTreeMap<u64, Vec<DoorId>>) -> Level {
    let grouped = it.door_groups.iter().filter_map(|group| groups.get(group)).flatten().copied();
    let mut doors: Vec<DoorId> = it.doors.into_iter().chain(grouped).collect();
    doors.sort_unstable();
    doors.dedup();
    Level { id, groups: it.groups, doors, schedule: it.schedule }
}
