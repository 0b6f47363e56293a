//! The form of a door or a lane: where it is, what drives it, how it behaves, what opens it, and whom it lets in.

use std::time::Duration;

use domain::ids::{AreaId, ControllerId, DoorId, FireZoneId, LevelId};
use domain::policy::{AntiPassback, DoorKind, Egress, EntryRule, Relock};
use doors::door::{Board, Door, DoorGroup};
use doors::edit::{Aim, Edit, Seen};
use doors::level::Level;
use doors::survey::{Survey, Thing};
use kit::auth::Role;
use people::word::Word;

use super::area::{areas, label, label_fields};
use super::rules;
use crate::form::Fields;
use crate::page::Page;
use crate::routes::forms::{Form, Refused, aim};
use crate::sheet::{Fault, Part, name_of};

pub(crate) struct DoorForm;

/// Words for entering twice.
const ANTI_PASSBACK: [&str; 4] = ["off", "soft", "hard", "timed"];

impl Form for DoorForm {
    const BACK: (&'static str, &'static str, &'static str) = ("site", "/site", "site-title");
    const NEW: &'static str = "door-new";

    fn thing(id: u64) -> Thing {
        Thing::Door(DoorId(id))
    }

    fn blank(survey: &Survey, asked: &Fields) -> Fields {
        let inside = asked.get("inside");
        let outside = survey.area(AreaId(inside.parse().unwrap_or(0))).and_then(|it| it.parent);
        let outside = outside.or_else(|| survey.areas.first().map(|(id, _)| *id));
        Fields::default()
            .with("kind", DoorKind::Door.word())
            .with("inside", inside)
            .with("outside", outside.map_or(String::new(), |it| it.to_string()))
            .with("controller", survey.controllers.first().map_or(String::new(), |(id, _)| id.to_string()))
            .with("egress", Egress::Exit.word())
            .with("strike", 5)
            .with("held_after", 30)
            .with("relock", Relock::OnClose.word())
            .with("anti_passback", "off")
            .with("unrecorded_entry", EntryRule::Refuse.word())
            .with("open_with", domain::request::Factors::FACE.bits())
            .with("open_with", domain::request::Factors::CARD.bits())
    }

    fn fill(survey: &Survey, id: u64) -> Option<(Fields, Seen)> {
        let id = DoorId(id);
        let door = survey.door(id)?;
        let (anti_passback, timed) = match door.anti_passback {
            AntiPassback::Off => ("off", None),
            AntiPassback::Soft => ("soft", None),
            AntiPassback::Hard => ("hard", None),
            AntiPassback::Timed(within) => ("timed", Some(within.as_secs_f64() / 60.0)),
        };
        let board = door.board.as_ref();
        let fields = label_fields(&door.label)
            .with("kind", door.kind.word())
            .with("outside", door.outside)
            .with("inside", door.inside)
            .with("controller", door.controller)
            .with("bus", board.map_or("", |board| &board.bus))
            .with("address", board.map_or(String::new(), |board| board.address.to_string()))
            .with("egress", door.egress.word())
            .with("strike", door.strike.as_secs_f64())
            .with("held_after", door.held_after.as_secs_f64())
            .with("relock", door.relock.word())
            .with("anti_passback", anti_passback)
            .with("anti_passback_within", timed.map_or(String::new(), |it| it.to_string()))
            .with("unrecorded_entry", door.unrecorded_entry.word())
            .with("fire_zone", door.fire_zone.map_or(String::new(), |zone| zone.to_string()))
            .with_all("group", groups_of(survey, id))
            .with_all("level", levels_of(survey, id));
        Some((rules::fill(fields, &door.rules, &door.otherwise), Seen::of(door)))
    }

    fn parts(page: &Page, survey: &Survey, fields: &Fields, is_new: bool) -> Vec<Part> {
        let mut parts = vec![Part::names(page, fields)];
        parts.extend(place(page, survey, fields));
        parts.extend(rules::parts(page, survey, fields));
        parts.extend(behaviour(page, survey, fields));
        let groups = survey.door_groups.iter();
        let groups = groups.map(|(id, _)| (id.to_string(), name_of(page, survey, Thing::DoorGroup(*id))));
        let levels = survey.levels.iter();
        let levels = levels.map(|(id, _)| (id.to_string(), name_of(page, survey, Thing::Level(*id))));
        if page.is_at_site(Role::Manager) {
            parts.push(Part::heading(page, "door-who", "door-who-hint"));
            parts.push(Part::checks(page, fields, "group", "door-groups", groups));
            parts.push(Part::checks(page, fields, "level", "door-levels", levels));
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
        let door = edit.door(aim(known, DoorId), &read(page, fields)?).await?;
        // Whom a door lets in is said at the site: whoever has a rank in places alone leaves that as it is.
        if !page.is_at_site(Role::Manager) {
            return Ok(door.0);
        }
        let survey = edit.before().clone();
        let wanted = fields.numbers("group");
        for (id, group) in &survey.door_groups {
            let doors = with(&group.doors, door, wanted.contains(id));
            if doors != group.doors {
                let seen = Seen::of(group);
                edit.door_group(Aim::Known(*id, seen), &DoorGroup { doors, ..group.clone() }).await?;
            }
        }
        let wanted = fields.numbers("level");
        for (id, level) in &survey.levels {
            let doors = with(&level.doors, door, wanted.contains(&id.0));
            if doors != level.doors {
                edit.level(Aim::Known(*id, Seen::of(level)), &Level { doors, ..level.clone() }).await?;
            }
        }
        Ok(door.0)
    }

    fn after(id: u64) -> String {
        format!("/site/doors/{id}?said=saved")
    }
}

/// Where it is and what drives it.
fn place(page: &Page, survey: &Survey, fields: &Fields) -> Vec<Part> {
    let kinds = DoorKind::ALL.iter().map(|it| {
        let key = match it {
            DoorKind::Door => "kind-door",
            DoorKind::Lane => "kind-lane",
        };
        (it.word().to_owned(), page.say(key).into_owned())
    });
    let controllers = survey.controllers.iter();
    let controllers =
        controllers.map(|(id, _)| (id.to_string(), name_of(page, survey, Thing::Controller(*id))));
    let bus = Part::text(page, fields, "bus", "door-bus").hint(page, "door-bus-hint");
    let address = Part::text(page, fields, "address", "door-address").kind("number");
    vec![
        Part::select(page, fields, "kind", "door-kind", kinds),
        Part::Row(vec![
            Part::select(page, fields, "outside", "door-outside", areas(page, survey)),
            Part::select(page, fields, "inside", "door-inside", areas(page, survey)),
        ]),
        Part::heading(page, "door-drive", "door-drive-hint"),
        Part::select(page, fields, "controller", "door-controller", controllers),
        Part::Row(vec![Part::Line(bus), Part::Line(address)]),
    ]
}

/// How it behaves.
fn behaviour(page: &Page, survey: &Survey, fields: &Fields) -> Vec<Part> {
    fn words<W: Word>(page: &Page, list: &str) -> Vec<(String, String)> {
        W::ALL.iter().map(|it| (it.word().to_owned(), page.word(list, it.word()))).collect()
    }
    let number = |name: &str, label: &str| Part::Line(Part::text(page, fields, name, label).kind("number"));
    let twice = ANTI_PASSBACK.iter().map(|it| ((*it).to_owned(), page.word("anti-passback", it)));
    let no_zone = (String::new(), page.say("door-no-zone").into_owned());
    let zones = survey.fire_zones.iter();
    let zones = zones.map(|(id, _)| (id.to_string(), name_of(page, survey, Thing::FireZone(*id))));
    let egress = Part::select(page, fields, "egress", "door-egress", words::<Egress>(page, "egress"));
    let unrecorded = words::<EntryRule>(page, "unrecorded");
    vec![
        Part::heading(page, "door-behaviour", ""),
        Part::Row(vec![number("strike", "door-strike"), number("held_after", "door-held")]),
        Part::Row(vec![
            Part::select(page, fields, "relock", "door-relock", words::<Relock>(page, "relock")),
            egress.with_hint(page, "door-egress-hint"),
        ]),
        Part::Row(vec![
            Part::select(page, fields, "anti_passback", "door-anti-passback", twice),
            number("anti_passback_within", "door-anti-passback-within"),
        ]),
        Part::Row(vec![
            Part::select(page, fields, "unrecorded_entry", "door-unrecorded", unrecorded),
            Part::select(page, fields, "fire_zone", "door-zone", [no_zone].into_iter().chain(zones)),
        ]),
    ]
}

/// The door that the form says.
fn read(page: &Page, fields: &Fields) -> Result<Door, Fault> {
    fn word<W: Word>(page: &Page, fields: &Fields, name: &str) -> Result<W, Fault> {
        W::parse(fields.get(name)).ok_or_else(|| Fault::at(page, name, "fault-choice"))
    }
    let number = |name: &str, value: &str| {
        value.parse::<u64>().map_err(|_| Fault::at(page, name, &format!("fault-{name}")))
    };
    let seconds = |name: &str| {
        let value = fields.get(name).parse::<f64>().ok().filter(|it| (0.0..=86_400.0).contains(it));
        let value = value.ok_or_else(|| Fault::at(page, name, &format!("fault-{name}")));
        value.map(Duration::from_secs_f64)
    };
    let board = match (fields.get("bus"), fields.get("address")) {
        ("", "") => None,
        ("", _) => return Err(Fault::at(page, "bus", "fault-bus")),
        (bus, address) => {
            let address = address.parse().map_err(|_| Fault::at(page, "address", "fault-address"))?;
            Some(Board { bus: bus.to_owned(), address })
        }
    };
    let anti_passback = match fields.get("anti_passback") {
        "off" => AntiPassback::Off,
        "soft" => AntiPassback::Soft,
        "hard" => AntiPassback::Hard,
        "timed" => {
            let minutes = fields.get("anti_passback_within").parse::<f64>().ok();
            let minutes = minutes.filter(|it| (0.1..=10_080.0).contains(it));
            let fault = || Fault::at(page, "anti_passback_within", "fault-anti_passback_within");
            AntiPassback::Timed(Duration::from_secs_f64(minutes.ok_or_else(fault)? * 60.0))
        }
        _ => return Err(Fault::at(page, "anti_passback", "fault-choice")),
    };
    let (rules, otherwise) = rules::read(page, fields)?;
    Ok(Door {
        label: label(fields),
        controller: ControllerId(number("controller", fields.get("controller"))?),
        board,
        kind: word(page, fields, "kind")?,
        outside: AreaId(number("outside", fields.get("outside"))?),
        inside: AreaId(number("inside", fields.get("inside"))?),
        egress: word(page, fields, "egress")?,
        rules,
        otherwise,
        strike: seconds("strike")?,
        held_after: seconds("held_after")?,
        relock: word(page, fields, "relock")?,
        anti_passback,
        unrecorded_entry: word(page, fields, "unrecorded_entry")?,
        fire_zone: match fields.get("fire_zone") {
            "" => None,
            zone => Some(FireZoneId(number("fire_zone", zone)?)),
        },
    })
}

/// The groups a door is in.
pub(crate) fn groups_of(survey: &Survey, door: DoorId) -> Vec<u64> {
    let groups = survey.door_groups.iter().filter(|(_, group)| group.doors.contains(&door));
    groups.map(|(id, _)| *id).collect()
}

/// The levels that name a door itself.
fn levels_of(survey: &Survey, door: DoorId) -> Vec<LevelId> {
    let levels = survey.levels.iter().filter(|(_, level)| level.doors.contains(&door));
    levels.map(|(id, _)| *id).collect()
}

/// A list with a door in it, or without.
fn with(doors: &[DoorId], door: DoorId, is_in: bool) -> Vec<DoorId> {
    let mut doors: Vec<_> = doors.iter().copied().filter(|it| *it != door).collect();
    if is_in {
        doors.push(door);
        doors.sort_unstable();
    }
    doors
}

#[cfg(test)]
mod tests {
    use domain::policy::CredentialRule;
    use domain::request::Factors;
    use doors::label::Label;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::words::Language;

    #[test]
    fn a_door_is_read_as_it_is_filled_in() {
        let page = Page { language: Language::English, operator: None, zone: TimeZone::UTC, section: "" };
        let door = Door {
            label: Label { latin: "Main".to_owned(), ..Label::new("main", "正门") },
            controller: ControllerId(1),
            board: Some(Board { bus: "lobby".to_owned(), address: 7 }),
            kind: DoorKind::Lane,
            outside: AreaId(1),
            inside: AreaId(2),
            egress: Egress::Both,
            rules: vec![CredentialRule { schedule: domain::ids::ScheduleId(3), any_of: vec![Factors::CARD] }],
            otherwise: vec![Factors::CARD.and(Factors::PIN)],
            strike: Duration::from_millis(3500),
            held_after: Duration::from_secs(20),
            relock: Relock::OnOpen,
            anti_passback: AntiPassback::Timed(Duration::from_secs(90)),
            unrecorded_entry: EntryRule::Allow,
            fire_zone: Some(FireZoneId(4)),
        };
        let survey = Survey {
            site: None,
            areas: Vec::new(),
            controllers: Vec::new(),
            fire_zones: Vec::new(),
            schedules: Vec::new(),
            days: Vec::new(),
            doors: vec![(DoorId(5), door.clone())],
            door_groups: Vec::new(),
            levels: Vec::new(),
            groups: Vec::new(),
        };
        let (fields, seen) = DoorForm::fill(&survey, 5).expect("it is there");
        assert_eq!(seen, Seen::of(&door));
        let Ok(mut read) = read(&page, &fields) else { panic!("nothing is wrong") };
        read.label.key = "main".to_owned();
        assert_eq!(read, door);
        let fields = fields.with("x", 1);
        assert_eq!(with(&[DoorId(1), DoorId(9)], DoorId(5), true), [DoorId(1), DoorId(5), DoorId(9)]);
        assert!(fields.numbers("x") == [1]);
    }
}
