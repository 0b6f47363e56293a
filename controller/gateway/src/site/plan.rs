//! What is wired to this controller, from its configuration: it does not change while the process runs.

use std::time::Duration;

use domain::ids::{ControllerId, DoorId};
use domain::request::Side;

use crate::config::{Camera, Config, Device, Kind, Reader};

/// A board's place in [`Plan::boards`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoardId(pub usize);

/// Everything wired to this controller.
#[derive(Debug)]
pub struct Plan {
    /// The controller's number in the policy.
    pub controller: ControllerId,
    /// Boards and readers of all buses.
    pub boards: Vec<BoardPlan>,
    /// The buses' names.
    pub buses: Vec<String>,
    /// Cameras bound to doors here.
    pub cameras: Vec<Camera>,
    /// How long a board's list holds at most.
    pub whitelist_life: Duration,
    /// The public half of the key that lists are signed with.
    pub whitelist_key: [u8; 32],
}

/// One board or reader.
#[derive(Debug)]
pub struct BoardPlan {
    /// Which bus, in the order of [`Plan::buses`].
    pub bus: usize,
    /// What the configuration says of it.
    pub device: Device,
}

impl Plan {
    /// The plan of a configuration; its devices move here. `whitelist_key` is what boards know their lists by.
    pub fn new(config: &mut Config, whitelist_key: [u8; 32]) -> Plan {
        let mut boards = Vec::new();
        for (bus, it) in config.buses.iter_mut().enumerate() {
            boards.extend(it.devices.drain(..).map(|device| BoardPlan { bus, device }));
        }
        Plan {
            controller: config.controller,
            boards,
            buses: config.buses.iter().map(|bus| bus.name.clone()).collect(),
            cameras: config.reader_link.as_ref().map(|link| link.cameras.clone()).unwrap_or_default(),
            whitelist_life: config.whitelist_life,
            whitelist_key,
        }
    }

    /// All boards.
    pub fn ids(&self) -> impl Iterator<Item = BoardId> + use<> {
        (0..self.boards.len()).map(BoardId)
    }

    /// A board.
    ///
    /// # Panics
    /// When the id is not one of this plan's.
    pub fn board(&self, id: BoardId) -> &Device {
        &self.boards[id.0].device
    }

    /// The board that drives a door.
    pub fn driver(&self, door: DoorId) -> Option<BoardId> {
        self.ids().find(|id| self.board(*id).door == Some(door))
    }

    /// The door a board drives.
    pub fn door(&self, board: BoardId) -> Option<DoorId> {
        self.board(board).door
    }

    /// What a reader of a board stands at.
    pub fn reader(&self, board: BoardId, number: u8) -> Option<Reader> {
        self.board(board).readers.iter().find(|reader| reader.number == number).copied()
    }

    /// The readers on one side of a door, with their boards.
    pub fn readers_at(&self, door: DoorId, side: Side) -> impl Iterator<Item = (BoardId, u8)> {
        self.ids().flat_map(move |id| {
            let here = self.board(id).readers.iter().filter(move |it| it.door == door && it.side == side);
            here.map(move |it| (id, it.number))
        })
    }

    /// The camera of a vision process by its name.
    pub fn camera(&self, vision: &str, name: &str) -> Option<&Camera> {
        self.cameras.iter().find(|camera| camera.vision == vision && camera.name == name)
    }

    /// Whether a board is one of our own.
    pub fn is_ours(&self, board: BoardId) -> bool {
        matches!(self.board(board).kind, Kind::Door | Kind::GateLane)
    }
}
