//! With a broker and a server: events, commands, policies; and what must hold when either goes.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyPair,
    RevokedCertParams, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use uplink::command::{Action, Settled};
use uplink::event::{self, BoardChange, Body, ControllerChange, DoorChange, FireChange, Outcome, Side};
use uplink::live::{Lock, Position};
use uplink::sync::{Change, Chunk, Have, REVOKED, RevokedRow, Set, chunks};

use crate::broker::Broker;
use crate::building::{
    ADA, BEN, Building, Controller, GATE, LOBBY, digest, policy_parts, runtime, snapshot, strict, until,
    utc_now,
};
use crate::server::{Manners, Server};
use crate::vision::{STRANGER, Vision, known};

struct Case {
    building: Building,
    broker: Broker,
    server: Server,
}

fn case() -> Case {
    let mut building = Building::new();
    let broker = Broker::start(building.folder.path());
    building.broker_port = broker.port;
    let server = Server::start(building.folder.path(), broker.port);
    Case { building, broker, server }
}

impl Case {
    /// The controller, with its boards and its link to the server.
    fn running(&self) -> Controller {
        let controller = self.building.running();
        until("what it has", || self.server.look(|known| known.haves.first().cloned()));
        controller
    }
}

fn granted(body: &Body) -> bool {
    matches!(body, Body::Access(access) if access.outcome == Outcome::Granted)
}

fn drained(server: &Server) {
    until("an empty outbox", || {
        server.look(|known| {
            let outbox = known.live.as_ref()?.outbox?;
            (outbox.urgent == 0 && outbox.bulk == 0).then_some(())
        })
    });
}

#[test]
fn a_policy_comes_over_the_broker_and_a_face_is_in_the_journal_with_its_reasons() {
    let case = case();
    let controller = case.running();
    let server = &case.server;
    assert_eq!(server.look(|known| known.haves[0].version), None, "it knows nothing yet");
    server.offer(&snapshot(7, &policy_parts(7)));
    until("the new version", || {
        server.look(|known| known.haves.iter().find(|have| have.version == Some(7)).cloned())
    });
    runtime().block_on(async {
        let folder = case.building.folder.path();
        let mut vision = Vision::connect(folder, "vision-1", controller.link).await.expect("welcome");
        assert!(vision.sees("gate", known(ADA), true).await);
        assert!(!vision.sees("gate", STRANGER, true).await);
    });
    case.building.boards[1].world("walk in");
    let body = server.wait_event("the grant", granted);
    let Body::Access(access) = body else { panic!("{body:?}") };
    assert_eq!((access.door, access.side, access.person), (GATE.0, Side::Entry, Some(ADA.0)));
    assert_eq!(access.trace.policy_version, 7);
    assert!(access.trace.stages_us.contains_key("decide") && access.trace.stages_us.contains_key("detect"));
    assert!(access.trace.rules.iter().any(|rule| rule.rule == "access-level" && rule.passed));
    let body = server
        .wait_event("the refusal", |body| matches!(body, Body::Access(it) if it.outcome == Outcome::Denied));
    let Body::Access(access) = body else { panic!("{body:?}") };
    assert_eq!(access.reasons[0].code, "unknown-face");
    server
        .wait_event("the passage", |body| matches!(body, Body::Door(it) if it.change == DoorChange::Passed));
    drained(server);
    server.has_no_gaps();
    controller.stop();
    server.wait_event(
        "its last word",
        |body| matches!(body, Body::Controller(it) if it.change == ControllerChange::Started),
    );
}

#[test]
fn a_faulty_policy_is_refused_whole_and_the_old_one_stays() {
    let case = case();
    case.building.knows(3, &policy_parts(3));
    let _controller = case.running();
    let server = &case.server;
    let mut wrong = policy_parts(4);
    wrong.levels[0].doors.push(domain::ids::DoorId(99));
    server.offer(&snapshot(4, &wrong));
    let refused = |version| {
        move |body: &Body| {
            matches!(body, Body::Controller(it)
                if it.change == ControllerChange::PolicyRefused && it.policy_version == Some(version))
        }
    };
    server.wait_event("a refusal", refused(4));
    let mut altered = snapshot(5, &policy_parts(5));
    altered[0].changes.pop();
    server.offer(&altered);
    server.wait_event("a refusal for its digest", refused(5));
    let mut unknown = snapshot(6, &policy_parts(6));
    unknown[0].changes.push(Change::put("moon", 1, &()));
    server.offer(&unknown);
    case.building.boards[0].world("card 26 12:3456");
    case.building.boards[0].wait_on("lock", 1);
    let body = server.wait_event("the grant", granted);
    assert!(matches!(body, Body::Access(access) if access.trace.policy_version == 3));
}

#[test]
fn commands_are_carried_out_once_in_time_and_by_rank() {
    let case = case();
    case.building.knows(1, &policy_parts(1));
    let _controller = case.running();
    let (server, door) = (&case.server, &case.building.boards[0]);
    let release = || Action::Release { door: LOBBY.0, side: Side::Entry };
    server.command("late", -1, 0, release());
    assert_eq!(server.wait_result("late").settled, Settled::Expired);
    server.command("once", 5_000, 0, release());
    server.command("once", 5_000, 0, release());
    assert_eq!(server.wait_result("once").settled, Settled::Done);
    door.wait_on("lock", 1);
    door.wait_off("lock");
    assert_eq!(door.went_on("lock").len(), 1, "once, and not when it was late");
    server.command("where", 5_000, 0, Action::Normal { door: 99 });
    assert_eq!(server.wait_result("where").settled, Settled::UnknownDoor);
    let until_then = utc_now() + 60_000_000;
    server.command("lock", 5_000, 9, Action::Lock { door: LOBBY.0, until: until_then });
    assert_eq!(server.wait_result("lock").settled, Settled::Done);
    server.command("small", 5_000, 3, Action::Normal { door: LOBBY.0 });
    assert_eq!(server.wait_result("small").settled, Settled::Outranked);
    door.world("card 26 12:3456");
    let body = server
        .wait_event("the refusal", |body| matches!(body, Body::Access(it) if it.outcome == Outcome::Denied));
    assert!(matches!(body, Body::Access(it) if it.reasons[0].code == "door-locked"));
    // The exit is free all the same.
    door.world("press rex 200");
    door.wait_on("lock", 2);
    server.command("normal", 5_000, 9, Action::Normal { door: LOBBY.0 });
    assert_eq!(server.wait_result("normal").settled, Settled::Done);
    server.command("hold", 5_000, 9, Action::HoldOpen { door: LOBBY.0, until: until_then });
    assert_eq!(server.wait_result("hold").settled, Settled::Done);
    let held = until("the live state", || {
        server.look(|known| {
            let live = known.live.as_ref()?;
            let door = live.doors.iter().find(|it| it.door == LOBBY.0)?.clone();
            (door.lock == Lock::Released && door.causes.contains(&"hold-open".to_owned())).then_some(door)
        })
    });
    assert_eq!(held.position, Position::Closed);
}

#[test]
fn card_and_pin() {
    let case = case();
    case.building.knows(1, &strict(policy_parts(1)));
    let _controller = case.running();
    let (server, door) = (&case.server, &case.building.boards[0]);
    let wrong_pins = || {
        server.count(
            |body| matches!(body, Body::Access(it) if it.reasons.iter().any(|it| it.code == "wrong-pin")),
        )
    };
    // Amber is both lights: the reader asks for the next thing.
    let card = |name: &str| {
        let before = door.went_on("reader_green").len();
        door.world(name);
        until("a question at the reader", || (door.went_on("reader_green").len() > before).then_some(()));
    };
    card("card 26 12:3456");
    door.world("pin 1111#");
    until("the wrong PIN", || (wrong_pins() == 1).then_some(()));
    door.world("pin 2580#");
    door.wait_on("lock", 1);
    door.wait_off("lock");
    door.world("card 26 12:3457");
    server.wait_event("no level", |body| matches!(body, Body::Access(it) if it.person == Some(BEN.0)));
    door.world("pin 2580#");
    server.wait_event(
        "nobody's PIN",
        |body| matches!(body, Body::Access(it) if it.person.is_none() && it.outcome == Outcome::Denied),
    );
    assert_eq!(door.went_on("lock").len(), 1, "one person's card and another's PIN");
    drained(server);
    let text = server.look(|known| format!("{:?}", known.events));
    assert!(!text.contains("2580") && !text.contains("1111"), "a PIN is told to nobody");
}

#[test]
fn what_happens_at_boards_is_told_once() {
    let case = case();
    case.building.knows(1, &policy_parts(1));
    let _controller = case.running();
    let (server, door, lane) = (&case.server, &case.building.boards[0], &case.building.boards[1]);
    door.world("open contact");
    server.wait_event("forced", |body| matches!(body, Body::Door(it) if it.change == DoorChange::Forced));
    door.world("close contact");
    server.wait_event("restored", |body| matches!(body, Body::Door(it) if it.change == DoorChange::Restored));
    door.world("press tamper");
    server.wait_event("tamper", |body| matches!(body, Body::Board(it) if it.change == BoardChange::Tamper));
    lane.world("fire on");
    let body =
        server.wait_event("fire", |body| matches!(body, Body::Fire(it) if it.change == FireChange::Alarm));
    assert!(matches!(body, Body::Fire(event::Fire { door: Some(2), zone: Some(1), .. })));
    door.wait_on("lock", 1);
    lane.world("fire off");
    server.wait_event("clear", |body| matches!(body, Body::Fire(it) if it.change == FireChange::Cleared));
    door.wait_off("lock");
    door.world("power cut");
    server.wait_event(
        "gone",
        |body| matches!(body, Body::Board(it) if it.change == BoardChange::Offline && it.address == 1),
    );
    door.world("power on");
    server.wait_event("back", |body| matches!(body, Body::Board(it) if it.change == BoardChange::Online));
    door.wait_linked();
    drained(server);
    server.has_no_gaps();
    let forced = |body: &Body| matches!(body, Body::Door(it) if it.change == DoorChange::Forced);
    assert_eq!(server.count(forced), 1, "the board's log was not told twice");
}

#[test]
fn broker_and_controller_killed_in_the_middle_lose_nothing_and_double_nothing() {
    let case = case();
    case.building.knows(1, &policy_parts(1));
    let controller = case.running();
    let (server, building) = (&case.server, &case.building);
    let (runtime, folder) = (runtime(), building.folder.path());
    let mut controller = controller;
    let mut broker = case.broker;
    let mut shown = 0;
    for round in 0..3 {
        runtime.block_on(async {
            let mut vision = Vision::connect(folder, "vision-1", controller.link).await.expect("welcome");
            for _ in 0..20 {
                vision.sees("lobby", STRANGER, true).await;
                shown += 1;
            }
        });
        // In the middle of sending, with acknowledged messages in the broker's memory alone.
        let port = broker.kill();
        runtime.block_on(async {
            let mut vision = Vision::connect(folder, "vision-1", controller.link).await.expect("welcome");
            for _ in 0..20 {
                vision.sees("lobby", STRANGER, true).await;
                shown += 1;
            }
        });
        if round == 1 {
            controller.kill();
            controller = building.running();
        }
        broker = Broker::start_on(folder, port);
    }
    let strangers =
        |body: &Body| matches!(body, Body::Access(it) if it.reasons.iter().any(|r| r.code == "unknown-face"));
    until("every decision", || (server.count(strangers) >= shown).then_some(()));
    drained(server);
    assert_eq!(server.count(strangers), shown);
    server.has_no_gaps();
}

#[test]
fn a_silent_or_lying_server_empties_nothing() {
    let case = case();
    case.building.knows(1, &policy_parts(1));
    case.server.behave(Manners::Silent);
    let _controller = case.running();
    let (server, door) = (&case.server, &case.building.boards[0]);
    door.world("card 26 12:3456");
    server.wait_event("the grant", granted);
    let waiting = |server: &Server| {
        server.look(|known| known.live.as_ref().and_then(|live| live.outbox).map(|it| it.bulk + it.urgent))
    };
    until("something that waits", || waiting(server).filter(|waiting| *waiting > 0));
    server.behave(Manners::Liar);
    // Half a minute of the same lie would be believed: this ends long before.
    let before = until("a lie", || server.look(|known| (known.lies > 0).then_some(known.repeats)));
    until("it comes again", || server.look(|known| (known.repeats > before).then_some(())));
    server.forget_live();
    let waiting = until("how it stands since", || waiting(server));
    assert!(waiting > 0, "a lie lets nothing go");
    server.behave(Manners::Honest);
    drained(server);
    server.has_no_gaps();
}

/// A list of the authority in `folder`, of this number, with the certificate of that name or nobody's on it.
fn list(folder: &Path, number: u64, revoked: Option<&str>) -> String {
    let key = KeyPair::from_pem(&fs::read_to_string(folder.join("ca.key")).expect("read")).expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let revoked = revoked.map(|name| {
        let der = CertificateDer::from_pem_file(folder.join(format!("{name}.pem"))).expect("a certificate");
        let says = identity::Certificate::read(&der).expect("a certificate");
        RevokedCertParams {
            serial_number: SerialNumber::from_slice(&says.serial),
            revocation_time: rcgen::date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }
    });
    let list = CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(1970, 1, 1),
        next_update: rcgen::date_time_ymd(9999, 1, 1),
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: revoked.into_iter().collect(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    list.signed_by(&Issuer::new(params, key)).expect("signed").pem().expect("PEM")
}

/// As the server sends it.
fn chunks_of(number: u64, pem: &str) -> Vec<Chunk> {
    let rows: Vec<Change> = RevokedRow::pieces(pem).map(|(id, row)| Change::put(REVOKED, id, &row)).collect();
    chunks(Set::Revoked, None, number, digest(&rows), rows)
}

#[test]
fn a_vision_process_that_is_revoked_is_put_off_and_stays_out() {
    let case = case();
    case.building.knows(1, &policy_parts(1));
    let controller = case.running();
    let folder = case.building.folder.path();
    let holds = |number| {
        until("the list is in force", || {
            let is = |have: &Have| have.set == Set::Revoked && have.version == Some(number);
            case.server.look(|known| known.haves.iter().find(|have| is(have)).cloned())
        });
    };
    runtime().block_on(async {
        let mut vision = Vision::connect(folder, "vision-1", controller.link).await.expect("welcome");
        // Somebody else's list, whatever its number.
        let elsewhere = tempfile::tempdir().expect("a folder");
        let foreign = KeyPair::generate().expect("a key").serialize_pem();
        fs::write(elsewhere.path().join("ca.key"), foreign).expect("written");
        fs::copy(folder.join("vision-1.pem"), elsewhere.path().join("vision-1.pem")).expect("copied");
        case.server.offer(&chunks_of(90, &list(elsewhere.path(), 90, Some("vision-1"))));
        case.server.offer(&chunks_of(10, &list(folder, 10, None)));
        holds(10);
        assert!(vision.sees("lobby", known(ADA), true).await, "nobody is revoked yet");

        case.server.offer(&chunks_of(11, &list(folder, 11, Some("vision-1"))));
        holds(11);
        assert!(vision.ends_by_itself().await, "it is put off");
        assert!(Vision::connect(folder, "vision-1", controller.link).await.is_err(), "and stays out");
        // An older list takes nothing back.
        case.server.offer(&chunks_of(10, &list(folder, 10, None)));
        case.server.offer(&chunks_of(9, &list(folder, 9, None)));
        assert!(Vision::connect(folder, "vision-1", controller.link).await.is_err());
    });
    // Nor does a start without the server.
    controller.kill();
    drop(case.broker);
    let controller = case.building.running();
    runtime().block_on(async {
        assert!(Vision::connect(folder, "vision-1", controller.link).await.is_err(), "it is remembered");
    });
}
