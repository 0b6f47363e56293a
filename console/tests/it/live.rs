//! The live page as it is loaded.

use std::time::Duration;

use kit::auth::Role;
use kit::testing::Site;

use crate::browser::{Browser, sites};

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
async fn a_wrong_address_is_answered_with_a_page() {
    let site = sites().await.remove(0);
    let viewer = Browser::signed_in(&site.kit, "eye", Role::Viewer).await;
    let answer = viewer.get("/no/such/page").await;
    assert_eq!(answer.status, axum::http::StatusCode::NOT_FOUND);
    assert!(answer.page.contains("<h1>") && !answer.page.contains("\"type\""), "{}", answer.page);
}

#[tokio::test]
async fn alarms_of_the_last_day_are_not_pushed_off_the_page() {
    for site in sites().await {
        let old = alarm(&site).await;
        site.clock.advance(Duration::from_secs(24 * 60 * 60));
        let viewer = Browser::signed_in(&site.kit, "eye", Role::Viewer).await;
        let mut alarms = Vec::new();
        for _ in 0..21 {
            alarms.push(alarm(&site).await);
        }
        let last = bookkeeping(&site, 60).await;
        let shown = viewer.get("/").await.records();
        let mut expected: Vec<u64> = (last - 49..=last).collect();
        expected.extend(&alarms[1..]);
        expected.sort_unstable();
        assert!(!expected.contains(&old));
        assert_eq!(shown.iter().rev().copied().collect::<Vec<_>>(), expected);
        bookkeeping(&site, 1).await;
        let alarm = alarm(&site).await;
        let shown = viewer.get("/").await.records();
        assert_eq!(shown.len(), 50 + 19, "one of the twenty stands among the others");
        assert_eq!(shown[0], alarm);
    }
}
