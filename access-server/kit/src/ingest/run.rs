//! The one task that writes events.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;

use super::order::Order;
use super::{ADVANCE, Committed, Condition, Count, Lane, Offer, POSITION, Queue, Reactions, Shared};
use crate::db::Fault;
use crate::journal::NewEvent;
use crate::problem::chain;
use crate::state::{Kit, Tx};
use crate::trouble::Trouble;

/// Events in one commit: more would make a single one wait too long.
const LARGEST_COMMIT: usize = 4096;
/// Between tries while the database is full or away.
const RETRY: Duration = Duration::from_secs(1);
/// One try takes no longer: a database on another machine that has vanished does not say so.
const PATIENCE: Duration = Duration::from_secs(15);
/// A checkpoint is signed at least so often while anything is journaled.
const CHECKPOINT: Duration = Duration::from_secs(10);

/// The disk did not keep what it was told to, or a statement of ours failed. The process must end with an error: what
/// was acknowledged before stands, and everything else is still with its source.
#[derive(Debug, thiserror::Error)]
#[error("the database failed in a way that does not pass: nothing more is taken")]
pub struct Broken(#[source] pub sqlx::Error);

/// Takes offers until every [`super::Ingest`] is dropped, then signs a last checkpoint.
///
/// # Errors
/// When the disk failed; trouble that may pass is waited out, without acknowledging anything.
pub async fn run<T>(
    kit: Kit,
    queue: Queue<T>,
    reactions: Reactions,
    committed: mpsc::Sender<Committed<T>>,
) -> Result<(), Broken> {
    let Queue { mut offers, shared } = queue;
    let mut order = Order::default();
    let mut checkpoint = tokio::time::interval(CHECKPOINT);
    loop {
        tokio::select! {
            biased;
            first = offers.recv() => {
                let Some(first) = first else { break };
                let batch = gather(first, &mut offers);
                let safe = settle(&kit, &shared, &reactions, &mut order, batch).await?;
                // A receiver that has gone means that the process is stopping: the sources will ask again.
                if committed.send(safe).await.is_err() {
                    break;
                }
            }
            _ = checkpoint.tick() => sign(&kit, &shared).await?,
        }
    }
    sign(&kit, &shared).await
}

/// Whatever else is queued already.
fn gather<T>(first: Offer<T>, offers: &mut mpsc::Receiver<Offer<T>>) -> Vec<Offer<T>> {
    let mut events = first.events.len();
    let mut batch = vec![first];
    while events < LARGEST_COMMIT {
        let Ok(offer) = offers.try_recv() else { break };
        events += offer.events.len();
        batch.push(offer);
    }
    batch
}

/// Commits a batch, however long the database is away.
async fn settle<T>(
    kit: &Kit,
    shared: &Shared,
    reactions: &Reactions,
    order: &mut Order,
    batch: Vec<Offer<T>>,
) -> Result<Committed<T>, Broken> {
    let (mut offers, mut tokens) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
    for Offer { lane, events, token } in batch {
        offers.push((lane, events));
        tokens.push(token);
    }
    loop {
        // What was held back is given up with a failed try: the sources send it again.
        let held = std::mem::take(order);
        match kit.db().patiently(PATIENCE, attempt(kit, shared, reactions, held, &offers)).await {
            Ok((now, complete)) => {
                *order = now;
                recovered(kit, shared).await;
                return Ok(Committed { complete, tokens });
            }
            Err(error) => suffer(kit, shared, error)?,
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// One try. How far each lane is complete is read under the chain's lock, every time: a commit that failed to answer
/// may have been kept, another writer may have taken the same events, and a database that took over from another may
/// know less than the one before.
async fn attempt(
    kit: &Kit,
    shared: &Shared,
    reactions: &Reactions,
    mut order: Order,
    offers: &[(Lane, Vec<NewEvent>)],
) -> Result<(Order, Vec<(Lane, u64)>), sqlx::Error> {
    let mut tx = kit.begin().await?;
    tx.lock().await?;
    let mut lanes = BTreeMap::new();
    for (lane, _) in offers {
        if !lanes.contains_key(lane) {
            let stands = position(&mut tx, lane).await?;
            lanes.insert(lane, (stands, stands));
        }
    }
    let mut next = Vec::new();
    let (mut duplicates, mut ahead) = (0, 0);
    for (lane, events) in offers {
        let (_, complete) = lanes.get_mut(lane).expect("every lane was read above");
        let sorted = order.sort(lane, *complete, events.clone());
        *complete = sorted.complete;
        next.extend(sorted.next);
        duplicates += sorted.duplicates;
        ahead += sorted.ahead;
    }
    let accepted = next.len() as u64;
    let mut unreacted = 0;
    if accepted > 0 {
        let stored = tx.append(next).await?;
        for (lane, (stood, complete)) in &lanes {
            if complete > stood {
                advance(&mut tx, lane, *complete).await?;
            }
        }
        unreacted = reactions.run(&mut tx, &stored).await?;
        tx.commit().await?;
        shared.add(Count::Commits, 1);
    }
    shared.add(Count::Accepted, accepted);
    shared.add(Count::Duplicates, duplicates);
    shared.add(Count::Ahead, ahead);
    shared.add(Count::Unreacted, unreacted);
    Ok((order, lanes.into_iter().map(|(lane, (_, complete))| (lane.clone(), complete)).collect()))
}

async fn position(tx: &mut Tx, lane: &Lane) -> Result<u64, sqlx::Error> {
    let row: Option<(i64,)> = sqlx::query_as(POSITION)
        .bind(lane.source.as_str())
        .bind(i64::from(lane.epoch))
        .bind(lane.stream.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row.map_or(0, |(number,)| number.cast_unsigned()))
}

async fn advance(tx: &mut Tx, lane: &Lane, complete: u64) -> Result<(), sqlx::Error> {
    sqlx::query(ADVANCE)
        .bind(lane.source.as_str())
        .bind(i64::from(lane.epoch))
        .bind(lane.stream.as_str())
        .bind(complete.cast_signed())
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Says what is wrong, once, and whether to go on trying.
fn suffer(kit: &Kit, shared: &Shared, error: sqlx::Error) -> Result<(), Broken> {
    let since = match &*shared.condition.borrow() {
        Condition::Working => kit.now(),
        Condition::Full { since } | Condition::Away { since } | Condition::Broken { since } => *since,
    };
    let (condition, trouble) = match Fault::of(&error) {
        Fault::Full => (Condition::Full { since }, Trouble::DiskFull),
        Fault::Away => {
            // A server that handed over to another refuses this connection everything, and would for ever.
            kit.db().distrust();
            (Condition::Away { since }, Trouble::DatabaseAway)
        }
        // A statement of ours that fails will fail again: better to stop than to turn in a circle unheard.
        Fault::Broken | Fault::Constraint | Fault::Statement => {
            (Condition::Broken { since }, Trouble::DiskBroken)
        }
    };
    let news = *shared.condition.borrow() != condition;
    if news {
        tracing::error!(error = %chain(&error), ?condition, "events are not taken: nothing is acknowledged");
        shared.condition.send_replace(condition.clone());
        kit.troubles().raise(trouble, since);
    }
    match condition {
        Condition::Broken { .. } => Err(Broken(error)),
        Condition::Working | Condition::Full { .. } | Condition::Away { .. } => Ok(()),
    }
}

/// The journal tells afterwards that there was a time in which nothing was taken.
async fn recovered(kit: &Kit, shared: &Shared) {
    let (trouble, since) = match *shared.condition.borrow() {
        Condition::Working => return,
        Condition::Full { since } => (Trouble::DiskFull, since),
        Condition::Away { since } => (Trouble::DatabaseAway, since),
        Condition::Broken { since } => (Trouble::DiskBroken, since),
    };
    tracing::info!("events are taken again");
    shared.condition.send_replace(Condition::Working);
    for trouble in [Trouble::DiskFull, Trouble::DatabaseAway] {
        kit.troubles().clear(trouble);
    }
    let note = async {
        let mut tx = kit.begin().await?;
        tx.record("server.ingest-recovered", &json!({ "trouble": trouble.as_str(), "since": since })).await?;
        tx.commit().await
    };
    if let Err(error) = kit.db().patiently(PATIENCE, note).await {
        tracing::warn!(error = %chain(&error), "the recovery could not be journaled");
    }
}

/// Signs where the chain stands. One that cannot be signed now is signed later: it proves less, and loses nothing.
async fn sign(kit: &Kit, shared: &Shared) -> Result<(), Broken> {
    match kit.db().patiently(PATIENCE, kit.checkpoint()).await {
        Ok(()) => {
            recovered(kit, shared).await;
            Ok(())
        }
        Err(error) => suffer(kit, shared, error),
    }
}
