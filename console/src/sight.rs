//! What of the site somebody sees: of what devices say, and of what is journaled.
//!
//! Whoever has a rank at the whole site sees all of it. Whoever has one in some places sees those: their doors, what happened
//! there, the controllers that drive them; and every fire, because a fire keeps to no place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use doors::reach::Reach;
use doors::survey::Survey;
use kit::auth::{Ranks, Role};
use kit::live::Heard;
use kit::pki::Holder;
use kit::{Kit, StoredEvent, Stream};
use records::Question;
use serde::Deserialize;

/// What somebody sees.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    pub(crate) reach: Reach,
    /// `None` for whoever sees everything.
    narrowed: Option<Narrowed>,
}

#[derive(Clone, Debug)]
struct Narrowed {
    doors: BTreeSet<u64>,
    /// The certificate names of the controllers that drive them.
    controllers: BTreeSet<String>,
    /// Boards of other doors on those controllers' buses: controller, bus, address.
    hidden: BTreeSet<(String, String, u8)>,
}

impl Sight {
    /// What somebody of these ranks sees of the whole site.
    pub(crate) fn of(ranks: &Ranks, survey: &Survey) -> Self {
        Self::with_rank(ranks, Role::Viewer, survey)
    }

    /// What lies where somebody has this rank.
    fn with_rank(ranks: &Ranks, least: Role, survey: &Survey) -> Self {
        let reach = Reach::of(ranks, survey);
        let is_there = |area| reach.in_area(area) >= Some(least);
        if ranks.at_site() >= Some(least) {
            return Self { reach, narrowed: None };
        }
        let mut narrowed =
            Narrowed { doors: BTreeSet::new(), controllers: BTreeSet::new(), hidden: BTreeSet::new() };
        for (id, door) in &survey.doors {
            let controller = Holder::Controller(door.controller.0).name();
            if is_there(door.inside) || is_there(door.outside) {
                narrowed.doors.insert(id.0);
                narrowed.controllers.insert(controller);
            } else if let Some(board) = &door.board {
                narrowed.hidden.insert((controller, board.bus.clone(), board.address));
            }
        }
        Self { reach, narrowed: Some(narrowed) }
    }

    /// What somebody may take away who needs this rank for it, looked up.
    pub(crate) async fn load_with_rank(kit: &Kit, ranks: &Ranks, least: Role) -> Result<Self, sqlx::Error> {
        let survey = Survey::load(&mut *kit.read().acquire().await?).await?;
        Ok(Self::with_rank(ranks, least, &survey))
    }

    /// What somebody sees, looked up.
    pub(crate) async fn load(kit: &Kit, ranks: &Ranks) -> Result<Self, sqlx::Error> {
        let survey = Survey::load(&mut *kit.read().acquire().await?).await?;
        Ok(Self::of(ranks, &survey))
    }

    pub(crate) fn sees_door(&self, door: u64) -> bool {
        self.narrowed.as_ref().is_none_or(|narrowed| narrowed.doors.contains(&door))
    }

    /// By its certificate's name.
    pub(crate) fn sees_device(&self, device: &str) -> bool {
        self.narrowed.as_ref().is_none_or(|narrowed| narrowed.controllers.contains(device))
    }

    /// Whether a record is shown.
    pub(crate) fn tells(&self, record: &StoredEvent) -> bool {
        #[derive(Deserialize)]
        struct Where {
            door: Option<u64>,
            bus: Option<String>,
            address: Option<u8>,
        }
        let Some(narrowed) = &self.narrowed else { return true };
        let is_devices = record.stream != Stream::Own;
        if is_devices && record.kind == "fire" {
            return true;
        }
        match record.parse() {
            Some(Where { door: Some(door), .. }) => narrowed.doors.contains(&door),
            Some(Where { bus: Some(bus), address: Some(address), .. }) if is_devices => {
                narrowed.controllers.contains(&record.source)
                    && !narrowed.hidden.contains(&(record.source.clone(), bus, address))
            }
            // The server's own records that name no door are of the whole site.
            Some(Where { .. }) | None => is_devices && narrowed.controllers.contains(&record.source),
        }
    }

    /// What devices say, as far as it is seen.
    pub(crate) fn of_devices(&self, mut devices: BTreeMap<String, Heard>) -> BTreeMap<String, Heard> {
        let Some(narrowed) = &self.narrowed else { return devices };
        devices.retain(|name, _| narrowed.controllers.contains(name));
        for (name, heard) in &mut devices {
            let live = Arc::make_mut(&mut heard.live);
            live.doors.retain(|door| narrowed.doors.contains(&door.door));
            live.boards
                .retain(|board| !narrowed.hidden.contains(&(name.clone(), board.bus.clone(), board.address)));
        }
        devices
    }

    /// Asks for nothing that is not seen.
    pub(crate) fn narrow(&self, question: &mut Question) {
        let Some(narrowed) = &self.narrowed else { return };
        let seen = || narrowed.doors.iter().copied();
        question.doors = Some(match question.doors.take() {
            Some(doors) => doors.into_iter().filter(|door| narrowed.doors.contains(door)).collect(),
            None => seen().collect(),
        });
    }
}
