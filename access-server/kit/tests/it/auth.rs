//! Signing in, sessions, ranks, and forms of other sites.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::routing::{get, post};
use kit::auth::{
    self, AtLeastManager, LoginRefusal, Operator, OperatorError, Role, SESSION_COOKIE, SignedIn,
};
use kit::testing::sites;
use kit::{Kit, Problem};
use tower::ServiceExt;

const PASSWORD: &str = "correct horse battery";

async fn ada(kit: &Kit, role: Role) {
    auth::add(kit, None, "Ada", role, "a first password").await.unwrap();
    let first = auth::sign_in(kit, "ada", "a first password", "here").await.unwrap();
    auth::change_password(kit, first.operator, "a first password", PASSWORD).await.unwrap();
}

async fn signed_in(kit: &Kit) -> String {
    let session = auth::sign_in(kit, "ADA ", PASSWORD, "here").await.unwrap();
    session.set_cookie.split(';').next().unwrap().to_owned()
}

fn pages(kit: &Kit) -> Router {
    Router::new()
        .route("/who", get(async |operator: Operator| operator.name))
        .route("/token", get(async |SignedIn(operator): SignedIn| operator.csrf))
        .route("/rights", get(async |_: AtLeastManager| "rights"))
        .route("/change", post(async |operator: Operator| operator.name))
        .route("/login", post(async || "ok"))
        .route(
            "/bug",
            get(async || -> Result<(), Problem> { Err(Problem::not_found("nothing here").with("id", 7)) }),
        )
        .layer(axum::middleware::from_fn(auth::csrf))
        .with_state(kit.clone())
}

async fn ask(kit: &Kit, request: Request<Body>) -> (StatusCode, String) {
    let answer = pages(kit).oneshot(request).await.unwrap();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 65_536).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn get_with(path: &str, cookie: &str) -> Request<Body> {
    Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_session_lives_while_used_and_no_longer_than_a_shift() {
    for site in sites(&[]).await {
        ada(&site.kit, Role::Viewer).await;
        let cookie = signed_in(&site.kit).await;
        assert_eq!(ask(&site.kit, get_with("/who", &cookie)).await, (StatusCode::OK, "ada".into()));
        assert_eq!(ask(&site.kit, get_with("/who", "nothing=1")).await.0, StatusCode::UNAUTHORIZED);
        for _ in 0..13 {
            site.clock.advance(auth::IDLE - Duration::from_secs(300));
            assert_eq!(ask(&site.kit, get_with("/who", &cookie)).await.0, StatusCode::OK);
        }
        site.clock.advance(auth::IDLE - Duration::from_secs(300));
        assert_eq!(
            ask(&site.kit, get_with("/who", &cookie)).await.0,
            StatusCode::UNAUTHORIZED,
            "12 h are over"
        );

        let cookie = signed_in(&site.kit).await;
        site.clock.advance(auth::IDLE);
        assert_eq!(
            ask(&site.kit, get_with("/who", &cookie)).await.0,
            StatusCode::UNAUTHORIZED,
            "unused for an hour"
        );
    }
}

#[tokio::test]
async fn a_session_ends_when_told_and_when_its_operator_is_shut_out() {
    for site in sites(&[]).await {
        ada(&site.kit, Role::Viewer).await;
        let cookie = signed_in(&site.kit).await;
        auth::end(&site.kit, cookie.strip_prefix(&format!("{SESSION_COOKIE}=")).unwrap()).await.unwrap();
        assert_eq!(ask(&site.kit, get_with("/who", &cookie)).await.0, StatusCode::UNAUTHORIZED);

        let cookie = signed_in(&site.kit).await;
        let id = auth::list(&site.kit).await.unwrap()[0].id;
        auth::set_disabled(&site.kit, id, id, true).await.unwrap();
        assert_eq!(ask(&site.kit, get_with("/who", &cookie)).await.0, StatusCode::UNAUTHORIZED);
        assert!(matches!(auth::sign_in(&site.kit, "ada", PASSWORD, "here").await, Err(LoginRefusal::Wrong)));
    }
}

#[tokio::test]
async fn the_first_sign_in_leads_to_a_password_of_ones_own() {
    for site in sites(&[]).await {
        auth::add(&site.kit, None, "ada", Role::Administrator, "a first password").await.unwrap();
        let first = auth::sign_in(&site.kit, "ada", "a first password", "here").await.unwrap();
        let cookie = first.set_cookie.split(';').next().unwrap().to_owned();
        let (status, body) = ask(&site.kit, get_with("/who", &cookie)).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(body.contains("/problems/must-change-password"), "{body}");
        assert_eq!(ask(&site.kit, get_with("/token", &cookie)).await.0, StatusCode::OK);
        let short = auth::change_password(&site.kit, first.operator, "a first password", "short").await;
        assert!(matches!(short, Err(OperatorError::Password(_))));
        auth::change_password(&site.kit, first.operator, "a first password", PASSWORD).await.unwrap();
        assert_eq!(
            ask(&site.kit, get_with("/token", &cookie)).await.0,
            StatusCode::UNAUTHORIZED,
            "old sessions end"
        );
        assert_eq!(ask(&site.kit, get_with("/who", &signed_in(&site.kit).await)).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn rank_is_respected() {
    for site in sites(&[]).await {
        ada(&site.kit, Role::Operator).await;
        let cookie = signed_in(&site.kit).await;
        let (status, body) = ask(&site.kit, get_with("/rights", &cookie)).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(body.contains("\"needs\":\"manager\""), "{body}");
        let id = auth::list(&site.kit).await.unwrap()[0].id;
        auth::set_role(&site.kit, id, id, Role::Manager).await.unwrap();
        assert_eq!(ask(&site.kit, get_with("/rights", &cookie)).await, (StatusCode::OK, "rights".into()));
    }
}

#[tokio::test]
async fn wrong_passwords_wait_and_are_journaled_once() {
    for site in sites(&[]).await {
        ada(&site.kit, Role::Viewer).await;
        for _ in 0..5 {
            assert!(matches!(
                auth::sign_in(&site.kit, "ada", "guess guess", "there").await,
                Err(LoginRefusal::Wrong)
            ));
        }
        assert!(matches!(
            auth::sign_in(&site.kit, "ada", PASSWORD, "there").await,
            Err(LoginRefusal::Wait(1))
        ));
        assert!(
            auth::sign_in(&site.kit, "ada", PASSWORD, "here").await.is_ok(),
            "another address is not punished"
        );
        site.clock.advance(Duration::from_secs(1));
        assert!(auth::sign_in(&site.kit, "ada", PASSWORD, "there").await.is_ok());
        let journaled = kit::journal::events_after(site.kit.read(), 0, 100).await.unwrap();
        assert_eq!(journaled.iter().filter(|event| event.kind == "operator.wrong-password").count(), 1);
        assert!(journaled.iter().all(|event| !event.body.contains("ada")), "no name in the journal");
        for _ in 0..5 {
            let refused = auth::sign_in(&site.kit, "nobody", "guess guess", "there").await;
            assert!(matches!(refused, Err(LoginRefusal::Wrong)));
        }
    }
}

#[tokio::test]
async fn other_sites_cannot_post() {
    for site in sites(&[]).await {
        ada(&site.kit, Role::Viewer).await;
        let cookie = signed_in(&site.kit).await;
        let (_, token) = ask(&site.kit, get_with("/token", &cookie)).await;
        let post = |path: &str| {
            Request::post(path).header(header::COOKIE, &cookie).header(header::HOST, "site.example")
        };
        let form = "application/x-www-form-urlencoded";

        let with_field =
            post("/change").header(header::CONTENT_TYPE, form).body(Body::from(format!("a=1&_csrf={token}")));
        assert_eq!(ask(&site.kit, with_field.unwrap()).await, (StatusCode::OK, "ada".into()));
        let with_header = post("/change").header("x-csrf-token", &token).body(Body::empty());
        assert_eq!(ask(&site.kit, with_header.unwrap()).await.0, StatusCode::OK);
        let upload = post(&format!("/change?_csrf={token}")).body(Body::from("a photograph"));
        assert_eq!(ask(&site.kit, upload.unwrap()).await.0, StatusCode::OK);

        let without = post("/change").header(header::CONTENT_TYPE, form).body(Body::from("a=1"));
        assert_eq!(ask(&site.kit, without.unwrap()).await.0, StatusCode::FORBIDDEN);
        let wrong = post("/change").header("x-csrf-token", "0".repeat(64)).body(Body::empty());
        assert_eq!(ask(&site.kit, wrong.unwrap()).await.0, StatusCode::FORBIDDEN);
        let other = post("/change")
            .header("x-csrf-token", &token)
            .header("sec-fetch-site", "cross-site")
            .body(Body::empty());
        assert_eq!(ask(&site.kit, other.unwrap()).await.0, StatusCode::FORBIDDEN);
        let other =
            post("/change").header("x-csrf-token", &token).header(header::ORIGIN, "https://evil.example");
        assert_eq!(ask(&site.kit, other.body(Body::empty()).unwrap()).await.0, StatusCode::FORBIDDEN);
        let login = Request::post("/login")
            .header(header::ORIGIN, "https://evil.example")
            .header(header::HOST, "site.example");
        assert_eq!(ask(&site.kit, login.body(Body::empty()).unwrap()).await.0, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn problems_are_problem_details() {
    let [site, _] = sites(&[]).await.try_into().unwrap();
    let answer = pages(&site.kit).oneshot(Request::get("/bug").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
    let body = axum::body::to_bytes(answer.into_body(), 65_536).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({ "type": "/problems/not-found", "title": "Not Found", "status": 404, "detail": "nothing here", "id": 7 })
    );
}
