//! Live state: what a device looks like now. Not durable, sent on change and at least every [`PERIOD_MS`].

use serde::{Deserialize, Serialize};

/// The longest silence, in milliseconds; a screen says "stale" after 5,000.
pub const PERIOD_MS: u64 = 2_000;

/// One device's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// The device's clock when it wrote this: UTC, microseconds.
    pub at: i64,
    /// Software version.
    pub software: String,
    /// Doors and lanes, for a controller.
    #[serde(default)]
    pub doors: Vec<Door>,
    /// Boards, for a controller.
    #[serde(default)]
    pub boards: Vec<Board>,
    /// Cameras, for a vision process, and for a controller those that report to it.
    #[serde(default)]
    pub cameras: Vec<Camera>,
    /// Events waiting for the server, for a controller.
    #[serde(default)]
    pub outbox: Option<Outbox>,
    /// Version of the policy or gallery in force.
    #[serde(default)]
    pub replica_version: Option<u64>,
}

/// A door or lane now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// The door or lane.
    pub door: u64,
    /// Leaf or barrier position.
    pub position: Position,
    /// Lock or drive.
    pub lock: Lock,
    /// Everything that keeps it as it is, strongest first: `fire`, `break-glass`, `hold-open`, `locked`, `grant`, …
    pub causes: Vec<String>,
    /// What is wrong with it: `forced`, `held`, `input-fault`, `board-offline`, …
    pub troubles: Vec<String>,
    /// When the controller last heard of it: UTC, microseconds. `None`: not since it started.
    pub heard_at: Option<i64>,
}

/// Where the leaf or barrier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    /// In its frame, or across the lane.
    Closed,
    /// Not in its frame, or out of the lane.
    Open,
    /// Nobody can say.
    Unknown,
}

/// What the lock or drive is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lock {
    /// Holding.
    Locked,
    /// Let go.
    Released,
    /// Nobody can say.
    Unknown,
}

/// A board now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// The bus's name.
    pub bus: String,
    /// OSDP address.
    pub address: u8,
    /// Whether it answers.
    pub online: bool,
    /// Whether its secure channel stands.
    pub secure: bool,
    /// The version of its firmware as it reports it, `1.4.0`.
    pub firmware: Option<String>,
    /// When it last answered: UTC, microseconds.
    pub heard_at: Option<i64>,
    /// How often it had to be asked again since the controller's start.
    pub retries: u64,
    /// How the line to it does; absent before the first second of a bus, and from older controllers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Line>,
    /// The list it opens by while it is alone; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<List>,
    /// Its update, where one is ordered or it says that it is not settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<Update>,
    /// Its install window, while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<Install>,
}

/// An install window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Install {
    /// Who opened it: an operator's pseudonymous id.
    pub by: u64,
    /// When it closes by itself: UTC, microseconds.
    pub until: i64,
}

/// A board's update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// How far it is.
    pub stage: UpdateStage,
    /// The version it is for, `1.4.0`; absent where no order says.
    pub firmware: Option<String>,
    /// How much of the image is sent, in hundredths.
    pub sent: u8,
}

/// How far a board's update is. Grows only at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateStage {
    /// It waits for its turn, or for the board.
    Waiting,
    /// The image is being sent.
    Sending,
    /// The board has it, and waits for its time.
    Ready,
    /// The board waits for its door to be at rest.
    HeldUp,
    /// The board starts anew.
    Starting,
    /// The board tries the version.
    Trial,
    /// It runs.
    Done,
    /// It was not taken.
    Refused,
    /// The board went back, or another board of the same plan did.
    Stopped,
}

/// How the line to a board does, counted since the controller's start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Commands sent, repeats not counted.
    pub commands: u64,
    /// Commands without any reply in time.
    pub timeouts: u64,
    /// Replies that were damaged on the way.
    pub damaged: u64,
    /// From the end of the last command to its reply, in microseconds.
    pub reply_us: u64,
}

/// The list that a board opens by while it is alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Its number.
    pub number: u32,
    /// Until when it opens the door: UTC, microseconds.
    pub until: i64,
}

/// A camera now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Camera {
    /// Its name.
    pub camera: String,
    /// Whether pictures come.
    pub up: bool,
    /// Age of the newest frame, in milliseconds; a controller does not know it.
    pub frame_age_ms: Option<u64>,
}

/// What waits for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    /// The epoch of its urgent stream.
    pub epoch: u32,
    /// Urgent events not yet acknowledged.
    pub urgent: u64,
    /// Bulk events not yet acknowledged.
    pub bulk: u64,
    /// Whether events can be written.
    pub writable: bool,
}
