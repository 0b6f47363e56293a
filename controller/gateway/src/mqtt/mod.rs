//! The link to the broker.
//!
//! One task owns the event loop and does nothing else, because publishing from it can block it for ever; the other keeps the
//! sender's place in the outbox and only ever tries to publish. Sessions begin clean: a command is never queued across a
//! reconnect, and what counts is sent again from the outbox anyway.

mod sender;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use identity::renewal::Renewal;
use identity::{NewKey, Revocations};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use rustls::ClientConfig;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant as TokioInstant, sleep_until};
use uplink::ask::{Answer, Ask};
use uplink::command::{Command, Outcome};
use uplink::enrol::Renewed;
use uplink::event::{self, Batch};
use uplink::live::Live;
use uplink::sync::{Chunk, Have, Set};
use uplink::topics::{Leaf, device_filters, parse, topic};
use uplink::wire;

use crate::config::Broker;
use crate::outbox::{Job, Levels, Reader, index};
use crate::tls::Identity;

use sender::{Heard, Sender};

/// Requests that the event loop has not taken yet.
const REQUESTS: usize = 64;
/// Pauses between attempts to connect.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// A dead broker is noticed after about this long.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// What is held is said again so often.
const HAVE: Duration = Duration::from_secs(10);
/// Between attempts to read or publish that found no room.
const AGAIN: Duration = Duration::from_millis(20);

/// Something to tell the centre.
#[derive(Debug)]
pub enum ToCentre {
    /// A question.
    Ask(Ask),
    /// What became of a command.
    Result(Outcome),
    /// How things stand. The newest counts.
    State(Box<Live>),
}

/// Something the centre or the link tells.
#[derive(Debug)]
pub enum FromCentre {
    /// The broker is there.
    Up,
    /// It is not.
    Down,
    /// The server was heard.
    Heard,
    /// It answers a question.
    Answer(Answer),
    /// It commands.
    Command(Command),
    /// It sends a part of a policy.
    Chunk(Box<Chunk>),
}

/// What the link works with.
pub struct Parts {
    /// Our certificate's common name.
    pub device: String,
    /// Where the broker is.
    pub broker: Broker,
    /// For connections with our certificate.
    pub tls: Arc<ClientConfig>,
    /// Our certificate, and whom we trust.
    pub identity: Identity,
    /// Whose certificates are revoked.
    pub revocations: Revocations,
    /// How far the outbox is.
    pub levels: watch::Receiver<Levels>,
    /// Reads the outbox.
    pub reader: Reader,
    /// Takes acknowledgements.
    pub jobs: mpsc::Sender<Job>,
    /// What the copies of policy and firmware hold.
    pub have: [watch::Receiver<Have>; 2],
    /// What to tell the centre.
    pub outgoing: mpsc::Receiver<ToCentre>,
    /// Takes what the centre tells.
    pub incoming: mpsc::Sender<FromCentre>,
}

/// Keeps the link until nobody speaks or listens to it any more.
pub async fn run(parts: Parts) {
    let mut options = MqttOptions::new(&parts.device, &parts.broker.host, parts.broker.port);
    options
        .set_transport(Transport::Tls(TlsConfiguration::Rustls(parts.tls.clone())))
        .set_clean_start(true)
        .set_keep_alive(KEEP_ALIVE)
        .set_connection_timeout(5)
        .set_max_packet_size(Some(u32::try_from(wire::LARGEST + 1_024).expect("64 KiB and a little")));
    let (client, event_loop) = AsyncClient::new(options, REQUESTS);
    let (happened, happens) = mpsc::channel(REQUESTS);
    let poller = tokio::spawn(poll(event_loop, happened));
    Link::new(parts, client).run(happens).await;
    poller.abort();
}

enum Happened {
    Connected,
    Disconnected,
    Message { topic: String, payload: Vec<u8> },
}

/// Owns the event loop.
async fn poll(mut event_loop: EventLoop, happened: mpsc::Sender<Happened>) {
    let mut failures = 0;
    loop {
        let news = match event_loop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                failures = 0;
                Happened::Connected
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => Happened::Message {
                topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                payload: publish.payload.to_vec(),
            },
            Ok(_) => continue,
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(error = &error as &dyn std::error::Error, "no link to the broker");
                }
                if happened.send(Happened::Disconnected).await.is_err() {
                    return;
                }
                tokio::time::sleep(PAUSES[failures.min(PAUSES.len() - 1)]).await;
                failures += 1;
                continue;
            }
        };
        if happened.send(news).await.is_err() {
            return;
        }
    }
}

struct Link {
    parts: Parts,
    client: AsyncClient,
    sender: Sender,
    connected: bool,
    began: Instant,
    have_due: Option<Instant>,
    renewal: Renewal,
    /// No room was found; not before this again.
    blocked_until: Option<Instant>,
}

impl Link {
    fn new(parts: Parts, client: AsyncClient) -> Link {
        let until = parts.identity.shown.says().map_or(i64::MAX, |it| it.until);
        Link {
            renewal: Renewal::new(until),
            parts,
            client,
            sender: Sender::default(),
            connected: false,
            began: Instant::now(),
            have_due: None,
            blocked_until: None,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    async fn run(mut self, mut happens: mpsc::Receiver<Happened>) {
        loop {
            if self.connected && self.blocked_until.is_none_or(|until| until <= Instant::now()) {
                self.blocked_until = None;
                self.send_events().await;
            }
            let wake = self.wake();
            let [policy, firmware] = &mut self.parts.have;
            tokio::select! {
                news = happens.recv() => match news {
                    None => return,
                    Some(news) => if !self.happened(news).await { return },
                },
                said = self.parts.outgoing.recv() => match said {
                    None => return,
                    Some(said) => self.tell(said),
                },
                changed = self.parts.levels.changed() => if changed.is_err() { return },
                changed = policy.changed() => match changed {
                    Err(_) => return,
                    Ok(()) => self.say_have(),
                },
                changed = firmware.changed() => match changed {
                    Err(_) => return,
                    Ok(()) => self.say_have(),
                },
                () = sleep_until(wake) => {
                    if self.have_due.is_some_and(|due| due <= Instant::now()) {
                        self.say_have();
                    }
                }
            }
        }
    }

    fn wake(&self) -> TokioInstant {
        let sender = self.sender.deadline().map(|at| self.began + Duration::from_micros(at));
        let times = if self.connected { [sender, self.have_due, self.blocked_until] } else { [None; 3] };
        let soonest = times.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + HAVE);
        soonest.into()
    }

    /// Says whether to go on.
    async fn happened(&mut self, news: Happened) -> bool {
        match news {
            Happened::Connected => {
                // Subscriptions do not survive a clean session: all of them, each time.
                for filter in device_filters(&self.parts.device) {
                    if let Err(error) = self.client.try_subscribe(filter, QoS::AtLeastOnce) {
                        tracing::error!(%error, "not subscribed");
                    }
                }
                self.connected = true;
                let levels = *self.parts.levels.borrow();
                let now = self.now();
                self.sender.connected(now, &levels);
                self.say_have();
                tracing::info!("linked to the broker");
                self.parts.incoming.send(FromCentre::Up).await.is_ok()
            }
            Happened::Disconnected => {
                let news = std::mem::replace(&mut self.connected, false);
                self.have_due = None;
                !news || self.parts.incoming.send(FromCentre::Down).await.is_ok()
            }
            Happened::Message { topic, payload } => self.message(&topic, &payload).await,
        }
    }

    async fn message(&mut self, topic: &str, payload: &[u8]) -> bool {
        let Some((_, leaf)) = parse(topic).filter(|(device, _)| *device == self.parts.device) else {
            return true;
        };
        let read = match leaf {
            Leaf::Ack(stream) => match wire::decode::<event::Ack>(payload) {
                Ok(ack) => {
                    self.acknowledged(stream, ack).await;
                    Ok(FromCentre::Heard)
                }
                Err(error) => Err(error),
            },
            Leaf::Command => wire::decode(payload).map(FromCentre::Command),
            Leaf::Answer => wire::decode(payload).map(FromCentre::Answer),
            Leaf::SyncChunk => match wire::decode::<Chunk>(payload) {
                Ok(chunk) if chunk.set == Set::Revoked => {
                    self.revoked(chunk);
                    Ok(FromCentre::Heard)
                }
                chunk => chunk.map(|chunk| FromCentre::Chunk(Box::new(chunk))),
            },
            Leaf::CertificateAnswer => wire::decode(payload).map(|answer| {
                self.renewed(answer);
                FromCentre::Heard
            }),
            // What devices write comes from no server.
            Leaf::Event(_)
            | Leaf::State
            | Leaf::Result
            | Leaf::Ask
            | Leaf::SyncHave
            | Leaf::CertificateRequest => return true,
        };
        match read {
            Ok(news) => self.parts.incoming.send(news).await.is_ok(),
            Err(error) => {
                tracing::warn!(topic, %error, "a message of the server cannot be read");
                true
            }
        }
    }

    async fn acknowledged(&mut self, stream: event::Stream, ack: event::Ack) {
        let levels = *self.parts.levels.borrow();
        let now = self.now();
        let at = utc_now();
        let job = match self.sender.acknowledged(now, &levels, stream, ack) {
            Heard::Has(up_to) => Job::Acknowledged { stream, up_to },
            Heard::HasOnly(up_to) => Job::ServerHas { stream, up_to, at },
            Heard::HasMore => Job::SetBack { stream, at },
            Heard::Nothing => {
                tracing::debug!(stream = stream.as_str(), up_to = ack.up_to, "an acknowledgement of no use");
                return;
            }
        };
        // The writer waits for nobody but the loop, which waits for nobody: this wait is short. Without a writer there is
        // nothing left to do.
        let _ = self.parts.jobs.send(job).await;
    }

    fn tell(&mut self, said: ToCentre) {
        // Without a link none of it counts: questions are not waited for, results are events too, states are old.
        if !self.connected {
            return;
        }
        let (leaf, qos, payload) = match said {
            ToCentre::Ask(ask) => (Leaf::Ask, QoS::AtMostOnce, wire::encode(&ask)),
            ToCentre::Result(outcome) => (Leaf::Result, QoS::AtLeastOnce, wire::encode(&outcome)),
            ToCentre::State(live) => (Leaf::State, QoS::AtMostOnce, wire::encode(&*live)),
        };
        self.publish(leaf, qos, payload);
    }

    fn say_have(&mut self) {
        if self.connected {
            let haves = self.parts.have.each_mut().map(|it| it.borrow_and_update().clone());
            for have in haves.into_iter().chain([self.parts.revocations.have()]) {
                self.publish(Leaf::SyncHave, QoS::AtLeastOnce, wire::encode(&have));
            }
            self.have_due = Some(Instant::now() + HAVE);
            self.renew();
        }
    }

    fn revoked(&mut self, chunk: Chunk) {
        match self.parts.revocations.take(chunk) {
            Ok(Some(number)) => {
                tracing::info!(number, "a new list of revoked certificates is in force");
                self.say_have();
            }
            Ok(None) => {}
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "a list was not taken"),
        }
    }

    /// Asks for a new certificate, when it is time to.
    fn renew(&mut self) {
        let since = self.began.elapsed();
        if !self.renewal.is_due(since, utc_now()) {
            return;
        }
        match NewKey::make() {
            Ok(key) => {
                let asked = self.renewal.ask(since, key);
                if self.publish(Leaf::CertificateRequest, QoS::AtLeastOnce, wire::encode(&asked)) {
                    tracing::info!("a new certificate is asked for");
                } else {
                    self.renewal.failed(since);
                }
            }
            Err(error) => {
                tracing::error!(%error, "no key can be made");
                self.renewal.failed(since);
            }
        }
    }

    /// The next connection shows the new one, and is made at once. Whatever fails, the one before stays.
    fn renewed(&mut self, answer: Renewed) {
        let since = self.began.elapsed();
        let identity = &self.parts.identity;
        let taken = self.renewal.answered(since, answer, &identity.trusted, &self.parts.device);
        let error: Box<dyn std::error::Error> = match taken {
            Ok(None) => return,
            Ok(Some(new)) => match identity.shown.replace(&new.certificate, &new.key) {
                Ok(()) => {
                    tracing::info!("the certificate was renewed");
                    // Where it cannot be said, the connection that there is goes on until it ends by itself.
                    let _ = self.client.try_disconnect();
                    return;
                }
                Err(error) => {
                    let until = identity.shown.says().map_or(i64::MAX, |it| it.until);
                    self.renewal = Renewal::new(until);
                    self.renewal.failed(since);
                    error.into()
                }
            },
            Err(error) => error.into(),
        };
        tracing::error!(error = &*error, "the certificate was not renewed; trying again later");
    }

    fn publish(&mut self, leaf: Leaf, qos: QoS, payload: Vec<u8>) -> bool {
        match self.client.try_publish(topic(&self.parts.device, leaf), qos, false, payload) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(%error, leaf = leaf.path(), "not published");
                false
            }
        }
    }

    /// As much of the outbox as there is room for.
    async fn send_events(&mut self) {
        loop {
            let levels = *self.parts.levels.borrow_and_update();
            let now = self.now();
            let Some((stream, after)) = self.sender.next(now, &levels) else { return };
            let epoch = levels.epoch[index(stream)];
            let events = match self.parts.reader.after(epoch, stream, after).await {
                Ok(events) => events,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the outbox cannot be read");
                    self.blocked_until = Some(Instant::now() + Duration::from_secs(1));
                    return;
                }
            };
            let Some(last) = events.last().map(|event| event.seq) else {
                // The reader's view is older than the levels; it will not be in a moment.
                self.blocked_until = Some(Instant::now() + AGAIN);
                return;
            };
            let payload = wire::encode(&Batch { epoch, events });
            if !self.publish(Leaf::Event(stream), QoS::AtLeastOnce, payload) {
                self.blocked_until = Some(Instant::now() + AGAIN);
                return;
            }
            self.sender.sent(now, stream, last);
        }
    }
}

/// The wall clock: UTC, microseconds.
fn utc_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
