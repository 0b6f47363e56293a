//! My account: where I am signed in, and ending it there.

use axum::http::StatusCode;
use kit::auth::sessions::{self, SessionId};
use kit::auth::{self, Desk, Role};
use kit::testing::sites;

use crate::browser::{Browser, OWN};

const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[tokio::test]
async fn ones_own_sessions_are_seen_and_ended() {
    for site in sites(&[people::MIGRATIONS, doors::MIGRATIONS].concat()).await {
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
    let [site, _] = sites(&[people::MIGRATIONS, doors::MIGRATIONS].concat()).await.try_into().unwrap();
    let vic = Browser::signed_in(&site.kit, "vic", Role::Viewer).await;
    let page = vic.get("/password").await.page;
    assert!(page.contains("ends your sessions everywhere else") && page.contains("href=\"/account\""));
    let fields = format!("present={}&new=another+of+my+own&again=another+of+my+own", OWN.replace(' ', "+"));
    let changed = vic.post("/password", &fields).await;
    assert_eq!((changed.status, &*changed.to), (StatusCode::SEE_OTHER, "/"));
    assert_eq!(vic.get("/account").await.to, "/login", "the session before has ended");
    auth::sign_in(&site.kit, "vic", "another of my own", "here").await.unwrap();
}
