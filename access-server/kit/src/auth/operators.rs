//! Adding operators and changing what they may do. Every change is journaled, with ids only.

use serde_json::json;

use super::attempts::Try;
use super::session::note_wrong;
use super::token::PROGRAM;
use super::{PasswordError, Role, password};
use crate::clock::Micros;
use crate::db::Fault;
use crate::problem::Problem;
use crate::state::{Kit, Tx};

crate::statements! {
    ADD = "INSERT INTO operator (name, role, password, must_change, created_at) VALUES ($1, $2, $3, $4, $5) RETURNING id";
    LIST = "SELECT id, name, role, must_change, disabled, language, created_at FROM operator ORDER BY name";
    SET_ROLE = "UPDATE operator SET role = $2 WHERE id = $1";
    SET_DISABLED = "UPDATE operator SET disabled = $2 WHERE id = $1";
    SET_PASSWORD = "UPDATE operator SET password = $2, must_change = $3 WHERE id = $1";
    PASSWORD = "SELECT name, password FROM operator WHERE id = $1";
    END_SESSIONS = "DELETE FROM session WHERE operator = $1";
    BY_NAME = "SELECT id FROM operator WHERE name = $1";
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
    /// The role.
    pub role: Role,
    /// Must choose a password at the next sign-in.
    pub must_change: bool,
    /// May not sign in.
    pub disabled: bool,
    /// `zh-CN` or `en`.
    pub language: String,
    /// When added.
    pub created_at: Micros,
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
/// When the name is taken or not a name, or the password is not taken.
pub async fn add(
    kit: &Kit,
    by: Option<OperatorId>,
    name: &str,
    role: Role,
    password: &str,
) -> Result<OperatorId, OperatorError> {
    let name = fold(name).filter(|name| name.is_ascii()).ok_or(OperatorError::Name)?;
    let hash = password::hash(&name, password).await?;
    let mut tx = kit.begin().await?;
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
    tx.record("operator.added", &json!({ "operator": id, "role": role.as_str(), "by": by.map(|by| by.0) }))
        .await?;
    tx.commit().await?;
    Ok(OperatorId(id))
}

/// Every operator, by name.
///
/// # Errors
/// When the database fails.
pub async fn list(kit: &Kit) -> Result<Vec<OperatorRow>, sqlx::Error> {
    let rows: Vec<(i64, String, i64, i64, i64, String, i64)> =
        sqlx::query_as(LIST).fetch_all(kit.read()).await?;
    rows.into_iter()
        .map(|(id, name, rank, must_change, disabled, language, created_at)| {
            Ok(OperatorRow {
                id: OperatorId(id),
                name,
                role: role(rank)?,
                must_change: must_change != 0,
                disabled: disabled != 0,
                language,
                created_at,
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

/// Gives an operator another role.
///
/// # Errors
/// When there is no such operator.
pub async fn set_role(kit: &Kit, by: OperatorId, id: OperatorId, role: Role) -> Result<(), OperatorError> {
    let mut tx = kit.begin().await?;
    let done = sqlx::query(SET_ROLE).bind(id.0).bind(i64::from(role.rank())).execute(&mut *tx).await?;
    changed(done.rows_affected())?;
    tx.record("operator.role", &json!({ "operator": id.0, "role": role.as_str(), "by": by.0 })).await?;
    Ok(tx.commit().await?)
}

/// Shuts an operator out, with every session, or lets them in again.
///
/// # Errors
/// When there is no such operator.
pub async fn set_disabled(
    kit: &Kit,
    by: OperatorId,
    id: OperatorId,
    disabled: bool,
) -> Result<(), OperatorError> {
    let mut tx = kit.begin().await?;
    let done = sqlx::query(SET_DISABLED).bind(id.0).bind(i64::from(disabled)).execute(&mut *tx).await?;
    changed(done.rows_affected())?;
    if disabled {
        end_all(&mut tx, id).await?;
    }
    tx.record("operator.disabled", &json!({ "operator": id.0, "disabled": disabled, "by": by.0 })).await?;
    Ok(tx.commit().await?)
}

/// The operator's own change: needs the present password, ends every session (this one too).
///
/// # Errors
/// When the present password is wrong, was wrong too often, or the new one is not taken.
pub async fn change_password(
    kit: &Kit,
    id: OperatorId,
    present: &str,
    new: &str,
) -> Result<(), OperatorError> {
    let stored: Option<(String, String)> =
        sqlx::query_as(PASSWORD).bind(id.0).fetch_optional(kit.read()).await?;
    let (name, stored) = stored.ok_or(OperatorError::Unknown)?;
    // Whoever took over a session is not to find out the password at leisure.
    let who = Try::once_more(&name);
    let taken = kit.attempts().take(who, kit.now()).map_err(OperatorError::Wait)?;
    if !password::matches(present, Some(stored)).await {
        if taken.alarm {
            note_wrong(kit, id.0).await?;
        }
        return Err(OperatorError::WrongPassword);
    }
    kit.attempts().right(who, taken);
    set_password(kit, (id, &name), new, false, Some(id)).await
}

/// Somebody else's change: the operator must choose their own at the next sign-in. For an operator named on the
/// command line `by` is `None`.
///
/// # Errors
/// When there is no such operator or the password is not taken.
pub async fn reset_password(
    kit: &Kit,
    by: Option<OperatorId>,
    name: &str,
    new: &str,
) -> Result<(), OperatorError> {
    let name = fold(name).ok_or(OperatorError::Name)?;
    let found: Option<(i64,)> = sqlx::query_as(BY_NAME).bind(&name).fetch_optional(kit.read()).await?;
    let (id,) = found.ok_or(OperatorError::Unknown)?;
    set_password(kit, (OperatorId(id), &name), new, true, by).await
}

async fn set_password(
    kit: &Kit,
    (id, name): (OperatorId, &str),
    new: &str,
    must_change: bool,
    by: Option<OperatorId>,
) -> Result<(), OperatorError> {
    let hash = password::hash(name, new).await?;
    let mut tx = kit.begin().await?;
    sqlx::query(SET_PASSWORD).bind(id.0).bind(hash).bind(i64::from(must_change)).execute(&mut *tx).await?;
    end_all(&mut tx, id).await?;
    tx.record("operator.password", &json!({ "operator": id.0, "by": by.map(|by| by.0) })).await?;
    Ok(tx.commit().await?)
}

async fn end_all(tx: &mut Tx, id: OperatorId) -> Result<(), sqlx::Error> {
    sqlx::query(END_SESSIONS).bind(id.0).execute(&mut **tx).await.map(drop)
}

fn changed(rows: u64) -> Result<(), OperatorError> {
    if rows == 1 { Ok(()) } else { Err(OperatorError::Unknown) }
}
