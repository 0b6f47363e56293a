//! What the building looks like now, as the live page's left half.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use kit::live::Heard;
use kit::trouble::Trouble;
use uplink::live::{self as wire, Lock, Position};

use crate::directory::{Directory, Door};
use crate::event::{board_name, board_place};
use crate::page::Page;

/// A device that has been silent for longer than this, in microseconds, is stale: nothing it said counts as now.
const STALE_AFTER: i64 = 5_000_000;
/// Matters named in the answer; the rest is counted, and stands in the lists below it.
const MATTERS: usize = 6;

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
            Self::Unknown => "unknown",
        }
    }

    /// The shape of a door.
    pub(crate) fn shape(self, lock: &str) -> &'static str {
        match self {
            Self::Attention | Self::Unknown => self.mark(),
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

/// When something was last heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastHeard {
    pub(crate) at: i64,
    /// The device whose every word makes it new; `None` for what stands still.
    pub(crate) of: Option<String>,
}

/// One matter that a person should look at. What follows from it is not another one.
#[derive(Debug)]
struct Matter {
    level: Level,
    name: String,
    what: String,
    /// Since when, or when it was last heard.
    at: Option<LastHeard>,
}

/// A door as it is drawn.
#[derive(Debug)]
pub(crate) struct DoorView {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) area: String,
    pub(crate) kind: &'static str,
    pub(crate) level: Level,
    pub(crate) lock: &'static str,
    pub(crate) position: &'static str,
    pub(crate) causes: Vec<String>,
    pub(crate) troubles: Vec<String>,
    /// Why nobody can say how the lock stands.
    pub(crate) unknown: Option<&'static str>,
    pub(crate) heard_at: Option<LastHeard>,
    /// Whether something else, told of elsewhere, is all that is wrong with it.
    follows: bool,
}

/// A device as it is drawn.
#[derive(Debug)]
pub(crate) struct DeviceView {
    pub(crate) name: String,
    pub(crate) certificate: String,
    pub(crate) level: Level,
    pub(crate) state: &'static str,
    facts: Vec<String>,
    pub(crate) heard_at: Option<LastHeard>,
    pub(crate) parts: Vec<PartView>,
}

/// A board or a camera as it is drawn.
#[derive(Debug)]
pub(crate) struct PartView {
    pub(crate) name: String,
    pub(crate) place: String,
    pub(crate) level: Level,
    pub(crate) state: &'static str,
    facts: Vec<String>,
    pub(crate) heard_at: Option<LastHeard>,
}

#[derive(Template)]
#[template(path = "state.html")]
struct State<'a> {
    page: &'a Page,
    now: i64,
    heard: bool,
    count: usize,
    matters: Vec<Matter>,
    more: usize,
    doors: Vec<DoorView>,
    devices: Vec<DeviceView>,
}

/// The HTML of the building's state.
pub(crate) fn render(
    page: &Page,
    directory: &Directory,
    devices: &BTreeMap<String, Heard>,
    troubles: &BTreeMap<Trouble, i64>,
    now: i64,
) -> String {
    let doors: Vec<_> = directory
        .doors
        .values()
        .map(|door| door_view(page, door, devices.get(&door.controller), now))
        .collect();
    // Those of the site, heard or not, and whoever else spoke.
    let names: BTreeSet<&String> = directory.controllers.keys().chain(devices.keys()).collect();
    let devices: Vec<_> =
        names.into_iter().map(|name| device_view(page, directory, name, devices.get(name), now)).collect();
    let heard = devices.iter().any(|device| device.heard_at.is_some());
    let mut matters = matters(page, &doors, &devices, troubles);
    let count = matters.len();
    matters.truncate(MATTERS);
    let more = count - matters.len();
    let state = State { page, now, heard, count, matters, more, doors, devices };
    state.render().unwrap_or_default()
}

fn matters(
    page: &Page,
    doors: &[DoorView],
    devices: &[DeviceView],
    troubles: &BTreeMap<Trouble, i64>,
) -> Vec<Matter> {
    let mut matters: Vec<_> = troubles
        .iter()
        .map(|(trouble, since)| Matter {
            level: Level::Attention,
            name: page.word("server-trouble", trouble.as_str()),
            what: page.word("server-trouble-means", trouble.as_str()),
            at: Some(LastHeard::still(*since)),
        })
        .collect();
    let mut add = |level, name: &str, what: String, at| {
        if level != Level::Normal {
            matters.push(Matter { level, name: name.to_owned(), what, at });
        }
    };
    let comma = page.say("list-comma");
    for door in doors.iter().filter(|door| !door.follows) {
        let mut what = door.troubles.clone();
        what.extend(door.unknown.map(|why| page.say(why).into_owned()));
        add(door.level, &door.name, what.join(&comma), door.heard_at.clone());
    }
    for device in devices {
        add(device.level, &device.name, page.say(device.state).into_owned(), device.heard_at.clone());
        for part in device.parts.iter().filter(|_| device.level != Level::Unknown) {
            add(part.level, &part.name, page.say(part.state).into_owned(), part.heard_at.clone());
        }
    }
    // A camera is told of by its vision process and by the controller it reports to.
    let mut told = BTreeSet::new();
    matters.retain(|matter| told.insert((matter.name.clone(), matter.what.clone())));
    matters
}

impl LastHeard {
    /// Of something that does not speak itself.
    fn still(at: i64) -> Self {
        Self { at, of: None }
    }

    fn of(device: &str, heard: &Heard) -> Self {
        Self { at: heard.heard_at, of: Some(device.to_owned()) }
    }
}

/// Whether what a device said is too old to be drawn as now.
pub(crate) fn is_stale(heard: &Heard, now: i64) -> bool {
    now.saturating_sub(heard.heard_at) > STALE_AFTER
}

/// A time by a device's clock, by ours.
fn by_our_clock(heard: &Heard, at: i64) -> i64 {
    at.saturating_sub(heard.clock_error).min(heard.heard_at)
}

/// A door, with what its controller last said of it.
pub(crate) fn door_view(page: &Page, door: &Door, heard: Option<&Heard>, now: i64) -> DoorView {
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
        unknown: None,
        heard_at: None,
        follows: true,
    };
    let Some(heard) = heard else {
        view.unknown = Some("unknown-controller-never");
        return view;
    };
    view.heard_at = Some(LastHeard::of(&door.controller, heard));
    let Some(state) = heard.live.doors.iter().find(|it| it.door == door.id) else {
        view.unknown = Some("unknown-not-configured");
        view.follows = is_stale(heard, now);
        return view;
    };
    if is_stale(heard, now) {
        view.unknown = Some("unknown-controller-silent");
        return view;
    }
    view.causes = state.causes.iter().map(|word| page.word("cause", word)).collect();
    view.troubles = state.troubles.iter().map(|word| page.word("trouble", word)).collect();
    let offline = state.troubles.iter().any(|word| word == "board-offline");
    let other = state.troubles.iter().any(|word| word != "board-offline");
    if offline {
        view.heard_at = state.heard_at.map(|at| LastHeard::still(by_our_clock(heard, at)));
    } else {
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
    }
    view.level = match (other, offline, state.lock) {
        (true, _, _) => Level::Attention,
        (false, true, _) | (false, false, Lock::Unknown) => Level::Unknown,
        (false, false, Lock::Locked | Lock::Released) => Level::Normal,
    };
    view.unknown = match (offline, state.lock) {
        (true, _) => Some("unknown-board-offline"),
        (false, Lock::Unknown) => Some("unknown-not-told"),
        (false, Lock::Locked | Lock::Released) => None,
    };
    // The board stands among the devices as what is wrong.
    view.follows = offline && !other;
    view
}

/// A device, with what it last said.
pub(crate) fn device_view(
    page: &Page,
    directory: &Directory,
    name: &str,
    heard: Option<&Heard>,
    now: i64,
) -> DeviceView {
    let mut view = DeviceView {
        name: directory.device(page, name),
        certificate: name.to_owned(),
        level: Level::Unknown,
        state: "device-never",
        facts: Vec::new(),
        heard_at: None,
        parts: Vec::new(),
    };
    let Some(heard) = heard else { return view };
    let live = &heard.live;
    view.heard_at = Some(LastHeard::of(name, heard));
    let writable = live.outbox.is_none_or(|outbox| outbox.writable);
    (view.level, view.state) = match (is_stale(heard, now), writable) {
        (true, _) => (Level::Unknown, "device-silent"),
        (false, true) => (Level::Normal, "device-online"),
        (false, false) => (Level::Attention, "device-cannot-record"),
    };
    let stale = view.level == Level::Unknown;
    let boards = live.boards.iter().map(|board| board_view(page, directory, name, heard, board, stale));
    let cameras = live.cameras.iter().map(|camera| camera_view(page, camera, stale));
    view.parts = boards.chain(cameras).collect();
    if stale {
        return view;
    }
    if let Some(version) = live.replica_version {
        let key = if live.outbox.is_some() { "device-policy" } else { "device-gallery" };
        view.facts.push(page.say_with(key, "version", version.to_string()).into_owned());
    }
    if let Some(outbox) = &live.outbox {
        let waiting = outbox.urgent.saturating_add(outbox.bulk).to_string();
        view.facts.push(page.say_with("device-outbox", "count", waiting).into_owned());
    }
    // To a tenth of a second: a figure that flickers draws the eye, and a drawing that differs each second is sent each second.
    let clock = heard.clock_error / 100_000 * 100;
    view.facts.push(page.say_with("device-clock", "ms", clock.to_string()).into_owned());
    view.facts.push(page.say_with("device-software", "version", live.software.clone()).into_owned());
    view
}

fn board_view(
    page: &Page,
    directory: &Directory,
    device: &str,
    heard: &Heard,
    board: &wire::Board,
    stale: bool,
) -> PartView {
    let mut facts = Vec::new();
    if board.online && !stale {
        facts.push(page.say(if board.secure { "board-secure" } else { "board-not-secure" }).into_owned());
    }
    let firmware =
        |version: &String| page.say_with("board-firmware", "version", version.clone()).into_owned();
    facts.extend(board.firmware.as_ref().map(firmware));
    let door = directory.door_of(device, &board.bus, board.address);
    PartView {
        name: page
            .say_with("board-of", "name", board_name(page, door, &board.bus, board.address))
            .into_owned(),
        place: board_place(page, &board.bus, board.address),
        level: level(stale, board.online),
        state: state(stale, if board.online { "board-online" } else { "board-offline" }),
        facts,
        // While it answers, the controller's word is its age.
        heard_at: board
            .heard_at
            .filter(|_| !board.online)
            .map(|at| LastHeard::still(by_our_clock(heard, at))),
    }
}

fn camera_view(page: &Page, camera: &wire::Camera, stale: bool) -> PartView {
    PartView {
        name: page.say_with("camera-name", "camera", camera.camera.clone()).into_owned(),
        place: String::new(),
        level: level(stale, camera.up),
        state: state(stale, if camera.up { "camera-up" } else { "camera-down" }),
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

/// What was said too long ago is not said again.
fn state(stale: bool, said: &'static str) -> &'static str {
    if stale { "part-unknown" } else { said }
}

/// Whether a device that was drawn as speaking, then, has fallen silent since.
pub(crate) fn went_stale(drawn: &BTreeMap<String, Heard>, then: i64, now: i64) -> bool {
    drawn.values().any(|heard| is_stale(heard, now) && !is_stale(heard, then))
}

#[cfg(test)]
mod tests;
