//! Rows of the policy: one table a kind of part, in the order that [`Table::ALL`] gives.
//!
//! [`rows`] takes a policy's parts apart, [`assemble`] puts them together again; the parts of the assembled policy are
//! checked by `domain` when the policy is made of them. Durations are milliseconds, times UTC microseconds.

mod row;

use std::time::Duration;

use domain::ids::{AreaId, ControllerId, FireZoneId, GroupId, PolicyVersion};
use domain::policy::{self as part, PolicyParts};
use domain::request::Score;
use domain::schedule::Calendar;
use domain::time::{Utc, Zone};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Change;
use row::{AreaRow, CredentialRow, DoorRow, Empty, LevelRow, PersonRow, ScheduleRow, SiteRow};

/// The tables of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Table {
    Site,
    Controller,
    Area,
    FireZone,
    Group,
    Schedule,
    Door,
    Level,
    Person,
    Credential,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Site,
        Self::Controller,
        Self::Area,
        Self::FireZone,
        Self::Group,
        Self::Schedule,
        Self::Door,
        Self::Level,
        Self::Person,
        Self::Credential,
    ];

    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Controller => "controller",
            Self::Area => "area",
            Self::FireZone => "fire-zone",
            Self::Group => "group",
            Self::Schedule => "schedule",
            Self::Door => "door",
            Self::Level => "level",
            Self::Person => "person",
            Self::Credential => "credential",
        }
    }

    /// From the word on the wire.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }
}

/// A row that cannot be understood.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RowFault {
    /// No such table in this version.
    #[error("table {0:?} is not known")]
    UnknownTable(String),
    /// The row is not of its table's form.
    #[error("{table} {id}: {why}")]
    Malformed {
        /// The table's name.
        table: &'static str,
        /// The row's key.
        id: u64,
        /// What is wrong with it, never its content.
        why: String,
    },
    /// There is no `site` row, or more than one.
    #[error("a policy has exactly one site row, this has {0}")]
    SiteRows(usize),
}

/// Takes a policy apart into changes that put every row.
pub fn rows(parts: &PolicyParts) -> Vec<Change> {
    fn put<R: Serialize>(table: Table, id: u64, row: &R) -> Change {
        Change::put(table.name(), id, row)
    }
    let mut rows = vec![put(Table::Site, 0, &SiteRow::from(parts))];
    rows.extend(parts.controllers.iter().map(|id| put(Table::Controller, id.0, &Empty {})));
    rows.extend(
        parts
            .areas
            .iter()
            .map(|area| put(Table::Area, area.id.0, &AreaRow { parent: area.parent.map(u64::from) })),
    );
    rows.extend(parts.fire_zones.iter().map(|id| put(Table::FireZone, id.0, &Empty {})));
    rows.extend(parts.groups.iter().map(|id| put(Table::Group, id.0, &Empty {})));
    rows.extend(parts.schedules.iter().map(|it| put(Table::Schedule, it.id.0, &ScheduleRow::from(it))));
    rows.extend(parts.doors.iter().map(|it| put(Table::Door, it.id.0, &DoorRow::from(it))));
    rows.extend(parts.levels.iter().map(|it| put(Table::Level, it.id.0, &LevelRow::from(it))));
    rows.extend(parts.people.iter().map(|it| put(Table::Person, it.id.0, &PersonRow::from(it))));
    rows.extend(parts.credentials.iter().map(|it| put(Table::Credential, it.id.0, &CredentialRow::from(it))));
    rows
}

/// Puts rows (table, id, text) together to the parts of policy `version`.
///
/// # Errors
/// Every row that is not understood, and a missing site row.
pub fn assemble<'a>(
    version: u64,
    rows: impl IntoIterator<Item = (&'a str, u64, &'a str)>,
) -> Result<PolicyParts, Vec<RowFault>> {
    let mut faults = Vec::new();
    let mut site_rows = 0;
    let mut parts = PolicyParts {
        version: PolicyVersion(version),
        made_at: Utc(0),
        site: part::SiteRules {
            face_score: Score(0),
            face_margin: Score(0),
            wrong_tries: 0,
            wrong_tries_within: Duration::ZERO,
            lock_out: Duration::ZERO,
            second_factor_within: Duration::ZERO,
            same_person_within: Duration::ZERO,
        },
        zone: Zone::fixed(0),
        calendar: Calendar::default(),
        controllers: Vec::new(),
        areas: Vec::new(),
        fire_zones: Vec::new(),
        groups: Vec::new(),
        schedules: Vec::new(),
        doors: Vec::new(),
        levels: Vec::new(),
        people: Vec::new(),
        credentials: Vec::new(),
    };
    for (name, id, text) in rows {
        let Some(table) = Table::of_name(name) else {
            faults.push(RowFault::UnknownTable(name.chars().take(32).collect()));
            continue;
        };
        site_rows += usize::from(table == Table::Site);
        if let Err(why) = take(&mut parts, table, id, text) {
            faults.push(RowFault::Malformed { table: table.name(), id, why });
        }
    }
    if site_rows != 1 {
        faults.push(RowFault::SiteRows(site_rows));
    }
    if faults.is_empty() { Ok(parts) } else { Err(faults) }
}

fn take(parts: &mut PolicyParts, table: Table, id: u64, text: &str) -> Result<(), String> {
    match table {
        Table::Site => parse::<SiteRow>(text)?.fill(parts)?,
        Table::Controller => {
            parse::<Empty>(text)?;
            parts.controllers.push(ControllerId(id));
        }
        Table::Area => {
            let row: AreaRow = parse(text)?;
            parts.areas.push(part::Area { id: AreaId(id), parent: row.parent.map(AreaId) });
        }
        Table::FireZone => {
            parse::<Empty>(text)?;
            parts.fire_zones.push(FireZoneId(id));
        }
        Table::Group => {
            parse::<Empty>(text)?;
            parts.groups.push(GroupId(id));
        }
        Table::Schedule => parts.schedules.push(parse::<ScheduleRow>(text)?.read(id)?),
        Table::Door => parts.doors.push(parse::<DoorRow>(text)?.read(id)?),
        Table::Level => parts.levels.push(parse::<LevelRow>(text)?.read(id)),
        Table::Person => parts.people.push(parse::<PersonRow>(text)?.read(id)),
        Table::Credential => parts.credentials.push(parse::<CredentialRow>(text)?.read(id)?),
    }
    Ok(())
}

fn parse<R: for<'de> Deserialize<'de>>(text: &str) -> Result<R, String> {
    // The category and place alone: the text of a row stays out of error messages.
    serde_json::from_str(text).map_err(|error| format!("not of its form at column {}", error.column()))
}
