//! Publishing: a new version, whole or not at all, and only when `domain` accepts it.

use domain::ids::PolicyVersion;
use domain::policy::{Fault, Faults, Policy, PolicyParts};
use domain::time::Utc;
use kit::auth::OperatorId;
use kit::db::{Engine, Fault as DbFault};
use kit::{Kit, Problem, Tx};
use serde_json::json;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, Connection, Transaction};

use super::compile::{compile, compile_site, narrow, without_people};
use super::store::{self, Rows, difference, in_force, scoped};
use uplink::sync::policy::assemble;
use uplink::sync::{CHUNK_ROOM, Change};

/// What a publication came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// A new version is in force.
    New(PolicyVersion),
    /// Nothing has changed since this version.
    Unchanged(PolicyVersion),
}

/// Why nothing was published; the version before stays in force.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The site was not set up.
    #[error("the site has no name and no time zone yet")]
    NoSite,
    /// The site's time zone is not known any more.
    #[error("the time zone {0} is not known")]
    Zone(String),
    /// The policy would be faulty; every fault is listed.
    #[error("the policy would be faulty: {0}")]
    Faulty(Faults),
    /// A row would be larger than the devices take.
    #[error("{part} {id} would be larger than the 48 KiB that controllers take")]
    Large {
        /// The kind of row.
        part: &'static str,
        /// Its key.
        id: u64,
    },
    /// Others published again and again meanwhile.
    #[error("another publication came first")]
    Overtaken,
    /// What was published before cannot be read.
    #[error("a published row cannot be read: {0}")]
    Row(String),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl PublishError {
    /// The stable kind, for programs and language files.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSite => "policy-no-site",
            Self::Zone(_) => "policy-zone",
            Self::Faulty(_) => "policy-faulty",
            Self::Large { .. } => "policy-large",
            Self::Overtaken => "policy-overtaken",
            Self::Row(_) => "policy-row",
            Self::Database(_) => "database",
        }
    }

    /// Every fault, where the policy would be faulty.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Faulty(faults) => &faults.0,
            Self::NoSite
            | Self::Zone(_)
            | Self::Large { .. }
            | Self::Overtaken
            | Self::Row(_)
            | Self::Database(_) => &[],
        }
    }
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Self {
        let (code, words) = (error.code(), error.to_string());
        match error {
            PublishError::NoSite | PublishError::Zone(_) | PublishError::Large { .. } => {
                Self::refused(code, words)
            }
            PublishError::Faulty(faults) => {
                let list: Vec<String> = faults.0.iter().map(ToString::to_string).collect();
                Self::refused(code, "the policy would be faulty").with("faults", list)
            }
            PublishError::Overtaken => Self::conflict(code, words),
            PublishError::Row(_) => Self::internal(&error),
            PublishError::Database(error) => error.into(),
        }
    }
}

/// Tries against other publications.
const TRIES: u32 = 5;

/// Compiles the policy and, when it differs from the one in force and `domain` accepts it, puts it in force as a new
/// version. `by` is the operator who asked; `None` for the server of itself.
///
/// # Errors
/// Why not; nothing was changed then.
pub async fn publish(kit: &Kit, by: Option<OperatorId>) -> Result<Published, PublishError> {
    for _ in 0..TRIES {
        if let Some(published) = attempt(kit, by).await? {
            return Ok(published);
        }
    }
    Err(PublishError::Overtaken)
}

/// The newest version; 0 before the first.
///
/// # Errors
/// When the database fails.
pub async fn published_version(kit: &Kit) -> Result<PolicyVersion, sqlx::Error> {
    let mut connection = kit.read().acquire().await?;
    Ok(store::head(&mut connection).await?.0)
}

/// The policy in force for the whole site, as it was published: to preview and to verify decisions with. `None` before
/// the first publication.
///
/// # Errors
/// When a row cannot be read.
pub async fn current(kit: &Kit) -> Result<Option<Policy>, PublishError> {
    let mut connection = kit.read().acquire().await?;
    let mut view = view(kit, &mut connection).await?;
    let (version, _) = store::head(&mut view).await?;
    if version.0 == 0 {
        return Ok(None);
    }
    let rows = in_force(&mut view).await?;
    let rows = rows.iter().map(|((_, table, id), row)| (*table, *id, row.as_str()));
    let mut parts = assemble(version.0, rows).map_err(|faults| PublishError::Row(format!("{faults:?}")))?;
    // A level was sent to each controller with that controller's doors.
    parts.levels.sort_by_key(|level| level.id);
    parts.levels.dedup_by(|again, first| {
        let same = again.id == first.id;
        if same {
            first.doors.append(&mut again.doors);
        }
        same
    });
    Policy::try_from(parts).map(Some).map_err(PublishError::Faulty)
}

/// One try; `None` when another publication came in between.
async fn attempt(kit: &Kit, by: Option<OperatorId>) -> Result<Option<Published>, PublishError> {
    let mut connection = kit.read().acquire().await?;
    let mut seen = view(kit, &mut connection).await?;
    let (head, made_at) = store::head(&mut seen).await?;
    let before = in_force(&mut seen).await?;
    // Compiled as of the last version first: is there anything but the time that changed?
    let same_time = if head.0 == 0 { kit.now() } else { made_at };
    let mut parts = compile(&mut seen, PolicyVersion(head.0 + 1), Utc(same_time)).await?;
    drop(seen);
    drop(connection);
    let controllers = parts.controllers.clone();
    if head.0 > 0 && difference(&before, &scoped(&parts), &controllers).is_none() {
        return Ok(Some(Published::Unchanged(head)));
    }
    // All of it is asked before the writer's turn: of a hundred thousand rows it takes a second that events would wait.
    parts.made_at = Utc(kit.now());
    let after = scoped(&parts);
    check(&parts, &after)?;
    let difference = difference(&before, &after, &controllers).expect("something differs, see above");
    let mut tx = kit.begin().await?;
    if store::head(&mut tx).await?.0 != head {
        return Ok(None);
    }
    let version = parts.version;
    match store::write(&mut tx, version, parts.made_at, by.map(|by| by.0), &difference).await {
        // On PostgreSQL another process may have written this version after the head was read.
        Err(error) if DbFault::of(&error) == DbFault::Constraint => return Ok(None),
        written => written?,
    }
    let body = json!({ "version": version.0, "people": parts.people.len(), "credentials": parts.credentials.len(),
        "doors": parts.doors.len(), "by": by.map(|by| by.0) });
    tx.record("policy.published", &body).await?;
    tx.commit().await?;
    Ok(Some(Published::New(version)))
}

/// What would stand against putting in force what this transaction leaves behind; nothing while there is no site.
pub(crate) async fn objections(tx: &mut Tx) -> Result<Vec<String>, sqlx::Error> {
    let now = Utc(tx.now());
    let compiled = compile(tx, PolicyVersion(1), now).await;
    objections_to(compiled)
}

/// The same where neither people nor what they carry was changed: they are many, and not looked at.
pub(crate) async fn objections_to_site(tx: &mut Tx) -> Result<Vec<String>, sqlx::Error> {
    let now = Utc(tx.now());
    let compiled = compile_site(tx, PolicyVersion(1), now).await;
    objections_to(compiled)
}

fn objections_to(compiled: Result<PolicyParts, PublishError>) -> Result<Vec<String>, sqlx::Error> {
    match compiled.and_then(|parts| check(&parts, &scoped(&parts))) {
        Ok(()) | Err(PublishError::NoSite) => Ok(Vec::new()),
        Err(PublishError::Faulty(faults)) => Ok(faults.0.iter().map(ToString::to_string).collect()),
        Err(
            fault @ (PublishError::Zone(_)
            | PublishError::Large { .. }
            | PublishError::Overtaken
            | PublishError::Row(_)),
        ) => Ok(vec![fault.to_string()]),
        Err(PublishError::Database(error)) => Err(error),
    }
}

/// Asks `domain` about the whole and about what each controller will hold, and whether it can be sent there.
fn check(parts: &PolicyParts, rows: &Rows) -> Result<(), PublishError> {
    if let Some(((_, part, id), _)) = rows.iter().find(|((_, part, _), row)| !fits(part, row)) {
        return Err(PublishError::Large { part, id: *id });
    }
    Policy::try_from(parts.clone()).map_err(PublishError::Faulty)?;
    for controller in &parts.controllers {
        // People and credentials are the whole's, which was accepted.
        let mut own = without_people(parts);
        narrow(&mut own, *controller);
        Policy::try_from(own).map_err(PublishError::Faulty)?;
    }
    Ok(())
}

/// Whether a row finds room in a chunk: receivers refuse what is longer.
fn fits(table: &str, row: &str) -> bool {
    let removal = Change::Remove { table: table.to_owned(), id: 0 };
    removal.size() + row.len() <= CHUNK_ROOM
}

/// One view of the database for several statements, whatever is written meanwhile.
pub(super) async fn view<'c>(
    kit: &Kit,
    connection: &'c mut PoolConnection<Any>,
) -> Result<Transaction<'c, Any>, sqlx::Error> {
    let begin = match kit.db().engine() {
        Engine::Sqlite => "BEGIN",
        Engine::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    };
    let connection: &'c mut AnyConnection = connection;
    connection.begin_with(begin).await
}
