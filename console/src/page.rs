//! What every page knows: the language, who looks at it, the site's time.

use std::borrow::Cow;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use fluent_bundle::FluentValue;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use kit::auth::{Operator, Ranks, Role};
use kit::problem::Problem;

use crate::words::Language;

/// Stands in a sentence where the script puts a number; no sentence has it otherwise.
const GAP: &str = "\u{2007}";

/// The shortest password an operator may choose, in characters.
pub(crate) const PASSWORD_LENGTH: u32 = 10;

/// What every page knows.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) language: Language,
    pub(crate) operator: Option<Operator>,
    pub(crate) zone: TimeZone,
    /// Which entry of the navigation the page belongs to; none for pages outside it.
    pub(crate) section: &'static str,
}

impl Page {
    /// The same, under an entry of the navigation.
    pub(crate) fn at(self, section: &'static str) -> Self {
        Self { section, ..self }
    }

    /// Whether somebody looks who may look around.
    pub(crate) fn is_inside(&self) -> bool {
        self.operator.as_ref().is_some_and(|it| it.owes.is_none())
    }

    /// And at a wall of photographs.
    pub(crate) fn is_on_duty(&self) -> bool {
        self.is_inside() && self.operator.as_ref().is_some_and(|it| it.ranks.highest() >= Role::Guard)
    }

    /// And at people and rights too.
    pub(crate) fn is_of_the_control_room(&self) -> bool {
        self.is_inside() && self.is_at_site(Role::Operator)
    }

    /// And at what the site is run with.
    pub(crate) fn is_administration(&self) -> bool {
        self.is_inside() && self.is_at_site(Role::Administrator)
    }

    /// Whether whoever looks has this rank at the whole site.
    pub(crate) fn is_at_site(&self, role: Role) -> bool {
        self.operator.as_ref().is_some_and(|operator| operator.is_at_site(role))
    }

    /// Where whoever looks has which rank.
    pub(crate) fn ranks(&self) -> Result<&Ranks, Problem> {
        self.operator.as_ref().map(|operator| &operator.ranks).ok_or_else(Problem::signed_out)
    }

    /// A name as this language shows it, and the other one where there is one.
    pub(crate) fn both_names(&self, name: String, latin: String) -> (String, String) {
        match self.language {
            Language::English if !latin.is_empty() => (latin, name),
            Language::Chinese | Language::English => (name, latin),
        }
    }

    pub(crate) fn say(&self, key: &str) -> Cow<'static, str> {
        match key {
            "age-seconds" | "age-minutes" | "age-hours" => self.language.say_with(key, &[("n", GAP.into())]),
            "person-namesake" => self.language.say_with(key, &[("id", GAP.into())]),
            "wall-held" => self.language.say_with(key, &[("count", GAP.into())]),
            "stale-lost" => self.language.say_with(key, &[("time", GAP.into())]),
            _ => self.language.say(key),
        }
    }

    pub(crate) fn say_with(
        &self,
        key: &str,
        name: &str,
        value: impl Into<FluentValue<'static>>,
    ) -> Cow<'static, str> {
        self.language.say_with(key, &[(name, value.into())])
    }

    pub(crate) fn say_count(&self, key: &str, count: &usize) -> Cow<'static, str> {
        self.say_with(key, "count", i64::try_from(*count).unwrap_or(i64::MAX))
    }

    pub(crate) fn say_length(&self, key: &str) -> Cow<'static, str> {
        self.say_with(key, "length", PASSWORD_LENGTH)
    }

    /// A word of a fixed list that another process chose: its wording, or the word itself when it is newer than we are.
    pub(crate) fn word(&self, list: &str, word: &str) -> String {
        let key = format!("{list}-{word}");
        if self.language.knows(&key) { self.language.say(&key).into_owned() } else { word.to_owned() }
    }

    pub(crate) fn other(&self) -> Language {
        match self.language {
            Language::Chinese => Language::English,
            Language::English => Language::Chinese,
        }
    }

    pub(crate) fn token(&self) -> &str {
        self.operator.as_ref().map_or("", |operator| &operator.csrf)
    }

    pub(crate) fn signed_in_as(&self) -> Cow<'static, str> {
        let Some(operator) = &self.operator else { return Cow::Borrowed("") };
        let role = self.say(&format!("role-{}", operator.ranks.highest().as_str())).into_owned();
        self.language
            .say_with("signed-in-as", &[("name", operator.name.clone().into()), ("role", role.into())])
    }

    /// How long ago, in words, as `live.js` says it.
    pub(crate) fn age(&self, now: &i64, at: &i64) -> Cow<'static, str> {
        let seconds = now.saturating_sub(*at).max(0) / 1_000_000;
        match seconds {
            ..2 => self.say("age-now"),
            2..120 => self.say_with("age-seconds", "n", seconds),
            120..7200 => self.say_with("age-minutes", "n", seconds / 60),
            _ => self.say_with("age-hours", "n", seconds / 3600),
        }
    }

    /// How long still, as `live.js` says it: minutes and seconds.
    pub(crate) fn left(&self, now: &i64, until: &i64) -> String {
        let seconds = until.saturating_sub(*now).max(0) / 1_000_000;
        format!("{}:{:02}", seconds / 60, seconds % 60)
    }

    /// The zone's name, for the script.
    pub(crate) fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// A time of day in the site's zone.
    pub(crate) fn time(&self, at: i64) -> String {
        self.civil(at).strftime("%H:%M:%S").to_string()
    }

    /// The date in the site's zone; `None` when that is today.
    pub(crate) fn date(&self, at: i64, now: i64) -> Option<String> {
        let (at, now) = (self.civil(at), self.civil(now));
        let pattern = if at.year() == now.year() { "%m-%d" } else { "%Y-%m-%d" };
        (at.date() != now.date()).then(|| at.strftime(pattern).to_string())
    }

    /// A time to the minute, with the date when it is not today; `None` for what stands for ever.
    pub(crate) fn moment(&self, at: i64, now: i64) -> Option<String> {
        // A validity without an end is written as the end of time.
        let time = Timestamp::from_microsecond(at)
            .ok()
            .filter(|it| (1971..9000).contains(&self.zoned(*it).year()))?;
        let time = self.zoned(time).strftime("%H:%M").to_string();
        Some(self.date(at, now).map_or_else(|| time.clone(), |date| format!("{date} {time}")))
    }

    /// A time to the minute, with its date.
    pub(crate) fn to_the_minute(&self, at: i64) -> String {
        self.civil(at).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// A day, as `2026-11-27`.
    pub(crate) fn day(&self, at: i64) -> String {
        self.civil(at).strftime("%Y-%m-%d").to_string()
    }

    /// A time for programs: ISO 8601.
    pub(crate) fn iso(&self, at: i64) -> String {
        self.civil(at).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
    }

    /// A time with everything: date, time to the millisecond, offset.
    pub(crate) fn exact(&self, at: i64) -> String {
        self.civil(at).strftime("%Y-%m-%d %H:%M:%S%.3f %:z").to_string()
    }

    fn civil(&self, at: i64) -> Zoned {
        self.zoned(Timestamp::from_microsecond(at).unwrap_or_default())
    }

    fn zoned(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }
}

/// Writes a template out as an answer.
pub(crate) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => Problem::internal(&error).into_response(),
    }
}
