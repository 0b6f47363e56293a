//! What the controller looks like now, for the console.

use uplink::event::Stream;
use uplink::live;

use super::{Now, Site};
use crate::outbox::{Levels, index};

impl Site {
    /// The cameras of a vision process that are bound here.
    pub fn cameras_of(&self, vision: &str) -> Vec<String> {
        let own = self.plan.cameras.iter().filter(|camera| camera.vision == vision);
        own.map(|camera| camera.name.clone()).collect()
    }

    /// Whether something is on its way to the disk.
    pub fn is_writing(&self) -> bool {
        self.record.is_writing()
    }

    /// The live state. `levels` are the outbox's.
    pub fn live(&self, now: Now, levels: Levels) -> live::Live {
        let doors = self.points.iter().map(|(door, point)| live::Door {
            door: door.0,
            position: point.position,
            lock: point.lock,
            causes: point.causes.iter().map(|cause| cause.word().to_owned()).collect(),
            troubles: point.troubles.iter().map(|trouble| trouble.word().to_owned()).collect(),
            heard_at: point.heard_at.map(|at| at.0),
        });
        let boards = self.plan.boards.iter().zip(&self.boards).map(|(plan, board)| live::Board {
            bus: self.plan.buses[plan.bus].clone(),
            address: plan.device.address,
            online: board.online(),
            secure: board.online(),
            firmware: board.firmware(),
            heard_at: board.heard_at.map(|at| at.0),
            retries: board.retries,
            line: board.line,
            list: board.list.told(),
            update: board.update.live(),
            install: board.window.map(|window| live::Install { by: window.by, until: window.until.0 }),
        });
        // How old the newest picture is, only the vision process knows: a controller hears of those with somebody in them.
        let cameras = self.cameras.iter().map(|(name, up)| live::Camera {
            camera: name.clone(),
            up: *up,
            frame_age_ms: None,
        });
        live::Live {
            at: now.utc.0,
            software: self.software.to_owned(),
            doors: doors.collect(),
            boards: boards.collect(),
            cameras: cameras.collect(),
            outbox: Some(live::Outbox {
                epoch: levels.epoch[index(Stream::Urgent)],
                urgent: levels.waiting(Stream::Urgent),
                bulk: levels.waiting(Stream::Bulk),
                writable: self.record.works(),
            }),
            replica_version: Some(self.policy.version().0).filter(|version| *version > 0),
        }
    }
}
