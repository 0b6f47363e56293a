//! Operators as they are listed, and adding them; journaled with ids only.

use serde_json::json;

use super::change::outranks;
use super::ranks::{self, Ranks, RanksError};
use super::token::PROGRAM;
use super::{PasswordError, Role, password};
use crate::clock::Micros;
use crate::db::Fault;
use crate::problem::Problem;
use crate::state::Kit;

crate::statements! {
    ADD = "INSERT INTO operator (name, role, password, must_change, created_at) VALUES ($1, $2, $3, $4, $5) RETURNING id";
    LIST = "SELECT id, name, role, must_change, disabled, language, created_at, signed_in_at, (SELECT COUNT(*) FROM totp t WHERE t.operator = operator.id AND t.confirmed_at IS NOT NULL) FROM operator ORDER BY name";
}

/// An operator, pseudonymously.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperatorId(pub i64);

/// An operator as the list shows it; programs are among them, see [`super::token`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorRow {
    /// The id.
    pub id: OperatorId,
    /// The login name.
    pub name: String,
    /// The rank, and where.
    pub ranks: Ranks,
    /// Must choose a password at the next sign-in.
    pub must_change: bool,
    /// May not sign in.
    pub disabled: bool,
    /// `zh-CN` or `en`.
    pub language: String,
    /// When added.
    pub created_at: Micros,
    /// When they signed in last; `None` before the first time.
    pub signed_in_at: Option<Micros>,
    /// Is asked for a second factor.
    pub second_factor: bool,
}

/// Why an operator was not added or changed.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The name is taken.
    #[error("an operator of this name exists")]
    Exists,
    /// No operator has this id or name.
    #[error("there is no such operator")]
    Unknown,
    /// Names have 1 to 64 letters, digits, dots, hyphens and underscores; new ones of ASCII, so that no two look alike.
    #[error("a name has 1 to 64 letters (a to z), digits, dots, hyphens or underscores")]
    Name,
    /// Nobody would be left who may add operators.
    #[error("this is the last administrator who can sign in")]
    LastAdministrator,
    /// These are no ranks.
    #[error(transparent)]
    Ranks(#[from] RanksError),
    /// Somebody above one's own rank, or to be raised above it.
    #[error("this is above your own rank")]
    Rank,
    /// The password given as the present one is not.
    #[error("the present password is wrong")]
    WrongPassword,
    /// Too many wrong tries: wait so many seconds.
    #[error("too many wrong tries: wait {0} s")]
    Wait(u64),
    /// The new password is not taken.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl OperatorRow {
    /// Whether it is a program, which signs in with a token.
    #[must_use]
    pub fn is_program(&self) -> bool {
        self.name.starts_with(PROGRAM)
    }
}

impl From<OperatorError> for Problem {
    fn from(error: OperatorError) -> Self {
        let words = error.to_string();
        match error {
            OperatorError::Exists => Self::conflict("operator-exists", words),
            OperatorError::Unknown => Self::not_found(words),
            OperatorError::Name => Self::refused("operator-name", words),
            OperatorError::LastAdministrator => Self::conflict("last-administrator", words),
            OperatorError::Ranks(RanksError::Nowhere) => Self::refused("field", words).with("field", "role"),
            OperatorError::Ranks(_) => Self::refused("field", words).with("field", "places"),
            OperatorError::Rank => Self::forbidden("rank", words),
            OperatorError::WrongPassword => Self::refused("wrong-password", words),
            OperatorError::Wait(seconds) => Self::too_many(seconds),
            OperatorError::Password(_) => Self::refused("weak-password", words),
            OperatorError::Database(error) => error.into(),
        }
    }
}

/// A login name as it is stored: trimmed, lower case. Those from before may have letters of any script.
pub(super) fn fold(name: &str) -> Option<String> {
    let name = name.trim().to_lowercase();
    let good = (1..=64).contains(&name.chars().count())
        && name.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_'));
    good.then_some(name)
}

/// Adds an operator, who must choose a password at the first sign-in. `by` is who does it; `None` on the command line.
///
/// # Errors
/// When the name is taken or not a name, the password is not taken, or the rank is above that of `by`.
pub async fn add(
    kit: &Kit,
    by: Option<OperatorId>,
    name: &str,
    ranks: impl Into<Ranks>,
    password: &str,
) -> Result<OperatorId, OperatorError> {
    let name = fold(name).filter(|name| name.is_ascii()).ok_or(OperatorError::Name)?;
    let hash = password::hash(&name, password).await?;
    let (ranks, mut tx) = (ranks.into(), kit.begin().await?);
    let role = ranks.highest();
    if let Some(by) = by {
        outranks(&mut tx, by, role).await?;
    }
    let now = tx.now();
    let added = sqlx::query_as::<_, (i64,)>(ADD)
        .bind(name)
        .bind(i64::from(role.rank()))
        .bind(hash)
        .bind(1_i64)
        .bind(now)
        .fetch_one(&mut *tx)
        .await;
    let (id,) = match added {
        Err(error) if Fault::of(&error) == Fault::Constraint => return Err(OperatorError::Exists),
        other => other?,
    };
    ranks::write(&mut tx, OperatorId(id), &ranks).await?;
    let added =
        json!({ "operator": id, "role": role.as_str(), "ranks": ranks.journaled(), "by": by.map(|by| by.0) });
    tx.record("operator.added", &added).await?;
    tx.commit().await?;
    Ok(OperatorId(id))
}

/// Every operator, by name.
///
/// # Errors
/// When the database fails.
pub async fn list(kit: &Kit) -> Result<Vec<OperatorRow>, sqlx::Error> {
    type Row = (i64, String, i64, i64, i64, String, i64, Option<i64>, i64);
    let mut connection = kit.read().acquire().await?;
    let mut places = ranks::read_all(&mut connection).await?;
    let rows: Vec<Row> = sqlx::query_as(LIST).fetch_all(&mut *connection).await?;
    rows.into_iter()
        .map(|(id, name, rank, must_change, disabled, language, created_at, signed_in_at, second)| {
            let highest = role(rank)?;
            let ranks = ranks::of_rows(places.remove(&id).unwrap_or_default(), highest)?;
            Ok(OperatorRow {
                id: OperatorId(id),
                name,
                // While they are being changed the list shows the highest.
                ranks: ranks.unwrap_or_else(|| highest.into()),
                must_change: must_change != 0,
                disabled: disabled != 0,
                language,
                created_at,
                signed_in_at,
                second_factor: second > 0,
            })
        })
        .collect()
}

pub(super) fn role(rank: i64) -> Result<Role, sqlx::Error> {
    u8::try_from(rank)
        .ok()
        .and_then(Role::of_rank)
        .ok_or_else(|| sqlx::Error::Decode("an unknown rank".into()))
}
