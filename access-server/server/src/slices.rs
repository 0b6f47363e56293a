//! The slices this server is made of: the one place that names them all.

use anyhow::Context;
use axum::Router;
use domain::ids::ControllerId;
use jiff::tz::TimeZone;
use kit::ingest::Reactions;
use kit::pki::Holder;
use kit::{Kit, Migration, journal};
use people::embed::EmbedService;
use uplink::sync::{Chunk, Have, Set};

/// Where nothing else was said.
const ZONE: &str = "Asia/Shanghai";

/// Every migration, in the order in which they build on one another.
#[must_use]
pub fn migrations() -> Vec<Migration> {
    [journal::MIGRATIONS, people::MIGRATIONS, doors::MIGRATIONS].concat()
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
    device: &str,
    have: &Have,
) -> Result<Vec<Chunk>, Box<dyn std::error::Error + Send + Sync>> {
    match have.set {
        Set::Gallery => Ok(people::gallery::answer(kit, have).await?),
        Set::Policy => match Holder::parse(device) {
            Some(Holder::Controller(id)) => Ok(doors::policy::answer(kit, ControllerId(id), have).await?),
            Some(Holder::Vision(_) | Holder::Server | Holder::Web | Holder::Broker) | None => Ok(Vec::new()),
        },
    }
}

/// The zone that the site's times are shown in.
///
/// # Errors
/// When the database fails or the zone is not known.
pub async fn zone(kit: &Kit) -> anyhow::Result<TimeZone> {
    let mut connection = kit.read().acquire().await?;
    let site = doors::place::site(&mut connection).await?;
    let zone = site.map_or_else(|| ZONE.to_owned(), |site| site.zone);
    TimeZone::get(&zone).with_context(|| format!("the time zone {zone} is not known"))
}
