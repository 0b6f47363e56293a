//! No code without words: every code that another room can put on a page is read out of that room's source, and both
//! languages must word it. A new code fails here until it is worded.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use console::Language;

/// Names of facts and of rows: they are keys, and no page shows them.
const KEYS: &[&str] = &[
    "age_us",
    "area",
    "at",
    "board",
    "by",
    "clearance",
    "command",
    "credential",
    "door",
    "factor",
    "factors",
    "first",
    "from",
    "kind",
    "level",
    "link",
    "list",
    "margin",
    "met",
    "nearest",
    "needed",
    "opens",
    "person",
    "rank",
    "recorded_in",
    "schedule",
    "score",
    "second",
    "shown",
    "since",
    "tag",
    "tries",
    "until",
    "waited",
    "what",
    "zone",
];

/// The lists that a decision's words are taken from.
const LISTS: &[&str] =
    &["reason", "remedy", "shown", "factor", "liveness", "centre", "cause", "trouble", "stage"];

#[test]
fn every_reason_and_rule_of_the_domain() {
    let text = read("controller/domain/src/reason.rs");
    let (reasons, rules) = text.split_once("impl Rule {").expect("reasons first, then rules");
    all_worded("reason", &after(reasons, "=> \""), 30);
    all_worded("rule", &after(rules, "=> \""), 18);
}

/// Whatever stands in the controller's decisions as a word: a code with words, or a key that no page shows.
#[test]
fn every_code_of_the_controller() {
    let mut codes = BTreeSet::new();
    for file in sources("controller/gateway/src/site") {
        let path = file.strip_prefix(root()).expect("it was found below it");
        // What it remembers are rows of its own.
        if !path.iter().any(|part| part == "memory.rs" || part == "tests.rs" || part == "tests") {
            codes.extend(quoted(&code(&file)));
        }
    }
    assert!(codes.len() > 60, "only {} literals were found", codes.len());
    for code in codes.iter().filter(|code| !KEYS.contains(&code.as_str())) {
        for language in Language::ALL {
            let worded = LISTS.iter().any(|list| language.knows(&format!("{list}-{code}")));
            assert!(worded, "{code} of the controller has no words in {language}");
        }
    }
}

#[test]
fn every_state_of_a_door() {
    let text = read("controller/gateway/src/site/point.rs");
    let (_, words) = text.split_once("impl Cause {").expect("the causes' words");
    let (causes, troubles) = words.split_once("impl Trouble {").expect("then the troubles'");
    all_worded("cause", &after(causes, "=> \""), 8);
    all_worded("trouble", &after(troubles, "=> \""), 5);
}

#[test]
fn every_stage_of_a_presentation() {
    let mut stages = BTreeSet::new();
    for file in sources("vision/vision/src").into_iter().chain(sources("controller/gateway/src/site")) {
        let text = code(&file);
        for before in ["stage(&mut stages, \"", "stages.insert(\"", "stages_us.insert(\""] {
            stages.extend(after(&text, before));
        }
    }
    all_worded("stage", &stages, 7);
}

#[test]
fn every_event_of_the_wire() {
    for (file, list, kind) in [
        ("event.rs", "DoorChange", "door"),
        ("event.rs", "FireChange", "fire"),
        ("event.rs", "BoardChange", "board"),
        ("event.rs", "ControllerChange", "controller"),
        ("command.rs", "Settled", "command"),
    ] {
        let text = read(&format!("controller/uplink/src/{file}"));
        let (_, body) = text.split_once(&format!("pub enum {list} {{")).expect("the list is there");
        let (body, _) = body.split_once("\n}").expect("it ends");
        let variants =
            body.lines().map(str::trim).filter(|line| line.ends_with(',') && !line.starts_with("//"));
        let variants = variants.map(|variant| kebab(variant.trim_end_matches(','))).collect();
        all_worded(&format!("event-{kind}"), &variants, 4);
    }
}

#[test]
fn every_record_of_the_server() {
    let mut kinds = BTreeSet::new();
    for room in ["devices", "doors", "kit", "people", "roster", "server"] {
        for file in sources(&format!("access-server/{room}/src")) {
            let text = code(&file);
            kinds.extend(after(&text, "tx.record(\"").into_iter().map(|kind| kind.replace('.', "-")));
            let removals = text.split("removed(tx, by, ").skip(1).filter_map(|call| call.split('"').nth(1));
            kinds.extend(removals.map(|what| format!("{}-removed", what.replace(' ', "-"))));
        }
    }
    all_worded("event", &kinds, 40);
}

#[test]
fn every_trouble_of_the_server() {
    let troubles = after(&read("access-server/kit/src/trouble.rs"), "=> \"");
    all_worded("server-trouble", &troubles, 6);
    all_worded("server-trouble-means", &troubles, 6);
}

#[test]
fn every_topic_of_webhooks_and_whatever_keeps_one_from_being_told() {
    let topics = read("access-server/webhooks/src/topic.rs");
    let (topics, _) = topics.split_once("pub fn parse").expect("the words come before they are parsed");
    all_worded("topic", &after(topics, "=> \""), 7);
    let mut kinds = BTreeSet::new();
    for file in sources("access-server/webhooks/src") {
        kinds.extend(after(&code(&file), "\"webhook."));
    }
    kinds.remove("");
    all_worded("event-webhook", &kinds, 9);
    all_worded("webhook-unanswered", &after(&read("access-server/webhooks/src/retry.rs"), "=> \""), 6);
}

fn all_worded(list: &str, codes: &BTreeSet<String>, at_least: usize) {
    assert!(codes.len() >= at_least, "{list}: only {codes:?} were found");
    for code in codes {
        for language in Language::ALL {
            assert!(language.knows(&format!("{list}-{code}")), "{list}-{code} has no words in {language}");
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the console lies in the project's folder")
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A source file without its comments and its tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("listed a moment ago");
    let text = text.split("\n#[cfg(test)]").next().expect("split gives one part at least");
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// Every word that stands between `before` and the next quotation mark.
fn after(text: &str, before: &str) -> BTreeSet<String> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// Every literal that could be a code: small letters, with hyphens or underscores between them.
fn quoted(text: &str) -> Vec<String> {
    let is_word = |text: &&str| {
        text.starts_with(|it: char| it.is_ascii_lowercase())
            && text.chars().all(|it| it.is_ascii_lowercase() || matches!(it, '-' | '_'))
    };
    // Quotation marks come in pairs, and no literal of these files holds one.
    text.split('"').skip(1).step_by(2).filter(is_word).map(str::to_owned).collect()
}

fn kebab(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}
