//! Events: facts that a controller numbers without gaps, in two streams, and keeps until the server has committed them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// At most this many events in one [`Batch`].
pub const LARGEST_BATCH: usize = 100;

/// The two numbered streams of a source: alarms never wait behind everyday passages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Fire, forced and held doors, tamper, faults, lost boards.
    Urgent,
    /// Everything else.
    Bulk,
}

impl Stream {
    /// The word on the wire and in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Bulk => "bulk",
        }
    }
}

/// Consecutive events of one stream, as the controller sends them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch<E = Event> {
    /// A new one whenever the controller's outbox was created anew, or the server has lost what is no longer kept.
    pub epoch: u32,
    /// In ascending order, without gaps, at most [`LARGEST_BATCH`].
    pub events: Vec<E>,
}

/// The server's word that it has committed everything of this epoch and stream up to and including `up_to`. It may go
/// back, when the server was restored from a backup: the controller then sends again what it still keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Copied from the batch.
    pub epoch: u32,
    /// Highest number below which nothing is missing; 0 before the first.
    pub up_to: u64,
}

/// One event as the controller writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// From 1, without gaps, per (source, epoch, stream).
    pub seq: u64,
    /// When it happened: UTC, microseconds.
    pub at: i64,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

/// One event as the server takes it in: the body as it came, so that a kind this server does not know is kept whole.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Received {
    /// From 1, without gaps, per (source, epoch, stream).
    pub seq: u64,
    /// When it happened by the source's clock: UTC, microseconds.
    pub at: i64,
    /// The body's kind.
    pub kind: String,
    /// The body's own fields, as they came.
    pub data: Box<RawValue>,
}

/// What happened. On the wire: `"kind": …, "data": {…}`. Grows only at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data", rename_all = "kebab-case")]
pub enum Body {
    /// Somebody presented a credential, and this was decided.
    Access(Access),
    /// A door or lane moved, or did not.
    Door(Door),
    /// A fire contact, release or loop fault.
    Fire(Fire),
    /// A board on a bus.
    Board(Board),
    /// The controller itself.
    Controller(Controller),
    /// A camera of a vision process.
    Camera(Camera),
    /// A command was carried out or refused.
    Command(crate::command::Outcome),
}

impl Body {
    /// Which stream it belongs to: this table is the only place that says so.
    pub fn stream(&self) -> Stream {
        let urgent = match self {
            Self::Access(access) => !access.alarms.is_empty(),
            Self::Door(door) => door.change.urgent(),
            Self::Fire(_) => true,
            Self::Board(board) => board.change.urgent(),
            Self::Controller(controller) => controller.change.urgent(),
            Self::Camera(camera) => !camera.up,
            Self::Command(_) => false,
        };
        if urgent { Stream::Urgent } else { Stream::Bulk }
    }

    /// The word on the wire and in the journal.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Access(_) => "access",
            Self::Door(_) => "door",
            Self::Fire(_) => "fire",
            Self::Board(_) => "board",
            Self::Controller(_) => "controller",
            Self::Camera(_) => "camera",
            Self::Command(_) => "command",
        }
    }
}

/// A decision with its trace, as it was when it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Access {
    /// The door or lane.
    pub door: u64,
    /// `entry` or `exit`.
    pub side: Side,
    /// The person, where one was recognised (pseudonymous id).
    pub person: Option<u64>,
    /// What was decided.
    pub outcome: Outcome,
    /// Every rule that failed; empty when granted.
    pub reasons: Vec<Reason>,
    /// What alarms although it passed (an exit is never refused).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<Reason>,
    /// The whole trace.
    pub trace: Trace,
    /// Which decision of its controller this is, below 2^53. A board that decided alone names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<u64>,
    /// That decision was recorded before and came to something else: this event says to what.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub corrects: bool,
}

/// Which way through a door or lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Into the area that the door guards.
    Entry,
    /// Out of it.
    Exit,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The door was released.
    Granted,
    /// It was not, for every reason listed.
    Denied,
}

/// One reason: a stable code in kebab-case, and the facts that a wording needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// For example `outside-schedule`.
    pub code: String,
    /// Ids, times (UTC, microseconds), thresholds; by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, Fact>,
}

/// A fact behind a reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// Yes or no.
    Bool(bool),
    /// An id, a count, a time in microseconds.
    Int(i64),
    /// A score or a threshold.
    Float(f64),
    /// A word from a fixed list; never free text, never a name.
    Text(String),
}

/// How a decision came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The policy in force.
    pub policy_version: u64,
    /// What was shown: factor by factor, with scores and ages, never the credential itself.
    pub shown: Vec<Reason>,
    /// Every rule that was asked, in order, and whether it passed.
    pub rules: Vec<RuleResult>,
    /// What would have let it pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub would_have_passed: Vec<Reason>,
    /// Whether the centre was asked, and with what result: `not-needed`, `link-down`, `no-answer`, `agreed`, `objected`.
    pub centre: String,
    /// Microseconds of each stage, from the camera's frame or the reader's frame to the output command.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stages_us: BTreeMap<String, u64>,
}

/// One rule's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleResult {
    /// The rule's stable name in kebab-case.
    pub rule: String,
    /// Whether it passed.
    pub passed: bool,
    /// What it looked at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, Fact>,
}

/// A door or lane moved, or did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// The door or lane.
    pub door: u64,
    /// What happened.
    pub change: DoorChange,
    /// The side, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
}

/// What happened at a door or lane. Grows only at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoorChange {
    /// The leaf left its frame after a release.
    Opened,
    /// The leaf is shut.
    Closed,
    /// It opened without a release.
    Forced,
    /// It stood open longer than its time.
    Held,
    /// Shut again after it had been held or forced.
    Restored,
    /// Released after a grant, and nobody opened it.
    NotOpened,
    /// Somebody asked to leave.
    RequestToExit,
    /// The output let go of the lock.
    Released,
    /// The output holds the lock again.
    Locked,
    /// The break-glass box at the door was used.
    BreakGlass,
    /// The break-glass box is whole again.
    BreakGlassRestored,
    /// A lane's authorised passage was completed.
    Passed,
    /// A lane's authorised passage was not used.
    Abandoned,
    /// Somebody followed without a passage of their own.
    Tailgating,
    /// Somebody walked against the direction.
    WrongWay,
    /// The safety beam stayed broken.
    Obstructed,
    /// A supervised input is cut or shorted.
    InputFault,
    /// The supervised input is whole again.
    InputRestored,
}

impl DoorChange {
    fn urgent(self) -> bool {
        match self {
            Self::Forced
            | Self::Held
            | Self::BreakGlass
            | Self::Tailgating
            | Self::WrongWay
            | Self::Obstructed
            | Self::InputFault => true,
            Self::Opened
            | Self::Closed
            | Self::Restored
            | Self::NotOpened
            | Self::RequestToExit
            | Self::Released
            | Self::Locked
            | Self::BreakGlassRestored
            | Self::Passed
            | Self::Abandoned
            | Self::InputRestored => false,
        }
    }
}

/// A fire contact, release or loop fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fire {
    /// The door or lane whose board saw it, where one did.
    pub door: Option<u64>,
    /// The fire zone, where the site names one.
    pub zone: Option<u64>,
    /// What happened.
    pub change: FireChange,
}

/// What happened at a fire input. Grows only at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FireChange {
    /// The fire contact is active: the door is released.
    Alarm,
    /// The fire contact is normal again.
    Cleared,
    /// The loop is cut or shorted: the door is released, and this is a fault.
    LoopFault,
    /// The loop is whole again.
    LoopRestored,
}

/// A board on a bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// The bus's name in the controller's configuration.
    pub bus: String,
    /// OSDP address, 0 to 126.
    pub address: u8,
    /// What happened.
    pub change: BoardChange,
    /// A number, where one belongs to it: of the list, milliseconds the clock had been wrong, of the event that is not known, of a
    /// firmware's version ([`firmware_number`]), of the reason why one was refused, hundredths of an image that are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
}

/// What happened to a board. Grows only at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoardChange {
    /// It answers.
    Online,
    /// It has been silent for 8 s.
    Offline,
    /// Its secure channel could not be set up: it is kept off-line, never spoken to in the clear.
    NotSecure,
    /// Its case was opened.
    Tamper,
    /// Its case is shut again.
    TamperRestored,
    /// It runs without mains.
    MainsLost,
    /// The mains are back.
    MainsRestored,
    /// Its battery is low.
    BatteryLow,
    /// Its battery is well again.
    BatteryRestored,
    /// It started after a watchdog reset.
    WatchdogReset,
    /// It started.
    Started,
    /// Events that it kept were lost: its log was overwritten before a controller took them.
    EventsLost,
    /// Its clock was set, which it had not been, or had been wrong by more than a second.
    ClockSet,
    /// It has a new list of whom it lets in while it is alone.
    WhitelistStored,
    /// It was sent a list that it did not take: signature, form or number are not right.
    WhitelistRejected,
    /// It has new settings.
    Configured,
    /// The key of its secure channel was changed.
    KeyChanged,
    /// Somebody at the board held its reset button: it has no key any more, and takes the next one it is given.
    KeyReset,
    /// It tells of something that this controller does not know.
    UnknownEvent,
    /// An image waits here to be sent to it; the count is its version.
    FirmwareOrdered,
    /// An image is on its way to it; the count says how far, in hundredths.
    FirmwareSending,
    /// It has an image whole, checked and rightly signed; the count is its version.
    FirmwareReady,
    /// An image was not taken, by it or here already; the count says why, as the boards' messages number it.
    FirmwareRefused,
    /// It started a version on trial; the count is the version.
    FirmwareTrial,
    /// The version it tried stays; the count is the version.
    FirmwareGood,
    /// The version it tried did not do, and the one before it runs again; the count is the version that did not.
    FirmwareReturned,
    /// Its install window was opened: it may be given its key.
    InstallOpened,
    /// Its install window is closed, and it was given none.
    InstallClosed,
    /// It was given its key in the install window, and answers under it.
    Installed,
}

/// A firmware's version as one number that reads like it: 1.2.3 is 1002003.
pub fn firmware_number([major, minor, patch]: [u8; 3]) -> i64 {
    i64::from(major) * 1_000_000 + i64::from(minor) * 1_000 + i64::from(patch)
}

impl BoardChange {
    fn urgent(self) -> bool {
        match self {
            Self::Offline
            | Self::NotSecure
            | Self::Tamper
            | Self::MainsLost
            | Self::BatteryLow
            | Self::WatchdogReset
            | Self::EventsLost
            | Self::WhitelistRejected
            | Self::KeyReset
            | Self::FirmwareRefused
            | Self::FirmwareReturned
            | Self::InstallOpened
            | Self::Installed => true,
            Self::Online
            | Self::TamperRestored
            | Self::MainsRestored
            | Self::BatteryRestored
            | Self::Started
            | Self::ClockSet
            | Self::WhitelistStored
            | Self::Configured
            | Self::KeyChanged
            | Self::UnknownEvent
            | Self::FirmwareOrdered
            | Self::FirmwareSending
            | Self::FirmwareReady
            | Self::FirmwareTrial
            | Self::FirmwareGood
            | Self::InstallClosed => false,
        }
    }
}

/// The controller itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controller {
    /// What happened.
    pub change: ControllerChange,
    /// The policy version, where it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<u64>,
    /// A count, where it matters (entries refused while the outbox was full, microseconds the clock stepped, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// Which events are gone, where some are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// Events of a controller that the server has no more and the controller neither: `count` numbers within this range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// The epoch they were numbered in.
    pub epoch: u32,
    /// Their stream.
    pub stream: Stream,
    /// The lowest number that is gone.
    pub from: u64,
    /// The highest.
    pub up_to: u64,
}

/// What happened to the controller. Grows only at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControllerChange {
    /// The process started.
    Started,
    /// It was asked to stop and did.
    Stopped,
    /// A new policy is in force.
    PolicyApplied,
    /// A policy was refused whole; the old one stays.
    PolicyRefused,
    /// The outbox cannot take events: entries follow each door's rule.
    OutboxFailed,
    /// The outbox takes events again.
    OutboxRestored,
    /// The wall clock was stepped.
    ClockStepped,
    /// A serial bus could not be used.
    BusLost,
    /// The bus is back.
    BusRestored,
    /// The server knows less than it had acknowledged (it was restored from a backup), and not all of the difference is
    /// kept here any more. The stream goes on in a new epoch with all that is.
    EventsLost,
    /// The server knows more of this controller than the controller has ever numbered: the controller's own outbox was
    /// set back. It goes on in a new epoch; what it told in between, the server has.
    OutboxSetBack,
    /// The outbox takes no everyday events, and more of them came than memory holds: some are dropped. How many says
    /// `OutboxRestored`.
    EventsDropped,
    /// Firmware for its boards was refused whole: an image is not what the maker signed. What was ordered before stays.
    FirmwareRefused,
}

impl ControllerChange {
    fn urgent(self) -> bool {
        match self {
            Self::PolicyRefused
            | Self::OutboxFailed
            | Self::ClockStepped
            | Self::BusLost
            | Self::EventsLost
            | Self::OutboxSetBack
            | Self::EventsDropped
            | Self::FirmwareRefused => true,
            Self::Started
            | Self::Stopped
            | Self::PolicyApplied
            | Self::OutboxRestored
            | Self::BusRestored => false,
        }
    }
}

/// A camera of a vision process, as told over the reader link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Camera {
    /// The camera's name in the configuration.
    pub camera: String,
    /// Whether pictures come.
    pub up: bool,
}
