//! What a policy is made of: plain values, checked only when a policy is made of them.

use alloc::vec::Vec;
use core::time::Duration;

use crate::ids::{
    AreaId, ControllerId, CredentialId, DoorId, FireZoneId, GroupId, LevelId, PersonId, PolicyVersion,
    ScheduleId,
};
use crate::request::{BoardEntry, CredentialDigest, CredentialKind, Factors, Score};
use crate::schedule::{Calendar, Schedule};
use crate::time::{Utc, Validity, Zone};

/// All parts of one policy version, in any order.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each list is of what it names")]
pub struct PolicyParts {
    /// The version these parts are.
    pub version: PolicyVersion,
    /// When the server published it.
    pub made_at: Utc,
    pub site: SiteRules,
    pub zone: Zone,
    pub calendar: Calendar,
    pub controllers: Vec<ControllerId>,
    pub areas: Vec<Area>,
    pub fire_zones: Vec<FireZoneId>,
    pub groups: Vec<GroupId>,
    pub schedules: Vec<Schedule>,
    pub doors: Vec<Door>,
    pub levels: Vec<Level>,
    pub people: Vec<Person>,
    pub credentials: Vec<Credential>,
}

/// Numbers that hold for the whole site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteRules {
    /// A face is accepted from this similarity on.
    pub face_score: Score,
    /// … and when it is ahead of the next person by at least this.
    pub face_margin: Score,
    /// Wrong tries at one reader or with one credential until the alarm, 1..=5 (GB 50396-2007 5.1.5).
    pub wrong_tries: u8,
    /// Tries further apart than this do not add up.
    pub wrong_tries_within: Duration,
    /// For how long no card, PIN or QR is taken there after that; zero only alarms. Faces still pass.
    pub lock_out: Duration,
    /// How long a first factor waits for the second.
    pub second_factor_within: Duration,
    /// For how long after a grant the same person is refused at a parallel access point.
    pub same_person_within: Duration,
}

/// An area people are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Its identity.
    pub id: AreaId,
    /// The area around it; none for the outside and for buildings.
    pub parent: Option<AreaId>,
}

/// A door, or one lane of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum DoorKind {
    Door,
    Lane,
}

/// From which sides people escape through a door. There is no "from neither": nothing denies exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Egress {
    /// From the exit side.
    Exit,
    /// From both sides: the way out of the building may lead either way. Such a door records and alarms but keeps
    /// nobody out; no outer door is one.
    Both,
}

/// When the lock falls back after a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relock {
    /// As soon as the door opens.
    OnOpen,
    /// As soon as it has closed again.
    OnClose,
    /// When the strike time ends, whatever the door does.
    AfterTime,
}

/// What becomes of somebody who enters an area they are already in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AntiPassback {
    /// Nothing.
    Off,
    /// Let in, with an alarm.
    Soft,
    /// Refused.
    Hard,
    /// Refused for so long after they last entered.
    Timed(Duration),
}

/// What happens at the entry while events cannot be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum EntryRule {
    Refuse,
    Allow,
}

/// Combinations of credentials, any one of which is enough.
pub type Combinations = Vec<Factors>;

/// While a schedule is open these combinations are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialRule {
    /// When.
    pub schedule: ScheduleId,
    /// Any of these.
    pub any_of: Combinations,
}

/// An access point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Its identity.
    pub id: DoorId,
    /// Who drives it.
    pub controller: ControllerId,
    /// A door or a lane.
    pub kind: DoorKind,
    /// Where one stands before entering.
    pub outside: AreaId,
    /// Where one is after entering.
    pub inside: AreaId,
    /// The sides nobody is ever held back on.
    pub egress: Egress,
    /// What must be shown: the first whose schedule is open counts.
    pub credential_rules: Vec<CredentialRule>,
    /// What must be shown when none of them is.
    pub otherwise: Combinations,
    /// How long the lock is released; IEC 60839-11-1 wants at least 3 s.
    pub strike: Duration,
    /// Standing open for longer than this is an alarm.
    pub held_after: Duration,
    /// When the lock falls back.
    pub relock: Relock,
    /// Entering twice.
    pub anti_passback: AntiPassback,
    /// Entering while the record cannot be kept.
    pub unrecorded_entry: EntryRule,
    /// The fire zone that frees it.
    pub fire_zone: Option<FireZoneId>,
}

/// Who may enter where and when: any of the groups, any of the doors, while the schedule is open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Level {
    pub id: LevelId,
    pub groups: Vec<GroupId>,
    pub doors: Vec<DoorId>,
    pub schedule: ScheduleId,
}

/// Whether a person may pass at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum PersonStatus {
    Active,
    Suspended,
}

/// Whether a person's face may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaceConsent {
    /// Consent is on record.
    Given,
    /// Never given, or withdrawn.
    Absent,
}

/// The highest clearance there is; 0 is the lowest.
pub const CLEARANCE_MAX: u8 = 7;

/// A person, as far as doors need to know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their identity; it also salts their PIN digest.
    pub id: PersonId,
    /// From when until when they may pass.
    pub validity: Validity,
    /// Whether they may pass at all.
    pub status: PersonStatus,
    /// Whether their face may be used.
    pub face: FaceConsent,
    /// 0..=[`CLEARANCE_MAX`]; a lockdown lets pass from the clearance it names.
    pub clearance: u8,
    /// The groups they belong to.
    pub groups: Vec<GroupId>,
}

/// What is known about a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum CredentialStatus {
    Active,
    Suspended,
    Lost,
    Stolen,
}

/// What else a credential says when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialUse {
    /// Nothing.
    Ordinary,
    /// The person is under duress: grant as always, raise a silent alarm. Differs from their ordinary PIN.
    Duress,
}

/// A card, PIN or QR code of a person, known by its keyed digest only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its identity.
    pub id: CredentialId,
    /// Whose it is.
    pub person: PersonId,
    /// Card, PIN or QR.
    pub kind: CredentialKind,
    /// HMAC-SHA256 under the site's credential key.
    pub digest: CredentialDigest,
    /// A card's entry on a board's list; no decision looks at it. Without one it opens nothing while the board is alone.
    pub board_entry: Option<BoardEntry>,
    /// From when until when it may be used.
    pub validity: Validity,
    /// What is known about it.
    pub status: CredentialStatus,
    /// What it says besides who it is.
    pub usage: CredentialUse,
}
