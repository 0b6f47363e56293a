//! What every handler and reaction is given, and the transaction they change things in.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use sqlx::{AnyConnection, AnyPool, Executor};
use tokio::sync::OwnedMutexGuard;

use crate::auth::passkey::Passkeys;
use crate::auth::{Attempts, Uses};
use crate::clock::{Clock, Micros};
use crate::db::{Begun, Db, Engine};
use crate::journal::{Chain, Checkpoint, CheckpointLog, Mark, NewEvent, Placed, StoredEvent};
use crate::keys::Keys;
use crate::link::Link;
use crate::live::LiveTable;
use crate::looks::Looks;
use crate::routes::InHand;
use crate::shelf::Shelf;
use crate::stream::EventStream;
use crate::trouble::Troubles;

/// The state shared by the slices, the console and the server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Kit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    keys: Keys,
    events: EventStream,
    attempts: Attempts,
    uses: Uses,
    passkeys: Passkeys,
    looks: Looks,
    in_hand: InHand,
    shelf: Shelf,
    live: LiveTable,
    link: Link,
    troubles: Troubles,
    log: Option<CheckpointLog>,
}

impl Kit {
    /// Puts the parts together. With `checkpoint_log`, signed checkpoints are kept in that file too.
    ///
    /// # Errors
    /// When the checkpoint log cannot be opened.
    pub fn new(db: Db, clock: Clock, keys: Keys, checkpoint_log: Option<&Path>) -> std::io::Result<Self> {
        let log = checkpoint_log.map(CheckpointLog::open).transpose()?;
        let events = EventStream::new(db.read().clone());
        Ok(Self(Arc::new(Inner {
            db,
            clock,
            keys,
            events,
            attempts: Attempts::default(),
            uses: Uses::default(),
            passkeys: Passkeys::default(),
            looks: Looks::default(),
            in_hand: InHand::default(),
            shelf: Shelf::default(),
            live: LiveTable::default(),
            link: Link::default(),
            troubles: Troubles::default(),
            log,
        })))
    }

    /// UTC microseconds now.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.0.clock.now()
    }

    /// For reading outside a transaction.
    #[must_use]
    pub fn read(&self) -> &AnyPool {
        self.0.db.read()
    }

    /// The database itself.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// The site's keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// What is journaled, as it is committed.
    #[must_use]
    pub fn events(&self) -> &EventStream {
        &self.0.events
    }

    /// What devices look like now.
    #[must_use]
    pub fn live(&self) -> &LiveTable {
        &self.0.live
    }

    /// The way out to devices.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.0.link
    }

    /// What is wrong with the server itself.
    #[must_use]
    pub fn troubles(&self) -> &Troubles {
        &self.0.troubles
    }

    pub(crate) fn looks(&self) -> &Looks {
        &self.0.looks
    }

    /// What waits for somebody's confirmation.
    #[must_use]
    pub fn shelf(&self) -> &Shelf {
        &self.0.shelf
    }

    pub(crate) fn in_hand(&self) -> &InHand {
        &self.0.in_hand
    }

    pub(crate) fn attempts(&self) -> &Attempts {
        &self.0.attempts
    }

    pub(crate) fn uses(&self) -> &Uses {
        &self.0.uses
    }

    /// For whom passkeys are made, and what devices were asked.
    #[must_use]
    pub fn passkeys(&self) -> &Passkeys {
        &self.0.passkeys
    }

    /// Waits for the writer's turn and begins a transaction. Dropped without [`Tx::commit`] it leaves no trace.
    ///
    /// # Errors
    /// When the database cannot begin one.
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        Ok(self.transaction(self.0.db.begin().await?))
    }

    /// Begins a transaction if nobody else writes now; never waits for its turn.
    ///
    /// # Errors
    /// When the database cannot begin one.
    pub(crate) async fn begin_if_free(&self) -> Result<Option<Tx>, sqlx::Error> {
        Ok(self.0.db.begin_if_free().await?.map(|begun| self.transaction(begun)))
    }

    fn transaction(&self, (turn, inner): Begun) -> Tx {
        Tx {
            now: self.now(),
            kit: self.clone(),
            inner,
            chain: None,
            waiting: Vec::new(),
            fresh: Vec::new(),
            turn,
        }
    }

    /// Signs where the chain stands, if anything was added since the last checkpoint.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn checkpoint(&self) -> Result<(), sqlx::Error> {
        let mut tx = self.begin().await?;
        tx.chain().await?;
        tx.finish(true).await
    }

    fn log(&self, checkpoint: &Checkpoint) {
        if let Some(log) = &self.0.log {
            log.append(checkpoint);
        }
    }
}

/// Records that wait to be written at most.
const WAITING: usize = 64;

/// A change of state and the journal records that tell it, together or not at all.
///
/// Runs statements as `&mut *tx`. There is one writer: hold it briefly, and never while waiting for anything else.
#[derive(Debug)]
pub struct Tx {
    now: Micros,
    kit: Kit,
    inner: sqlx::Transaction<'static, sqlx::Any>,
    chain: Option<Chain>,
    /// Records that have their place and are not written yet: many go down in one statement.
    waiting: Vec<Placed>,
    fresh: Vec<Arc<StoredEvent>>,
    turn: OwnedMutexGuard<()>,
}

impl Tx {
    /// When the transaction began: the one time for all it writes.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.now
    }

    /// The state it was begun from.
    #[must_use]
    pub fn kit(&self) -> &Kit {
        &self.kit
    }

    /// Journals something the server itself did or noticed; its place in the journal. Statements of this transaction
    /// may not find it there yet: it is written with others, at the latest at the commit.
    ///
    /// `body` holds pseudonymous ids and hashes only: no name, no credential, no template.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record(&mut self, kind: &str, body: &(impl Serialize + Sync)) -> Result<u64, sqlx::Error> {
        let body = serde_json::to_string(body).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let now = self.now;
        let chain = self.chain().await?;
        let event = chain.own(kind, now, body);
        let placed = chain.place(now, event);
        let seq = placed.record.seq;
        self.waiting.push(placed);
        if self.waiting.len() >= WAITING {
            self.write_down().await?;
        }
        Ok(seq)
    }

    /// Takes the journal's lock now, as the first record would: no other process writes to it before this one ends.
    pub(crate) async fn lock(&mut self) -> Result<(), sqlx::Error> {
        self.chain().await.map(drop)
    }

    /// Journals what others told. Their numbering is the caller's matter.
    pub(crate) async fn append(
        &mut self,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Arc<StoredEvent>>, sqlx::Error> {
        let now = self.now;
        let chain = self.chain().await?;
        let placed: Vec<Placed> = events.into_iter().map(|event| chain.place(now, event)).collect();
        let stored = placed.iter().map(|placed| Arc::clone(&placed.record)).collect();
        self.waiting.extend(placed);
        self.write_down().await?;
        Ok(stored)
    }

    async fn write_down(&mut self) -> Result<(), sqlx::Error> {
        let engine = self.engine();
        Chain::write(&mut self.inner, engine, &self.waiting).await?;
        self.fresh.extend(self.waiting.drain(..).map(|placed| placed.record));
        Ok(())
    }

    /// Commits, and only then tells the readers of the event stream what was journaled.
    ///
    /// # Errors
    /// When the commit fails; nothing was told, and whether it was kept is for the database to say.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.finish(false).await
    }

    async fn finish(mut self, asked: bool) -> Result<(), sqlx::Error> {
        let mut signed = None;
        self.write_down().await?;
        if let Some(mut chain) = self.chain.take() {
            signed = chain.checkpoint(&mut self.inner, self.kit.keys().signer(), self.now, asked).await?;
            chain.close(&mut self.inner).await?;
        }
        self.inner.commit().await?;
        if let Some(checkpoint) = &signed {
            self.kit.log(checkpoint);
        }
        for event in self.fresh {
            self.kit.events().tell(event);
        }
        // Held until now, so that readers hear of records in the journal's order.
        drop(self.turn);
        Ok(())
    }

    async fn chain(&mut self) -> Result<&mut Chain, sqlx::Error> {
        if self.chain.is_none() {
            self.chain = Some(Chain::lock(&mut self.inner).await?);
        }
        Ok(self.chain.as_mut().expect("set above"))
    }

    fn engine(&self) -> Engine {
        self.kit.0.db.engine()
    }

    /// Sets a place to come back to with [`Self::back_to`]; one at a time.
    pub(crate) async fn savepoint(&mut self) -> Result<(Mark, usize), sqlx::Error> {
        let mark = self.chain().await?.mark();
        self.write_down().await?;
        self.inner.execute("SAVEPOINT reaction").await?;
        Ok((mark, self.fresh.len()))
    }

    pub(crate) async fn release(&mut self) -> Result<(), sqlx::Error> {
        self.inner.execute("RELEASE SAVEPOINT reaction").await.map(drop)
    }

    pub(crate) async fn back_to(&mut self, (mark, fresh): (Mark, usize)) -> Result<(), sqlx::Error> {
        self.inner.execute("ROLLBACK TO SAVEPOINT reaction").await?;
        self.release().await?;
        self.chain().await?.back_to(mark);
        self.waiting.clear();
        self.fresh.truncate(fresh);
        Ok(())
    }
}

impl Deref for Tx {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
}
