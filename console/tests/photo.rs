//! Pictures of people: beside an event for who sees the event, otherwise journaled.
#![expect(clippy::unwrap_used, reason = "a failing test says where it failed")]

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use console::Console;
use domain::ids::PersonId;
use jiff::tz::TimeZone;
use kit::Kit;
use kit::auth::{self, Role};
use kit::looks::SAME_LOOK;
use kit::testing::{MONDAY, sites};
use people::consent::{self, Purpose};
use people::person::{self, Particulars};
use people::picture;
use tower::ServiceExt;

const FIRST: &str = "a first password";
const OWN: &str = "a password of their own";

/// Signs a viewer in: the cookie, and the session in it.
async fn viewer(kit: &Kit, name: &str) -> (String, String) {
    auth::add(kit, None, name, Role::Viewer, FIRST).await.unwrap();
    let session = auth::sign_in(kit, name, FIRST, "127.0.0.1").await.unwrap();
    auth::change_password(kit, session.operator, FIRST, OWN).await.unwrap();
    let session = auth::sign_in(kit, name, OWN, "127.0.0.1").await.unwrap();
    let cookie = session.set_cookie.split(';').next().unwrap().to_owned();
    let value = cookie.split_once('=').unwrap().1.to_owned();
    (cookie, value)
}

async fn somebody_with_a_picture(kit: &Kit) -> PersonId {
    let mut tx = kit.begin().await.unwrap();
    let ada = person::add(&mut tx, None, &Particulars::named("ada", "艾达")).await.unwrap();
    consent::give(&mut tx, None, ada, Purpose::ProfilePicture, "v1", MONDAY).await.unwrap();
    picture::put(&mut tx, None, ada, &[0xff, 0xd8, 0xff, 1, 2, 3]).await.unwrap();
    tx.commit().await.unwrap();
    ada
}

/// Asks for a picture; whether it was journaled that it was seen.
async fn seen(routes: &Router, kit: &Kit, cookie: &str, path: &str) -> bool {
    let before = kit::journal::newest(kit.read()).await.unwrap();
    let request = Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap();
    let response = routes.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let after = kit::journal::events_after(kit.read(), before, 10).await.unwrap();
    after.iter().any(|event| event.kind == "picture.seen")
}

#[tokio::test]
async fn a_picture_without_its_rows_pass_is_journaled_as_seen() {
    for site in sites(&[people::MIGRATIONS, doors::MIGRATIONS].concat()).await {
        let kit = &site.kit;
        let ada = somebody_with_a_picture(kit).await;
        let (cookie, session) = viewer(kit, "one").await;
        let (_, other) = viewer(kit, "two").await;
        let routes =
            console::router(Console { kit: kit.clone(), live: kit.live().clone(), zone: TimeZone::UTC });
        let at = format!("/people/{}/photo", ada.0);
        let with = |session: &str, record| {
            let pass = picture::pass(kit.keys(), session, ada, record);
            format!("{at}?record=7&pass={pass}")
        };
        assert!(!seen(&routes, kit, &cookie, &with(&session, 7)).await);
        assert!(seen(&routes, kit, &cookie, &at).await);
        assert!(!seen(&routes, kit, &cookie, &at).await, "the same look again");
        site.clock.advance(SAME_LOOK);
        assert!(seen(&routes, kit, &cookie, &with(&session, 8)).await, "another record's");
        site.clock.advance(SAME_LOOK);
        assert!(seen(&routes, kit, &cookie, &with(&other, 7)).await, "another session's");
    }
}
