//! What slices do when events are journaled: in the same transaction, together or not at all.

use std::future::Future;
use std::pin::Pin;

use crate::db::Fault;
use crate::journal::StoredEvent;
use crate::problem::chain;
use crate::state::Tx;

/// What a reaction returns.
pub type Reacting<'a> = Pin<Box<dyn Future<Output = Result<(), sqlx::Error>> + Send + 'a>>;

/// A slice's reaction: reads the events it cares for and changes its own tables. It may journal what follows, with
/// [`Tx::record`]. Given every batch in the journal's order; an event whose body it cannot read it passes over.
pub type Reaction = for<'a> fn(&'a mut Tx, &'a [std::sync::Arc<StoredEvent>]) -> Reacting<'a>;

/// The reactions of all slices, by name, in the order in which they run.
#[derive(Clone, Debug, Default)]
pub struct Reactions(Vec<(&'static str, Reaction)>);

impl Reactions {
    /// Adds a slice's reaction.
    #[must_use]
    pub fn with(mut self, slice: &'static str, reaction: Reaction) -> Self {
        self.0.push((slice, reaction));
        self
    }

    /// Runs them all. A reaction that fails by its own fault is undone for the event it fails on, which stays
    /// journaled: how many times that happened. A failing database fails the whole batch.
    pub(super) async fn run(
        &self,
        tx: &mut Tx,
        events: &[std::sync::Arc<StoredEvent>],
    ) -> Result<u64, sqlx::Error> {
        let mut failed = 0;
        for (slice, reaction) in &self.0 {
            if attempt(tx, slice, *reaction, events).await? {
                continue;
            }
            for event in events {
                if !attempt(tx, slice, *reaction, std::slice::from_ref(event)).await? {
                    failed += 1;
                }
            }
        }
        Ok(failed)
    }
}

/// True when the reaction did its work; false when it was undone.
async fn attempt(
    tx: &mut Tx,
    slice: &str,
    reaction: Reaction,
    events: &[std::sync::Arc<StoredEvent>],
) -> Result<bool, sqlx::Error> {
    let mark = tx.savepoint().await?;
    match reaction(tx, events).await {
        Ok(()) => {
            tx.release().await?;
            Ok(true)
        }
        Err(error) if Fault::of(&error).passes() || Fault::of(&error) == Fault::Broken => Err(error),
        Err(error) => {
            tx.back_to(mark).await?;
            if let [event] = events {
                tracing::error!(slice, event.seq, event.kind, error = %chain(&error), "a reaction failed");
            }
            Ok(false)
        }
    }
}
