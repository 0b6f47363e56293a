//! The forms of what has little more than a name: fire zones and controllers.

use domain::ids::{ControllerId, FireZoneId};
use doors::edit::{Edit, Seen};
use doors::survey::{Survey, Thing};

use super::area::{label, label_fields};
use crate::form::Fields;
use crate::page::Page;
use crate::routes::forms::{Form, Refused, aim};
use crate::sheet::{Fault, Part};

pub(crate) struct ZoneForm;

impl Form for ZoneForm {
    const BACK: (&'static str, &'static str, &'static str) = ("site", "/site", "site-title");
    const NEW: &'static str = "zone-new";

    fn thing(id: u64) -> Thing {
        Thing::FireZone(FireZoneId(id))
    }

    fn fill(survey: &Survey, id: u64) -> Option<(Fields, Seen)> {
        let (_, zone) = survey.fire_zones.iter().find(|(own, _)| own.0 == id)?;
        Some((label_fields(zone), Seen::of(zone)))
    }

    fn parts(page: &Page, _: &Survey, fields: &Fields, is_new: bool) -> Vec<Part> {
        let mut parts = vec![Part::names(page, fields)];
        parts.extend(Part::key(page, fields, is_new));
        parts
    }

    async fn put(
        edit: &mut Edit,
        _: &Page,
        fields: &Fields,
        known: Option<(u64, Seen)>,
    ) -> Result<u64, Refused> {
        Ok(edit.fire_zone(aim(known, FireZoneId), &label(fields)).await?.0)
    }
}

pub(crate) struct ControllerForm;

impl Form for ControllerForm {
    const BACK: (&'static str, &'static str, &'static str) = ("devices", "/devices", "devices-page");
    const NEW: &'static str = "controller-new";

    fn thing(id: u64) -> Thing {
        Thing::Controller(ControllerId(id))
    }

    fn blank(survey: &Survey, _: &Fields) -> Fields {
        let next = survey.controllers.iter().map(|(id, _)| id.0).max().unwrap_or(0).saturating_add(1);
        Fields::default().with("number", next)
    }

    fn fill(survey: &Survey, id: u64) -> Option<(Fields, Seen)> {
        let (_, controller) = survey.controllers.iter().find(|(own, _)| own.0 == id)?;
        Some((label_fields(controller).with("number", id), Seen::of(controller)))
    }

    fn parts(page: &Page, _: &Survey, fields: &Fields, is_new: bool) -> Vec<Part> {
        let mut parts = vec![Part::names(page, fields)];
        if is_new {
            let number = Part::text(page, fields, "number", "controller-number").kind("number").required();
            parts.push(Part::Line(number.hint(page, "controller-number-hint")));
        }
        parts.extend(Part::key(page, fields, is_new));
        parts
    }

    async fn put(
        edit: &mut Edit,
        page: &Page,
        fields: &Fields,
        known: Option<(u64, Seen)>,
    ) -> Result<u64, Refused> {
        let number = match known {
            Some((id, _)) => id,
            None => {
                let read = fields.get("number").parse();
                read.map_err(|_| Fault::at(page, "number", "fault-number"))?
            }
        };
        edit.controller(aim(known, ControllerId), ControllerId(number), &label(fields)).await?;
        Ok(number)
    }
}
