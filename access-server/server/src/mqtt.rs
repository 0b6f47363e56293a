//! The task that speaks to the broker.
//!
//! One task polls the connection and never waits for anything else; another sends. Subscriptions are made again at
//! every connection, because the client does not restore them. A message is acknowledged to the broker when its events
//! are committed, which keeps the broker's window as the only queue; and to the device on its own topic, which is the
//! only acknowledgement that counts.

mod speak;
mod take;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kit::Kit;
use kit::ingest::{Committed, Ingest};
use kit::link::Way;
use kit::problem::chain;
use kit::trouble::Trouble;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet, Publish, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use rustls::ClientConfig;
use tokio::sync::mpsc;
use uplink::ask::{Answer, Ask};
use uplink::enrol::Renew;
use uplink::sync::Have;
use uplink::topics::Leaf;
use uplink::wire;

/// Messages the broker may have under way to us without an acknowledgement.
const WINDOW: u16 = 256;
/// Offers that wait for a commit: twice the window, because a reconnect delivers again what waits already.
pub const QUEUE: usize = 512;
/// Requests to the client that wait for the connection: few, because a command waits behind them, whatever they are.
const REQUESTS: usize = 8;
/// Publishes of ours that the broker has not confirmed: paces long replicas. A command waits behind these too.
const OUTGOING: u16 = 16;
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// For how long the broker keeps events for a server that is away.
const SESSION: u32 = 60 * 60;
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(2);

/// What is handed back when an event message is safe: the message, and the connection it came over.
#[derive(Debug)]
pub struct Token {
    publish: Publish,
    connection: u64,
}

/// What the tasks share.
#[derive(Clone, Debug)]
pub struct Hub {
    /// The state.
    pub kit: Kit,
    /// Where events go.
    pub ingest: Ingest<Token>,
    /// Where devices' replicas are looked after.
    pub haves: mpsc::Sender<(String, Have)>,
    /// Where requests for new certificates are answered; nowhere, where nobody issues them.
    requests: Option<mpsc::Sender<(String, Renew)>>,
    connection: Arc<AtomicU64>,
}

impl Hub {
    /// Puts the parts together.
    #[must_use]
    pub fn new(kit: Kit, ingest: Ingest<Token>, haves: mpsc::Sender<(String, Have)>) -> Self {
        Self { kit, ingest, haves, requests: None, connection: Arc::default() }
    }

    /// The same, where requests for new certificates are answered.
    #[must_use]
    pub fn answering(self, requests: mpsc::Sender<(String, Renew)>) -> Self {
        Self { requests: Some(requests), ..self }
    }

    /// A question only the centre can answer: no slice has a fact yet that a controller does not hold, so the answer is
    /// that there is no objection, and it is given at once.
    fn ask(&self, device: &str, ask: Ask) {
        if ask.expires_at < self.kit.now() {
            return;
        }
        let answer = wire::encode(&Answer { id: ask.id, objections: Vec::new() });
        if let Err(error) = self.kit.link().send(device, Leaf::Answer, answer) {
            tracing::debug!(device, %error, "an answer was not sent: the controller decides on its own");
        }
    }

    fn connection(&self) -> u64 {
        self.connection.load(Ordering::SeqCst)
    }
}

/// Speaks to the broker until dropped.
pub async fn run(
    hub: Hub,
    host: &str,
    port: u16,
    tls: Arc<ClientConfig>,
    committed: mpsc::Receiver<Committed<Token>>,
) {
    let (client, events) = AsyncClient::new(options(host, port, tls), REQUESTS);
    let (ways, opened) = mpsc::channel(4);
    // Each message is acknowledged once: a window's worth for the connections that may be in here.
    let (acks, done) = mpsc::channel(4 * usize::from(WINDOW));
    let speaking = speak::run(hub.clone(), client.clone(), opened, done, committed);
    let broker = format!("{host}:{port}");
    tokio::join!(listen(hub, &broker, client, events, ways, acks), speaking);
}

fn options(host: &str, port: u16, tls: Arc<ClientConfig>) -> MqttOptions {
    let mut options = MqttOptions::new("server", host, port);
    options
        .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)))
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_start(false)
        .set_session_expiry_interval(Some(SESSION))
        .set_receive_maximum(Some(WINDOW))
        .set_max_packet_size(Some(u32::try_from(wire::LARGEST).expect("64 KiB") + 1024))
        .set_manual_acks(true)
        .set_outgoing_inflight_upper_limit(OUTGOING)
        .set_connection_timeout(5);
    let mut network = options.network_options();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    options
}

/// Polls the connection: nothing in here waits.
async fn listen(
    hub: Hub,
    broker: &str,
    client: AsyncClient,
    mut events: EventLoop,
    ways: mpsc::Sender<Way>,
    acks: mpsc::Sender<Token>,
) {
    let mut retry = FIRST_RETRY;
    let mut told = false;
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                hub.connection.fetch_add(1, Ordering::SeqCst);
                if let Err(error) = client.try_subscribe_many(filters()) {
                    tracing::error!(error = %chain(&error), "the subscriptions could not be asked for");
                }
            }
            Ok(Event::Incoming(Packet::SubAck(answer))) => {
                (retry, told) = (FIRST_RETRY, false);
                let refused = |code: &SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
                if answer.return_codes.iter().any(refused) {
                    tracing::error!(
                        "the broker refuses a subscription: its access list does not fit this version"
                    );
                }
                connected(&hub, &ways);
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => take::publish(&hub, &acks, publish),
            Ok(_) => {}
            Err(error) => {
                hub.connection.fetch_add(1, Ordering::SeqCst);
                hub.kit.troubles().raise(Trouble::BrokerAway, hub.kit.now());
                hub.kit.link().close();
                // Nothing that was on its way goes out late.
                events.clean();
                events.pending.clear();
                if !told {
                    tracing::warn!(broker, error = %chain(&error), "the broker is not connected: does it run, and is it \
                        the one of mqtt.host and mqtt.port? trying again; devices work on their own");
                    told = true;
                }
                tokio::time::sleep(retry).await;
                // Who had been waiting for room above has had it since.
                events.clean();
                events.pending.clear();
                retry = (retry * 2).min(LAST_RETRY);
            }
        }
    }
}

/// Only when the broker has taken our subscriptions is an answer to anything to be expected.
fn connected(hub: &Hub, ways: &mpsc::Sender<Way>) {
    hub.kit.troubles().clear(Trouble::BrokerAway);
    if ways.try_send(hub.kit.link().open()).is_err() {
        // The sender has not yet taken up the connections before: without a way out this one is of no use.
        tracing::error!("the broker connects and disconnects faster than messages are sent");
        hub.kit.link().close();
    }
    tracing::info!("the broker is connected");
}

/// Everything that devices write. What may wait at the broker while we are away is asked for at QoS 1; live state and
/// questions are of no use later.
fn filters() -> Vec<Filter> {
    let qos = |leaf: Leaf| match leaf {
        Leaf::Event(_) | Leaf::SyncHave | Leaf::Result | Leaf::CertificateRequest => QoS::AtLeastOnce,
        Leaf::State | Leaf::Ask => QoS::AtMostOnce,
        Leaf::Ack(_) | Leaf::Command | Leaf::Answer | Leaf::SyncChunk | Leaf::CertificateAnswer => {
            QoS::AtMostOnce
        }
    };
    let leaves = Leaf::ALL.into_iter().filter(|leaf| leaf.from_device());
    leaves.map(|leaf| Filter::new(uplink::topics::topic("+", leaf), qos(leaf))).collect()
}
