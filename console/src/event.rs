//! One record of the journal as a line of the live page, with its trace.

use askama::Template;
use kit::StoredEvent;
use serde::de::DeserializeOwned;
use uplink::event::{self as wire, Access, Fact, Reason, Side};

use crate::directory::Directory;
use crate::page::Page;

/// How a line draws the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Quiet,
    Granted,
    Denied,
    Alarm,
}

impl Level {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Alarm => "alarm",
        }
    }

    fn word(self) -> Option<&'static str> {
        match self {
            Self::Quiet | Self::Granted => None,
            Self::Denied => Some("denied"),
            Self::Alarm => Some("alarm"),
        }
    }
}

/// A line of the page.
#[derive(Clone, Debug)]
pub(crate) struct EventView {
    pub(crate) seq: u64,
    pub(crate) level: Level,
    pub(crate) shape: &'static str,
    pub(crate) at_text: String,
    pub(crate) at_iso: String,
    pub(crate) sentence: String,
    pub(crate) word: Option<&'static str>,
    pub(crate) has_person: bool,
    pub(crate) photo: Option<String>,
    pub(crate) photo_alt: String,
    pub(crate) reasons: Vec<String>,
    pub(crate) facts: Vec<(String, String)>,
    pub(crate) rules: Vec<RuleView>,
}

/// A rule in the trace.
#[derive(Clone, Debug)]
pub(crate) struct RuleView {
    pub(crate) name: String,
    pub(crate) passed: bool,
}

#[derive(Template)]
#[template(path = "event.html")]
struct Row<'a> {
    page: &'a Page,
    event: EventView,
}

/// The line's HTML.
pub(crate) fn row(page: &Page, directory: &Directory, event: &StoredEvent, now: i64) -> String {
    let row = Row { page, event: view(page, directory, event, now) };
    row.render().unwrap_or_default()
}

fn view(page: &Page, directory: &Directory, event: &StoredEvent, now: i64) -> EventView {
    let mut view = EventView {
        seq: event.seq,
        level: Level::Quiet,
        shape: "quiet",
        at_text: page.clock(event.at, now),
        at_iso: page.exact(event.at),
        sentence: String::new(),
        word: None,
        has_person: false,
        photo: None,
        photo_alt: String::new(),
        reasons: Vec::new(),
        facts: facts(page, event),
        rules: Vec::new(),
    };
    let understood = match event.kind.as_str() {
        "access" => body(event).map(|it| access(&mut view, page, directory, &it)),
        "door" => body(event).map(|it| door(&mut view, page, directory, &it)),
        "fire" => body(event).map(|it| fire(&mut view, page, directory, &it)),
        "board" => body(event).map(|it| board(&mut view, page, &it)),
        "controller" => body(event).map(|it| controller(&mut view, page, &it)),
        "camera" => body(event).map(|it| camera(&mut view, page, &it)),
        "command" => body(event).map(|it| command(&mut view, page, &it)),
        _ => None,
    };
    if understood.is_none() {
        let key = format!("event-{}", event.kind.replace('.', "-"));
        view.sentence = if page.language.knows(&key) {
            page.say(&key).into_owned()
        } else {
            page.say_with("event-other", "kind", event.kind.clone()).into_owned()
        };
    }
    if event.stream == kit::Stream::Urgent {
        view.level = Level::Alarm;
    }
    view.shape = view.level.class();
    view.word = view.level.word();
    view
}

fn body<T: DeserializeOwned>(event: &StoredEvent) -> Option<T> {
    serde_json::from_str(&event.body).ok()
}

fn facts(page: &Page, event: &StoredEvent) -> Vec<(String, String)> {
    vec![
        (page.say("trace-at").into_owned(), page.exact(event.at)),
        (page.say("trace-received").into_owned(), page.exact(event.received)),
        (page.say("trace-source").into_owned(), event.source.clone()),
        (page.say("trace-sequence").into_owned(), event.seq.to_string()),
    ]
}

fn access(view: &mut EventView, page: &Page, directory: &Directory, access: &Access) {
    let person = access.person.and_then(|id| directory.people.get(&id));
    let name = person.map_or_else(|| page.say("person-unknown").into_owned(), |person| person.name.clone());
    let (key, level) = match access.outcome {
        wire::Outcome::Granted => ("event-access-granted", Level::Granted),
        wire::Outcome::Denied => ("event-access-denied", Level::Denied),
    };
    view.level = level;
    view.has_person = true;
    if let (Some(id), Some(person)) = (access.person, person)
        && person.has_photo
    {
        view.photo = Some(format!("/people/{id}/photo"));
        view.photo_alt = page.say_with("photo-of", "name", name.clone()).into_owned();
    }
    view.sentence = page
        .language
        .say_with(
            key,
            &[
                ("person", name.into()),
                ("side", side(page, access.side).into()),
                ("door", door_name(page, directory, access.door).into()),
            ],
        )
        .into_owned();
    view.reasons = access.reasons.iter().chain(&access.alarms).map(|reason| worded(page, reason)).collect();
    trace(view, page, &access.trace);
}

fn trace(view: &mut EventView, page: &Page, trace: &wire::Trace) {
    view.facts.push((page.say("trace-policy").into_owned(), trace.policy_version.to_string()));
    view.facts.push((page.say("trace-centre").into_owned(), page.word("centre", &trace.centre)));
    if !trace.stages_us.is_empty() {
        let stage = |(stage, micros): (&String, &u64)| {
            let ms = format!("{}.{}", micros / 1000, micros % 1000 / 100);
            let arguments = [("stage", stage.clone().into()), ("ms", ms.into())];
            page.language.say_with("trace-stage", &arguments).into_owned()
        };
        let stages: Vec<_> = trace.stages_us.iter().map(stage).collect();
        view.facts.push((page.say("trace-stages").into_owned(), stages.join(" · ")));
    }
    if !trace.would_have_passed.is_empty() {
        let would: Vec<_> = trace.would_have_passed.iter().map(|it| worded(page, it)).collect();
        view.facts.push((page.say("trace-would").into_owned(), would.join(" · ")));
    }
    view.rules = trace
        .rules
        .iter()
        .map(|rule| RuleView { name: page.word("rule", &rule.rule), passed: rule.passed })
        .collect();
}

/// The reason's words; figures that an operator needs stand behind them.
fn worded(page: &Page, reason: &Reason) -> String {
    let words = page.word("reason", &reason.code);
    let figure = |name: &str| match reason.facts.get(name) {
        Some(Fact::Float(value)) => Some(format!("{value:.2}")),
        Some(Fact::Int(value)) => Some(value.to_string()),
        Some(Fact::Bool(_) | Fact::Text(_)) | None => None,
    };
    match (figure("score").or_else(|| figure("margin")), figure("needed")) {
        (Some(value), Some(needed)) => format!("{words} ({value} < {needed})"),
        (Some(value), None) => format!("{words} ({value})"),
        (None, _) => words,
    }
}

fn door(view: &mut EventView, page: &Page, directory: &Directory, door: &wire::Door) {
    let key = format!("event-door-{}", word(&door.change));
    view.sentence = page.say_with(&key, "door", door_name(page, directory, door.door)).into_owned();
}

fn fire(view: &mut EventView, page: &Page, directory: &Directory, fire: &wire::Fire) {
    let key = format!("event-fire-{}", word(&fire.change));
    let name = fire.door.map(|door| door_name(page, directory, door)).unwrap_or_default();
    view.sentence = page.say_with(&key, "door", name).into_owned();
}

fn board(view: &mut EventView, page: &Page, board: &wire::Board) {
    let key = format!("event-board-{}", word(&board.change));
    view.sentence = page.say_with(&key, "board", board_name(page, &board.bus, board.address)).into_owned();
}

fn controller(view: &mut EventView, page: &Page, controller: &wire::Controller) {
    view.sentence = page.say(&format!("event-controller-{}", word(&controller.change))).into_owned();
    if let Some(version) = controller.policy_version {
        view.facts.push((page.say("trace-policy").into_owned(), version.to_string()));
    }
}

fn camera(view: &mut EventView, page: &Page, camera: &wire::Camera) {
    let key = if camera.up { "event-camera-up" } else { "event-camera-down" };
    view.sentence = page.say_with(key, "camera", camera.camera.clone()).into_owned();
}

fn command(view: &mut EventView, page: &Page, outcome: &uplink::command::Outcome) {
    view.sentence = page.say(&format!("event-command-{}", word(&outcome.settled))).into_owned();
}

fn side(page: &Page, side: Side) -> String {
    page.word("side", &word(&side))
}

/// A board's name on pages.
pub(crate) fn board_name(page: &Page, bus: &str, address: u8) -> String {
    page.language
        .say_with("board-address", &[("bus", bus.to_owned().into()), ("address", address.into())])
        .into_owned()
}

fn door_name(page: &Page, directory: &Directory, id: u64) -> String {
    directory.doors.get(&id).map_or_else(
        || page.say_with("door-number", "id", i64::try_from(id).unwrap_or_default()).into_owned(),
        |door| door.name.clone(),
    )
}

/// The word an enum of the wire is written as.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}
