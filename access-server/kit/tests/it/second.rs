//! The second factor: asked for after the password, each code once, half a session grants nothing.

use std::time::Duration;

use axum::http::{HeaderMap, Request, StatusCode, header};
use kit::auth::second::{self, SecondError, State};
use kit::auth::{self, Entry, Half, LoginRefusal, NewSession, OperatorError, OperatorId, Role};
use kit::testing::{Site, sites};
use kit::{Kit, Routes, Who};
use tower::ServiceExt as _;

const PASSWORD: &str = "correct horse battery";
/// A code is good for so long.
const STEP: Duration = Duration::from_secs(30);

/// Somebody with a password of their own, an app, and their recovery codes.
struct Ada {
    id: OperatorId,
    app: second::Secret,
    codes: Vec<String>,
}

async fn ada(site: &Site, role: Role) -> Ada {
    let kit = &site.kit;
    let id = auth::add(kit, None, "ada", role, "a first password").await.unwrap();
    auth::change_password(kit, id, "a first password", PASSWORD).await.unwrap();
    second::begin(kit, id, PASSWORD).await.unwrap();
    let State::Begun(app) = second::of(kit, id).await.unwrap() else { panic!("it was begun") };
    let codes = second::confirm(kit, id, &app.code(kit.now())).await.unwrap();
    site.clock.advance(STEP);
    Ada { id, app, codes }
}

/// Shows the password.
async fn half(kit: &Kit) -> Half {
    match auth::sign_in(kit, "ada", PASSWORD, "here").await.unwrap() {
        Entry::Half(half) => half,
        Entry::Whole(_) => panic!("the password alone lets nobody in"),
    }
}

async fn shown(kit: &Kit, code: &str) -> Result<NewSession, LoginRefusal> {
    let half = half(kit).await;
    auth::finish(kit, &half, code, "here").await
}

/// What a route that everybody signed in may call answers to a cookie.
async fn answer(kit: &Kit, cookie: &str) -> StatusCode {
    let routes = Routes::default()
        .get("/in", Who::SignedIn, async || "in")
        .get("/inside", Who::AtLeast(Role::Viewer), async || "inside")
        .with_state(kit.clone());
    let routes: axum::Router = routes.into();
    let mut statuses = Vec::new();
    for path in ["/in", "/inside"] {
        let request = Request::get(path).header(header::COOKIE, cookie).body(axum::body::Body::empty());
        statuses.push(routes.clone().oneshot(request.unwrap()).await.unwrap().status());
    }
    assert_eq!(statuses[0], statuses[1]);
    statuses[0]
}

fn pair(set_cookie: &str) -> String {
    set_cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn it_counts_once_a_code_was_right_and_is_asked_for_from_then_on() {
    for site in sites(&[]).await {
        let kit = &site.kit;
        let id = auth::add(kit, None, "ada", Role::Viewer, PASSWORD).await.unwrap();
        assert_eq!(second::of(kit, id).await.unwrap(), State::None);
        assert!(matches!(second::confirm(kit, id, "123456").await, Err(SecondError::Absent)));
        let refused = second::begin(kit, id, "guess guess").await;
        assert!(matches!(refused, Err(SecondError::Operator(OperatorError::WrongPassword))), "{refused:?}");
        assert_eq!(second::of(kit, id).await.unwrap(), State::None);
        second::begin(kit, id, PASSWORD).await.unwrap();
        assert!(auth::sign_in(kit, "ada", PASSWORD, "here").await.unwrap().whole().is_some(), "not yet");
        let State::Begun(first) = second::of(kit, id).await.unwrap() else { panic!("it was begun") };
        second::begin(kit, id, PASSWORD).await.unwrap();
        let State::Begun(app) = second::of(kit, id).await.unwrap() else { panic!("it was begun again") };
        assert_ne!(first, app);
        let refused = second::confirm(kit, id, &first.code(kit.now())).await;
        assert!(matches!(refused, Err(SecondError::WrongCode)), "{refused:?}");
        let codes = second::confirm(kit, id, &app.code(kit.now())).await.unwrap();
        assert_eq!(codes.len(), 10);
        assert!(matches!(second::begin(kit, id, PASSWORD).await, Err(SecondError::Exists)));
        assert!(matches!(second::of(kit, id).await.unwrap(), State::Stands { codes: 10, .. }));

        let half = half(kit).await;
        let refused = auth::finish(kit, &half, &app.code(kit.now()), "here").await;
        assert!(matches!(refused, Err(LoginRefusal::Wrong)), "the code that confirmed it is used up");
        site.clock.advance(STEP);
        let typed = app.code(kit.now());
        let typed = format!("{} {}", &typed[..3], &typed[3..]);
        let session = auth::finish(kit, &half, &typed, "here").await.unwrap();
        assert_eq!(session.operator, id);
        assert!(auth::list(kit).await.unwrap()[0].second_factor);
    }
}

#[tokio::test]
async fn half_a_session_grants_nothing_and_is_of_no_use_twice() {
    for site in sites(&[]).await {
        let (kit, ada) = (&site.kit, ada(&site, Role::Administrator).await);
        let stolen = half(kit).await;
        let value = pair(&stolen.set_cookie()).split_once('=').unwrap().1.to_owned();
        for name in ["__Host-half", auth::SESSION_COOKIE] {
            assert_eq!(answer(kit, &format!("{name}={value}")).await, StatusCode::UNAUTHORIZED, "{name}");
        }
        assert!(!auth::is_live(kit, &value, &Role::Administrator.into()).await.unwrap());
        let session = auth::finish(kit, &stolen, &ada.app.code(kit.now()), "here").await.unwrap();
        assert_eq!(answer(kit, &pair(&session.set_cookie)).await, StatusCode::OK);
        site.clock.advance(STEP);
        let again = auth::finish(kit, &stolen, &ada.app.code(kit.now()), "here").await;
        assert!(matches!(again, Err(LoginRefusal::HalfEnded)), "{again:?}");

        let late = half(kit).await;
        site.clock.advance(auth::HALF);
        let refused = auth::finish(kit, &late, &ada.app.code(kit.now()), "here").await;
        assert!(matches!(refused, Err(LoginRefusal::HalfEnded)), "{refused:?}");
        let before = half(kit).await;
        auth::reset_password(kit, Some(ada.id), "ada", "another first password").await.unwrap();
        let refused = auth::finish(kit, &before, &ada.app.code(kit.now()), "here").await;
        assert!(matches!(refused, Err(LoginRefusal::HalfEnded)), "the password is another now: {refused:?}");
        let headers = HeaderMap::from_iter([(header::COOKIE, "__Host-half=x".parse().unwrap())]);
        assert!(Half::of(&headers).is_none());
    }
}

/// The same code at two servers on the same database, at the same moment and afterwards.
#[tokio::test]
async fn a_code_is_good_once() {
    for site in sites(&[]).await {
        let (kit, ada) = (&site.kit, ada(&site, Role::Viewer).await);
        let code = ada.app.code(kit.now());
        let (one, other) = (half(kit).await, half(kit).await);
        let done =
            tokio::join!(auth::finish(kit, &one, &code, "here"), auth::finish(kit, &other, &code, "here"));
        assert!(done.0.is_ok() != done.1.is_ok(), "{done:?}");
        // Another process knows it from the database.
        let db = kit::Db::open(&site.database.address).await.unwrap();
        let found: (i64,) = sqlx::query_as("SELECT last_step FROM totp").fetch_one(db.read()).await.unwrap();
        assert_eq!(found.0, kit.now() / 30_000_000);
        assert!(matches!(shown(kit, &code).await, Err(LoginRefusal::Wrong)));
        site.clock.advance(STEP);
        let earlier = shown(kit, &code).await;
        assert!(matches!(earlier, Err(LoginRefusal::Wrong)), "good by the time, but used: {earlier:?}");
        assert!(shown(kit, &ada.app.code(kit.now())).await.is_ok());
    }
}

#[tokio::test]
async fn a_recovery_code_is_good_once() {
    for site in sites(&[]).await {
        let (kit, ada) = (&site.kit, ada(&site, Role::Viewer).await);
        let typed = ada.codes[3].to_uppercase().replace('-', " ");
        assert!(shown(kit, &typed).await.is_ok());
        assert!(matches!(shown(kit, &ada.codes[3]).await, Err(LoginRefusal::Wrong)));
        assert!(matches!(second::of(kit, ada.id).await.unwrap(), State::Stands { codes: 9, .. }));
        let refused = second::new_codes(kit, ada.id, "guess guess").await;
        assert!(matches!(refused, Err(SecondError::Operator(OperatorError::WrongPassword))));
        let fresh = second::new_codes(kit, ada.id, PASSWORD).await.unwrap();
        assert!(matches!(shown(kit, &ada.codes[4]).await, Err(LoginRefusal::Wrong)), "those before are void");
        assert!(shown(kit, &fresh[0]).await.is_ok());
        let journaled = kit::journal::events_after(kit.read(), 0, 100).await.unwrap();
        assert!(journaled.iter().any(|event| event.kind == "operator.recovery-code"));
        for secret in ada.codes.iter().chain([&ada.app.text()]) {
            assert!(journaled.iter().all(|event| !event.body.contains(secret.as_str())));
        }
    }
}

/// Typing the right password between them gives nobody more codes to try.
#[tokio::test]
async fn wrong_codes_count_as_wrong_passwords_do() {
    for site in sites(&[]).await {
        let (kit, ada) = (&site.kit, ada(&site, Role::Viewer).await);
        for _ in 0..5 {
            assert!(matches!(shown(kit, "aaaa-aaaa-aaaa-aaaa").await, Err(LoginRefusal::Wrong)));
        }
        let refused = auth::sign_in(kit, "ada", PASSWORD, "here").await;
        assert!(matches!(refused, Err(LoginRefusal::Wait(1))), "{refused:?}");
        let journaled = kit::journal::events_after(kit.read(), 0, 100).await.unwrap();
        assert_eq!(journaled.iter().filter(|event| event.kind == "operator.wrong-code").count(), 1);
        site.clock.advance(Duration::from_secs(1));
        assert!(shown(kit, &ada.app.code(kit.now())).await.is_ok());
        assert!(shown(kit, &ada.codes[0]).await.is_ok(), "the right one cleared it");
    }
}

#[tokio::test]
async fn it_is_taken_away_with_the_password_or_by_an_administrator() {
    for site in sites(&[]).await {
        let (kit, ada) = (&site.kit, ada(&site, Role::Manager).await);
        let refused = second::remove_own(kit, ada.id, "guess guess").await;
        assert!(matches!(refused, Err(SecondError::Operator(OperatorError::WrongPassword))));
        let vic = auth::add(kit, None, "vic", Role::Viewer, "a first password").await.unwrap();
        let refused = second::remove(kit, vic, ada.id).await;
        assert!(matches!(refused, Err(SecondError::Operator(OperatorError::Rank))), "{refused:?}");
        second::remove_own(kit, ada.id, PASSWORD).await.unwrap();
        assert!(auth::sign_in(kit, "ada", PASSWORD, "here").await.unwrap().whole().is_some());

        second::begin(kit, ada.id, PASSWORD).await.unwrap();
        let State::Begun(app) = second::of(kit, ada.id).await.unwrap() else { panic!("it was begun") };
        second::confirm(kit, ada.id, &app.code(kit.now())).await.unwrap();
        let boss = auth::add(kit, None, "boss", Role::Administrator, "a first password").await.unwrap();
        let before = half(kit).await;
        second::remove(kit, boss, ada.id).await.unwrap();
        site.clock.advance(STEP);
        let refused = auth::finish(kit, &before, &app.code(kit.now()), "here").await;
        assert!(matches!(refused, Err(LoginRefusal::HalfEnded)), "{refused:?}");
        assert!(auth::sign_in(kit, "ada", PASSWORD, "here").await.unwrap().whole().is_some());
        assert!(matches!(second::remove(kit, boss, ada.id).await, Err(SecondError::Absent)));
    }
}

/// Who holds the server's files lets an administrator in who has lost phone, codes and password.
#[tokio::test]
async fn the_command_line_lets_somebody_in_who_has_lost_everything() {
    for site in sites(&[]).await {
        let (kit, _) = (&site.kit, ada(&site, Role::Administrator).await);
        auth::reset_password(kit, None, "ada", "another first password").await.unwrap();
        let entry = auth::sign_in(kit, "ada", "another first password", "here").await.unwrap();
        assert!(entry.whole().is_some());
    }
}

#[tokio::test]
async fn a_rule_asks_it_of_a_rank_and_above() {
    for site in sites(&[]).await {
        let kit = &site.kit;
        let boss = auth::add(kit, None, "boss", Role::Administrator, "a first password").await.unwrap();
        let mut cookies = Vec::new();
        for (name, role) in [("eve", Role::Manager), ("vic", Role::Viewer)] {
            let id = auth::add(kit, None, name, role, "a first password").await.unwrap();
            auth::change_password(kit, id, "a first password", PASSWORD).await.unwrap();
            let session = auth::sign_in(kit, name, PASSWORD, "here").await.unwrap().whole().unwrap();
            cookies.push((id, pair(&session.set_cookie)));
        }
        second::set_rule(kit, boss, Some(Role::Manager)).await.unwrap();
        assert_eq!(second::rule(kit).await.unwrap(), Some(Role::Manager));
        let inside = async |cookie: &str| {
            let routes = Routes::default()
                .get("/in", Who::SignedIn, async || "in")
                .get("/inside", Who::AtLeast(Role::Viewer), async || "inside")
                .with_state(kit.clone());
            let routes: axum::Router = routes.into();
            let ask = async |path: &str| {
                let request =
                    Request::get(path).header(header::COOKIE, cookie).body(axum::body::Body::empty());
                routes.clone().oneshot(request.unwrap()).await.unwrap().status().as_u16()
            };
            (ask("/in").await, ask("/inside").await)
        };
        let (eve, cookie) = &cookies[0];
        assert_eq!(inside(cookie).await, (200, 403), "it holds in open sessions");
        let session = cookie.split_once('=').unwrap().1;
        assert!(!auth::is_live(kit, session, &Role::Manager.into()).await.unwrap(), "and on open pages");
        assert_eq!(inside(&cookies[1].1).await, (200, 200), "not of lower ranks");
        second::begin(kit, *eve, PASSWORD).await.unwrap();
        assert_eq!(inside(cookie).await, (200, 403), "begun is not done");
        let State::Begun(app) = second::of(kit, *eve).await.unwrap() else { panic!("it was begun") };
        second::confirm(kit, *eve, &app.code(kit.now())).await.unwrap();
        assert_eq!(inside(cookie).await, (200, 200));
        second::set_rule(kit, boss, None).await.unwrap();
        assert_eq!(second::rule(kit).await.unwrap(), None);
    }
}

#[tokio::test]
async fn secrets_are_sealed_bound_and_sealed_again() {
    for site in sites(&[]).await {
        let (kit, ada) = (&site.kit, ada(&site, Role::Viewer).await);
        let vic = auth::add(kit, None, "vic", Role::Viewer, "a first password").await.unwrap();
        let (sealed,): (Vec<u8>,) =
            sqlx::query_as("SELECT sealed FROM totp").fetch_one(kit.read()).await.unwrap();
        let mut tx = kit.begin().await.unwrap();
        sqlx::query("INSERT INTO totp (operator, sealed) VALUES ($1, $2)")
            .bind(vic.0)
            .bind(&sealed)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let moved = second::of(kit, vic).await;
        assert!(matches!(moved, Err(SecondError::Sealed(_))), "another's row opens nothing: {moved:?}");
        let mut tx = kit.begin().await.unwrap();
        sqlx::query("DELETE FROM totp WHERE operator = $1").bind(vic.0).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();

        let db = kit::Db::open(&site.database.address).await.unwrap();
        let fresh = Kit::new(db, site.clock.clone(), kit::Keys::ephemeral(), None).unwrap();
        for count in [1, 0] {
            let mut tx = fresh.begin().await.unwrap();
            assert_eq!(second::reseal(&mut tx, kit.keys()).await.unwrap(), count);
            tx.commit().await.unwrap();
        }
        assert!(shown(&fresh, &ada.app.code(kit.now())).await.is_ok());
    }
}
