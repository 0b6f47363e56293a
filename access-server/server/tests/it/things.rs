//! The things of the site over HTTP: a program sets a site up, changes and removes what it made, and is told what is wrong.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use kit::auth::{Scope, token};
use kit::testing::operator;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::rights::{app, whole};

/// A program with one scope.
struct Program {
    app: Router,
    token: String,
}

impl Program {
    async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        let request = request
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json");
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let answer = self.app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let bytes = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn add(&self, path: &str, body: Value) -> u64 {
        let (status, said) = self.call(Method::POST, path, body).await;
        assert_eq!(status, 201, "{path}: {said}");
        said["id"].as_u64().unwrap()
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        let (status, said) = self.call(Method::GET, path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {said}");
        said["items"].as_array().unwrap().clone()
    }
}

/// Programs that may write and that may read the site, by the administrator's grace.
async fn programs() -> (kit::testing::Site, Program, Program) {
    let site = whole().await;
    let (app, _) = app(&site.kit).await;
    let by = operator(&site.kit, kit::auth::Role::Administrator).await.id;
    let mut tokens = Vec::new();
    for (name, scopes) in [
        ("writer", &[Scope::WriteSite, Scope::ReadSite, Scope::WritePeople][..]),
        ("reader", &[Scope::ReadSite]),
    ] {
        let mut tx = site.kit.begin().await.unwrap();
        let end = tx.now() + 3_600_000_000;
        let (_, token) = token::make(&mut tx, by, name, scopes, end).await.unwrap();
        tx.commit().await.unwrap();
        tokens.push(Program { app: app.clone(), token });
    }
    let reader = tokens.pop().unwrap();
    (site, tokens.pop().unwrap(), reader)
}

#[tokio::test]
async fn a_program_sets_a_site_up_changes_it_and_takes_it_down() {
    let (_site, writer, reader) = programs().await;
    let outside = writer.add("/areas", json!({ "name": "室外", "kind": "outside" })).await;
    let house = writer.add("/areas", json!({ "name": "主楼", "latin": "House", "kind": "building" })).await;
    let floor = writer.add("/areas", json!({ "name": "一层", "kind": "floor", "in": house })).await;
    writer.add("/controllers", json!({ "name": "控制器", "number": 7 })).await;
    let zone = writer.add("/fire-zones", json!({ "name": "一层" })).await;
    let (_, said) = writer.call(Method::POST, "/groups", json!({ "key": "staff", "name": "职员" })).await;
    let staff = said["id"].as_u64().unwrap();
    let office = json!({ "name": "工作时间", "windows": [{ "days": 31, "from": 480, "until": 1080 }],
        "exceptions": [{ "date": "2026-10-01", "open": [] }] });
    let office = writer.add("/schedules", office).await;
    let door = json!({ "name": "正门", "controller": 7, "bus": "north", "address": 3, "kind": "door",
        "outside": outside, "inside": floor, "egress": "exit", "fire_zone": zone,
        "anti_passback": "timed", "anti_passback_ms": 60000,
        "rules": [{ "schedule": office, "any_of": ["face", "card+pin"] }], "otherwise": ["card+pin"] });

    // A door that lets nobody in is refused unless that is meant.
    let (status, said) = writer.call(Method::POST, "/doors", door.clone()).await;
    assert_eq!((status, &said["type"]), (409, &json!("/problems/comes-to-nothing")), "{said}");
    assert_eq!(said["concerns"][0]["concern"], "door-for-nobody");
    assert!(writer.list("/doors").await.is_empty());
    let main = writer.add("/doors?anyway=true", door.clone()).await;
    let shown = reader.list("/doors").await.remove(0);
    for (field, value) in door.as_object().unwrap() {
        assert_eq!(&shown[field], value, "{field} comes back as it was sent");
    }
    assert_eq!((&shown["strike_ms"], &shown["relock"]), (&json!(5000), &json!("on-close")));
    let doors = writer.add("/door-groups", json!({ "name": "正门组", "doors": [main, main] })).await;
    let level = json!({ "name": "职员", "groups": [staff], "door_groups": [doors], "schedule": office });
    let level = writer.add("/levels?anyway=true", level).await;
    assert_eq!(reader.list("/levels").await[0]["door_groups"], json!([doors]));

    // Changed by its version, once.
    let version = shown["version"].as_str().unwrap();
    let mut renamed = door.clone();
    renamed["name"] = json!("南门");
    let path = format!("/doors/{main}?version={version}&anyway=true");
    assert_eq!(writer.call(Method::PUT, &path, renamed.clone()).await.0, 204);
    assert_eq!(reader.list("/doors").await[0]["name"], "南门");
    let (status, said) = writer.call(Method::PUT, &path, door.clone()).await;
    assert_eq!((status, &said["type"]), (409, &json!("/problems/stale")));
    assert_eq!(writer.call(Method::DELETE, &path, Value::Null).await.0, 409);

    // What is named stays, what is not goes.
    let (status, said) = writer.call(Method::DELETE, &format!("/schedules/{office}"), Value::Null).await;
    let named = said["used_by"].as_array().unwrap().contains(&json!({ "kind": "door", "id": main }));
    assert!(status == 409 && named, "{said}");
    for path in [
        format!("/levels/{level}?anyway=true"),
        format!("/door-groups/{doors}"),
        format!("/doors/{main}?anyway=true"),
        format!("/schedules/{office}"),
        format!("/fire-zones/{zone}"),
        "/controllers/7".to_owned(),
        format!("/areas/{floor}"),
    ] {
        let (status, said) = writer.call(Method::DELETE, &path, Value::Null).await;
        assert_eq!(status, 204, "{path}: {said}");
        assert_eq!(writer.call(Method::DELETE, &path, Value::Null).await.0, 404, "{path}");
    }
    assert_eq!(reader.list("/areas").await.len(), 2);
}

#[tokio::test]
async fn what_is_wrong_is_named_by_its_field_and_changes_nothing() {
    let (site, writer, reader) = programs().await;
    writer.add("/areas", json!({ "name": "室外", "kind": "outside" })).await;
    writer.add("/areas", json!({ "name": "主楼", "kind": "building" })).await;
    writer.add("/controllers", json!({ "name": "控制器", "number": 1 })).await;
    let door =
        json!({ "name": "门", "controller": 1, "kind": "door", "outside": 1, "inside": 2, "egress": "exit" });
    let with = |field: &str, value: Value| {
        let mut door = door.clone();
        door[field] = value;
        door
    };
    for (path, body, field) in [
        ("/areas", json!({ "name": "楼", "kind": "tower" }), "kind"),
        ("/areas", json!({ "name": "层", "kind": "floor" }), "in"),
        ("/areas", json!({ "name": "层", "kind": "floor", "in": 404 }), "in"),
        ("/areas", json!({ "name": " ", "kind": "building" }), "name"),
        ("/controllers", json!({ "name": "无号" }), "number"),
        ("/doors", with("inside", json!(1)), "inside"),
        ("/doors", with("inside", json!(u64::MAX)), "inside"),
        ("/doors", with("controller", json!(404)), "controller"),
        ("/doors", with("strike_ms", json!(5)), "strike_ms"),
        ("/doors", with("bus", json!("north")), "address"),
        ("/doors", with("egress", json!("none")), "egress"),
        ("/doors", with("anti_passback", json!("timed")), "anti_passback_ms"),
        ("/doors", with("otherwise", json!(["voice"])), "otherwise"),
        ("/doors", with("otherwise", json!(["pin"])), "rules"),
        ("/doors", with("rules", json!([{ "schedule": 404, "any_of": ["card"] }])), "rules"),
        (
            "/schedules",
            json!({ "name": "空", "windows": [{ "days": 0, "from": 0, "until": 60 }] }),
            "windows",
        ),
        (
            "/schedules",
            json!({ "name": "空", "exceptions": [{ "date": "2026-02-30", "open": [] }] }),
            "exceptions",
        ),
        ("/levels", json!({ "name": "级", "schedule": 404 }), "schedule"),
    ] {
        let (status, said) = writer.call(Method::POST, &format!("{path}?anyway=true"), body.clone()).await;
        assert_eq!((status, said["field"].as_str()), (422, Some(field)), "{path} {body}: {said}");
    }
    assert!(reader.list("/doors").await.is_empty() && reader.list("/areas").await.len() == 2);
    let (status, _) = reader.call(Method::POST, "/doors?anyway=true", door).await;
    assert_eq!(status, 403, "a program that reads does not write");

    // The calendar.
    let day = json!({ "kind": "public-holiday", "name": "国庆节" });
    assert_eq!(writer.call(Method::PUT, "/days/2026-10-01", day.clone()).await.0, 204);
    assert_eq!(
        reader.list("/days").await,
        [json!({ "date": "2026-10-01", "kind": "public-holiday", "name": "国庆节" })]
    );
    assert_eq!(writer.call(Method::PUT, "/days/2026-13-01", day).await.0, 422);
    assert_eq!(writer.call(Method::DELETE, "/days/2026-10-01", Value::Null).await.0, 204);
    assert_eq!(writer.call(Method::DELETE, "/days/2026-10-01", Value::Null).await.0, 404);
    drop(site);
}
