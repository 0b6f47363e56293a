//! The moving part of the pages of devices.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use kit::Stream;
use kit::live::Heard;
use uplink::live as wire;

use crate::page::Page;
use crate::state::{LastHeard, Level, device_view, is_stale};
use crate::view::Scene;

/// A clock further from ours than this, in microseconds, is a matter: the standard lets a device's day be 10 s wrong and
/// has it put right daily (GB 50396 5.1.3); ours are put right with every connection.
const CLOCK_WRONG: i64 = 2_000_000;
/// Of so many commands one unanswered or damaged reply is a poor line.
const POOR_LINE: u64 = 200;
/// Before so many commands nobody can say how a line does.
const FIRST_COMMANDS: u64 = 100;

#[derive(Template)]
#[template(path = "devices/state.html")]
struct State<'a> {
    page: &'a Page,
    now: i64,
    devices: Vec<Device>,
    is_one: bool,
}

/// A device with everything it says.
struct Device {
    name: String,
    certificate: String,
    level: Level,
    state: &'static str,
    heard_at: Option<LastHeard>,
    is_stale: bool,
    /// What it says of itself: term, value, and whether somebody should look at it.
    facts: Vec<Fact>,
    boards: Vec<Board>,
    cameras: Vec<Camera>,
}

struct Fact {
    term: String,
    value: String,
    is_wrong: bool,
}

struct Board {
    name: String,
    place: String,
    door: Option<u64>,
    level: Level,
    state: &'static str,
    secure: Option<bool>,
    firmware: String,
    /// How its update stands, and whether somebody should look at it.
    update: String,
    update_is_wrong: bool,
    /// Retries, replies that did not come, replies that were damaged.
    line: String,
    line_is_poor: bool,
    reply: String,
    /// Until when it opens by its list while it is alone.
    list: String,
    heard_at: Option<LastHeard>,
    /// Who opened its install window, and when it closes.
    window: Option<(String, i64)>,
}

struct Camera {
    name: String,
    level: Level,
    state: &'static str,
    age: String,
}

/// Every device, or one.
pub(crate) fn render(
    page: &Page,
    scene: &Scene,
    heard: &BTreeMap<String, Heard>,
    one: Option<&str>,
    now: i64,
) -> String {
    let names: BTreeSet<&String> = scene.directory.controllers.keys().chain(heard.keys()).collect();
    let names = names.into_iter().filter(|name| one.is_none_or(|one| one == name.as_str()));
    let devices = names.map(|name| device(page, scene, name, heard.get(name), now)).collect();
    State { page, now, devices, is_one: one.is_some() }.render().unwrap_or_default()
}

fn device(page: &Page, scene: &Scene, name: &str, heard: Option<&Heard>, now: i64) -> Device {
    let view = device_view(page, &scene.directory, name, heard, now);
    let stale = heard.is_none_or(|heard| is_stale(heard, now));
    let mut facts = Vec::new();
    if let Some(heard) = heard.filter(|_| !stale) {
        facts.extend(said(page, heard));
    }
    // Of this the server is sure itself, whatever the device says now.
    facts.extend(complete(page, scene, name));
    let live = heard.map(|heard| &heard.live);
    let boards = live.map_or(&[][..], |live| &live.boards).iter().zip(&view.parts);
    let boards = boards.map(|(board, part)| Board {
        name: part.name.clone(),
        place: part.place.clone(),
        door: scene.directory.door_of(name, &board.bus, board.address).map(|door| door.id),
        level: part.level,
        state: part.state,
        secure: (board.online && !stale).then_some(board.secure),
        firmware: board.firmware.clone().unwrap_or_default(),
        update: board.update.as_ref().filter(|_| !stale).map(|it| update(page, it)).unwrap_or_default(),
        update_is_wrong: !stale && board.update.as_ref().is_some_and(|it| went_wrong(it.stage)),
        line: if stale { String::new() } else { line(page, board) },
        line_is_poor: !stale && is_poor(board),
        reply: board
            .line
            .filter(|line| !stale && board.online && line.reply_us > 0)
            .map(|line| page.say_with("board-reply", "ms", tenths(line.reply_us)).into_owned())
            .unwrap_or_default(),
        list: list(page, board, now),
        heard_at: part.heard_at.clone(),
        window: board.install.filter(|window| !stale && window.until > now).map(|window| {
            let by = window.by.cast_signed();
            let by = scene.directory.operators.get(&by).cloned().unwrap_or_default();
            (page.say_with("install-by", "operator", by).into_owned(), window.until)
        }),
    });
    let cameras = live.map_or(&[][..], |live| &live.cameras).iter().map(|it| camera(page, it, stale));
    Device {
        boards: boards.collect(),
        cameras: cameras.collect(),
        name: view.name,
        certificate: view.certificate,
        level: view.level,
        state: view.state,
        heard_at: view.heard_at,
        is_stale: stale,
        facts,
    }
}

/// What a device says of itself now.
fn said(page: &Page, heard: &Heard) -> Vec<Fact> {
    let live = &heard.live;
    let fact =
        |term: &str, value: String, is_wrong| Fact { term: page.say(term).into_owned(), value, is_wrong };
    let mut facts = vec![fact("fact-software", live.software.clone(), false)];
    if let Some(version) = live.replica_version {
        let term = if live.outbox.is_some() { "fact-policy" } else { "fact-gallery" };
        facts.push(fact(term, version.to_string(), false));
    }
    let ms = heard.clock_error / 1000;
    let clock = page.say_with("fact-clock-value", "ms", ms.to_string()).into_owned();
    facts.push(fact("fact-clock", clock, heard.clock_error.abs() > CLOCK_WRONG));
    if let Some(outbox) = &live.outbox {
        let waiting = [("urgent", outbox.urgent), ("bulk", outbox.bulk)];
        let waiting = waiting.map(|(name, count)| (name, count.to_string().into()));
        let words = page.language.say_with("fact-waiting-value", &waiting).into_owned();
        facts.push(fact("fact-waiting", words, false));
        let key = if outbox.writable { "fact-record-works" } else { "fact-record-fails" };
        facts.push(fact("fact-record", page.say(key).into_owned(), !outbox.writable));
    }
    facts
}

/// How far a device's streams are complete: those of its newest numbering.
fn complete(page: &Page, scene: &Scene, name: &str) -> Vec<Fact> {
    let newest = |stream: Stream| {
        let own = scene.complete.iter().filter(|(lane, _)| lane.source == name && lane.stream == stream);
        own.max_by_key(|(lane, _)| lane.epoch)
    };
    let fact = |stream: Stream, term: &str| {
        let (lane, number) = newest(stream)?;
        let words = [("number", number.to_string().into()), ("epoch", lane.epoch.to_string().into())];
        let value = page.language.say_with("fact-complete-value", &words).into_owned();
        Some(Fact { term: page.say(term).into_owned(), value, is_wrong: false })
    };
    let facts = [fact(Stream::Urgent, "fact-complete-urgent"), fact(Stream::Bulk, "fact-complete-bulk")];
    facts.into_iter().flatten().collect()
}

fn line(page: &Page, board: &wire::Board) -> String {
    let Some(line) = board.line else {
        return page.say_with("board-retries", "count", board.retries.to_string()).into_owned();
    };
    let words = [
        ("retries", board.retries.to_string().into()),
        ("timeouts", line.timeouts.to_string().into()),
        ("damaged", line.damaged.to_string().into()),
    ];
    page.language.say_with("board-line", &words).into_owned()
}

/// Whether more than one in [`POOR_LINE`] commands came to nothing.
fn is_poor(board: &wire::Board) -> bool {
    board.line.is_some_and(|line| {
        let lost = line.timeouts.saturating_add(line.damaged);
        line.commands >= FIRST_COMMANDS && lost > line.commands / POOR_LINE
    })
}

fn update(page: &Page, update: &wire::Update) -> String {
    use wire::UpdateStage as Stage;
    let key = match update.stage {
        Stage::Waiting => "board-update-waiting",
        Stage::Sending => "board-update-sending",
        Stage::Ready => "board-update-ready",
        Stage::HeldUp => "board-update-held-up",
        Stage::Starting => "board-update-starting",
        Stage::Trial => "board-update-trial",
        Stage::Done => "board-update-done",
        Stage::Refused => "board-update-refused",
        Stage::Stopped => "board-update-stopped",
    };
    let firmware = update.firmware.clone().unwrap_or_default();
    let words = [("firmware", firmware.into()), ("sent", update.sent.to_string().into())];
    page.language.say_with(key, &words).into_owned()
}

fn went_wrong(stage: wire::UpdateStage) -> bool {
    matches!(stage, wire::UpdateStage::Refused | wire::UpdateStage::Stopped)
}

/// Until when a board opens by its list while it is alone. It stays true whether or not the board is heard.
fn list(page: &Page, board: &wire::Board, now: i64) -> String {
    let Some(list) = board.list else { return page.say("board-no-list").into_owned() };
    let until = page.to_the_minute(list.until);
    let key = if list.until > now { "board-list-until" } else { "board-list-over" };
    page.say_with(key, "until", until).into_owned()
}

fn camera(page: &Page, camera: &wire::Camera, stale: bool) -> Camera {
    let level = match (stale, camera.up) {
        (true, _) => Level::Unknown,
        (false, true) => Level::Normal,
        (false, false) => Level::Attention,
    };
    let state = match (stale, camera.up) {
        (true, _) => "part-unknown",
        (false, true) => "camera-up",
        (false, false) => "camera-down",
    };
    let age = camera.frame_age_ms.filter(|_| !stale);
    Camera {
        name: page.say_with("camera-name", "camera", camera.camera.clone()).into_owned(),
        level,
        state,
        age: age.map_or(String::new(), |ms| page.say_with("camera-age", "ms", ms.to_string()).into_owned()),
    }
}

/// Milliseconds with one digit behind the point.
fn tenths(us: u64) -> String {
    format!("{}.{}", us / 1000, us % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(commands: u64, timeouts: u64, damaged: u64) -> wire::Board {
        wire::Board {
            bus: "lobby".to_owned(),
            address: 1,
            online: true,
            secure: true,
            firmware: None,
            heard_at: None,
            retries: 0,
            line: Some(wire::Line { commands, timeouts, damaged, reply_us: 0 }),
            list: None,
            update: None,
            install: None,
        }
    }

    #[test]
    fn a_line_is_poor_when_more_than_one_in_two_hundred_is_lost() {
        assert!(!is_poor(&board(99, 99, 0)), "nobody can say yet");
        assert!(!is_poor(&board(1000, 3, 2)));
        assert!(is_poor(&board(1000, 3, 3)));
        assert!(is_poor(&board(u64::MAX, u64::MAX, u64::MAX)), "whatever a device says");
        assert_eq!((tenths(2450), tenths(90)), ("2.4".to_owned(), "0.0".to_owned()));
    }
}
