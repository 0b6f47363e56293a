//! Why a passage is refused or alarmed: a stable code and the facts, never a wording.

use core::time::Duration;

use crate::ids::{AreaId, CredentialId, DoorId, LevelId, OperatorId, PersonId, ScheduleId};
use crate::policy::{CredentialStatus, PersonStatus};
use crate::request::{CredentialKind, Factors, Liveness, Score};
use crate::time::{Utc, Validity};

/// One failed rule with what it saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "variants say what, fields what with")]
pub enum Reason {
    /// The door is not in the policy.
    UnknownDoor { door: DoorId },
    /// Nothing was shown at the entry.
    NothingShown,
    /// A card, PIN or code that is nobody's. `tag` tells unknown ones apart; a PIN has none.
    UnknownCredential { kind: CredentialKind, tag: Option<u64> },
    /// A face that matches nobody.
    UnknownFace { score: Score },
    /// A PIN that is not the one of the person who stands there.
    WrongPin { person: Option<PersonId> },
    /// Things of two people were shown as one.
    DifferentPeople { first: PersonId, second: PersonId },
    /// The credential is lost, stolen or suspended.
    CredentialStatus { credential: CredentialId, status: CredentialStatus },
    /// The credential is not valid yet, or no longer.
    CredentialExpired { credential: CredentialId, validity: Validity },
    /// Vision knows a person whom the policy does not: one copy is ahead of the other.
    UnknownPerson { person: PersonId },
    /// The person may not pass at all.
    PersonStatus { person: PersonId, status: PersonStatus },
    /// The person may not pass yet, or no longer.
    PersonExpired { person: PersonId, validity: Validity },
    /// The face was recognised, but may not be used.
    FaceWithoutConsent { person: PersonId },
    /// The face was a picture, or nobody looked.
    FaceNotLive { live: Liveness },
    /// The face looks too little like the person.
    FaceScore { score: Score, needed: Score },
    /// The face looks too much like somebody else as well.
    FaceMargin { margin: Score, needed: Score },
    /// What was shown is not a combination this door takes now; `nearest` is the accepted one that lacks least.
    Combination { shown: Factors, nearest: Option<Factors> },
    /// No level of any of the person's groups leads through this door.
    NoLevel { person: PersonId, door: DoorId },
    /// A level does, at another time. `level` is the one that opens first.
    OutsideSchedule { level: LevelId, schedule: ScheduleId, opens: Option<Utc> },
    /// An operator locked the door.
    DoorLocked { by: OperatorId, rank: u8, until: Utc },
    /// A lockdown asks for more clearance than the person has.
    DoorLockedDown { by: OperatorId, rank: u8, until: Utc, clearance: u8, needed: u8 },
    /// The reader is locked after wrong tries.
    ReaderLockedOut { tries: u8, until: Utc },
    /// The credential is locked after wrong tries with it, such as wrong PINs.
    CredentialLockedOut { credential: CredentialId, tries: u8, until: Utc },
    /// Enters where they already are. `until`: when a timed rule lets them again.
    EntersTwice { area: AreaId, since: Utc, until: Option<Utc> },
    /// Leaves where they are not known to be. Never refused.
    LeavesTwice { area: AreaId, recorded_in: AreaId, since: Utc },
    /// Was just let in at a parallel access point.
    JustGrantedElsewhere { door: DoorId, at: Utc, until: Utc },
    /// Events cannot be recorded, and the door's rule is to refuse then.
    Unrecorded { since: Utc },
    /// It was shown so long ago that whoever showed it may be gone: a delayed or replayed message.
    TooOld { factor: Factors, age: Duration },
    /// Wrong tries reached the limit: an alarm, not a refusal.
    WrongTries { tries: u8 },
    /// The person used their duress PIN: a silent alarm, nothing at the door may show it.
    Duress { person: PersonId },
}

/// The rules, in the order they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "one per file in rules/, where each is explained")]
pub enum Rule {
    DoorKnown,
    SomethingShown,
    CredentialKnown,
    OnePerson,
    CredentialActive,
    PersonKnown,
    PersonActive,
    FaceConsent,
    FaceLive,
    FaceSimilar,
    AccessLevel,
    DoorOverride,
    WrongTries,
    AntiPassback,
    TwoLanes,
    Recorded,
    Duress,
    Fire,
    Combination,
    Fresh,
}

/// A set of rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleSet(u64);

impl Reason {
    /// Its stable name, for records and language files.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Reason::UnknownDoor { .. } => "unknown-door",
            Reason::NothingShown => "nothing-shown",
            Reason::UnknownCredential { .. } => "unknown-credential",
            Reason::UnknownFace { .. } => "unknown-face",
            Reason::WrongPin { .. } => "wrong-pin",
            Reason::DifferentPeople { .. } => "different-people",
            Reason::CredentialStatus { status, .. } => match status {
                CredentialStatus::Active => "credential-active",
                CredentialStatus::Suspended => "credential-suspended",
                CredentialStatus::Lost => "credential-lost",
                CredentialStatus::Stolen => "credential-stolen",
            },
            Reason::CredentialExpired { .. } => "credential-not-valid-now",
            Reason::UnknownPerson { .. } => "unknown-person",
            Reason::PersonStatus { .. } => "person-suspended",
            Reason::PersonExpired { .. } => "person-not-valid-now",
            Reason::FaceWithoutConsent { .. } => "face-without-consent",
            Reason::FaceNotLive { .. } => "face-not-live",
            Reason::FaceScore { .. } => "face-score-low",
            Reason::FaceMargin { .. } => "face-margin-low",
            Reason::Combination { .. } => "combination-not-met",
            Reason::NoLevel { .. } => "no-access-level",
            Reason::OutsideSchedule { .. } => "outside-schedule",
            Reason::DoorLocked { .. } => "door-locked",
            Reason::DoorLockedDown { .. } => "door-locked-down",
            Reason::ReaderLockedOut { .. } => "reader-locked-out",
            Reason::CredentialLockedOut { .. } => "credential-locked-out",
            Reason::EntersTwice { .. } => "enters-twice",
            Reason::LeavesTwice { .. } => "leaves-twice",
            Reason::JustGrantedElsewhere { .. } => "just-granted-elsewhere",
            Reason::Unrecorded { .. } => "record-cannot-be-kept",
            Reason::TooOld { .. } => "shown-too-long-ago",
            Reason::WrongTries { .. } => "wrong-tries",
            Reason::Duress { .. } => "duress",
        }
    }

    /// Whether the alarm must not show at the door.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        matches!(self, Reason::Duress { .. })
    }
}

impl Rule {
    /// Its stable name, for records and language files.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Rule::DoorKnown => "door-known",
            Rule::SomethingShown => "something-shown",
            Rule::CredentialKnown => "credential-known",
            Rule::OnePerson => "one-person",
            Rule::CredentialActive => "credential-active",
            Rule::PersonKnown => "person-known",
            Rule::PersonActive => "person-active",
            Rule::FaceConsent => "face-consent",
            Rule::FaceLive => "face-live",
            Rule::FaceSimilar => "face-similar",
            Rule::AccessLevel => "access-level",
            Rule::DoorOverride => "door-override",
            Rule::WrongTries => "wrong-tries",
            Rule::AntiPassback => "anti-passback",
            Rule::TwoLanes => "two-lanes",
            Rule::Recorded => "recorded",
            Rule::Duress => "duress",
            Rule::Fire => "fire",
            Rule::Combination => "combination",
            Rule::Fresh => "fresh",
        }
    }
}

impl RuleSet {
    /// Adds one.
    pub const fn insert(&mut self, rule: Rule) {
        self.0 |= 1 << rule as u64;
    }

    /// Whether it is in.
    #[must_use]
    pub const fn has(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u64) != 0
    }

    /// The stored bits: one per rule, in the order of [`Rule`].
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// From stored bits. Unknown ones, from a later version, are kept.
    #[must_use]
    pub const fn from_bits(bits: u64) -> RuleSet {
        RuleSet(bits)
    }
}
