//! One record of the journal as a line of the live page, with its trace.

use askama::Template;
use domain::ids::PersonId;
use kit::pki::Holder;
use kit::{Kit, StoredEvent};
use people::picture;
use serde::Deserialize;
use uplink::event::{self as wire, Access, Side};

use crate::directory::{Directory, Door};
use crate::page::Page;
use crate::trace::{self, TraceView};

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

    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::Quiet => None,
            Self::Granted => Some("granted"),
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
    /// The date, when it is not today.
    pub(crate) date: Option<String>,
    pub(crate) time: String,
    pub(crate) at_iso: String,
    pub(crate) sentence: String,
    /// The decision, when an alarm stands in the place of its word.
    pub(crate) decision: Option<&'static str>,
    pub(crate) has_person: bool,
    pub(crate) photo: Option<String>,
    pub(crate) photo_alt: String,
    pub(crate) reasons: Vec<String>,
    pub(crate) trace: TraceView,
}

#[derive(Template)]
#[template(path = "event.html")]
struct Row<'a> {
    page: &'a Page,
    event: EventView,
}

/// Stands on a line that is drawn for many, where the pass of each goes; in no name, as it is no letter.
pub(crate) const PASS_GOES_HERE: &str = "\u{fdd0}";

/// A line that was drawn for many, with a session's own pass to the photograph on it.
pub(crate) fn with_pass(html: &str, kit: &Kit, session: &str, person: PersonId, seq: u64) -> String {
    html.replace(PASS_GOES_HERE, &picture::pass(kit.keys(), session, person, seq))
}

/// The line's HTML.
pub(crate) fn row(kit: &Kit, page: &Page, directory: &Directory, event: &StoredEvent, now: i64) -> String {
    let row = Row { page, event: view(kit, page, directory, event, now) };
    row.render().unwrap_or_default()
}

pub(crate) fn view(
    kit: &Kit,
    page: &Page,
    directory: &Directory,
    event: &StoredEvent,
    now: i64,
) -> EventView {
    let mut view = EventView {
        seq: event.seq,
        level: Level::Quiet,
        date: page.date(event.at, now),
        time: page.time(event.at),
        at_iso: page.iso(event.at),
        sentence: String::new(),
        decision: None,
        has_person: false,
        photo: None,
        photo_alt: String::new(),
        reasons: Vec::new(),
        trace: TraceView { facts: trace::facts(page, directory, event), ..TraceView::default() },
    };
    let understood = match event.kind.as_str() {
        "access" => event.parse().map(|it| access(&mut view, kit, page, directory, &it, now)),
        "door" => event.parse().map(|it| door(&mut view, page, directory, &it)),
        "fire" => event.parse().map(|it| fire(&mut view, page, directory, &it)),
        "board" => event.parse().map(|it| board(&mut view, page, directory, &event.source, &it)),
        "controller" => event.parse().map(|it| controller(&mut view, page, directory, &event.source, &it)),
        "camera" => event.parse().map(|it| camera(&mut view, page, &it)),
        "command" => event.parse().map(|it| command(&mut view, page, &it)),
        // What the server did is told in its own stream alone: a device cannot speak in its name.
        kind if event.stream == kit::Stream::Own => {
            event.parse().map(|it| own(&mut view, page, directory, kind, &it))
        }
        _ => None,
    };
    if understood.is_none() {
        view.sentence = page.say_with("event-other", "kind", event.kind.clone()).into_owned();
    }
    if let Some(key) = claim(directory, event, understood.is_some()) {
        let arguments =
            [("device", directory.device(page, &event.source).into()), ("sentence", view.sentence.into())];
        view.sentence = page.language.say_with(key, &arguments).into_owned();
    }
    if event.stream == kit::Stream::Urgent {
        view.decision = view.level.word();
        view.level = Level::Alarm;
    }
    view
}

/// Whether a record is a claim that nobody can vouch for.
pub(crate) fn is_claimed(directory: &Directory, event: &StoredEvent) -> bool {
    claim(directory, event, true).is_some()
}

/// The words for what a device cannot know and so only claims: anything that another kind than a controller tells, as
/// every event of the wire is a controller's; what nobody understands; and what is told of a door that hangs on another
/// or is not there.
fn claim(directory: &Directory, event: &StoredEvent, understood: bool) -> Option<&'static str> {
    #[derive(Deserialize)]
    struct Where {
        door: Option<u64>,
    }
    if event.stream == kit::Stream::Own {
        return None;
    }
    let door = event.parse::<Where>().and_then(|it| it.door);
    let named = door.map(|door| directory.doors.get(&door));
    if let Some(Some(door)) = named
        && door.controller != event.source
    {
        return Some("event-claimed");
    }
    let is_controllers = matches!(Holder::parse(&event.source), Some(Holder::Controller(_)));
    (!is_controllers || !understood || named == Some(None)).then_some("event-claimed-beyond")
}

fn access(view: &mut EventView, kit: &Kit, page: &Page, directory: &Directory, access: &Access, now: i64) {
    let person = access.person.and_then(|id| directory.people.get(&id));
    let name = person.map_or_else(|| page.say("person-unknown").into_owned(), |person| person.name.clone());
    view.level = match access.outcome {
        wire::Outcome::Granted => Level::Granted,
        wire::Outcome::Denied => Level::Denied,
    };
    view.has_person = true;
    if let (Some(id), Some(person)) = (access.person, person)
        && person.has_photo
    {
        let pass = page.operator.as_ref().map_or_else(
            || PASS_GOES_HERE.to_owned(),
            |operator| picture::pass(kit.keys(), operator.session(), PersonId(id), view.seq),
        );
        view.photo = Some(format!("/people/{id}/photo?record={}&pass={pass}", view.seq));
        view.photo_alt = page.say_with("photo-of", "name", name.clone()).into_owned();
    }
    let arguments = [
        ("person", name.into()),
        ("side", side(page, access.side).into()),
        ("door", directory.door(page, access.door).into()),
    ];
    view.sentence = page.language.say_with("event-access", &arguments).into_owned();
    let reasons = access.reasons.iter().chain(&access.alarms);
    view.reasons = reasons.map(|reason| trace::reason(page, directory, reason, now)).collect();
    view.trace.explain(page, directory, &access.trace, now);
}

fn door(view: &mut EventView, page: &Page, directory: &Directory, door: &wire::Door) {
    let key = format!("event-door-{}", word(&door.change));
    view.sentence = page.say_with(&key, "door", directory.door(page, door.door)).into_owned();
}

fn fire(view: &mut EventView, page: &Page, directory: &Directory, fire: &wire::Fire) {
    let key = format!("event-fire-{}", word(&fire.change));
    let name = fire.door.map(|door| directory.door(page, door)).unwrap_or_default();
    view.sentence = page.say_with(&key, "door", name).into_owned();
}

fn board(view: &mut EventView, page: &Page, directory: &Directory, source: &str, board: &wire::Board) {
    let key = format!("event-board-{}", word(&board.change));
    let door = directory.door_of(source, &board.bus, board.address);
    let name = board_name(page, door, &board.bus, board.address);
    view.sentence = page.say_with(&key, "board", name).into_owned();
}

fn controller(
    view: &mut EventView,
    page: &Page,
    directory: &Directory,
    source: &str,
    controller: &wire::Controller,
) {
    let key = format!("event-controller-{}", word(&controller.change));
    view.sentence = page.say_with(&key, "controller", directory.device(page, source)).into_owned();
    if let Some(version) = controller.policy_version {
        view.trace.facts.push((page.say("trace-policy").into_owned(), version.to_string()));
    }
}

fn camera(view: &mut EventView, page: &Page, camera: &wire::Camera) {
    let key = if camera.up { "event-camera-up" } else { "event-camera-down" };
    view.sentence = page.say_with(key, "camera", camera.camera.clone()).into_owned();
}

fn command(view: &mut EventView, page: &Page, outcome: &uplink::command::Outcome) {
    view.sentence = page.say(&format!("event-command-{}", word(&outcome.settled))).into_owned();
}

/// What the server's own records name.
#[derive(Deserialize)]
struct Own {
    person: Option<u64>,
    door: Option<u64>,
    operator: Option<i64>,
    webhook: Option<i64>,
    /// The certificate's name of a device.
    device: Option<String>,
    /// What was looked at.
    looked_at: Option<String>,
}

fn own(view: &mut EventView, page: &Page, directory: &Directory, kind: &str, own: &Own) {
    let key = format!("event-{}", kind.replace('.', "-"));
    if !page.language.knows(&key) {
        view.sentence = page.say_with("event-other", "kind", kind.to_owned()).into_owned();
        return;
    }
    if kind == kit::journal::UNREADABLE {
        view.level = Level::Alarm;
    }
    let person = own.person.and_then(|id| directory.people.get(&id));
    let gone = || page.say("person-gone").into_owned();
    let person = person.map_or_else(gone, |person| person.name.clone());
    let door = own.door.map(|id| directory.door(page, id)).unwrap_or_default();
    let operator = own.operator.and_then(|id| directory.operators.get(&id).cloned()).unwrap_or_default();
    let webhook = own.webhook.map(|id| id.to_string()).unwrap_or_default();
    let device = own
        .device
        .as_ref()
        .map_or_else(|| page.say("event-device-unknown").into_owned(), |name| directory.device(page, name));
    let what = own.looked_at.as_ref().map(|what| page.word("looked-at", what)).unwrap_or_default();
    let arguments = [
        ("person", person.into()),
        ("door", door.into()),
        ("operator", operator.into()),
        ("webhook", webhook.into()),
        ("device", device.into()),
        ("what", what.into()),
    ];
    view.sentence = page.language.say_with(&key, &arguments).trim().to_owned();
}

fn side(page: &Page, side: Side) -> String {
    page.word("side", &word(&side))
}

/// A board's name on pages: its door's, else its place on the bus.
pub(crate) fn board_name(page: &Page, door: Option<&Door>, bus: &str, address: u8) -> String {
    door.map_or_else(|| board_place(page, bus, address), |door| door.name.clone())
}

/// Where a board hangs.
pub(crate) fn board_place(page: &Page, bus: &str, address: u8) -> String {
    let arguments = [("bus", bus.to_owned().into()), ("address", address.into())];
    page.language.say_with("board-address", &arguments).into_owned()
}

/// The word an enum of the wire is written as.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests;
