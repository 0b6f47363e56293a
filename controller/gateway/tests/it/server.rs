//! A scripted server: takes events in as the real one does, or misbehaves as told.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{Client, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use uplink::command::{Action, Command, Outcome};
use uplink::event::{Ack, Batch, Body, Stream};
use uplink::live::Live;
use uplink::sync::{Chunk, Have};
use uplink::topics::{Leaf, parse, server_filters, topic};
use uplink::wire;

use crate::building::{until, utc_now};
use crate::vision::tls;

const DEVICE: &str = "controller-1";

/// How it acknowledges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Manners {
    /// What it has, without gaps.
    Honest,
    /// Nothing.
    Silent,
    /// Far more than it has.
    Liar,
}

/// What it knows.
#[derive(Default)]
pub(crate) struct Known {
    /// By epoch, stream and number.
    pub(crate) events: BTreeMap<(u32, Stream, u64), Body>,
    /// Events that came again.
    pub(crate) repeats: usize,
    /// How often it acknowledged what it had not.
    pub(crate) lies: usize,
    pub(crate) results: Vec<Outcome>,
    pub(crate) live: Option<Live>,
    pub(crate) haves: Vec<Have>,
    pub(crate) connected: usize,
}

pub(crate) struct Server {
    client: Client,
    known: Arc<Mutex<Known>>,
    manners: Arc<Mutex<Manners>>,
}

impl Server {
    pub(crate) fn start(folder: &Path, port: u16) -> Server {
        let mut options = MqttOptions::new("server", "localhost", port);
        options
            .set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::new(tls(folder, "server")))))
            .set_clean_start(true)
            .set_keep_alive(Duration::from_secs(5))
            .set_max_packet_size(Some(70_000));
        let (client, mut connection) = Client::new(options, 1_000);
        let known: Arc<Mutex<Known>> = Arc::default();
        let manners = Arc::new(Mutex::new(Manners::Honest));
        let (mine, how, speaker) = (known.clone(), manners.clone(), client.clone());
        thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        for filter in server_filters() {
                            speaker.try_subscribe(filter, QoS::AtLeastOnce).expect("there is room");
                        }
                        mine.lock().expect("nobody panics with it").connected += 1;
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let name = String::from_utf8_lossy(&publish.topic).into_owned();
                        let manners = *how.lock().expect("nobody panics with it");
                        hear(&speaker, &mine, manners, &name, &publish.payload);
                    }
                    Ok(_) => {}
                    Err(_) => thread::park_timeout(Duration::from_millis(100)),
                }
            }
        });
        let server = Server { client, known, manners };
        until("the server's link", || server.look(|known| (known.connected > 0).then_some(())));
        server
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.lock().expect("nobody panics with it"))
    }

    pub(crate) fn behave(&self, manners: Manners) {
        *self.manners.lock().expect("nobody panics with it") = manners;
    }

    /// What it was told of how things stand counts no more.
    pub(crate) fn forget_live(&self) {
        self.known.lock().expect("nobody panics with it").live = None;
    }

    /// Waits for an event.
    pub(crate) fn wait_event(&self, what: &str, mut is: impl FnMut(&Body) -> bool) -> Body {
        until(what, || self.look(|known| known.events.values().find(|body| is(body)).cloned()))
    }

    pub(crate) fn count(&self, mut is: impl FnMut(&Body) -> bool) -> usize {
        self.look(|known| known.events.values().filter(|body| is(body)).count())
    }

    /// Sends a command as it is.
    pub(crate) fn command(&self, id: &str, expires_in_ms: i64, rank: u8, action: Action) {
        let command =
            Command { id: id.to_owned(), expires_at: utc_now() + expires_in_ms * 1_000, by: 5, rank, action };
        self.say(Leaf::Command, wire::encode(&command));
    }

    pub(crate) fn offer(&self, chunks: &[Chunk]) {
        for chunk in chunks {
            self.say(Leaf::SyncChunk, wire::encode(chunk));
        }
    }

    pub(crate) fn say(&self, leaf: Leaf, payload: Vec<u8>) {
        self.client.publish(topic(DEVICE, leaf), QoS::AtLeastOnce, false, payload).expect("there is room");
    }

    pub(crate) fn wait_result(&self, id: &str) -> Outcome {
        until(id, || self.look(|known| known.results.iter().find(|it| it.id == id).cloned()))
    }

    /// Every number from 1 to the highest, in both streams of the only epoch.
    pub(crate) fn has_no_gaps(&self) {
        self.look(|known| {
            for stream in [Stream::Urgent, Stream::Bulk] {
                let numbers: Vec<u64> =
                    known.events.keys().filter(|(_, of, _)| *of == stream).map(|(_, _, seq)| *seq).collect();
                let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
                assert_eq!(numbers, expected, "{stream:?}");
            }
            let epochs: Vec<u32> = known.events.keys().map(|(epoch, _, _)| *epoch).collect();
            assert!(epochs.windows(2).all(|pair| pair[0] == pair[1]), "one epoch");
        });
    }
}

fn hear(client: &Client, known: &Mutex<Known>, manners: Manners, name: &str, payload: &[u8]) {
    let Some((DEVICE, leaf)) = parse(name) else { return };
    let mut known = known.lock().expect("nobody panics with it");
    match leaf {
        Leaf::Event(stream) => {
            let batch: Batch = wire::decode(payload).expect("the controller speaks our language");
            for event in batch.events {
                let key = (batch.epoch, stream, event.seq);
                if let Some(before) = known.events.insert(key, event.body.clone()) {
                    assert_eq!(before, event.body, "the same number is the same event");
                    known.repeats += 1;
                }
            }
            let has = |seq: &u64| known.events.contains_key(&(batch.epoch, stream, *seq));
            let up_to = (1..).take_while(has).last().unwrap_or(0);
            let up_to = match manners {
                Manners::Silent => return,
                Manners::Honest => up_to,
                Manners::Liar => {
                    known.lies += 1;
                    up_to + 1_000
                }
            };
            let ack = wire::encode(&Ack { epoch: batch.epoch, up_to });
            // Without room the controller sends again, and is answered then.
            let _ = client.try_publish(topic(DEVICE, Leaf::Ack(stream)), QoS::AtLeastOnce, false, ack);
        }
        Leaf::State => known.live = Some(wire::decode(payload).expect("our language")),
        Leaf::Result => known.results.push(wire::decode(payload).expect("our language")),
        Leaf::SyncHave => known.haves.push(wire::decode(payload).expect("our language")),
        Leaf::Ack(_)
        | Leaf::Command
        | Leaf::Ask
        | Leaf::Answer
        | Leaf::SyncChunk
        | Leaf::CertificateRequest
        | Leaf::CertificateAnswer => {}
    }
}
