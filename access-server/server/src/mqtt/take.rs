//! What comes in: parsed once, here. What cannot be read is counted, logged once for its source, and changes nothing.

use kit::ingest::{Lane, Offer};
use kit::journal::{NewEvent, Stream};
use kit::trouble::Trouble;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Publish;
use tokio::sync::mpsc;
use uplink::event::{Batch, LARGEST_BATCH, Received};
use uplink::topics::{self, Leaf};
use uplink::wire::{self, WireError};

use super::{Hub, Token};

/// Letters in a device's name and in a kind of event.
const LONGEST_NAME: usize = 64;

/// Why a payload changes nothing. The words never repeat the payload.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the topic is none of ours")]
    Topic,
    #[error("nothing of ours is retained")]
    Retained,
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("a batch has 1 to {LARGEST_BATCH} events")]
    Batch,
    #[error("an event is numbered from 1, and its kind is a word of at most 64 letters, without dots")]
    Event,
    #[error("the table of devices is full")]
    Devices,
}

/// Takes one message. Waits for nothing.
pub(super) fn publish(hub: &Hub, acks: &mpsc::Sender<Token>, publish: Publish) {
    let topic = String::from_utf8_lossy(&publish.topic).into_owned();
    let source = topics::parse(&topic).map_or(topic.as_str(), |(device, _)| device);
    let taken = sort(hub, source, &topic, &publish);
    let owed = publish.qos != QoS::AtMostOnce;
    let token = Token { publish: without_payload(publish), connection: hub.connection() };
    let done = match taken {
        // What the queue has no room for is acknowledged to the broker too: that proves nothing, and without the
        // server's own acknowledgement the source sends it again.
        Ok(Some((lane, events))) => {
            hub.ingest.offer(Offer { lane, events, token }).err().map(|refused| refused.token)
        }
        Ok(None) => Some(token),
        Err(refused) => {
            if hub.ingest.malformed(source) {
                tracing::warn!(source, topic, reason = %refused, "a payload was refused; further ones are counted only");
                hub.kit.troubles().raise(Trouble::MalformedPayloads, hub.kit.now());
            }
            Some(token)
        }
    };
    // The broker waits for an acknowledgement of QoS 1 alone: others would crowd those out.
    if let Some(token) = done
        && owed
        && acks.try_send(token).is_err()
    {
        tracing::error!("more acknowledgements wait than the broker's window holds");
    }
}

/// Events to be offered, or `None` when the message is dealt with.
fn sort(
    hub: &Hub,
    source: &str,
    topic: &str,
    publish: &Publish,
) -> Result<Option<(Lane, Vec<NewEvent>)>, Refused> {
    let (device, leaf) = topics::parse(topic).ok_or(Refused::Topic)?;
    if device.len() > LONGEST_NAME {
        return Err(Refused::Topic);
    }
    if publish.retain {
        return Err(Refused::Retained);
    }
    match leaf {
        Leaf::Event(stream) => return events(source, journaled(stream), &publish.payload).map(Some),
        Leaf::State => {
            if !hub.kit.live().hear(device, wire::decode(&publish.payload)?, hub.kit.now()) {
                return Err(Refused::Devices);
            }
        }
        Leaf::Result => {
            // Nobody may be waiting any more: the outcome is in the controller's own events too.
            let _ = hub.kit.link().settled(wire::decode(&publish.payload)?);
        }
        Leaf::SyncHave => {
            // Full: the device says it again within a minute.
            let _ = hub.haves.try_send((device.to_owned(), wire::decode(&publish.payload)?));
        }
        Leaf::Ask => hub.ask(device, wire::decode(&publish.payload)?),
        Leaf::CertificateRequest => {
            let asked = wire::decode(&publish.payload)?;
            if let Some(requests) = &hub.requests {
                // Full: the device asks again.
                let _ = requests.try_send((device.to_owned(), asked));
            }
        }
        Leaf::Ack(_) | Leaf::Command | Leaf::Answer | Leaf::SyncChunk | Leaf::CertificateAnswer => {
            return Err(Refused::Topic);
        }
    }
    Ok(None)
}

fn events(source: &str, stream: Stream, payload: &[u8]) -> Result<(Lane, Vec<NewEvent>), Refused> {
    let batch: Batch<Received> = wire::decode(payload)?;
    if batch.events.is_empty() || batch.events.len() > LARGEST_BATCH {
        return Err(Refused::Batch);
    }
    let lane = Lane { source: source.to_owned(), epoch: batch.epoch, stream };
    let events = batch.events.into_iter().map(|event| {
        // Kinds with a dot are the server's own.
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if event.seq == 0
            || i64::try_from(event.seq).is_err()
            || !(1..=LONGEST_NAME).contains(&event.kind.len())
            || !event.kind.bytes().all(word)
        {
            return Err(Refused::Event);
        }
        Ok(NewEvent {
            source: lane.source.clone(),
            epoch: lane.epoch,
            stream,
            number: event.seq,
            at: event.at,
            kind: event.kind,
            body: Box::<str>::from(event.data).into(),
        })
    });
    let events = events.collect::<Result<_, _>>()?;
    Ok((lane, events))
}

/// The journal's word for a stream of the wire.
fn journaled(stream: uplink::event::Stream) -> Stream {
    match stream {
        uplink::event::Stream::Urgent => Stream::Urgent,
        uplink::event::Stream::Bulk => Stream::Bulk,
    }
}

fn without_payload(mut publish: Publish) -> Publish {
    publish.payload.clear();
    publish
}

#[cfg(test)]
mod tests {
    use kit::ingest;
    use rumqttc::v5::mqttbytes::v5::Publish;

    use super::*;

    /// State comes every other second from each device, at QoS 0: it must not take the place of what is owed.
    #[tokio::test]
    async fn only_what_the_broker_waits_for_is_acknowledged_to_it() {
        let kit = kit::testing::sites(&[]).await.remove(0).kit;
        let (ingest, _queue) = ingest::queue::<Token>(1);
        let (haves, _asked) = mpsc::channel(1);
        let hub = Hub::new(kit, ingest, haves);
        let (acks, mut owed) = mpsc::channel(1);
        for (qos, packet) in [(QoS::AtMostOnce, 0), (QoS::AtMostOnce, 0), (QoS::AtLeastOnce, 9)] {
            let mut message = Publish::new("gatehouse/v1/controller-1/state", qos, "{}", None);
            message.pkid = packet;
            publish(&hub, &acks, message);
        }
        assert_eq!(owed.try_recv().unwrap().publish.pkid, 9);
        assert!(owed.try_recv().is_err());
    }
}
