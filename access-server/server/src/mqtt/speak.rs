//! What goes out: acknowledgements, and what others send over the link.

use kit::ingest::{Committed, Lane};
use kit::journal::Stream;
use kit::link::{Outgoing, Way};
use kit::problem::chain;
use rumqttc::v5::AsyncClient;
use rumqttc::v5::mqttbytes::QoS;
use tokio::sync::mpsc;
use uplink::event::Ack;
use uplink::topics::{self, Leaf};
use uplink::wire;

use super::{Hub, Token};

/// Sends until everybody who could give it something has gone.
pub(super) async fn run(
    hub: Hub,
    client: AsyncClient,
    mut ways: mpsc::Receiver<Way>,
    mut done: mpsc::Receiver<Token>,
    mut committed: mpsc::Receiver<Committed<Token>>,
) {
    let mut way: Option<Way> = None;
    loop {
        tokio::select! {
            biased;
            Some(opened) = ways.recv() => way = Some(opened),
            Some(safe) = committed.recv() => settle(&hub, &client, safe).await,
            Some(token) = done.recv() => acknowledge(&hub, &client, &token).await,
            outgoing = next(&mut way) => match outgoing {
                Some(outgoing) => send(&client, outgoing).await,
                None => way = None,
            },
        }
    }
}

/// The next thing to send; never, while there is no way out.
async fn next(way: &mut Option<Way>) -> Option<Outgoing> {
    match way {
        Some(way) => way.recv().await,
        None => std::future::pending().await,
    }
}

/// Tells the devices how far they are complete, and the broker which messages are dealt with.
async fn settle(hub: &Hub, client: &AsyncClient, safe: Committed<Token>) {
    for (Lane { source, epoch, stream }, up_to) in safe.complete {
        let stream = match stream {
            Stream::Urgent => uplink::event::Stream::Urgent,
            Stream::Bulk => uplink::event::Stream::Bulk,
            // The server's own: nobody waits for an acknowledgement.
            Stream::Own => continue,
        };
        let payload = wire::encode(&Ack { epoch, up_to });
        let topic = topics::topic(&source, Leaf::Ack(stream));
        if hub.kit.link().is_up() {
            send(client, Outgoing { topic, payload }).await;
        }
    }
    for token in &safe.tokens {
        acknowledge(hub, client, token).await;
    }
}

/// Over the connection it came on, or not at all: the broker delivers again what was not acknowledged before a break.
async fn acknowledge(hub: &Hub, client: &AsyncClient, token: &Token) {
    if token.connection == hub.connection()
        && let Err(error) = client.ack(&token.publish).await
    {
        tracing::debug!(error = %chain(&error), "an acknowledgement to the broker was not sent");
    }
}

/// Nothing is retained. Only replicas are worth the broker's effort of a delivery that outlives a connection.
async fn send(client: &AsyncClient, Outgoing { topic, payload }: Outgoing) {
    let qos = match topics::parse(&topic) {
        Some((_, Leaf::SyncChunk | Leaf::CertificateAnswer)) => QoS::AtLeastOnce,
        Some(_) | None => QoS::AtMostOnce,
    };
    if let Err(error) = client.publish(topic, qos, false, payload).await {
        tracing::debug!(error = %chain(&error), "a message was not sent");
    }
}
