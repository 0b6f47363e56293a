//! What has names and little else, for programs: controllers and fire zones.

use domain::ids::{ControllerId, FireZoneId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::things::{Names, Resource, aim, print};
use crate::edit::{Edit, Seen};
use crate::error::DoorsError;
use crate::label::Label;
use crate::survey::{Survey, Thing};

/// A fire zone.
#[derive(Serialize, ToSchema)]
pub(super) struct FireZone {
    id: u64,
    key: String,
    name: String,
    latin: String,
    /// Another one with every change.
    version: String,
}

/// A fire zone to be put in place.
#[derive(Deserialize, ToSchema)]
#[schema(as = FireZoneBody)]
pub(super) struct FireZoneBody {
    #[serde(flatten)]
    #[schema(inline)]
    names: Names,
}

/// A controller. Its certificate's name is `controller-` and its number.
#[derive(Serialize, ToSchema)]
pub(super) struct Controller {
    id: u64,
    key: String,
    name: String,
    latin: String,
    /// Another one with every change.
    version: String,
}

/// A controller to be put in place.
#[derive(Deserialize, ToSchema)]
#[schema(as = ControllerBody)]
pub(super) struct ControllerBody {
    #[serde(flatten)]
    #[schema(inline)]
    names: Names,
    /// Its number, which is in its certificate and is never changed; needed for a new one.
    #[schema(minimum = 1)]
    number: Option<u64>,
}

fn shown(id: u64, label: &Label) -> (u64, String, String, String, String) {
    (id, label.key.clone(), label.name.clone(), label.latin.clone(), Seen::of(label).to_string())
}

impl Resource for FireZone {
    type Body = FireZoneBody;

    fn list(survey: &Survey) -> Vec<Self> {
        let zones = survey.fire_zones.iter().map(|(id, label)| shown(id.0, label));
        zones.map(|(id, key, name, latin, version)| Self { id, key, name, latin, version }).collect()
    }

    fn thing(id: u64) -> Thing {
        Thing::FireZone(FireZoneId(id))
    }

    fn seen(survey: &Survey, id: u64) -> Option<Seen> {
        print(&survey.fire_zones, FireZoneId(id))
    }

    async fn put(edit: &mut Edit, known: Option<(u64, Seen)>, body: FireZoneBody) -> Result<u64, DoorsError> {
        Ok(edit.fire_zone(aim(known, FireZoneId), &body.names.into()).await?.0)
    }
}

impl Resource for Controller {
    type Body = ControllerBody;

    fn list(survey: &Survey) -> Vec<Self> {
        let controllers = survey.controllers.iter().map(|(id, label)| shown(id.0, label));
        controllers.map(|(id, key, name, latin, version)| Self { id, key, name, latin, version }).collect()
    }

    fn thing(id: u64) -> Thing {
        Thing::Controller(ControllerId(id))
    }

    fn seen(survey: &Survey, id: u64) -> Option<Seen> {
        print(&survey.controllers, ControllerId(id))
    }

    async fn put(
        edit: &mut Edit,
        known: Option<(u64, Seen)>,
        body: ControllerBody,
    ) -> Result<u64, DoorsError> {
        let number = body.number.or(known.map(|(id, _)| id));
        let number = number.ok_or_else(|| DoorsError::field("number", "is needed for a new controller"))?;
        edit.controller(aim(known, ControllerId), ControllerId(number), &body.names.into()).await?;
        Ok(number)
    }
}
