//! The pages of people: found, added, changed, stopped; what is refused keeps what was typed and changes nothing.

use axum::http::StatusCode;
use kit::Kit;
use kit::auth::Role;
use people::person::{self, Particulars};
use people::{credential, find};

use crate::browser::{Browser, sites};

async fn somebody(kit: &Kit, key: &str, name: &str) -> u64 {
    let mut tx = kit.begin().await.unwrap();
    let id = person::add(&mut tx, None, &Particulars::named(key, name)).await.unwrap();
    tx.commit().await.unwrap();
    id.0
}

#[tokio::test]
async fn people_are_found_by_pinyin_and_shown_page_by_page() {
    for site in sites().await {
        let kit = &site.kit;
        let lin = somebody(kit, "lin", "林晓雨").await;
        for number in 0..60 {
            somebody(kit, &format!("e{number}"), &format!("员工{number:02}")).await;
        }
        let operator = Browser::signed_in(kit, "op", Role::Operator).await;
        let found = operator.get("/people?find=lxy").await.page;
        assert!(found.contains(&format!("href=\"/people/{lin}\"")) && found.contains("1 person"));
        assert!(!found.contains("员工"));
        let none = operator.get("/people?find=%3Cscript%3E").await.page;
        assert!(none.contains("Nobody is found") && !none.contains("<script>"), "{none}");

        let mut seen = 0;
        let mut next = Some("/people".to_owned());
        while let Some(path) = next {
            let answer = operator.get(&path).await;
            seen += answer.page.matches("<th scope=\"row\">").count();
            next = answer.next();
        }
        assert_eq!(seen, 61, "everybody once");
    }
}

#[tokio::test]
async fn a_person_is_added_changed_and_suspended() {
    for site in sites().await {
        let kit = &site.kit;
        let manager = Browser::signed_in(kit, "boss", Role::Manager).await;
        let refused =
            manager.post("/people", "kind=employee&name=&department=%E5%8A%9E%E5%85%AC%E5%AE%A4").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            refused.page.contains("Give a name") && refused.page.contains("办公室"),
            "what was typed stays"
        );
        assert_eq!(person::count(kit).await.unwrap(), 0);

        let fields = "kind=employee&name=%E6%9E%97%E6%99%93%E9%9B%A8&number=G1&until=2026-12-01";
        let added = manager.post("/people", fields).await;
        assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.page);
        let profile = manager.get(&added.to).await.page;
        assert!(profile.contains("Added.") && profile.contains("until 2026-12-02 00:00"), "{profile}");
        let path = added.to.split('?').next().unwrap().to_owned();

        // The same name again: first a question, then as it was answered; a number is nobody else's.
        let twice = manager.post("/people", "kind=employee&name=%E6%9E%97%E6%99%93%E9%9B%A8&number=G2").await;
        assert!(twice.status == StatusCode::UNPROCESSABLE_ENTITY && twice.page.contains("name=\"another\""));
        let fields = "kind=employee&name=%E6%9E%97%E6%99%93%E9%9B%A8&number=G1&another=yes";
        assert!(manager.post("/people", fields).await.page.contains("Somebody else has this number"));
        assert_eq!(person::count(kit).await.unwrap(), 1);

        let form = manager.get(&format!("{path}/edit")).await.page;
        let seen = form.split("name=\"seen\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let change = |clearance| {
            format!("kind=guard&name=Ada&number=G1&until=2026-12-01&key=G1&clearance={clearance}&seen={seen}")
        };
        assert_eq!(manager.post(&path, &change(3)).await.status, StatusCode::SEE_OTHER);
        let stale = manager.post(&path, &change(5)).await;
        assert!(stale.page.contains("changed this person after you opened"), "{}", stale.page);
        let suspended = manager.post(&format!("{path}/status"), "status=suspended").await;
        assert!(manager.get(&suspended.to).await.page.contains("no credential of theirs opens a door"));
        let list = manager.get("/people?find=ada").await.page;
        assert!(list.contains("Suspended") && list.contains("Guard"));
        assert_eq!(find::count(kit, &"lxy".into()).await.unwrap(), 0, "the former name finds nobody");

        let removed = manager.post(&format!("{path}/remove"), "").await;
        assert_eq!((removed.status, removed.to.as_str()), (StatusCode::SEE_OTHER, "/people"));
        assert_eq!(person::count(kit).await.unwrap(), 0);
        assert_eq!(manager.get(&path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn credentials_and_consents_are_given_and_taken_back() {
    for site in sites().await {
        let kit = &site.kit;
        let manager = Browser::signed_in(kit, "boss", Role::Manager).await;
        let id = somebody(kit, "ada", "艾达").await;
        let path = format!("/people/{id}");
        let wrong = manager.post(&format!("{path}/credentials"), "kind=pin&text=12&key=").await;
        assert!(wrong.status == StatusCode::UNPROCESSABLE_ENTITY && wrong.page.contains("4 to 8 digits"));
        for fields in ["kind=pin&text=2580&key=", "kind=card&text=26%3A0A1B2C40&key=blue"] {
            let added = manager.post(&format!("{path}/credentials"), fields).await;
            assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.page);
        }
        let taken =
            manager.post(&format!("{path}/credentials"), "kind=card&text=26%3A0A1B2C40&key=red").await;
        assert!(taken.page.contains("Somebody has this card") && !taken.page.contains("0A1B2C40\""));
        let person = domain::ids::PersonId(id);
        let known = credential::of_person(kit, person).await.unwrap();
        let card = format!("{path}/credentials/{}", known[1].id);

        // At night an operator stops a card; giving it back and taking it away are a manager's.
        let operator = Browser::signed_in(kit, "op", Role::Operator).await;
        assert_eq!(operator.post(&card, "status=lost").await.status, StatusCode::SEE_OTHER);
        for fields in ["status=active", "status=removed"] {
            assert_eq!(operator.post(&card, fields).await.status, StatusCode::FORBIDDEN);
        }
        assert!(manager.get(&path).await.page.contains("Lost"));

        let given = manager.post(&format!("{path}/consents"), "purpose=face-access&version=2026-1").await;
        assert_eq!(given.status, StatusCode::SEE_OTHER, "{}", given.page);
        let receipt = manager.post(&format!("{path}/consents/face-access/withdraw"), "").await;
        assert!(receipt.status == StatusCode::OK && receipt.page.contains("Receipt of withdrawal"));
        assert!(manager.get(&path).await.page.contains("withdrawn 20"));
    }
}

#[tokio::test]
async fn who_may_not_see_people_does_not() {
    let site = sites().await.remove(0);
    let kit = &site.kit;
    let id = somebody(kit, "ada", "艾达").await;
    let viewer = Browser::signed_in(kit, "eye", Role::Viewer).await;
    for path in ["/people".to_owned(), format!("/people/{id}"), format!("/people/{id}/edit")] {
        let answer = viewer.get(&path).await;
        assert!(answer.status == StatusCode::FORBIDDEN && !answer.page.contains("艾达"), "{path}");
    }
    let operator = Browser::signed_in(kit, "op", Role::Operator).await;
    assert_eq!(operator.get(&format!("/people/{id}/edit")).await.status, StatusCode::FORBIDDEN);
    assert!(!operator.get(&format!("/people/{id}")).await.page.contains("/edit"));
    let refused = operator.post(&format!("/people/{id}/status"), "status=suspended").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}
