//! The answer: what happens at the door, and the trace that explains it for ever after.

use alloc::vec::Vec;
use core::time::Duration;

use crate::ids::{AreaId, DoorId, FireZoneId, LevelId, OperatorId, PersonId, PolicyVersion, ScheduleId};
use crate::policy::Relock;
use crate::reason::{Reason, RuleSet};
use crate::request::{AskedBy, Factors, Few, Score, Seen, Side};
use crate::time::Utc;

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What happens.
    pub outcome: Outcome,
    /// What somebody should know of although it refuses nothing, or besides.
    pub alarms: Vec<Reason>,
    /// Everything the decision was made of.
    pub trace: Trace,
}

/// What happens at the door.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It opens.
    Granted(Release),
    /// It stays shut: every rule that failed.
    Denied(Vec<Reason>),
    /// Nothing failed, but another factor is asked.
    NeedsMore {
        /// Whose second factor.
        person: PersonId,
        /// What is missing for the nearest accepted combination.
        missing: Factors,
        /// How long it is waited for.
        until: Utc,
    },
}

/// How the lock is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// For how long.
    pub strike: Duration,
    /// When it falls back.
    pub relock: Relock,
    /// The door stands free anyway, and why.
    pub already: Option<Free>,
    /// The person was let in at this lane a moment ago and has not passed: that grant's time begins anew, and nobody is let in besides.
    pub renews: bool,
}

/// Why a door stands free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// Its zone is on fire.
    Fire(FireZoneId),
    /// An operator holds it open.
    HeldOpen {
        /// Who.
        by: OperatorId,
        /// Until when.
        until: Utc,
    },
}

/// Everything a decision was made of, stored with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// When it was decided.
    pub at: Utc,
    /// At which door.
    pub door: DoorId,
    /// On which side.
    pub side: Side,
    /// Who wanted to know.
    pub asked_by: AskedBy,
    /// The policy's version.
    pub policy: PolicyVersion,
    /// How old the policy was.
    pub policy_age: Duration,
    /// When the centre was last heard; `None`: not since start.
    pub centre_heard: Option<Utc>,
    /// Who it was about.
    pub person: Option<PersonId>,
    /// What was shown.
    pub seen: Few<SeenAt>,
    /// What the rules looked at.
    pub facts: Facts,
    /// The rules that were asked.
    pub asked: RuleSet,
    /// Those of them that failed; on an egress side they only alarm.
    pub failed: RuleSet,
    /// What would have let it pass: all of it together.
    pub would_pass: Vec<Remedy>,
}

/// Something shown, and how old it was when decided upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenAt {
    /// What it turned out to be.
    pub seen: Seen,
    /// How long before the decision it was taken.
    pub age: Duration,
    /// Whether it was shown earlier and had been waiting for a second factor.
    pub waited: bool,
}

/// What rules that passed looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The level that lets them in.
    pub level: Option<(LevelId, ScheduleId)>,
    /// The combination that was met.
    pub combination: Option<Factors>,
    /// Where the person was, and since when.
    pub presence: Option<(AreaId, Utc)>,
    /// Needed similarity and margin, when a face was shown.
    pub face_needs: Option<(Score, Score)>,
    /// The fire zone that is active at this door.
    pub fire: Option<FireZoneId>,
}

/// One thing that would have to be different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Come at this time, all else being equal.
    Wait(Utc),
    /// Show these too, or instead.
    Show(Factors),
    /// The record must be changed where the reason says: status, validity, consent, level, enrolment.
    Change(Reason),
    /// An operator must lift what the reason says: an override, a lock-out, a wrong presence.
    Operator(Reason),
}

impl Decision {
    /// Whether the door opens.
    #[must_use]
    pub const fn is_granted(&self) -> bool {
        matches!(self.outcome, Outcome::Granted(_))
    }

    /// Every rule that failed and refused; empty unless denied.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        match &self.outcome {
            Outcome::Denied(reasons) => reasons,
            Outcome::Granted(_) | Outcome::NeedsMore { .. } => &[],
        }
    }
}
