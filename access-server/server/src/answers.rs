//! What holds for every answer of this server, whichever slice or page gave it.

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use kit::Problem;

/// A year: browsers come back in TLS or not at all.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// The longest refusal of the framework that is handed on.
const WORDS: usize = 4096;

/// Nothing is kept by who carries it unless the answer says so, nothing is taken for another kind than it is, and TLS is
/// the only way here. A request that names two hosts is for none (RFC 9112, 3.2).
pub async fn headers(request: Request, next: Next) -> Response {
    // Other programs of the same machine have that name too, and a browser would demand TLS of all of them.
    let tls_only = host(&request).is_some_and(|host| host != "localhost");
    let mut response = if request.headers().get_all(header::HOST).iter().count() > 1 {
        Problem::malformed("more than one Host is named").into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    if tls_only {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(TLS_ONLY);
    }
    response
}

/// The name or address that was asked for, without the port.
fn host(request: &Request) -> Option<&str> {
    let named = || request.headers().get(header::HOST)?.to_str().ok();
    let host = request.uri().authority().map(|authority| authority.as_str()).or_else(named)?;
    Some(host.rsplit_once(':').map_or(host, |(host, _)| host))
}

/// What the framework refuses by itself below `/api`, as a body that is no JSON, is a problem like all others.
pub async fn refusals(request: Request, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api/");
    let response = next.run(request).await;
    let ours = response.extensions().get::<Problem>().is_some();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let plain = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !api || ours || !plain || !response.status().is_client_error() {
        return response;
    }
    let (parts, body) = response.into_parts();
    let words = axum::body::to_bytes(body, WORDS).await.unwrap_or_default();
    let words = match String::from_utf8_lossy(&words).into_owned() {
        words if words.is_empty() => parts.status.canonical_reason().unwrap_or("refused").to_owned(),
        words => words,
    };
    let kind = match parts.status {
        StatusCode::METHOD_NOT_ALLOWED => "method-not-allowed",
        StatusCode::PAYLOAD_TOO_LARGE => "too-large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "media-type",
        _ => "malformed",
    };
    let mut problem = Problem::new(parts.status, kind, words).into_response();
    if let Some(allowed) = parts.headers.get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allowed.clone());
    }
    problem
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Path;
    use axum::middleware::from_fn;
    use axum::routing::{get, post};
    use axum::{Json, Router};
    use tower::ServiceExt as _;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "routes of a test, behind nobody's table")]
    async fn answer(request: Request) -> Response {
        let router: Router = Router::new()
            .route("/api/v1/people", post(async |Json(sent): Json<u8>| Json(sent)))
            .route("/api/v1/people/{id}", get(async |Path(id): Path<u8>| Json(id)))
            .route("/people/{id}", get(async |Path(id): Path<u8>| Json(id)))
            .route("/style", get(async || ([(header::CACHE_CONTROL, "public")], "")))
            .layer(from_fn(refusals))
            .layer(from_fn(headers));
        router.oneshot(request).await.expect("it cannot fail")
    }

    fn asked(path: &str, hosts: &[&str]) -> Request {
        let mut request = Request::builder().uri(path);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        request.body(Body::empty()).expect("a request")
    }

    #[tokio::test]
    async fn an_answer_is_not_kept_nor_guessed_at_unless_it_says_so() {
        let good = answer(asked("/api/v1/people/2", &["gate.example.cn:8443"])).await;
        let headers = good.headers();
        assert_eq!(good.status(), StatusCode::OK);
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::STRICT_TRANSPORT_SECURITY], TLS_ONLY);
        let kept = answer(asked("/style", &["localhost:8443"])).await;
        assert_eq!(kept.headers()[header::CACHE_CONTROL], "public");
        assert!(!kept.headers().contains_key(header::STRICT_TRANSPORT_SECURITY));
    }

    #[tokio::test]
    async fn two_hosts_are_none() {
        let refused = answer(asked("/api/v1/people/2", &["one.example.cn", "two.example.cn"])).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        assert_eq!(refused.headers()[header::CONTENT_TYPE], "application/problem+json");
    }

    #[tokio::test]
    async fn what_the_framework_refuses_is_a_problem() {
        let json = |text: &'static str| {
            let request = Request::post("/api/v1/people").header(header::CONTENT_TYPE, "application/json");
            request.body(Body::from(text)).expect("a request")
        };
        let no_kind = Request::post("/api/v1/people").body(Body::empty()).expect("a request");
        for (request, status, kind) in [
            (json("two"), 400, "malformed"),
            (json("\"two\""), 422, "malformed"),
            (no_kind, 415, "media-type"),
            (asked("/api/v1/people/two", &[]), 400, "malformed"),
            (asked("/api/v1/people", &[]), 405, "method-not-allowed"),
        ] {
            let refused = answer(request).await;
            assert_eq!(refused.status(), status);
            assert_eq!(refused.headers().contains_key(header::ALLOW), status == 405);
            let problem = refused.extensions().get::<Problem>().expect("a problem");
            assert_eq!((problem.kind(), problem.detail().is_empty()), (kind, false));
        }
        assert!(answer(json("2")).await.extensions().get::<Problem>().is_none());
        let page = answer(asked("/people/two", &[])).await;
        assert!(page.extensions().get::<Problem>().is_none(), "pages speak for themselves");
    }
}
