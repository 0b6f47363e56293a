//! Taking something out of the site.

use domain::civil::Date;
use people::group;

use super::Edit;
use crate::error::DoorsError;
use crate::survey::{Survey, Thing};
use crate::{door, level, place, schedule};

impl Edit {
    /// Removes a thing. What stays goes on without it: levels and groups without a door, people without a group.
    ///
    /// # Errors
    /// Names everything that would be left without it; the thing is not there.
    pub async fn remove(&mut self, thing: Thing) -> Result<(), DoorsError> {
        // What this change has removed already names nothing any more.
        let holders = Survey::load(&mut self.tx).await?.holders(thing);
        if !holders.is_empty() {
            return Err(DoorsError::Used { what: thing, by: holders });
        }
        let (tx, by) = (&mut self.tx, self.by);
        match thing {
            Thing::Area(id) => place::remove_area(tx, by, id).await,
            Thing::Controller(id) => place::remove_controller(tx, by, id).await,
            Thing::FireZone(id) => place::remove_fire_zone(tx, by, id).await,
            Thing::Schedule(id) => schedule::remove(tx, by, id).await,
            Thing::Door(id) => door::remove(tx, by, id).await,
            Thing::DoorGroup(id) => door::remove_group(tx, by, id).await,
            Thing::Level(id) => level::remove(tx, by, id).await,
            Thing::Group(id) => Ok(group::remove(tx, by, id).await?),
        }
    }

    /// Makes a date what its weekday says again.
    ///
    /// # Errors
    /// When it was nothing else.
    pub async fn remove_day(&mut self, date: Date) -> Result<(), DoorsError> {
        schedule::remove_day(&mut self.tx, self.by, date).await
    }
}
