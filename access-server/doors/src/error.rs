//! Why a command about doors was not carried out.

use std::borrow::Cow;

use kit::Problem;
use kit::db::Fault;

/// Why a command was not carried out; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DoorsError {
    /// There is no such thing.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// A value is not one that the field takes.
    #[error("{field}: {why}")]
    Field {
        /// The field, as forms and files name it.
        field: &'static str,
        /// What is wrong.
        why: Cow<'static, str>,
    },
    /// Something else still names it.
    #[error("the {0} is still in use")]
    InUse(&'static str),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl DoorsError {
    /// The stable kind, for programs and language files.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "not-found",
            Self::Field { .. } => "field",
            Self::InUse(_) => "in-use",
            Self::Database(_) => "database",
        }
    }

    pub(crate) fn field(field: &'static str, why: impl Into<Cow<'static, str>>) -> Self {
        Self::Field { field, why: why.into() }
    }
}

impl From<DoorsError> for Problem {
    fn from(error: DoorsError) -> Self {
        let (code, words) = (error.code(), error.to_string());
        match error {
            DoorsError::Unknown(_) => Self::not_found(words),
            DoorsError::Field { field, .. } => Self::refused(code, words).with("field", field),
            DoorsError::InUse(_) => Self::conflict(code, words),
            DoorsError::Database(error) => error.into(),
        }
    }
}

/// Turns a constraint's refusal into words; every other failure stays the database's.
pub(crate) fn on_constraint(refusal: DoorsError) -> impl FnOnce(sqlx::Error) -> DoorsError {
    move |error| match Fault::of(&error) {
        Fault::Constraint => refusal,
        Fault::Full | Fault::Away | Fault::Broken | Fault::Statement => DoorsError::Database(error),
    }
}
