//! The form of a building, a floor, an area, or the outside.

use domain::ids::AreaId;
use doors::edit::{Edit, Seen};
use doors::label::Label;
use doors::place::{Area, AreaKind};
use doors::survey::{Survey, Thing};
use people::word::Word;

use crate::form::Fields;
use crate::page::Page;
use crate::routes::forms::{Form, Refused, aim};
use crate::sheet::{Fault, Part};

pub(crate) struct AreaForm;

impl Form for AreaForm {
    const BACK: (&'static str, &'static str, &'static str) = ("site", "/site", "site-title");
    const NEW: &'static str = "area-new";

    fn thing(id: u64) -> Thing {
        Thing::Area(AreaId(id))
    }

    fn blank(survey: &Survey, asked: &Fields) -> Fields {
        let around = asked.numbers("in").first().and_then(|id| survey.area(AreaId(*id)));
        let kind = match around.map(|it| it.kind) {
            None => AreaKind::Building,
            Some(AreaKind::Building) => AreaKind::Floor,
            Some(AreaKind::Floor | AreaKind::Area | AreaKind::Outside) => AreaKind::Area,
        };
        Fields::default().with("kind", kind.word()).with("parent", asked.get("in"))
    }

    fn fill(survey: &Survey, id: u64) -> Option<(Fields, Seen)> {
        let area = survey.area(AreaId(id))?;
        let parent = area.parent.map_or(String::new(), |parent| parent.to_string());
        let fields = label_fields(&area.label).with("kind", area.kind.word()).with("parent", parent);
        Some((fields, Seen::of(area)))
    }

    fn parts(page: &Page, survey: &Survey, fields: &Fields, is_new: bool) -> Vec<Part> {
        let kinds = AreaKind::ALL.iter().map(|it| (it.word().to_owned(), page.word("area-kind", it.word())));
        let nothing = (String::new(), page.say("area-in-nothing").into_owned());
        let parents = areas(page, survey);
        let mut parts = vec![
            Part::names(page, fields),
            Part::Row(vec![
                Part::select(page, fields, "kind", "area-kind", kinds),
                Part::select(page, fields, "parent", "area-in", [nothing].into_iter().chain(parents))
                    .with_hint(page, "area-in-hint"),
            ]),
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
        let kind = AreaKind::parse(fields.get("kind"));
        let kind = kind.ok_or_else(|| Fault::at(page, "kind", "fault-kind"))?;
        let parent = match fields.get("parent") {
            "" => None,
            parent => Some(AreaId(parent.parse().map_err(|_| Fault::at(page, "parent", "fault-parent"))?)),
        };
        let area = Area { label: label(fields), kind, parent };
        Ok(edit.area(aim(known, AreaId), &area).await?.0)
    }
}

/// The names that every form has.
pub(crate) fn label(fields: &Fields) -> Label {
    let text = |name| fields.get(name).to_owned();
    Label { key: text("key"), name: text("name"), latin: text("latin") }
}

pub(crate) fn label_fields(label: &Label) -> Fields {
    Fields::default().with("name", &label.name).with("latin", &label.latin)
}

/// Every area to choose from, with the way to it: `主楼 / 一层`.
pub(crate) fn areas(page: &Page, survey: &Survey) -> Vec<(String, String)> {
    let named = |id: &AreaId| {
        let label = survey.area(*id).map(|it| it.label.clone());
        label.map(|it| page.both_names(it.name, it.latin).0).unwrap_or_default()
    };
    let way = |id: AreaId| {
        let names: Vec<_> = survey.around(id).iter().rev().map(named).collect();
        names.join(" / ")
    };
    let mut areas: Vec<_> = survey.areas.iter().map(|(id, _)| (id.to_string(), way(*id))).collect();
    areas.sort_by(|one, other| one.1.cmp(&other.1));
    areas
}
