//! No event is lost, doubled or taken from the wrong hand.

use std::time::Duration;

use kit::db::Engine;
use kit::testing::databases;
use uplink::event::Stream;
use uplink::sync::{Chunk, Digest, Have, Set};
use uplink::topics::{self, Leaf};
use uplink::wire;

use super::broker::Broker;
use super::device::{Device, batch};
use super::site::{Server, Site};

async fn numbers(site: &Site, source: &str, stream: kit::Stream) -> Vec<u64> {
    let journal = site.journal().await;
    journal
        .iter()
        .filter(|event| event.source == source && event.stream == stream)
        .map(|event| event.number)
        .collect()
}

/// Waits until a page says what it should.
pub(crate) fn wait_for(server: &Server, site: &Site, path: &str, words: &str) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let page = server.get(site, path);
        if page.contains(words) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{words:?} is not in {page:?}");
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_and_back_loses_and_doubles_nothing() {
    crate::site::provider();
    for database in databases().await {
        let site = Site::new(&database);
        let _broker = Broker::start(site.directory.path(), site.broker_port);
        let mut server = Some(site.serve());
        let mut device = Device::connect(&site, "controller-1").await;
        let mut kills = vec![700, 400, 130];
        device
            .deliver(3, Stream::Bulk, 1000, |complete| {
                if kills.last().is_some_and(|at| complete >= *at) {
                    kills.pop();
                    server.take().unwrap().kill();
                    server = Some(site.serve());
                }
            })
            .await;
        device.deliver(3, Stream::Urgent, 5, |_| {}).await;
        assert_eq!(kills, Vec::<u64>::new());
        let (said, status, took) = server.take().unwrap().stop();
        assert!(status.success(), "{said}");
        assert!(took < Duration::from_secs(2), "stopping took {took:?}");
        assert_eq!(numbers(&site, "controller-1", kit::Stream::Bulk).await, (1..=1000).collect::<Vec<_>>());
        assert_eq!(numbers(&site, "controller-1", kit::Stream::Urgent).await, (1..=5).collect::<Vec<_>>());
        let verified = site.verify();
        let words = String::from_utf8(verified.stdout).unwrap();
        assert!(verified.status.success() && words.starts_with("intact: 10"), "{words}");
        assert!(!words.contains("signed up to record 0"), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_killed_and_back_loses_and_doubles_nothing() {
    crate::site::provider();
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let mut broker = Some(Broker::start(site.directory.path(), site.broker_port));
    let server = site.serve();
    let mut device = Device::connect(&site, "controller-1").await;
    let mut kills = vec![500, 200];
    device
        .deliver(1, Stream::Bulk, 800, |complete| {
            if kills.last().is_some_and(|at| complete >= *at) {
                kills.pop();
                broker.take();
                broker = Some(Broker::start(site.directory.path(), site.broker_port));
            }
        })
        .await;
    wait_for(&server, &site, "/health", "\"broker\":true");
    let (said, status, _) = server.stop();
    assert!(status.success(), "{said}");
    assert_eq!(numbers(&site, "controller-1", kit::Stream::Bulk).await, (1..=800).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_devices_certificate_cannot_write_for_another() {
    crate::site::provider();
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let _broker = Broker::start(site.directory.path(), site.broker_port);
    let server = site.serve();
    let mut device = Device::connect(&site, "controller-2").await;
    device.publish(&topics::topic("controller-1", Leaf::Event(Stream::Bulk)), batch(1, &[1, 2]));
    tokio::time::timeout(Duration::from_secs(20), device.refused.recv()).await.unwrap().unwrap();
    device.deliver(1, Stream::Bulk, 3, |_| {}).await;
    server.stop();
    assert_eq!(numbers(&site, "controller-1", kit::Stream::Bulk).await, Vec::<u64>::new());
    assert_eq!(numbers(&site, "controller-2", kit::Stream::Bulk).await, [1, 2, 3]);
}

/// What a device writes while the server is away waits for it, as far as there is room; the rest is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn one_device_does_not_fill_the_broker_while_the_server_is_away() {
    crate::site::provider();
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let broker = Broker::start(site.directory.path(), site.broker_port);
    let server = site.serve();
    wait_for(&server, &site, "/health", "\"broker\":true");
    server.stop();
    let mut device = Device::connect(&site, "controller-1").await;
    for sent in 1..=2500_u64 {
        device.say(Leaf::Event(Stream::Bulk), vec![b'x'; 60_000]);
        while device.acknowledged() + 50 < sent {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    let taken = broker.memory() >> 20;
    assert!((40..120).contains(&taken), "150 MB were sent, and {taken} MiB are kept");
    let server = site.serve();
    device.deliver(1, Stream::Bulk, 100, |_| {}).await;
    let (said, status, _) = server.stop();
    assert!(status.success(), "{said}");
    assert_eq!(numbers(&site, "controller-1", kit::Stream::Bulk).await, (1..=100).collect::<Vec<_>>());
}

/// A session belongs to a certificate, whatever client id its holder asks for.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_does_not_take_the_servers_place_at_the_broker() {
    crate::site::provider();
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let _broker = Broker::start(site.directory.path(), site.broker_port);
    let server = site.serve();
    wait_for(&server, &site, "/health", "\"broker\":true");
    let mut device = Device::connect_as(&site, "controller-2", "server").await;
    device.deliver(1, Stream::Bulk, 3, |_| {}).await;
    let (said, _, _) = server.stop();
    assert!(!said.contains("the broker is not connected"), "{said}");
    assert_eq!(numbers(&site, "controller-2", kit::Stream::Bulk).await, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_counted_told_once_and_changes_nothing() {
    crate::site::provider();
    let [database, _] = databases().await;
    assert_eq!(database.engine, Engine::Sqlite);
    let site = Site::new(&database);
    let _broker = Broker::start(site.directory.path(), site.broker_port);
    let server = site.serve();
    let mut device = Device::connect(&site, "controller-1").await;
    let secret = "4711-a-number-on-a-card";
    let hostile: [Vec<u8>; 6] = [
        secret.as_bytes().to_vec(),
        b"{\"v\":2,\"epoch\":1,\"events\":[]}".to_vec(),
        b"{\"v\":1,\"epoch\":1,\"events\":[]}".to_vec(),
        b"{\"v\":1,\"epoch\":1,\"events\":[{\"seq\":0,\"at\":1,\"kind\":\"door\",\"data\":{}}]}".to_vec(),
        b"{\"v\":1,\"epoch\":1,\"events\":[{\"seq\":1,\"at\":1,\"kind\":\"'; DROP TABLE journal\",\"data\":{}}]}".to_vec(),
        b"{\"v\":1,\"epoch\":1,\"events\":[{\"seq\":1,\"at\":1,\"kind\":\"person.removed\",\"data\":{}}]}".to_vec(),
    ];
    for payload in &hostile {
        device.say(Leaf::Event(Stream::Bulk), payload.clone());
    }
    device.say(Leaf::State, b"[]".to_vec());
    wait_for(&server, &site, "/metrics", "gatehouse_payloads_malformed_total 7\n");
    device.deliver(1, Stream::Bulk, 2, |_| {}).await;
    wait_for(&server, &site, "/metrics", "gatehouse_events_accepted_total 2\n");
    let (said, _, _) = server.stop();
    assert_eq!(said.matches("a payload was refused").count(), 1, "{said}");
    assert!(!said.contains(secret), "a payload is never logged");
    assert_eq!(numbers(&site, "controller-1", kit::Stream::Bulk).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn faces_go_to_vision_and_to_nobody_else() {
    crate::site::provider();
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let _broker = Broker::start(site.directory.path(), site.broker_port);
    let server = site.serve();
    let nothing = wire::encode(&Have { set: Set::Gallery, version: None, digest: Digest::default() });
    let mut controller = Device::connect(&site, "controller-1").await;
    controller.say(Leaf::SyncHave, nothing.clone());
    let mut vision = Device::connect(&site, "vision-1").await;
    vision.say(Leaf::SyncHave, nothing);
    let chunk: Chunk = wire::decode(&vision.hear(Leaf::SyncChunk).await).unwrap();
    assert_eq!((chunk.set, chunk.from, chunk.to), (Set::Gallery, None, 0));
    let (said, _, _) = server.stop();
    assert!(said.contains("asks for what is not for it"), "{said}");
    assert!(controller.heard.try_recv().is_err());
}

/// What is imported on the command line is in force and with the controllers at once, beside a running server.
#[tokio::test(flavor = "multi_thread")]
async fn an_imported_site_reaches_its_controller_while_the_server_runs() {
    crate::site::provider();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/demo/site.toml");
    for database in databases().await {
        let site = Site::new(&database);
        let _broker = Broker::start(site.directory.path(), site.broker_port);
        let server = site.serve();
        let mut controller = Device::connect(&site, "controller-1").await;
        let nothing = Have { set: Set::Policy, version: None, digest: Digest::default() };
        controller.say(Leaf::SyncHave, wire::encode(&nothing));
        // The broker keeps the order: when these are acknowledged, the server has heard what the controller holds.
        controller.deliver(1, Stream::Bulk, 1, |_| {}).await;
        let config = site.file("server.toml");
        let import = ["import", file, "--config", &config, "--without-photographs"];
        let dry = crate::site::command(&[&import[..], &["--dry-run"]].concat());
        assert!(dry.status.success(), "{}", String::from_utf8_lossy(&dry.stderr));
        assert!(
            String::from_utf8(dry.stdout).unwrap().ends_with("nothing was changed: this was a dry run\n")
        );
        let done = crate::site::command(&import);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let chunk: Chunk = wire::decode(&controller.hear(Leaf::SyncChunk).await).unwrap();
        assert_eq!((chunk.set, chunk.from, chunk.to), (Set::Policy, None, 1));
        assert!(!chunk.changes.is_empty());
        let (said, status, _) = server.stop();
        assert!(status.success(), "{said}");
        let verified = site.verify();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }
}
