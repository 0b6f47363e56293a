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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
        // Over HTTP/2 a browser sends each cookie in a field of its own.
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut cookies =
            cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        if let Some((_, tag)) = cookies.find(|(name, _)| *name == COOKIE) {
            return Self::of_tag(tag);
        }
        let preferred = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Self::of_tag(preferred.unwrap_or_default())
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

    use axum::http::HeaderValue;

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
    fn the_cookie_says_the_language_wherever_it_stands() {
        let of = |cookies: &[&'static str]| {
            let mut headers = HeaderMap::new();
            headers.append(header::ACCEPT_LANGUAGE, HeaderValue::from_static("zh-CN"));
            for cookie in cookies {
                headers.append(header::COOKIE, HeaderValue::from_static(cookie));
            }
            Language::of_request(&headers)
        };
        assert_eq!(of(&[]), Language::Chinese);
        assert_eq!(of(&["session=1; language=en"]), Language::English);
        assert_eq!(of(&["session=1", "language=en"]), Language::English, "as over HTTP/2");
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
