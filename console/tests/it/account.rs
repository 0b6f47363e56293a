//! My account: where I am signed in, and ending it there.

use axum::http::StatusCode;
use kit::auth::sessions::{self, SessionId};
use kit::auth::{self, Desk, OperatorId, Role, second};
use kit::testing::Site;

use crate::browser::{Browser, OWN, sites};

const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[tokio::test]
async fn ones_own_sessions_are_seen_and_ended() {
    for site in sites().await {
        let vic = Browser::signed_in(&site.kit, "vic", Role::Viewer).await;
        let ada = Browser::signed_in(&site.kit, "ada", Role::Administrator).await;
        let desk = Desk { address: "10.0.0.7", agent: FIREFOX };
        auth::sign_in(&site.kit, "vic", OWN, desk).await.unwrap();

        let page = vic.get("/account").await.page;
        assert!(page.contains("Firefox on Windows") && page.contains("from 10.0.0.7"), "{page}");
        assert!(page.contains("this one") && page.contains("sees what happens"));
        assert!(vic.get("/history").await.page.contains("href=\"/account\""), "every page leads there");
        assert!(!page.contains(&vic.session), "no page holds what opens a session");

        let adas = SessionId::of(&ada.session).hex();
        let refused = vic.post(&format!("/account/sessions/{adas}/end"), "").await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "another's session is nothing here");
        assert_eq!(ada.get("/account").await.status, StatusCode::OK);

        let id = auth::list(&site.kit).await.unwrap()[1].id;
        let other = sessions::of(&site.kit, id).await.unwrap().into_iter().find(|row| row.agent == FIREFOX);
        let path = format!("/account/sessions/{}/end", other.unwrap().id.hex());
        assert_eq!(vic.post(&path, "").await.to, "/account?said=sessions");
        assert!(!vic.get("/account").await.page.contains("Firefox"));
        auth::sign_in(&site.kit, "vic", OWN, desk).await.unwrap();
        vic.post("/account/sessions/end", "").await;
        let page = vic.get("/account?said=sessions").await.page;
        assert!(!page.contains("Firefox") && page.contains("What you chose was signed out."));
    }
}

#[tokio::test]
async fn a_password_is_changed_from_there_and_the_session_goes_on() {
    let [site, _] = sites().await.try_into().unwrap();
    let vic = Browser::signed_in(&site.kit, "vic", Role::Viewer).await;
    let page = vic.get("/password").await.page;
    assert!(page.contains("ends your sessions everywhere else") && page.contains("href=\"/account\""));
    let fields = format!("present={}&new=another+of+my+own&again=another+of+my+own", OWN.replace(' ', "+"));
    let changed = vic.post("/password", &fields).await;
    assert_eq!((changed.status, &*changed.to), (StatusCode::SEE_OTHER, "/"));
    assert_eq!(vic.get("/account").await.to, "/login", "the session before has ended");
    auth::sign_in(&site.kit, "vic", "another of my own", "here").await.unwrap();
}

/// What an app would show, read from the secret on the page.
async fn code(site: &Site, name: &str) -> String {
    let id = id(site, name).await;
    let second::State::Begun(app) = second::of(&site.kit, id).await.unwrap() else {
        panic!("nothing was begun")
    };
    app.code(site.kit.now())
}

async fn id(site: &Site, name: &str) -> OperatorId {
    auth::list(&site.kit).await.unwrap().into_iter().find(|row| row.name == name).unwrap().id
}

#[tokio::test]
async fn a_second_factor_is_set_up_asked_for_and_taken_away() {
    for site in sites().await {
        let vic = Browser::signed_in(&site.kit, "vic", Role::Viewer).await;
        assert!(vic.get("/account").await.page.contains("Not set up"));
        let refused = vic.post("/account/authenticator", "password=guess").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "a session left open sets up nothing");
        assert!(refused.page.contains("aria-invalid=\"true\"") && !refused.page.contains("class=\"qr\""));
        let fields = format!("password={}", OWN.replace(' ', "+"));
        assert_eq!(vic.post("/account/authenticator", &fields).await.to, "/account/authenticator");
        let page = vic.get("/account/authenticator").await.page;
        assert!(page.contains("<svg class=\"qr\"") && page.contains("<path d=\"M4 4h1v1h-1z"), "{page}");
        let refused = vic.post("/account/authenticator/confirm", "code=12345").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.page.contains("aria-invalid=\"true\"") && refused.page.contains("class=\"qr\""));
        let fields = format!("code={}", code(&site, "vic").await);
        let done = vic.post("/account/authenticator/confirm", &fields).await;
        let codes = done.page.split("<ul class=\"codes\" translate=\"no\">").nth(1).unwrap();
        let codes: Vec<_> = codes.split("<li>").skip(1).map(|it| it.split('<').next().unwrap()).collect();
        assert_eq!((done.status, codes.len()), (StatusCode::OK, 10));
        let page = vic.get("/account/authenticator").await.page;
        assert!(!page.contains("class=\"qr\"") && !page.contains(codes[0]), "they were shown once");

        let visitor = vic.signed_out();
        let half = visitor.login("vic").await;
        assert_eq!((half.status, &*half.to), (StatusCode::SEE_OTHER, "/login/code"));
        let cookie = half.cookies[0].split(';').next().unwrap();
        let wrong = visitor.with(cookie).plain_post("/login/code", "code=aaaa-aaaa-aaaa-aaaa").await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.page.contains("The code is wrong") && !wrong.page.contains("aaaa"));
        assert_eq!(visitor.with(cookie).get("/").await.to, "/login", "half a session shows nothing");
        let inside = visitor.with(cookie).plain_post("/login/code", &format!("code={}", codes[0])).await;
        assert_eq!((inside.status, &*inside.to, inside.cookies.len()), (StatusCode::SEE_OTHER, "/", 2));
        assert_eq!(
            visitor.plain_post("/login/code", "code=123456").await.to,
            "/login",
            "without the password"
        );

        let refused = vic.post("/account/authenticator/remove", "password=guess").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        let fields = format!("password={}", OWN.replace(' ', "+"));
        assert_eq!(vic.post("/account/authenticator/remove", &fields).await.to, "/account?said=second");
        assert_eq!(visitor.login("vic").await.to, "/");
    }
}

#[tokio::test]
async fn whoever_owes_a_second_factor_is_led_to_it() {
    let [site, _] = sites().await.try_into().unwrap();
    let ada = Browser::signed_in(&site.kit, "ada", Role::Administrator).await;
    let vic = Browser::signed_in(&site.kit, "vic", Role::Viewer).await;
    assert_eq!(ada.post("/settings/second-factor", "from=administrator").await.status, StatusCode::SEE_OTHER);
    assert_eq!(ada.get("/").await.to, "/account/authenticator");
    assert_eq!(vic.get("/").await.status, StatusCode::OK);
    let page = ada.get("/account/authenticator").await.page;
    assert!(page.contains("asks a second factor of your role") && !page.contains("href=\"/history\""));
    let form = |path: &'static str, fields: String| {
        let token = page.split("name=\"_csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        ada.post_with(token.to_owned(), path, fields)
    };
    form("/account/authenticator", format!("password={}", OWN.replace(' ', "+"))).await;
    let done = form("/account/authenticator/confirm", format!("code={}", code(&site, "ada").await)).await;
    assert_eq!(done.status, StatusCode::OK);
    assert_eq!(ada.get("/").await.status, StatusCode::OK);
    let list = ada.get("/settings/operators").await.page;
    assert!(list.contains("value=\"administrator\" selected"), "the rule is shown");

    // A lost phone.
    let one = format!("/settings/operators/{}/second-factor/remove", id(&site, "ada").await.0);
    let eve = Browser::signed_in(&site.kit, "eve", Role::Administrator).await;
    assert_eq!(eve.get("/").await.to, "/account/authenticator", "eve owes one herself");
    ada.post("/settings/second-factor", "from=").await;
    assert!(eve.post(&one, "").await.to.ends_with("?said=second"));
    assert_eq!(ada.signed_out().login("ada").await.to, "/");
}
