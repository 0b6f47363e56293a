//! Waiting after wrong one-time codes of devices: by address, as with passwords.

use tokio::time::{Instant, sleep_until};

use super::session::LOOKED_AT;
use crate::state::Kit;

/// A code that is being tried, and counts as a wrong one until [`Tried::was_right`].
#[derive(Debug)]
pub struct Tried {
    kit: Kit,
    address: String,
    /// How many wrong ones came from there lately, with this one.
    pub count: u32,
    refused_at: Instant,
}

impl Tried {
    /// Counts one that came from a peer.
    ///
    /// # Errors
    /// Whole seconds to wait before another.
    pub fn count(kit: &Kit, address: &str) -> Result<Self, u64> {
        let count = kit.attempts().take_code(address, kit.now())?;
        let refused_at = Instant::now() + LOOKED_AT;
        Ok(Self { kit: kit.clone(), address: address.to_owned(), count, refused_at })
    }

    /// It was right.
    pub fn was_right(self) {
        self.kit.attempts().right_code(&self.address);
    }

    /// Waits until a refusal may be answered: always as long, so that the time does not tell what was wrong.
    pub async fn refused(&self) {
        sleep_until(self.refused_at).await;
    }
}
