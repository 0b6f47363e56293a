//! The slices this server is made of: the one place that names them all.

use anyhow::Context;
use axum::Router;
use jiff::tz::TimeZone;
use kit::ingest::Reactions;
use kit::{Kit, Migration, journal};
use people::embed::EmbedService;
use uplink::sync::{Chunk, Have, Set};

/// Where nothing else was said.
const ZONE: &str = "Asia/Shanghai";

/// Every migration, in the order in which they build on one another.
#[must_use]
pub fn migrations() -> Vec<Migration> {
    [journal::MIGRATIONS, people::MIGRATIONS].concat()
}

/// What happens when events are journaled, in the same transaction.
#[must_use]
pub fn reactions() -> Reactions {
    Reactions::default()
}

/// Every route of every slice.
pub fn router(embed: Option<EmbedService>) -> Router<Kit> {
    people::router(embed)
}

/// What a device must be sent to hold the newest version; nothing when it does.
///
/// # Errors
/// When the database fails, or a template cannot be opened.
pub async fn replica(
    kit: &Kit,
    _device: &str,
    have: &Have,
) -> Result<Vec<Chunk>, Box<dyn std::error::Error + Send + Sync>> {
    match have.set {
        Set::Gallery => Ok(people::gallery::answer(kit, have).await?),
        Set::Policy => Ok(Vec::new()),
    }
}

/// The zone that the site's times are shown in.
///
/// # Errors
/// When the zone is not known.
pub async fn zone(_kit: &Kit) -> anyhow::Result<TimeZone> {
    TimeZone::get(ZONE).with_context(|| format!("the time zone {ZONE} is not known"))
}
