//! A large list, and a server that dies while it writes.

use std::time::Duration;

use kit::auth::Role;
use kit::testing::{databases, operator};
use people::person;
use roster::draft::{self, Confirmed};
use roster::import::{self, State};

use super::site::{Site, provider};

/// Ten batches, each of which takes a while.
const PEOPLE: usize = 10_000;

fn list() -> Vec<u8> {
    let rows = (0..PEOPLE).map(|at| format!("e{at},员工{at},\"{},{at}\"\n", at % 200));
    format!("工号,姓名,卡号\n{}", rows.collect::<String>()).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_half_way_goes_on_and_nobody_is_twice_or_missing() {
    provider();
    for database in databases().await {
        let site = Site::new(&database);
        let config = server::config::Config::read(site.file("server.toml").as_ref()).unwrap();
        let kit = server::serve::open(&config).await.unwrap();
        let by = operator(&kit, Role::Manager).await.id;
        let id = draft::put(&kit, by, "list.csv", list()).await.unwrap();
        let shown = draft::get(&kit, by, &id).unwrap().plan.fingerprint.clone();
        let confirmed = draft::confirm(&kit, by, &id, &shown, true).await.unwrap();
        let Confirmed::Begun(id) = confirmed else { panic!("nothing changed") };

        let server = site.serve();
        until(async || import::get(&kit, id).await.unwrap().unwrap().added > 0).await;
        // With SIGKILL.
        drop(server);
        let half = import::get(&kit, id).await.unwrap().unwrap();
        assert!(half.state == State::Writing && half.added < PEOPLE as u64, "{half:?}");
        assert_eq!(person::count(&kit).await.unwrap(), half.added, "a batch and how far it is are one");

        let _server = site.serve();
        until(async || import::get(&kit, id).await.unwrap().unwrap().state == State::Done).await;
        let whole = import::get(&kit, id).await.unwrap().unwrap();
        assert_eq!((whole.added, whole.cards, whole.overtaken), (PEOPLE as u64, PEOPLE as u64, 0));
        assert_eq!(person::count(&kit).await.unwrap(), PEOPLE as u64);
        kit.db().close().await;
        assert!(site.verify().status.success());
    }
}

async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), wait).await.unwrap();
}
