//! Files that every page needs, built in, and the headers that hold for everything.

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use kit::{Routes, Who};

use crate::Console;

/// Scripts, styles and pictures come from here alone; nothing is inline, nobody may frame us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Anybody's: the page to sign in needs them too.
pub(crate) fn routes() -> Routes<Console> {
    Routes::default()
        .get("/assets/console.css", Who::Anybody, style)
        .get("/assets/live.js", Who::Anybody, script)
        .get("/assets/search.js", Who::Anybody, search)
        .get("/assets/sort.js", Who::Anybody, sort)
        .get("/assets/camera.js", Who::Anybody, camera)
        .get("/assets/enrol.js", Who::Anybody, enrol)
        .get("/assets/passkey.js", Who::Anybody, passkey)
        .get("/assets/plan.js", Who::Anybody, plan)
        .get("/assets/firmware.js", Who::Anybody, firmware)
        .get("/assets/week.js", Who::Anybody, week)
        .get("/assets/icon.svg", Who::Anybody, icon)
        .get("/favicon.ico", Who::Anybody, icon)
        .get("/assets/shapes.svg", Who::Anybody, shapes)
}

macro_rules! asset {
    ($name:ident, $file:literal, $kind:literal) => {
        async fn $name() -> Response {
            let headers = [(header::CONTENT_TYPE, $kind), (header::CACHE_CONTROL, "public, max-age=300")];
            (headers, include_bytes!(concat!("../assets/", $file)).as_slice()).into_response()
        }
    };
}

asset!(style, "console.css", "text/css; charset=utf-8");
asset!(script, "live.js", "text/javascript; charset=utf-8");
asset!(search, "search.js", "text/javascript; charset=utf-8");
asset!(sort, "sort.js", "text/javascript; charset=utf-8");
asset!(camera, "camera.js", "text/javascript; charset=utf-8");
asset!(enrol, "enrol.js", "text/javascript; charset=utf-8");
asset!(passkey, "passkey.js", "text/javascript; charset=utf-8");
asset!(plan, "plan.js", "text/javascript; charset=utf-8");
asset!(firmware, "firmware.js", "text/javascript; charset=utf-8");
asset!(week, "week.js", "text/javascript; charset=utf-8");
asset!(icon, "icon.svg", "image/svg+xml");
asset!(shapes, "shapes.svg", "image/svg+xml");

/// What a page may use of the machine it is on: nothing.
const FEATURES: &str =
    "camera=(), microphone=(), geolocation=(), display-capture=(), usb=(), serial=(), hid=()";
/// A person's page may use the camera: a face is photographed there.
const WITH_CAMERA: &str =
    "camera=(self), microphone=(), geolocation=(), display-capture=(), usb=(), serial=(), hid=()";

/// The headers of every answer.
pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let features = if is_a_persons(request.uri().path()) { WITH_CAMERA } else { FEATURES };
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("permissions-policy", HeaderValue::from_static(features));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// `/people/7`, and what is sent to from there.
fn is_a_persons(path: &str) -> bool {
    let id = path.strip_prefix("/people/").and_then(|rest| rest.split('/').next());
    id.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}
