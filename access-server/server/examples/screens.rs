//! Many screens that watch one building: `screens SIDE WEB BROKER PKI COUNT [NAME PASSWORD]`, a benchmark's load.
//!
//! SIDE is `ours` (the console's stream, over a session that NAME signs in) or `peer` (a WebSocket). WEB and BROKER are
//! ports on this machine, PKI the site's certificates. `controller-1` tells of passages, one a message, at an even pace;
//! every screen is a TLS connection of its own, from addresses of its own, two hundred each. For a line `EVENTS PER_SECOND`
//! on standard input so many are sent, and when the last screen has the last of them it prints
//! `{"events": …, "p50": …, "p99": …}`: milliseconds from sending an event until the last screen had it. Says `ready` first.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::value::RawValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use uplink::event::{Batch, Received, Stream};
use uplink::topics::{Leaf, topic};
use uplink::wire;

/// Screens behind one address: the server takes 256 from each.
const TOGETHER: usize = 200;
/// So much silence is no longer a busy program.
const LOST: Duration = Duration::from_secs(30);
/// A passage without a person: nobody's picture is looked for.
const BODY: &str = r#"{"door":17,"side":"entry","person":null,"outcome":"denied","reasons":[{"code":"unknown-credential"}],"trace":{"policy_version":812,"shown":[],"rules":[{"rule":"known","passed":false}],"centre":"not-needed"}}"#;

type Connection = TlsStream<TcpStream>;

/// How far the screens are with each event.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Told>>>);

/// How many screens have an event, and when the last of them had it.
#[derive(Clone, Copy, Default)]
struct Told {
    screens: usize,
    last: Option<Instant>,
}

struct Side {
    web: u16,
    tls: TlsConnector,
    /// What begins the stream, and what is in it once an event.
    request: String,
    mark: &'static [u8],
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().expect("nothing else was installed before");
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [side, web, broker, pki, count, login @ ..] = words.as_slice() else {
        bail!("screens SIDE WEB BROKER PKI COUNT [NAME PASSWORD]")
    };
    let (web, broker, count, pki): (u16, u16, usize, _) =
        (web.parse()?, broker.parse()?, count.parse()?, PathBuf::from(pki));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.join("ca.pem"))?)?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let mut side = match side.as_str() {
        "ours" => Side::new(web, config, b"event: record\n"),
        "peer" => Side::new(web, config, br#""kind":"access""#),
        _ => bail!("SIDE is ours or peer"),
    };
    side.request = match login {
        [name, password] => {
            let session = side.sign_in(name, password).await.context("signing in")?;
            format!(
                "GET /live/stream HTTP/1.1\r\nHost: localhost:{web}\r\nCookie: {session}; language=en\r\n\r\n"
            )
        }
        _ => format!(
            "GET / HTTP/1.1\r\nHost: localhost:{web}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        ),
    };
    let seen = Seen::default();
    for number in 0..count {
        let screen = side.open(number).await.with_context(|| format!("screen {number}"))?;
        tokio::spawn(watch(screen, side.mark, seen.clone()));
    }
    let client = connect(broker, &pki).await?;
    println!("ready");
    let (lines, mut told) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    });
    let mut sent = 0;
    while let Some(line) = told.recv().await {
        let (events, pace) = line.split_once(' ').context("EVENTS PER_SECOND")?;
        let (events, pace): (u64, f64) = (events.parse()?, pace.parse()?);
        let mut moments = Vec::new();
        let mut beat = interval(Duration::from_secs_f64(1.0 / pace));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..events {
            beat.tick().await;
            sent += 1;
            moments.push(Instant::now());
            let payload = payload(sent)?;
            client
                .publish(topic("controller-1", Leaf::Event(Stream::Bulk)), QoS::AtLeastOnce, false, payload)
                .await?;
        }
        let mut waits = seen.settled(sent, events, count, &moments).await?;
        waits.sort_by(f64::total_cmp);
        let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize];
        println!("{}", serde_json::json!({ "events": events, "p50": at(0.5), "p99": at(0.99) }));
    }
    Ok(())
}

impl Side {
    fn new(web: u16, config: ClientConfig, mark: &'static [u8]) -> Self {
        Self { web, tls: TlsConnector::from(Arc::new(config)), request: String::new(), mark }
    }

    async fn connect(&self, number: usize) -> anyhow::Result<Connection> {
        let socket = TcpSocket::new_v4()?;
        let own = u8::try_from(1 + number / TOGETHER).context("too many screens")?;
        socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, own), 0)))?;
        let stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.web))).await?;
        stream.set_nodelay(true)?;
        Ok(self.tls.connect(ServerName::try_from("localhost")?, stream).await?)
    }

    /// A screen that was answered.
    async fn open(&self, number: usize) -> anyhow::Result<Connection> {
        let mut screen = self.connect(number).await?;
        screen.write_all(self.request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(LOST, screen.read_u8()).await??);
        }
        let head = String::from_utf8(head)?;
        ensure!(head.starts_with("HTTP/1.1 200") || head.starts_with("HTTP/1.1 101"), "{head}");
        Ok(screen)
    }

    /// The cookie of somebody who signs in for the first time and chooses a password.
    async fn sign_in(&self, name: &str, first: &str) -> anyhow::Result<String> {
        const OWN: &str = "a+password+of+their+own";
        let cookie = self.login(name, first).await?;
        let page = self.ask("GET", "/password", &cookie, "").await?;
        let token = page.split("name=\"_csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let token = token.context("a page without a token")?;
        let fields = format!("_csrf={token}&present={first}&new={OWN}&again={OWN}");
        let changed = self.ask("POST", "/password", &cookie, &fields).await?;
        changed_cookie(&changed)
            .with_context(|| format!("no session: {}", changed.lines().next().unwrap_or_default()))
    }

    async fn login(&self, name: &str, password: &str) -> anyhow::Result<String> {
        let answer = self.ask("POST", "/login", "", &format!("name={name}&password={password}")).await?;
        changed_cookie(&answer)
            .with_context(|| format!("no session: {}", answer.lines().next().unwrap_or_default()))
    }

    async fn ask(&self, method: &str, path: &str, cookie: &str, body: &str) -> anyhow::Result<String> {
        let mut stream = self.connect(0).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {cookie}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.web,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        // A server may close without a farewell.
        let _ = timeout(LOST, stream.read_to_end(&mut answer)).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

fn changed_cookie(answer: &str) -> Option<String> {
    let line =
        answer.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie: __host-session"))?;
    let value = line.split_once(": ")?.1.split(';').next()?;
    Some(value.to_owned())
}

/// Counts the events that one screen is told of.
async fn watch(mut screen: Connection, mark: &'static [u8], seen: Seen) {
    let mut buffer = vec![0; 16 * 1024];
    let (mut held, mut count) = (0, 0);
    while let Ok(read) = screen.read(&mut buffer[held..]).await {
        if read == 0 {
            break;
        }
        let now = Instant::now();
        let text = &buffer[..held + read];
        let found = text.windows(mark.len()).filter(|part| *part == mark).count();
        for _ in 0..found {
            seen.note(count, now);
            count += 1;
        }
        // A mark may be cut in two.
        let keep = text.len().min(mark.len() - 1);
        let from = text.len() - keep;
        buffer.copy_within(from..from + keep, 0);
        held = keep;
    }
    eprintln!("screens: one was closed");
}

impl Seen {
    fn note(&self, event: usize, now: Instant) {
        let mut seen = self.0.lock().expect("nobody panics with it");
        if seen.len() <= event {
            seen.resize(event + 1, Told::default());
        }
        let told = &mut seen[event];
        told.screens += 1;
        told.last = Some(now);
    }

    /// Waits until every screen has what was sent; how long the last one waited for each event, in milliseconds.
    async fn settled(
        &self,
        sent: u64,
        events: u64,
        screens: usize,
        moments: &[Instant],
    ) -> anyhow::Result<Vec<f64>> {
        let (sent, events) = (usize::try_from(sent)?, usize::try_from(events)?);
        let began = Instant::now();
        loop {
            {
                let seen = self.0.lock().expect("nobody panics with it");
                let own = seen.get(sent - events..sent);
                if let Some(own) = own.filter(|own| own.iter().all(|told| told.screens == screens)) {
                    let waits = own.iter().zip(moments).map(|(told, sent)| {
                        told.last.expect("it was seen").duration_since(*sent).as_secs_f64() * 1000.0
                    });
                    return Ok(waits.collect());
                }
                ensure!(
                    began.elapsed() < LOST,
                    "not every screen has event {sent}: {:?} of {screens}",
                    seen.last().map(|told| told.screens)
                );
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn connect(port: u16, pki: &Path) -> anyhow::Result<AsyncClient> {
    let read =
        |file: &str| std::fs::read(pki.join(file)).with_context(|| pki.join(file).display().to_string());
    let mut options = MqttOptions::new("controller-1", "localhost", port);
    options.set_transport(Transport::tls_with_config(TlsConfiguration::Simple {
        ca: read("ca.pem")?,
        alpn: None,
        client_auth: Some((read("controller-1.pem")?, read("controller-1.key")?)),
    }));
    let (client, mut events) = AsyncClient::new(options, 256);
    let (connected, mut ready) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    connected.send_replace(true);
                }
                Ok(_) => {}
                Err(error) => {
                    eprintln!("screens: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    timeout(LOST, ready.wait_for(|ready| *ready)).await.context("the broker does not answer")??;
    Ok(client)
}

fn payload(seq: u64) -> anyhow::Result<Vec<u8>> {
    let data = RawValue::from_string(BODY.to_owned())?;
    let event = Received { seq, at: 1_772_438_400_000_000, kind: "access".to_owned(), data };
    Ok(wire::encode(&Batch::<Received> { epoch: 1, events: vec![event] }))
}
