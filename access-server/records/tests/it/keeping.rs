//! The index follows the journal, whoever writes to it.

use std::time::Duration;

use kit::testing::sites;
use records::{Place, Question, catch_up, keep, progress, search};
use serde_json::json;

#[tokio::test]
async fn what_is_journaled_can_soon_be_found() {
    for site in sites(records::MIGRATIONS).await {
        let kit = &site.kit;
        let keeping = tokio::spawn(keep(kit.clone()));
        let mut tx = kit.begin().await.unwrap();
        let seq = tx.record("access", &json!({ "person": 7, "outcome": "denied" })).await.unwrap();
        tx.commit().await.unwrap();
        let question = Question { people: Some(vec![7]), ..Question::default() };
        let found = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                let found = search(kit, &question, Place::END, 10).await.unwrap();
                if found.up_to >= seq {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert_eq!(found.await.unwrap().records[0].seq, seq);
        keeping.abort();
    }
}

#[tokio::test]
async fn two_who_keep_it_write_each_record_once() {
    for site in sites(records::MIGRATIONS).await {
        let kit = &site.kit;
        let mut tx = kit.begin().await.unwrap();
        for number in 0..2500 {
            tx.record("site.changed", &json!({ "number": number })).await.unwrap();
        }
        tx.commit().await.unwrap();
        let (one, other) = tokio::join!(catch_up(kit), catch_up(kit));
        one.unwrap();
        other.unwrap();
        assert_eq!(progress(kit).await.unwrap(), 2500);
        let (mut seen, mut before) = (0, Place::END);
        loop {
            let found = search(kit, &Question::default(), before, 1000).await.unwrap();
            seen += found.records.len();
            let Some(next) = found.next else { break };
            before = next;
        }
        assert_eq!(seen, 2500);
    }
}
