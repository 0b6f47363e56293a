//! The form of the file. Unknown keys are refused with their line.

use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::Wrong;
use super::text::Lines;

/// A text whose place in the file is known.
pub(super) type Text = Spanned<String>;

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name { $($(#[$attribute])* pub(super) $field: $type),+ }
    )+};
}

tables! {
    File {
        site: Option<Site>,
        #[serde(default)] day: Vec<Day>,
        #[serde(default)] controller: Vec<Controller>,
        #[serde(default)] area: Vec<Area>,
        #[serde(default)] fire_zone: Vec<Named>,
        #[serde(default)] schedule: Vec<Schedule>,
        #[serde(default)] door: Vec<Door>,
        #[serde(default)] door_group: Vec<DoorGroup>,
        #[serde(default)] group: Vec<Named>,
        #[serde(default)] level: Vec<Level>,
        #[serde(default)] person: Vec<Person>,
    }
    Site {
        key: Text,
        name: String,
        #[serde(default)] latin: String,
        zone: Option<String>,
        #[serde(default)] calendar: Vec<Text>,
        face_score: Option<f64>,
        face_margin: Option<f64>,
        wrong_tries: Option<u8>,
        wrong_tries_within_s: Option<f64>,
        lock_out_s: Option<f64>,
        second_factor_within_s: Option<f64>,
        same_person_within_s: Option<f64>,
    }
    Day {
        date: Spanned<Datetime>,
        kind: Text,
        #[serde(default)] name: String,
    }
    Controller {
        number: Spanned<u64>,
        key: Text,
        name: String,
        #[serde(default)] latin: String,
    }
    Named {
        key: Text,
        name: String,
        #[serde(default)] latin: String,
    }
    Area {
        key: Text,
        name: String,
        #[serde(default)] latin: String,
        kind: Text,
        r#in: Option<Text>,
    }
    Schedule {
        key: Text,
        name: String,
        #[serde(default)] latin: String,
        #[serde(default)] windows: Vec<Window>,
        #[serde(default)] exceptions: Vec<Exception>,
    }
    Window {
        days: Vec<Text>,
        /// `08:00-18:00`, `22:00-06:00`, `00:00-24:00`.
        open: Text,
    }
    Exception {
        date: Spanned<Datetime>,
        #[serde(default)] open: Vec<Text>,
    }
    Door {
        key: Text,
        name: String,
        #[serde(default)] latin: String,
        controller: u64,
        bus: Option<String>,
        address: Option<u8>,
        kind: Text,
        outside: Text,
        inside: Text,
        egress: Option<Text>,
        open_with: Vec<Text>,
        #[serde(default)] rules: Vec<Rule>,
        strike_s: Option<f64>,
        held_after_s: Option<f64>,
        relock: Option<Text>,
        anti_passback: Option<Text>,
        anti_passback_s: Option<f64>,
        unrecorded_entry: Option<Text>,
        fire_zone: Option<Text>,
    }
    Rule {
        schedule: Text,
        open_with: Vec<Text>,
    }
    DoorGroup {
        key: Text,
        name: String,
        #[serde(default)] latin: String,
        doors: Vec<Text>,
    }
    Level {
        key: Text,
        name: String,
        #[serde(default)] latin: String,
        groups: Vec<Text>,
        #[serde(default)] doors: Vec<Text>,
        #[serde(default)] door_groups: Vec<Text>,
        schedule: Text,
    }
    Person {
        key: Text,
        name: String,
        #[serde(default)] latin: String,
        kind: Option<Text>,
        #[serde(default)] department: String,
        #[serde(default)] number: String,
        #[serde(default)] groups: Vec<Text>,
        clearance: Option<u8>,
        status: Option<Text>,
        valid_from: Option<Spanned<Datetime>>,
        /// The last day, or the first instant no longer valid.
        valid_until: Option<Spanned<Datetime>>,
        #[serde(default)] cards: Vec<Card>,
        pin: Option<Text>,
        duress_pin: Option<Text>,
        #[serde(default)] codes: Vec<Code>,
        face: Option<Face>,
        picture: Option<Picture>,
    }
    Card {
        key: Option<Text>,
        /// `26:0A1B2C40`, as a reader reports the bits.
        raw: Option<Text>,
        /// Facility and number of the open 26-bit format.
        wiegand26: Option<Spanned<(u8, u16)>>,
        status: Option<Text>,
    }
    Code {
        key: Option<Text>,
        text: Text,
        status: Option<Text>,
    }
    Face {
        photo: Text,
        consent: Text,
        consented_on: Spanned<Datetime>,
        #[serde(default)] twin_accepted: bool,
    }
    Picture {
        file: Text,
        consent: Text,
        consented_on: Spanned<Datetime>,
    }
    Holidays {
        holiday: Vec<Holiday>,
    }
    Holiday {
        name: String,
        /// First and last day.
        off: (Datetime, Datetime),
        work: Vec<Datetime>,
    }
}

/// Reads the form of a file; what it means is looked at later.
pub(super) fn parse(text: &str, lines: &Lines<'_>) -> Result<File, Wrong> {
    toml::from_str(text).map_err(|error| Wrong {
        line: error.span().map_or(1, |span| lines.at(span.start)),
        what: String::new(),
        code: "form",
        why: safe(error.message()),
    })
}

/// The calendars this program brings with it.
pub(super) fn holidays(name: &str) -> Option<Holidays> {
    let text = match name {
        "china-2026" => include_str!("../../data/china-2026.toml"),
        _ => return None,
    };
    Some(toml::from_str(text).expect("our own table, read by a test"))
}

/// The first line of a parser's message, without anything it quotes: it might quote a PIN.
fn safe(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    if line.starts_with("unknown field") || line.starts_with("missing field") || line.starts_with("duplicate")
    {
        return line.to_owned();
    }
    let mut quoted = false;
    line.chars()
        .filter(|letter| {
            let quote = matches!(letter, '"' | '`');
            quoted ^= quote;
            !quoted && !quote
        })
        .collect()
}
