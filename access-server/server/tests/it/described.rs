//! The API as it describes itself: whole, and true. Schemathesis calls the real process with what the description
//! allows and with what it does not, and compares every answer.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use kit::auth::{Role, Scope, token};
use kit::testing::{databases, operator};
use serde_json::Value;
use server::config::Config;
use server::serve;

use super::rights::{Shown, app, body, whole};
use super::site::Site;

/// Examples for each route by chance, in the long form.
const EXAMPLES: &str = "12";
/// What is compared.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,negative_data_rejection,unsupported_method,ignored_auth";

/// Every reference in it.
fn references<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn every_route_for_programs_is_described() {
    let site = whole().await;
    let (app, table) = app(&site.kit).await;
    let (status, text) = body(&app, &Shown::Nothing, "/api/v1/openapi.json").await;
    assert_eq!(status, 200);
    let said: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(said["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for route in table.iter().filter(|route| route.path.starts_with(kit::routes::API)) {
        let operation = &said["paths"][route.path][route.method.as_str().to_lowercase()];
        assert!(operation["summary"].as_str().is_some_and(|words| !words.is_empty()), "{route:?}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{route:?}");
        let gaps = route.path.matches('{').count();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        assert_eq!(parameters.filter(|it| it["in"] == "path").count(), gaps, "{route:?}");
    }
    let mut found = BTreeSet::new();
    references(&said, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        assert!(said.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
}

/// What is right at the edges of the description, and what is wrong there, each time; chance, in the long form.
fn phases() -> &'static str {
    if std::env::var_os("GATEHOUSE_SOAK").is_some() {
        "examples,coverage,fuzzing"
    } else {
        "examples,coverage"
    }
}

/// Operations that one server is asked: each is called once with a wrong token, and after twenty of those from an address
/// the server tells it to wait.
const TOGETHER: usize = 18;
/// Without a vision process these say that it is away, which Schemathesis takes for a fault.
const NEED_VISION: [&str; 1] = ["put_people_id_face"];

#[tokio::test]
async fn schemathesis_finds_no_fault() {
    let site = whole().await;
    let (app, _) = app(&site.kit).await;
    let (_, text) = body(&app, &Shown::Nothing, "/api/v1/openapi.json").await;
    let said: Value = serde_json::from_slice(&text).unwrap();
    let paths = said["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let ids = operations.map(|operation| operation["operationId"].as_str().unwrap());
    let ids: Vec<&str> = ids.filter(|id| !NEED_VISION.contains(id)).collect();
    assert!(ids.len() > 80, "{ids:?}");
    for ids in ids.chunks(TOGETHER) {
        called(ids).await;
    }
}

/// Has Schemathesis call these operations of a server of their own.
async fn called(ids: &[&str]) {
    let program =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../.gatehouse/bench/python-schemathesis/bin/schemathesis");
    assert!(Path::new(program).exists(), "`cargo xtask setup` installs Schemathesis");
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let config = Config::read(Path::new(&site.file("server.toml"))).unwrap();
    let kit = serve::open(&config).await.unwrap();
    let by = operator(&kit, Role::Administrator).await.id;
    let mut tx = kit.begin().await.unwrap();
    let end = tx.now() + 3_600_000_000;
    let (_, token) = token::make(&mut tx, by, "schemathesis", &Scope::ALL, end).await.unwrap();
    tx.commit().await.unwrap();
    kit.db().close().await;
    let server = site.serve();
    let out = Command::new(program)
        .arg("run")
        .arg(format!("https://{}/api/v1/openapi.json", server.address))
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--tls-verify", site.pki("ca.pem").to_str().unwrap()])
        .args(ids.iter().flat_map(|id| ["--include-operation-id", id]))
        .args(["--checks", CHECKS, "--max-examples", EXAMPLES, "--seed", "1"])
        .args(["--phases", phases(), "--request-timeout", "10", "--max-time", "200"])
        .args(["--no-shrink", "--generation-database", "none", "--warnings", "off", "--no-color"])
        .current_dir(site.directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}\n{}", String::from_utf8_lossy(&out.stderr));
    assert!(said.contains("Test cases:") && said.contains(&format!("Tested: {}\n", ids.len())), "{said}");
    let verified = site.verify();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
