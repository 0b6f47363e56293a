//! What a file shows by itself, before anything is asked of the database: its size, what is in it twice, its names.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use people::text;

use super::apply::label;
use super::file::{self, File, Text};
use super::text::Lines;
use super::wrongs::Wrongs;

/// Rows in one file at most: everything it names, and every name in a list. They are written in one transaction, and
/// events wait for it: 9,000 took 1.5 s beside 51,000 people on two cores, 0.7 s of it for asking whether the whole could
/// be put in force. A larger site comes in several files, groups and levels first: what is there already is found by its
/// key.
pub const ROWS_MAX: usize = 10_000;
/// Controllers in one file at most: each is asked about by itself whether it can be told its part.
pub const CONTROLLERS_MAX: usize = 256;
/// Days that a calendar is counted as.
const CALENDAR_DAYS: usize = 64;

/// Everything wrong that needs no database to be seen.
///
/// # Errors
/// When nothing more is to be looked for: the file is too large, or has as many faults as are listed.
pub(super) fn check(file: &File, lines: &Lines<'_>) -> Result<Wrongs, Wrongs> {
    let mut wrong = Wrongs::default();
    for (count, most, of) in
        [(rows(file), ROWS_MAX, "rows"), (file.controller.len(), CONTROLLERS_MAX, "controllers")]
    {
        if count > most {
            let why = format!(
                "it has {count} {of}, and one file has at most {most}: divide it, and import the parts one by one"
            );
            wrong.add(1, "", "too-many-rows", why);
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    names(file, lines, &mut wrong);
    once(file, lines, &mut wrong);
    if wrong.is_full() { Err(wrong) } else { Ok(wrong) }
}

/// Rows that a file writes, about.
fn rows(file: &File) -> usize {
    let site = file.site.as_ref().map_or(0, |site| 1 + site.calendar.len() * CALENDAR_DAYS);
    let schedules = file.schedule.iter().map(|it| {
        let exceptions: usize = it.exceptions.iter().map(|day| day.open.len().max(1)).sum();
        1 + it.windows.len() + exceptions
    });
    let doors = file.door.iter().map(|it| {
        let rules: usize = it.rules.iter().map(|rule| rule.open_with.len()).sum();
        1 + rules + it.open_with.len()
    });
    let levels = file.level.iter().map(|it| 1 + it.groups.len() + it.doors.len() + it.door_groups.len());
    let people = file.person.iter().map(|it| {
        let pins = it.pin.iter().chain(&it.duress_pin).count();
        // Each with its consent.
        let likenesses = 2 * (usize::from(it.face.is_some()) + usize::from(it.picture.is_some()));
        1 + it.groups.len() + it.cards.len() + it.codes.len() + pins + likenesses
    });
    let alone =
        [file.day.len(), file.controller.len(), file.area.len(), file.fire_zone.len(), file.group.len()];
    site + alone.iter().sum::<usize>()
        + schedules.sum::<usize>()
        + doors.sum::<usize>()
        + file.door_group.iter().map(|it| 1 + it.doors.len()).sum::<usize>()
        + levels.sum::<usize>()
        + people.sum::<usize>()
}

/// A thing with a key and names: what kind of thing, and how it is called.
type Named<'f> = (&'static str, &'f Text, &'f str, &'f str);

/// Everything in the file that has a key.
fn named(file: &File) -> impl Iterator<Item = Named<'_>> {
    macro_rules! each {
        ($list:expr, $kind:literal) => {
            $list.iter().map(|it| ($kind, &it.key, it.name.as_str(), it.latin.as_str()))
        };
    }
    each!(file.site, "site")
        .chain(each!(file.controller, "controller"))
        .chain(each!(file.area, "area"))
        .chain(each!(file.fire_zone, "fire zone"))
        .chain(each!(file.schedule, "schedule"))
        .chain(each!(file.door, "door"))
        .chain(each!(file.door_group, "door group"))
        .chain(each!(file.group, "group"))
        .chain(each!(file.level, "level"))
        .chain(each!(file.person, "person"))
}

fn names(file: &File, lines: &Lines<'_>, wrong: &mut Wrongs) {
    for (kind, key, name, latin) in named(file) {
        if let Err(error) = label(key, name, latin).check() {
            let line = lines.at(key.span().start);
            let line = error.at_field().map_or(line, |field| lines.of_field(line, field));
            wrong.add(line, &format!("{kind} {}", key.get_ref()), error.code(), error.to_string());
        }
    }
    for entry in &file.day {
        if let Err(why) = text::line(&entry.name) {
            let line = lines.of_field(lines.at(entry.date.span().start), "name");
            wrong.add(line, &format!("day {}", entry.date.get_ref()), "field", format!("name: {why}"));
        }
    }
}

/// The later of two would silently win.
fn once(file: &File, lines: &Lines<'_>, wrong: &mut Wrongs) {
    let mut seen = Seen { lines, wrong, places: HashMap::new() };
    for (kind, key, ..) in named(file) {
        seen.note(format!("{kind} {}", key.get_ref()), key.span().start);
    }
    for entry in &file.controller {
        seen.note(format!("controller number {}", entry.number.get_ref()), entry.number.span().start);
    }
    for entry in &file.day {
        seen.note(format!("day {}", entry.date.get_ref()), entry.date.span().start);
    }
    for person in &file.person {
        carried(person, &mut seen);
    }
}

fn carried(person: &file::Person, seen: &mut Seen<'_, '_>) {
    let who = person.key.get_ref();
    let start = person.key.span().start;
    let place = |texts: [Option<&Text>; 2]| texts.into_iter().flatten().next().map(|text| text.span().start);
    let key = |key: Option<&Text>| key.map_or("main", |key| key.get_ref().as_str()).to_owned();
    // Of its own for each person: one who is in the file twice is told of once.
    let mut own = Seen { lines: seen.lines, wrong: &mut *seen.wrong, places: HashMap::new() };
    for card in &person.cards {
        let raw = place([card.key.as_ref(), card.raw.as_ref()]);
        let at = raw.or(card.wiegand26.as_ref().map(|both| both.span().start)).unwrap_or(start);
        own.note(format!("person {who}: card {}", key(card.key.as_ref())), at);
    }
    for code in &person.codes {
        let at = place([code.key.as_ref(), Some(&code.text)]).unwrap_or(start);
        own.note(format!("person {who}: code {}", key(code.key.as_ref())), at);
    }
}

/// What was met, and where first.
struct Seen<'s, 't> {
    lines: &'s Lines<'t>,
    wrong: &'s mut Wrongs,
    places: HashMap<String, usize>,
}

impl Seen<'_, '_> {
    fn note(&mut self, what: String, byte: usize) {
        match self.places.entry(what) {
            Entry::Vacant(new) => drop(new.insert(byte)),
            Entry::Occupied(known) => {
                let (first, second) = (self.lines.at(*known.get()), self.lines.at(byte));
                let why = format!("is in the file twice, on lines {first} and {second}");
                self.wrong.add(second, known.key(), "twice", why);
            }
        }
    }
}
