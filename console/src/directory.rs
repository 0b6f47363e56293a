//! Names for the numbers that events and states carry.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ids::PersonId;
use domain::policy::DoorKind;
use doors::label::Label;
use doors::{door, place};
use kit::{Kit, StoredEvent};
use serde::Deserialize;

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
}

/// A person as pages name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) name: String,
    /// Whether there is a profile picture.
    pub(crate) has_photo: bool,
}

/// Every door, and the people of the records in sight.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    pub(crate) doors: BTreeMap<u64, Door>,
    pub(crate) people: BTreeMap<u64, Person>,
}

/// Reads the names that a page with these records needs.
pub(crate) async fn load(
    kit: &Kit,
    language: Language,
    records: &[Arc<StoredEvent>],
) -> Result<Directory, sqlx::Error> {
    let mut directory = Directory { doors: doors(kit, language).await?, people: BTreeMap::new() };
    for record in records {
        directory.learn(kit, language, record).await?;
    }
    Ok(directory)
}

/// Whether a record means that names are to be read again.
pub(crate) fn is_changed_by(record: &StoredEvent) -> bool {
    let (slice, _) = record.kind.split_once('.').unwrap_or((&record.kind, ""));
    matches!(slice, "person" | "picture" | "consent" | "door" | "area" | "site" | "policy")
}

impl Directory {
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
        if record.kind != "access" {
            return Ok(());
        }
        let Ok(Whom { person: Some(id) }) = serde_json::from_str(&record.body) else { return Ok(()) };
        if self.people.contains_key(&id) {
            return Ok(());
        }
        if let Some((name, latin)) = people::person::name(kit, PersonId(id)).await? {
            let name = if language == Language::English && !latin.is_empty() { latin } else { name };
            let has_photo = people::picture::has(kit, PersonId(id)).await?;
            self.people.insert(id, Person { name, has_photo });
        }
        Ok(())
    }
}

async fn doors(kit: &Kit, language: Language) -> Result<BTreeMap<u64, Door>, sqlx::Error> {
    let mut connection = kit.read().acquire().await?;
    let areas: BTreeMap<_, _> = place::areas(&mut connection).await?.into_iter().collect();
    let doors = door::list(&mut connection).await?.into_iter().map(|(id, door)| {
        let area = areas.get(&door.inside).map(|area| named(&area.label, language)).unwrap_or_default();
        let kind = match door.kind {
            DoorKind::Door => "kind-door",
            DoorKind::Lane => "kind-lane",
        };
        let controller = format!("controller-{}", door.controller);
        (id.0, Door { id: id.0, name: named(&door.label, language), area, kind, controller })
    });
    Ok(doors.collect())
}

fn named(label: &Label, language: Language) -> String {
    if language == Language::English && !label.latin.is_empty() {
        label.latin.clone()
    } else {
        label.name.clone()
    }
}
