//! What survives a restart: written with the events that changed it, read once at the start. A row that cannot be read is
//! left out and named in the log; it never keeps the controller from starting.

use domain::decision::Decision;
use domain::ids::{AreaId, CredentialId, DoorId, OperatorId, PersonId};
use domain::request::{Seen, Side};
use domain::state::{self, Override, OverrideMode, Presence, Tried, Tries};
use domain::time::Utc;
use serde::{Deserialize, Serialize};
use uplink::command::Settled;

use super::boards::Mark;
use super::commands::Given;
use super::lists::ListKept;
use super::{BoardId, Now, Site};

/// Of a board: how far its log is taken, whether its fire contact was operated, which list it was given.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BoardKept {
    pub(super) epoch: u32,
    pub(super) seq: u32,
    pub(super) fire: bool,
    pub(super) fire_fault: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) list: Option<ListKept>,
}

/// How far an order is, across restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UpdateKept {
    pub(super) order: u64,
    pub(super) course: Course,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Course {
    Ordered,
    /// The board was told to start the version.
    Told,
    Done,
    Refused,
    Returned,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CommandKept {
    pub(super) expires_at: i64,
    pub(super) settled: Option<(i64, Settled)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PresenceKept {
    area: u64,
    since: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct OverrideKept {
    mode: ModeKept,
    by: u64,
    rank: u8,
    since: i64,
    until: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ModeKept {
    Locked,
    Lockdown(u8),
    HeldOpen,
}

#[derive(Debug, Serialize, Deserialize)]
struct TriesKept {
    count: u8,
    last: i64,
    locked_until: Option<i64>,
}

fn key_of(tried: Tried) -> String {
    match tried {
        Tried::Reader(door, Side::Entry) => format!("entry {door}"),
        Tried::Reader(door, Side::Exit) => format!("exit {door}"),
        Tried::Credential(id) => format!("credential {id}"),
    }
}

fn tried_of(key: &str) -> Option<Tried> {
    let (word, id) = key.split_once(' ')?;
    let id = id.parse().ok()?;
    match word {
        "entry" => Some(Tried::Reader(DoorId(id), Side::Entry)),
        "exit" => Some(Tried::Reader(DoorId(id), Side::Exit)),
        "credential" => Some(Tried::Credential(CredentialId(id))),
        _ => None,
    }
}

impl Site {
    /// How far a board's update is, or that it has none.
    pub(super) fn keep_update(&mut self, board: BoardId) {
        let kept = self.boards[board.0].update.kept;
        let value = kept.map(|kept| serde_json::to_string(&kept).expect("a number and a word"));
        self.keep("update", self.plan.board(board).name.clone(), value);
    }

    /// That a plan for firmware was stopped, or is over.
    pub(super) fn keep_stopped(&mut self, plan: u64, stopped: bool) {
        self.keep("stopped-plan", plan.to_string(), stopped.then(|| "true".to_owned()));
    }

    pub(super) fn remember(&mut self, memory: &[(String, String, String)]) {
        for (kind, key, value) in memory {
            if self.recall(kind, key, value).is_none() {
                tracing::warn!(kind, "something remembered cannot be read and is left out");
            }
        }
        let start = Now { mono: 0, utc: Utc(0) };
        self.fire_zones_changed(start);
    }

    fn recall(&mut self, kind: &str, key: &str, value: &str) -> Option<()> {
        match kind {
            "board" => {
                let kept: BoardKept = serde_json::from_str(value).ok()?;
                // A board that is no longer configured is forgotten in peace.
                let known = self.plan.ids().find(|id| self.plan.board(*id).name == key);
                if let Some(id) = known {
                    let board = &mut self.boards[id.0];
                    board.mark = Mark { epoch: kept.epoch, seq: kept.seq };
                    board.safe = kept.seq;
                    board.fire = kept.fire;
                    board.fire_fault = kept.fire_fault;
                    board.list.given = kept.list;
                }
            }
            "update" => {
                let kept: UpdateKept = serde_json::from_str(value).ok()?;
                let known = self.plan.ids().find(|id| self.plan.board(*id).name == key);
                if let Some(id) = known {
                    self.boards[id.0].update.kept = Some(kept);
                }
            }
            "stopped-plan" => {
                self.stopped.insert(key.parse().ok()?);
            }
            "command" => {
                let kept: CommandKept = serde_json::from_str(value).ok()?;
                let seen = Given { expires_at: kept.expires_at, settled: kept.settled };
                self.commands.remember(key.to_owned(), seen);
            }
            "presence" => {
                let kept: PresenceKept = serde_json::from_str(value).ok()?;
                let person = PersonId(key.parse().ok()?);
                let presence = Presence { person, area: AreaId(kept.area), since: Utc(kept.since) };
                self.observe(state::Event::Located(presence));
            }
            "override" => {
                let kept: OverrideKept = serde_json::from_str(value).ok()?;
                let it = Override {
                    mode: match kept.mode {
                        ModeKept::Locked => OverrideMode::Locked,
                        ModeKept::Lockdown(clearance) => OverrideMode::Lockdown { clearance },
                        ModeKept::HeldOpen => OverrideMode::HeldOpen,
                    },
                    by: OperatorId(kept.by),
                    rank: kept.rank,
                    since: Utc(kept.since),
                    until: Utc(kept.until),
                };
                self.observe(state::Event::Overridden(DoorId(key.parse().ok()?), it));
            }
            "tries" => {
                let kept: TriesKept = serde_json::from_str(value).ok()?;
                let locked_until = kept.locked_until.map(Utc);
                let tries = Tries { count: kept.count, last: Utc(kept.last), locked_until };
                self.kept_tries.insert(key.to_owned());
                self.observe(state::Event::TriesKnown(tried_of(key)?, tries));
            }
            _ => return None,
        }
        Some(())
    }

    pub(super) fn keep_presence(&mut self, person: PersonId) {
        let kept = self.state.presence(person).map(|it| PresenceKept { area: it.area.0, since: it.since.0 });
        let value = kept.map(|kept| serde_json::to_string(&kept).expect("numbers"));
        self.keep("presence", person.0.to_string(), value);
    }

    /// Wrong tries at the reader and with the credentials of a decision, as they stand after it.
    pub(super) fn keep_tries(&mut self, now: Now, decision: &Decision) {
        let trace = &decision.trace;
        let credentials = trace.seen.iter().filter_map(|it| match it.seen {
            Seen::Credential { id, .. } => Some(Tried::Credential(id)),
            Seen::Face { .. } | Seen::UnknownFace { .. } | Seen::UnknownCredential { .. } => None,
        });
        let all: Vec<Tried> =
            std::iter::once(Tried::Reader(trace.door, trace.side)).chain(credentials).collect();
        for tried in all {
            let tries = self.state.tries(tried, now.utc, self.policy.site()).copied();
            let key = key_of(tried);
            match tries {
                Some(it) => {
                    let locked_until = it.locked_until.map(|at| at.0);
                    let kept = TriesKept { count: it.count, last: it.last.0, locked_until };
                    let value = serde_json::to_string(&kept).expect("numbers");
                    self.kept_tries.insert(key.clone());
                    self.keep("tries", key, Some(value));
                }
                // Most decisions follow no wrong try: nothing is there to forget.
                None if self.kept_tries.remove(&key) => self.keep("tries", key, None),
                None => {}
            }
        }
    }

    pub(super) fn keep_override(&mut self, door: DoorId, it: Option<Override>) {
        let kept = it.map(|it| OverrideKept {
            mode: match it.mode {
                OverrideMode::Locked => ModeKept::Locked,
                OverrideMode::Lockdown { clearance } => ModeKept::Lockdown(clearance),
                OverrideMode::HeldOpen => ModeKept::HeldOpen,
            },
            by: it.by.0,
            rank: it.rank,
            since: it.since.0,
            until: it.until.0,
        });
        let value = kept.map(|kept| serde_json::to_string(&kept).expect("numbers and words"));
        self.keep("override", door.0.to_string(), value);
    }
}
