//! The page of operators: added with a password shown once, raised, shut out; the last administrator stays.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use futures_util::StreamExt as _;
use kit::auth::{self, OperatorId, Role};
use kit::testing::Site;

use crate::browser::{Browser, sites};

/// The session itself is looked at every half a minute: this is sooner.
const SOON: Duration = Duration::from_secs(10);
const PATH: &str = "/settings/operators";

async fn id(site: &Site, name: &str) -> OperatorId {
    auth::list(&site.kit).await.unwrap().into_iter().find(|row| row.name == name).unwrap().id
}

/// What stands in a field that is only read.
fn shown_once(page: &str) -> String {
    let field = page.split("class=\"token\" value=\"").nth(1).expect("a field that shows it");
    field.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn an_operator_is_added_raised_and_shut_out() {
    for site in sites().await {
        let ada = Browser::signed_in(&site.kit, "ada", Role::Administrator).await;
        let refused = ada.post(PATH, "name=two+words&role=guard").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            refused.page.contains("value=\"two words\"") && refused.page.contains("aria-invalid=\"true\"")
        );
        assert!(refused.page.contains("value=\"guard\" selected"), "what was chosen stays");
        let refused = ada.post(PATH, "name=Ada&role=guard").await;
        assert!(refused.page.contains("There is an operator of this name."));

        let added = ada.post(PATH, "name=Vic&role=viewer").await;
        let first = shown_once(&added.page);
        assert_eq!((added.status, first.len()), (StatusCode::OK, 23));
        auth::sign_in(&site.kit, "vic", &first, "there").await.unwrap();
        let list = ada.get(PATH).await.page;
        assert!(list.contains("has a first password") && !list.contains(&first), "it was shown once");

        let vic = id(&site, "vic").await;
        let one = format!("{PATH}/{}", vic.0);
        let done = ada.post(&format!("{one}/role"), "role=manager").await;
        assert_eq!((done.status, done.to), (StatusCode::SEE_OTHER, format!("{one}?said=role")));
        assert!(ada.get(&format!("{one}?said=role")).await.page.contains("The role was changed"));

        let made = ada.post(&format!("{one}/password"), "").await;
        let second = shown_once(&made.page);
        assert!(auth::sign_in(&site.kit, "vic", &first, "there").await.is_err());
        auth::sign_in(&site.kit, "vic", &second, "there").await.unwrap();

        let page = ada.get(&one).await.page;
        assert!(page.contains("from there"), "where they are signed in");
        ada.post(&format!("{one}/state"), "state=out").await;
        assert!(ada.get(PATH).await.page.contains("shut out"));
        assert!(auth::sign_in(&site.kit, "vic", &second, "there").await.is_err());
        ada.post(&format!("{one}/state"), "state=in").await;
        auth::sign_in(&site.kit, "vic", &second, "there").await.unwrap();
        ada.post(&format!("{one}/sessions/end"), "").await;
        assert!(ada.get(&one).await.page.contains("Signed in nowhere."));
    }
}

#[tokio::test]
async fn the_last_administrator_is_told_why_not() {
    let [site, _] = sites().await.try_into().unwrap();
    let ada = Browser::signed_in(&site.kit, "ada", Role::Administrator).await;
    let one = format!("{PATH}/{}", id(&site, "ada").await.0);
    for (path, fields) in [("role", "role=manager"), ("state", "state=out")] {
        let refused = ada.post(&format!("{one}/{path}"), fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.page.contains("the last administrator who can sign in"), "{path}");
    }
    assert_eq!(ada.get("/").await.status, StatusCode::OK);
    assert_eq!(ada.get(&format!("{PATH}/404")).await.status, StatusCode::NOT_FOUND);
}

/// A role holds from the next request on, and an open page is sent for the page anew.
#[tokio::test]
async fn another_role_reaches_open_sessions_and_open_pages() {
    for site in sites().await {
        let ada = Browser::signed_in(&site.kit, "ada", Role::Administrator).await;
        let eve = Browser::signed_in(&site.kit, "eve", Role::Manager).await;
        let mut stream = eve.open("/live/stream").await.into_data_stream();
        assert_eq!(eve.get("/people/new").await.status, StatusCode::OK);
        let path = format!("{PATH}/{}/role", id(&site, "eve").await.0);
        ada.post(&path, "role=viewer").await;
        assert_eq!(eve.get("/people/new").await.status, StatusCode::FORBIDDEN);
        let told = async {
            let mut told = String::new();
            while let Some(part) = stream.next().await {
                told.push_str(&String::from_utf8_lossy(&part.unwrap()));
            }
            told
        };
        let told = tokio::time::timeout(SOON, told).await.expect("the stream ends");
        assert!(told.contains("event: reload"), "{told}");
    }
}

#[tokio::test]
async fn nobody_else_gets_there_and_no_form_without_its_token() {
    let [site, _] = sites().await.try_into().unwrap();
    let ada = Browser::signed_in(&site.kit, "ada", Role::Administrator).await;
    let eve = Browser::signed_in(&site.kit, "eve", Role::Manager).await;
    let adas = id(&site, "ada").await.0;
    assert_eq!(eve.get(PATH).await.status, StatusCode::FORBIDDEN);
    let refused = eve.post(&format!("{PATH}/{adas}/state"), "state=out").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    for path in [PATH.to_owned(), format!("{PATH}/{adas}/password"), "/account/sessions/end".to_owned()] {
        let form = Request::post(&path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let refused = ada.send(form, Body::from("name=x&role=viewer")).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
}
