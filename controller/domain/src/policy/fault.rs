//! What can be wrong with a policy; all of it is listed, nothing of a faulty policy is used.

use alloc::vec::Vec;
use core::fmt;

use crate::ids::{
    AreaId, ControllerId, CredentialId, DoorId, FireZoneId, GroupId, LevelId, PersonId, PolicyVersion,
    ScheduleId,
};

/// A part of a policy, by its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Part {
    Site,
    Zone,
    Calendar,
    Controller(ControllerId),
    Area(AreaId),
    FireZone(FireZoneId),
    Group(GroupId),
    Schedule(ScheduleId),
    Door(DoorId),
    Level(LevelId),
    Person(PersonId),
    Credential(CredentialId),
}

/// One thing wrong with a policy or with a change to one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Two parts with one identity.
    #[error("{0} is there twice")]
    Twice(Part),
    /// A part names one that is not there.
    #[error("{from} names {missing}, which is not there")]
    Dangling {
        /// The part that names it.
        from: Part,
        /// The part that is not there.
        missing: Part,
    },
    /// Two credentials with the same digest: whose would it be?
    #[error("credentials {first} and {second} are the same card, PIN or code")]
    SameDigest {
        /// The one with the lower id.
        first: CredentialId,
        /// The other.
        second: CredentialId,
    },
    /// An area that lies within itself.
    #[error("area {0} lies within itself")]
    AreaWithinItself(AreaId),
    /// A value out of its range.
    #[error("{part}: {problem}")]
    OutOfRange {
        /// Where.
        part: Part,
        /// What is wrong, in a sentence's tail.
        problem: &'static str,
    },
    /// A change that starts from another version than the one it is applied to.
    #[error("the change is from version {from}, the policy is version {have}")]
    OtherVersion {
        /// The version it starts from.
        from: PolicyVersion,
        /// The version it was applied to.
        have: PolicyVersion,
    },
    /// A change that does not lead to a later version.
    #[error("the change leads from version {from} back to version {to}")]
    NotForward {
        /// The version it starts from.
        from: PolicyVersion,
        /// The version it leads to.
        to: PolicyVersion,
    },
    /// A change removes what is not there.
    #[error("{0} is to be removed but is not there")]
    NothingToRemove(Part),
}

/// Every fault found; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Site => f.write_str("the site's rules"),
            Part::Zone => f.write_str("the time zone"),
            Part::Calendar => f.write_str("the calendar"),
            Part::Controller(id) => write!(f, "controller {id}"),
            Part::Area(id) => write!(f, "area {id}"),
            Part::FireZone(id) => write!(f, "fire zone {id}"),
            Part::Group(id) => write!(f, "group {id}"),
            Part::Schedule(id) => write!(f, "schedule {id}"),
            Part::Door(id) => write!(f, "door {id}"),
            Part::Level(id) => write!(f, "level {id}"),
            Part::Person(id) => write!(f, "person {id}"),
            Part::Credential(id) => write!(f, "credential {id}"),
        }
    }
}
