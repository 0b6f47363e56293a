//! Trying what the configuration names, one after another, and saying what is wrong. Changes nothing: neither file nor
//! database, and no server need be stopped for it.

mod certificate;

use std::fmt;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use kit::journal::CheckpointLog;
use kit::{Clock, Db, Keys};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::Config;
use crate::{listening, slices, tls};

/// A certificate that ends sooner is told of.
const SOON: i64 = 30 * 86_400_000_000;
/// Broker and vision process have so long to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Good,
    /// It works, and should be looked at.
    Doubtful,
    Wrong,
}

/// Everything that was tried, in order.
#[derive(Debug, Default)]
pub struct Report(Vec<(Found, &'static str, String)>);

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.0.iter().all(|(found, ..)| *found != Found::Wrong)
    }

    fn good(&mut self, what: &'static str, words: impl Into<String>) {
        self.0.push((Found::Good, what, words.into()));
    }

    fn doubtful(&mut self, what: &'static str, words: impl Into<String>) {
        self.0.push((Found::Doubtful, what, words.into()));
    }

    fn wrong(&mut self, what: &'static str, words: impl Into<String>) {
        self.0.push((Found::Wrong, what, words.into()));
    }

    /// What was tried, or why it failed.
    fn tried(&mut self, what: &'static str, tried: anyhow::Result<String>) {
        match tried {
            Ok(words) => self.good(what, words),
            Err(error) => self.wrong(what, format!("{error:#}")),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (found, what, words) in &self.0 {
            let found = match found {
                Found::Good => "ok",
                Found::Doubtful => "CHECK",
                Found::Wrong => "WRONG",
            };
            writeln!(f, "{found:6} {what:18} {words}")?;
        }
        match self.0.iter().filter(|(found, ..)| *found == Found::Wrong).count() {
            0 => writeln!(f, "nothing is wrong"),
            1 => writeln!(f, "one thing is wrong"),
            wrong => writeln!(f, "{wrong} things are wrong"),
        }
    }
}

/// Tries everything. What depends on something wrong is not tried.
pub async fn every(path: &Path) -> Report {
    let mut report = Report::default();
    let (config, faults) = match Config::read_whole(path) {
        Ok(read) => read,
        Err(error) => {
            report.wrong("configuration", error.to_string());
            return report;
        }
    };
    if faults.is_empty() {
        report.good(
            "configuration",
            format!("{}: every key is known, and what it names is there", path.display()),
        );
    }
    for fault in faults {
        report.wrong("configuration", fault.to_string());
    }
    let keys = Keys::open(config.keys.get_ref());
    report.tried("keys", keys.map(|_| "can be read, by nobody else".to_owned()).map_err(Into::into));
    database(&mut report, &config).await;
    report.tried("checkpoints", checkpoints(config.checkpoints.get_ref()));
    certificates(&mut report, &config);
    listen(&mut report, &config);
    let broker = format!("{}:{}", config.mqtt.host.get_ref(), config.mqtt.port.get_ref());
    let name = config.mqtt.host.get_ref().clone();
    report.tried("mqtt", greet(&config, &broker, &name).await);
    if let Some(embed) = &config.embed {
        let (address, name) = (embed.address.get_ref(), embed.name.get_ref());
        report.tried("embed", greet(&config, address, name).await);
    }
    report
}

async fn database(report: &mut Report, config: &Config) {
    let address = config.database.get_ref();
    if let Some(file) = address.strip_prefix("sqlite:")
        && !Path::new(file).exists()
    {
        // Opening it would make it.
        report.wrong("database", format!("{file} is not there: `init` makes it, or `restore`"));
        return;
    }
    let db = match Db::open(address).await.context("database") {
        Ok(db) => db,
        Err(error) => return report.wrong("database", format!("{error:#}")),
    };
    let engine = match db.engine() {
        kit::db::Engine::Sqlite => "SQLite",
        kit::db::Engine::Postgres => "PostgreSQL",
    };
    match db.pending(&slices::migrations()).await {
        Ok(0) => report.good("database", format!("{engine} answers; its schema is this program's")),
        Ok(pending) => report.doubtful(
            "database",
            format!(
                "{engine} answers; {pending} migrations are applied at the next start: make a backup first"
            ),
        ),
        Err(error) => report.wrong("database", format!("{:#}", anyhow::Error::from(error))),
    }
    db.close().await;
}

fn checkpoints(path: &Path) -> anyhow::Result<String> {
    let log = CheckpointLog::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    std::fs::OpenOptions::new()
        .append(true)
        .open(path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    match log.last() {
        Some(last) => Ok(format!("signed up to record {}", last.seq)),
        None => bail!("{} is empty: was it emptied, or is it another's?", path.display()),
    }
}

fn certificates(report: &mut Report, config: &Config) {
    let (http, mqtt) = (&config.http, &config.mqtt);
    let pair = tls::listener(http.certificate.get_ref(), http.key.get_ref());
    validity(report, "http.certificate", http.certificate.get_ref(), pair.map(drop));
    validity(report, "mqtt.authority", mqtt.authority.get_ref(), Ok(()));
    let pair = tls::client(mqtt.authority.get_ref(), mqtt.certificate.get_ref(), mqtt.key.get_ref());
    validity(report, "mqtt.certificate", mqtt.certificate.get_ref(), pair.map(drop));
}

/// Says until when a certificate is good, if it and its key are what they should be.
fn validity(report: &mut Report, what: &'static str, path: &Path, pair: anyhow::Result<()>) {
    let read = pair.and_then(|()| certificate::validity(path));
    let (from, until) = match read {
        Ok(dates) => dates,
        Err(error) => return report.wrong(what, format!("{error:#}")),
    };
    let now = Clock::Real.now();
    let day = |at: i64| crate::backup::time(at)[..10].to_owned();
    if now < from {
        report.wrong(
            what,
            format!("{} is not good before {}: is this machine's clock right?", path.display(), day(from)),
        );
    } else if now >= until {
        report.wrong(
            what,
            format!("{} ended on {}: issue a new one with `pki issue`", path.display(), day(until)),
        );
    } else if until - now < SOON {
        report.doubtful(
            what,
            format!("{} ends on {}: issue a new one with `pki issue`", path.display(), day(until)),
        );
    } else {
        report.good(what, format!("good until {}", day(until)));
    }
}

fn listen(report: &mut Report, config: &Config) {
    let address = config.http.listen.get_ref();
    match TcpListener::bind(address) {
        Ok(_) => report.good("http.listen", format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            report.doubtful("http.listen", format!("{address} is taken: by this server, if it runs"));
        }
        Err(error) => report.wrong("http.listen", format!("{:#}", listening::refused(*address, error))),
    }
}

/// Makes a connection as the server does, with its certificate, and ends it.
async fn greet(config: &Config, address: &str, name: &str) -> anyhow::Result<String> {
    let mqtt = &config.mqtt;
    let tls = tls::client(mqtt.authority.get_ref(), mqtt.certificate.get_ref(), mqtt.key.get_ref())?;
    let name =
        ServerName::try_from(name.trim_matches(['[', ']']).to_owned()).context("its name is no name")?;
    let greeted = async {
        let socket = TcpStream::connect(address)
            .await
            .with_context(|| format!("{address} is not reached: does it run, and on this port?"))?;
        TlsConnector::from(tls)
            .connect(name, socket)
            .await
            .with_context(|| format!("{address} answers, but is not the one its certificate should say"))?;
        Ok(format!("{address} answers, under the site's authority"))
    };
    tokio::time::timeout(PATIENCE, greeted)
        .await
        .unwrap_or_else(|_| bail!("{address} says nothing within {} s", PATIENCE.as_secs()))
}
