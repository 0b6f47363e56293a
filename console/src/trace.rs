//! Why a decision fell as it did, in words: what was shown, which rules failed, what would have let it pass.

use kit::StoredEvent;
use serde::Deserialize;
use uplink::event::{Fact, Reason, Trace};

use crate::directory::Directory;
use crate::page::Page;

/// The stages of a presentation in the order in which they happen; others stand behind them.
const STAGES: [&str; 8] = ["capture", "detect", "liveness", "embed", "search", "send", "link", "decide"];

/// Between the parts of a line: a line breaks behind the dot, never before it.
const BETWEEN: &str = "\u{a0}· ";

/// A record's trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceView {
    /// What was shown at the reader.
    pub(crate) shown: Vec<String>,
    /// What would have let it pass, all of it together.
    pub(crate) would: Vec<String>,
    pub(crate) rules: Vec<RuleView>,
    /// Terms with their values.
    pub(crate) facts: Vec<(String, String)>,
}

/// A rule in the trace.
#[derive(Clone, Debug)]
pub(crate) struct RuleView {
    pub(crate) name: String,
    pub(crate) passed: bool,
}

/// What is known of every record.
pub(crate) fn facts(page: &Page, directory: &Directory, event: &StoredEvent) -> Vec<(String, String)> {
    #[derive(Deserialize)]
    struct By {
        by: Option<i64>,
    }
    let mut facts = vec![
        (page.say("trace-at").into_owned(), page.exact(event.at)),
        (page.say("trace-received").into_owned(), page.exact(event.received)),
        (page.say("trace-source").into_owned(), directory.device(page, &event.source)),
        (page.say("trace-sequence").into_owned(), event.seq.to_string()),
    ];
    if event.stream == kit::Stream::Own
        && let Some(By { by: Some(id) }) = event.parse()
    {
        let name = directory.operators.get(&id).cloned();
        facts.push((page.say("trace-by").into_owned(), name.unwrap_or_else(|| id.to_string())));
    }
    facts
}

impl TraceView {
    /// Adds a decision's own trace.
    pub(crate) fn explain(&mut self, page: &Page, directory: &Directory, trace: &Trace, now: i64) {
        self.shown = trace.shown.iter().map(|it| shown(page, directory, it, now)).collect();
        self.would = trace.would_have_passed.iter().map(|it| remedy(page, directory, it, now)).collect();
        self.rules = trace
            .rules
            .iter()
            .map(|rule| RuleView { name: page.word("rule", &rule.rule), passed: rule.passed })
            .collect();
        self.facts.push((page.say("trace-policy").into_owned(), trace.policy_version.to_string()));
        self.facts.push((page.say("trace-centre").into_owned(), page.word("centre", &trace.centre)));
        if !trace.stages_us.is_empty() {
            let place = |stage: &str| STAGES.iter().position(|it| *it == stage).unwrap_or(STAGES.len());
            let mut stages: Vec<_> = trace.stages_us.iter().collect();
            stages.sort_by_key(|(stage, _)| place(stage));
            let worded = stages.into_iter().map(|(stage, micros)| {
                let ms = format!("{}.{}", micros / 1000, micros % 1000 / 100);
                let arguments = [("stage", page.word("stage", stage).into()), ("ms", ms.into())];
                page.language.say_with("trace-stage", &arguments).into_owned()
            });
            let worded: Vec<_> = worded.collect();
            self.facts.push((page.say("trace-stages").into_owned(), worded.join(BETWEEN)));
        }
    }
}

/// A reason's words; what an operator needs to know of it stands behind them.
pub(crate) fn reason(page: &Page, directory: &Directory, reason: &Reason, now: i64) -> String {
    with_details(page, page.word("reason", &reason.code), &details(page, directory, reason, now))
}

/// What was shown at the reader.
fn shown(page: &Page, directory: &Directory, it: &Reason, now: i64) -> String {
    let mut details = details(page, directory, it, now);
    let words = match (it.code.as_str(), text(it, "kind")) {
        ("credential", Some(kind)) => page.word("factor", kind),
        ("unknown-credential", Some(kind)) => {
            // The kind is what it is called; the details would only repeat it.
            details.clear();
            page.say_with("shown-unknown-credential", "kind", page.word("factor", kind)).into_owned()
        }
        (code, _) if page.language.knows(&format!("shown-{code}")) => page.word("shown", code),
        // What a board decided alone stands here as its reason.
        (code, _) => page.word("reason", code),
    };
    if it.code == "credential" {
        details.clear();
    }
    if let Some(liveness) = text(it, "liveness") {
        details.push(page.word("liveness", liveness));
    }
    with_details(page, words, &details)
}

/// One thing that would have to be different.
fn remedy(page: &Page, directory: &Directory, remedy: &Reason, now: i64) -> String {
    let what = || text(remedy, "what").map(|code| page.word("reason", code)).unwrap_or_default();
    match remedy.code.as_str() {
        "wait" => {
            let time = moment(page, remedy, "until", now).unwrap_or_default();
            page.say_with("remedy-wait", "time", time).into_owned()
        }
        "show" => {
            let factors = text(remedy, "factors").map(|it| factors(page, it)).unwrap_or_default();
            page.say_with("remedy-show", "factors", factors).into_owned()
        }
        "change" => page.say_with("remedy-change", "what", what()).into_owned(),
        "operator" => page.say_with("remedy-operator", "what", what()).into_owned(),
        _ => reason(page, directory, remedy, now),
    }
}

/// The facts behind a reason that say something to an operator, in words. Ids are not among them.
fn details(page: &Page, directory: &Directory, reason: &Reason, now: i64) -> Vec<String> {
    let mut details = Vec::new();
    let mut say = |key: &str, argument: &str, value: Option<String>| {
        if let Some(value) = value {
            details.push(page.say_with(key, argument, value).into_owned());
        }
    };
    let time = |name: &str| moment(page, reason, name, now);
    let set = |name: &str| text(reason, name).map(|it| factors(page, it));
    say("fact-score", "value", number(reason, "score"));
    say("fact-margin", "value", number(reason, "margin"));
    say("fact-clearance", "value", number(reason, "clearance"));
    say("fact-needed", "value", number(reason, "needed"));
    say("fact-shown", "factors", set("shown"));
    say("fact-nearest", "factors", set("nearest"));
    say("fact-kind", "kind", text(reason, "kind").map(|it| page.word("factor", it)));
    say("fact-tries", "count", number(reason, "tries"));
    say("fact-since", "time", time("since").or_else(|| time("from")));
    say("fact-at", "time", time("at"));
    say("fact-opens", "time", time("opens"));
    say("fact-until", "time", time("until"));
    if reason.code == "just-granted-elsewhere" {
        let door = integer(reason, "door").and_then(|id| u64::try_from(id).ok());
        say("fact-door", "door", door.map(|id| directory.door(page, id)));
    }
    if reason.code == "shown-too-long-ago" {
        let seconds = integer(reason, "age_us").map(|micros| (micros / 1_000_000).to_string());
        say("fact-age", "seconds", seconds);
    }
    details
}

fn with_details(page: &Page, words: String, details: &[String]) -> String {
    if details.is_empty() {
        return words;
    }
    let details = details.join(&page.say("list-comma"));
    page.language
        .say_with("reason-with", &[("words", words.into()), ("details", details.into())])
        .into_owned()
}

/// `card+pin` in words.
fn factors(page: &Page, set: &str) -> String {
    set.split('+').map(|one| page.word("factor", one)).collect::<Vec<_>>().join(" + ")
}

fn number(reason: &Reason, name: &str) -> Option<String> {
    match reason.facts.get(name)? {
        // A similarity below nothing is none.
        Fact::Float(value) => Some(format!("{:.2}", value.max(0.0))),
        Fact::Int(value) => Some(value.to_string()),
        Fact::Bool(_) | Fact::Text(_) => None,
    }
}

fn integer(reason: &Reason, name: &str) -> Option<i64> {
    match reason.facts.get(name)? {
        Fact::Int(value) => Some(*value),
        Fact::Float(_) | Fact::Bool(_) | Fact::Text(_) => None,
    }
}

fn text<'a>(reason: &'a Reason, name: &str) -> Option<&'a str> {
    match reason.facts.get(name)? {
        Fact::Text(text) => Some(text),
        Fact::Int(_) | Fact::Float(_) | Fact::Bool(_) => None,
    }
}

fn moment(page: &Page, reason: &Reason, name: &str, now: i64) -> Option<String> {
    page.moment(integer(reason, name)?, now)
}

#[cfg(test)]
mod tests;
