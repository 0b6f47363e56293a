//! Commands, questions and live state, through the MQTT task and a real broker.

use std::time::Duration;

use kit::Kit;
use kit::auth::Role;
use kit::ingest::{self, Reactions};
use kit::journal::events_after;
use kit::link::{CommandError, LinkError};
use kit::testing::{databases, operator};
use kit::trouble::Trouble;
use server::mqtt::{self, Hub};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uplink::ask::{Answer, Ask};
use uplink::command::{Action, Command, Outcome, Settled};
use uplink::event::Side;
use uplink::live::Live;
use uplink::topics::Leaf;
use uplink::wire;

use super::broker::Broker;
use super::device::Device;
use super::site::{Site, provider};

const RELEASE: Action = Action::Release { door: 7, side: Side::Entry };

/// The server's way to the devices, within this process.
async fn within(site: &Site) -> (Kit, JoinSet<()>) {
    let config = server::config::Config::read(site.file("server.toml").as_ref()).unwrap();
    let kit = server::serve::open(&config).await.unwrap();
    let tls =
        server::tls::client(&site.pki("ca.pem"), &site.pki("server.pem"), &site.pki("server.key")).unwrap();
    let (ingest, queue) = ingest::queue(mqtt::QUEUE);
    let (safe, committed) = mpsc::channel(64);
    let (haves, _) = mpsc::channel(1);
    let hub = Hub::new(kit.clone(), ingest, haves);
    let port = site.broker_port;
    let mut tasks = JoinSet::new();
    let taking = ingest::run(kit.clone(), queue, Reactions::default(), safe);
    tasks.spawn(async move { taking.await.unwrap() });
    tasks.spawn(async move { mqtt::run(hub, "localhost", port, tls, committed).await });
    (kit, tasks)
}

async fn until(mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_journaled_carried_out_and_answered() {
    provider();
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let broker = Broker::start(site.directory.path(), site.broker_port);
    let (kit, _tasks) = within(&site).await;
    let guard = operator(&kit, Role::Guard).await;
    until(|| kit.link().is_up()).await;
    let mut device = Device::connect(&site, "controller-1").await;

    let (outcome, ()) =
        tokio::join!(kit.command((guard.id, Role::Guard), "controller-1", RELEASE, "a delivery"), async {
            let command: Command = wire::decode(&device.hear(Leaf::Command).await).unwrap();
            assert_eq!((command.action, command.rank, command.by), (RELEASE, 2, guard.id.0.cast_unsigned()));
            assert!(command.expires_at > kit.now(), "it has not expired on the way");
            let outcome = Outcome { id: command.id, at: kit.now(), settled: Settled::Done };
            device.say(Leaf::Result, wire::encode(&outcome));
        });
    assert_eq!(outcome.unwrap().settled, Settled::Done);
    let journal = events_after(kit.read(), 0, 100).await.unwrap();
    let given = journal.iter().find(|event| event.kind == "command.given").unwrap();
    assert!(given.body.contains("a delivery"), "the reason is kept");

    let silent = kit.command((guard.id, Role::Guard), "controller-2", RELEASE, "nobody there").await;
    assert!(matches!(silent, Err(CommandError::NoAnswer)));

    drop(broker);
    until(|| !kit.link().is_up()).await;
    assert!(kit.troubles().standing().contains_key(&Trouble::BrokerAway));
    let refused = kit.command((guard.id, Role::Guard), "controller-1", RELEASE, "too late").await;
    assert!(matches!(refused, Err(CommandError::Link(LinkError::Down))));

    let _broker = Broker::start(site.directory.path(), site.broker_port);
    until(|| kit.link().is_up()).await;
    assert!(!kit.troubles().standing().contains_key(&Trouble::BrokerAway));
    device.say(Leaf::Ask, ask(1, kit.now() + 10_000_000));
    loop {
        // Nothing of before the break comes after it.
        let (leaf, payload) =
            tokio::time::timeout(Duration::from_secs(20), device.heard.recv()).await.unwrap().unwrap();
        assert_ne!(leaf, Leaf::Command);
        if leaf == Leaf::Answer {
            let answer: Answer = wire::decode(&payload).unwrap();
            assert_eq!((answer.id, answer.objections.len()), (1, 0));
            break;
        }
    }
}

/// An import holds the one writer. Its time is not the controller's, and what waited too long is not done at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_waits_for_the_writer_is_sent_whole_or_not() {
    provider();
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let _broker = Broker::start(site.directory.path(), site.broker_port);
    let (kit, _tasks) = within(&site).await;
    let guard = operator(&kit, Role::Guard).await;
    until(|| kit.link().is_up()).await;
    let mut device = Device::connect(&site, "controller-1").await;

    let writing = kit.begin().await.unwrap();
    let refused = kit.command((guard.id, Role::Guard), "controller-1", RELEASE, "too long").await;
    assert!(matches!(refused, Err(CommandError::Busy)));
    let given = tokio::spawn({
        let (kit, guard) = (kit.clone(), guard.clone());
        async move { kit.command((guard.id, Role::Guard), "controller-1", RELEASE, "in time").await }
    });
    // What somebody else has to write takes this long.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let released = kit.now();
    drop(writing);
    let command: Command = wire::decode(&device.hear(Leaf::Command).await).unwrap();
    assert!(command.expires_at >= released + 2_000_000, "it has its two seconds from when it left");
    let outcome = Outcome { id: command.id, at: kit.now(), settled: Settled::Done };
    device.say(Leaf::Result, wire::encode(&outcome));
    assert_eq!(given.await.unwrap().unwrap().settled, Settled::Done);
    assert!(device.heard.try_recv().is_err(), "the first was never sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn live_state_is_held_with_its_age_and_questions_too_late_are_left() {
    provider();
    let [database, _] = databases().await;
    let site = Site::new(&database);
    let _broker = Broker::start(site.directory.path(), site.broker_port);
    let (kit, _tasks) = within(&site).await;
    until(|| kit.link().is_up()).await;
    let mut device = Device::connect(&site, "controller-1").await;
    let live = Live {
        at: kit.now() - 2_000_000,
        software: "1.0".into(),
        doors: Vec::new(),
        boards: Vec::new(),
        cameras: Vec::new(),
        outbox: None,
        replica_version: Some(3),
    };
    device.say(Leaf::State, wire::encode(&live));
    until(|| kit.live().all().contains_key("controller-1")).await;
    let heard = kit.live().all()["controller-1"].clone();
    assert_eq!(heard.live.replica_version, Some(3));
    assert!((-20_000_000..=-2_000_000).contains(&heard.clock_error), "its clock is two seconds behind");

    device.say(Leaf::Ask, ask(1, kit.now() - 1));
    device.say(Leaf::Ask, ask(2, kit.now() + 5_000_000));
    let answer: Answer = wire::decode(&device.hear(Leaf::Answer).await).unwrap();
    assert_eq!(answer.id, 2, "the first had expired");
}

fn ask(id: u64, expires_at: i64) -> Vec<u8> {
    wire::encode(&Ask { id, expires_at, person: 1, door: 7, side: Side::Entry })
}
