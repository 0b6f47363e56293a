//! Leaving as little as can be behind in the database's files when somebody, or something of theirs, is deleted.
//!
//! SQLite: the writer overwrites what it deletes or replaces with zeros (`secure_delete`, set when it connects), and the
//! write-ahead log, which still holds the pages from before, is emptied here. PostgreSQL: the tables are vacuumed, but
//! what was in them may be read in freed pages until those are used again, and in archived logs and backups for as long
//! as they are kept. Of templates and pictures that is ciphertext, under a key that the database never had. Names,
//! departments and numbers stand there in clear.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kit::Kit;
use kit::db::Engine;
use kit::problem::chain;
use sqlx::Executor;

/// A log that could not be emptied is tried again after so long.
const AGAIN: Duration = Duration::from_secs(5);
/// And so often: somebody reads the whole journal for half an hour at most.
const TRIES: u32 = 360;
/// Whether that goes on already: one process has one database.
static TRYING: AtomicBool = AtomicBool::new(false);

/// After the commit. The rows are gone whatever happens here.
pub(crate) async fn after(kit: &Kit) {
    match kit.db().engine() {
        Engine::Sqlite => {
            if !emptied(kit).await && !TRYING.swap(true, Ordering::SeqCst) {
                tokio::spawn(keep_trying(kit.clone()));
            }
        }
        Engine::Postgres => {
            if let Err(error) = vacuum(kit).await {
                tracing::warn!(error = %chain(&error), "what was deleted may still be in the database's pages");
            }
        }
    }
}

async fn keep_trying(kit: Kit) {
    let mut done = false;
    for _ in 0..TRIES {
        tokio::time::sleep(AGAIN).await;
        done = kit.read().is_closed() || emptied(&kit).await;
        if done {
            break;
        }
    }
    TRYING.store(false, Ordering::SeqCst);
    if !done {
        tracing::warn!("what was deleted is still in the database's log: something reads it without end");
    }
}

/// Whether the log was emptied. Somebody who still reads what was there before keeps it from being so: then this has
/// waited for five seconds (`busy_timeout`).
async fn emptied(kit: &Kit) -> bool {
    let row: Result<(i64, i64, i64), sqlx::Error> =
        sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(kit.read()).await;
    match row {
        Ok((busy, _, _)) => busy == 0,
        Err(error) => {
            tracing::debug!(error = %chain(&error), "the database's log could not be emptied");
            false
        }
    }
}

async fn vacuum(kit: &Kit) -> Result<(), sqlx::Error> {
    kit.read().execute("VACUUM face_template").await?;
    kit.read().execute("VACUUM profile_picture").await?;
    kit.read().execute("VACUUM person").await?;
    kit.read().execute("VACUUM person_group_member").await?;
    kit.read().execute("VACUUM credential").await.map(drop)
}
