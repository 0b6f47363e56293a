//! The slices this server is made of: the one place that names them all.

use anyhow::Context;
use devices::Trust;
use domain::ids::ControllerId;
use doors::policy::{PublishError, Published};
use jiff::tz::TimeZone;
use kit::ingest::Reactions;
use kit::pki::Holder;
use kit::trouble::Trouble;
use kit::{Kit, Migration, Routes, journal};
use people::embed::EmbedService;
use uplink::sync::{Chunk, Have, Set};

/// Where nothing else was said.
const ZONE: &str = "Asia/Shanghai";

/// Every migration, in the order in which they build on one another.
#[must_use]
pub fn migrations() -> Vec<Migration> {
    [
        journal::MIGRATIONS,
        people::MIGRATIONS,
        doors::MIGRATIONS,
        records::MIGRATIONS,
        webhooks::MIGRATIONS,
        roster::MIGRATIONS,
        devices::MIGRATIONS,
    ]
    .concat()
}

/// What happens when events are journaled, in the same transaction.
#[must_use]
pub fn reactions() -> Reactions {
    Reactions::default().with("firmware", doors::firmware::react)
}

/// Every route of every slice, and their description for programs.
pub fn routes(embed: Option<EmbedService>, trust: Option<Trust>) -> Routes<Kit> {
    kit::http::routes()
        .merge(people::routes(embed))
        .merge(doors::routes())
        .merge(webhooks::routes())
        .merge(roster::routes())
        .merge(devices::routes(trust))
        .described()
}

/// What a device that asks for a replica is answered.
#[derive(Debug)]
pub enum Answer {
    /// What it must be sent to hold the newest version; nothing when it does.
    Send(Vec<Chunk>),
    /// Nothing: it is not for it. Rules are for controllers and faces for vision processes.
    NotForIt,
    /// Nothing: the policy in force knows no such controller.
    Unknown,
}

/// What a device is answered, given what it holds.
///
/// # Errors
/// When the database fails, or a template cannot be opened.
pub async fn replica(kit: &Kit, device: &Holder, have: &Have) -> anyhow::Result<Answer> {
    match (device, have.set) {
        (Holder::Controller(id), Set::Policy) => {
            let chunks = doors::policy::answer(kit, ControllerId(*id), have).await?;
            Ok(chunks.map_or(Answer::Unknown, Answer::Send))
        }
        (Holder::Controller(id), Set::Firmware) => {
            Ok(Answer::Send(doors::firmware::answer(kit, ControllerId(*id), have).await?))
        }
        (Holder::Controller(_) | Holder::Vision(_), Set::Revoked) => {
            Ok(Answer::Send(devices::answer(kit, have).await?))
        }
        (Holder::Vision(_), Set::Gallery) => Ok(Answer::Send(people::gallery::answer(kit, have).await?)),
        (Holder::Server | Holder::Web | Holder::Broker | Holder::Controller(_) | Holder::Vision(_), _) => {
            Ok(Answer::NotForIt)
        }
    }
}

/// Whether something journaled under this kind may change the policy.
#[must_use]
pub fn touches_policy(kind: &str) -> bool {
    // An import is put in force when it has come to its end: fifty publications of fifty thousand people would be no use.
    let others = [
        "policy.",
        "operator.",
        "command.",
        "server.",
        "picture.",
        "people.",
        "person.viewed",
        "webhook.",
        "import.begun",
        "import.written",
        "album.",
        "enrolment.",
        "certificate.",
        "revocations.",
    ];
    !others.iter().any(|other| kind.starts_with(other))
}

/// What the controllers decide by.
#[derive(Debug)]
pub enum InForce {
    /// What the tables say.
    Tables,
    /// The policy before: what the tables say would be faulty.
    Before(PublishError),
    /// Nothing: the site was not set up.
    Nothing,
}

/// Puts in force what the tables say now. A policy that would be faulty is not: the one before stays, and the trouble
/// is shown until it is mended.
///
/// # Errors
/// When the database fails: then it should be tried again.
pub async fn publish(kit: &Kit) -> anyhow::Result<InForce> {
    match doors::policy::publish(kit, None).await {
        Ok(Published::New(version)) => tracing::info!(version = version.0, "a new policy is in force"),
        Ok(Published::Unchanged(_)) => {}
        Err(PublishError::NoSite) => return Ok(InForce::Nothing),
        Err(fault @ (PublishError::Zone(_) | PublishError::Faulty(_) | PublishError::Large { .. })) => {
            tracing::error!(%fault, "the policy was not changed");
            kit.troubles().raise(Trouble::PolicyFaulty, kit.now());
            return Ok(InForce::Before(fault));
        }
        Err(error @ (PublishError::Overtaken | PublishError::Row(_) | PublishError::Database(_))) => {
            return Err(error.into());
        }
    }
    kit.troubles().clear(Trouble::PolicyFaulty);
    Ok(InForce::Tables)
}

/// The zone that the site's times are shown in.
///
/// # Errors
/// When the database fails or the zone is not known.
pub async fn zone(kit: &Kit) -> anyhow::Result<TimeZone> {
    let site = doors::place::site(&mut *kit.read().acquire().await?).await?;
    let name = site.map_or_else(|| ZONE.to_owned(), |site| site.zone);
    TimeZone::get(&name).with_context(|| {
        format!(
            "the site's time zone {name} is not known: import the site with one that is, as Asia/Shanghai"
        )
    })
}
