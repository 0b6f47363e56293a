//! Over HTTP: who may do what, and what goes wrong in words.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use kit::auth::{self, Operator, Role};
use kit::testing::sites;
use kit::{Kit, Who};
use people::testing::{Vision, photo, photo_of};
use people::{MIGRATIONS, routes};
use serde_json::{Value, json};
use tower::ServiceExt;

/// A program that is signed in.
struct Client {
    routes: Router,
    cookie: String,
    token: String,
}

impl Client {
    async fn sign_in(kit: &Kit, vision: &Vision, role: Role) -> Client {
        let name = role.as_str();
        auth::add(kit, None, name, role, "a password that is long").await.unwrap();
        let session =
            auth::sign_in(kit, name, "a password that is long", "127.0.0.1").await.unwrap().whole().unwrap();
        auth::change_password(kit, session.operator, "a password that is long", "another that is long")
            .await
            .unwrap();
        let session =
            auth::sign_in(kit, name, "another that is long", "127.0.0.1").await.unwrap().whole().unwrap();
        let cookie = session.set_cookie.split(';').next().unwrap().to_owned();
        let token = async |operator: Operator| operator.csrf;
        let routes = routes(Some(vision.service.clone())).get("/token", Who::SignedIn, token);
        let routes = routes.with_state(kit.clone()).into();
        let mut client = Client { routes, cookie, token: String::new() };
        client.token = String::from_utf8(client.send("GET", "/token", "").await.1).unwrap();
        client
    }

    async fn ask(&self, method: &str, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
        let (status, bytes) = self.send(method, path, body).await;
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> (StatusCode, Vec<u8>) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-csrf-token", &self.token)
            .body(body.into())
            .unwrap();
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, bytes.to_vec())
    }
}

#[tokio::test]
async fn a_person_is_added_enrolled_and_withdraws() {
    let vision = Vision::start().await;
    for site in sites(MIGRATIONS).await {
        let manager = Client::sign_in(&site.kit, &vision, Role::Manager).await;
        let person = json!({ "key": "ada", "kind": "employee", "name": "艾达" }).to_string();
        let (status, answer) = manager.ask("POST", "/api/v1/people", person).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        let at = format!("/api/v1/people/{}", answer["id"]);

        let face = format!("{at}/face");
        let (status, answer) = manager.ask("PUT", &face, photo(&[1.0])).await;
        assert_eq!(
            (status, &answer["type"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("/problems/no-consent"))
        );
        let consent = json!({ "purpose": "face-access", "text_version": "2026-01" }).to_string();
        let (status, _) = manager.ask("POST", &format!("{at}/consents"), consent).await;
        assert_eq!(status, StatusCode::CREATED);
        let blurred = json!({ "outcome": "refused", "reason": "blurred", "measured": 3.0, "least": 12.0 });
        let (status, answer) = manager.ask("PUT", &face, photo_of(&blurred)).await;
        assert_eq!((status, &answer["least"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(12.0)), "{answer}");
        let (status, _) = manager.ask("PUT", &face, photo(&[1.0])).await;
        assert_eq!(status, StatusCode::OK);

        let pin = json!({ "kind": "pin", "text": "12" }).to_string();
        let (status, answer) = manager.ask("POST", &format!("{at}/credentials"), pin).await;
        assert_eq!(
            (status, &answer["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("text")),
            "{answer}"
        );

        let (status, receipt) = manager.ask("DELETE", &format!("{at}/consents/face-access"), "").await;
        assert_eq!((status, &receipt["deleted"]), (StatusCode::OK, &json!(1)), "{receipt}");
        let (status, _) = manager.ask("GET", "/api/v1/people/999", "").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
}

/// A camera's frames are looked at for whoever agreed to it, and nothing of them stays.
#[tokio::test]
async fn a_frame_is_looked_at_and_not_kept() {
    let vision = Vision::start().await;
    for site in sites(MIGRATIONS).await {
        let manager = Client::sign_in(&site.kit, &vision, Role::Manager).await;
        let person = json!({ "key": "ada", "kind": "employee", "name": "艾达" }).to_string();
        let (_, answer) = manager.ask("POST", "/api/v1/people", person).await;
        let at = format!("/api/v1/people/{}", answer["id"]);
        let path = format!("{at}/face/look");
        let look = async |frame: Vec<u8>| {
            site.clock.advance(Duration::from_secs(1));
            manager.ask("POST", &path, frame).await
        };
        let (status, answer) = look(photo(&[1.0])).await;
        assert_eq!(
            (status, &answer["type"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("/problems/no-consent"))
        );
        let consent = json!({ "purpose": "face-access", "text_version": "2026-01" }).to_string();
        manager.ask("POST", &format!("{at}/consents"), consent).await;
        let journaled = kit::journal::newest(site.kit.read()).await.unwrap();

        let (status, answer) = look(photo(&[1.0])).await;
        assert_eq!((status, &answer["hint"]), (StatusCode::OK, &Value::Null));
        assert!(answer["quality"].as_f64().unwrap() > 0.8, "{answer}");
        let dark = json!({ "outcome": "refused", "reason": "too-dark", "measured": 12.0, "least": 50.0 });
        let (_, answer) = look(photo_of(&dark)).await;
        assert_eq!(answer, json!({ "hint": "photo-too-dark", "quality": null }), "no number and no template");
        let screen = json!({ "outcome": "usable", "template": [1.0], "model": "test", "live": false,
            "quality": { "score": 0.9 } });
        assert_eq!(look(photo_of(&screen)).await.1["hint"], "photo-not-live", "a photograph held before it");
        assert_eq!(look(b"no picture".to_vec()).await.1["hint"], "photo-not-a-photo");
        assert_eq!(look(vec![0xff; people::look::FRAME_MAX + 1]).await.0, StatusCode::PAYLOAD_TOO_LARGE);

        site.clock.advance(Duration::from_secs(1));
        let (first, second) = (
            manager.ask("POST", &path, photo(&[1.0])).await,
            manager.ask("POST", &path, photo(&[1.0])).await,
        );
        assert_eq!((first.0, second.0), (StatusCode::OK, StatusCode::TOO_MANY_REQUESTS));
        assert_eq!(kit::journal::newest(site.kit.read()).await.unwrap(), journaled);
        assert_eq!(people::face::count(&site.kit).await.unwrap(), 0);
        let (status, _) = manager.ask("POST", "/api/v1/people/999/face/look", photo(&[1.0])).await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
        site.clock.advance(Duration::from_secs(1));
        let (status, _) = manager.ask("POST", "/api/v1/people/999/face/look", photo(&[1.0])).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
}

/// Neither by leaving something out nor by knowing too little does a change widen a right.
#[tokio::test]
async fn a_change_says_what_it_was_made_from_and_all_that_may_widen_a_right() {
    let vision = Vision::start().await;
    for site in sites(MIGRATIONS).await {
        let manager = Client::sign_in(&site.kit, &vision, Role::Manager).await;
        let person = json!({ "key": "ada", "kind": "employee", "name": "艾达", "valid_until": i64::MAX / 2 });
        let (_, answer) = manager.ask("POST", "/api/v1/people", person.to_string()).await;
        let at = format!("/api/v1/people/{}", answer["id"]);
        let (_, shown) = manager.ask("GET", &at, "").await;
        let mut seen = json!({ "key": "ada", "kind": "employee", "name": "艾达", "status": "suspended",
            "valid_from": null, "valid_until": shown["valid_until"], "changed_at": shown["changed_at"] });
        for missing in ["status", "valid_from", "valid_until", "changed_at"] {
            let mut body = seen.clone();
            body.as_object_mut().unwrap().remove(missing);
            let (status, answer) = manager.ask("PUT", &at, body.to_string()).await;
            let refused = (status, &answer["field"]);
            assert_eq!(refused, (StatusCode::UNPROCESSABLE_ENTITY, &json!(missing)), "{answer}");
        }
        let (status, answer) = manager.ask("PUT", &at, seen.to_string()).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
        // Made from what was there before the suspension.
        seen["status"] = json!("active");
        let (status, answer) = manager.ask("PUT", &at, seen.to_string()).await;
        assert_eq!((status, &answer["type"]), (StatusCode::CONFLICT, &json!("/problems/stale")), "{answer}");
        let (_, shown) = manager.ask("GET", &at, "").await;
        assert_eq!(shown["status"], json!("suspended"));
    }
}

#[tokio::test]
async fn rank_decides() {
    let vision = Vision::start().await;
    for site in sites(MIGRATIONS).await {
        let guard = Client::sign_in(&site.kit, &vision, Role::Guard).await;
        let (status, _) = guard.ask("GET", "/api/v1/people", "").await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        let person = json!({ "key": "ada", "kind": "employee", "name": "艾达" }).to_string();
        let operator = Client::sign_in(&site.kit, &vision, Role::Operator).await;
        let (status, _) = operator.ask("POST", "/api/v1/people", person).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        let (status, list) = operator.ask("GET", "/api/v1/people", "").await;
        assert_eq!((status, list), (StatusCode::OK, json!({ "items": [], "next": null })));
    }
}
