//! The tasks that tell: one for each webhook, and one that looks after them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kit::journal::events_after;
use kit::problem::chain;
use kit::stream::Reader;
use kit::trouble::Trouble;
use kit::{Kit, Micros, StoredEvent, Stream, Tx};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::hook::{Failing, Hook, HookId, Pause, TRIES_KEPT, give_up, hooks};
use crate::message::Message;
use crate::retry::{Next, Outcome, WORTH_SAYING, next};
use crate::send::{Line, Way};

/// The kind of the record that is told whatever the topics are.
pub(crate) const TEST: &str = "webhook.test";
/// The kind of the record that says that another one was passed over.
const PASSED_OVER: &str = "webhook.passed-over";
/// Records read at once.
const PAGE: u32 = 100;
/// How far a webhook has come is written down at most so often while it is busy: after a crash it is told at most what it
/// took within this, once more.
const KEEP: Duration = Duration::from_secs(1);
/// And so often while there is nothing for it.
const KEEP_WHAT_IS_NOT_FOR_IT: Duration = Duration::from_secs(60);
/// After a fault of the database.
const RETRY: Duration = Duration::from_secs(2);

kit::statements! {
    /// It never goes back: an administrator may have said meanwhile that it begins later.
    PASSED = "UPDATE webhook SET told = $2 WHERE id = $1 AND told < $2";
    TAKEN = "UPDATE webhook SET told_at = $2, failing_since = NULL, tries = 0, next_at = NULL WHERE id = $1";
    FAILED = "UPDATE webhook SET failing_since = $2, tries = $3, next_at = $4 WHERE id = $1";
    ADD_TRY = "INSERT INTO webhook_try (webhook, at, seq, took, outcome) SELECT id, $2, $3, $4, $5 FROM webhook WHERE id = $1";
    LAST_KEPT = "SELECT id FROM webhook_try WHERE webhook = $1 ORDER BY id DESC LIMIT 1 OFFSET $2";
    FORGET_BEFORE = "DELETE FROM webhook_try WHERE webhook = $1 AND id <= $2";
}

/// Tells every webhook what it is to be told, for as long as it is polled.
pub async fn run(kit: Kit, way: Way) {
    let newest = watch::Sender::new(());
    let silent = Silent::default();
    loop {
        // First listen, then look: a webhook that is made in between is seen.
        let begun = async {
            let reader = kit.events().subscribe(None).await?;
            Ok::<_, sqlx::Error>((reader, hooks(&kit).await?))
        };
        let (reader, hooks) = match begun.await {
            Ok(begun) => begun,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "webhooks could not be read; trying again");
                sleep(RETRY).await;
                continue;
            }
        };
        silent
            .only(&kit, hooks.iter().filter(|hook| hook.paused == Some(Pause::ByItself)).map(|hook| hook.id));
        let mut tellers = JoinSet::new();
        for hook in hooks.into_iter().filter(|hook| hook.paused.is_none()) {
            let teller = Teller::new(kit.clone(), way.clone(), newest.subscribe(), silent.clone(), hook);
            tellers.spawn(teller.run());
        }
        tokio::select! {
            () = until_changed(reader, &newest) => {}
            Some(Err(error)) = tellers.join_next() => {
                tracing::error!(%error, "what tells a webhook broke; all begin again");
                sleep(RETRY).await;
            }
        }
    }
}

/// Waits until a webhook was made or changed, and meanwhile wakes those that are at the journal's end.
async fn until_changed(mut reader: Reader, newest: &watch::Sender<()>) {
    // A reader that fell behind begins anew; nothing is missed, as each teller reads the journal itself.
    while let Some(record) = reader.next().await {
        let about_one = record.stream == Stream::Own && record.kind.starts_with("webhook.");
        if about_one && !matches!(record.kind.as_str(), TEST | PASSED_OVER) {
            return;
        }
        newest.send_replace(());
    }
}

/// Tells one webhook.
struct Teller {
    kit: Kit,
    line: Line,
    newest: watch::Receiver<()>,
    silent: Silent,
    hook: Hook,
    /// The last record that was told, or is not for it.
    told: u64,
    /// As far as it is written down, and when that was.
    kept: (u64, Instant),
    /// When something was last taken, if that is not written down.
    taken_at: Option<Micros>,
    failing: Option<Failing>,
}

impl Teller {
    fn new(kit: Kit, way: Way, newest: watch::Receiver<()>, silent: Silent, hook: Hook) -> Self {
        let (told, failing) = (hook.told, hook.failing);
        let kept = (told, Instant::now());
        Self { kit, line: Line::new(way), newest, silent, hook, told, kept, taken_at: None, failing }
    }

    /// Comes to its end only when the receiver is given up.
    async fn run(mut self) {
        if let Some(wait) = self.failing.and_then(|it| it.next_at).map(|at| at - self.kit.now()) {
            // One that was set to wait by a clock that was wrong does not wait for ever.
            sleep(crate::retry::LONGEST.min(Duration::from_micros(u64::try_from(wait).unwrap_or(0)))).await;
        }
        loop {
            self.newest.mark_unchanged();
            let page = match events_after(self.kit.read(), self.told, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::debug!(error = %chain(&error), "the journal could not be read; trying again");
                    sleep(RETRY).await;
                    continue;
                }
            };
            for record in &page {
                if self.is_for_it(record) && !self.tell(record).await {
                    return;
                }
                self.told = record.seq;
                if Instant::now() >= self.keep_at() {
                    self.keep().await;
                }
            }
            if page.is_empty() && !self.more().await {
                return;
            }
        }
    }

    /// Waits until there are more records; `false` when nobody will say so any more.
    async fn more(&mut self) -> bool {
        if self.told != self.kept.0 {
            match timeout_at(self.keep_at(), self.newest.changed()).await {
                Ok(changed) => return changed.is_ok(),
                Err(_) => self.keep().await,
            }
        }
        self.newest.changed().await.is_ok()
    }

    /// When it is next written down how far it has come.
    fn keep_at(&self) -> Instant {
        self.kept.1 + if self.taken_at.is_some() { KEEP } else { KEEP_WHAT_IS_NOT_FOR_IT }
    }

    fn is_for_it(&self, record: &StoredEvent) -> bool {
        #[derive(Deserialize)]
        struct Test {
            webhook: i64,
        }
        let test = record.stream == Stream::Own && record.kind == TEST;
        if test {
            record.parse().is_some_and(|it: Test| it.webhook == self.hook.id.0)
        } else {
            self.hook.draft.topics.tell(record)
        }
    }

    /// Posts a record until it was taken or passed over; `false` when the receiver is given up.
    async fn tell(&mut self, record: &StoredEvent) -> bool {
        let message = Message::of(&self.kit, record);
        loop {
            let now = self.kit.now();
            let former =
                self.hook.former.as_ref().filter(|(_, until)| now < *until).map(|(secret, _)| secret);
            let secrets: Vec<_> = [&self.hook.secret].into_iter().chain(former).collect();
            let asked = Instant::now();
            let outcome = self.line.post(&self.hook.draft.address, &secrets, &message, now / 1_000_000).await;
            let took = asked.elapsed();
            let tries = self.failing.map_or(0, |it| it.tries).saturating_add(1);
            let since = self.failing.map_or(now, |it| it.since);
            let failing_for = Duration::from_micros(u64::try_from(now - since).unwrap_or(0));
            match next(outcome, tries, failing_for, chance()) {
                Next::Told => {
                    self.taken(now);
                    return true;
                }
                Next::Again(pause) => {
                    let next_at = now + Micros::try_from(pause.as_micros()).expect("an hour at most");
                    self.failing = Some(Failing { since, tries, next_at: Some(next_at) });
                    self.failed(record.seq, outcome, took).await;
                    if failing_for >= WORTH_SAYING {
                        self.silent.add(&self.kit, self.hook.id);
                    }
                    sleep(pause).await;
                }
                Next::PassOver => {
                    self.failed(record.seq, outcome, took).await;
                    self.note(Note::PassedOver(record.seq)).await;
                    self.taken(now);
                    return true;
                }
                Next::GiveUp => {
                    self.failed(record.seq, outcome, took).await;
                    self.silent.add(&self.kit, self.hook.id);
                    self.note(Note::GivenUp).await;
                    return false;
                }
            }
        }
    }

    fn taken(&mut self, now: Micros) {
        self.taken_at = Some(now);
        if self.failing.take().is_some() {
            self.silent.remove(&self.kit, self.hook.id);
        }
    }

    /// Writes down how far it has come.
    async fn keep(&mut self) {
        if self.told != self.kept.0 {
            let taken_at = self.taken_at.take();
            self.note(Note::Told(self.told, taken_at)).await;
        }
        self.kept = (self.told, Instant::now());
    }

    /// Writes down a try in vain, and how far it has come.
    async fn failed(&mut self, seq: u64, outcome: Outcome, took: Duration) {
        let hook = self.hook.id.0;
        tracing::debug!(webhook.id = hook, record = seq, %outcome, "a webhook's receiver took nothing");
        self.keep().await;
        self.note(Note::Failed { at: self.kit.now(), failing: self.failing, seq, outcome, took }).await;
    }

    /// Writes something down, however long it takes the database to be there.
    async fn note(&self, note: Note) {
        while let Err(error) = self.try_note(&note).await {
            let hook = self.hook.id.0;
            tracing::debug!(error = %chain(&error), webhook.id = hook, ?note, "not written down yet");
            sleep(RETRY).await;
        }
    }

    async fn try_note(&self, note: &Note) -> Result<(), sqlx::Error> {
        let mut tx = self.kit.begin().await?;
        note.write(&mut tx, self.hook.id).await?;
        tx.commit().await
    }
}

/// What a teller writes down.
#[derive(Clone, Copy, Debug)]
enum Note {
    /// How far it has come, and when something was last taken.
    Told(u64, Option<Micros>),
    /// A try in vain.
    Failed { at: Micros, failing: Option<Failing>, seq: u64, outcome: Outcome, took: Duration },
    /// A record that the receiver cannot read.
    PassedOver(u64),
    /// Nothing more is told.
    GivenUp,
}

impl Note {
    async fn write(self, tx: &mut Tx, id: HookId) -> Result<(), sqlx::Error> {
        match self {
            Self::Told(told, taken_at) => {
                sqlx::query(PASSED).bind(id.0).bind(told.cast_signed()).execute(&mut **tx).await?;
                if let Some(at) = taken_at {
                    sqlx::query(TAKEN).bind(id.0).bind(at).execute(&mut **tx).await?;
                }
            }
            Self::Failed { at, failing, seq, outcome, took } => {
                if let Some(Failing { since, tries, next_at }) = failing {
                    let failed =
                        sqlx::query(FAILED).bind(id.0).bind(since).bind(i64::from(tries)).bind(next_at);
                    failed.execute(&mut **tx).await?;
                }
                let took = i64::try_from(took.as_micros()).expect("a post has seconds");
                let tried = sqlx::query(ADD_TRY).bind(id.0).bind(at).bind(seq.cast_signed()).bind(took);
                tried.bind(outcome.to_string()).execute(&mut **tx).await?;
                let old: Option<(i64,)> =
                    sqlx::query_as(LAST_KEPT).bind(id.0).bind(TRIES_KEPT).fetch_optional(&mut **tx).await?;
                if let Some((old,)) = old {
                    sqlx::query(FORGET_BEFORE).bind(id.0).bind(old).execute(&mut **tx).await?;
                }
            }
            Self::PassedOver(seq) => {
                tx.record(PASSED_OVER, &json!({ "webhook": id.0, "record": seq })).await?;
            }
            Self::GivenUp => give_up(tx, id).await?,
        }
        Ok(())
    }
}

/// Webhooks whose receivers have taken nothing for a while: while there are any, the console says so.
#[derive(Clone, Default)]
struct Silent(Arc<Mutex<BTreeSet<HookId>>>);

impl Silent {
    fn add(&self, kit: &Kit, id: HookId) {
        self.change(kit, |silent| {
            silent.insert(id);
        });
    }

    fn remove(&self, kit: &Kit, id: HookId) {
        self.change(kit, |silent| {
            silent.remove(&id);
        });
    }

    /// These and no others.
    fn only(&self, kit: &Kit, ids: impl Iterator<Item = HookId>) {
        self.change(kit, |silent| *silent = ids.collect());
    }

    fn change(&self, kit: &Kit, change: impl FnOnce(&mut BTreeSet<HookId>)) {
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut silent);
        if silent.is_empty() {
            kit.troubles().clear(Trouble::WebhookSilent);
        } else {
            kit.troubles().raise(Trouble::WebhookSilent, kit.now());
        }
    }
}

/// From 0 to 1.
fn chance() -> f64 {
    let mut byte = [0];
    SystemRandom::new().fill(&mut byte).expect("the system's random source works");
    f64::from(byte[0]) / 255.0
}
