//! Why a command about people was not carried out.

use kit::Problem;
use kit::db::Fault;

use crate::face::EnrolmentRefusal;

/// Why a command was not carried out; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// There is no such person, group or credential.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// A value is not one that the field takes.
    #[error("{field}: {why}")]
    Field {
        /// The field, as forms and files name it.
        field: &'static str,
        /// What is wrong, never repeating the value: it may be a secret.
        why: &'static str,
    },
    /// Another row has this value already.
    #[error("{0} is taken already")]
    Taken(&'static str),
    /// Somebody else changed it since it was read.
    #[error("the {0} was changed meanwhile: look again")]
    Stale(&'static str),
    /// There is no standing consent for this.
    #[error("the person has not consented to this")]
    NoConsent,
    /// The face was not enrolled.
    #[error("the face was not enrolled: {0}")]
    Enrolment(#[from] EnrolmentRefusal),
    /// A stored template or picture cannot be opened with the key at hand.
    #[error("what is stored was sealed under another key or altered")]
    Sealed,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl PeopleError {
    /// The stable kind, for programs and language files.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "not-found",
            Self::Field { .. } => "field",
            Self::Taken(_) => "taken",
            Self::Stale(_) => "stale",
            Self::NoConsent => "no-consent",
            Self::Enrolment(refusal) => refusal.code(),
            Self::Sealed => "sealed-otherwise",
            Self::Database(_) => "database",
        }
    }

    /// The field at fault, where there is one.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Field { field, .. } | Self::Taken(field) => Some(field),
            Self::Unknown(_)
            | Self::Stale(_)
            | Self::NoConsent
            | Self::Enrolment(_)
            | Self::Sealed
            | Self::Database(_) => None,
        }
    }
}

impl From<PeopleError> for Problem {
    fn from(error: PeopleError) -> Self {
        let (code, words) = (error.code(), error.to_string());
        match error {
            PeopleError::Unknown(_) => Self::not_found(words),
            PeopleError::Field { field, .. } => Self::refused(code, words).with("field", field),
            PeopleError::Taken(field) => Self::conflict(code, words).with("field", field),
            PeopleError::Stale(_) => Self::conflict(code, words),
            PeopleError::NoConsent => Self::refused(code, words),
            PeopleError::Enrolment(refusal) => refusal.into(),
            PeopleError::Sealed => Self::internal(&PeopleError::Sealed),
            PeopleError::Database(error) => error.into(),
        }
    }
}

/// What a constraint refuses because another row has the value.
pub(crate) fn taken(field: &'static str) -> impl FnOnce(sqlx::Error) -> PeopleError {
    on_constraint(PeopleError::Taken(field))
}

/// Turns a constraint's refusal into words; every other failure stays the database's.
pub(crate) fn on_constraint(refusal: PeopleError) -> impl FnOnce(sqlx::Error) -> PeopleError {
    move |error| match Fault::of(&error) {
        Fault::Constraint => refusal,
        Fault::Full | Fault::Away | Fault::Broken | Fault::Statement => PeopleError::Database(error),
    }
}
