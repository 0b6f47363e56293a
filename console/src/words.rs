//! The interface's words, in the site's two languages. Every text that a person sees comes from `locales/`.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use axum::http::{HeaderMap, header};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

/// The cookie that remembers the language before anybody has signed in.
pub(crate) const COOKIE: &str = "language";

const ZH: &str = include_str!("../locales/zh-CN.ftl");
const EN: &str = include_str!("../locales/en.ftl");

static BUNDLES: LazyLock<[FluentBundle<FluentResource>; 2]> =
    LazyLock::new(|| [bundle("zh-CN", ZH), bundle("en", EN)]);

/// One language of the interface. The first is the site's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// 简体中文.
    Chinese,
    /// English.
    English,
}

impl Language {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Chinese, Self::English];

    /// The tag, for `lang=` and for the cookie.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    /// Its own name for itself.
    #[must_use]
    pub fn own_name(self) -> &'static str {
        match self {
            Self::Chinese => "中文",
            Self::English => "English",
        }
    }

    /// From a tag; Chinese for everything that is not English.
    #[must_use]
    pub fn of_tag(tag: &str) -> Self {
        if tag.starts_with("en") { Self::English } else { Self::Chinese }
    }

    /// From a request: the cookie, else what the browser prefers, else Chinese.
    #[must_use]
    pub fn of_request(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let cookie = text(header::COOKIE).split(';').filter_map(|pair| pair.trim().split_once('='));
        if let Some((_, tag)) = cookie.into_iter().find(|(name, _)| *name == COOKIE) {
            return Self::of_tag(tag);
        }
        Self::of_tag(text(header::ACCEPT_LANGUAGE))
    }

    /// The words of a key. A key that is missing shows itself; a test holds that none is.
    #[must_use]
    pub fn say(self, key: &str) -> Cow<'static, str> {
        self.format(key, None)
    }

    /// The words of a key with arguments.
    #[must_use]
    pub fn say_with(self, key: &str, arguments: &[(&str, FluentValue<'_>)]) -> Cow<'static, str> {
        let arguments: FluentArgs<'_> =
            arguments.iter().map(|(name, value)| (Cow::Owned((*name).to_owned()), value.clone())).collect();
        self.format(key, Some(&arguments))
    }

    /// Whether there are words for a key.
    #[must_use]
    pub fn knows(self, key: &str) -> bool {
        self.bundle().has_message(key)
    }

    fn format(self, key: &str, arguments: Option<&FluentArgs<'_>>) -> Cow<'static, str> {
        let bundle = self.bundle();
        let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
            return Cow::Owned(key.to_owned());
        };
        let mut faults = Vec::new();
        Cow::Owned(bundle.format_pattern(pattern, arguments, &mut faults).into_owned())
    }

    fn bundle(self) -> &'static FluentBundle<FluentResource> {
        match self {
            Self::Chinese => &BUNDLES[0],
            Self::English => &BUNDLES[1],
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

fn bundle(tag: &str, text: &str) -> FluentBundle<FluentResource> {
    let language: LanguageIdentifier = tag.parse().expect("our own tags are well-formed");
    let resource = FluentResource::try_new(text.to_owned())
        .expect("the language files are well-formed; a test holds it");
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    bundle.set_use_isolating(false);
    bundle.add_resource(resource).expect("no key stands twice; a test holds it");
    bundle
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn keys(text: &str) -> BTreeSet<&str> {
        text.lines()
            .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
            .filter_map(|line| line.split_once(" =").map(|(key, _)| key))
            .collect()
    }

    fn files(folder: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in
            fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("a folder of ours")
        {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                found.extend(files(path.to_str().expect("UTF-8")));
            } else {
                found.push(path);
            }
        }
        found
    }

    /// Every literal that stands between `before` and the next quotation mark.
    fn literals(text: &str, before: &str) -> Vec<String> {
        text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
    }

    #[test]
    fn both_languages_have_the_same_keys() {
        assert_eq!(keys(ZH), keys(EN));
        assert_eq!(
            keys(ZH).len(),
            ZH.lines().filter(|line| line.contains(" = ") && !line.starts_with(['#', ' '])).count()
        );
    }

    #[test]
    fn every_key_in_pages_and_code_has_words() {
        for path in files("templates").into_iter().chain(files("src")) {
            let text = fs::read_to_string(&path).expect("readable");
            for call in ["say(\"", "say_with(\"", "say_count(\"", "say_length(\""] {
                for key in literals(&text, call) {
                    assert!(Language::Chinese.knows(&key), "{}: {key} has no words", path.display());
                }
            }
        }
    }

    #[test]
    fn every_reason_and_rule_of_the_domain_has_words() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../controller/domain/src/reason.rs");
        let text = fs::read_to_string(source).expect("the domain's reasons");
        let (reasons, rules) = text.split_once("impl Rule {").expect("reasons first, then rules");
        let reasons = literals(reasons, "=> \"");
        let rules = literals(rules, "=> \"");
        assert!(reasons.len() > 20 && rules.len() > 10, "the list was not found");
        for (list, words) in [("reason", reasons), ("rule", rules)] {
            for word in words {
                let key = format!("{list}-{word}");
                assert!(Language::Chinese.knows(&key), "{key} has no words");
            }
        }
    }

    #[test]
    fn every_event_of_the_wire_has_a_sentence() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../controller/uplink/src");
        for (file, list, kind) in [
            ("event.rs", "DoorChange", "door"),
            ("event.rs", "FireChange", "fire"),
            ("event.rs", "BoardChange", "board"),
            ("event.rs", "ControllerChange", "controller"),
            ("command.rs", "Settled", "command"),
        ] {
            let text = fs::read_to_string(source.join(file)).expect("the wire's events");
            let (_, body) = text.split_once(&format!("pub enum {list} {{")).expect("the list is there");
            let (body, _) = body.split_once("\n}").expect("it ends");
            let variants =
                body.lines().map(str::trim).filter(|line| line.ends_with(',') && !line.starts_with("//"));
            let mut count = 0;
            for variant in variants {
                let key = format!("event-{kind}-{}", kebab(variant.trim_end_matches(',')));
                assert!(Language::Chinese.knows(&key), "{key} has no words");
                count += 1;
            }
            assert!(count > 3, "{list}: only {count} found");
        }
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

    #[test]
    fn numbers_are_worded() {
        assert_eq!(
            Language::English.say_with("live-attention", &[("count", 1.into())]),
            "1 thing needs attention"
        );
        assert_eq!(
            Language::English.say_with("live-attention", &[("count", 3.into())]),
            "3 things need attention"
        );
        assert_eq!(Language::Chinese.say_with("age-seconds", &[("n", 7.into())]), "7 秒前");
    }
}
