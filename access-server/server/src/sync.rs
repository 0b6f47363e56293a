//! Replicas: devices say what they hold and are sent what is new, when they ask and whenever something changed.

use std::collections::BTreeMap;
use std::time::Duration;

use kit::Kit;
use kit::pki::Holder;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use uplink::sync::{Chunk, Have, Set};
use uplink::topics::Leaf;
use uplink::wire;

/// What devices said that is not yet looked at; they say it again every minute.
pub const QUEUE: usize = 1024;
/// Devices remembered.
const DEVICES: usize = 4096;
/// Changes that come together are sent together.
const GATHER: Duration = Duration::from_millis(50);
/// A device that was sent a version and did not say that it holds it is sent it again after so long.
const AGAIN: Duration = Duration::from_secs(30);

/// A device's replica as it was last heard of.
#[derive(Debug)]
struct Replica {
    have: Have,
    sent: Option<(u64, Instant)>,
}

/// Looks after every device's replicas until the sender of `haves` is gone.
pub async fn run(kit: Kit, mut haves: mpsc::Receiver<(String, Have)>) {
    let mut replicas: BTreeMap<(String, bool), Replica> = BTreeMap::new();
    let mut changes = changes(&kit);
    loop {
        tokio::select! {
            have = haves.recv() => {
                let Some((device, have)) = have else { return };
                if !may_hold(&device, have.set) {
                    tracing::warn!(device, set = ?have.set, "a device asks for what is not for it");
                    continue;
                }
                let key = (device, have.set == Set::Gallery);
                if replicas.len() >= DEVICES && !replicas.contains_key(&key) {
                    tracing::warn!(device = key.0, "more devices ask for replicas than are remembered");
                    continue;
                }
                let replica = Replica { have, sent: None };
                bring_up(&kit, &key.0, replicas.entry(key.clone()).insert_entry(replica).get_mut()).await;
            }
            Some(()) = changes.recv() => {
                for ((device, _), replica) in &mut replicas {
                    bring_up(&kit, device, replica).await;
                }
            }
        }
    }
}

/// Rules are for controllers, faces for vision processes; nobody gets what they do not need.
fn may_hold(device: &str, set: Set) -> bool {
    match (Holder::parse(device), set) {
        (Some(Holder::Controller(_)), Set::Policy) | (Some(Holder::Vision(_)), Set::Gallery) => true,
        (
            Some(Holder::Controller(_) | Holder::Vision(_) | Holder::Server | Holder::Web | Holder::Broker)
            | None,
            _,
        ) => false,
    }
}

/// Sends what is missing. What fails is tried again when the device next says what it holds.
async fn bring_up(kit: &Kit, device: &str, replica: &mut Replica) {
    let chunks = match crate::slices::replica(kit, device, &replica.have).await {
        Ok(chunks) => chunks,
        Err(error) => {
            tracing::error!(device, error = %kit::problem::chain(error.as_ref()), "a replica could not be read");
            return;
        }
    };
    let Some(Chunk { to, .. }) = chunks.first() else { return };
    let to = *to;
    if replica.sent.is_some_and(|(sent, when)| sent == to && when.elapsed() < AGAIN) {
        return;
    }
    for chunk in &chunks {
        if kit.link().send_waiting(device, Leaf::SyncChunk, wire::encode(chunk)).await.is_err() {
            return;
        }
    }
    replica.sent = Some((to, Instant::now()));
    tracing::debug!(device, version = to, parts = chunks.len(), "a replica was sent");
}

/// A word whenever the server itself journaled something: any of its changes may touch a replica, and finding that one
/// did not costs one query.
fn changes(kit: &Kit) -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    let kit = kit.clone();
    tokio::spawn(async move {
        while !sender.is_closed() {
            let Ok(mut reader) = kit.events().subscribe(None).await else {
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            };
            while let Some(event) = reader.next().await {
                if event.stream != kit::Stream::Own {
                    continue;
                }
                let until = Instant::now() + GATHER;
                while let Ok(Some(_)) = timeout_at(until, reader.next()).await {}
                if sender.send(()).await.is_err() {
                    return;
                }
            }
        }
    });
    receiver
}
