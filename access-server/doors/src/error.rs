//! Why a command about doors was not carried out.

use std::borrow::Cow;

use kit::Problem;
use kit::db::Fault;
use people::PeopleError;
use serde_json::{Value, json};

use crate::survey::Thing;

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
    /// Another thing has this value already.
    #[error("{field}: {} {} has it already", .by.kind(), .by.number())]
    Taken {
        /// The field, as forms and files name it.
        field: &'static str,
        /// What has it.
        by: Thing,
    },
    /// Somebody else changed it since it was read.
    #[error("the {0} was changed meanwhile: look again")]
    Stale(&'static str),
    /// Something else still names it.
    #[error("the {0} is still in use")]
    InUse(&'static str),
    /// These still name it.
    #[error("the {} is still in use", .what.kind())]
    Used {
        /// What was to be removed.
        what: Thing,
        /// Never empty.
        by: Vec<Thing>,
    },
    /// What it would leave behind could not be put in force; all of it is listed.
    #[error("the policy would be faulty: {}", .0.join("; "))]
    Unfit(Vec<String>),
    /// About a group of people.
    #[error(transparent)]
    People(PeopleError),
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
            Self::Taken { .. } => "taken",
            Self::Stale(_) => "stale",
            Self::InUse(_) | Self::Used { .. } => "in-use",
            Self::Unfit(_) => "policy-faulty",
            Self::People(error) => error.code(),
            Self::Database(_) => "database",
        }
    }

    /// The field at fault, where there is one.
    #[must_use]
    pub fn at_field(&self) -> Option<&'static str> {
        match self {
            Self::Field { field, .. } | Self::Taken { field, .. } => Some(field),
            Self::People(error) => error.field(),
            Self::Unknown(_)
            | Self::Stale(_)
            | Self::InUse(_)
            | Self::Used { .. }
            | Self::Unfit(_)
            | Self::Database(_) => None,
        }
    }

    pub(crate) fn field(field: &'static str, why: impl Into<Cow<'static, str>>) -> Self {
        Self::Field { field, why: why.into() }
    }
}

impl From<PeopleError> for DoorsError {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::Database(error) => Self::Database(error),
            error @ (PeopleError::Unknown(_)
            | PeopleError::Field { .. }
            | PeopleError::Taken(_)
            | PeopleError::Stale(_)
            | PeopleError::NoConsent
            | PeopleError::Enrolment(_)
            | PeopleError::Sealed) => Self::People(error),
        }
    }
}

impl From<DoorsError> for Problem {
    fn from(error: DoorsError) -> Self {
        let (code, words) = (error.code(), error.to_string());
        match error {
            DoorsError::Unknown(_) => Self::not_found(words),
            DoorsError::Field { field, .. } => Self::refused(code, words).with("field", field),
            DoorsError::Taken { field, by } => {
                Self::conflict(code, words).with("field", field).with("by", named(&by))
            }
            DoorsError::Stale(_) | DoorsError::InUse(_) => Self::conflict(code, words),
            DoorsError::Used { by, .. } => {
                Self::conflict(code, words).with("used_by", by.iter().map(named).collect::<Vec<_>>())
            }
            DoorsError::Unfit(faults) => {
                Self::refused(code, "the policy would be faulty").with("faults", faults)
            }
            DoorsError::People(error) => error.into(),
            DoorsError::Database(error) => error.into(),
        }
    }
}

fn named(thing: &Thing) -> Value {
    json!({ "kind": thing.kind(), "id": thing.number() })
}

/// Turns a constraint's refusal into words; every other failure stays the database's.
pub(crate) fn on_constraint(refusal: DoorsError) -> impl FnOnce(sqlx::Error) -> DoorsError {
    move |error| match Fault::of(&error) {
        Fault::Constraint => refusal,
        Fault::Full | Fault::Away | Fault::Broken | Fault::Statement => DoorsError::Database(error),
    }
}
