//! Controllers with much to report: `controllers PORT PKI COUNT`, a benchmark's load.
//!
//! Each is a connection of its own with its own certificate (`controller-1` and so on in PKI), and keeps to the rules of
//! the wire: events are numbered without gaps, are done when the server's own acknowledgement covers them, and are sent
//! again when nothing moves. One message in sixteen is sent twice, as a controller does whose link broke. For a line
//! `MILLISECONDS EVENTS` on standard input they send for so long, so many events a message, wait until all of it is
//! acknowledged, and print `{"events": …, "seconds": …}`. Says `ready` first.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use uplink::event::{Ack, Batch, LARGEST_BATCH, Received, Stream};
use uplink::topics::{Leaf, topic};
use uplink::wire;

/// Messages, and events in them, of one controller without the server's acknowledgement.
const WINDOW: u64 = 64;
const WINDOW_EVENTS: u64 = 1024;
/// Without progress for so long, it sends again from where the acknowledgement stands.
const SILENCE: Duration = Duration::from_secs(2);
/// So much silence is no longer a busy server.
const LOST: Duration = Duration::from_secs(20);
/// Every so many messages, one is sent twice.
const TWICE: u64 = 16;

/// An everyday passage with its trace.
const BODY: &str = r#"{"door":17,"side":"entry","person":41234,"outcome":"granted","reasons":[],"trace":{"policy_version":812,"shown":[{"code":"face","facts":{"score":0.71}}],"rules":[{"rule":"validity","passed":true},{"rule":"schedule","passed":true},{"rule":"anti-passback","passed":true}],"centre":"not-needed"}}"#;

/// One controller.
struct Controller {
    client: AsyncClient,
    topic: String,
    acked: watch::Receiver<u64>,
    sent: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().expect("nothing else was installed before");
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [port, pki, count] = words.as_slice() else { bail!("controllers PORT PKI COUNT") };
    let mut controllers = Vec::new();
    for number in 1..=count.parse::<u32>()? {
        controllers.push(Controller::connect(port.parse()?, Path::new(pki), number).await?);
    }
    println!("ready");
    let (lines, mut told) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    });
    while let Some(line) = told.recv().await {
        let (milliseconds, events) = line.split_once(' ').context("MILLISECONDS EVENTS")?;
        let (length, per_message) = (Duration::from_millis(milliseconds.parse()?), events.parse()?);
        ensure!(
            (1..=LARGEST_BATCH as u64).contains(&per_message),
            "a message has 1 to {LARGEST_BATCH} events"
        );
        let (start, before) = (Instant::now(), total(&controllers));
        let mut sending = JoinSet::new();
        for mut controller in std::mem::take(&mut controllers) {
            sending.spawn(async move {
                controller.send(start + length, per_message).await?;
                anyhow::Ok(controller)
            });
        }
        while let Some(done) = sending.join_next().await {
            controllers.push(done??);
        }
        let (events, seconds) = (total(&controllers) - before, start.elapsed().as_secs_f64());
        println!("{}", serde_json::json!({ "events": events, "seconds": seconds }));
    }
    Ok(())
}

fn total(controllers: &[Controller]) -> u64 {
    controllers.iter().map(|it| it.sent).sum()
}

impl Controller {
    async fn connect(port: u16, pki: &Path, number: u32) -> anyhow::Result<Self> {
        let name = format!("controller-{number}");
        let read =
            |file: &str| std::fs::read(pki.join(file)).with_context(|| pki.join(file).display().to_string());
        let mut options = MqttOptions::new(&name, "localhost", port);
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Simple {
            ca: read("ca.pem")?,
            alpn: None,
            client_auth: Some((read(&format!("{name}.pem"))?, read(&format!("{name}.key"))?)),
        }));
        options.set_max_packet_size(Some(100_000));
        let (client, events) = AsyncClient::new(options, 256);
        let (acks, acked) = watch::channel(0);
        let (connected, mut ready) = watch::channel(false);
        let filter = Filter::new(topic(&name, Leaf::Ack(Stream::Bulk)), QoS::AtMostOnce);
        tokio::spawn(listen(events, client.clone(), filter, acks, connected));
        let connecting = ready.wait_for(|ready| *ready);
        tokio::time::timeout(LOST, connecting).await.context("the broker does not answer")??;
        Ok(Self { client, topic: topic(&name, Leaf::Event(Stream::Bulk)), acked, sent: 0 })
    }

    async fn send(&mut self, until: Instant, per_message: u64) -> anyhow::Result<()> {
        let (mut next, mut messages) = (self.sent, 0);
        let mut progress = Instant::now();
        loop {
            let acked = *self.acked.borrow_and_update();
            next = next.max(acked);
            let more = Instant::now() < until;
            if !more && acked == self.sent {
                return Ok(());
            }
            let room = next - acked < (WINDOW * per_message).min(WINDOW_EVENTS);
            if room && (more || next < self.sent) {
                let last = if more { next + per_message } else { self.sent.min(next + per_message) };
                let payload = payload(next + 1..=last)?;
                messages += 1;
                if messages % TWICE == 0 {
                    self.publish(payload.clone()).await?;
                }
                self.publish(payload).await?;
                next = last;
                self.sent = self.sent.max(next);
                continue;
            }
            match tokio::time::timeout(SILENCE, self.acked.changed()).await {
                Ok(changed) => {
                    changed.context("the connection ended")?;
                    progress = Instant::now();
                }
                Err(_) => {
                    ensure!(
                        progress.elapsed() < LOST,
                        "nothing is acknowledged any more, at {acked} of {}",
                        self.sent
                    );
                    next = acked;
                }
            }
        }
    }

    async fn publish(&self, payload: Vec<u8>) -> anyhow::Result<()> {
        Ok(self.client.publish(self.topic.as_str(), QoS::AtLeastOnce, false, payload).await?)
    }
}

/// Polls one connection until the program ends.
async fn listen(
    mut events: EventLoop,
    client: AsyncClient,
    filter: Filter,
    acks: watch::Sender<u64>,
    connected: watch::Sender<bool>,
) -> anyhow::Result<()> {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => client.try_subscribe_many([filter.clone()])?,
            Ok(Event::Incoming(Packet::SubAck(_))) => {
                connected.send_replace(true);
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let ack: Ack = wire::decode(&publish.payload)?;
                acks.send_if_modified(|acked| std::mem::replace(acked, ack.up_to.max(*acked)) < ack.up_to);
            }
            Ok(_) => {}
            Err(error) => {
                eprintln!("controllers: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn payload(numbers: std::ops::RangeInclusive<u64>) -> anyhow::Result<Vec<u8>> {
    let event = |seq| {
        let data = RawValue::from_string(BODY.to_owned())?;
        Ok(Received { seq, at: 1_772_438_400_000_000, kind: "access".to_owned(), data })
    };
    let events = numbers.map(event).collect::<Result<_, serde_json::Error>>()?;
    Ok(wire::encode(&Batch::<Received> { epoch: 1, events }))
}
