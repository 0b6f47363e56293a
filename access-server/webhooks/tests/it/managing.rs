//! Making, changing and ending webhooks.

use kit::Kit;
use kit::testing::sites;
use webhooks::{Draft, HOOKS, HookError, HookId, Topic};

use crate::receiver::administrator;

async fn add(kit: &Kit, name: &str) -> Result<HookId, HookError> {
    let by = kit::auth::list(kit).await.unwrap()[0].id;
    let draft = Draft::parse(name, "https://hooks.example.cn/in?key=secret", &[Topic::Alarms])?;
    let mut tx = kit.begin().await.unwrap();
    let (id, _) = webhooks::add(&mut tx, by, &draft).await?;
    tx.commit().await.unwrap();
    Ok(id)
}

#[tokio::test]
async fn a_webhook_is_changed_and_ended_and_neither_address_nor_secret_is_kept_in_clear() {
    for site in sites(webhooks::MIGRATIONS).await {
        let by = administrator(&site.kit).await;
        let id = add(&site.kit, "payroll").await.unwrap();
        assert!(matches!(add(&site.kit, "payroll").await, Err(HookError::Exists)));
        assert!(matches!(add(&site.kit, " ").await, Err(HookError::Name)));
        let (address, secret): (Vec<u8>, Vec<u8>) =
            sqlx::query_as("SELECT address, secret FROM webhook").fetch_one(site.kit.read()).await.unwrap();
        assert!(!address.windows(8).any(|it| it == b"hooks.ex"), "it is sealed");
        assert!(secret.len() > 32, "it is sealed");

        let draft =
            Draft::parse("wages", "https://hooks.example.cn/other", &[Topic::People, Topic::Alarms]).unwrap();
        let mut tx = site.kit.begin().await.unwrap();
        webhooks::change(&mut tx, by, id, &draft).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(webhooks::hooks(&site.kit).await.unwrap()[0].draft, draft);

        let mut tx = site.kit.begin().await.unwrap();
        webhooks::remove(&mut tx, by, id).await.unwrap();
        assert!(matches!(webhooks::remove(&mut tx, by, id).await, Err(HookError::Unknown)));
        assert!(matches!(webhooks::change(&mut tx, by, id, &draft).await, Err(HookError::Unknown)));
        assert!(matches!(webhooks::test(&mut tx, by, id).await, Err(HookError::Unknown)));
        tx.commit().await.unwrap();
        assert!(webhooks::hooks(&site.kit).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn there_are_only_so_many() {
    for site in sites(webhooks::MIGRATIONS).await {
        administrator(&site.kit).await;
        for number in 0..HOOKS {
            add(&site.kit, &format!("hook {number}")).await.unwrap();
        }
        assert!(matches!(add(&site.kit, "one more").await, Err(HookError::Full)));
    }
}
