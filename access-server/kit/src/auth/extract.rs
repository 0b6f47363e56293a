//! Who asks: extractors for handlers.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::Role;
use super::csrf::{Checked, is_safe};
use super::operators::OperatorId;
use super::session::{SESSION_COOKIE, csrf_token, find, note_use};
use crate::problem::Problem;
use crate::state::Kit;

/// The operator who asks, with a password of their own. Refuses with a [`Problem`] of kind `signed-out` or
/// `must-change-password`.
#[derive(Clone, Debug)]
pub struct Operator {
    /// The id: what is journaled.
    pub id: OperatorId,
    /// The login name: what is shown.
    pub name: String,
    /// The role.
    pub role: Role,
    /// `zh-CN` or `en`.
    pub language: String,
    /// Must choose a password first; seen through [`SignedIn`] only.
    pub must_change: bool,
    /// The token for this session's forms (field `_csrf`, header `x-csrf-token`).
    pub csrf: String,
    session: String,
}

impl Operator {
    /// The session's cookie value, for [`super::end`] and [`super::is_live`]. Not to be shown or logged.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Refuses a lower rank.
    ///
    /// # Errors
    /// A problem of kind `rank`.
    pub fn require(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role {
            return Ok(());
        }
        Err(Problem::forbidden("rank", "this needs a higher rank").with("needs", role.as_str()))
    }
}

/// Anybody with a session, even one who must choose a password first: for that page and for signing out.
#[derive(Clone, Debug)]
pub struct SignedIn(pub Operator);

/// An operator of at least this rank.
#[derive(Clone, Debug)]
pub struct Ranked<const RANK: u8>(pub Operator);

/// A guard or higher.
pub type AtLeastGuard = Ranked<{ Role::Guard as u8 }>;
/// An operator of the control room or higher.
pub type AtLeastOperator = Ranked<{ Role::Operator as u8 }>;
/// A manager or higher.
pub type AtLeastManager = Ranked<{ Role::Manager as u8 }>;
/// An administrator.
pub type Administrator = Ranked<{ Role::Administrator as u8 }>;

impl<S: Send + Sync> FromRequestParts<S> for SignedIn
where
    Kit: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if !is_safe(&parts.method) && parts.extensions.get::<Checked>().is_none() {
            return Err(Problem::forbidden("form-token", "the request was not checked"));
        }
        let cookie = session_cookie(&parts.headers).ok_or_else(Problem::signed_out)?;
        let kit = Kit::from_ref(state);
        let found = find(&kit, cookie).await?.ok_or_else(Problem::signed_out)?;
        if is_use(&parts.headers) {
            note_use(&kit, cookie, &found).await;
        }
        Ok(Self(Operator {
            id: found.id,
            name: found.name,
            role: found.role,
            language: found.language,
            must_change: found.must_change,
            csrf: csrf_token(cookie),
            session: cookie.to_owned(),
        }))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Operator
where
    Kit: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let SignedIn(operator) = SignedIn::from_request_parts(parts, state).await?;
        if operator.must_change {
            return Err(Problem::forbidden("must-change-password", "choose a password of your own first"));
        }
        Ok(operator)
    }
}

impl<const RANK: u8, S: Send + Sync> FromRequestParts<S> for Ranked<RANK>
where
    Kit: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let operator = Operator::from_request_parts(parts, state).await?;
        operator.require(Role::of_rank(RANK).unwrap_or(Role::Administrator))?;
        Ok(Self(operator))
    }
}

/// Pictures are fetched by an open page: they say nothing about whether anybody is there.
fn is_use(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-dest").is_none_or(|kind| kind != "image")
}

/// The session cookie's value, where there is one of the right form.
pub(super) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value)
        .filter(|value| value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
