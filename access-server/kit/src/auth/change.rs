//! Changing what operators may do, and their passwords. Every change is journaled, with ids only.
//!
//! Nobody changes somebody above the own rank or raises anybody above it, and the last administrator who can sign in stays
//! one: both are looked at under the journal's lock, in the transaction of the change, so that two administrators who
//! lower one another at the same moment do not both succeed, whichever processes they do it in. Programs are no
//! operators here: see [`super::token`].

use serde_json::json;

use super::attempts::Try;
use super::operators::{OperatorError, OperatorId, fold, role};
use super::ranks::{self, Ranks};
use super::second::take_away;
use super::session::{Desk, LoginRefusal, NewSession, note_wrong, open};
use super::{Role, passkey, password};
use crate::state::{Kit, Tx};

crate::statements! {
    STANDING = "SELECT role, disabled FROM operator WHERE id = $1 AND id NOT IN (SELECT operator FROM token)";
    ADMINISTRATORS = "SELECT COUNT(*) FROM operator WHERE role = $1 AND disabled = 0 AND id <> $2 AND id NOT IN (SELECT operator FROM token)";
    SET_ROLE = "UPDATE operator SET role = $2 WHERE id = $1";
    SET_DISABLED = "UPDATE operator SET disabled = $2 WHERE id = $1";
    SET_PASSWORD = "UPDATE operator SET password = $2, must_change = $3 WHERE id = $1";
    PASSWORD = "SELECT name, password FROM operator WHERE id = $1";
    END_HALVES = "DELETE FROM half_session WHERE operator = $1";
    END_SESSIONS = "DELETE FROM session WHERE operator = $1";
    BY_NAME = "SELECT id FROM operator WHERE name = $1";
}

/// A password was changed by its owner just now, who has no session any more and may have one.
#[derive(Debug)]
pub struct PasswordChanged(OperatorId);

impl PasswordChanged {
    /// Opens the session that takes the place of the one in which the password was changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_in(self, kit: &Kit, desk: impl Into<Desk<'_>>) -> Result<NewSession, LoginRefusal> {
        open(kit, self.0.0, desk.into()).await
    }
}

/// Gives an operator other ranks: they hold from their next request on.
///
/// # Errors
/// When there is no such operator, it is above the rank of `by`, or the last administrator would be lowered.
pub async fn set_role(
    kit: &Kit,
    by: OperatorId,
    id: OperatorId,
    ranks: impl Into<Ranks>,
) -> Result<(), OperatorError> {
    let (ranks, mut tx) = (ranks.into(), kit.begin().await?);
    let role = ranks.highest();
    let standing = may_change(&mut tx, by, id).await?;
    outranks(&mut tx, by, role).await?;
    if standing.is_administrator() && role != Role::Administrator {
        another_stays(&mut tx, id).await?;
    }
    sqlx::query(SET_ROLE).bind(id.0).bind(i64::from(role.rank())).execute(&mut *tx).await?;
    ranks::write(&mut tx, id, &ranks).await?;
    let given = json!({ "operator": id.0, "role": role.as_str(), "ranks": ranks.journaled(), "by": by.0 });
    tx.record("operator.role", &given).await?;
    Ok(tx.commit().await?)
}

/// Shuts an operator out, with every session, or lets them in again.
///
/// # Errors
/// When there is no such operator, they are above the rank of `by`, or are the last administrator.
pub async fn set_disabled(
    kit: &Kit,
    by: OperatorId,
    id: OperatorId,
    disabled: bool,
) -> Result<(), OperatorError> {
    let mut tx = kit.begin().await?;
    let standing = may_change(&mut tx, by, id).await?;
    if standing.is_administrator() && disabled {
        another_stays(&mut tx, id).await?;
    }
    sqlx::query(SET_DISABLED).bind(id.0).bind(i64::from(disabled)).execute(&mut *tx).await?;
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
) -> Result<PasswordChanged, OperatorError> {
    let name = confirm(kit, id, present).await?;
    set_password(kit, (id, &name), new, false, Some(id)).await?;
    Ok(PasswordChanged(id))
}

/// Asks somebody who is signed in for their password once more; their name.
pub(super) async fn confirm(kit: &Kit, id: OperatorId, present: &str) -> Result<String, OperatorError> {
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
    Ok(name)
}

/// Somebody else's change: the operator must choose their own at the next sign-in. For an operator named on the
/// command line `by` is `None`: whoever holds the server's files lets somebody in who has lost everything, so the second
/// factor goes too, and every passkey.
///
/// # Errors
/// When there is no such operator, they are above the rank of `by`, or the password is not taken.
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
    match by {
        Some(by) => {
            may_change(&mut tx, by, id).await?;
        }
        None => {
            take_away(&mut tx, id, None).await?;
            passkey::take_away(&mut tx, id, None).await?;
        }
    }
    sqlx::query(SET_PASSWORD).bind(id.0).bind(hash).bind(i64::from(must_change)).execute(&mut *tx).await?;
    end_all(&mut tx, id).await?;
    tx.record("operator.password", &json!({ "operator": id.0, "by": by.map(|by| by.0) })).await?;
    Ok(tx.commit().await?)
}

/// Ends every session of an operator, those that are half begun too.
async fn end_all(tx: &mut Tx, id: OperatorId) -> Result<(), sqlx::Error> {
    sqlx::query(END_HALVES).bind(id.0).execute(&mut **tx).await?;
    sqlx::query(END_SESSIONS).bind(id.0).execute(&mut **tx).await.map(drop)
}

/// How somebody stands who is to be changed.
pub(super) struct Standing {
    role: Role,
    disabled: bool,
}

impl Standing {
    fn is_administrator(&self) -> bool {
        self.role == Role::Administrator && !self.disabled
    }
}

/// Takes the lock under which ranks are compared, and finds who is to be changed, by somebody of no lower rank.
pub(super) async fn may_change(
    tx: &mut Tx,
    by: OperatorId,
    id: OperatorId,
) -> Result<Standing, OperatorError> {
    tx.lock().await?;
    let standing = standing(tx, id).await?.ok_or(OperatorError::Unknown)?;
    outranks(tx, by, standing.role).await?;
    Ok(standing)
}

/// Whether `by` has this rank at least, now.
pub(super) async fn outranks(tx: &mut Tx, by: OperatorId, role: Role) -> Result<(), OperatorError> {
    tx.lock().await?;
    let own = standing(tx, by).await?.filter(|own| !own.disabled);
    if own.is_some_and(|own| own.role >= role) { Ok(()) } else { Err(OperatorError::Rank) }
}

async fn standing(tx: &mut Tx, id: OperatorId) -> Result<Option<Standing>, sqlx::Error> {
    let found: Option<(i64, i64)> = sqlx::query_as(STANDING).bind(id.0).fetch_optional(&mut **tx).await?;
    found.map(|(rank, disabled)| Ok(Standing { role: role(rank)?, disabled: disabled != 0 })).transpose()
}

async fn another_stays(tx: &mut Tx, id: OperatorId) -> Result<(), OperatorError> {
    let rank = i64::from(Role::Administrator.rank());
    let (others,): (i64,) = sqlx::query_as(ADMINISTRATORS).bind(rank).bind(id.0).fetch_one(&mut **tx).await?;
    if others > 0 { Ok(()) } else { Err(OperatorError::LastAdministrator) }
}
