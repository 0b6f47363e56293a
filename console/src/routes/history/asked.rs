//! What the page is asked: the form's fields, read into a question, and what is wrong with them.

use askama::Template;
use jiff::civil::Date;
use kit::Kit;
use people::find;
use records::{MOST_ALTERNATIVES, Place, Question};
use serde::Deserialize;

use crate::page::Page;

/// Letters of a name; more are not looked for.
const LETTERS: usize = 100;

/// What can be asked for, by group: the word that records are found by. A word's wording is `what-` or, for a reason, the
/// reason's own.
pub(super) const WHAT: &[(&str, &[&str])] = &[
    ("what-group-access", &["urgent", "access.granted", "access.denied"]),
    (
        "what-group-doors",
        &[
            "door.forced",
            "door.held",
            "door.not-opened",
            "door.break-glass",
            "door.request-to-exit",
            "door.tailgating",
            "door.wrong-way",
            "door.obstructed",
            "door.input-fault",
            "fire.alarm",
            "fire.loop-fault",
        ],
    ),
    (
        "what-group-reasons",
        &[
            "reason.unknown-credential",
            "reason.unknown-face",
            "reason.face-not-live",
            "reason.wrong-pin",
            "reason.no-access-level",
            "reason.outside-schedule",
            "reason.person-suspended",
            "reason.person-not-valid-now",
            "reason.credential-lost",
            "reason.credential-stolen",
            "reason.enters-twice",
            "reason.leaves-twice",
            "reason.combination-not-met",
            "reason.wrong-tries",
            "reason.door-locked-down",
            "reason.duress",
            "reason.local-whitelist",
        ],
    ),
    (
        "what-group-devices",
        &[
            "board.offline",
            "board.tamper",
            "board.mains-lost",
            "board.key-reset",
            "controller",
            "camera.down",
        ],
    ),
    (
        "what-group-operators",
        &[
            "operator.signed-in",
            "operator.wrong-password",
            "operator.added",
            "operator.role",
            "operator.disabled",
            "operator.password",
            "operator.wrong-code",
            "operator.second-factor-removed",
            "operator.passkey-added",
            "operator.passkey-removed",
            "operator.passkey-copied",
            "operator.sessions-ended",
            "person.viewed",
            "people.viewed",
            "policy.published",
        ],
    ),
];

#[derive(Template)]
#[template(
    ext = "txt",
    source = "who={{ asked.who|urlencode }}&person={{ asked.person|urlencode }}&door={{ asked.door|urlencode }}&what={{ asked.what|urlencode }}&from={{ asked.from|urlencode }}&until={{ asked.until|urlencode }}"
)]
struct Address<'a> {
    asked: &'a Asked,
}

/// The form as it came. Fields that say nothing ask for nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// Letters of a name, pinyin, initials, number or department.
    pub(super) who: String,
    /// One person, from their own page.
    pub(super) person: String,
    /// A door's id.
    pub(super) door: String,
    /// A word of [`WHAT`].
    pub(super) what: String,
    /// The first day, as `2026-11-27`.
    pub(super) from: String,
    /// The last day.
    pub(super) until: String,
    /// The last record's time on the page before, where one was searched for.
    pub(super) at: Option<i64>,
    /// The last record's place on the page before.
    pub(super) before: Option<u64>,
}

/// What is wrong with a field: the key of its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wrongs {
    pub(super) who: Option<&'static str>,
    pub(super) door: Option<&'static str>,
    pub(super) what: Option<&'static str>,
    pub(super) from: Option<&'static str>,
    pub(super) until: Option<&'static str>,
}

impl Wrongs {
    /// The first of them.
    pub(super) fn first(self) -> Option<&'static str> {
        [self.who, self.door, self.what, self.from, self.until].into_iter().flatten().next()
    }
}

impl Asked {
    /// Whether nothing is asked for but the journal itself.
    pub(super) fn is_open(&self) -> bool {
        [&self.who, &self.person, &self.door, &self.what, &self.from, &self.until]
            .iter()
            .all(|field| field.trim().is_empty())
    }

    /// Where to go on.
    pub(super) fn place(&self) -> Place {
        match (self.at, self.before) {
            (Some(at), Some(seq)) => Place { at, seq },
            (_, _) => Place::END,
        }
    }

    /// The question, as far as the fields are right.
    pub(super) async fn question(&self, kit: &Kit, page: &Page) -> Result<(Question, Wrongs), sqlx::Error> {
        let (mut question, mut wrongs) = (Question::default(), Wrongs::default());
        question.people = number(&self.person, &mut wrongs.who);
        question.doors = number(&self.door, &mut wrongs.door);
        match WHAT.iter().flat_map(|(_, words)| *words).find(|word| **word == self.what) {
            Some(word) => question.words.push(vec![(*word).to_owned()]),
            None if self.what.is_empty() => {}
            None => wrongs.what = Some("history-wrong-what"),
        }
        let letters: String = self.who.chars().take(LETTERS).collect();
        if !letters.trim().is_empty() {
            let limit = u32::try_from(MOST_ALTERNATIVES).unwrap_or(u32::MAX).saturating_add(1);
            let people = find::ids(kit, &letters, limit).await?;
            match people.len() {
                0 => wrongs.who = Some("history-nobody"),
                many if many > MOST_ALTERNATIVES => wrongs.who = Some("history-too-many"),
                _ => {}
            }
            question.people = Some(people.into_iter().map(|id| id.0).collect());
        }
        question.from = day(&self.from, &mut wrongs.from).and_then(|day| start(page, day));
        let last = day(&self.until, &mut wrongs.until);
        question.until = last.and_then(|day| start(page, day.tomorrow().ok()?));
        if question.from.zip(question.until).is_some_and(|(from, until)| from >= until) {
            wrongs.until = Some("history-backwards");
        }
        Ok((question, wrongs))
    }

    /// The fields as the end of an address, without where to go on.
    pub(super) fn address(&self) -> String {
        Address { asked: self }.render().unwrap_or_default()
    }
}

/// An id that a page chose.
fn number(text: &str, wrong: &mut Option<&'static str>) -> Option<Vec<u64>> {
    if text.is_empty() {
        return None;
    }
    let number = text.parse().ok();
    if number.is_none() {
        *wrong = Some("history-wrong-number");
    }
    number.map(|number| vec![number])
}

fn day(text: &str, wrong: &mut Option<&'static str>) -> Option<Date> {
    if text.is_empty() {
        return None;
    }
    let day = text.parse().ok();
    if day.is_none() {
        *wrong = Some("history-wrong-day");
    }
    day
}

/// When a day begins in the site's zone.
fn start(page: &Page, day: Date) -> Option<i64> {
    Some(day.to_zoned(page.zone.clone()).ok()?.timestamp().as_microsecond())
}
