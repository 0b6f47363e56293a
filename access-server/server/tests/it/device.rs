//! A scripted device: keeps its events until the server's own acknowledgement covers them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet, PubAckReason};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uplink::event::{Ack, Batch, Body, Door, DoorChange, Stream};
use uplink::topics::{self, Leaf};
use uplink::wire;

use super::site::Site;

/// Without an answer for so long, it sends again from where the acknowledgement stands.
const AGAIN: Duration = Duration::from_millis(300);

pub(crate) struct Device {
    pub(crate) name: &'static str,
    client: AsyncClient,
    /// What the server wrote to this device.
    pub(crate) heard: mpsc::Receiver<(Leaf, Vec<u8>)>,
    /// Why the broker refused what this device published.
    pub(crate) refused: mpsc::Receiver<PubAckReason>,
    acknowledged: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Device {
    pub(crate) async fn connect(site: &Site, name: &'static str) -> Self {
        Self::connect_as(site, name, name).await
    }

    /// With the certificate of one name and the client id of another.
    pub(crate) async fn connect_as(site: &Site, name: &'static str, client: &str) -> Self {
        let read = |file: &str| std::fs::read(site.pki(file)).unwrap();
        let client_auth = Some((read(&format!("{name}.pem")), read(&format!("{name}.key"))));
        let mut options = MqttOptions::new(client, "localhost", site.broker_port);
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Simple {
            ca: read("ca.pem"),
            alpn: None,
            client_auth,
        }));
        options.set_max_packet_size(Some(100_000));
        let (client, mut events) = AsyncClient::new(options, 1000);
        let (hear, heard) = mpsc::channel(10_000);
        let (refuse, refused) = mpsc::channel(100);
        let (connected, mut ready) = mpsc::channel(1);
        let asking = client.clone();
        let acknowledged = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&acknowledged);
        let task = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        let filters =
                            topics::device_filters(name).map(|filter| Filter::new(filter, QoS::AtLeastOnce));
                        asking.try_subscribe_many(filters).unwrap();
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => {
                        let _ = connected.try_send(());
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
                        let (_, leaf) = topics::parse(&topic).unwrap();
                        let _ = hear.try_send((leaf, publish.payload.to_vec()));
                    }
                    Ok(Event::Incoming(Packet::PubAck(ack))) if ack.reason == PubAckReason::NotAuthorized => {
                        let _ = refuse.try_send(ack.reason);
                    }
                    Ok(Event::Incoming(Packet::PubAck(_))) => {
                        counting.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        });
        ready.recv().await.unwrap();
        Self { name, client, heard, refused, acknowledged, task }
    }

    /// How many of its messages the broker has taken.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub(crate) fn publish(&self, topic: &str, payload: Vec<u8>) {
        // A full channel is a lost message: the device sends again what is not acknowledged.
        let _ = self.client.try_publish(topic, QoS::AtLeastOnce, false, payload);
    }

    pub(crate) fn say(&self, leaf: Leaf, payload: Vec<u8>) {
        self.publish(&topics::topic(self.name, leaf), payload);
    }

    /// Sends events 1 to `last` and comes back when all are acknowledged. `meanwhile` is told how far that is.
    pub(crate) async fn deliver(
        &mut self,
        epoch: u32,
        stream: Stream,
        last: u64,
        mut meanwhile: impl FnMut(u64),
    ) {
        let mut complete = 0;
        while complete < last {
            let to = (complete + 60).min(last);
            let numbers: Vec<u64> = (complete + 1..=to).collect();
            for numbers in numbers.chunks(20) {
                self.say(Leaf::Event(stream), batch(epoch, numbers));
            }
            while complete < to {
                match tokio::time::timeout(AGAIN, self.heard.recv()).await {
                    Ok(Some((Leaf::Ack(of), payload))) if of == stream => {
                        let ack: Ack = wire::decode(&payload).unwrap();
                        if ack.epoch == epoch {
                            assert!(ack.up_to <= last, "acknowledged more than was sent");
                            complete = complete.max(ack.up_to);
                            meanwhile(complete);
                        }
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("the device's connection task ended"),
                    Err(_) => break,
                }
            }
        }
    }

    /// The next thing the server writes on this leaf.
    pub(crate) async fn hear(&mut self, wanted: Leaf) -> Vec<u8> {
        let next = async {
            loop {
                let (leaf, payload) = self.heard.recv().await.unwrap();
                if leaf == wanted {
                    return payload;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), next).await.unwrap()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn batch(epoch: u32, numbers: &[u64]) -> Vec<u8> {
    let events = numbers
        .iter()
        .map(|&seq| {
            let body = Body::Door(Door { door: seq, change: DoorChange::Opened, side: None });
            uplink::event::Event { seq, at: 1_772_438_400_000_000, body }
        })
        .collect();
    wire::encode(&Batch { epoch, events })
}
