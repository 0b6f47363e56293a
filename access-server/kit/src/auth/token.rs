//! Tokens: what programs sign in with.
//!
//! A token is 256 bits, shown once, of which the database holds the SHA-256. It has scopes, an end, and an operator of
//! its own, so that the journal says which program did something; nobody can sign in as that operator. What was
//! revoked or has ended is refused from the next request on.

use serde_json::json;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use super::operators::{OperatorId, fold, role};
use super::{Operator, Role, Scope};
use crate::clock::Micros;
use crate::db::Fault;
use crate::journal::hex;
use crate::problem::{Problem, chain};
use crate::state::{Kit, Tx};

/// Begins every token, so that one that was left somewhere is recognised.
const MARK: &str = "gatehouse_";
/// Begins the names of the operators that are programs. No login name has a colon.
pub(super) const PROGRAM: &str = "token:";
/// Tokens that have not been revoked, at most.
pub const TOKENS: usize = 100;
/// No token lives longer than two years.
pub const LONGEST_TOKEN: Micros = 2 * 366 * 24 * 60 * 60 * 1_000_000;
/// Use is written down at most so often.
const NOTE_USE: Micros = 60_000_000;

crate::statements! {
    ADD_PROGRAM = "INSERT INTO operator (name, role, password, must_change, created_at) VALUES ($1, $2, '', 0, $3) RETURNING id";
    ADD_TOKEN = "INSERT INTO token (operator, digest, scopes, made_by, expires_at) VALUES ($1, $2, $3, $4, $5)";
    COUNT = "SELECT COUNT(*) FROM token t JOIN operator o ON o.id = t.operator WHERE o.disabled = 0";
    TOKENS_LIST = "SELECT t.operator, o.name, t.scopes, t.made_by, o.created_at, t.expires_at, t.used_at, o.disabled FROM token t JOIN operator o ON o.id = t.operator ORDER BY o.disabled, o.name";
    FIND_TOKEN = "SELECT o.id, o.name, o.role, o.language, t.scopes, t.expires_at, t.used_at FROM token t JOIN operator o ON o.id = t.operator WHERE t.digest = $1 AND o.disabled = 0";
    USE_TOKEN = "UPDATE token SET used_at = $2 WHERE operator = $1";
    REVOKE = "UPDATE operator SET disabled = 1 WHERE id = $1 AND disabled = 0 AND id IN (SELECT operator FROM token)";
}

/// A token as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Its operator: what is journaled.
    pub id: OperatorId,
    /// What it is called.
    pub name: String,
    /// What it lets do, in [`Scope::ALL`]'s order.
    pub scopes: Vec<Scope>,
    /// Who made it.
    pub made_by: OperatorId,
    /// When it was made.
    pub made_at: Micros,
    /// When it ends.
    pub expires_at: Micros,
    /// When it was used last, to the minute.
    pub used_at: Option<Micros>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// Why a token was not made or revoked; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name is another token's, or was.
    #[error("a token of this name exists, or did")]
    Exists,
    /// Names are as those of operators.
    #[error("a name has 1 to 64 letters (a to z), digits, dots, hyphens or underscores")]
    Name,
    /// It would let do nothing.
    #[error("a token has one scope at least")]
    NoScope,
    /// It would end before now, or in more than two years.
    #[error("a token ends in the future, and within two years")]
    End,
    /// There are [`TOKENS`] already.
    #[error("there are 100 tokens already: revoke one first")]
    Full,
    /// No token has this id, or it was revoked.
    #[error("there is no such token, or it was revoked")]
    Unknown,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let words = error.to_string();
        match error {
            TokenError::Exists => Self::conflict("taken", words).with("field", "name"),
            TokenError::Name => Self::refused("field", words).with("field", "name"),
            TokenError::NoScope => Self::refused("field", words).with("field", "scopes"),
            TokenError::End => Self::refused("field", words).with("field", "expires_at"),
            TokenError::Full => Self::conflict("too-many-tokens", words),
            TokenError::Unknown => Self::not_found(words),
            TokenError::Database(error) => error.into(),
        }
    }
}

/// Makes a token that lets do this until then. The text is to be shown once and not kept.
///
/// # Errors
/// Why not.
pub async fn make(
    tx: &mut Tx,
    by: OperatorId,
    name: &str,
    scopes: &[Scope],
    expires_at: Micros,
) -> Result<(OperatorId, String), TokenError> {
    let name = fold(name).filter(|name| name.is_ascii()).ok_or(TokenError::Name)?;
    let role = scopes.iter().map(|scope| scope.role()).max().ok_or(TokenError::NoScope)?;
    let now = tx.now();
    if !(now + 1..=now.saturating_add(LONGEST_TOKEN)).contains(&expires_at) {
        return Err(TokenError::End);
    }
    let (count,): (i64,) = sqlx::query_as(COUNT).fetch_one(&mut **tx).await?;
    if usize::try_from(count).is_ok_and(|count| count >= TOKENS) {
        return Err(TokenError::Full);
    }
    let added = sqlx::query_as::<_, (i64,)>(ADD_PROGRAM)
        .bind(format!("{PROGRAM}{name}"))
        .bind(i64::from(role.rank()))
        .bind(now)
        .fetch_one(&mut **tx)
        .await;
    let (id,) = match added {
        Err(error) if Fault::of(&error) == Fault::Constraint => return Err(TokenError::Exists),
        other => other?,
    };
    let mut bits = [0; 32];
    SystemRandom::new().fill(&mut bits).expect("the system's random source works");
    let token = format!("{MARK}{}", hex(&bits));
    sqlx::query(ADD_TOKEN)
        .bind(id)
        .bind(digest_of(&token))
        .bind(words(scopes))
        .bind(by.0)
        .bind(expires_at)
        .execute(&mut **tx)
        .await?;
    tx.record("operator.token", &json!({ "operator": id, "scopes": words(scopes), "by": by.0 })).await?;
    Ok((OperatorId(id), token))
}

/// Every token: those that stand first, each by name.
///
/// # Errors
/// When the database fails.
pub async fn tokens(kit: &Kit) -> Result<Vec<TokenRow>, sqlx::Error> {
    type Row = (i64, String, String, i64, i64, i64, Option<i64>, i64);
    let rows: Vec<Row> = sqlx::query_as(TOKENS_LIST).fetch_all(kit.read()).await?;
    let rows =
        rows.into_iter().map(|(id, name, scopes, by, made_at, expires_at, used_at, disabled)| TokenRow {
            id: OperatorId(id),
            name: name.strip_prefix(PROGRAM).unwrap_or(&name).to_owned(),
            scopes: parse(&scopes),
            made_by: OperatorId(by),
            made_at,
            expires_at,
            used_at,
            revoked: disabled != 0,
        });
    Ok(rows.collect())
}

/// Ends a token now.
///
/// # Errors
/// When there is no such token.
pub async fn revoke(tx: &mut Tx, by: OperatorId, id: OperatorId) -> Result<(), TokenError> {
    let done = sqlx::query(REVOKE).bind(id.0).execute(&mut **tx).await?;
    if done.rows_affected() == 0 {
        return Err(TokenError::Unknown);
    }
    tx.record("operator.token-revoked", &json!({ "operator": id.0, "by": by.0 })).await?;
    Ok(())
}

/// Whose token it is, and what it lets do; nobody's when it is none, has ended or was revoked.
pub(super) async fn bearer(kit: &Kit, token: &str) -> Result<Option<(Operator, Vec<Scope>)>, sqlx::Error> {
    type Row = (i64, String, i64, String, String, i64, Option<i64>);
    let found: Option<Row> =
        sqlx::query_as(FIND_TOKEN).bind(digest_of(token)).fetch_optional(kit.read()).await?;
    let now = kit.now();
    let Some((id, name, rank, language, scopes, expires_at, used_at)) = found else { return Ok(None) };
    if now >= expires_at {
        return Ok(None);
    }
    if used_at.is_none_or(|used_at| now - used_at >= NOTE_USE) {
        note_use(kit, id, now).await;
    }
    let role: Role = role(rank)?;
    let operator = Operator {
        id: OperatorId(id),
        name,
        ranks: role.into(),
        language,
        owes: None,
        csrf: String::new(),
        session: String::new(),
    };
    Ok(Some((operator, parse(&scopes))))
}

/// A request waits for no writer to have its use noted.
async fn note_use(kit: &Kit, id: i64, now: Micros) {
    let written = async {
        let Some(mut tx) = kit.begin_if_free().await? else { return Ok(()) };
        sqlx::query(USE_TOKEN).bind(id).bind(now).execute(&mut *tx).await?;
        tx.commit().await
    };
    if let Err(error) = written.await {
        tracing::debug!(error = %chain(&error), "the use of a token was not written down");
    }
}

fn words(scopes: &[Scope]) -> String {
    let held = Scope::ALL.into_iter().filter(|scope| scopes.contains(scope));
    held.map(Scope::as_str).collect::<Vec<_>>().join(" ")
}

/// A word from a newer program lets do nothing.
fn parse(words: &str) -> Vec<Scope> {
    words.split(' ').filter_map(Scope::parse).collect()
}

pub(super) fn digest_of(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}
