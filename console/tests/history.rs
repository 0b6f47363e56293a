//! The journal backwards: every record once, from any day, alarms alone.
#![expect(clippy::unwrap_used, reason = "a failing test says where it failed")]

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use console::Console;
use jiff::tz::TimeZone;
use kit::Kit;
use kit::auth::{self, Role};
use kit::journal::{newest, place_at};
use kit::testing::{MONDAY, sites};
use serde_json::json;
use tower::ServiceExt;

const FIRST: &str = "a first password";
const OWN: &str = "a password of their own";
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

async fn viewer(kit: &Kit) -> (Router, String) {
    auth::add(kit, None, "eye", Role::Viewer, FIRST).await.unwrap();
    let session = auth::sign_in(kit, "eye", FIRST, "127.0.0.1").await.unwrap();
    auth::change_password(kit, session.operator, FIRST, OWN).await.unwrap();
    let session = auth::sign_in(kit, "eye", OWN, "127.0.0.1").await.unwrap();
    let cookie = session.set_cookie.split(';').next().unwrap().to_owned();
    let console = Console { kit: kit.clone(), live: kit.live().clone(), zone: TimeZone::UTC };
    (console::router(console), cookie)
}

async fn get((routes, cookie): &(Router, String), path: &str) -> (StatusCode, String) {
    let request = Request::get(path).header(header::COOKIE, format!("{cookie}; language=en"));
    let response = routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let page = to_bytes(response.into_body(), 4 << 20).await.unwrap();
    (status, String::from_utf8(page.to_vec()).unwrap())
}

#[tokio::test]
async fn every_record_is_seen_once_from_the_newest_to_the_first() {
    for site in sites(&[people::MIGRATIONS, doors::MIGRATIONS].concat()).await {
        let kit = &site.kit;
        let mut tx = kit.begin().await.unwrap();
        for number in 0..250 {
            tx.record("site.changed", &json!({ "number": number })).await.unwrap();
        }
        tx.commit().await.unwrap();
        let viewer = viewer(kit).await;
        let (mut seen, mut next) = (Vec::new(), "/history".to_owned());
        loop {
            let (_, page) = get(&viewer, &next).await;
            seen.extend(
                page.split("data-seq=\"")
                    .skip(1)
                    .map(|rest| rest.split('"').next().unwrap().parse::<u64>().unwrap()),
            );
            let Some(link) = page.split("rel=\"next\" href=\"").nth(1) else { break };
            next = link.split('"').next().unwrap().replace("&amp;", "&");
        }
        let all: Vec<u64> = (1..=newest(kit.read()).await.unwrap()).rev().collect();
        assert_eq!(seen, all);
        let (status, page) = get(&viewer, "/history?urgent=yes").await;
        assert!(status == StatusCode::OK && page.contains("Nothing is before this"), "no alarm among them");
        let (status, page) = get(&viewer, "/history?day=yesterday").await;
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("This is not a day"));
    }
}

#[tokio::test]
async fn a_day_is_found_in_a_long_journal() {
    for site in sites(&[people::MIGRATIONS, doors::MIGRATIONS].concat()).await {
        let kit = &site.kit;
        assert_eq!(place_at(kit.read(), MONDAY).await.unwrap(), 1, "an empty journal");
        let mut tx = kit.begin().await.unwrap();
        for number in 0..7 {
            tx.record("site.changed", &json!({ "number": number })).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut tx = kit.begin().await.unwrap();
        for number in 1..=7 {
            sqlx::query("UPDATE journal SET received = $2 WHERE seq = $1")
                .bind(number)
                .bind(MONDAY + number / 2 * DAY)
                .execute(&mut *tx)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        for (day, place) in [(-1, 1), (0, 1), (1, 2), (2, 4), (3, 6), (4, 8), (9, 8)] {
            assert_eq!(place_at(kit.read(), MONDAY + day * DAY).await.unwrap(), place, "day {day}");
        }
    }
}
