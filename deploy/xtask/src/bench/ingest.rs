//! `ingest`: events from MQTT to a durable row, against Node with `mqtt` and `better-sqlite3`.
//!
//! Each side has a Mosquitto of its own with the site's configuration (mutual TLS) and controllers of its own that flood
//! it by the rules of the wire, with the same payloads; the two take turns of two seconds. Ours is the server as it
//! ships, hash chain and all. On one core: the program on one, its broker and controllers on the other; on two:
//! everybody where the kernel likes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use building::broker::{Broker, Certificates};
use building::process::{Process, free_port};
use serde::Deserialize;

use super::conditions::Watch;
use super::turns::{Figures, alternate};
use super::{Comparison, built, peers, verdict};
use crate::run::output;

const PAIRS: usize = 4;
const SLICE_MS: u64 = 2000;
const CONTROLLERS: u32 = 8;
const EVENTS_GOAL: f64 = 8.0;
const CPU_GOAL: f64 = 10.0;

/// One side: who takes the events, and who sends them.
struct Side {
    consumer: Process,
    broker: Broker,
    controllers: Process,
    database: PathBuf,
    sent: u64,
}

/// What the controllers say after a turn.
#[derive(Deserialize)]
struct Turn {
    events: u64,
    seconds: f64,
}

/// What a journal holds.
#[derive(Deserialize)]
struct Rows {
    events: u64,
    gaps: u64,
}

pub(super) fn compare(watch: &mut Watch) -> Result<Vec<Comparison>> {
    ensure!(std::thread::available_parallelism()?.get() >= 2, "ingest: two processors are needed");
    let programs = built("server", &[("--bin", "gatehouse-server"), ("--example", "controllers")])?;
    let [server, controllers] = programs.as_slice() else { unreachable!("two were asked for") };
    let (node, script) = peers::node()?;
    let folder = peers::scratch("ingest")?;
    let site = folder.join("site");
    let ports = [free_port()?, free_port()?];
    make(server, &site, ports[0])?;

    let pki = site.join("pki");
    let start = |name: &str, port: u16, database: PathBuf, consumer: &dyn Fn(&Path) -> Result<Process>| {
        let logs = folder.join(name);
        fs::create_dir(&logs)?;
        let certificates = Certificates {
            ca: pki.join("ca.pem"),
            certificate: pki.join("broker.pem"),
            key: pki.join("broker.key"),
        };
        let broker = Broker::start(&logs, port, &certificates)?;
        let consumer = consumer(&logs)?;
        let count = CONTROLLERS.to_string();
        let port = port.to_string();
        let words = [Path::new(&port), &pki, Path::new(&count)];
        let mut controllers = Process::start("controllers", controllers, words, &logs)?;
        controllers.ready(Duration::from_secs(30))?;
        Ok::<_, anyhow::Error>(Side { consumer, broker, controllers, database, sent: 0 })
    };
    let config = site.join("server.toml");
    let mut ours = start("ours", ports[0], site.join("site.db"), &|logs| {
        let words = [Path::new("serve"), Path::new("--config"), &config];
        let mut process = Process::start("gatehouse-server", server, words, logs)?;
        process.ready(Duration::from_secs(30))?;
        process.log_says("the broker is connected", Duration::from_secs(30))?;
        Ok(process)
    })?;
    let rows = folder.join("peer.db");
    let versions = std::cell::RefCell::new(String::new());
    let mut peer = start("peer", ports[1], rows.clone(), &|logs| {
        let port = ports[1].to_string();
        let words = [&script.join("ingest.js"), Path::new(&port), &pki, &rows];
        let mut process = Process::start("node", &node, words, logs)?;
        *versions.borrow_mut() = process.ready(Duration::from_secs(30))?;
        Ok(process)
    })?;
    let versions = versions.into_inner();
    eprintln!(
        "  ingest: the peer: {versions}; both: Mosquitto with mutual TLS, SQLite, write-ahead log, synchronous = FULL"
    );

    let mut comparisons = Vec::new();
    watch.begin()?;
    for (cores, consumer, others) in [("1 core", "1", "0"), ("2 cores", "0,1", "0,1")] {
        for side in [&ours, &peer] {
            pin(side.consumer.pid(), consumer)?;
            pin(side.broker.pid(), others)?;
            pin(side.controllers.pid(), others)?;
        }
        for per_message in [1, 100] {
            let paired = alternate(PAIRS, || ours.turn(per_message), || peer.turn(per_message))?;
            let compared = |what, figure, unit, goal, shown: fn(f64) -> f64, ratio| Comparison {
                bench: "ingest",
                case: format!("{what}, {per_message} a message, {cores}"),
                ours: shown(paired.ours(figure)),
                peer: shown(paired.peer(figure)),
                peer_name: "node mqtt + better-sqlite3".to_owned(),
                unit,
                ratio,
                goal,
                stretch: false,
                verdict: verdict(ratio, goal),
            };
            let ratio = watch.ratios(&paired.ratios("elapsed"));
            comparisons.push(compared("events", "elapsed", "events/s", EVENTS_GOAL, |us| 1e6 / us, ratio));
            let ratio = watch.ratios(&paired.ratios("cpu"));
            comparisons.push(compared("CPU", "cpu", "us CPU/event", CPU_GOAL, |us| us, ratio));
        }
    }
    watch.end()?;

    // No ratio without the rows.
    let verify = [Path::new("verify"), Path::new("--config"), &config];
    for side in [ours, peer] {
        side.check()?;
    }
    let intact = output(Command::new(server).args(verify))?;
    eprintln!("  ingest: ours afterwards {}", intact.trim());
    fs::remove_dir_all(&folder).with_context(|| format!("clearing {}", folder.display()))?;
    Ok(comparisons)
}

/// A site with a certificate for each controller.
pub(super) fn make(server: &Path, site: &Path, broker: u16) -> Result<()> {
    let mut init = Command::new(server);
    init.args(["init", "--listen", "127.0.0.1:0", "--broker", &format!("localhost:{broker}"), "--directory"]);
    output(init.arg(site))?;
    for number in 1..=CONTROLLERS {
        let mut issue = Command::new(server);
        issue.args(["pki", "issue", &format!("controller-{number}"), "--directory"]);
        output(issue.arg(site.join("pki")))?;
    }
    Ok(())
}

impl Side {
    /// One slice: microseconds of time and of the consumer's processor time for each event that became durable.
    fn turn(&mut self, per_message: u64) -> Result<Figures> {
        let before = processor_time(self.consumer.pid())?;
        self.controllers.say(&format!("{SLICE_MS} {per_message}"))?;
        let Turn { events, seconds } =
            self.controllers.wait_for(Duration::from_secs(60), |line| serde_json::from_str(line).ok())?;
        let cpu = processor_time(self.consumer.pid())? - before;
        ensure!(events > 0, "not one event in a turn");
        self.sent += events;
        let each = |seconds: f64| seconds * 1e6 / events as f64;
        Ok(Figures::from([("elapsed".to_owned(), each(seconds)), ("cpu".to_owned(), each(cpu))]))
    }

    /// Stops it; its rows must be what was sent, each once and without a gap.
    fn check(self) -> Result<()> {
        self.controllers.kill()?;
        self.consumer.stop(Duration::from_secs(10))?;
        self.broker.kill()?;
        let said =
            output(Command::new("/usr/bin/python3").arg(peers::script("count.py")).arg(&self.database))?;
        let rows: Rows = serde_json::from_str(&said)?;
        ensure!(
            rows.events == self.sent && rows.gaps == 0,
            "{}: {} events of {}, {} streams with gaps: no ratio",
            self.database.display(),
            rows.events,
            self.sent,
            rows.gaps
        );
        Ok(())
    }
}

pub(super) fn pin(process: u32, processors: &str) -> Result<()> {
    let pid = process.to_string();
    output(Command::new("taskset").args(["--all-tasks", "--cpu-list", "--pid", processors, &pid])).map(drop)
}

/// User and system time of a process with all its threads, in seconds; the kernel tells hundredths.
pub(super) fn processor_time(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))
        .context("a process under measurement has ended")?;
    let (_, fields) = stat.rsplit_once(')').context("an unknown form of /proc/<pid>/stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}
