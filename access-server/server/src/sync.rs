//! Replicas: devices say what they hold and are sent what is new, when they ask and whenever something changed.
//!
//! What changes people, credentials, doors or levels is put in force by itself, at once: a right withdrawn is withdrawn.

mod told;

use std::collections::BTreeMap;
use std::time::Duration;

use kit::Kit;
use kit::pki::Holder;
use kit::problem::chain;
use kit::trouble::Trouble;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};
use uplink::sync::{Chunk, Have, Set};
use uplink::topics::Leaf;
use uplink::wire;

use self::told::Told;
use crate::slices::{self, Answer};

/// What devices said that is not yet looked at; they say it again every ten seconds.
pub const QUEUE: usize = 1024;
/// Devices remembered.
const DEVICES: usize = 4096;
/// Changes that come together are put in force together.
const GATHER: Duration = Duration::from_millis(50);
/// However many come, they are in force after so long.
const GATHER_AT_MOST: Duration = Duration::from_secs(1);
/// How soon this process hears of what another one journaled.
const OTHERS: Duration = Duration::from_secs(1);
/// A publication that failed is tried again after so long.
const RETRY: Duration = Duration::from_secs(1);
/// A device that was sent a version and did not say that it holds it is sent it again after so long.
const AGAIN: Duration = Duration::from_secs(30);

/// A device's replica as it was last heard of.
#[derive(Debug)]
struct Replica {
    have: Have,
    sent: Option<(u64, Instant)>,
}

/// Which device, and which of its replicas (a gallery or not).
type Key = (String, Set);

/// What happened that may touch a replica; what is greater includes what is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// A replica has a new version.
    Published,
    /// Something a policy is made of may have changed.
    Tables,
}

/// Looks after every device's replicas until the sender of `haves` is gone.
pub async fn run(kit: Kit, mut haves: mpsc::Receiver<(String, Have)>) {
    let mut replicas: BTreeMap<Key, Replica> = BTreeMap::new();
    let mut told = Told::default();
    let (sender, mut changes) = mpsc::channel(1);
    let watching = watch(kit.clone(), sender);
    let looking_after = async {
        // The tables may have changed while no server ran.
        let mut again = publish(&kit).await;
        loop {
            tokio::select! {
                have = haves.recv() => {
                    let Some((device, have)) = have else { return };
                    note(&kit, &mut replicas, &mut told, device, have).await;
                }
                Some(change) = changes.recv() => {
                    if change == Change::Tables {
                        again = publish(&kit).await;
                    }
                    for ((device, _), replica) in &mut replicas {
                        bring_up(&kit, &mut told, device, replica).await;
                    }
                }
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {
                    again = publish(&kit).await;
                }
            }
        }
    };
    tokio::select! {
        () = looking_after => {}
        () = watching => {}
        () = listen_to_others(&kit) => {}
    }
}

/// Puts the tables in force; when to try again, if that failed.
async fn publish(kit: &Kit) -> Option<Instant> {
    let troubles = kit.troubles();
    match slices::publish(kit).await {
        Ok(_) => {
            troubles.clear(Trouble::PolicyUnpublished);
            None
        }
        Err(error) => {
            if !troubles.standing().contains_key(&Trouble::PolicyUnpublished) {
                tracing::error!(error = %chain(error.as_ref()), "the policy could not be published; trying again");
            }
            troubles.raise(Trouble::PolicyUnpublished, kit.now());
            Some(Instant::now() + RETRY)
        }
    }
}

async fn note(kit: &Kit, replicas: &mut BTreeMap<Key, Replica>, told: &mut Told, device: String, have: Have) {
    let key = (device, have.set);
    if replicas.len() >= DEVICES && !replicas.contains_key(&key) {
        // Of all of them together: there may be as many more.
        if let Some(kept_back) = told.tell("", "too-many", Instant::now()) {
            tracing::warn!(device = key.0, kept_back, "more devices ask for replicas than are remembered");
        }
        return;
    }
    // Who says the same again may still have on its way what was sent for it.
    let sent = replicas.get(&key).filter(|known| known.have == have).and_then(|known| known.sent);
    let mut replica = Replica { have, sent };
    bring_up(kit, told, &key.0, &mut replica).await;
    replicas.insert(key, replica);
}

/// Sends what is missing. What fails is tried again when the device next says what it holds.
async fn bring_up(kit: &Kit, told: &mut Told, device: &str, replica: &mut Replica) {
    let now = Instant::now();
    let set = replica.have.set;
    let Some(holder) = Holder::parse(device) else {
        if let Some(kept_back) = told.tell(device, "no-kind", now) {
            tracing::warn!(device, kept_back, "a device of no known kind asks for a replica");
        }
        return;
    };
    let chunks = match slices::replica(kit, &holder, &replica.have).await {
        Ok(Answer::Send(chunks)) => chunks,
        Ok(Answer::NotForIt) => {
            if let Some(kept_back) = told.tell(device, "not-for-it", now) {
                tracing::warn!(device, ?set, kept_back, "a device asks for what is not for it");
            }
            return;
        }
        Ok(Answer::Unknown) => {
            if let Some(kept_back) = told.tell(device, "unknown", now) {
                tracing::warn!(device, kept_back, "a controller that the policy does not know asks for it");
            }
            return;
        }
        Err(error) => {
            if let Some(kept_back) = told.tell(device, "unread", now) {
                let error = chain(error.as_ref());
                tracing::error!(device, ?set, kept_back, %error, "a replica could not be read");
            }
            return;
        }
    };
    let Some(&Chunk { to, .. }) = chunks.first() else { return };
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

/// A word whenever the server itself, or its command line, journaled something that may touch a replica.
async fn watch(kit: Kit, changes: mpsc::Sender<Change>) {
    loop {
        let Ok(mut reader) = kit.events().subscribe(None).await else {
            tokio::time::sleep(OTHERS).await;
            continue;
        };
        // A reader that fell behind has missed something, of whatever kind.
        let mut change = Some(Change::Tables);
        loop {
            if let Some(change) = change.take()
                && changes.send(change).await.is_err()
            {
                return;
            }
            let Some(first) = reader.next().await else { break };
            change = kind(&first);
            let last = Instant::now() + GATHER_AT_MOST;
            while change.is_some()
                && let Ok(Some(next)) = timeout_at(last.min(Instant::now() + GATHER), reader.next()).await
            {
                change = change.max(kind(&next));
            }
        }
    }
}

/// What a journaled event may touch.
fn kind(event: &kit::StoredEvent) -> Option<Change> {
    match event.stream {
        kit::Stream::Urgent | kit::Stream::Bulk => None,
        kit::Stream::Own if slices::touches_policy(&event.kind) => Some(Change::Tables),
        kit::Stream::Own if event.kind.starts_with("policy.") || event.kind == "revocations.signed" => {
            Some(Change::Published)
        }
        kit::Stream::Own => None,
    }
}

async fn listen_to_others(kit: &Kit) {
    let mut tick = tokio::time::interval(OTHERS);
    loop {
        tick.tick().await;
        if let Err(error) = kit.events().catch_up().await {
            tracing::debug!(error = %chain(&error), "the journal could not be looked at");
        }
    }
}

#[cfg(test)]
mod tests {
    use uplink::sync::Digest;

    use super::*;

    #[tokio::test]
    async fn a_device_that_asks_again_and_again_for_what_it_cannot_have_is_told_of_once() {
        let kit = kit::testing::sites(&[people::MIGRATIONS, doors::MIGRATIONS].concat()).await.remove(0).kit;
        let (mut replicas, mut told) = (BTreeMap::new(), Told::default());
        let have = Have { set: Set::Policy, version: None, digest: Digest::default() };
        let now = Instant::now();
        for _ in 0..100 {
            note(&kit, &mut replicas, &mut told, "vision-1".to_owned(), have.clone()).await;
        }
        let later = now + Duration::from_secs(2 * 3600);
        assert_eq!(told.tell("vision-1", "not-for-it", later), Some(99), "the first was told of");
    }
}
