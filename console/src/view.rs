//! What a page looks at: its moving part is drawn here, once when the page is loaded and then by its stream.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ids::{AreaId, DoorId};
use doors::plan::{self, Plan, Point};
use doors::survey::Survey;
use kit::auth::{Operator, Ranks, Role};
use kit::ingest::{Lane, positions};
use kit::live::Heard;
use kit::problem::Problem;
use kit::trouble::Trouble;
use kit::{Kit, StoredEvent};
use serde::Deserialize;
use uplink::event::Side;

use crate::directory::{self, Directory};
use crate::page::Page;
use crate::routes::{plan as plans, site, wall};
use crate::sight::Sight;
use crate::words::Language;
use crate::{event, state};

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum View {
    /// The live page.
    Live,
    /// The tree of the site, or what a question finds in it.
    Site(String),
    /// One door.
    Door(DoorId),
    /// A floor's plan.
    Plan(AreaId),
    /// Who came in by these doors, by any when there is none.
    Wall(Vec<u64>),
    /// Every device.
    Devices,
    /// One device, by the name in its certificate.
    Device(String),
}

/// What a view is drawn from, besides what devices say.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// What of it all is seen; whatever else is in the scene is cut to it.
    pub(crate) sight: Sight,
    pub(crate) directory: Directory,
    pub(crate) survey: Survey,
    /// Every floor that has a plan.
    pub(crate) plans: BTreeMap<AreaId, Plan>,
    /// Where doors stand on the plan that is looked at.
    pub(crate) standing: Vec<(DoorId, Point)>,
    /// How far each device's streams are complete.
    pub(crate) complete: Vec<(Lane, u64)>,
}

impl View {
    /// Doors that a wall is of, at most.
    pub(crate) const DOORS: usize = 64;

    /// As an address names it; `None` for what is none.
    pub(crate) fn parse(view: &str, of: &str) -> Option<Self> {
        Some(match view {
            "" => Self::Live,
            "site" => Self::Site(of.to_owned()),
            "door" => Self::Door(DoorId(of.parse().ok()?)),
            "plan" => Self::Plan(AreaId(of.parse().ok()?)),
            "wall" => {
                let ids: Result<Vec<u64>, _> = of.split_terminator(',').map(str::parse).collect();
                Self::Wall(wall::doors(ids.ok()?))
            }
            "devices" => Self::Devices,
            "device" => Self::Device(of.to_owned()),
            _ => return None,
        })
    }

    /// The two words that an address names it by.
    pub(crate) fn words(&self) -> (&'static str, String) {
        match self {
            Self::Live => ("", String::new()),
            Self::Site(find) => ("site", find.clone()),
            Self::Door(door) => ("door", door.to_string()),
            Self::Plan(floor) => ("plan", floor.to_string()),
            Self::Wall(doors) => ("wall", doors.iter().map(u64::to_string).collect::<Vec<_>>().join(",")),
            Self::Devices => ("devices", String::new()),
            Self::Device(device) => ("device", device.clone()),
        }
    }

    /// Whether the page shows this record.
    pub(crate) fn tells(&self, record: &StoredEvent) -> bool {
        match self {
            // Who looks at what is for whoever asks, not for the page that shows the building.
            Self::Live => !is_look(record),
            Self::Door(door) => is_of_door(record, *door),
            Self::Wall(doors) => is_entry(record, doors),
            Self::Site(_) | Self::Plan(_) | Self::Devices | Self::Device(_) => false,
        }
    }

    /// A record's line, or its card.
    pub(crate) fn row(
        &self,
        kit: &Kit,
        page: &Page,
        directory: &Directory,
        record: &StoredEvent,
        now: i64,
    ) -> String {
        match self {
            Self::Wall(_) => wall::card(kit, page, directory, record, now),
            Self::Live | Self::Site(_) | Self::Door(_) | Self::Plan(_) | Self::Devices | Self::Device(_) => {
                event::row(kit, page, directory, record, now)
            }
        }
    }

    /// Refuses whoever may not look at it anywhere.
    pub(crate) fn admits(&self, operator: &Operator) -> Result<(), Problem> {
        let least = match self {
            Self::Wall(_) => Role::Guard,
            Self::Live | Self::Site(_) | Self::Door(_) | Self::Plan(_) | Self::Devices | Self::Device(_) => {
                Role::Viewer
            }
        };
        if operator.ranks.highest() >= least { Ok(()) } else { operator.require(least) }
    }

    /// The moving part's HTML.
    pub(crate) fn render(
        &self,
        page: &Page,
        scene: &Scene,
        devices: &BTreeMap<String, Heard>,
        troubles: &BTreeMap<Trouble, i64>,
        now: i64,
    ) -> String {
        match self {
            Self::Live => state::render(page, &scene.directory, devices, troubles, now),
            Self::Site(find) => site::tree::render(page, scene, devices, find, now),
            Self::Door(door) => site::door::render(page, scene, devices, *door, now),
            Self::Plan(floor) => plans::render(page, scene, devices, *floor, now),
            // Its moving part are its records.
            Self::Wall(_) => String::new(),
            Self::Devices => crate::routes::devices::render(page, scene, devices, None, now),
            Self::Device(name) => crate::routes::devices::render(page, scene, devices, Some(name), now),
        }
    }
}

impl Scene {
    /// Reads what a view needs, as far as somebody of these ranks sees it.
    pub(crate) async fn load(
        kit: &Kit,
        language: Language,
        view: &View,
        records: &[Arc<StoredEvent>],
        ranks: &Ranks,
    ) -> Result<Self, sqlx::Error> {
        let mut directory = directory::load(kit, language, records).await?;
        let mut connection = kit.read().acquire().await?;
        let survey = Survey::load(&mut connection).await?;
        let sight = Sight::of(ranks, &survey);
        let survey = survey.within(&sight.reach);
        directory.narrow(&sight);
        let mut plans: BTreeMap<_, _> = plan::list(&mut connection).await?.into_iter().collect();
        plans.retain(|floor, _| sight.reach.in_area(*floor).is_some());
        let mut standing = match view {
            View::Plan(floor) => plan::standing(&mut connection, *floor).await?,
            View::Live | View::Site(_) | View::Door(_) | View::Wall(_) | View::Devices | View::Device(_) => {
                Vec::new()
            }
        };
        standing.retain(|(door, _)| sight.sees_door(door.0));
        drop(connection);
        let mut scene = Self { sight, directory, survey, plans, standing, complete: Vec::new() };
        scene.count(kit, view).await;
        Ok(scene)
    }

    /// What devices say now, as far as it is seen.
    pub(crate) fn devices(&self, kit: &Kit) -> BTreeMap<String, Heard> {
        self.sight.of_devices(kit.live().all())
    }

    /// Reads how far the streams are complete, where the view shows it. A database that does not answer leaves what was
    /// known.
    pub(crate) async fn count(&mut self, kit: &Kit, view: &View) {
        if matches!(view, View::Devices | View::Device(_))
            && let Ok(complete) = positions(kit.read()).await
        {
            self.complete = complete;
        }
    }
}

/// Whether somebody came in by one of these doors, or was refused there.
fn is_entry(record: &StoredEvent, doors: &[u64]) -> bool {
    #[derive(Deserialize)]
    struct Where {
        door: u64,
        side: Side,
    }
    record.kind == "access"
        && record
            .parse::<Where>()
            .is_some_and(|it| it.side == Side::Entry && (doors.is_empty() || doors.contains(&it.door)))
}

/// Whether a record tells that personal data were looked at.
pub(crate) fn is_look(record: &StoredEvent) -> bool {
    record.stream == kit::Stream::Own && matches!(&*record.kind, "person.viewed" | "people.viewed")
}

/// Whether a record is of a door: what happened there, or a change of it.
pub(crate) fn is_of_door(record: &StoredEvent, door: DoorId) -> bool {
    #[derive(Deserialize)]
    struct Where {
        door: Option<u64>,
    }
    record.parse::<Where>().is_some_and(|it| it.door == Some(door.0))
}
