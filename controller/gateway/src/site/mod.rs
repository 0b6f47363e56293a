//! The controller's rules as one machine: what happened and what time it is go in, effects come out. It opens no port, no
//! socket, no file, and reads no clock.
//!
//! Nothing here opens an entry before its decision is written down: a release waits for [`Input::Written`]. Exits wait for
//! nobody. A board that comes back is told what must hold now, and that is never a release.

mod backlog;
mod boards;
mod centre;
mod commands;
mod decisions;
mod fire;
mod lists;
mod live;
mod memory;
mod owed;
mod plain;
mod plan;
mod point;
mod presentation;
mod record;
mod reports;
mod standing;
#[cfg(test)]
mod tests;
mod trace;
mod updates;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::ids::{DoorId, FireZoneId, PersonId};
use domain::policy::{Policy, PolicyParts, SiteRules};
use domain::request::Side;
use domain::schedule::Calendar;
use domain::state::{self, State};
use domain::time::{Utc, Zone};
use endpoints::vendor::ToBoard;
use osdp::{LedControl, OutputControl};
use uplink::event::{Body, Controller, ControllerChange};
use uplink::reader_link::Sighting;
use uplink::sync::firmware::Firmware;

use crate::bus::Counted;
use crate::outbox::{Entry, Kept, Write};
use crate::whitelist::{List, Order as ListOrder};

use boards::Board;
use centre::Centre;
use commands::Commands;
use decisions::{Asked, Tracks};
use point::Point;
use presentation::Keypads;
use record::Record;

pub use plan::{BoardId, BoardPlan, Plan};
pub use presentation::CredentialKey;

/// A clock step larger than this is an event, in microseconds.
const CLOCK_STEP: i64 = 1_000_000;
/// A release is sent within this time or not at all, in microseconds: whoever was let in has gone away by then.
const RELEASE_LIFE: u64 = 2_000_000;
/// Most releases remembered to say who went through when the door opens.
const RELEASES_MAX: usize = 4_096;

/// What time it is.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Microseconds since the process started, never going back.
    pub mono: u64,
    /// The wall clock.
    pub utc: Utc,
}

/// A connection of a vision process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What goes in.
#[derive(Debug)]
pub enum Input {
    /// Something happened at a board.
    Heard(BoardId, Box<osdp::cp::EventKind>),
    /// A bus became usable or unusable.
    Bus {
        /// Which, in the order of [`Plan::buses`].
        bus: usize,
        /// Whether it is usable.
        up: bool,
    },
    /// A face was seen.
    Sighting {
        /// Over which connection.
        link: LinkId,
        /// The common name of the vision process.
        vision: String,
        /// What it saw.
        sighting: Box<Sighting>,
    },
    /// A camera came or went.
    Camera {
        /// The common name of the vision process.
        vision: String,
        /// Its name.
        camera: String,
        /// Whether pictures come.
        up: bool,
    },
    /// The outbox has an answer.
    Written {
        /// Which write.
        token: u64,
        /// Whether it is on the disk.
        ok: bool,
    },
    /// The link to the broker came or went.
    Broker {
        /// Whether it stands.
        up: bool,
    },
    /// The server was heard: any message of it.
    CentreHeard,
    /// The server answered a question.
    Answer(uplink::ask::Answer),
    /// The server commands.
    Command(uplink::command::Command),
    /// A new policy is in force.
    Policy(Arc<Policy>),
    /// A policy was refused; its version.
    PolicyRefused(u64),
    /// A board's list is made.
    ListMade(BoardId, List),
    /// What boards are to run is in force.
    Firmware(Arc<Firmware>),
    /// It was refused; its version.
    FirmwareRefused(u64),
    /// A file is sent up to this byte.
    FileAt(BoardId, u32),
    /// What was counted at a board since it was last told.
    Counted(BoardId, Counted),
    /// Nothing but time.
    Tick,
}

/// What comes out, in the order in which it is to be done.
#[derive(Debug)]
pub enum Effect {
    /// Say this to a board.
    Say {
        /// Which.
        board: BoardId,
        /// What.
        say: Say,
        /// Comes back in the board's answer.
        token: u64,
        /// After this many microseconds it is not sent any more.
        life: u64,
    },
    /// Write this to the outbox and say when it is on the disk.
    Write(Write),
    /// Tell vision what came of a sighting.
    Verdict {
        /// Over which connection.
        link: LinkId,
        /// The camera.
        camera: String,
        /// The track.
        track: u64,
        /// Whether the door was released.
        granted: bool,
    },
    /// Ask the centre.
    Ask(uplink::ask::Ask),
    /// Tell the centre what became of a command.
    Result(uplink::command::Outcome),
    /// Make a board's list and hand it back: it takes too long for the loop.
    MakeList(BoardId, Box<ListOrder>),
}

/// Something to say to a board.
#[derive(Debug, Clone)]
pub enum Say {
    /// To one of ours.
    Ours(ToBoard),
    /// Drive an output.
    Output(OutputControl),
    /// Show a light.
    Led(LedControl),
    /// Sound a reader.
    Buzzer(osdp::Buzzer),
    /// Take a file.
    File {
        /// Its OSDP file type.
        kind: u8,
        /// Its bytes.
        data: Arc<[u8]>,
        /// Where to begin: the board has what comes before.
        from: u32,
    },
    /// Give it its key, with the one that everybody knows, for as long as this is good to be said. Nothing answers.
    Install,
    /// No more.
    EndInstall,
}

/// The machine.
pub struct Site {
    plan: Plan,
    key: CredentialKey,
    policy: Arc<Policy>,
    firmware: Arc<Firmware>,
    /// Plans of which a board did not take or did not keep its version: the others are left as they are.
    stopped: BTreeSet<u64>,
    state: State,
    boards: Vec<Board>,
    points: BTreeMap<DoorId, Point>,
    keypads: Keypads,
    record: Record,
    centre: Centre,
    asked: BTreeMap<u64, Asked>,
    tracks: Tracks,
    commands: Commands,
    /// Who was released, by the number of the order.
    releases: BTreeMap<u64, Released>,
    cameras: BTreeMap<String, bool>,
    buses: Vec<bool>,
    /// Zones that burn, and the doors here that they free.
    burning: BTreeSet<FireZoneId>,
    freed: BTreeSet<DoorId>,
    /// Keys of wrong tries that the outbox remembers.
    kept_tries: BTreeSet<String>,
    next_order: u64,
    /// A board tells what is known of it already: the journal gets it, and nothing changes.
    replaying: bool,
    clock: Option<Now>,
    effects: Vec<Effect>,
    software: &'static str,
}

/// Somebody was let through a door.
#[derive(Debug, Clone, Copy)]
struct Released {
    door: DoorId,
    side: Side,
    person: Option<PersonId>,
    /// By which decision; an operator's command is none.
    decision: Option<DecisionId>,
    /// They had been let in before and not passed: the same order was given again.
    renewed: bool,
}

/// Which decision, so that what became of it can be tied to it later. Below 2^53, as JSON's readers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DecisionId(u64);

impl Site {
    /// A controller at its start. `first_order` must differ from one run to the next: boards remember the last numbers.
    /// `memory` is what the outbox remembered.
    pub fn new(
        plan: Plan,
        key: CredentialKey,
        policy: Option<Arc<Policy>>,
        first_order: u64,
        memory: &[(String, String, String)],
    ) -> Site {
        let boards = plan.ids().map(|id| Board::new(plan.board(id))).collect();
        let points = plan.ids().filter_map(|id| plan.door(id)).map(|door| (door, Point::default())).collect();
        let cameras = plan.cameras.iter().map(|it| (it.name.clone(), false));
        let mut site = Site {
            cameras: cameras.collect(),
            buses: plan.buses.iter().map(|_| true).collect(),
            plan,
            key,
            policy: policy.unwrap_or_else(|| Arc::new(no_policy())),
            firmware: Arc::default(),
            stopped: BTreeSet::new(),
            state: State::default(),
            boards,
            points,
            keypads: Keypads::default(),
            record: Record::default(),
            centre: Centre::default(),
            asked: BTreeMap::new(),
            tracks: Tracks::default(),
            commands: Commands::default(),
            releases: BTreeMap::new(),
            burning: BTreeSet::new(),
            freed: BTreeSet::new(),
            kept_tries: BTreeSet::new(),
            next_order: first_order.max(1),
            replaying: false,
            clock: None,
            effects: Vec::new(),
            software: env!("CARGO_PKG_VERSION"),
        };
        site.remember(memory);
        site
    }

    /// One step: first what time alone has brought about, then what happened.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        self.watch_clock(now);
        self.time_passed(now);
        match input {
            Input::Heard(board, event) => self.heard(now, board, *event),
            Input::Bus { bus, up } => self.bus_changed(now, bus, up),
            Input::Sighting { link, vision, sighting } => self.sighted(now, link, &vision, &sighting),
            Input::Camera { vision, camera, up } => self.camera_changed(now, &vision, &camera, up),
            Input::Written { token, ok } => self.written(now, token, ok),
            Input::Broker { up } => self.centre.broker(up),
            Input::CentreHeard => {
                self.centre.heard();
                self.observe(state::Event::CentreHeard { at: now.utc });
            }
            Input::Answer(answer) => self.answered(now, answer),
            Input::Command(command) => self.commanded(now, command),
            Input::Policy(policy) => self.policy_changed(now, policy),
            Input::ListMade(board, list) => self.list_made(now, board, &list),
            Input::Firmware(firmware) => self.firmware_changed(now, firmware),
            Input::FirmwareRefused(version) => {
                self.controller_event(now, ControllerChange::FirmwareRefused, Some(version), None);
            }
            Input::FileAt(board, offset) => self.file_at(now, board, offset),
            Input::Counted(board, counted) => self.boards[board.0].count(counted),
            Input::PolicyRefused(version) => {
                self.controller_event(now, ControllerChange::PolicyRefused, Some(version), None);
            }
            Input::Tick => {}
        }
        self.flush(now);
        std::mem::take(&mut self.effects)
    }

    /// When [`Site::handle`] must be called at the latest, in microseconds since start.
    pub fn deadline(&self) -> Option<u64> {
        let asked = self.asked.values().map(|it| it.deadline).min();
        let boards = self.boards.iter().filter_map(Board::deadline).min();
        [asked, boards, self.commands.deadline(), self.record.deadline()].into_iter().flatten().min()
    }

    /// An event of the controller itself, which the process wants to be written.
    pub fn note(&mut self, now: Now, change: ControllerChange, count: Option<i64>) -> Vec<Effect> {
        self.controller_event(now, change, None, count);
        self.flush(now);
        std::mem::take(&mut self.effects)
    }

    fn time_passed(&mut self, now: Now) {
        self.asks_expire(now);
        self.commands_expire(now);
        self.plain_boards_tick(now);
        self.moved(now);
        self.owed_due(now);
        self.lists_due(now);
        self.updates_due(now);
        self.windows_due(now);
        self.record_due(now);
    }

    fn watch_clock(&mut self, now: Now) {
        if let Some(before) = self.clock.replace(now) {
            let mono = i64::try_from(now.mono.saturating_sub(before.mono)).unwrap_or(i64::MAX);
            let step = now.utc.0.saturating_sub(before.utc.0).saturating_sub(mono);
            if step.abs() > CLOCK_STEP {
                self.controller_event(now, ControllerChange::ClockStepped, None, Some(step));
                for board in self.plan.ids() {
                    self.set_clock(now, board);
                }
                self.look_at_lists(now);
            }
        }
    }

    fn observe(&mut self, event: state::Event<'_>) {
        self.state.observe(&self.policy, event);
    }

    fn policy_changed(&mut self, now: Now, policy: Arc<Policy>) {
        let version = policy.version();
        self.policy = policy;
        self.controller_event(now, ControllerChange::PolicyApplied, Some(version.0), None);
        self.fire_zones_changed(now);
        for board in self.plan.ids() {
            self.configure(now, board);
        }
        self.look_at_lists(now);
    }

    fn camera_changed(&mut self, now: Now, vision: &str, camera: &str, up: bool) {
        if self.plan.camera(vision, camera).is_none() {
            return;
        }
        let known = self.cameras.entry(camera.to_owned()).or_insert(!up);
        if *known != up {
            *known = up;
            self.event(now.utc.0, Body::Camera(uplink::event::Camera { camera: camera.to_owned(), up }));
        }
    }

    fn bus_changed(&mut self, now: Now, bus: usize, up: bool) {
        let Some(was) = self.buses.get_mut(bus) else { return };
        if std::mem::replace(was, up) != up {
            let change = if up { ControllerChange::BusRestored } else { ControllerChange::BusLost };
            self.controller_event(now, change, None, Some(i64::try_from(bus).unwrap_or(i64::MAX)));
        }
        if !up {
            let lost: Vec<BoardId> = self.plan.ids().filter(|id| self.plan.boards[id.0].bus == bus).collect();
            for board in lost {
                // What spoke to it with the key that everybody knows is gone with the port.
                self.window_closed(now, board);
                self.board_lost(now, board);
            }
        }
    }

    fn controller_event(
        &mut self,
        now: Now,
        change: ControllerChange,
        version: Option<u64>,
        count: Option<i64>,
    ) {
        self.event(
            now.utc.0,
            Body::Controller(Controller { change, policy_version: version, count, lost: None }),
        );
    }

    fn event(&mut self, at: i64, body: Body) {
        self.record.gathering.events.push(Entry { at, body });
    }

    fn keep(&mut self, kind: &'static str, key: String, value: Option<String>) {
        self.record.gathering.kept.push(Kept { kind, key, value });
    }

    fn say(&mut self, board: BoardId, say: Say, token: u64, life: u64) {
        self.effects.push(Effect::Say { board, say, token, life });
    }

    fn order_number(&mut self) -> u64 {
        let number = self.next_order;
        self.next_order = self.next_order.wrapping_add(1).max(1);
        number
    }

    /// Begins at random like the orders, so that two runs share none.
    fn decision_number(&mut self) -> DecisionId {
        DecisionId(self.order_number() & ((1 << 53) - 1))
    }

    fn remember_release(&mut self, order: u64, released: Released) {
        while self.releases.len() >= RELEASES_MAX {
            self.releases.pop_first();
        }
        self.releases.insert(order, released);
    }
}

/// What holds before the first policy has come: nobody enters, everybody leaves.
fn no_policy() -> Policy {
    let parts = PolicyParts {
        version: domain::ids::PolicyVersion(0),
        made_at: Utc(0),
        site: SiteRules {
            face_score: domain::request::Score(10_000),
            face_margin: domain::request::Score(10_000),
            wrong_tries: 5,
            wrong_tries_within: std::time::Duration::from_secs(60),
            lock_out: std::time::Duration::ZERO,
            second_factor_within: std::time::Duration::from_secs(10),
            same_person_within: std::time::Duration::ZERO,
        },
        zone: Zone::fixed(0),
        calendar: Calendar::default(),
        controllers: Vec::new(),
        areas: Vec::new(),
        fire_zones: Vec::new(),
        groups: Vec::new(),
        schedules: Vec::new(),
        doors: Vec::new(),
        levels: Vec::new(),
        people: Vec::new(),
        credentials: Vec::new(),
    };
    Policy::try_from(parts).expect("an empty policy has nothing that could be wrong")
}
