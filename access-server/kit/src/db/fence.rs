//! What keeps a server that lost its lease from writing, however long it was held up in between.

use std::io;

use sqlx::AnyConnection;

/// The row is held until the transaction ends: whoever takes the lease over changes its key, and waits for that, or ends
/// the transaction.
const STANDS: &str = "SELECT epoch FROM lease WHERE epoch = $1 AND holder = $2 FOR KEY SHARE";

/// The lease that a program writes under.
#[derive(Debug)]
pub(crate) struct Fence {
    pub(crate) epoch: i64,
    pub(crate) holder: String,
}

impl Fence {
    /// Fails when somebody else holds the lease by now.
    pub(crate) async fn check(&self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        let stands: Option<(i64,)> = sqlx::query_as(STANDS)
            .bind(self.epoch)
            .bind(self.holder.as_str())
            .fetch_optional(connection)
            .await?;
        stands
            .map(drop)
            .ok_or_else(|| io::Error::other("another server is the active one: nothing is written").into())
    }
}
