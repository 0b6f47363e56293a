//! Who asks, as handlers are told.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::operators::OperatorId;
use super::{Ranks, Role};
use crate::problem::Problem;

/// The operator who asks. The table of routes has found out who it is and that they may call the route.
#[derive(Clone, Debug)]
pub struct Operator {
    /// The id: what is journaled.
    pub id: OperatorId,
    /// The login name: what is shown.
    pub name: String,
    /// The rank, and where.
    pub ranks: Ranks,
    /// `zh-CN` or `en`.
    pub language: String,
    /// What must be done first: only on routes that whoever is signed in may call.
    pub owes: Option<Owed>,
    /// The token for this session's forms (field `_csrf`, header `x-csrf-token`).
    pub csrf: String,
    pub(super) session: String,
}

/// What somebody signed in has to do before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owed {
    /// Choose a password in place of the first one.
    Password,
    /// Set up a second factor, which the site's rule asks of their rank.
    SecondFactor,
}

impl Operator {
    /// The session's cookie value, for [`super::end`] and [`super::is_live`]. Not to be shown or logged.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Whether they have this rank at the whole site.
    #[must_use]
    pub fn is_at_site(&self, role: Role) -> bool {
        self.ranks.at_site() >= Some(role)
    }

    /// Refuses a lower rank at the whole site, where what was sent asks for more than the route itself.
    ///
    /// # Errors
    /// A problem of kind `rank`.
    pub fn require(&self, role: Role) -> Result<(), Problem> {
        if self.is_at_site(role) {
            return Ok(());
        }
        Err(Problem::forbidden("rank", "this needs a higher rank").with("needs", role.as_str()))
    }
}

/// A handler asks who calls, on a route that the table lets everybody call.
#[derive(Debug, thiserror::Error)]
#[error("the route does not ask who calls")]
struct NotAsked;

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::internal(&NotAsked))
    }
}
