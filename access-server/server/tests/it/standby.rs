//! Two servers on one PostgreSQL and one broker: one is active, and whatever becomes of it, nothing is lost or doubled.

use std::process::Command;
use std::time::{Duration, Instant};

use kit::db::Engine;
use kit::testing::databases;
use uplink::event::Stream;

use super::broker::{Broker, free_port};
use super::device::Device;
use super::site::{Server, Site, command, provider};

const PATIENCE: Duration = Duration::from_secs(60);

/// The same site on a second machine: a copy of its directory, with another port.
fn second(site: &Site, ports: [u16; 2]) -> Site {
    let directory = tempfile::tempdir().unwrap();
    let from = format!("{}/.", site.directory.path().display());
    let copied = Command::new("cp").args(["--archive", &from]).arg(directory.path()).status().unwrap();
    assert!(copied.success());
    let other = Site { directory, broker_port: site.broker_port, database: site.database.clone() };
    for (site, port) in [(site, ports[0]), (&other, ports[1])] {
        let config = site.file("server.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace("127.0.0.1:0", &format!("127.0.0.1:{port}"))).unwrap();
    }
    other
}

/// What a server that is not ready answers.
fn ask(site: &Site, port: u16, path: &str) -> String {
    let out = Command::new("curl")
        .args(["--silent", "--cacert", site.pki("ca.pem").to_str().unwrap()])
        .arg(format!("https://localhost:{port}{path}"))
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap()
}

fn wait_until_standing_by(site: &Site, port: u16) {
    let until = Instant::now() + PATIENCE;
    while !ask(site, port, "/health").contains("\"standby\":true") {
        assert!(Instant::now() < until, "it does not stand by");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Kills the active one, then holds up the next and lets it go on: each time the other takes over in the middle of a
/// device's events.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_or_held_up_the_other_takes_over() {
    provider();
    let [_, database] = databases().await;
    assert_eq!(database.engine, Engine::Postgres);
    let first = Site::new(&database);
    let ports = [free_port(), free_port()];
    let second = second(&first, ports);
    let _broker = Broker::start(first.directory.path(), first.broker_port);
    let mut active = Some(first.serve());
    let mut waiting = Some(second.stand_by());
    wait_until_standing_by(&second, ports[1]);
    assert!(ask(&second, ports[1], "/").contains("备用服务器"), "a person hears of it");
    assert!(ask(&second, ports[1], "/health").contains("\"takes_events\":false"));

    let mut device = Device::connect(&first, "controller-1").await;
    let mut held: Option<Server> = None;
    let mut took = Vec::new();
    device
        .deliver(1, Stream::Bulk, 1_500, |complete| {
            if complete >= 500 && took.is_empty() {
                active.take().unwrap().kill();
                let since = Instant::now();
                active = Some(waiting.take().unwrap().ready());
                took.push(("killed", since.elapsed()));
                waiting = Some(first.stand_by());
                wait_until_standing_by(&first, ports[0]);
            }
            if complete >= 1_000 && took.len() == 1 {
                let stopped = active.take().unwrap();
                stopped.signal("-STOP");
                let since = Instant::now();
                active = Some(waiting.take().unwrap().ready());
                took.push(("held up", since.elapsed()));
                stopped.signal("-CONT");
                held = Some(stopped);
            }
        })
        .await;
    let (said, status) = held.unwrap().ends();
    assert!(!status.success() && said.contains("is the active one now"), "{said}");
    device.deliver(1, Stream::Urgent, 5, |_| {}).await;
    let (said, status, _) = active.unwrap().stop();
    assert!(status.success(), "{said}");
    for (how, took) in took {
        eprintln!("taken over from one that was {how} in {took:?}");
        assert!(took < PATIENCE, "{how}: {took:?}");
    }
    let journal = first.journal().await;
    for (stream, last) in [(kit::Stream::Bulk, 1_500), (kit::Stream::Urgent, 5)] {
        let numbers: Vec<_> = journal
            .iter()
            .filter(|event| event.source == "controller-1" && event.stream == stream)
            .map(|event| event.number)
            .collect();
        assert_eq!(numbers, (1..=last).collect::<Vec<_>>(), "each once");
    }
    // Each machine's log is a witness of all of it, whoever signed.
    let verified = first.verify();
    let words = String::from_utf8(verified.stdout).unwrap();
    assert!(verified.status.success() && words.starts_with("intact: "), "{words}");
    assert!(!words.contains("lacks"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_hands_over() {
    provider();
    let [_, database] = databases().await;
    let first = Site::new(&database);
    let ports = [free_port(), free_port()];
    let second = second(&first, ports);
    let active = first.serve();
    let waiting = second.stand_by();
    wait_until_standing_by(&second, ports[1]);
    // The command line of either machine works beside the active server, as it does on one machine.
    let added = command(&["operator", "add", "--config", &second.file("server.toml"), "ada"]);
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let (_, status, _) = active.stop();
    assert!(status.success());
    let active = waiting.ready();
    let (said, status, _) = active.stop();
    assert!(status.success(), "{said}");
}
