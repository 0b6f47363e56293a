//! Leaving nothing behind in the database's files when something sealed is deleted.
//!
//! SQLite: deleted content is overwritten with zeros (`secure_delete`) and the write-ahead log, which still holds the
//! pages from before, is emptied. PostgreSQL: the table is vacuumed; what may stay in freed pages, archived logs and
//! backups is ciphertext under a key that the database never had.

use kit::db::Engine;
use kit::problem::chain;
use kit::{Kit, Tx};
use sqlx::Executor;

/// Before the first statement that deletes something sealed.
pub(crate) async fn before(tx: &mut Tx) -> Result<(), sqlx::Error> {
    match tx.kit().db().engine() {
        Engine::Sqlite => tx.execute("PRAGMA secure_delete = ON").await.map(drop),
        Engine::Postgres => Ok(()),
    }
}

/// After the commit. A failure is logged and no more: the rows are gone, and the next deletion tries again.
pub(crate) async fn after(kit: &Kit) {
    let done = match kit.db().engine() {
        Engine::Sqlite => kit.read().execute("PRAGMA wal_checkpoint(TRUNCATE)").await.map(drop),
        Engine::Postgres => vacuum(kit).await,
    };
    if let Err(error) = done {
        tracing::warn!(error = %chain(&error), "what was deleted may still be in the database's free pages");
    }
}

async fn vacuum(kit: &Kit) -> Result<(), sqlx::Error> {
    kit.read().execute("VACUUM face_template").await?;
    kit.read().execute("VACUUM profile_picture").await.map(drop)
}
