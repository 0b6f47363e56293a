//! Passkeys on pages: made on one's account, good at the sign-in page, taken away by their owner or an administrator. A
//! device of the tests answers what a page's script is given; a real browser does in the end-to-end tests.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use kit::auth::passkey::Party;
use kit::auth::{self, OperatorId, Role};
use kit::testing::Site;
use kit::testing::device::{Device, HOST, ORIGIN};
use serde_json::Value;

use crate::browser::{Answer, Browser, OWN, sites};

async fn party_sites() -> Vec<Site> {
    let sites = sites().await;
    for site in &sites {
        let party = Party { id: HOST.to_owned(), origins: vec![ORIGIN.to_owned()] };
        site.kit.passkeys().hold_for(party);
    }
    sites
}

fn own() -> String {
    OWN.replace(' ', "+")
}

async fn id(site: &Site, name: &str) -> OperatorId {
    auth::list(&site.kit).await.unwrap().into_iter().find(|row| row.name == name).unwrap().id
}

/// As the script sends it: JSON for JSON.
async fn json(browser: &Browser, token: &str, path: &str, body: &str) -> Answer {
    let kind = if body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
    let request = Request::post(path)
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, kind)
        .header("x-csrf-token", token);
    browser.send(request, Body::from(body.to_owned())).await
}

/// The kind of a problem.
fn kind(answer: &Answer) -> String {
    let problem: Value = serde_json::from_str(&answer.page).unwrap();
    problem["type"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

fn value(answer: &Answer) -> Value {
    assert!(answer.status.is_success(), "{}: {}", answer.status, answer.page);
    serde_json::from_str(&answer.page).unwrap()
}

fn token(page: &str) -> String {
    page.split("name=\"_csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// Makes one by the page, from what its form is filled with.
async fn make(browser: &Browser, device: &mut Device, name: &str) -> Answer {
    let token = token(&browser.get("/account/passkeys").await.page);
    let fields = format!("name={name}&password={}", own());
    let options = value(&json(browser, &token, "/account/passkeys/begin", &fields).await);
    json(browser, &token, "/account/passkeys", &device.make(&options).to_string()).await
}

#[tokio::test]
async fn one_is_made_on_the_account_signs_in_and_is_taken_away() {
    for site in party_sites().await {
        let vic = Browser::signed_in(&site.kit, "vic", Role::Viewer).await;
        let page = vic.get("/account").await.page;
        assert!(page.contains("No passkeys") && page.contains("href=\"/account/passkeys\""));
        let page = vic.get("/account/passkeys").await.page;
        assert!(page.contains("data-begin=\"/account/passkeys/begin\"") && page.contains("needs scripts"));
        let token = token(&page);
        for (fields, refused) in [
            ("name=desk&password=guess", "wrong-password"),
            (&*format!("name=&password={}", own()), "passkey-name"),
        ] {
            let answer = json(&vic, &token, "/account/passkeys/begin", fields).await;
            assert_eq!((answer.status, &*kind(&answer)), (StatusCode::UNPROCESSABLE_ENTITY, refused));
            assert!(page.contains(&format!("data-code=\"{refused}\"")), "the page has words for {refused}");
        }
        let mut device = Device::default();
        let made = make(&vic, &mut device, "night+desk").await;
        assert_eq!(
            (made.status, &value(&made)["to"]),
            (StatusCode::CREATED, &"/account?said=passkey-added".into())
        );
        let page = vic.get("/account?said=passkey-added").await.page;
        assert!(page.contains("The passkey was added.") && page.contains("night desk"), "{page}");
        assert!(page.contains("never used") && page.contains("on one device only"));

        let visitor = vic.signed_out();
        let page = visitor.get("/login").await.page;
        assert!(page.contains("data-begin=\"/login/passkey/begin\"") && page.contains("name=\"password\""));
        let options = value(&json(&visitor, "", "/login/passkey/begin", "").await);
        assert_eq!((&options["rpId"], &options["userVerification"]), (&HOST.into(), &"required".into()));
        let shown = device.sign(&options).to_string();
        let inside = json(&visitor, "", "/login/passkey", &shown).await;
        assert_eq!(value(&inside)["to"], "/");
        assert!(inside.cookies[0].starts_with("__Host-session="), "{:?}", inside.cookies);
        let again = json(&visitor, "", "/login/passkey", &shown).await;
        assert_eq!((again.status, &*kind(&again)), (StatusCode::UNPROCESSABLE_ENTITY, "passkey-late"));
        assert!(again.cookies.is_empty());
        let malformed = json(&visitor, "", "/login/passkey", "{}").await;
        assert!(malformed.status.is_client_error());
        assert!(vic.get("/account").await.page.contains("last used"));

        let page = vic.get("/account/passkeys").await.page;
        let path = page.split("action=\"").find(|it| it.contains("/remove\"")).unwrap();
        let path = path.split('"').next().unwrap().to_owned();
        let refused = vic.post(&path, "password=guess").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            refused.page.contains("<details class=\"sure\" open>") && refused.page.contains("aria-invalid")
        );
        let done = vic.post(&path, &format!("password={}", own())).await;
        assert_eq!(done.to, "/account?said=passkey-removed");
        let options = value(&json(&visitor, "", "/login/passkey/begin", "").await);
        let refused = json(&visitor, "", "/login/passkey", &device.sign(&options).to_string()).await;
        assert_eq!(kind(&refused), "passkey-wrong");
    }
}

#[tokio::test]
async fn it_takes_the_place_of_a_code() {
    let [site, _] = party_sites().await.try_into().unwrap();
    let kit = &site.kit;
    let ada = Browser::signed_in(kit, "ada", Role::Administrator).await;
    ada.post("/settings/second-factor", "from=administrator").await;
    assert_eq!(ada.get("/").await.to, "/account/authenticator");
    assert!(ada.get("/account/authenticator").await.page.contains("Or use a passkey instead"));
    let page = ada.get("/account/passkeys").await.page;
    assert!(page.contains("asks a second factor of your role") && !page.contains("href=\"/history\""));
    let mut device = Device::default();
    make(&ada, &mut device, "desk").await;
    assert_eq!(ada.get("/").await.status, StatusCode::OK, "it counts as both factors");

    let visitor = ada.signed_out();
    let half = visitor.login("ada").await;
    assert_eq!(half.to, "/login/code");
    let visitor = visitor.with(half.cookies[0].split(';').next().unwrap());
    let page = visitor.get("/login/code").await.page;
    assert!(page.contains("data-begin=\"/login/code/passkey/begin\"") && !page.contains("name=\"code\""));
    let options = value(&json(&visitor, "", "/login/code/passkey/begin", "").await);
    assert_eq!(options["allowCredentials"].as_array().unwrap().len(), 1);
    let shown = device.sign(&options).to_string();
    let inside = json(&visitor, "", "/login/code/passkey", &shown).await;
    assert_eq!((&value(&inside)["to"], inside.cookies.len()), (&"/".into(), 2), "the half is forgotten");
    assert_eq!(visitor.get("/login/code").await.to, "/login", "it is used up");
    let without = json(&visitor.signed_out().with("x=y"), "", "/login/code/passkey/begin", "").await;
    assert_eq!(kind(&without), "passkey-late");
}

#[tokio::test]
async fn an_administrator_sees_them_and_takes_them_away() {
    for site in party_sites().await {
        let ada = Browser::signed_in(&site.kit, "ada", Role::Administrator).await;
        let vic = Browser::signed_in(&site.kit, "vic", Role::Viewer).await;
        let mut device = Device::default();
        make(&vic, &mut device, "desk").await;
        assert!(ada.get("/settings/operators").await.page.contains("1 passkey<"));
        let one = format!("/settings/operators/{}", id(&site, "vic").await.0);
        let page = ada.get(&one).await.page;
        assert!(page.contains("There is 1 passkey.") && page.contains("Remove all passkeys"), "{page}");
        assert_eq!(vic.post(&format!("{one}/passkeys/remove"), "").await.status, StatusCode::FORBIDDEN);
        let done = ada.post(&format!("{one}/passkeys/remove"), "").await;
        assert_eq!(done.to, format!("{one}?said=passkeys"));
        let page = ada.get(&done.to).await.page;
        assert!(page.contains("All passkeys were removed.") && page.contains("No passkeys"));
        assert!(
            ada.post(&format!("{one}/passkeys/remove"), "").await.to.ends_with("?said=passkeys"),
            "twice"
        );
    }
}

#[tokio::test]
async fn whoever_has_a_first_password_or_a_server_without_a_name_makes_none() {
    let [site, _] = sites().await.try_into().unwrap();
    let vic = Browser::signed_in(&site.kit, "vic", Role::Viewer).await;
    let page = vic.get("/account/passkeys").await.page;
    assert!(page.contains("no host name") && !page.contains("data-begin"));
    assert!(!vic.signed_out().get("/login").await.page.contains("passkey"));
    let refused = json(&vic.signed_out(), "", "/login/passkey/begin", "").await;
    assert_eq!(kind(&refused), "passkeys-off");
    auth::add(&site.kit, None, "ada", Role::Administrator, "a first password").await.unwrap();
    let session = auth::sign_in(&site.kit, "ada", "a first password", "here").await.unwrap().whole().unwrap();
    let cookie = session.set_cookie.split(';').next().unwrap().split_once('=').unwrap().1.to_owned();
    let mut newcomer = vic.signed_out();
    newcomer.session = cookie;
    assert_eq!(newcomer.get("/account/passkeys").await.to, "/password");
}
