//! The wall of photographs: who came in by the doors that were chosen.

use axum::http::StatusCode;
use futures_util::StreamExt as _;
use kit::auth::Role;
use kit::testing::Site;

use crate::browser::{Browser, sites};

/// A passage that a controller told.
async fn passage(site: &Site, door: u64, side: &str, outcome: &str) -> u64 {
    let mut tx = site.kit.begin().await.unwrap();
    tx.record("site.changed", &()).await.unwrap();
    tx.commit().await.unwrap();
    let seq = kit::journal::newest(site.kit.read()).await.unwrap();
    let body = format!(
        r#"{{"door":{door},"side":"{side}","outcome":"{outcome}","person":null,"reasons":[],"alarms":[],"trace":{{}}}}"#
    );
    let mut tx = site.kit.begin().await.unwrap();
    sqlx::query("UPDATE journal SET source = 'controller-1', stream = 'bulk', kind = 'access', body = $1 WHERE seq = $2")
        .bind(body)
        .bind(seq.cast_signed())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    seq
}

#[tokio::test]
async fn it_is_for_those_on_duty_and_looking_is_journaled() {
    for site in sites().await {
        let viewer = Browser::signed_in(&site.kit, "eye", Role::Viewer).await;
        let guard = Browser::signed_in(&site.kit, "gus", Role::Guard).await;
        assert_eq!(viewer.get("/wall").await.status, StatusCode::FORBIDDEN);
        assert_eq!(viewer.get("/live/stream?view=wall").await.status, StatusCode::FORBIDDEN);
        assert!(!viewer.get("/").await.page.contains("href=\"/wall\""));
        assert!(guard.get("/").await.page.contains("href=\"/wall\""));
        assert_eq!(guard.get("/live/stream?view=wall&of=one").await.status, StatusCode::NOT_FOUND);
        let page = guard.get("/wall?door=3&door=1&door=3").await.page;
        assert!(page.contains("view=wall&amp;of=1%2C3"), "{page}");
        assert!(page.contains("Nobody came in yet"));
        let mut told = site.kit.events().subscribe(Some(0)).await.unwrap();
        let looked = async {
            loop {
                let event = told.next().await.unwrap();
                if event.kind == "people.viewed" && event.body.contains("\"wall\"") {
                    return;
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), looked)
            .await
            .expect("the look is journaled");
    }
}

#[tokio::test]
async fn who_leaves_is_not_on_it_nor_who_came_in_elsewhere() {
    for site in sites().await {
        let guard = Browser::signed_in(&site.kit, "gus", Role::Guard).await;
        let here = passage(&site, 1, "entry", "granted").await;
        passage(&site, 1, "exit", "granted").await;
        let elsewhere = passage(&site, 2, "entry", "denied").await;
        // The index of records is made behind the page's back: what it lacks the stream tells. A beat after the last
        // record that is waited for, whatever came before it has come.
        let seen = async |asked: &str, last: u64| {
            let body = guard.open(&format!("/live/stream?view=wall&of={asked}&after=0")).await;
            let mut frames = body.into_data_stream();
            let (mut text, last) = (String::new(), format!("data-seq=\"{last}\""));
            while !text.rsplit_once(&last).is_some_and(|(_, rest)| rest.contains("event: beat")) {
                text.push_str(std::str::from_utf8(&frames.next().await.unwrap().unwrap()).unwrap());
            }
            text
        };
        let all = seen("", elsewhere).await;
        assert!(all.contains(&format!("data-seq=\"{here}\"")), "{all}");
        assert_eq!(all.matches("data-seq=").count(), 2, "{all}");
        let one = seen("1", here).await;
        assert_eq!(one.matches("data-seq=").count(), 1, "{one}");
    }
}
