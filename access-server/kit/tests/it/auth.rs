//! Signing in, sessions, ranks, and forms of other sites.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use kit::auth::{self, LoginRefusal, Operator, OperatorError, OperatorId, Role, SESSION_COOKIE};
use kit::testing::{Site, sites};
use kit::{Kit, Problem, Routes, Who};
use tower::ServiceExt;

const PASSWORD: &str = "correct horse battery";

async fn ada(kit: &Kit, role: Role) {
    auth::add(kit, None, "Ada", role, "a first password").await.unwrap();
    let first = auth::sign_in(kit, "ada", "a first password", "here").await.unwrap().whole().unwrap();
    auth::change_password(kit, first.operator, "a first password", PASSWORD).await.unwrap();
}

/// Somebody who may change the others; by name after ada.
async fn boss(kit: &Kit) -> OperatorId {
    auth::add(kit, None, "boss", Role::Administrator, "a first password").await.unwrap()
}

async fn signed_in(kit: &Kit) -> String {
    let session = auth::sign_in(kit, "ADA ", PASSWORD, "here").await.unwrap().whole().unwrap();
    session.set_cookie.split(';').next().unwrap().to_owned()
}

fn pages(kit: &Kit) -> Router {
    let viewer = Who::AtLeast(Role::Viewer);
    let name = async |operator: Operator| operator.name;
    Routes::default()
        .get("/who", viewer, name)
        .get("/token", Who::SignedIn, async |operator: Operator| operator.csrf)
        .get("/rights", Who::AtLeast(Role::Manager), async || "rights")
        .post("/change", viewer, name)
        .post("/login", Who::Anybody, async || "ok")
        .get("/bug", Who::Anybody, async || -> Result<(), Problem> {
            Err(Problem::not_found("nothing here").with("id", 7))
        })
        .get("/forgotten", Who::Anybody, name)
        .with_state(kit.clone())
        .into()
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
        auth::set_disabled(&site.kit, boss(&site.kit).await, id, true).await.unwrap();
        assert_eq!(ask(&site.kit, get_with("/who", &cookie)).await.0, StatusCode::UNAUTHORIZED);
        assert!(matches!(auth::sign_in(&site.kit, "ada", PASSWORD, "here").await, Err(LoginRefusal::Wrong)));
    }
}

#[tokio::test]
async fn the_first_sign_in_leads_to_a_password_of_ones_own() {
    for site in sites(&[]).await {
        auth::add(&site.kit, None, "ada", Role::Administrator, "a first password").await.unwrap();
        let first = auth::sign_in(&site.kit, "ada", "a first password", "here").await.unwrap();
        let first = first.whole().unwrap();
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

/// A route that is made for everybody by mistake tells nobody anything.
#[tokio::test]
async fn a_handler_is_told_of_nobody_whom_the_table_did_not_ask() {
    let [site, _] = sites(&[]).await.try_into().unwrap();
    ada(&site.kit, Role::Viewer).await;
    let cookie = signed_in(&site.kit).await;
    assert_eq!(ask(&site.kit, get_with("/forgotten", &cookie)).await.0, StatusCode::INTERNAL_SERVER_ERROR);
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
        auth::set_role(&site.kit, boss(&site.kit).await, id, Role::Manager).await.unwrap();
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
        assert_eq!(wrong_passwords(&site.kit).await, 1, "names that are nobody's do not fill the journal");
    }
}

async fn wrong_passwords(kit: &Kit) -> usize {
    let journaled = kit::journal::events_after(kit.read(), 0, 100_000).await.unwrap();
    journaled.iter().filter(|event| event.kind == "operator.wrong-password").count()
}

#[tokio::test]
async fn passwords_tried_at_once_are_no_more_than_one_after_the_other() {
    for site in sites(&[]).await {
        ada(&site.kit, Role::Viewer).await;
        let mut tries = tokio::task::JoinSet::new();
        for _ in 0..15 {
            let kit = site.kit.clone();
            tries.spawn(async move { auth::sign_in(&kit, "ada", "guess guess", "there").await });
        }
        let refused = tries.join_all().await;
        let looked_at = refused.iter().filter(|refused| matches!(refused, Err(LoginRefusal::Wrong))).count();
        assert_eq!(looked_at, 5, "{refused:?}");
    }
}

#[tokio::test]
async fn the_present_password_is_not_guessed_in_a_session_either() {
    for site in sites(&[]).await {
        ada(&site.kit, Role::Viewer).await;
        let id = auth::list(&site.kit).await.unwrap()[0].id;
        for _ in 0..5 {
            let refused = auth::change_password(&site.kit, id, "guess guess", "another password").await;
            assert!(matches!(refused, Err(OperatorError::WrongPassword)));
        }
        let refused = auth::change_password(&site.kit, id, PASSWORD, "another password").await;
        assert!(matches!(refused, Err(OperatorError::Wait(1))), "{refused:?}");
        assert_eq!(wrong_passwords(&site.kit).await, 1);
        site.clock.advance(Duration::from_secs(1));
        auth::change_password(&site.kit, id, PASSWORD, "another password").await.unwrap();
    }
}

#[tokio::test]
async fn strangers_keep_nobody_from_their_desk() {
    for site in sites(&[]).await {
        ada(&site.kit, Role::Viewer).await;
        // A server just started: where ada signs in from it knows from the database.
        let db = kit::Db::open(&site.database.address).await.unwrap();
        let again = Kit::new(db, site.clock.clone(), kit::Keys::ephemeral(), None).unwrap();
        for stranger in 0..50 {
            let refused = auth::sign_in(&again, "ada", "guess guess", &*format!("10.0.0.{stranger}")).await;
            assert!(matches!(refused, Err(LoginRefusal::Wrong)));
        }
        let elsewhere = auth::sign_in(&again, "ada", PASSWORD, "elsewhere").await;
        assert!(matches!(elsewhere, Err(LoginRefusal::Wait(1))), "{elsewhere:?}");
        assert!(auth::sign_in(&again, "ada", PASSWORD, "here").await.is_ok());
        assert!(auth::sign_in(&again, "ada", PASSWORD, "elsewhere").await.is_ok(), "that cleared it");
    }
}

/// A neighbour at the same address used up its tries with invented names.
#[tokio::test]
async fn a_known_account_is_not_told_from_an_invented_one_and_gets_in() {
    for site in sites(&[]).await {
        ada(&site.kit, Role::Viewer).await;
        let mut invented = 0;
        let refused = loop {
            invented += 1;
            let refused =
                auth::sign_in(&site.kit, &format!("nobody-{invented}"), "guess guess", "here").await;
            if !matches!(refused, Err(LoginRefusal::Wrong)) {
                break refused;
            }
        };
        assert!(matches!(refused, Err(LoginRefusal::Wait(1))), "{refused:?}");
        assert_eq!(invented, 21);
        for name in ["ada", "nobody"] {
            let refused = auth::sign_in(&site.kit, name, "guess guess", "here").await;
            assert!(matches!(refused, Err(LoginRefusal::Wait(1))), "{name}: {refused:?}");
        }
        assert!(auth::sign_in(&site.kit, "ada", PASSWORD, "here").await.is_ok());
        assert!(
            auth::sign_in(&site.kit, "ada", PASSWORD, "elsewhere").await.is_ok(),
            "only that address waits"
        );
    }
}

#[tokio::test]
async fn names_that_look_like_another_are_not_added() {
    let [site, _] = sites(&[]).await.try_into().unwrap();
    ada(&site.kit, Role::Administrator).await;
    for name in ["аda", "ａｄａ", "аdmin", "ädmin", "管理员"] {
        let refused = auth::add(&site.kit, None, name, Role::Viewer, "a first password").await;
        assert!(matches!(refused, Err(OperatorError::Name)), "{name}: {refused:?}");
    }
    auth::add(&site.kit, None, "Ada.2-b_c", Role::Viewer, "a first password").await.unwrap();
    // One from before goes on signing in.
    let mut tx = site.kit.begin().await.unwrap();
    sqlx::query("UPDATE operator SET name = '管理员' WHERE name = 'ada'").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert!(auth::sign_in(&site.kit, "管理员", PASSWORD, "here").await.is_ok());
    auth::reset_password(&site.kit, None, "管理员", "another first password").await.unwrap();
    let refused = auth::reset_password(&site.kit, None, "管理员", "aaaaaaaaaa").await;
    assert!(matches!(refused, Err(OperatorError::Password(_))), "{refused:?}");
}

/// Makes the writer's connection refuse to write, as a full disk or a server that hands over to another does.
pub(crate) async fn read_only(site: &Site) {
    use sqlx::Executor;
    let mut tx = site.kit.begin().await.unwrap();
    tx.execute(match site.database.engine {
        kit::db::Engine::Sqlite => "PRAGMA query_only = ON",
        kit::db::Engine::Postgres => "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    })
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn pages_are_shown_and_sessions_used_while_nothing_can_be_written() {
    for site in sites(&[]).await {
        ada(&site.kit, Role::Viewer).await;
        let cookie = signed_in(&site.kit).await;
        let page = async || {
            let page = ask(&site.kit, get_with("/who", &cookie));
            tokio::time::timeout(Duration::from_secs(8), page).await.expect("a page waits for no writer").0
        };
        let writer = site.kit.begin().await.unwrap();
        site.clock.advance(auth::IDLE / 2);
        assert_eq!(page().await, StatusCode::OK, "somebody writes at length");
        drop(writer);
        read_only(&site).await;
        site.clock.advance(auth::IDLE * 3 / 4);
        assert_eq!(page().await, StatusCode::OK, "the disk is full");
        site.clock.advance(auth::IDLE * 3 / 4);
        assert_eq!(page().await, StatusCode::OK, "and is for long");
        site.clock.advance(auth::IDLE);
        assert_eq!(page().await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn watching_is_use_for_the_control_room_and_no_longer_than_a_shift() {
    for site in sites(&[]).await {
        ada(&site.kit, Role::Operator).await;
        let role = Role::Operator;
        let cookie = signed_in(&site.kit).await;
        let session = cookie.strip_prefix(&format!("{SESSION_COOKIE}=")).unwrap();
        for _ in 0..23 {
            site.clock.advance(auth::IDLE / 2);
            assert!(auth::is_live(&site.kit, session, &role.into()).await.unwrap(), "a wall screen stays");
        }
        site.clock.advance(auth::IDLE / 2);
        assert!(!auth::is_live(&site.kit, session, &role.into()).await.unwrap(), "12 h are over");

        let id = auth::list(&site.kit).await.unwrap()[0].id;
        auth::set_role(&site.kit, boss(&site.kit).await, id, Role::Manager).await.unwrap();
        let cookie = signed_in(&site.kit).await;
        let session = cookie.strip_prefix(&format!("{SESSION_COOKIE}=")).unwrap();
        let role = Role::Manager;
        site.clock.advance(auth::IDLE / 2);
        assert!(auth::is_live(&site.kit, session, &role.into()).await.unwrap());
        let picture = Request::get("/who").header(header::COOKIE, &cookie).header("sec-fetch-dest", "image");
        assert_eq!(ask(&site.kit, picture.body(Body::empty()).unwrap()).await.0, StatusCode::OK);
        site.clock.advance(auth::IDLE / 2);
        assert!(
            !auth::is_live(&site.kit, session, &role.into()).await.unwrap(),
            "a page left open is not somebody at work"
        );
    }
}

#[tokio::test]
async fn a_session_from_the_future_has_ended() {
    for site in sites(&[]).await {
        ada(&site.kit, Role::Viewer).await;
        let cookie = signed_in(&site.kit).await;
        let set_back = |by: Duration| match &site.clock {
            kit::Clock::Fixed(at) => {
                at.fetch_sub(kit::clock::micros(by), std::sync::atomic::Ordering::SeqCst);
            }
            kit::Clock::Real => unreachable!("a test's clock stands"),
        };
        set_back(Duration::from_secs(30));
        assert_eq!(ask(&site.kit, get_with("/who", &cookie)).await.0, StatusCode::OK, "a small correction");
        set_back(Duration::from_secs(3600));
        assert_eq!(ask(&site.kit, get_with("/who", &cookie)).await.0, StatusCode::UNAUTHORIZED);
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

/// A browser without fetch metadata over HTTP/2, where the host is in the request's target.
#[tokio::test]
async fn older_browsers_can_sign_in_over_http_2() {
    let [site, _] = sites(&[]).await.try_into().unwrap();
    let login = |origin: &str| {
        Request::post("https://site.example:8443/login")
            .header(header::ORIGIN, origin)
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(ask(&site.kit, login("https://site.example:8443")).await.0, StatusCode::OK);
    assert_eq!(ask(&site.kit, login("https://evil.example:8443")).await.0, StatusCode::FORBIDDEN);
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
