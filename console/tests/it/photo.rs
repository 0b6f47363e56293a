//! Pictures of people: beside an event for who sees the event, otherwise journaled.

use std::time::Duration;

use axum::http::StatusCode;
use domain::ids::PersonId;
use kit::Kit;
use kit::auth::{OperatorId, Role};
use kit::looks::{SAME_LOOK, What};
use kit::testing::MONDAY;
use people::consent::{self, Purpose};
use people::person::{self, Particulars};
use people::picture;

use crate::browser::{Browser, sites};

async fn somebody_with_a_picture(kit: &Kit) -> PersonId {
    let mut tx = kit.begin().await.unwrap();
    let ada = person::add(&mut tx, None, &Particulars::named("ada", "艾达")).await.unwrap();
    consent::give(&mut tx, None, ada, Purpose::ProfilePicture, "v1", MONDAY).await.unwrap();
    picture::put(&mut tx, None, ada, &[0xff, 0xd8, 0xff, 1, 2, 3]).await.unwrap();
    tx.commit().await.unwrap();
    ada
}

/// Asks for a picture, and for another thing that is journaled in any case; whether it was journaled that the picture was
/// seen by itself.
async fn seen(browser: &Browser, kit: &Kit, path: &str) -> bool {
    let before = kit::journal::newest(kit.read()).await.unwrap();
    assert_eq!(browser.get(path).await.status, StatusCode::OK, "{path}");
    kit.saw(OperatorId(i64::try_from(before).unwrap() + 1000), None, What::List);
    let told = async {
        loop {
            let after = kit::journal::events_after(kit.read(), before, 10).await.unwrap();
            if after.iter().any(|event| event.body.contains("\"list\"")) {
                return after;
            }
            tokio::task::yield_now().await;
        }
    };
    let after = tokio::time::timeout(Duration::from_secs(20), told).await.expect("looks are written down");
    after.iter().any(|event| event.kind == "person.viewed" && event.body.contains("photograph"))
}

#[tokio::test]
async fn a_picture_without_its_rows_pass_is_journaled_as_seen() {
    for site in sites().await {
        let kit = &site.kit;
        let ada = somebody_with_a_picture(kit).await;
        let one = Browser::signed_in(kit, "one", Role::Viewer).await;
        let two = Browser::signed_in(kit, "two", Role::Viewer).await;
        let at = format!("/people/{}/photo", ada.0);
        let with = |session: &str, record| {
            let pass = picture::pass(kit.keys(), session, ada, record);
            format!("{at}?record=7&pass={pass}")
        };
        assert!(!seen(&one, kit, &with(&one.session, 7)).await);
        assert!(seen(&one, kit, &at).await);
        assert!(!seen(&one, kit, &at).await, "the same look again");
        site.clock.advance(SAME_LOOK);
        assert!(seen(&one, kit, &with(&one.session, 8)).await, "another record's");
        site.clock.advance(SAME_LOOK);
        assert!(seen(&one, kit, &with(&two.session, 7)).await, "another session's");
    }
}
