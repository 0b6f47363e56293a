//! The rules in virtual time: nothing here opens a port or reads a clock.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing among many")]

mod asked;
mod backlog;
mod holds;
mod lanes;
mod late;
mod lists;
mod marks;
mod owed;
mod pins;
mod plain;
mod record;
mod renewal;
mod reports;
mod standing;
mod updates;
mod windows;

use std::time::Duration;

use domain::civil::Date;
use domain::ids::{AreaId, ControllerId, GroupId, LevelId, ScheduleId};
use domain::policy::{
    AntiPassback, Area, Door, DoorKind, Egress, EntryRule, FaceConsent, Level, Person, PersonStatus, Relock,
};
use domain::request::{Factors, Score};
use domain::schedule::{Days, Schedule, Span, Window};
use domain::time::Validity;
use endpoints::Order;
use endpoints::vendor::OfflineRule;
use osdp::cp::{EventKind, OfflineReason};
use osdp::{Key, OutputAction};
use uplink::command::{Action, Command, Settled};
use uplink::event::{Outcome, Stream};
use uplink::reader_link::{Face, Liveness};

use super::*;
use crate::config::{Camera, Device, Kind, Reader, Terminals};
use crate::whitelist::{ListKey, make};

const ADA: u64 = 7;
const LOBBY: DoorId = DoorId(1);
const YARD: DoorId = DoorId(2);
const PLAIN: BoardId = BoardId(2);
const START: i64 = 1_700_000_000_000_000;

/// A controller with a door board, a lane board and another maker's door, all on-line.
struct Case {
    site: Site,
    now: u64,
    orders: Vec<(BoardId, Say)>,
    /// The token of each order.
    tokens: Vec<u64>,
    written: Vec<Entry>,
    /// What the outbox has not answered.
    unanswered: Vec<Write>,
    verdicts: Vec<bool>,
    asks: Vec<uplink::ask::Ask>,
    results: Vec<uplink::command::Outcome>,
    /// What the outbox answers.
    disk: Disk,
    memory: Vec<(String, String, String)>,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Disk {
    Works,
    Fails,
    Hangs,
    /// As many everyday events as allowed wait for the server.
    Full,
}

fn list_key() -> ListKey {
    ListKey::new(&[3; 32])
}

fn device(address: u8, kind: Kind, door: DoorId) -> Device {
    let reader = |number, side| Reader { number, door, side };
    Device {
        address,
        name: format!("board {address}"),
        kind,
        key: Key::new([address; 16]),
        door: Some(door),
        readers: vec![reader(0, Side::Entry), reader(1, Side::Exit)],
        offline: OfflineRule::Refuse,
        offline_after_s: 10,
    }
}

fn plan() -> Plan {
    let terminals = Terminals { lock: 0, contact: Some(0), rex: Some(1), fire: None };
    let kinds =
        [(1, Kind::Door, LOBBY), (2, Kind::GateLane, YARD), (3, Kind::PlainDoor(terminals), DoorId(3))];
    let boards = kinds.map(|(address, kind, door)| BoardPlan { bus: 0, device: device(address, kind, door) });
    let camera = Camera { vision: "vision-1".into(), name: "lobby".into(), door: LOBBY, side: Side::Entry };
    Plan {
        controller: ControllerId(1),
        boards: boards.into_iter().collect(),
        buses: vec!["ground floor".into()],
        cameras: vec![camera],
        whitelist_life: Duration::from_secs(86_400),
        whitelist_key: list_key().public(),
    }
}

fn policy(change: impl Fn(&mut Door)) -> Arc<Policy> {
    let always = Window { days: Days::from_bits(0x7F).unwrap(), span: Span::new(0, 1440).unwrap() };
    let door = |id, controller, kind| {
        let mut door = Door {
            id,
            controller: ControllerId(controller),
            kind,
            outside: AreaId(1),
            inside: AreaId(2),
            egress: Egress::Exit,
            credential_rules: vec![],
            otherwise: vec![Factors::FACE],
            strike: Duration::from_secs(3),
            held_after: Duration::from_secs(30),
            relock: Relock::OnClose,
            anti_passback: AntiPassback::Off,
            unrecorded_entry: EntryRule::Refuse,
            fire_zone: Some(FireZoneId(1)),
        };
        change(&mut door);
        door
    };
    let mut parts = PolicyParts {
        version: domain::ids::PolicyVersion(1),
        made_at: Utc(START),
        controllers: vec![ControllerId(1), ControllerId(2)],
        areas: vec![Area { id: AreaId(1), parent: None }, Area { id: AreaId(2), parent: None }],
        fire_zones: vec![FireZoneId(1)],
        groups: vec![GroupId(1)],
        schedules: vec![Schedule {
            id: ScheduleId(1),
            windows: vec![always],
            exceptions: vec![(Date(0), vec![])],
        }],
        doors: vec![
            door(LOBBY, 1, DoorKind::Door),
            door(YARD, 1, DoorKind::Lane),
            door(DoorId(3), 1, DoorKind::Door),
            door(DoorId(4), 2, DoorKind::Door),
        ],
        levels: vec![Level {
            id: LevelId(1),
            groups: vec![GroupId(1)],
            doors: vec![LOBBY, YARD, DoorId(3)],
            schedule: ScheduleId(1),
        }],
        people: vec![Person {
            id: PersonId(ADA),
            validity: Validity::ALWAYS,
            status: PersonStatus::Active,
            face: FaceConsent::Given,
            clearance: 0,
            groups: vec![GroupId(1)],
        }],
        ..no_policy().parts()
    };
    parts.site.face_score = Score(4_500);
    parts.site.face_margin = Score(0);
    Arc::new(Policy::try_from(parts).expect("it is right"))
}

impl Case {
    fn new(policy: Arc<Policy>) -> Case {
        let mut case = Case::offline(policy, &[]);
        for board in 0..3 {
            case.step(Input::Heard(
                BoardId(board),
                Box::new(EventKind::Online { identity: None, secure: true }),
            ));
        }
        case.forget_orders();
        case
    }

    fn forget_orders(&mut self) {
        self.orders.clear();
        self.tokens.clear();
    }

    fn offline(policy: Arc<Policy>, memory: &[(String, String, String)]) -> Case {
        let site = Site::new(plan(), CredentialKey::new(&[1; 32]), Some(policy), 100, memory);
        Case {
            site,
            now: 0,
            orders: vec![],
            tokens: vec![],
            written: vec![],
            unanswered: vec![],
            verdicts: vec![],
            asks: vec![],
            results: vec![],
            disk: Disk::Works,
            memory: vec![],
        }
    }

    fn time(&self) -> Now {
        Now { mono: self.now, utc: Utc(START + i64::try_from(self.now).unwrap()) }
    }

    fn step(&mut self, input: Input) {
        let mut effects = self.site.handle(self.time(), input);
        while !effects.is_empty() {
            let mut answers = Vec::new();
            for effect in effects.drain(..) {
                match effect {
                    Effect::Say { board, say, token, .. } => {
                        self.orders.push((board, say));
                        self.tokens.push(token);
                    }
                    Effect::Verdict { granted, .. } => self.verdicts.push(granted),
                    Effect::Ask(ask) => self.asks.push(ask),
                    Effect::Result(result) => self.results.push(result),
                    Effect::MakeList(board, order) => {
                        answers.push(Input::ListMade(board, make(&list_key(), &order)));
                    }
                    Effect::Write(write) => match self.disk {
                        Disk::Works => answers.push(self.keep(write)),
                        Disk::Fails => answers.push(Input::Written { token: write.token, ok: false }),
                        Disk::Hangs => self.unanswered.push(write),
                        Disk::Full => {
                            let everyday = |entry: &Entry| entry.body.stream() == Stream::Bulk;
                            answers.push(match write.events.iter().any(everyday) {
                                true => Input::Written { token: write.token, ok: false },
                                false => self.keep(write),
                            });
                        }
                    },
                }
            }
            for answer in answers {
                effects.extend(self.site.handle(self.time(), answer));
            }
        }
    }

    fn keep(&mut self, write: Write) -> Input {
        self.written.extend(write.events);
        for it in write.kept {
            self.memory.retain(|(kind, key, _)| (kind.as_str(), key) != (it.kind, &it.key));
            self.memory.extend(it.value.map(|value| (it.kind.to_owned(), it.key, value)));
        }
        Input::Written { token: write.token, ok: true }
    }

    /// The disk that hung has written everything after all.
    fn disk_wakes(&mut self) {
        self.disk = Disk::Works;
        for write in std::mem::take(&mut self.unanswered) {
            let answer = self.keep(write);
            self.step(answer);
        }
    }

    /// Lets time pass, waking when the machine asks for it.
    fn wait(&mut self, time: Duration) {
        let end = self.now + u64::try_from(time.as_micros()).unwrap();
        while let Some(at) = self.site.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.step(Input::Tick);
        }
        self.now = end;
        self.step(Input::Tick);
    }

    fn face(&mut self, track: u64) {
        self.seen("lobby", track, LinkId(1), "vision-1");
    }

    /// Vision sees Ada before one of its cameras.
    fn seen(&mut self, camera: &str, track: u64, link: LinkId, vision: &str) {
        let sighting = Sighting {
            camera: camera.into(),
            track,
            look: 1,
            captured_at: self.time().utc.0,
            face: Face::Known { person: ADA, score: 0.8, margin: 0.4 },
            liveness: Liveness { live: true, score: 1.0, frames: 1 },
            stages_us: BTreeMap::new(),
            gallery_version: 1,
        };
        self.step(Input::Sighting { link, vision: vision.to_owned(), sighting: Box::new(sighting) });
    }

    fn ordered(&self, board: usize) -> Vec<Order> {
        let of_board = self.orders.iter().filter(|(id, _)| id.0 == board);
        let ours = of_board.filter_map(|(_, say)| match say {
            Say::Ours(ToBoard::Command { order, .. }) => Some(*order),
            _ => None,
        });
        ours.collect()
    }

    fn decisions(&self) -> Vec<(Outcome, String)> {
        let access = self.written.iter().filter_map(|entry| match &entry.body {
            Body::Access(access) => Some((access.outcome, access.trace.centre.clone())),
            _ => None,
        });
        access.collect()
    }

    fn command(&mut self, id: &str, action: Action) {
        let expires_at = self.time().utc.0 + 1_000_000;
        self.step(Input::Command(Command { id: id.into(), expires_at, by: 1, rank: 5, action }));
    }
}

fn shared(door: &mut Door) {
    door.anti_passback = AntiPassback::Soft;
}

#[test]
fn an_entry_opens_only_when_its_decision_is_on_the_disk() {
    let mut case = Case::new(policy(|_| ()));
    case.disk = Disk::Hangs;
    case.face(1);
    assert!(case.ordered(0).is_empty() && case.verdicts.is_empty());
    case.wait(Duration::from_millis(299));
    assert!(case.ordered(0).is_empty());
    case.wait(Duration::from_millis(2));
    assert_eq!(case.verdicts, [false], "the door's rule is to refuse");
    assert!(case.ordered(0).is_empty());
}

#[test]
fn a_failed_disk_follows_each_doors_rule_and_an_alarm_says_so_when_it_works_again() {
    for (rule, opens) in [(EntryRule::Refuse, false), (EntryRule::Allow, true)] {
        let mut case = Case::new(policy(move |door| door.unrecorded_entry = rule));
        case.disk = Disk::Fails;
        case.face(1);
        case.face(2);
        assert_eq!(case.ordered(0).is_empty(), !opens);
        assert_eq!(case.verdicts, [opens; 2]);
        // The exit works all the same.
        case.step(Input::Heard(BoardId(1), card_at(1)));
        assert_eq!(case.ordered(1), [Order::PassExit]);
        let before = case.written.len();
        case.disk = Disk::Works;
        case.wait(Duration::from_secs(2));
        let changes: Vec<_> = case.written[before..]
            .iter()
            .filter_map(|entry| match &entry.body {
                Body::Controller(it) => Some((it.change, entry.body.stream())),
                _ => None,
            })
            .collect();
        assert_eq!(changes.first(), Some(&(ControllerChange::OutboxFailed, Stream::Urgent)));
        assert_eq!(changes.last().map(|it| it.0), Some(ControllerChange::OutboxRestored));
        case.face(3);
        assert_eq!(case.verdicts.last(), Some(&true));
        let granted = case.decisions().iter().filter(|(outcome, _)| *outcome == Outcome::Granted).count();
        let entries_and_exit = usize::from(opens) * 2 + 1 + 1;
        assert_eq!(granted, entries_and_exit, "the record says what happened, not what was decided first");
    }
}

/// Whoever shows it: on the exit side nobody is held back.
fn card_at(reader: u8) -> Box<EventKind> {
    let mut data = heapless::Vec::new();
    data.extend_from_slice(&[0x12, 0x34, 0x56, 0x80]).expect("four bytes fit");
    Box::new(EventKind::Card(osdp::cp::Card { reader, format: 1, bits: 26, data }))
}

#[test]
fn the_centre_is_asked_only_where_it_knows_more_and_only_when_it_can_answer() {
    let mut case = Case::new(policy(|_| ()));
    case.step(Input::Broker { up: true });
    case.step(Input::CentreHeard);
    case.face(1);
    assert!(case.asks.is_empty(), "nothing only the centre knows");

    let mut case = Case::new(policy(shared));
    case.face(1);
    assert_eq!(case.verdicts, [true], "no broker: not a moment is lost");
    case.step(Input::Broker { up: true });
    case.face(2);
    assert!(case.asks.is_empty(), "a broker without a server answers nothing");
    case.step(Input::CentreHeard);
    case.face(3);
    assert_eq!((case.asks.len(), case.verdicts.len()), (1, 2));
    case.step(Input::Answer(uplink::ask::Answer { id: case.asks[0].id, objections: vec![] }));
    assert_eq!(case.verdicts, [true; 3]);
    case.face(4);
    let no = trace::own_reason("entered-elsewhere", []);
    case.step(Input::Answer(uplink::ask::Answer { id: case.asks[1].id, objections: vec![no] }));
    assert_eq!(case.verdicts.last(), Some(&false));
    case.face(5);
    case.wait(Duration::from_millis(401));
    assert_eq!(case.verdicts.last(), Some(&true), "the local answer stands");
    case.step(Input::Answer(uplink::ask::Answer { id: case.asks[2].id, objections: vec![] }));
    case.face(6);
    assert_eq!(case.asks.len(), 3, "one unanswered question is enough");
    let centres: Vec<String> = case.decisions().into_iter().map(|(_, centre)| centre).collect();
    assert_eq!(centres, ["link-down", "link-down", "agreed", "objected", "no-answer", "link-down"]);
    assert_eq!(case.ordered(0).len(), 5, "each question was settled once");
}

#[test]
fn one_look_after_another_at_the_same_person_releases_once() {
    let mut case = Case::new(policy(|_| ()));
    for _ in 0..5 {
        case.face(1);
    }
    assert_eq!(case.ordered(0), [Order::Release]);
    assert_eq!(case.verdicts, [true; 5]);
    assert_eq!(case.decisions().len(), 1);
}

#[test]
fn an_offline_board_is_sent_nothing_and_its_return_opens_nothing() {
    let mut case = Case::new(policy(|_| ()));
    let until = case.time().utc.0 + 3_600_000_000;
    case.command("hold", Action::HoldOpen { door: 1, until });
    assert_eq!(case.ordered(0), [Order::Hold]);
    for board in 0..3 {
        case.step(Input::Heard(BoardId(board), Box::new(EventKind::Offline(OfflineReason::NoReply))));
    }
    case.forget_orders();
    case.face(1);
    assert_eq!(case.verdicts, [false]);
    case.command("open", Action::Release { door: 1, side: uplink::event::Side::Entry });
    assert_eq!(case.results.last().map(|it| it.settled), Some(Settled::BoardOffline));
    assert!(case.orders.is_empty());
    for board in 0..3 {
        case.step(Input::Heard(BoardId(board), Box::new(EventKind::Online { identity: None, secure: true })));
    }
    case.wait(Duration::from_secs(60));
    let opening = |(_, say): &(BoardId, Say)| match say {
        Say::Ours(ToBoard::Command { order, .. }) => {
            matches!(order, Order::Release | Order::Hold | Order::PassEntry | Order::PassExit)
        }
        Say::Output(control) => control.action == OutputAction::OnForTimer,
        _ => false,
    };
    assert!(!case.orders.iter().any(opening), "{:?}", case.orders);
}

#[test]
fn a_fire_frees_the_zone_on_boards_of_any_maker_and_outlives_a_restart() {
    let mut case = Case::new(policy(|_| ()));
    let until = case.time().utc.0 + 3_600_000_000;
    case.command("lock", Action::Lock { door: 1, until });
    case.forget_orders();
    let now = case.time();
    case.site.fire_at(now, now.utc.0, BoardId(1), true);
    case.step(Input::Tick);
    assert_eq!(case.ordered(0), [Order::Hold], "a lock gives way");
    let on = |case: &Case| {
        case.orders.iter().any(|(board, say)| {
            *board == PLAIN
                && matches!(say, Say::Output(control) if control.action == OutputAction::OnForTimer)
        })
    };
    assert!(on(&case));
    // Restarted in the middle of it.
    let memory = case.memory.clone();
    let mut case = Case::offline(policy(|_| ()), &memory);
    case.step(Input::Heard(PLAIN, Box::new(EventKind::Online { identity: None, secure: true })));
    assert!(on(&case), "the fire was remembered");
    let now = case.time();
    case.step(Input::Heard(BoardId(0), Box::new(EventKind::Online { identity: None, secure: true })));
    case.forget_orders();
    case.site.fire_at(now, now.utc.0, BoardId(1), false);
    case.step(Input::Tick);
    assert_eq!(case.ordered(0), [Order::Lock], "and so was the lock that the fire overlaid");
}

#[test]
fn a_command_is_carried_out_once_even_across_a_restart() {
    let mut case = Case::new(policy(|_| ()));
    let release = || Action::Release { door: 1, side: uplink::event::Side::Entry };
    case.command("a", release());
    case.command("a", release());
    let mut again = Case::offline(policy(|_| ()), &case.memory);
    again.step(Input::Heard(BoardId(0), Box::new(EventKind::Online { identity: None, secure: true })));
    again.command("a", release());
    assert_eq!(case.ordered(0), [Order::Release]);
    assert!(!again.ordered(0).contains(&Order::Release));
    let late = Command { id: "b".into(), expires_at: START, by: 1, rank: 5, action: release() };
    case.step(Input::Command(late));
    assert_eq!(case.results.last().map(|it| it.settled), Some(Settled::Expired));
    assert_eq!(case.ordered(0), [Order::Release]);
}

#[test]
fn a_step_of_the_clock_is_told() {
    let mut case = Case::new(policy(|_| ()));
    let now = Now { mono: case.now + 1_000, utc: Utc(5) };
    let effects = case.site.handle(now, Input::Tick);
    let told = effects.iter().any(|effect| match effect {
        Effect::Write(write) => write.events.iter().any(
            |entry| matches!(&entry.body, Body::Controller(it) if it.change == ControllerChange::ClockStepped),
        ),
        _ => false,
    });
    assert!(told, "{effects:?}");
}
