//! Programs: tokens, and requests that are sent again.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, header};
use kit::auth::token::{self, LONGEST_TOKEN, TokenError};
use kit::auth::{Operator, OperatorId, Role, Scope};
use kit::routes::{Once, Routes, Who};
use kit::testing::{Site, operator, sites};
use kit::{Kit, Problem};
use tokio::sync::Notify;
use tower::ServiceExt;

const READ: Who = Who::Api(Role::Viewer, Scope::ReadSite);
const WRITE: Who = Who::Api(Role::Manager, Scope::WriteSite);

/// Between a test and a request that is being worked on.
#[derive(Clone, Default)]
struct Gate {
    begun: Arc<Notify>,
    end: Arc<Notify>,
}

/// Records one fact a request; `wait` works until it is told to end, `fail` fails after writing.
fn routes(kit: &Kit, gate: Gate) -> Router {
    let add = async |State(kit): State<Kit>, once: Once, body: String| {
        let mut tx = kit.begin().await?;
        let seq = tx.record("test.added", &body.len()).await?;
        once.commit(tx, seq).await
    };
    // Commits by itself.
    let publish = async |State(kit): State<Kit>| {
        let mut tx = kit.begin().await?;
        let seq = tx.record("test.published", &()).await?;
        tx.commit().await?;
        Ok::<_, Problem>(seq.to_string())
    };
    let fail = async |State(kit): State<Kit>| {
        let mut tx = kit.begin().await?;
        tx.record("test.failed", &()).await?;
        Err::<(), _>(Problem::refused("field", "no"))
    };
    let wait = async move || {
        gate.begun.notify_one();
        gate.end.notified().await;
        "done"
    };
    Routes::default()
        .get("/who", READ, async |operator: Operator| operator.name)
        .get("/people-only", Who::AtLeast(Role::Viewer), async |operator: Operator| operator.name)
        .post("/add", WRITE, add)
        .post("/publish", WRITE, publish)
        .post("/fail", WRITE, fail)
        .post("/wait", WRITE, wait)
        .with_state(kit.clone())
        .into()
}

async fn made(site: &Site, name: &str, scopes: &[Scope], hours: i64) -> (OperatorId, String) {
    let by = kit::auth::list(&site.kit).await.unwrap()[0].id;
    let mut tx = site.kit.begin().await.unwrap();
    let end = tx.now() + hours * 3_600_000_000;
    let made = token::make(&mut tx, by, name, scopes, end).await.unwrap();
    tx.commit().await.unwrap();
    made
}

/// Status, whether it was answered as before, and the body.
async fn ask(
    routes: &Router,
    token: &str,
    (method, path): (&str, &str),
    key: Option<&str>,
    body: &'static str,
) -> (u16, bool, String) {
    let mut request = Request::builder().method(method).uri(path);
    request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let answer = routes.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (status, again) = (answer.status().as_u16(), answer.headers().contains_key("idempotency-replayed"));
    let kind = answer.extensions().get::<Problem>().map(|problem| problem.kind().to_owned());
    let body = to_bytes(answer.into_body(), 65_536).await.unwrap();
    (status, again, kind.unwrap_or_else(|| String::from_utf8(body.to_vec()).unwrap()))
}

async fn journaled(kit: &Kit, kind: &str) -> usize {
    let records = kit::journal::events_after(kit.read(), 0, 1000).await.unwrap();
    records.iter().filter(|record| record.kind == kind).count()
}

#[tokio::test]
async fn a_token_lets_do_what_its_scopes_say_until_it_ends_or_is_revoked() {
    for site in sites(&[]).await {
        operator(&site.kit, Role::Administrator).await;
        let routes = routes(&site.kit, Gate::default());
        let (id, token) = made(&site, "Payroll", &[Scope::ReadSite], 2).await;
        assert!(token.starts_with("gatehouse_") && token.len() == 74, "{}", token.len());
        let who = async |token: &str| ask(&routes, token, ("GET", "/who"), None, "").await;
        assert_eq!(who(&token).await, (200, false, "token:payroll".into()));
        let add = ask(&routes, &token, ("POST", "/add"), None, "x").await;
        assert_eq!((add.0, &*add.2), (403, "scope"));
        let people_only = ask(&routes, &token, ("GET", "/people-only"), None, "").await;
        assert_eq!((people_only.0, &*people_only.2), (403, "scope"));
        assert_eq!(who("gatehouse_0").await.0, 401);

        let [row] = token::tokens(&site.kit).await.unwrap().try_into().unwrap();
        assert_eq!(
            (row.id, &*row.name, row.used_at, row.revoked),
            (id, "payroll", Some(site.kit.now()), false)
        );
        assert_eq!(row.scopes, [Scope::ReadSite]);

        let (_, short) = made(&site, "short", &[Scope::ReadSite], 1).await;
        site.clock.advance(std::time::Duration::from_secs(3600));
        assert_eq!((who(&short).await.0, who(&token).await.0), (401, 200), "one has ended");

        let mut tx = site.kit.begin().await.unwrap();
        token::revoke(&mut tx, row.made_by, id).await.unwrap();
        assert!(matches!(token::revoke(&mut tx, row.made_by, row.made_by).await, Err(TokenError::Unknown)));
        tx.commit().await.unwrap();
        assert_eq!(who(&token).await, (401, false, "wrong-token".into()));
        assert_eq!(journaled(&site.kit, "operator.token").await, 2);
        assert_eq!(journaled(&site.kit, "operator.token-revoked").await, 1);
        let records = kit::journal::events_after(site.kit.read(), 0, 1000).await.unwrap();
        assert!(records.iter().all(|it| !it.body.contains("payroll") && !it.body.contains(&token)));
    }
}

#[tokio::test]
async fn a_token_that_lets_do_nothing_or_never_ends_is_not_made() {
    for site in sites(&[]).await {
        let by = operator(&site.kit, Role::Administrator).await.id;
        made(&site, "taken", &[Scope::ReadSite], 1).await;
        let end = site.kit.now() + 1;
        for (name, scopes, end, wrong) in [
            ("taken", &[Scope::ReadSite][..], end, "Exists"),
            ("two words", &[Scope::ReadSite], end, "Name"),
            ("none", &[], end, "NoScope"),
            ("past", &[Scope::ReadSite], site.kit.now(), "End"),
            ("long", &[Scope::ReadSite], site.kit.now() + LONGEST_TOKEN + 1, "End"),
        ] {
            let mut tx = site.kit.begin().await.unwrap();
            let refused = token::make(&mut tx, by, name, scopes, end).await.unwrap_err();
            assert_eq!(format!("{refused:?}"), wrong);
        }
        // Nobody signs in as a program, with whatever password.
        let refused = kit::auth::sign_in(&site.kit, "token:taken", "", "here").await;
        assert!(matches!(refused, Err(kit::auth::LoginRefusal::Wrong)));
    }
}

#[tokio::test]
async fn a_request_sent_again_does_nothing_again() {
    for site in sites(&[]).await {
        operator(&site.kit, Role::Administrator).await;
        let routes = routes(&site.kit, Gate::default());
        let (_, token) = made(&site, "hr", &[Scope::WriteSite], 48).await;
        let (_, other) = made(&site, "other", &[Scope::WriteSite], 48).await;
        let add = async |token: &str, key: Option<&str>, body| {
            ask(&routes, token, ("POST", "/add"), key, body).await
        };
        let (status, again, first) = add(&token, Some("a-1"), "one").await;
        assert_eq!((status, again), (201, false));
        assert_eq!(add(&token, Some("a-1"), "one").await, (201, true, first.clone()));
        let otherwise = add(&token, Some("a-1"), "two").await;
        assert_eq!((otherwise.0, &*otherwise.2), (422, "key-used-otherwise"));
        assert_eq!(journaled(&site.kit, "test.added").await, 1);
        assert!(!add(&other, Some("a-1"), "one").await.1, "keys are each program's own");
        assert!(!add(&token, None, "one").await.1);
        assert!(!add(&token, Some("a-2"), "one").await.1);
        assert_eq!(journaled(&site.kit, "test.added").await, 4);
        let long = "k".repeat(65);
        for key in ["", "two words", &long] {
            assert_eq!(add(&token, Some(key), "one").await.0, 400, "{key}");
        }
        // A server just started finds it in the database, by the site's keys: without them nobody tells what was asked.
        let folder = tempfile::tempdir().unwrap();
        let server = async |keys| {
            let db = kit::Db::open(&site.database.address).await.unwrap();
            self::routes(&Kit::new(db, site.clock.clone(), keys, None).unwrap(), Gate::default())
        };
        let before = server(kit::Keys::create(folder.path()).unwrap()).await;
        let (_, _, told) = ask(&before, &token, ("POST", "/add"), Some("b-1"), "one").await;
        let restarted = server(kit::Keys::open(folder.path()).unwrap()).await;
        let again = ask(&restarted, &token, ("POST", "/add"), Some("b-1"), "one").await;
        assert_eq!(again, (201, true, told));
        let other = server(kit::Keys::ephemeral()).await;
        assert_eq!(ask(&other, &token, ("POST", "/add"), Some("b-1"), "one").await.0, 422);
        site.clock.advance(std::time::Duration::from_secs(24 * 3600));
        assert!(!add(&token, Some("a-1"), "one").await.1, "a day is over");
    }
}

#[tokio::test]
async fn what_commits_by_itself_is_remembered_too_and_what_is_refused_may_be_tried_again() {
    for site in sites(&[]).await {
        operator(&site.kit, Role::Administrator).await;
        let routes = routes(&site.kit, Gate::default());
        let (_, token) = made(&site, "hr", &[Scope::WriteSite], 48).await;
        let first = ask(&routes, &token, ("POST", "/publish"), Some("p"), "").await;
        let again = ask(&routes, &token, ("POST", "/publish"), Some("p"), "").await;
        assert_eq!((first.0, again.0, again.1, &again.2), (200, 200, true, &first.2));
        assert_eq!(journaled(&site.kit, "test.published").await, 1);
        for _ in 0..2 {
            let refused = ask(&routes, &token, ("POST", "/fail"), Some("f"), "").await;
            assert_eq!(refused, (422, false, "field".into()));
        }
        assert_eq!(journaled(&site.kit, "test.failed").await, 0);
    }
}

#[tokio::test]
async fn two_at_once_with_one_key_are_not_both_worked_on() {
    for site in sites(&[]).await {
        operator(&site.kit, Role::Administrator).await;
        let gate = Gate::default();
        let routes = routes(&site.kit, gate.clone());
        let (_, token) = made(&site, "hr", &[Scope::WriteSite], 48).await;
        let ask = async || ask(&routes, &token, ("POST", "/wait"), Some("w"), "").await;
        for _ in 0..2 {
            let first = std::pin::pin!(ask());
            tokio::select! {
                answer = first => panic!("it waits: {answer:?}"),
                () = gate.begun.notified() => {}
            }
            // Its caller went away: the key is free again.
        }
        let mut first = std::pin::pin!(ask());
        tokio::select! {
            answer = &mut first => panic!("it waits: {answer:?}"),
            () = gate.begun.notified() => {}
        }
        assert_eq!(ask().await, (409, false, "key-in-use".into()));
        gate.end.notify_one();
        assert_eq!(first.await, (200, false, "done".into()));
        assert_eq!(ask().await, (200, true, "done".into()));
    }
}
