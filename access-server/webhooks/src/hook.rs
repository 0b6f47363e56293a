//! Webhooks as they are kept: made, changed, held up, ended. Every change is journaled, with the id only.

use kit::auth::OperatorId;
use kit::clock::Micros;
use kit::db::Fault;
use kit::problem::Problem;
use kit::{Kit, Tx};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row};

use crate::address::{Address, AddressFault};
use crate::secret::Secret;
use crate::topic::Topics;

/// Webhooks of a site at most.
pub const HOOKS: usize = 20;
/// Tries in vain that are kept of each, at most.
pub const TRIES_KEPT: i64 = 50;
/// So long after a secret was renewed what is told is signed with the one before too: for receivers to change over.
const CHANGE_OVER: Micros = 24 * 60 * 60 * 1_000_000;
/// The longest name, in letters.
const NAME_MAX: usize = 64;
/// What the sealed columns are bound to, so that neither can stand in the place of the other.
const OF_ADDRESS: &[u8] = b"webhook address";
const OF_SECRET: &[u8] = b"webhook secret";

kit::statements! {
    COUNT = "SELECT COUNT(*) FROM webhook";
    LIST = "SELECT id, name, address, topics, secret, former, former_until, told, paused, told_at, failing_since, tries, next_at, made_by, made_at FROM webhook ORDER BY name";
    ADD = "INSERT INTO webhook (name, address, topics, secret, told, tries, made_by, made_at) VALUES ($1, $2, $3, $4, 0, 0, $5, $6) RETURNING id";
    BEGIN = "UPDATE webhook SET told = $2 WHERE id = $1";
    CHANGE = "UPDATE webhook SET name = $2, address = $3, topics = $4, next_at = NULL WHERE id = $1";
    PAUSE = "UPDATE webhook SET paused = $2, next_at = NULL WHERE id = $1 AND paused IS NULL";
    RESUME = "UPDATE webhook SET paused = NULL, failing_since = NULL, tries = 0, next_at = NULL WHERE id = $1";
    SECRET = "SELECT secret FROM webhook WHERE id = $1";
    RENEW = "UPDATE webhook SET secret = $2, former = $3, former_until = $4 WHERE id = $1";
    FORGET_TRIES = "DELETE FROM webhook_try WHERE webhook = $1";
    REMOVE = "DELETE FROM webhook WHERE id = $1";
    EXISTS = "SELECT id FROM webhook WHERE id = $1";
    TRIES = "SELECT at, seq, took, outcome FROM webhook_try WHERE webhook = $1 ORDER BY id DESC LIMIT $2";
}

/// A webhook, as the journal names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HookId(pub i64);

/// What an administrator says of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it is called, 1 to 64 letters.
    pub name: String,
    /// Where it goes.
    pub address: Address,
    /// What it is told.
    pub topics: Topics,
}

/// A webhook as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The id.
    pub id: HookId,
    /// What it is called, where it goes, what it is told.
    pub draft: Draft,
    /// Who made it.
    pub made_by: OperatorId,
    /// When.
    pub made_at: Micros,
    /// The last record that was told, or is not for it.
    pub told: u64,
    /// When something was last taken.
    pub told_at: Option<Micros>,
    /// Why nothing is told, if so.
    pub paused: Option<Pause>,
    /// Since when nothing was taken, if so.
    pub failing: Option<Failing>,
    /// What is told is signed with it.
    pub(crate) secret: Secret,
    /// And with this one until then.
    pub(crate) former: Option<(Secret, Micros)>,
}

/// Why nothing is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// An administrator said so.
    ByOperator,
    /// The receiver took nothing for three days, or said that it is gone.
    ByItself,
}

/// A receiver that does not take what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Since when.
    pub since: Micros,
    /// Tries in vain since then.
    pub tries: u32,
    /// When it is tried again.
    pub next_at: Option<Micros>,
}

/// Where a webhook that was held up begins again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Where it left off: whatever was journaled meanwhile is told.
    WhereItLeftOff,
    /// With what comes next: what was journaled meanwhile is not told.
    WithWhatComes,
}

/// A try in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TryRow {
    /// When.
    pub at: Micros,
    /// The record that was to be told.
    pub seq: u64,
    /// How long it took, in microseconds.
    pub took: Micros,
    /// The status of the answer, as `503`, or the word for why there was none, as `connect`.
    pub outcome: String,
}

/// Why a webhook was not made or changed; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// Another one has the name.
    #[error("a webhook of this name exists")]
    Exists,
    /// It is empty or too long.
    #[error("a name has 1 to 64 letters")]
    Name,
    /// The address is none, or goes where no webhook may.
    #[error("{0}")]
    Address(#[from] AddressFault),
    /// It would be told nothing.
    #[error("a webhook has one topic at least")]
    NoTopic,
    /// There are [`HOOKS`] already.
    #[error("there are 20 webhooks already: remove one first")]
    Full,
    /// No webhook has this id.
    #[error("there is no such webhook")]
    Unknown,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<HookError> for Problem {
    fn from(error: HookError) -> Self {
        let words = error.to_string();
        match error {
            HookError::Exists => Self::conflict("taken", words).with("field", "name"),
            HookError::Name => Self::refused("field", words).with("field", "name"),
            HookError::Address(_) => Self::refused("field", words).with("field", "address"),
            HookError::NoTopic => Self::refused("field", words).with("field", "topics"),
            HookError::Full => Self::conflict("too-many-webhooks", words),
            HookError::Unknown => Self::not_found(words),
            HookError::Database(error) => error.into(),
        }
    }
}

impl Draft {
    /// Reads what was written.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(name: &str, address: &str, topics: &[crate::Topic]) -> Result<Self, HookError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
            return Err(HookError::Name);
        }
        let address = Address::parse(address)?;
        let topics = Topics::of(topics).ok_or(HookError::NoTopic)?;
        Ok(Self { name: name.to_owned(), address, topics })
    }
}

impl Pause {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ByOperator => "by-operator",
            Self::ByItself => "by-itself",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::ByOperator, Self::ByItself].into_iter().find(|pause| pause.as_str() == word)
    }
}

/// Makes a webhook that is told what is journaled from now on. The secret is to be shown once.
///
/// # Errors
/// Why not.
pub async fn add(tx: &mut Tx, by: OperatorId, draft: &Draft) -> Result<(HookId, Secret), HookError> {
    let (count,): (i64,) = sqlx::query_as(COUNT).fetch_one(&mut **tx).await?;
    if usize::try_from(count).is_ok_and(|count| count >= HOOKS) {
        return Err(HookError::Full);
    }
    let secret = Secret::fresh();
    let kit = tx.kit().clone();
    let (id,) = sqlx::query_as::<_, (i64,)>(ADD)
        .bind(&draft.name)
        .bind(kit.keys().seal(OF_ADDRESS, draft.address.as_str().as_bytes()))
        .bind(draft.topics.words())
        .bind(kit.keys().seal(OF_SECRET, secret.bytes()))
        .bind(by.0)
        .bind(tx.now())
        .fetch_one(&mut **tx)
        .await
        .map_err(taken)?;
    let told = tx.record("webhook.added", &json!({ "webhook": id, "by": by.0 })).await?;
    sqlx::query(BEGIN).bind(id).bind(told.cast_signed()).execute(&mut **tx).await?;
    Ok((HookId(id), secret))
}

/// Changes a webhook. What it was not told yet goes to the new address, at once.
///
/// # Errors
/// Why not.
pub async fn change(tx: &mut Tx, by: OperatorId, id: HookId, draft: &Draft) -> Result<(), HookError> {
    let address = tx.kit().keys().seal(OF_ADDRESS, draft.address.as_str().as_bytes());
    let done = sqlx::query(CHANGE)
        .bind(id.0)
        .bind(&draft.name)
        .bind(address)
        .bind(draft.topics.words())
        .execute(&mut **tx)
        .await
        .map_err(taken)?;
    told_of(tx, done.rows_affected(), "webhook.changed", by, id).await
}

/// Holds a webhook up until [`resume`]; one that was held up already stays so.
///
/// # Errors
/// When there is no such webhook.
pub async fn pause(tx: &mut Tx, by: OperatorId, id: HookId) -> Result<(), HookError> {
    exists(tx, id).await?;
    let done = sqlx::query(PAUSE).bind(id.0).bind(Pause::ByOperator.as_str()).execute(&mut **tx).await?;
    if done.rows_affected() == 1 {
        told_of(tx, 1, "webhook.paused", by, id).await?;
    }
    Ok(())
}

/// Holds a webhook up because its receiver takes nothing.
pub(crate) async fn give_up(tx: &mut Tx, id: HookId) -> Result<(), sqlx::Error> {
    let done = sqlx::query(PAUSE).bind(id.0).bind(Pause::ByItself.as_str()).execute(&mut **tx).await?;
    if done.rows_affected() == 1 {
        tx.record("webhook.given-up", &json!({ "webhook": id.0 })).await?;
    }
    Ok(())
}

/// Lets a webhook go on, at once, whether it was held up or waited for its next try.
///
/// # Errors
/// When there is no such webhook.
pub async fn resume(tx: &mut Tx, by: OperatorId, id: HookId, begin: Begin) -> Result<(), HookError> {
    let done = sqlx::query(RESUME).bind(id.0).execute(&mut **tx).await?;
    if done.rows_affected() == 0 {
        return Err(HookError::Unknown);
    }
    let seq = tx.record("webhook.resumed", &json!({ "webhook": id.0, "by": by.0 })).await?;
    match begin {
        Begin::WhereItLeftOff => {}
        Begin::WithWhatComes => {
            sqlx::query(BEGIN).bind(id.0).bind(seq.cast_signed()).execute(&mut **tx).await?;
        }
    }
    Ok(())
}

/// Journals a record that this webhook is told whatever its topics are: in its turn, as everything else.
///
/// # Errors
/// When there is no such webhook.
pub async fn test(tx: &mut Tx, by: OperatorId, id: HookId) -> Result<(), HookError> {
    exists(tx, id).await?;
    told_of(tx, 1, crate::run::TEST, by, id).await
}

/// Gives a webhook another secret, to be shown once. For a day what is told is signed with the one before too.
///
/// # Errors
/// When there is no such webhook.
pub async fn renew_secret(tx: &mut Tx, by: OperatorId, id: HookId) -> Result<Secret, HookError> {
    let former: Option<(Vec<u8>,)> = sqlx::query_as(SECRET).bind(id.0).fetch_optional(&mut **tx).await?;
    let (former,) = former.ok_or(HookError::Unknown)?;
    let secret = Secret::fresh();
    let sealed = tx.kit().keys().seal(OF_SECRET, secret.bytes());
    let done = sqlx::query(RENEW)
        .bind(id.0)
        .bind(sealed)
        .bind(former)
        .bind(tx.now() + CHANGE_OVER)
        .execute(&mut **tx)
        .await?;
    told_of(tx, done.rows_affected(), "webhook.secret-renewed", by, id).await?;
    Ok(secret)
}

/// Ends a webhook.
///
/// # Errors
/// When there is no such webhook.
pub async fn remove(tx: &mut Tx, by: OperatorId, id: HookId) -> Result<(), HookError> {
    sqlx::query(FORGET_TRIES).bind(id.0).execute(&mut **tx).await?;
    let done = sqlx::query(REMOVE).bind(id.0).execute(&mut **tx).await?;
    told_of(tx, done.rows_affected(), "webhook.removed", by, id).await
}

/// Every webhook, by name.
///
/// # Errors
/// When the database fails, or one was sealed with another site's keys.
pub async fn hooks(kit: &Kit) -> Result<Vec<Hook>, sqlx::Error> {
    let rows = sqlx::query(LIST).fetch_all(kit.read()).await?;
    rows.iter().map(|row| hook(kit, row)).collect()
}

/// The last tries in vain, newest first.
///
/// # Errors
/// When the database fails.
pub async fn tries(pool: &AnyPool, id: HookId) -> Result<Vec<TryRow>, sqlx::Error> {
    let rows: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(TRIES).bind(id.0).bind(TRIES_KEPT).fetch_all(pool).await?;
    let rows = rows.into_iter().map(|(at, seq, took, outcome)| TryRow {
        at,
        seq: seq.cast_unsigned(),
        took,
        outcome,
    });
    Ok(rows.collect())
}

fn hook(kit: &Kit, row: &AnyRow) -> Result<Hook, sqlx::Error> {
    let unknown = |what: &str| sqlx::Error::Decode(format!("a webhook's {what} cannot be read").into());
    let open = |of, column: usize, what| {
        let sealed: Vec<u8> = row.try_get(column)?;
        kit.keys().unseal(of, &sealed).map_err(|_| unknown(what))
    };
    let secret =
        |column| Secret::from_bytes(&open(OF_SECRET, column, "secret")?).ok_or_else(|| unknown("secret"));
    let address = String::from_utf8(open(OF_ADDRESS, 2, "address")?).map_err(|_| unknown("address"))?;
    let topics: String = row.try_get(3)?;
    let paused: Option<String> = row.try_get(8)?;
    let former_until: Option<i64> = row.try_get(6)?;
    let failing: Option<i64> = row.try_get(10)?;
    Ok(Hook {
        id: HookId(row.try_get(0)?),
        draft: Draft {
            name: row.try_get(1)?,
            address: Address::parse(&address).map_err(|_| unknown("address"))?,
            topics: Topics::parse(&topics).ok_or_else(|| unknown("topics"))?,
        },
        made_by: OperatorId(row.try_get(13)?),
        made_at: row.try_get(14)?,
        told: row.try_get::<i64, _>(7)?.cast_unsigned(),
        told_at: row.try_get(9)?,
        paused: paused.map(|word| Pause::parse(&word).ok_or_else(|| unknown("pause"))).transpose()?,
        failing: failing
            .map(|since| {
                let tries = u32::try_from(row.try_get::<i64, _>(11)?).unwrap_or(u32::MAX);
                Ok::<_, sqlx::Error>(Failing { since, tries, next_at: row.try_get(12)? })
            })
            .transpose()?,
        secret: secret(4)?,
        former: former_until.map(|until| Ok::<_, sqlx::Error>((secret(5)?, until))).transpose()?,
    })
}

async fn exists(tx: &mut Tx, id: HookId) -> Result<(), HookError> {
    let found: Option<(i64,)> = sqlx::query_as(EXISTS).bind(id.0).fetch_optional(&mut **tx).await?;
    found.map(drop).ok_or(HookError::Unknown)
}

async fn told_of(tx: &mut Tx, rows: u64, kind: &str, by: OperatorId, id: HookId) -> Result<(), HookError> {
    if rows == 0 {
        return Err(HookError::Unknown);
    }
    tx.record(kind, &json!({ "webhook": id.0, "by": by.0 })).await?;
    Ok(())
}

fn taken(error: sqlx::Error) -> HookError {
    if Fault::of(&error) == Fault::Constraint { HookError::Exists } else { error.into() }
}
