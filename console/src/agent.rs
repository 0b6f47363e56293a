//! What a browser calls itself, in plain words.

use crate::page::Page;

/// Browsers by what their `User-Agent` has in it, those first that also have what others are known by.
const BROWSERS: [(&str, &str); 11] = [
    ("MicroMessenger/", "WeChat"),
    ("QQBrowser/", "QQ Browser"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
/// Systems, in the same way.
const SYSTEMS: [(&str, &str); 9] = [
    ("OpenHarmony", "HarmonyOS"),
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// "Firefox on Windows", or that it is not known.
pub(crate) fn named(page: &Page, agent: &str) -> String {
    let (browser, system) = (found(&BROWSERS, agent), found(&SYSTEMS, agent));
    match (browser, system) {
        (Some(browser), Some(system)) => {
            let words = [("browser", browser.into()), ("system", system.into())];
            page.language.say_with("browser-on", &words).into_owned()
        }
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => page.say("browser-unknown").into_owned(),
    }
}

fn found(list: &[(&str, &'static str)], agent: &str) -> Option<&'static str> {
    list.iter().find(|(part, _)| agent.contains(part)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_that_pretend_to_be_others_are_known() {
        let of = |agent| (found(&BROWSERS, agent), found(&SYSTEMS, agent));
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                    Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0";
        assert_eq!(of(edge), (Some("Edge"), Some("Windows")));
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
                     Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
        assert_eq!(of(phone), (Some("Safari"), Some("iOS")));
        let android = "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 \
                       Mobile Safari/537.36";
        assert_eq!(of(android), (Some("Chrome"), Some("Android")));
        assert_eq!(
            of("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"),
            (Some("Firefox"), Some("Linux"))
        );
        assert_eq!(of("curl/8.5.0"), (None, None));
    }
}
