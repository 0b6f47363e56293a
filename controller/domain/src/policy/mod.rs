//! The policy: everything a controller must know to decide alone, for as long as it must.
//!
//! A [`Policy`] is checked when it is made and never changes. A [`PolicyDelta`] makes the next one, sharing all that
//! stays the same, so that one new card among 250 000 costs microseconds, and a faulty change costs nothing.

mod check;
mod delta;
mod fault;
mod parts;
mod rows;

use alloc::sync::Arc;
use alloc::vec::Vec;

pub use delta::{PolicyDelta, Removals, Upserts};
pub use fault::{Fault, Faults, Part};
pub use parts::{
    AntiPassback, Area, CLEARANCE_MAX, Combinations, Credential, CredentialRule, CredentialStatus,
    CredentialUse, Door, DoorKind, Egress, EntryRule, FaceConsent, Level, Person, PersonStatus, PolicyParts,
    Relock, SiteRules,
};

use crate::ids::{
    AreaId, ControllerId, CredentialId, DoorId, FireZoneId, GroupId, LevelId, PersonId, PolicyVersion,
    ScheduleId,
};
use crate::request::CredentialDigest;
use crate::schedule::{Calendar, Moment, Schedule};
use crate::table::{Keyed, Table, spread_id};
use crate::time::{Utc, Zone};
use rows::Rows;

/// A checked policy of one version. Cloning it is cheap.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    version: PolicyVersion,
    made_at: Utc,
    structure: Arc<Structure>,
    people: Table<Person>,
    credentials: Table<Credential>,
    digests: Table<DigestOf>,
}

/// All but people and credentials: small, and rebuilt whole when any of it changes.
#[derive(Clone, Debug, PartialEq)]
struct Structure {
    site: SiteRules,
    zone: Zone,
    calendar: Calendar,
    controllers: Rows<ControllerId>,
    areas: Rows<Area>,
    fire_zones: Rows<FireZoneId>,
    groups: Rows<GroupId>,
    schedules: Rows<Schedule>,
    doors: Rows<Door>,
    levels: Rows<Level>,
    /// For each door, in the order of `doors`, the levels that name it.
    levels_at: Vec<Vec<LevelAt>>,
}

/// Where a level and its schedule are in their rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LevelAt {
    level: usize,
    schedule: usize,
}

/// The digest a credential has: finds by id what lies by digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DigestOf {
    id: CredentialId,
    digest: CredentialDigest,
}

/// A door with the levels that lead through it.
#[derive(Clone, Copy, Debug)]
pub struct DoorView<'p> {
    /// The door.
    pub door: &'p Door,
    structure: &'p Structure,
    levels: &'p [LevelAt],
}

impl Policy {
    /// The version.
    #[must_use]
    pub fn version(&self) -> PolicyVersion {
        self.version
    }

    /// When the server published it.
    #[must_use]
    pub fn made_at(&self) -> Utc {
        self.made_at
    }

    /// The numbers that hold for the whole site.
    #[must_use]
    pub fn site(&self) -> &SiteRules {
        &self.structure.site
    }

    /// The site's time zone.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.structure.zone
    }

    /// The site's unusual days.
    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.structure.calendar
    }

    /// An instant as the schedules see it.
    #[must_use]
    pub fn moment(&self, at: Utc) -> Moment {
        Moment::new(at, self.zone(), self.calendar())
    }

    /// A door.
    #[must_use]
    pub fn door(&self, id: DoorId) -> Option<&Door> {
        self.structure.doors.get(id)
    }

    /// A door with the levels that lead through it.
    #[must_use]
    pub fn door_view(&self, id: DoorId) -> Option<DoorView<'_>> {
        let at = self.structure.doors.position(id)?;
        let structure = &*self.structure;
        Some(DoorView { door: &structure.doors.as_slice()[at], structure, levels: &structure.levels_at[at] })
    }

    /// All doors by ascending id.
    #[must_use]
    pub fn doors(&self) -> &[Door] {
        self.structure.doors.as_slice()
    }

    /// All fire zones by ascending id.
    #[must_use]
    pub fn fire_zones(&self) -> &[FireZoneId] {
        self.structure.fire_zones.as_slice()
    }

    /// A schedule.
    #[must_use]
    pub fn schedule(&self, id: ScheduleId) -> Option<&Schedule> {
        self.structure.schedules.get(id)
    }

    /// A level.
    #[must_use]
    pub fn level(&self, id: LevelId) -> Option<&Level> {
        self.structure.levels.get(id)
    }

    /// A person.
    #[must_use]
    pub fn person(&self, id: PersonId) -> Option<&Person> {
        self.people.get(&id)
    }

    /// The credential with that digest.
    #[must_use]
    pub fn credential(&self, digest: &CredentialDigest) -> Option<&Credential> {
        self.credentials.get(digest)
    }

    /// The credential with that id.
    #[must_use]
    pub fn credential_by_id(&self, id: CredentialId) -> Option<&Credential> {
        self.credentials.get(&self.digests.get(&id)?.digest)
    }

    /// How many people it knows.
    #[must_use]
    pub fn people_count(&self) -> usize {
        self.people.len()
    }

    /// How many credentials it knows.
    #[must_use]
    pub fn credential_count(&self) -> usize {
        self.credentials.len()
    }

    /// All people by ascending id.
    #[must_use]
    pub fn people(&self) -> Vec<&Person> {
        self.people.sorted()
    }

    /// All credentials by ascending id.
    #[must_use]
    pub fn credentials(&self) -> Vec<&Credential> {
        let mut rows: Vec<&Credential> = self.credentials.iter().collect();
        rows.sort_unstable_by_key(|credential| credential.id);
        rows
    }

    /// Whether `area` is `around` or lies within it.
    #[must_use]
    pub fn is_within(&self, area: AreaId, around: AreaId) -> bool {
        let areas = &self.structure.areas;
        core::iter::successors(Some(area), |id| areas.get(*id)?.parent).any(|id| id == around)
    }

    /// All parts in canonical order: every list ascending by id, groups and doors within a part ascending, nothing twice.
    /// Two policies are equal exactly when their parts are.
    #[must_use]
    pub fn parts(&self) -> PolicyParts {
        let structure = &*self.structure;
        PolicyParts {
            version: self.version,
            made_at: self.made_at,
            site: structure.site,
            zone: structure.zone.clone(),
            calendar: structure.calendar.clone(),
            controllers: structure.controllers.as_slice().to_vec(),
            areas: structure.areas.as_slice().to_vec(),
            fire_zones: structure.fire_zones.as_slice().to_vec(),
            groups: structure.groups.as_slice().to_vec(),
            schedules: structure.schedules.as_slice().to_vec(),
            doors: structure.doors.as_slice().to_vec(),
            levels: structure.levels.as_slice().to_vec(),
            people: self.people().into_iter().cloned().collect(),
            credentials: self.credentials().into_iter().cloned().collect(),
        }
    }
}

impl TryFrom<PolicyParts> for Policy {
    type Error = Faults;

    fn try_from(parts: PolicyParts) -> Result<Policy, Faults> {
        delta::build(parts)
    }
}

impl<'p> DoorView<'p> {
    /// The levels that name this door, each with its schedule.
    pub fn levels(&self) -> impl Iterator<Item = (&'p Level, &'p Schedule)> {
        let structure = self.structure;
        self.levels.iter().map(move |at| {
            (&structure.levels.as_slice()[at.level], &structure.schedules.as_slice()[at.schedule])
        })
    }

    /// The combinations asked at a moment.
    #[must_use]
    pub fn combinations(&self, moment: &Moment) -> &'p Combinations {
        let open = |schedule: ScheduleId| {
            self.structure.schedules.get(schedule).is_some_and(|schedule| schedule.is_open(moment))
        };
        let rule = self.door.credential_rules.iter().find(|rule| open(rule.schedule));
        rule.map_or(&self.door.otherwise, |rule| &rule.any_of)
    }
}

impl Structure {
    /// Builds the index again; every level's doors and schedule must be there.
    fn index(&mut self) {
        let mut levels_at = alloc::vec![Vec::new(); self.doors.as_slice().len()];
        for (level, row) in self.levels.as_slice().iter().enumerate() {
            let Some(schedule) = self.schedules.position(row.schedule) else { continue };
            for door in &row.doors {
                if let Some(door) = self.doors.position(*door) {
                    levels_at[door].push(LevelAt { level, schedule });
                }
            }
        }
        self.levels_at = levels_at;
    }
}

impl Keyed for Person {
    type Key = PersonId;

    fn key(&self) -> PersonId {
        self.id
    }

    fn spread(key: &PersonId) -> u64 {
        spread_id(key.0)
    }
}

impl Keyed for Credential {
    type Key = CredentialDigest;

    fn key(&self) -> CredentialDigest {
        self.digest
    }

    fn spread(key: &CredentialDigest) -> u64 {
        // An HMAC is as well spread as bits can be.
        key.tag()
    }
}

impl Keyed for DigestOf {
    type Key = CredentialId;

    fn key(&self) -> CredentialId {
        self.id
    }

    fn spread(key: &CredentialId) -> u64 {
        spread_id(key.0)
    }
}
