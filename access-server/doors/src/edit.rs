//! Changing the site piece by piece, as a form or a program does: several changes together or none, told beforehand what
//! comes to nothing by them.
//!
//! [`Edit::begin`] looks at the site as it is. Each command refuses what is not there any more, was changed meanwhile, or
//! takes what another has. [`Edit::finish`] refuses what could not be put in force, and says what comes to nothing that
//! did not before; whoever asked then commits, or lets it go. The rules of a thing itself are those of its own module, for
//! imports too.

mod remove;
mod seen;

use std::collections::BTreeSet;

use domain::civil::Date;
use domain::ids::{AreaId, ControllerId, DoorId, FireZoneId, GroupId, LevelId, ScheduleId};
use domain::time::Utc;
use kit::auth::OperatorId;
use kit::{Kit, Tx};
use people::group::{self, GroupName};
pub use seen::Seen;

use crate::door::{self, Door, DoorGroup};
use crate::error::DoorsError;
use crate::label::Label;
use crate::level::{self, Level};
use crate::place::{self, Area, Site};
use crate::policy::{objections_to_site, zone};
use crate::schedule::{self, CalendarDay, Schedule};
use crate::survey::{Concern, Survey, Thing};

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim<I> {
    /// Something new. An empty key is given one.
    New,
    /// Something known, as it was when it was looked at. It keeps its key: files find it by that.
    Known(I, Seen),
}

/// Changes under way, in one transaction. Dropped they leave no trace.
#[derive(Debug)]
pub struct Edit {
    tx: Tx,
    by: Option<OperatorId>,
    before: Survey,
}

/// Changes that may be kept.
#[derive(Debug)]
pub struct Finished {
    /// What comes to nothing by them.
    pub concerns: BTreeSet<Concern>,
    /// The site as it would be.
    pub after: Survey,
    tx: Tx,
}

impl Edit {
    /// Waits for the writer's turn and looks at the site.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(kit: &Kit, by: Option<OperatorId>) -> Result<Self, DoorsError> {
        let mut tx = kit.begin().await?;
        let before = Survey::load(&mut tx).await?;
        Ok(Self { tx, by, before })
    }

    /// The site as it was before.
    #[must_use]
    pub fn before(&self) -> &Survey {
        &self.before
    }

    /// Puts the site's names, zone and numbers in place of those that were seen; for a site that was not set up, of
    /// nothing.
    ///
    /// # Errors
    /// Names the field that is not taken; the site was changed meanwhile.
    pub async fn site(&mut self, seen: Option<Seen>, new: &Site) -> Result<(), DoorsError> {
        let now = self.before.site.as_ref();
        if now.map(Seen::of) != seen {
            return Err(DoorsError::Stale("site"));
        }
        let key = now.map_or_else(|| new.label.key.clone(), |site| site.label.key.clone());
        let label = Label { key, ..new.label.clone() };
        place::put_site(&mut self.tx, self.by, &Site { label, ..new.clone() }).await.map(drop)
    }

    /// Puts an area in place.
    ///
    /// # Errors
    /// Names the field that is not taken; the area is gone or was changed meanwhile.
    pub async fn area(&mut self, aim: Aim<AreaId>, new: &Area) -> Result<AreaId, DoorsError> {
        let label = self.label(aim, &self.before.areas, |it| &it.label, &new.label, "area", Thing::Area)?;
        Ok(place::put_area(&mut self.tx, self.by, &Area { label, ..new.clone() }).await?.0)
    }

    /// Puts a controller in place; a new one has a number that none has.
    ///
    /// # Errors
    /// Names the field that is not taken; the controller is gone or was changed meanwhile.
    pub async fn controller(
        &mut self,
        aim: Aim<ControllerId>,
        number: ControllerId,
        new: &Label,
    ) -> Result<(), DoorsError> {
        let known = &self.before.controllers;
        let label = self.label(aim, known, |it| it, new, "controller", Thing::Controller)?;
        match aim {
            Aim::New if known.iter().any(|(id, _)| *id == number) => {
                return Err(DoorsError::Taken { field: "number", by: Thing::Controller(number) });
            }
            Aim::Known(id, _) if id != number => {
                return Err(DoorsError::field("number", "is in its certificate and is not changed"));
            }
            Aim::New | Aim::Known(..) => {}
        }
        place::put_controller(&mut self.tx, self.by, number, &label).await.map(drop)
    }

    /// Puts a fire zone in place.
    ///
    /// # Errors
    /// Names the field that is not taken; the zone is gone or was changed meanwhile.
    pub async fn fire_zone(&mut self, aim: Aim<FireZoneId>, new: &Label) -> Result<FireZoneId, DoorsError> {
        let known = &self.before.fire_zones;
        let label = self.label(aim, known, |it| it, new, "fire zone", Thing::FireZone)?;
        Ok(place::put_fire_zone(&mut self.tx, self.by, &label).await?.0)
    }

    /// Puts a schedule in place.
    ///
    /// # Errors
    /// Names the field that is not taken; the schedule is gone or was changed meanwhile.
    pub async fn schedule(&mut self, aim: Aim<ScheduleId>, new: &Schedule) -> Result<ScheduleId, DoorsError> {
        let known = &self.before.schedules;
        let label = self.label(aim, known, |it| &it.label, &new.label, "schedule", Thing::Schedule)?;
        Ok(schedule::put(&mut self.tx, self.by, &Schedule { label, ..new.clone() }).await?.0)
    }

    /// Puts an unusual day in place of what was there on its date.
    ///
    /// # Errors
    /// Names the field that is not taken.
    pub async fn day(&mut self, new: &CalendarDay) -> Result<(), DoorsError> {
        schedule::put_day(&mut self.tx, self.by, new).await.map(drop)
    }

    /// Puts a door in place.
    ///
    /// # Errors
    /// Names the field that is not taken; another door has its board; the door is gone or was changed meanwhile.
    pub async fn door(&mut self, aim: Aim<DoorId>, new: &Door) -> Result<DoorId, DoorsError> {
        let known = &self.before.doors;
        let label = self.label(aim, known, |it| &it.label, &new.label, "door", Thing::Door)?;
        let is_other = |id: DoorId| !matches!(aim, Aim::Known(own, _) if own == id);
        let same_board = |it: &Door| it.controller == new.controller && it.board == new.board;
        let taken = known.iter().find(|(id, it)| new.board.is_some() && same_board(it) && is_other(*id));
        if let Some((id, _)) = taken {
            return Err(DoorsError::Taken { field: "address", by: Thing::Door(*id) });
        }
        self.names_known(new)?;
        Ok(door::put(&mut self.tx, self.by, &Door { label, ..new.clone() }).await?.0)
    }

    /// Puts a group of doors in place.
    ///
    /// # Errors
    /// Names the field that is not taken; the group is gone or was changed meanwhile.
    pub async fn door_group(&mut self, aim: Aim<u64>, new: &DoorGroup) -> Result<u64, DoorsError> {
        let known = &self.before.door_groups;
        let label = self.label(aim, known, |it| &it.label, &new.label, "door group", Thing::DoorGroup)?;
        Ok(door::put_group(&mut self.tx, self.by, &DoorGroup { label, ..new.clone() }).await?.0)
    }

    /// Puts a level in place.
    ///
    /// # Errors
    /// Names the field that is not taken; the level is gone or was changed meanwhile.
    pub async fn level(&mut self, aim: Aim<LevelId>, new: &Level) -> Result<LevelId, DoorsError> {
        let known = &self.before.levels;
        let label = self.label(aim, known, |it| &it.label, &new.label, "level", Thing::Level)?;
        Ok(level::put(&mut self.tx, self.by, &Level { label, ..new.clone() }).await?.0)
    }

    /// Puts a group of people in place; its members stay.
    ///
    /// # Errors
    /// Names the field that is not taken; the group is gone or was changed meanwhile.
    pub async fn group(&mut self, aim: Aim<GroupId>, new: &GroupName) -> Result<GroupId, DoorsError> {
        let known: Vec<_> = self.before.groups.iter().map(|it| (it.id, label_of(&it.name))).collect();
        let label = self.label(aim, &known, |it| it, &label_of(new), "group", Thing::Group)?;
        let name = GroupName { key: label.key, name: label.name, latin: label.latin };
        match aim {
            Aim::New => Ok(group::add(&mut self.tx, self.by, &name).await?),
            Aim::Known(id, _) => {
                group::change(&mut self.tx, self.by, id, &name).await?;
                Ok(id)
            }
        }
    }

    /// Ends the changes: what could not be put in force is refused, and what comes to nothing is told.
    ///
    /// # Errors
    /// What could not be put in force.
    pub async fn finish(mut self) -> Result<Finished, DoorsError> {
        // It would keep every later change, a withdrawn right too, from being put in force.
        let objections = objections_to_site(&mut self.tx).await?;
        if !objections.is_empty() {
            return Err(DoorsError::Unfit(objections));
        }
        let after = Survey::load(&mut self.tx).await?;
        let today = today(&after, Utc(self.tx.now()));
        let before = self.before.concerns(today);
        let concerns = after.concerns(today).difference(&before).copied().collect();
        Ok(Finished { concerns, after, tx: self.tx })
    }

    /// The label to write: with the key of what is known, or of its own for something new.
    fn label<I: Copy + PartialEq + Into<u64>, T: std::fmt::Debug>(
        &self,
        aim: Aim<I>,
        known: &[(I, T)],
        label: fn(&T) -> &Label,
        new: &Label,
        what: &'static str,
        thing: fn(I) -> Thing,
    ) -> Result<Label, DoorsError> {
        match aim {
            Aim::Known(id, seen) => {
                let it = known.iter().find(|(own, _)| *own == id).map(|(_, it)| it);
                let it = it.ok_or(DoorsError::Unknown(what))?;
                if Seen::of(it) != seen {
                    return Err(DoorsError::Stale(what));
                }
                let key = label(it).key.clone();
                if !new.key.is_empty() && new.key != key {
                    return Err(DoorsError::field("key", "is what files find it by, and is not changed"));
                }
                Ok(Label { key, ..new.clone() })
            }
            Aim::New if new.key.is_empty() => {
                let is_taken = |key: &str| known.iter().any(|(_, it)| label(it).key == key);
                let stem = what.replace(' ', "-");
                let mut keys = (known.len() + 1..).map(|number| format!("{stem}-{number}"));
                let key = keys.find(|key| !is_taken(key)).expect("one more than there are is free");
                Ok(Label { key, ..new.clone() })
            }
            Aim::New => match known.iter().find(|(_, it)| label(it).key == new.key) {
                Some((id, _)) => Err(DoorsError::Taken { field: "key", by: thing(*id) }),
                None => Ok(new.clone()),
            },
        }
    }

    /// Names the field of a door that stands for nothing.
    fn names_known(&self, door: &Door) -> Result<(), DoorsError> {
        let gone = |field, what: &str| Err(DoorsError::field(field, format!("there is no such {what}")));
        if !self.before.controllers.iter().any(|(id, _)| *id == door.controller) {
            return gone("controller", "controller");
        }
        for (field, area) in [("outside", door.outside), ("inside", door.inside)] {
            if self.before.area(area).is_none() {
                return gone(field, "area");
            }
        }
        let zone = door.fire_zone;
        if zone.is_some_and(|zone| !self.before.fire_zones.iter().any(|(id, _)| *id == zone)) {
            return gone("fire_zone", "fire zone");
        }
        Ok(())
    }
}

impl Finished {
    /// Keeps the changes. They are put in force by the server, at once or as soon as it can.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn commit(self) -> Result<(), DoorsError> {
        Ok(self.tx.commit().await?)
    }
}

/// The site's date at a time.
#[must_use]
pub fn today(survey: &Survey, now: Utc) -> Date {
    let zone = survey.site.as_ref().and_then(|site| zone(&site.zone, now));
    zone.map_or_else(|| domain::civil::Local::from_micros(now.0), |zone| zone.local(now)).date
}

fn label_of(name: &GroupName) -> Label {
    Label { key: name.key.clone(), name: name.name.clone(), latin: name.latin.clone() }
}
