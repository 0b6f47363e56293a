//! The journal backwards: every record once; and whatever is looked for in it.

use axum::http::StatusCode;
use kit::auth::Role;
use kit::journal::{newest, place_at};
use kit::testing::MONDAY;
use people::person::{self, Particulars};
use serde_json::json;

use crate::browser::{Browser, sites};

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

#[tokio::test]
async fn every_record_is_seen_once_from_the_newest_to_the_first() {
    for site in sites().await {
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
        records::catch_up(kit).await.unwrap();
        let urgent = viewer.get("/history?what=urgent").await;
        assert!(urgent.page.contains("Nothing was found"), "no alarm among them");
        let wrong = viewer.get("/history?from=yesterday").await;
        assert!(wrong.status == StatusCode::UNPROCESSABLE_ENTITY && wrong.page.contains("This is not a day"));
        let backwards = viewer.get("/history?from=2026-03-03&until=2026-03-02").await;
        assert!(backwards.status == StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            backwards.page.contains("This is before the first day") && backwards.page.contains("2026-03-03")
        );
    }
}

#[tokio::test]
async fn a_day_is_found_in_a_long_journal() {
    for site in sites().await {
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

#[tokio::test]
async fn records_are_found_by_who_where_and_what_and_saved_as_a_table() {
    for site in sites().await {
        let kit = &site.kit;
        let mut tx = kit.begin().await.unwrap();
        let lin = person::add(&mut tx, None, &Particulars::named("lin", "林晓雨")).await.unwrap().0;
        let wang = person::add(&mut tx, None, &Particulars::named("wang", "=王建国")).await.unwrap().0;
        for (person, outcome) in [(lin, "granted"), (wang, "granted"), (lin, "denied"), (wang, "denied")] {
            tx.record("access", &access(person, outcome)).await.unwrap();
        }
        tx.commit().await.unwrap();
        records::catch_up(kit).await.unwrap();
        let viewer = Browser::signed_in(kit, "eye", Role::Viewer).await;
        let found = async |question: &str| viewer.get(&format!("/history?{question}")).await;

        let hers = found("who=lxy").await;
        assert_eq!(hers.records().len(), 3, "the two and that she was added");
        assert_eq!(found("who=lxy&what=access.denied").await.records().len(), 1);
        assert_eq!(found(&format!("person={wang}&what=access.granted")).await.records().len(), 1);
        assert_eq!(found("what=reason.outside-schedule").await.records().len(), 2);
        assert_eq!(found("door=3").await.records().len(), 4);
        assert_eq!(found("door=4").await.records().len(), 0);
        let nobody = found("who=zhang").await;
        assert!(nobody.status == StatusCode::UNPROCESSABLE_ENTITY && nobody.page.contains("Nobody is found"));
        assert!(!hers.page.contains("history.csv"), "who may not save is not offered it");
        assert_eq!(viewer.get("/history.csv?who=lxy").await.status, StatusCode::FORBIDDEN);

        let operator = Browser::signed_in(kit, "desk", Role::Operator).await;
        assert_eq!(
            operator.get("/history.csv?what=everything").await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
        assert_eq!(operator.get("/history.csv?door=front").await.status, StatusCode::UNPROCESSABLE_ENTITY);
        let table = operator.get("/history.csv?what=access.denied").await;
        let lines: Vec<&str> = table.page.lines().collect();
        assert_eq!(lines.len(), 3, "a line for each and one of headings: {lines:?}");
        assert!(lines[0].starts_with('\u{feff}'));
        assert!(lines.iter().any(|line| line.contains("\"'=王建国\"")), "no cell is a formula: {lines:?}");
        let told = viewer.get("/history").await;
        assert!(told.page.contains("saved records as a table"));
    }
}

fn access(person: u64, outcome: &str) -> serde_json::Value {
    let reasons = if outcome == "denied" { json!([{ "code": "outside-schedule" }]) } else { json!([]) };
    json!({ "door": 3, "side": "entry", "person": person, "outcome": outcome, "reasons": reasons,
        "trace": { "policy_version": 1, "shown": [], "rules": [], "centre": "not-needed" } })
}
