//! The site: its tree, its areas and doors, what it is called and the numbers that hold everywhere in it.

mod area;
pub(crate) mod door;
mod door_form;
mod rules;
mod settings;
mod small;
pub(crate) mod tree;

pub(crate) use area::{label, label_fields};
use kit::Routes;

use super::forms::form_routes;
use super::{MANAGER, MANAGER_THERE, VIEWER};
use crate::Console;

/// The routes of this folder.
pub(super) fn routes() -> Routes<Console> {
    let routes = Routes::default()
        .get("/site", VIEWER, tree::show)
        .get("/site/settings", MANAGER, settings::show)
        .post("/site/settings", MANAGER, settings::change)
        .get("/site/doors/{id}", VIEWER, door::show);
    let routes = form_routes!(routes, area::AreaForm, "/site/areas", MANAGER_THERE);
    let routes = form_routes!(routes, door_form::DoorForm, "/site/doors", MANAGER_THERE);
    let routes = form_routes!(routes, small::ZoneForm, "/site/fire-zones", MANAGER);
    form_routes!(routes, small::ControllerForm, "/site/controllers", MANAGER)
}
