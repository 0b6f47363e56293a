//! The live page as it is loaded.
#![expect(clippy::unwrap_used, reason = "a failing test says where it failed")]

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use console::Console;
use jiff::tz::TimeZone;
use kit::Kit;
use kit::auth::{self, Role};
use kit::testing::{Site, sites};
use tower::ServiceExt;

/// Journals as many records of the server's own; the last one's place.
async fn bookkeeping(site: &Site, count: u32) -> u64 {
    let mut tx = site.kit.begin().await.unwrap();
    for _ in 0..count {
        tx.record("site.changed", &()).await.unwrap();
    }
    tx.commit().await.unwrap();
    kit::journal::newest(site.kit.read()).await.unwrap()
}

/// A record that a controller sent as urgent.
async fn alarm(site: &Site) -> u64 {
    let seq = bookkeeping(site, 1).await;
    let mut tx = site.kit.begin().await.unwrap();
    sqlx::query("UPDATE journal SET source = 'controller-1', stream = 'urgent', kind = 'fire', body = $1 WHERE seq = $2")
        .bind(r#"{"zone":1,"change":"alarm"}"#)
        .bind(seq.cast_signed())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    seq
}

#[tokio::test]
async fn alarms_of_the_last_day_are_not_pushed_off_the_page() {
    for site in sites(&[people::MIGRATIONS, doors::MIGRATIONS].concat()).await {
        let old = alarm(&site).await;
        site.clock.advance(Duration::from_secs(24 * 60 * 60));
        let cookie = viewer(&site.kit).await;
        let mut alarms = Vec::new();
        for _ in 0..21 {
            alarms.push(alarm(&site).await);
        }
        let last = bookkeeping(&site, 60).await;
        let shown = shown(&site.kit, &cookie).await;
        let mut expected: Vec<u64> = (last - 49..=last).collect();
        expected.extend(&alarms[1..]);
        expected.sort_unstable();
        assert!(!expected.contains(&old));
        assert_eq!(shown.iter().rev().copied().collect::<Vec<_>>(), expected);
        bookkeeping(&site, 1).await;
        let alarm = alarm(&site).await;
        let shown = self::shown(&site.kit, &cookie).await;
        assert_eq!(shown.len(), 50 + 19, "one of the twenty stands among the others");
        assert_eq!(shown[0], alarm);
    }
}

/// The cookie of a viewer who has signed in.
async fn viewer(kit: &Kit) -> String {
    const FIRST: &str = "a first password";
    const OWN: &str = "a password of their own";
    auth::add(kit, None, "viewer", Role::Viewer, FIRST).await.unwrap();
    let session = auth::sign_in(kit, "viewer", FIRST, "127.0.0.1").await.unwrap();
    auth::change_password(kit, session.operator, FIRST, OWN).await.unwrap();
    let session = auth::sign_in(kit, "viewer", OWN, "127.0.0.1").await.unwrap();
    session.set_cookie.split(';').next().unwrap().to_owned()
}

/// The places of the records that the page lists, as it lists them.
async fn shown(kit: &Kit, cookie: &str) -> Vec<u64> {
    let routes = console::router(Console { kit: kit.clone(), live: kit.live().clone(), zone: TimeZone::UTC });
    let request = Request::get("/").header(header::COOKIE, cookie).body(Body::empty()).unwrap();
    let answer = routes.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let body = axum::body::to_bytes(answer.into_body(), 10_000_000).await.unwrap();
    let page = String::from_utf8(body.to_vec()).unwrap();
    page.split("data-seq=\"").skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
}
