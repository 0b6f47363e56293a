//! The gallery from the server, over MQTT, and what this process looks like now.
//!
//! One task owns the event loop and everything that is published; it never waits to publish, so it cannot block itself.

use std::sync::Arc;
use std::time::Duration;

use identity::renewal::Renewal;
use identity::{NewKey, Revocations};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use rustls::ClientConfig;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::{debug, error, info, warn};
use uplink::live::{Camera, Live, PERIOD_MS};
use uplink::sync::{Chunk, Set};
use uplink::topics::{self, Leaf, topic};
use uplink::wire;

use crate::clock::{Moment, micros};
use crate::config::Broker;
use crate::frames::Newest;
use crate::replica::{Gathering, Replica, Vault};
use crate::tls::Identity;

const HAVE: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Messages waiting for the connection at most; what does not fit is said again later anyway.
const WAITING: usize = 64;
/// The largest payload and its topic.
const MOST_PACKET: u32 = wire::LARGEST as u32 + 4_096;
/// A camera without a frame for this long does not count as up.
const SILENCE: Duration = crate::capture::SILENCE;

/// What the task works with.
pub struct Sync {
    /// This process's name.
    pub name: String,
    /// The broker.
    pub broker: Broker,
    /// The gallery.
    pub replica: Arc<Replica>,
    /// Where it rests.
    pub vault: Arc<Vault>,
    /// The cameras, for the live state.
    pub cameras: Vec<(String, Arc<Newest>)>,
    /// Its certificate, and whom it trusts.
    pub identity: Identity,
    /// Whose certificates are revoked.
    pub revocations: Revocations,
}

impl Sync {
    /// Runs for ever.
    pub async fn run(mut self, tls: Arc<ClientConfig>) {
        let mut options = MqttOptions::new(&self.name, &self.broker.host, self.broker.port);
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
        options.set_keep_alive(KEEP_ALIVE);
        options.set_clean_start(true);
        // The library takes 10 kB unless told otherwise.
        options.set_max_packet_size(Some(MOST_PACKET));
        let (client, mut events) = AsyncClient::new(options, WAITING);
        let mut gathering = Gathering::default();
        let mut live = interval(Duration::from_millis(PERIOD_MS / 2));
        live.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut connected = false;
        let mut pause = PAUSE;
        let mut next_have = Instant::now();
        let began = Instant::now();
        let mut renewal = Renewal::new(self.ends());
        loop {
            tokio::select! {
                event = events.poll() => match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        info!(broker = %self.broker.host, "broker connected");
                        connected = true;
                        pause = PAUSE;
                        for leaf in [Leaf::SyncChunk, Leaf::CertificateAnswer] {
                            if client.try_subscribe(topic(&self.name, leaf), QoS::AtLeastOnce).is_err() {
                                debug!("the subscription waits for the next connection");
                            }
                        }
                        next_have = Instant::now();
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let said = String::from_utf8_lossy(&publish.topic).into_owned();
                        if let Some((_, Leaf::CertificateAnswer)) = topics::parse(&said) {
                            self.renewed(&mut renewal, began.elapsed(), &publish, &client);
                        } else if self.chunk(&publish, &mut gathering).await {
                            next_have = Instant::now();
                        }
                    }
                    Ok(Event::Incoming(_) | Event::Outgoing(_)) => {}
                    Err(fault) => {
                        if connected {
                            warn!(broker = %self.broker.host, "broker lost: {fault}");
                        } else {
                            debug!(broker = %self.broker.host, "broker not reached: {fault}");
                        }
                        connected = false;
                        sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                },
                _ = live.tick(), if connected => {
                    self.publish(&client, Leaf::State, QoS::AtMostOnce, wire::encode(&self.live()));
                }
            }
            if connected && next_have <= Instant::now() {
                for have in [self.replica.have(), self.revocations.have()] {
                    self.publish(&client, Leaf::SyncHave, QoS::AtLeastOnce, wire::encode(&have));
                }
                next_have = Instant::now() + HAVE;
                self.renew(&mut renewal, began.elapsed(), &client);
            }
        }
    }

    /// When its certificate ends.
    fn ends(&self) -> i64 {
        self.identity.shown.says().map_or(i64::MAX, |it| it.until)
    }

    /// Asks for a new certificate, when it is time to.
    fn renew(&self, renewal: &mut Renewal, since: Duration, client: &AsyncClient) {
        if !renewal.is_due(since, Moment::now().utc) {
            return;
        }
        match NewKey::make() {
            Ok(key) => {
                info!("a new certificate is asked for");
                let asked = renewal.ask(since, key);
                self.publish(client, Leaf::CertificateRequest, QoS::AtLeastOnce, wire::encode(&asked));
            }
            Err(fault) => {
                error!("no key can be made: {fault}");
                renewal.failed(since);
            }
        }
    }

    /// The next connections show the new certificate, and the broker's is made at once. Whatever fails, the one before stays.
    fn renewed(&self, renewal: &mut Renewal, since: Duration, publish: &Publish, client: &AsyncClient) {
        let answer = match wire::decode(&publish.payload) {
            Ok(answer) => answer,
            Err(fault) => return warn!("an answer to a request for a certificate was refused: {fault}"),
        };
        match renewal.answered(since, answer, &self.identity.trusted, &self.name) {
            Ok(None) => {}
            Ok(Some(new)) => match self.identity.shown.replace(&new.certificate, &new.key) {
                Ok(()) => {
                    info!("the certificate was renewed");
                    // Where it cannot be said, the connection that there is goes on until it ends by itself.
                    let _ = client.try_disconnect();
                }
                Err(fault) => {
                    error!("the certificate was not renewed: {fault}");
                    *renewal = Renewal::new(self.ends());
                    renewal.failed(since);
                }
            },
            Err(fault) => error!("the certificate was not renewed: {fault}"),
        }
    }

    fn publish(&self, client: &AsyncClient, leaf: Leaf, qos: QoS, payload: Vec<u8>) {
        if client.try_publish(topic(&self.name, leaf), qos, false, payload).is_err() {
            debug!(topic = leaf.path(), "not said: too much waits for the broker");
        }
    }

    /// Takes one part of a change; whether the server should be told what is held now.
    async fn chunk(&mut self, publish: &Publish, gathering: &mut Gathering) -> bool {
        let chunk: Chunk = match wire::decode(&publish.payload) {
            Ok(chunk) => chunk,
            Err(fault) => {
                warn!("a part of the gallery was refused: {fault}");
                return false;
            }
        };
        if chunk.set == Set::Revoked {
            return match self.revocations.take(chunk) {
                Ok(number) => number.is_some(),
                Err(fault) => {
                    error!("a list of revoked certificates was not taken: {fault}");
                    false
                }
            };
        }
        match gathering.take(chunk, &self.replica) {
            Ok(false) => false,
            Ok(true) => {
                let held = self.replica.held();
                info!(version = self.replica.version(), templates = self.replica.len(), "gallery changed");
                let vault = self.vault.clone();
                match tokio::task::spawn_blocking(move || vault.rest(&held)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(fault)) => error!("the gallery is in force but not on disk: {fault}"),
                    Err(fault) => error!("the gallery is in force but not on disk: {fault}"),
                }
                true
            }
            Err(refused) => {
                warn!("a change of the gallery was refused: {refused}");
                // What is held has not changed; saying it at once would only bring the same change again. The minute
                // brings it.
                false
            }
        }
    }

    fn live(&self) -> Live {
        let cameras = self
            .cameras
            .iter()
            .map(|(name, frames)| {
                let age = frames.last().map(|last| last.elapsed());
                Camera {
                    camera: name.clone(),
                    up: age.is_some_and(|age| age < SILENCE),
                    frame_age_ms: age.map(|age| micros(age) / 1_000),
                }
            })
            .collect();
        Live {
            at: Moment::now().utc,
            software: env!("CARGO_PKG_VERSION").to_owned(),
            doors: Vec::new(),
            boards: Vec::new(),
            cameras,
            outbox: None,
            replica_version: self.replica.version(),
        }
    }
}
