//! The form of a level: who may enter where, and when.

use domain::ids::{DoorId, GroupId, LevelId, ScheduleId};
use doors::edit::{Edit, Seen};
use doors::level::Level;
use doors::survey::{Survey, Thing};

use super::groups::doors;
use crate::form::Fields;
use crate::page::Page;
use crate::routes::forms::{Form, Refused, aim};
use crate::routes::site::{label, label_fields};
use crate::sheet::{Fault, Part, name_of};

pub(crate) struct LevelForm;

impl Form for LevelForm {
    const BACK: (&'static str, &'static str, &'static str) = ("access", "/access", "access-title");
    const NEW: &'static str = "level-new";

    fn thing(id: u64) -> Thing {
        Thing::Level(LevelId(id))
    }

    fn blank(survey: &Survey, _: &Fields) -> Fields {
        let schedule = survey.schedules.first();
        Fields::default().with("schedule", schedule.map_or(String::new(), |(id, _)| id.to_string()))
    }

    fn fill(survey: &Survey, id: u64) -> Option<(Fields, Seen)> {
        let level = survey.level(LevelId(id))?;
        let fields = label_fields(&level.label)
            .with_all("groups", &level.groups)
            .with("schedule", level.schedule)
            .with_all("doors", &level.doors)
            .with_all("door_groups", &level.door_groups);
        Some((fields, Seen::of(level)))
    }

    fn parts(page: &Page, survey: &Survey, fields: &Fields, is_new: bool) -> Vec<Part> {
        let named = |thing: Thing| (thing.number().to_string(), name_of(page, survey, thing));
        let groups = survey.groups.iter().map(|it| named(Thing::Group(it.id)));
        let schedules = survey.schedules.iter().map(|(id, _)| named(Thing::Schedule(*id)));
        let door_groups = survey.door_groups.iter().map(|(id, _)| named(Thing::DoorGroup(*id)));
        let mut parts = vec![
            Part::names(page, fields),
            Part::checks(page, fields, "groups", "level-groups", groups),
            Part::select(page, fields, "schedule", "level-schedule", schedules),
            Part::checks(page, fields, "door_groups", "level-door-groups", door_groups),
            Part::checks(page, fields, "doors", "level-doors", doors(page, survey)),
        ];
        parts.extend(Part::key(page, fields, is_new));
        parts
    }

    async fn put(
        edit: &mut Edit,
        page: &Page,
        fields: &Fields,
        known: Option<(u64, Seen)>,
    ) -> Result<u64, Refused> {
        let schedule = fields.get("schedule").parse();
        let level = Level {
            label: label(fields),
            groups: fields.numbers("groups").into_iter().map(GroupId).collect(),
            doors: fields.numbers("doors").into_iter().map(DoorId).collect(),
            door_groups: fields.numbers("door_groups"),
            schedule: ScheduleId(schedule.map_err(|_| Fault::at(page, "schedule", "fault-schedule"))?),
        };
        Ok(edit.level(aim(known, LevelId), &level).await?.0)
    }
}
