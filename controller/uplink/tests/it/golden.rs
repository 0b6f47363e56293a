//! Version 1 as it stands on the wire. A line here is changed only together with the version number.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
use uplink::command::{Action, Command, Outcome, Settled};
use uplink::event::{self, Body, Event, Fact, Reason, Side};
use uplink::reader_link::{Face, FromVision, Liveness, Sighting, ToVision};
use uplink::sync::{Change, Chunk, Digest, Have, Set};
use uplink::{ask, live, wire};

fn holds<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, text: &str) {
    let written = String::from_utf8(wire::encode(value)).expect("JSON is text");
    assert_eq!(written, text);
    assert_eq!(&wire::decode::<T>(text.as_bytes()).expect("reads what it wrote"), value);
}

fn event(seq: u64, body: Body) -> event::Batch {
    event::Batch { epoch: 7, events: vec![Event { seq, at: 1_764_000_000_000_000, body }] }
}

#[test]
fn a_denied_access() {
    let access = event::Access {
        door: 1,
        side: Side::Entry,
        person: Some(42),
        outcome: event::Outcome::Denied,
        reasons: vec![Reason {
            code: "no-access-level".into(),
            facts: BTreeMap::from([("door".into(), Fact::Int(1))]),
        }],
        alarms: vec![],
        trace: event::Trace {
            policy_version: 3,
            shown: vec![Reason {
                code: "face".into(),
                facts: BTreeMap::from([
                    ("live".into(), Fact::Bool(true)),
                    ("score".into(), Fact::Float(0.62)),
                ]),
            }],
            rules: vec![event::RuleResult {
                rule: "access-level".into(),
                passed: false,
                facts: BTreeMap::new(),
            }],
            would_have_passed: vec![],
            centre: "not-needed".into(),
            stages_us: BTreeMap::from([("detect".into(), 18_000)]),
        },
        decision: None,
        corrects: false,
    };
    holds(
        &event(12, Body::Access(access)),
        r#"{"v":1,"epoch":7,"events":[{"seq":12,"at":1764000000000000,"kind":"access","data":{"door":1,"side":"entry","person":42,"outcome":"denied","reasons":[{"code":"no-access-level","facts":{"door":1}}],"trace":{"policy_version":3,"shown":[{"code":"face","facts":{"live":true,"score":0.62}}],"rules":[{"rule":"access-level","passed":false}],"centre":"not-needed","stages_us":{"detect":18000}}}}]}"#,
    );
}

#[test]
fn doors_fire_boards_controller_camera() {
    holds(
        &event(1, Body::Door(event::Door { door: 2, change: event::DoorChange::Forced, side: None })),
        r#"{"v":1,"epoch":7,"events":[{"seq":1,"at":1764000000000000,"kind":"door","data":{"door":2,"change":"forced"}}]}"#,
    );
    holds(
        &event(
            2,
            Body::Fire(event::Fire { door: Some(2), zone: None, change: event::FireChange::LoopFault }),
        ),
        r#"{"v":1,"epoch":7,"events":[{"seq":2,"at":1764000000000000,"kind":"fire","data":{"door":2,"zone":null,"change":"loop-fault"}}]}"#,
    );
    holds(
        &event(
            3,
            Body::Board(event::Board {
                bus: "east".into(),
                address: 5,
                change: event::BoardChange::NotSecure,
                count: None,
            }),
        ),
        r#"{"v":1,"epoch":7,"events":[{"seq":3,"at":1764000000000000,"kind":"board","data":{"bus":"east","address":5,"change":"not-secure"}}]}"#,
    );
    let list = Body::Board(event::Board {
        bus: "east".into(),
        address: 5,
        change: event::BoardChange::WhitelistStored,
        count: Some(12),
    });
    holds(
        &event(3, list),
        r#"{"v":1,"epoch":7,"events":[{"seq":3,"at":1764000000000000,"kind":"board","data":{"bus":"east","address":5,"change":"whitelist-stored","count":12}}]}"#,
    );
    holds(
        &event(
            4,
            Body::Controller(event::Controller {
                change: event::ControllerChange::PolicyApplied,
                policy_version: Some(9),
                count: None,
                lost: None,
            }),
        ),
        r#"{"v":1,"epoch":7,"events":[{"seq":4,"at":1764000000000000,"kind":"controller","data":{"change":"policy-applied","policy_version":9}}]}"#,
    );
    holds(
        &event(5, Body::Camera(event::Camera { camera: "gate-1".into(), up: false })),
        r#"{"v":1,"epoch":7,"events":[{"seq":5,"at":1764000000000000,"kind":"camera","data":{"camera":"gate-1","up":false}}]}"#,
    );
}

#[test]
fn a_grant_that_came_to_nothing_and_its_correction() {
    let mut access = event::Access {
        door: 1,
        side: Side::Entry,
        person: None,
        outcome: event::Outcome::Granted,
        reasons: vec![],
        alarms: vec![],
        trace: event::Trace {
            policy_version: 3,
            shown: vec![],
            rules: vec![],
            would_have_passed: vec![],
            centre: "not-needed".into(),
            stages_us: BTreeMap::new(),
        },
        decision: Some(77),
        corrects: false,
    };
    holds(
        &event(1, Body::Access(access.clone())),
        r#"{"v":1,"epoch":7,"events":[{"seq":1,"at":1764000000000000,"kind":"access","data":{"door":1,"side":"entry","person":null,"outcome":"granted","reasons":[],"trace":{"policy_version":3,"shown":[],"rules":[],"centre":"not-needed"},"decision":77}}]}"#,
    );
    access.outcome = event::Outcome::Denied;
    access.corrects = true;
    access.reasons = vec![Reason { code: "recorded-too-late".into(), facts: BTreeMap::new() }];
    holds(
        &event(2, Body::Access(access)),
        r#"{"v":1,"epoch":7,"events":[{"seq":2,"at":1764000000000000,"kind":"access","data":{"door":1,"side":"entry","person":null,"outcome":"denied","reasons":[{"code":"recorded-too-late"}],"trace":{"policy_version":3,"shown":[],"rules":[],"centre":"not-needed"},"decision":77,"corrects":true}}]}"#,
    );
}

#[test]
fn events_that_are_gone() {
    let body = Body::Controller(event::Controller {
        change: event::ControllerChange::EventsLost,
        policy_version: None,
        count: Some(4),
        lost: Some(event::Lost { epoch: 6, stream: event::Stream::Bulk, from: 3, up_to: 9 }),
    });
    assert_eq!(body.stream(), event::Stream::Urgent);
    holds(
        &event(1, body),
        r#"{"v":1,"epoch":7,"events":[{"seq":1,"at":1764000000000000,"kind":"controller","data":{"change":"events-lost","count":4,"lost":{"epoch":6,"stream":"bulk","from":3,"up_to":9}}}]}"#,
    );
    let body = Body::Controller(event::Controller {
        change: event::ControllerChange::OutboxSetBack,
        policy_version: None,
        count: None,
        lost: None,
    });
    assert_eq!(body.stream(), event::Stream::Urgent);
    holds(
        &event(1, body),
        r#"{"v":1,"epoch":7,"events":[{"seq":1,"at":1764000000000000,"kind":"controller","data":{"change":"outbox-set-back"}}]}"#,
    );
}

#[test]
fn acknowledgements_commands_and_questions() {
    holds(&event::Ack { epoch: 7, up_to: 41 }, r#"{"v":1,"epoch":7,"up_to":41}"#);
    holds(
        &Command {
            id: "00112233445566778899aabbccddeeff".into(),
            expires_at: 5,
            by: 3,
            rank: 40,
            action: Action::HoldOpen { door: 1, until: 9 },
        },
        r#"{"v":1,"id":"00112233445566778899aabbccddeeff","expires_at":5,"by":3,"rank":40,"action":{"do":"hold-open","door":1,"until":9}}"#,
    );
    holds(
        &Outcome { id: "00".into(), at: 8, settled: Settled::BoardOffline },
        r#"{"v":1,"id":"00","at":8,"settled":"board-offline"}"#,
    );
    holds(
        &ask::Ask { id: 4, expires_at: 9, person: 42, door: 1, side: Side::Exit },
        r#"{"v":1,"id":4,"expires_at":9,"person":42,"door":1,"side":"exit"}"#,
    );
    holds(&ask::Answer { id: 4, objections: vec![] }, r#"{"v":1,"id":4,"objections":[]}"#);
}

#[test]
fn live_state() {
    holds(
        &live::Live {
            at: 1,
            software: "0.1.0".into(),
            doors: vec![live::Door {
                door: 1,
                position: live::Position::Closed,
                lock: live::Lock::Locked,
                causes: vec!["schedule".into()],
                troubles: vec![],
                heard_at: Some(1),
            }],
            boards: vec![],
            cameras: vec![],
            outbox: Some(live::Outbox { epoch: 7, urgent: 0, bulk: 2, writable: true }),
            replica_version: Some(3),
        },
        r#"{"v":1,"at":1,"software":"0.1.0","doors":[{"door":1,"position":"closed","lock":"locked","causes":["schedule"],"troubles":[],"heard_at":1}],"boards":[],"cameras":[],"outbox":{"epoch":7,"urgent":0,"bulk":2,"writable":true},"replica_version":3}"#,
    );
}

#[test]
fn a_boards_line_and_list_are_said_where_they_are_known() {
    let mut board = live::Board {
        bus: "east".into(),
        address: 5,
        online: true,
        secure: true,
        firmware: Some("1.4.0".into()),
        heard_at: Some(1),
        retries: 2,
        line: None,
        list: None,
        update: None,
        install: None,
    };
    holds(
        &board,
        r#"{"v":1,"bus":"east","address":5,"online":true,"secure":true,"firmware":"1.4.0","heard_at":1,"retries":2}"#,
    );
    board.line = Some(live::Line { commands: 900, timeouts: 3, damaged: 1, reply_us: 2400 });
    board.list = Some(live::List { number: 7, until: 9 });
    holds(
        &board,
        r#"{"v":1,"bus":"east","address":5,"online":true,"secure":true,"firmware":"1.4.0","heard_at":1,"retries":2,"line":{"commands":900,"timeouts":3,"damaged":1,"reply_us":2400},"list":{"number":7,"until":9}}"#,
    );
}

#[test]
fn the_reader_link() {
    holds(
        &FromVision::Hello { vision: "vision-1".into(), cameras: vec!["gate-1".into()] },
        r#"{"v":1,"type":"hello","vision":"vision-1","cameras":["gate-1"]}"#,
    );
    holds(
        &FromVision::Sighting(Sighting {
            camera: "gate-1".into(),
            track: 3,
            look: 1,
            captured_at: 5,
            face: Face::Known { person: 42, score: 0.75, margin: 0.5 },
            liveness: Liveness { live: true, score: 1.0, frames: 2 },
            stages_us: BTreeMap::from([("detect".into(), 5)]),
            gallery_version: 2,
        }),
        r#"{"v":1,"type":"sighting","camera":"gate-1","track":3,"look":1,"captured_at":5,"face":{"is":"known","person":42,"score":0.75,"margin":0.5},"liveness":{"live":true,"score":1.0,"frames":2},"stages_us":{"detect":5},"gallery_version":2}"#,
    );
    holds(&FromVision::Alive, r#"{"v":1,"type":"alive"}"#);
    holds(
        &ToVision::Verdict { camera: "gate-1".into(), track: 3, granted: true },
        r#"{"v":1,"type":"verdict","camera":"gate-1","track":3,"granted":true}"#,
    );
}

#[test]
fn replicas_on_the_wire() {
    let mut digest = Digest::default();
    holds(
        &Have { set: Set::Policy, version: None, digest },
        r#"{"v":1,"set":"policy","version":null,"digest":"0000000000000000000000000000000000000000000000000000000000000000"}"#,
    );
    // SHA-256 of "door", NUL, 1 as eight bytes, "{}" (checked with another implementation).
    digest.toggle("door", 1, "{}");
    let chunk = Chunk {
        set: Set::Gallery,
        from: Some(1),
        to: 2,
        part: 0,
        parts: 1,
        digest,
        changes: vec![
            Change::put("door", 1, &BTreeMap::<String, String>::new()),
            Change::Remove { table: "door".into(), id: 4 },
        ],
    };
    let text = String::from_utf8(wire::encode(&chunk)).expect("JSON is text");
    assert_eq!(
        text,
        r#"{"v":1,"set":"gallery","from":1,"to":2,"part":0,"parts":1,"digest":"120a7604e594e8a5ffb82b520135899f8f82195c457feb3970c796485fe7fa23","changes":[{"table":"door","id":1,"row":{}},{"table":"door","id":4}]}"#
    );
    let read: Chunk = wire::decode(text.as_bytes()).expect("reads what it wrote");
    assert_eq!(wire::encode(&read), text.as_bytes());
}
