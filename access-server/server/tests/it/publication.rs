//! What is changed is put in force, whatever stands in the way at first.

use std::path::Path;
use std::time::Duration;

use domain::policy::PersonStatus;
use doors::import::{Options, Photos, import_text};
use doors::policy::published_version;
use kit::Kit;
use kit::testing::sites;
use kit::trouble::Trouble;
use people::person;
use server::slices::{self, InForce};
use tokio::sync::mpsc;

const SITE: &str = r#"
[site]
key = "centre"
name = "政务中心"

[[person]]
key = "ada"
name = "艾达"
"#;

async fn import(kit: &Kit) {
    let options = Options { by: None, dry_run: false, photos: Photos::LeaveOut };
    import_text(kit, SITE, Path::new(""), &options).await.unwrap();
}

async fn until(condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap();
}

/// A right is withdrawn while every connection for reading is taken for longer than a publication waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_fails_is_tried_again_until_it_succeeds() {
    for site in sites(&[people::MIGRATIONS, doors::MIGRATIONS, roster::MIGRATIONS].concat()).await {
        let kit = &site.kit;
        import(kit).await;
        let (_haves, asked) = mpsc::channel(1);
        let syncing = tokio::spawn(server::sync::run(kit.clone(), asked));
        until(async || published_version(kit).await.unwrap().0 == 1).await;
        let mut connection = kit.read().acquire().await.unwrap();
        let ada = person::by_key(&mut connection, "ada").await.unwrap().unwrap();
        let mut held = vec![connection];
        while held.len() < 8 {
            held.push(kit.read().acquire().await.unwrap());
        }
        let mut tx = kit.begin().await.unwrap();
        person::set_status(&mut tx, None, ada.id, PersonStatus::Suspended).await.unwrap();
        tx.commit().await.unwrap();
        let troubled = || kit.troubles().standing().contains_key(&Trouble::PolicyUnpublished);
        until(async || troubled()).await;
        drop(held);
        until(async || published_version(kit).await.unwrap().0 == 2).await;
        until(async || !troubled()).await;
        syncing.abort();
    }
}

#[tokio::test]
async fn a_policy_that_would_be_faulty_is_told_of_and_the_one_before_stays() {
    for site in sites(&[people::MIGRATIONS, doors::MIGRATIONS, roster::MIGRATIONS].concat()).await {
        let kit = &site.kit;
        assert!(matches!(slices::publish(kit).await.unwrap(), InForce::Nothing));
        import(kit).await;
        assert!(matches!(slices::publish(kit).await.unwrap(), InForce::Tables));
        // The commands let no such row be; an older program might have.
        let mut tx = kit.begin().await.unwrap();
        sqlx::query("UPDATE site SET zone = 'Asia/Nowhere'").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        assert!(matches!(slices::publish(kit).await.unwrap(), InForce::Before(_)));
        assert!(kit.troubles().standing().contains_key(&Trouble::PolicyFaulty));
        assert_eq!(published_version(kit).await.unwrap().0, 1);
    }
}
