//! The forms of groups: of people, whose members are chosen on each person's page, and of doors.

use domain::ids::{DoorId, GroupId};
use doors::door::DoorGroup;
use doors::edit::{Edit, Seen};
use doors::survey::{Survey, Thing};
use people::group::GroupName;

use crate::form::Fields;
use crate::page::Page;
use crate::routes::forms::{Form, Refused, aim};
use crate::routes::site::{label, label_fields};
use crate::sheet::{Part, name_of};

const BACK: (&str, &str, &str) = ("access", "/access", "access-title");

pub(crate) struct GroupForm;

impl Form for GroupForm {
    const BACK: (&'static str, &'static str, &'static str) = BACK;
    const NEW: &'static str = "group-new";

    fn thing(id: u64) -> Thing {
        Thing::Group(GroupId(id))
    }

    fn fill(survey: &Survey, id: u64) -> Option<(Fields, Seen)> {
        let label = survey.label(Thing::Group(GroupId(id)))?;
        Some((label_fields(&label), Seen::of(&label)))
    }

    fn parts(page: &Page, _: &Survey, fields: &Fields, is_new: bool) -> Vec<Part> {
        let mut parts = vec![Part::names(page, fields)];
        parts.extend(Part::key(page, fields, is_new));
        parts.push(Part::Heading { words: String::new(), hint: page.say("group-hint").into_owned() });
        parts
    }

    async fn put(
        edit: &mut Edit,
        _: &Page,
        fields: &Fields,
        known: Option<(u64, Seen)>,
    ) -> Result<u64, Refused> {
        let label = label(fields);
        let name = GroupName { key: label.key, name: label.name, latin: label.latin };
        Ok(edit.group(aim(known, GroupId), &name).await?.0)
    }
}

pub(crate) struct DoorGroupForm;

impl Form for DoorGroupForm {
    const BACK: (&'static str, &'static str, &'static str) = BACK;
    const NEW: &'static str = "door-group-new";

    fn thing(id: u64) -> Thing {
        Thing::DoorGroup(id)
    }

    fn fill(survey: &Survey, id: u64) -> Option<(Fields, Seen)> {
        let group = survey.door_group(id)?;
        Some((label_fields(&group.label).with_all("doors", &group.doors), Seen::of(group)))
    }

    fn parts(page: &Page, survey: &Survey, fields: &Fields, is_new: bool) -> Vec<Part> {
        let mut parts = vec![
            Part::names(page, fields),
            Part::checks(page, fields, "doors", "door-group-doors", doors(page, survey)),
        ];
        parts.extend(Part::key(page, fields, is_new));
        parts
    }

    async fn put(
        edit: &mut Edit,
        _: &Page,
        fields: &Fields,
        known: Option<(u64, Seen)>,
    ) -> Result<u64, Refused> {
        let doors = fields.numbers("doors").into_iter().map(DoorId).collect();
        Ok(edit.door_group(aim(known, |id| id), &DoorGroup { label: label(fields), doors }).await?)
    }
}

/// Every door to choose from.
pub(super) fn doors(page: &Page, survey: &Survey) -> Vec<(String, String)> {
    survey.doors.iter().map(|(id, _)| (id.to_string(), name_of(page, survey, Thing::Door(*id)))).collect()
}
