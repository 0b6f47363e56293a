//! Passkeys: made with the password, good for signing in by themselves and after one, taken away by their owner, an
//! administrator or on the command line.

use std::time::Duration;

use axum::http::{Request, StatusCode, header};
use kit::auth::passkey::{self, Assertion, Party, Passkey, PasskeyError, Ways};
use kit::auth::{self, Entry, Half, NewSession, Operator, OperatorError, OperatorId, Role, second};
use kit::testing::device::{Device, HOST, ORIGIN};
use kit::testing::{Site, sites};
use kit::{Kit, Routes, Who};
use serde_json::{Value, json};
use tower::ServiceExt as _;

const PASSWORD: &str = "correct horse battery";

async fn party_sites() -> Vec<Site> {
    let sites = sites(&[]).await;
    for site in &sites {
        let origins = vec![ORIGIN.to_owned()];
        site.kit.passkeys().hold_for(Party { id: HOST.to_owned(), origins });
    }
    sites
}

/// Somebody with a password of their own, signed in.
async fn somebody(kit: &Kit, name: &str, role: Role) -> Operator {
    let id = auth::add(kit, None, name, role, "a first password").await.unwrap();
    auth::change_password(kit, id, "a first password", PASSWORD).await.unwrap();
    let session = auth::sign_in(kit, name, PASSWORD, "here").await.unwrap().whole().unwrap();
    inside(kit, &session).await
}

/// What a handler is told of whoever has this session.
async fn inside(kit: &Kit, session: &NewSession) -> Operator {
    let (sender, mut told) = tokio::sync::mpsc::channel(1);
    let tell = async move |operator: Operator| sender.send(operator).await.unwrap();
    let routes: axum::Router =
        Routes::default().get("/in", Who::SignedIn, tell).with_state(kit.clone()).into();
    let cookie = session.set_cookie.split(';').next().unwrap();
    let request = Request::get("/in").header(header::COOKIE, cookie).body(axum::body::Body::empty());
    assert_eq!(routes.oneshot(request.unwrap()).await.unwrap().status(), StatusCode::OK);
    told.recv().await.unwrap()
}

fn json<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).unwrap()
}

async fn begin(kit: &Kit, operator: &Operator) -> Value {
    value(&passkey::begin(kit, operator, "desk", PASSWORD).await.unwrap())
}

async fn make(kit: &Kit, operator: &Operator, device: &mut Device) -> passkey::PasskeyId {
    let options = begin(kit, operator).await;
    passkey::add(kit, operator, &json(device.make(&options))).await.unwrap()
}

/// A device's answer to a question asked just now.
fn show(kit: &Kit, device: &mut Device) -> Assertion {
    json(device.sign(&value(&passkey::ask(kit, "here").unwrap())))
}

async fn enter(kit: &Kit, device: &mut Device) -> Result<NewSession, PasskeyError> {
    passkey::sign_in(kit, &show(kit, device), "here").await
}

async fn journaled(kit: &Kit) -> Vec<(String, Value)> {
    let events = kit::journal::events_after(kit.read(), 0, 1000).await.unwrap();
    let passkeys = events.into_iter().filter(|event| event.kind.starts_with("operator.passkey"));
    passkeys.map(|event| (event.kind.clone(), serde_json::from_str(&event.body).unwrap())).collect()
}

#[tokio::test]
async fn one_is_made_with_the_password_and_signs_in_by_itself() {
    for site in party_sites().await {
        let kit = &site.kit;
        let ada = somebody(kit, "ada", Role::Administrator).await;
        let refused = passkey::begin(kit, &ada, "desk", "guess guess").await;
        assert!(matches!(refused, Err(PasskeyError::Operator(OperatorError::WrongPassword))), "{refused:?}");
        for name in ["", "  ", &"x".repeat(65), "two\nlines"] {
            assert!(matches!(passkey::begin(kit, &ada, name, PASSWORD).await, Err(PasskeyError::Name)));
        }
        let options = begin(kit, &ada).await;
        assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
        assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
        assert_eq!((&options["attestation"], &options["rp"]["id"]), (&json!("none"), &json!(HOST)));
        let handle = options["user"]["id"].as_str().unwrap();
        assert_eq!(handle.len(), 43, "256 bits that say nothing of anybody");
        let mut device = Device::default();
        let id = passkey::add(kit, &ada, &json(device.make(&options))).await.unwrap();
        let [key] = &passkey::of(kit, ada.id).await.unwrap()[..] else { panic!("one was made") };
        let expected =
            Passkey { id, name: "desk".to_owned(), synced: false, created_at: kit.now(), used_at: None };
        assert_eq!(*key, expected);

        site.clock.advance(Duration::from_secs(60));
        let session = enter(kit, &mut device).await.unwrap();
        assert_eq!(session.operator, ada.id);
        assert_eq!(inside(kit, &session).await.name, "ada");
        assert_eq!(passkey::of(kit, ada.id).await.unwrap()[0].used_at, Some(kit.now()));

        // A second one is for the same owner, and the first is named so that no device makes it twice.
        let options = begin(kit, &ada).await;
        assert_eq!(options["user"]["id"], handle);
        assert_eq!(options["excludeCredentials"].as_array().unwrap().len(), 1);
        let mut other = Device::edwards();
        other.synced = true;
        passkey::add(kit, &ada, &json(other.make(&options))).await.unwrap();
        assert!(enter(kit, &mut other).await.is_ok() && enter(kit, &mut device).await.is_ok());
        assert_eq!(passkey::counts(kit).await.unwrap()[&ada.id], 2);

        let told = journaled(kit).await;
        assert_eq!(
            told[0],
            ("operator.passkey-added".into(), json!({ "operator": ada.id.0, "passkey": id.0 }))
        );
        assert_eq!(
            told[1],
            ("operator.passkey-used".into(), json!({ "operator": ada.id.0, "passkey": id.0 }))
        );
        assert_eq!(told.len(), 5);
    }
}

#[tokio::test]
async fn a_question_is_answered_once_in_time_and_where_it_was_asked() {
    for site in party_sites().await {
        let kit = &site.kit;
        let (ada, vic) = (somebody(kit, "ada", Role::Viewer).await, somebody(kit, "vic", Role::Viewer).await);
        let mut device = Device::default();
        make(kit, &ada, &mut device).await;

        let shown = show(kit, &mut device);
        assert!(passkey::sign_in(kit, &shown, "here").await.is_ok());
        let again = passkey::sign_in(kit, &shown, "here").await;
        assert!(matches!(again, Err(PasskeyError::Late)), "{again:?}");
        let late = show(kit, &mut device);
        site.clock.advance(passkey::OPEN);
        assert!(matches!(passkey::sign_in(kit, &late, "here").await, Err(PasskeyError::Late)));
        let never = json(device.sign(&json!({ "challenge": "AAAA" })));
        assert!(matches!(passkey::sign_in(kit, &never, "here").await, Err(PasskeyError::Late)));
        // What was asked of another is answered by nobody else, nor in another session.
        let options = begin(kit, &ada).await;
        let made = json(Device::default().make(&options));
        assert!(matches!(passkey::add(kit, &vic, &made).await, Err(PasskeyError::Late)));
        assert!(matches!(passkey::add(kit, &ada, &made).await, Err(PasskeyError::Late)), "it was used up");
        let options = begin(kit, &ada).await;
        let elsewhere = auth::sign_in(kit, "ada", PASSWORD, "here").await.unwrap().whole().unwrap();
        let elsewhere = inside(kit, &elsewhere).await;
        let refused = passkey::add(kit, &elsewhere, &json(Device::default().make(&options))).await;
        assert!(matches!(refused, Err(PasskeyError::Late)), "{refused:?}");
        // A question to sign in makes no passkey.
        let asked = value(&passkey::ask(kit, "here").unwrap());
        let asked = json!({ "challenge": asked["challenge"], "user": { "id": "AAAA" } });
        let refused = passkey::add(kit, &ada, &json(Device::default().make(&asked))).await;
        assert!(matches!(refused, Err(PasskeyError::Late)), "{refused:?}");
        assert_eq!(passkey::of(kit, ada.id).await.unwrap().len(), 1);
        assert!(enter(kit, &mut device).await.is_ok());
    }
}

#[tokio::test]
async fn what_is_not_the_owners_or_not_verified_lets_nobody_in() {
    for site in party_sites().await {
        let kit = &site.kit;
        let ada = somebody(kit, "ada", Role::Viewer).await;
        let mut device = Device::default();
        make(kit, &ada, &mut device).await;
        let wrong = async |device: &mut Device| {
            let refused = enter(kit, device).await;
            assert!(matches!(refused, Err(PasskeyError::Wrong)), "{refused:?}");
        };
        let mut thief = Device::default();
        wrong(&mut thief).await;
        thief.pass_for(&device);
        wrong(&mut thief).await;
        device.verifies = false;
        wrong(&mut device).await;
        (device.verifies, device.names_owner) = (true, false);
        wrong(&mut device).await;
        device.names_owner = true;
        device.origin = "https://evil.example".to_owned();
        wrong(&mut device).await;
        device.origin = ORIGIN.to_owned();
        assert!(enter(kit, &mut device).await.is_ok());
        let before = journaled(kit).await.len();
        wrong(&mut thief).await;
        assert_eq!(journaled(kit).await.len(), before, "outsiders do not fill the journal");

        let boss = somebody(kit, "boss", Role::Administrator).await;
        auth::set_disabled(kit, boss.id, ada.id, true).await.unwrap();
        wrong(&mut device).await;
        auth::set_disabled(kit, boss.id, ada.id, false).await.unwrap();
        assert!(enter(kit, &mut device).await.is_ok());
        // Registered already, by whomever.
        let options = begin(kit, &boss).await;
        let refused = passkey::add(kit, &boss, &json(device.make(&options))).await;
        assert!(matches!(refused, Err(PasskeyError::Exists)), "{refused:?}");
    }
}

/// Wrong passwords, however many and from wherever, make no passkey wait.
#[tokio::test]
async fn it_does_not_wait_for_anybodys_wrong_tries() {
    let [site, _] = party_sites().await.try_into().unwrap();
    let kit = &site.kit;
    let ada = somebody(kit, "ada", Role::Viewer).await;
    let mut device = Device::default();
    make(kit, &ada, &mut device).await;
    for _ in 0..7 {
        let _ = auth::sign_in(kit, "ada", "guess guess", "here").await;
    }
    let refused = auth::sign_in(kit, "ada", PASSWORD, "here").await;
    assert!(matches!(refused, Err(auth::LoginRefusal::Wait(_))), "{refused:?}");
    assert!(enter(kit, &mut device).await.is_ok());
}

#[tokio::test]
async fn a_counter_that_goes_back_is_refused_and_told() {
    for site in party_sites().await {
        let kit = &site.kit;
        let ada = somebody(kit, "ada", Role::Viewer).await;
        let mut device = Device::default();
        let id = make(kit, &ada, &mut device).await;
        device.counter = Some(10);
        assert!(enter(kit, &mut device).await.is_ok());
        device.counter = Some(4);
        let refused = enter(kit, &mut device).await;
        assert!(matches!(refused, Err(PasskeyError::Copied)), "{refused:?}");
        let told = journaled(kit).await.pop().unwrap();
        let body = json!({ "operator": ada.id.0, "passkey": id.0 });
        assert_eq!(told, ("operator.passkey-copied".to_owned(), body));
        // Two with the same number at the same moment: one of them is the copy.
        device.counter = Some(20);
        let one = show(kit, &mut device);
        device.counter = Some(20);
        let other = show(kit, &mut device);
        let done = tokio::join!(passkey::sign_in(kit, &one, "here"), passkey::sign_in(kit, &other, "here"));
        assert!(done.0.is_ok() != done.1.is_ok(), "{done:?}");
        // A device that does not count never went back.
        let mut silent = Device::default();
        silent.counter = None;
        make(kit, &ada, &mut silent).await;
        assert!(enter(kit, &mut silent).await.is_ok() && enter(kit, &mut silent).await.is_ok());
    }
}

/// Shows the password.
async fn half(kit: &Kit) -> Half {
    match auth::sign_in(kit, "ada", PASSWORD, "here").await.unwrap() {
        Entry::Half(half) => half,
        Entry::Whole(_) => panic!("the password alone lets nobody in"),
    }
}

#[tokio::test]
async fn it_is_the_second_step_after_a_password() {
    for site in party_sites().await {
        let kit = &site.kit;
        let (ada, vic) = (somebody(kit, "ada", Role::Viewer).await, somebody(kit, "vic", Role::Viewer).await);
        let (mut device, mut vics) = (Device::default(), Device::default());
        make(kit, &vic, &mut vics).await;
        make(kit, &ada, &mut device).await;
        assert!(auth::sign_in(kit, "ada", PASSWORD, "here").await.unwrap().whole().is_some(), "by choice");
        second::begin(kit, ada.id, PASSWORD).await.unwrap();
        let second::State::Begun(app) = second::of(kit, ada.id).await.unwrap() else { panic!("begun") };
        second::confirm(kit, ada.id, &app.code(kit.now())).await.unwrap();

        let first = half(kit).await;
        assert_eq!(passkey::ways(kit, &first).await.unwrap(), Some(Ways { code: true, passkey: true }));
        let asked = value(&passkey::ask_half(kit, &first, "here").await.unwrap());
        assert_eq!(asked["allowCredentials"].as_array().unwrap().len(), 1, "hers alone");
        let shown: Assertion = json(vics.sign(&asked));
        let refused = passkey::finish(kit, &first, &shown, "here").await;
        assert!(matches!(refused, Err(PasskeyError::Wrong)), "another's: {refused:?}");
        let asked = value(&passkey::ask_half(kit, &first, "here").await.unwrap());
        device.names_owner = false;
        let shown: Assertion = json(device.sign(&asked));
        let other = half(kit).await;
        let refused = passkey::finish(kit, &other, &shown, "here").await;
        assert!(matches!(refused, Err(PasskeyError::Wrong)), "asked in another: {refused:?}");
        let asked = value(&passkey::ask_half(kit, &first, "here").await.unwrap());
        let shown: Assertion = json(device.sign(&asked));
        let session = passkey::finish(kit, &first, &shown, "here").await.unwrap();
        assert_eq!(session.operator, ada.id);
        assert_eq!(passkey::ways(kit, &first).await.unwrap(), None, "it is used up");
        assert!(matches!(passkey::ask_half(kit, &first, "here").await, Err(PasskeyError::Late)));

        // What was asked to sign in alone is no answer to the second step, nor the other way round.
        device.names_owner = true;
        let alone = show(kit, &mut device);
        assert!(matches!(passkey::finish(kit, &other, &alone, "here").await, Err(PasskeyError::Wrong)));
        let asked = value(&passkey::ask_half(kit, &other, "here").await.unwrap());
        let shown: Assertion = json(device.sign(&asked));
        assert!(matches!(passkey::sign_in(kit, &shown, "here").await, Err(PasskeyError::Wrong)));
        let asked = value(&passkey::ask_half(kit, &other, "here").await.unwrap());
        site.clock.advance(auth::HALF);
        let shown: Assertion = json(device.sign(&asked));
        assert!(matches!(passkey::finish(kit, &other, &shown, "here").await, Err(PasskeyError::Late)));
    }
}

#[tokio::test]
async fn a_rule_that_asks_for_a_second_factor_is_kept_with_one() {
    for site in party_sites().await {
        let kit = &site.kit;
        let ada = somebody(kit, "ada", Role::Manager).await;
        let boss = somebody(kit, "boss", Role::Administrator).await;
        second::set_rule(kit, boss.id, Some(Role::Manager)).await.unwrap();
        let standing =
            async |session: &str| auth::is_live(kit, session, &Role::Manager.into()).await.unwrap();
        assert!(!standing(ada.session()).await);
        let mut device = Device::default();
        let id = make(kit, &ada, &mut device).await;
        assert!(standing(ada.session()).await, "it counts as both");
        let half = half(kit).await;
        assert_eq!(
            passkey::ways(kit, &half).await.unwrap(),
            Some(Ways { code: false, passkey: true }),
            "the password alone would be one factor"
        );
        let refused = auth::finish(kit, &half, "123456", "here").await;
        assert!(matches!(refused, Err(auth::LoginRefusal::Wrong)), "{refused:?}");
        let session = enter(kit, &mut device).await.unwrap();
        assert_eq!(inside(kit, &session).await.owes, None);
        passkey::remove_own(kit, ada.id, id, PASSWORD).await.unwrap();
        assert!(!standing(ada.session()).await, "and is owed again without it");
        let asked = passkey::ask_half(kit, &half, "here").await;
        assert!(matches!(asked, Err(PasskeyError::Late)), "who is half inside begins anew");
        assert!(auth::sign_in(kit, "ada", PASSWORD, "here").await.unwrap().whole().is_some());
    }
}

#[tokio::test]
async fn they_are_taken_away_by_their_owner_an_administrator_or_the_command_line() {
    for site in party_sites().await {
        let kit = &site.kit;
        let ada = somebody(kit, "ada", Role::Manager).await;
        let vic = somebody(kit, "vic", Role::Viewer).await;
        let boss = somebody(kit, "boss", Role::Administrator).await;
        let mut device = Device::default();
        let id = make(kit, &ada, &mut device).await;
        let refused = passkey::remove_own(kit, ada.id, id, "guess guess").await;
        assert!(matches!(refused, Err(PasskeyError::Operator(OperatorError::WrongPassword))));
        let refused = passkey::remove_own(kit, vic.id, id, PASSWORD).await;
        assert!(matches!(refused, Err(PasskeyError::Absent)), "another's is nothing here: {refused:?}");
        let refused = passkey::remove_all(kit, vic.id, ada.id).await;
        assert!(matches!(refused, Err(PasskeyError::Operator(OperatorError::Rank))), "{refused:?}");
        let refused = passkey::remove_all(kit, boss.id, OperatorId(999)).await;
        assert!(matches!(refused, Err(PasskeyError::Operator(OperatorError::Unknown))), "{refused:?}");
        passkey::remove_own(kit, ada.id, id, PASSWORD).await.unwrap();
        assert!(matches!(enter(kit, &mut device).await, Err(PasskeyError::Wrong)));

        let mut devices = [Device::default(), Device::default()];
        for device in &mut devices {
            make(kit, &ada, device).await;
        }
        passkey::remove_all(kit, boss.id, ada.id).await.unwrap();
        assert!(matches!(passkey::remove_all(kit, boss.id, ada.id).await, Err(PasskeyError::Absent)));
        for device in &mut devices {
            assert!(matches!(enter(kit, device).await, Err(PasskeyError::Wrong)));
        }
        let told = journaled(kit).await;
        let by = told.iter().filter(|(kind, _)| kind == "operator.passkey-removed");
        assert_eq!(
            by.map(|(_, body)| body["by"].as_i64()).collect::<Vec<_>>(),
            [Some(ada.id.0), Some(boss.id.0), Some(boss.id.0)]
        );
        let mut last = Device::default();
        make(kit, &ada, &mut last).await;
        auth::reset_password(kit, None, "ada", "another first password").await.unwrap();
        assert_eq!(passkey::of(kit, ada.id).await.unwrap(), []);
        assert!(matches!(enter(kit, &mut last).await, Err(PasskeyError::Wrong)));
    }
}

#[tokio::test]
async fn there_is_a_limit_and_a_first_password_makes_none() {
    let [site, _] = party_sites().await.try_into().unwrap();
    let kit = &site.kit;
    let id = auth::add(kit, None, "eve", Role::Viewer, "a first password").await.unwrap();
    let session = auth::sign_in(kit, "eve", "a first password", "here").await.unwrap().whole().unwrap();
    let eve = inside(kit, &session).await;
    let refused = passkey::begin(kit, &eve, "desk", "a first password").await;
    assert!(matches!(refused, Err(PasskeyError::FirstPassword)), "{refused:?}");
    assert!(passkey::of(kit, id).await.unwrap().is_empty());

    let ada = somebody(kit, "ada", Role::Viewer).await;
    let spare = begin(kit, &ada).await;
    for _ in 0..passkey::MOST {
        make(kit, &ada, &mut Device::default()).await;
    }
    assert!(matches!(passkey::begin(kit, &ada, "desk", PASSWORD).await, Err(PasskeyError::TooMany)));
    let refused = passkey::add(kit, &ada, &json(Device::default().make(&spare))).await;
    assert!(matches!(refused, Err(PasskeyError::TooMany)), "{refused:?}");
}

#[tokio::test]
async fn without_a_name_of_the_host_there_are_none() {
    let [site, _] = sites(&[]).await.try_into().unwrap();
    let kit = &site.kit;
    let ada = somebody(kit, "ada", Role::Viewer).await;
    assert!(matches!(passkey::begin(kit, &ada, "desk", PASSWORD).await, Err(PasskeyError::Off)));
    assert!(matches!(passkey::ask(kit, "here"), Err(PasskeyError::Off)));
}
