//! Checkpoints that another server signed, written into this machine's log: a second machine is a second witness.

use std::io;
use std::path::Path;

use sqlx::AnyPool;

use super::checkpoint::{Checkpoint, CheckpointLog};

crate::statements! {
    LATER = "SELECT number, seq, hash, at, signature FROM journal_checkpoint WHERE number > $1 ORDER BY number LIMIT $2";
}

/// Number, last record covered, its hash, time, signature.
type Row = (i64, i64, Vec<u8>, i64, Vec<u8>);

/// Checkpoints read at once.
const PAGE: i64 = 1000;

/// Why the log could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The database failed.
    #[error("the checkpoints could not be read")]
    Database(#[from] sqlx::Error),
    /// The log could not be read or made.
    #[error("the checkpoint log could not be used")]
    Log(#[from] io::Error),
    /// Somebody else's, or altered: it is not taken for a proof.
    #[error("checkpoint {0} is not signed by this site's key")]
    Forged(u64),
}

/// Appends to a log what the database has signed since the log's last line; says how many.
///
/// # Errors
/// When either cannot be used, or a checkpoint is not signed by this key.
pub async fn follow(pool: &AnyPool, public_key: &[u8], path: &Path) -> Result<u64, FollowError> {
    let log = CheckpointLog::open(path)?;
    let mut last = CheckpointLog::read(path)?.last().map_or(0, |logged| logged.number);
    let mut written = 0;
    loop {
        let rows: Vec<Row> =
            sqlx::query_as(LATER).bind(last.cast_signed()).bind(PAGE).fetch_all(pool).await?;
        if rows.is_empty() {
            return Ok(written);
        }
        for (number, seq, hash, at, signature) in rows {
            let (number, seq) = (number.cast_unsigned(), seq.cast_unsigned());
            let hash = hash.try_into().map_err(|_| FollowError::Forged(number))?;
            let checkpoint = Checkpoint { number, seq, hash, at, signature };
            if !checkpoint.is_signed_by(public_key) {
                return Err(FollowError::Forged(number));
            }
            log.append(&checkpoint);
            (last, written) = (number, written + 1);
        }
    }
}
