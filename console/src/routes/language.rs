//! The other language, remembered by the browser. It changes nothing else, so a link does it.

use axum::extract::Query;
use axum::http::{HeaderMap, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::words::{COOKIE, Language};

#[derive(Deserialize)]
pub(super) struct Given {
    to: String,
}

pub(super) async fn change(headers: HeaderMap, Query(given): Query<Given>) -> Response {
    let language = Language::of_tag(&given.to);
    let cookie = format!("{COOKIE}={language}; Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax");
    let to = back(&headers).unwrap_or_else(|| "/".to_owned());
    (AppendHeaders([(header::SET_COOKIE, cookie)]), Redirect::to(&to)).into_response()
}

/// The page it was asked from: its path and query alone, so that nobody is sent to another site.
fn back(headers: &HeaderMap) -> Option<String> {
    let referer = headers.get(header::REFERER)?.to_str().ok()?;
    let uri: axum::http::Uri = referer.parse().ok()?;
    let path = uri.path();
    // Browsers read a backslash as a slash: `/\evil.example` would be another site.
    let here = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\');
    here.then(|| uri.path_and_query().map_or(path, |it| it.as_str()).to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_way_back_stays_on_this_site() {
        for (referer, to) in [
            ("https://gate.example.cn/people?page=2", Some("/people?page=2")),
            ("https://gate.example.cn/", Some("/")),
            ("https://gate.example.cn//evil.example", None),
            ("https://gate.example.cn/\\evil.example", None),
            ("https://gate.example.cn/people/\\..\\..\\evil.example", None),
            ("https://gate.example.cn/people?to=//evil.example", Some("/people?to=//evil.example")),
            ("nothing", None),
        ] {
            let headers = HeaderMap::from_iter([(header::REFERER, HeaderValue::from_static(referer))]);
            assert_eq!(back(&headers).as_deref(), to, "{referer}");
        }
    }
}
