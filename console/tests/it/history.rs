//! The journal backwards: every record once, from any day, alarms alone.

use axum::http::StatusCode;
use kit::auth::Role;
use kit::journal::{newest, place_at};
use kit::testing::{MONDAY, sites};
use serde_json::json;

use crate::browser::Browser;

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

#[tokio::test]
async fn every_record_is_seen_once_from_the_newest_to_the_first() {
    for site in sites(&[people::MIGRATIONS, doors::MIGRATIONS].concat()).await {
        let kit = &site.kit;
        let mut tx = kit.begin().await.unwrap();
        for number in 0..250 {
            tx.record("site.changed", &json!({ "number": number })).await.unwrap();
        }
        tx.commit().await.unwrap();
        let viewer = Browser::signed_in(kit, "eye", Role::Viewer).await;
        let (mut seen, mut next) = (Vec::new(), Some("/history".to_owned()));
        while let Some(path) = next {
            let answer = viewer.get(&path).await;
            seen.extend(answer.records());
            next = answer.next();
        }
        let all: Vec<u64> = (1..=newest(kit.read()).await.unwrap()).rev().collect();
        assert_eq!(seen, all);
        let urgent = viewer.get("/history?urgent=yes").await;
        assert!(urgent.page.contains("Nothing is before this"), "no alarm among them");
        let wrong = viewer.get("/history?day=yesterday").await;
        assert!(wrong.status == StatusCode::UNPROCESSABLE_ENTITY && wrong.page.contains("This is not a day"));
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
