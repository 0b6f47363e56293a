//! A site of each schema there ever was, and today's server: no event is lost, and the chain is whole.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use kit::db::{Db, Engine};
use kit::ingest::{self, Lane, Offer, Reactions};
use kit::journal::{NewEvent, StoredEvent};
use kit::testing::{Database, databases};
use kit::{Clock, Keys, Kit, Migration, Stream};
use server::slices::migrations;
use sqlx::Connection;
use tokio::sync::mpsc;
use uplink::event::Stream as Wire;

use super::broker::Broker;
use super::device::Device;
use super::site::{PROGRAM, Site, command, provider};

/// Events in the old database.
const EVENTS: u64 = 2_300;

/// Slices that were not there from the first, and how many steps the longest slice had when they came.
const CAME_LATER: &[(&str, u32)] = &[("devices", 7), ("records", 5), ("roster", 6), ("webhooks", 6)];

/// The schemas that were: each slice as it was when it had so many steps. The first is the first release's.
fn earlier() -> Vec<Vec<Migration>> {
    let all = migrations();
    let last = all.iter().map(|step| step.number).max().unwrap();
    let came_with = |slice| CAME_LATER.iter().find(|(later, _)| *later == slice).map_or(1, |(_, with)| *with);
    let was_there = |step: &Migration, most| step.number <= most && came_with(step.slice) <= most;
    let upto = |most| all.iter().copied().filter(|step| was_there(step, most)).collect();
    (1..last).map(upto).collect()
}

/// A site whose database is still empty, and whose server was never started.
fn site(database: &Database) -> Site {
    let unused = "sqlite:unused.db";
    let site = Site::at(unused);
    let config = site.file("server.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace(unused, &database.address);
    assert!(text.contains(&database.address), "{text}");
    std::fs::write(&config, text).unwrap();
    std::fs::remove_file(site.file("checkpoints")).unwrap();
    Site { database: database.address.clone(), ..site }
}

/// Fills a database of this schema as a server of its time did: its own records, a device's events, and rows.
async fn live(site: &Site, steps: &[Migration]) -> Vec<Arc<StoredEvent>> {
    let db = Db::open(&site.database).await.unwrap();
    db.migrate(steps, 1).await.unwrap();
    let keys = Keys::open(Path::new(&site.file("keys"))).unwrap();
    let kit = Kit::new(db, Clock::Real, keys, Some(site.file("checkpoints").as_ref())).unwrap();
    let mut tx = kit.begin().await.unwrap();
    tx.record("operator.added", &1).await.unwrap();
    for row in [
        "INSERT INTO person (id, key, kind, name, latin, department, number, status, clearance, changed_at) \
         VALUES (7, 'lin', 'employee', '林 晓', '', '', 'A-7', 'active', 0, 5)",
        "INSERT INTO area (id, key, name, latin, kind) VALUES (3, 'tower', 'tower', '', 'building')",
    ] {
        sqlx::query(row).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    kit.checkpoint().await.unwrap();
    let (taking, queue) = ingest::queue(16);
    let (safe, mut committed) = mpsc::channel(16);
    let running = tokio::spawn(ingest::run(kit.clone(), queue, Reactions::default(), safe));
    for numbers in (1..=EVENTS).collect::<Vec<_>>().chunks(100) {
        let lane = Lane { source: "controller-1".to_owned(), epoch: 1, stream: Stream::Bulk };
        let event = |number: &u64| NewEvent {
            source: lane.source.clone(),
            epoch: 1,
            stream: Stream::Bulk,
            number: *number,
            at: 1_772_438_400_000_000,
            kind: "door".to_owned(),
            body: format!("{{\"door\":{number},\"change\":\"opened\"}}"),
        };
        let events = numbers.iter().map(event).collect();
        taking.offer(Offer { lane: lane.clone(), events, token: () }).unwrap();
        committed.recv().await.unwrap();
    }
    drop(taking);
    running.await.unwrap().unwrap();
    kit.db().close().await;
    let journal = site.journal().await;
    assert_eq!(journal.len() as u64, EVENTS + 1);
    journal
}

#[tokio::test(flavor = "multi_thread")]
async fn todays_server_takes_over_a_site_of_every_earlier_schema() {
    provider();
    assert!(earlier().len() >= 3, "there were some");
    for steps in earlier() {
        for database in databases().await {
            let site = site(&database);
            let before = live(&site, &steps).await;
            let _broker = Broker::start(site.directory.path(), site.broker_port);
            let server = site.serve();
            let mut device = Device::connect(&site, "controller-1").await;
            device.deliver(1, Wire::Bulk, EVENTS + 40, |_| {}).await;
            let (said, status, _) = server.stop();
            assert!(status.success(), "{said}");
            let after = site.journal().await;
            assert_eq!(after[..before.len()], before[..], "every event, as it was");
            let numbers: Vec<_> =
                after.iter().filter(|it| it.stream == Stream::Bulk).map(|it| it.number).collect();
            assert_eq!(numbers, (1..=EVENTS + 40).collect::<Vec<_>>());
            let verified = site.verify();
            let words = String::from_utf8(verified.stdout).unwrap();
            assert!(verified.status.success() && words.lines().count() == 1, "{words}");
            assert!(words.starts_with("intact: "), "{words}");
            assert_eq!(count(&steps_of(&site).await), migrations().len());
            let mut connection = sqlx::AnyConnection::connect(&site.database).await.unwrap();
            let (name,): (String,) = sqlx::query_as("SELECT name FROM person WHERE id = 7")
                .fetch_one(&mut connection)
                .await
                .unwrap();
            assert_eq!(name, "林 晓");
            connection.close().await.unwrap();
        }
    }
}

async fn steps_of(site: &Site) -> BTreeMap<String, Vec<i64>> {
    let mut connection = sqlx::AnyConnection::connect(&site.database).await.unwrap();
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT slice, number FROM migration ORDER BY slice, number")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    connection.close().await.unwrap();
    let mut steps: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (slice, number) in rows {
        steps.entry(slice).or_default().push(number);
    }
    steps
}

fn count(steps: &BTreeMap<String, Vec<i64>>) -> usize {
    steps.values().map(Vec::len).sum()
}

#[tokio::test]
async fn a_site_of_a_newer_schema_is_left_alone() {
    for database in databases().await {
        let site = Site::new(&database);
        let mut connection = sqlx::AnyConnection::connect(&site.database).await.unwrap();
        sqlx::query("INSERT INTO migration (slice, number, digest, applied_at) VALUES ('kit', 9000, $1, 1)")
            .bind(vec![1_u8])
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        let before = site.journal().await;
        let config = site.file("server.toml");
        for words in [["serve", "--config", &config], ["migrate", "--config", &config]] {
            let said = String::from_utf8(command(&words).stderr).unwrap();
            assert!(said.contains("kit 9000, which this program does not know: it is older"), "{said}");
        }
        let checked = command(&["check", "--config", &config]);
        assert!(!checked.status.success());
        assert!(String::from_utf8(checked.stdout).unwrap().contains("kit 9000"));
        assert_eq!(site.journal().await, before);
    }
}

/// Killed in the middle of it, however far it had come: the old schema or the new one, with every event; and the next
/// start brings it up to date.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_upgrade_leaves_the_old_schema_or_the_new_one() {
    let oldest = earlier().remove(0);
    for database in databases().await {
        let site = site(&database);
        let before = live(&site, &oldest).await;
        let old = steps_of(&site).await;
        let config = site.file("server.toml");
        let mut killed = 0;
        for delay in (0..400).step_by(4) {
            let mut child = Command::new(PROGRAM)
                .args(["migrate", "--config", &config])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(delay));
            child.kill().unwrap();
            let ended = child.wait().unwrap();
            killed += u32::from(ended.signal().is_some());
            let now = steps_of(&site).await;
            if now != old {
                assert_eq!(count(&now), migrations().len(), "neither the old schema nor the new one");
                break;
            }
        }
        assert!(killed > 0, "nothing was interrupted");
        assert!(command(&["migrate", "--config", &config]).status.success());
        assert_eq!(count(&steps_of(&site).await), migrations().len());
        assert_eq!(site.journal().await, before);
        assert!(site.verify().status.success());
    }
}

/// Held up in the middle of it, by somebody who reads a table that is being changed, and killed there.
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_is_killed_while_it_waits_leaves_the_old_schema() {
    let [_, database] = databases().await;
    assert_eq!(database.engine, Engine::Postgres);
    let site = site(&database);
    let before = live(&site, &earlier().remove(0)).await;
    let old = steps_of(&site).await;
    let mut reader = sqlx::AnyConnection::connect(&site.database).await.unwrap();
    let mut reading = reader.begin().await.unwrap();
    // A step that changes the table is held up: what came before it is done by then.
    sqlx::query("LOCK TABLE person IN ACCESS SHARE MODE").execute(&mut *reading).await.unwrap();
    let config = site.file("server.toml");
    let mut child =
        Command::new(PROGRAM).args(["migrate", "--config", &config]).stderr(Stdio::null()).spawn().unwrap();
    let waits = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND database = \
         (SELECT oid FROM pg_database WHERE datname = current_database())";
    let mut watcher = sqlx::AnyConnection::connect(&site.database).await.unwrap();
    let waiting = async {
        while sqlx::query_as::<_, (i64,)>(waits).fetch_one(&mut watcher).await.unwrap().0 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("a step changes the table `person`");
    child.kill().unwrap();
    child.wait().unwrap();
    reading.rollback().await.unwrap();
    let migrated = command(&["migrate", "--config", &config]);
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let said = String::from_utf8(migrated.stdout).unwrap();
    let missing = migrations().len() - count(&old);
    assert_eq!(said.trim(), format!("{missing} migrations applied"), "all of them: none was kept");
    assert_eq!(site.journal().await, before);
}
