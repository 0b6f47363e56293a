//! What the building looks like now, as the live page's left half.

use std::collections::BTreeMap;

use askama::Template;
use kit::live::Heard;
use uplink::live::{self as wire, Lock, Position};

use crate::directory::Directory;
use crate::event::board_name;
use crate::page::Page;

/// A device that has been silent for longer than this, in microseconds, is stale: nothing it said counts as now.
const STALE_AFTER: i64 = 5_000_000;

/// How a thing draws the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Normal,
    Attention,
    /// Nobody can say, or what was said is old.
    Unknown,
}

impl Level {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Attention => "attention",
            Self::Unknown => "is-unknown attention",
        }
    }

    /// The shape of a door.
    pub(crate) fn shape(self, lock: &str) -> &'static str {
        match self {
            Self::Attention => "alarm",
            Self::Unknown => "stale",
            Self::Normal if lock == "lock-released" => "released",
            Self::Normal => "locked",
        }
    }

    /// The shape of everything else.
    pub(crate) fn mark(self) -> &'static str {
        match self {
            Self::Attention => "alarm",
            Self::Unknown => "stale",
            Self::Normal => "granted",
        }
    }
}

#[derive(Debug)]
struct DoorView {
    id: u64,
    name: String,
    area: String,
    kind: &'static str,
    level: Level,
    lock: &'static str,
    position: &'static str,
    causes: Vec<String>,
    troubles: Vec<String>,
    heard_at: Option<i64>,
}

#[derive(Debug)]
struct ControllerView {
    name: String,
    level: Level,
    facts: Vec<String>,
    heard_at: i64,
    boards: Vec<PartView>,
}

#[derive(Debug)]
struct PartView {
    name: String,
    level: Level,
    state: &'static str,
    facts: Vec<String>,
    heard_at: Option<i64>,
}

#[derive(Template)]
#[template(path = "state.html")]
struct State<'a> {
    page: &'a Page,
    now: i64,
    heard: bool,
    troubles: usize,
    doors: Vec<DoorView>,
    controllers: Vec<ControllerView>,
}

/// The HTML of the building's state.
pub(crate) fn render(
    page: &Page,
    directory: &Directory,
    devices: &BTreeMap<String, Heard>,
    now: i64,
) -> String {
    let doors: Vec<_> = directory
        .doors
        .values()
        .map(|door| door_view(page, door, devices.get(&door.controller), now))
        .collect();
    let controllers: Vec<_> =
        devices.iter().map(|(name, heard)| controller_view(page, name, heard, now)).collect();
    let troubles = doors.iter().filter(|door| door.level != Level::Normal).count()
        + controllers
            .iter()
            .map(|controller| {
                usize::from(controller.level != Level::Normal)
                    + controller.boards.iter().filter(|board| board.level != Level::Normal).count()
            })
            .sum::<usize>();
    let state = State { page, now, heard: !devices.is_empty(), troubles, doors, controllers };
    state.render().unwrap_or_default()
}

fn is_stale(heard: &Heard, now: i64) -> bool {
    now.saturating_sub(heard.heard_at) > STALE_AFTER
}

fn door_view(page: &Page, door: &crate::directory::Door, heard: Option<&Heard>, now: i64) -> DoorView {
    let mut view = DoorView {
        id: door.id,
        name: door.name.clone(),
        area: door.area.clone(),
        kind: door.kind,
        level: Level::Unknown,
        lock: "lock-unknown",
        position: "position-unknown",
        causes: Vec::new(),
        troubles: Vec::new(),
        heard_at: None,
    };
    let state = heard.and_then(|heard| heard.live.doors.iter().find(|it| it.door == door.id));
    let (Some(heard), Some(state)) = (heard, state) else { return view };
    view.heard_at = state.heard_at.map(|at| at.saturating_sub(heard.clock_error).min(heard.heard_at));
    if is_stale(heard, now) {
        view.troubles.push(page.say("trouble-controller-silent").into_owned());
        return view;
    }
    view.lock = match state.lock {
        Lock::Locked => "lock-locked",
        Lock::Released => "lock-released",
        Lock::Unknown => "lock-unknown",
    };
    view.position = match state.position {
        Position::Closed => "position-closed",
        Position::Open => "position-open",
        Position::Unknown => "position-unknown",
    };
    view.causes = state.causes.iter().map(|word| page.word("cause", word)).collect();
    view.troubles = state.troubles.iter().map(|word| page.word("trouble", word)).collect();
    view.level = match (view.troubles.is_empty(), state.lock) {
        (_, Lock::Unknown) => Level::Unknown,
        (false, _) => Level::Attention,
        (true, _) => Level::Normal,
    };
    view
}

fn controller_view(page: &Page, name: &str, heard: &Heard, now: i64) -> ControllerView {
    let stale = is_stale(heard, now);
    let live = &heard.live;
    let mut facts = vec![live.software.clone()];
    if let Some(outbox) = &live.outbox {
        let waiting = i64::try_from(outbox.urgent + outbox.bulk).unwrap_or(i64::MAX);
        facts.push(page.say_with("controller-outbox", "count", waiting).into_owned());
    }
    if let Some(version) = live.replica_version {
        let version = i64::try_from(version).unwrap_or(i64::MAX);
        facts.push(page.say_with("controller-policy", "version", version).into_owned());
    }
    facts.push(page.say_with("controller-clock", "ms", heard.clock_error / 1000).into_owned());
    let writable = live.outbox.is_none_or(|outbox| outbox.writable);
    let level = match (stale, writable) {
        (true, _) => Level::Unknown,
        (false, true) => Level::Normal,
        (false, false) => Level::Attention,
    };
    let boards = live.boards.iter().map(|board| board_view(page, board, stale));
    let cameras = live.cameras.iter().map(|camera| camera_view(camera, stale));
    ControllerView {
        name: name.to_owned(),
        level,
        facts,
        heard_at: heard.heard_at,
        boards: boards.chain(cameras).collect(),
    }
}

fn board_view(page: &Page, board: &wire::Board, stale: bool) -> PartView {
    let secure = if board.secure { "board-secure" } else { "board-not-secure" };
    let mut facts = vec![page.say(secure).into_owned()];
    facts.extend(board.firmware.clone());
    PartView {
        name: board_name(page, &board.bus, board.address),
        level: level(stale, board.online),
        state: if board.online { "board-online" } else { "board-offline" },
        facts,
        heard_at: board.heard_at,
    }
}

fn camera_view(camera: &wire::Camera, stale: bool) -> PartView {
    PartView {
        name: camera.camera.clone(),
        level: level(stale, camera.up),
        state: if camera.up { "camera-up" } else { "camera-down" },
        facts: Vec::new(),
        heard_at: None,
    }
}

fn level(stale: bool, up: bool) -> Level {
    match (stale, up) {
        (true, _) => Level::Unknown,
        (false, true) => Level::Normal,
        (false, false) => Level::Attention,
    }
}

/// Whether a device that was drawn as speaking has fallen silent since, within the last beats.
pub(crate) fn went_stale(drawn: &BTreeMap<String, Heard>, now: i64) -> bool {
    drawn.values().any(|heard| is_stale(heard, now) && !is_stale(heard, now - 2 * STALE_AFTER))
}
