//! `fanout`: an event on every screen, against Node with `mqtt`, `better-sqlite3` and `ws`.
//!
//! Each side has a Mosquitto of its own with the site's configuration, takes a passage every 50 ms over mutual TLS, makes
//! it durable, and tells it to as many screens as asked for, each a TLS connection of its own. Ours is the server as it
//! ships: rights looked at, lines drawn, a beat each second; the other sends the event's JSON, written once. The program
//! has one core, its broker and its screens have the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use building::broker::{Broker, Certificates};
use building::process::{Process, free_port};
use serde::Deserialize;

use super::conditions::Watch;
use super::ingest::{make, pin, processor_time};
use super::turns::{Figures, alternate};
use super::{Comparison, built, peers, verdict};
use crate::run::output;

const PAIRS: usize = 4;
const EVENTS: u32 = 100;
const PER_SECOND: u32 = 20;
/// How many screens, and what is asked of CPU and of the last screen.
const CASES: [(u32, f64, f64); 2] = [(200, 2.0, 1.0 / 0.6), (1000, 2.0, 1.0)];
const WATCHER: &str = "eye";

/// One side: who tells, and who watches.
struct Side {
    teller: Process,
    broker: Broker,
    screens: Process,
    count: u32,
}

/// What the screens say after a turn.
#[derive(Deserialize)]
struct Turn {
    p50: f64,
    p99: f64,
}

pub(super) fn compare(watch: &mut Watch) -> Result<Vec<Comparison>> {
    ensure!(std::thread::available_parallelism()?.get() >= 2, "fanout: two processors are needed");
    let programs = built("server", &[("--bin", "gatehouse-server"), ("--example", "screens")])?;
    let [server, screens] = programs.as_slice() else { unreachable!("two were asked for") };
    let (node, script) = peers::node()?;
    let folder = peers::scratch("fanout")?;
    let mut comparisons = Vec::new();
    for (count, cpu_goal, wait_goal) in CASES {
        let folder = folder.join(count.to_string());
        fs::create_dir(&folder)?;
        let mut ours = ours(&folder, server, screens, count)?;
        let (mut peer, versions) = peer(&folder, (&node, &script), screens, count)?;
        eprintln!(
            "  fanout: {count} screens; the peer: {versions}; both: TLS, Mosquitto, SQLite synchronous = FULL"
        );
        for side in [&ours, &peer] {
            pin(side.teller.pid(), "1")?;
            pin(side.broker.pid(), "0")?;
            pin(side.screens.pid(), "0")?;
        }
        watch.begin()?;
        let paired = alternate(PAIRS, || ours.turn(), || peer.turn())?;
        for (what, figure, unit, goal) in [
            ("CPU", "cpu", "us CPU/event and screen", cpu_goal),
            ("last screen, p99", "p99", "ms", wait_goal),
            ("last screen, median", "p50", "ms", wait_goal),
        ] {
            let ratio = watch.ratios(&paired.ratios(figure));
            comparisons.push(Comparison {
                bench: "fanout",
                case: format!("{what}, {count} screens"),
                ours: paired.ours(figure),
                peer: paired.peer(figure),
                peer_name: "node mqtt + better-sqlite3 + ws".to_owned(),
                unit,
                ratio,
                goal,
                stretch: figure == "p50" || goal < 1.5,
                verdict: verdict(ratio, goal),
            });
        }
        watch.end()?;
        for side in [ours, peer] {
            side.stop()?;
        }
    }
    fs::remove_dir_all(&folder).with_context(|| format!("clearing {}", folder.display()))?;
    Ok(comparisons)
}

fn ours(folder: &Path, server: &Path, screens: &Path, count: u32) -> Result<Side> {
    let (site, port) = (folder.join("site"), free_port()?);
    make(server, &site, port)?;
    let config = site.join("server.toml");
    let mut add = Command::new(server);
    add.args(["operator", "add", WATCHER, "--role", "viewer", "--config"]).arg(&config);
    let said = output(&mut add)?;
    let password = said.rsplit(": ").next().context("no first password")?.trim().to_owned();
    let broker = broker(folder, "ours", &site.join("pki"), port)?;
    let words = [Path::new("serve"), Path::new("--config"), &config];
    let mut teller = Process::start("gatehouse-server", server, words, &folder.join("ours"))?;
    let said = teller.ready(Duration::from_secs(30))?;
    teller.log_says("the broker is connected", Duration::from_secs(30))?;
    let web = said.trim_end_matches('/').rsplit(':').next().context("the server says no port")?.parse()?;
    let login = [WATCHER, &password];
    let screens = watching(folder, screens, ("ours", web, port, &site.join("pki")), count, &login)?;
    Ok(Side { teller, broker, screens, count })
}

fn peer(folder: &Path, (node, script): (&Path, &Path), screens: &Path, count: u32) -> Result<(Side, String)> {
    #[derive(Deserialize)]
    struct Said {
        web: u16,
    }
    let (pki, port) = (folder.join("site/pki"), free_port()?);
    let broker = broker(folder, "peer", &pki, port)?;
    let rows = folder.join("peer.db");
    let number = port.to_string();
    let words = [&script.join("ingest.js"), Path::new(&number), &pki, &rows, Path::new("screens")];
    let mut teller = Process::start("node", node, words, &folder.join("peer"))?;
    let versions = teller.ready(Duration::from_secs(30))?;
    let Said { web } = serde_json::from_str(&versions).context("the peer says no port")?;
    let screens = watching(folder, screens, ("peer", web, port, &pki), count, &[])?;
    Ok((Side { teller, broker, screens, count }, versions))
}

fn broker(folder: &Path, name: &str, pki: &Path, port: u16) -> Result<Broker> {
    let logs = folder.join(name);
    fs::create_dir(&logs)?;
    let certificates = Certificates {
        ca: pki.join("ca.pem"),
        certificate: pki.join("broker.pem"),
        key: pki.join("broker.key"),
    };
    Broker::start(&logs, port, &certificates)
}

fn watching(
    folder: &Path,
    screens: &Path,
    (side, web, broker, pki): (&str, u16, u16, &Path),
    count: u32,
    login: &[&str],
) -> Result<Process> {
    let numbers = [web.to_string(), broker.to_string(), count.to_string()];
    let [web, broker, count] = &numbers;
    let mut words: Vec<PathBuf> = [side, web, broker].iter().map(PathBuf::from).collect();
    words.extend([pki.to_owned(), count.into()]);
    words.extend(login.iter().map(PathBuf::from));
    let mut screens = Process::start("screens", screens, &words, &folder.join(side))?;
    screens.ready(Duration::from_secs(120))?;
    Ok(screens)
}

impl Side {
    /// One slice: microseconds of the teller's processor time for each event on each screen, and the last screen's wait.
    fn turn(&mut self) -> Result<Figures> {
        let before = processor_time(self.teller.pid())?;
        self.screens.say(&format!("{EVENTS} {PER_SECOND}"))?;
        let Turn { p50, p99 } =
            self.screens.wait_for(Duration::from_secs(120), |line| serde_json::from_str(line).ok())?;
        let cpu = (processor_time(self.teller.pid())? - before) * 1e6 / f64::from(EVENTS * self.count);
        Ok(Figures::from([("cpu".to_owned(), cpu), ("p50".to_owned(), p50), ("p99".to_owned(), p99)]))
    }

    fn stop(self) -> Result<()> {
        self.screens.kill()?;
        self.teller.stop(Duration::from_secs(10))?;
        self.broker.kill()
    }
}
