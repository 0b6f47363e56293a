//! Names for the numbers that events and states carry.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ids::PersonId;
use domain::policy::DoorKind;
use doors::label::Label;
use doors::{door, place};
use kit::pki::Holder;
use kit::{Kit, StoredEvent, auth};
use serde::Deserialize;

use crate::page::Page;
use crate::sight::Sight;
use crate::words::Language;

/// A door as pages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Door {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) area: String,
    /// `kind-door` or `kind-lane`.
    pub(crate) kind: &'static str,
    /// The certificate name of its controller.
    pub(crate) controller: String,
    /// Where its board hangs: the bus's name and the address.
    pub(crate) board: Option<(String, u8)>,
}

/// A person as pages name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) department: String,
    /// Whether there is a profile picture.
    pub(crate) has_photo: bool,
}

/// Every door, controller and operator, and the people of the records in sight.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    pub(crate) doors: BTreeMap<u64, Door>,
    pub(crate) people: BTreeMap<u64, Person>,
    /// What the site calls its controllers, by certificate name.
    pub(crate) controllers: BTreeMap<String, String>,
    pub(crate) operators: BTreeMap<i64, String>,
}

/// Reads the names that a page with these records needs.
pub(crate) async fn load(
    kit: &Kit,
    language: Language,
    records: &[Arc<StoredEvent>],
) -> Result<Directory, sqlx::Error> {
    let operators = auth::list(kit).await?.into_iter().map(|operator| (operator.id.0, operator.name));
    let operators = operators.collect();
    let mut connection = kit.read().acquire().await?;
    let areas: BTreeMap<_, _> = place::areas(&mut connection).await?.into_iter().collect();
    let doors = door::list(&mut connection).await?.into_iter().map(|(id, door)| {
        let area = areas.get(&door.inside).map(|area| named(&area.label, language)).unwrap_or_default();
        let kind = match door.kind {
            DoorKind::Door => "kind-door",
            DoorKind::Lane => "kind-lane",
        };
        let controller = Holder::Controller(door.controller.0).name();
        let board = door.board.map(|board| (board.bus, board.address));
        (id.0, Door { id: id.0, name: named(&door.label, language), area, kind, controller, board })
    });
    let doors = doors.collect();
    let controllers = place::controllers(&mut connection).await?.into_iter();
    let controllers =
        controllers.map(|(id, label)| (Holder::Controller(id.0).name(), named(&label, language))).collect();
    drop(connection);
    let mut directory = Directory { doors, people: BTreeMap::new(), controllers, operators };
    for record in records {
        directory.learn(kit, language, record).await?;
    }
    Ok(directory)
}

/// A person's name; `None` when they are not there any more.
pub(crate) async fn person(kit: &Kit, language: Language, id: u64) -> Result<Option<String>, sqlx::Error> {
    let found = people::person::name(kit, PersonId(id)).await?;
    Ok(found.map(|(name, latin)| in_language(language, name, latin)))
}

fn in_language(language: Language, name: String, latin: String) -> String {
    if language == Language::English && !latin.is_empty() { latin } else { name }
}

/// Whether a record means that names are to be read again.
pub(crate) fn is_changed_by(record: &StoredEvent) -> bool {
    let (slice, _) = record.kind.split_once('.').unwrap_or((&record.kind, ""));
    record.stream == kit::Stream::Own
        && record.kind != "person.viewed"
        && matches!(
            slice,
            "person"
                | "picture"
                | "consent"
                | "door"
                | "area"
                | "floor-plan"
                | "controller"
                | "site"
                | "policy"
                | "operator"
                | "import"
        )
}

impl Directory {
    /// Forgets what is not seen.
    pub(crate) fn narrow(&mut self, sight: &Sight) {
        self.doors.retain(|id, _| sight.sees_door(*id));
        self.controllers.retain(|device, _| sight.sees_device(device));
    }

    /// Reads the name of the person in a record, unless it is known.
    pub(crate) async fn learn(
        &mut self,
        kit: &Kit,
        language: Language,
        record: &StoredEvent,
    ) -> Result<(), sqlx::Error> {
        #[derive(Deserialize)]
        struct Whom {
            person: Option<u64>,
        }
        let Some(Whom { person: Some(id) }) = record.parse() else { return Ok(()) };
        if self.people.contains_key(&id) {
            return Ok(());
        }
        if let Some((name, latin, department)) = people::person::badge(kit, PersonId(id)).await? {
            let name = in_language(language, name, latin);
            let has_photo = people::picture::has(kit, PersonId(id)).await?;
            self.people.insert(id, Person { name, department, has_photo });
        }
        Ok(())
    }

    /// A door's name; its number when it is not there any more.
    pub(crate) fn door(&self, page: &Page, id: u64) -> String {
        let number = || numbered(page, "door-number", "id", id);
        self.doors.get(&id).map_or_else(number, |door| door.name.clone())
    }

    /// The door whose board hangs there.
    pub(crate) fn door_of(&self, controller: &str, bus: &str, address: u8) -> Option<&Door> {
        let is_it = |door: &&Door| {
            let board = door.board.as_ref().map(|(bus, address)| (bus.as_str(), *address));
            door.controller == controller && board == Some((bus, address))
        };
        self.doors.values().find(is_it)
    }

    /// A device's name on pages, from the name in its certificate.
    pub(crate) fn device(&self, page: &Page, name: &str) -> String {
        if let Some(name) = self.controllers.get(name) {
            return name.clone();
        }
        match Holder::parse(name) {
            Some(Holder::Vision(number)) => numbered(page, "device-vision", "number", number),
            Some(Holder::Controller(number)) => numbered(page, "device-controller", "number", number),
            Some(Holder::Server) => page.say("device-server").into_owned(),
            Some(Holder::Web | Holder::Broker) | None => name.to_owned(),
        }
    }
}

fn numbered(page: &Page, key: &str, name: &str, number: u64) -> String {
    page.say_with(key, name, number.to_string()).into_owned()
}

fn named(label: &Label, language: Language) -> String {
    if language == Language::English && !label.latin.is_empty() {
        label.latin.clone()
    } else {
        label.name.clone()
    }
}
