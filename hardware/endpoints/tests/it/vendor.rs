//! Golden bytes of every message of version 1, and what hostile bytes do.

use core::num::NonZeroU8;

use endpoints::door::{self, Cause, MainsLoss, Relock};
use endpoints::gate_lane::{self, Direction};
use endpoints::vendor::firmware::Unfit;
use endpoints::vendor::whitelist::Header;
use endpoints::vendor::{
    BadBody, BoardEvent, BoardSettings, Events, EventsWriter, FromBoard, Info, Kind, KindSettings,
    LocalRefusal, MAX_BODY, MAX_EVENT, OUI, OfflineRule, Reset, ToBoard, What,
};
use endpoints::{Condition, Conditions, LeafNow, LockNow, MAX_CONDITIONS, Order, Outcome, Refusal, Status};
use proptest::prelude::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn to_board(message: ToBoard) -> String {
    let mut buffer = [0; MAX_BODY];
    let used = message.encode(&mut buffer).unwrap();
    assert_eq!(ToBoard::decode(&buffer[..used]), Ok(message));
    for short in 0..used {
        assert!(ToBoard::decode(&buffer[..short]).is_err(), "a body cut short is refused");
    }
    hex(&buffer[..used])
}

fn from_board(message: FromBoard<'_>) -> String {
    let mut buffer = [0; MAX_BODY];
    let used = message.encode(&mut buffer).unwrap();
    assert_eq!(FromBoard::decode(&buffer[..used]), Ok(message));
    hex(&buffer[..used])
}

fn what(what: What) -> String {
    let event = BoardEvent { seq: 1, boot: 2, uptime_ms: 3, utc_us: None, what };
    let mut buffer = [0; MAX_EVENT];
    let used = event.encode(&mut buffer).unwrap();
    assert_eq!(BoardEvent::decode(&buffer[..used]), Ok((event, used)));
    hex(&buffer[23..used])
}

#[test]
fn oui_is_locally_administered() {
    assert_eq!(OUI, [0x0A, 0x47, 0x48]);
    assert_eq!(OUI[0] & 0b11, 0b10);
}

#[test]
fn golden_bytes_to_the_board() {
    assert_eq!(to_board(ToBoard::Hello), "0101");
    assert_eq!(to_board(ToBoard::Ack { epoch: 0x11223344, up_to: 7 }), "01024433221107000000");
    assert_eq!(to_board(ToBoard::SetClock { utc_us: 0x0102030405060708 }), "01030807060504030201");
    assert_eq!(
        to_board(ToBoard::Command { id: 9, order: Order::Release, for_ms: 5000 }),
        "010409000000000000000188130000"
    );
    let five = NonZeroU8::new(5).unwrap();
    assert_eq!(
        to_board(ToBoard::Configure(BoardSettings {
            offline_after_s: 8,
            offline: OfflineRule::Whitelist,
            whitelist_key: [0xAB; 32],
            kind: KindSettings::Door(door::Settings {
                strike_s: five,
                exit_s: five,
                held_s: 30,
                relock: Relock::OnClose,
                mains_loss: MainsLoss::Release,
            }),
        })),
        format!("0105080001{}0105051e000201", "ab".repeat(32))
    );
    assert_eq!(
        to_board(ToBoard::Configure(BoardSettings::gate_lane())),
        format!("0105080000{}02050f", "00".repeat(32))
    );
}

#[test]
fn golden_numbers_of_orders_and_outcomes() {
    let orders = [
        Order::Release,
        Order::Hold,
        Order::Lock,
        Order::Lockdown,
        Order::Normal,
        Order::PassEntry,
        Order::PassExit,
    ];
    for (number, order) in (1..).zip(orders) {
        let body = to_board(ToBoard::Command { id: 1, order, for_ms: 0 });
        assert_eq!(body, format!("01040100000000000000{number:02x}00000000"));
    }
    let outcomes = [
        (Outcome::Done, "0100"),
        (Outcome::Repeated, "0200"),
        (Outcome::Refused(Refusal::Lockdown), "0301"),
        (Outcome::Refused(Refusal::Locked), "0302"),
        (Outcome::Refused(Refusal::WrongKind), "0303"),
        (Outcome::Refused(Refusal::NoTime), "0304"),
        (Outcome::Refused(Refusal::TooMany), "0305"),
    ];
    for (outcome, bytes) in outcomes {
        assert_eq!(from_board(FromBoard::Outcome { id: 1, outcome }), format!("01840100000000000000{bytes}"));
    }
}

#[test]
fn golden_bytes_of_info() {
    let info = Info {
        kind: Kind::GateLane,
        firmware: [0, 1, 2],
        epoch: 3,
        oldest: 4,
        newest: 5,
        acked: 6,
        boot: 7,
        uptime_ms: 8,
        utc_us: Some(9),
        settings: 10,
        whitelist: 11,
    };
    assert_eq!(
        from_board(FromBoard::Info(info)),
        "01810200010203000000040000000500000006000000070008000000000000000900000000000000\
         0a000000000000000b000000"
    );
}

#[test]
fn golden_bytes_of_a_status() {
    assert_eq!(to_board(ToBoard::Status), "0106");
    let status = |leaf, lock, forced, held, conditions: &[Condition]| {
        let conditions = Conditions::from_slice(conditions).unwrap();
        from_board(FromBoard::Status {
            epoch: 0x11223344,
            as_of: 7,
            status: Status { leaf, lock, forced, held, conditions },
        })
    };
    let head = "01864433221107000000";
    assert_eq!(status(LeafNow::Unknown, LockNow::Locked, false, false, &[]), format!("{head}000000"));
    assert_eq!(
        status(LeafNow::Closed, LockNow::Released(Cause::Hold), false, true, &[Condition::HeldOpen]),
        format!("{head}0105020900")
    );
    assert_eq!(
        status(LeafNow::Open, LockNow::Locked, true, false, &[Condition::Cut(9), Condition::Tamper]),
        format!("{head}02000106090300")
    );
    let all = [Condition::Shorted(13); MAX_CONDITIONS];
    assert!(status(LeafNow::Open, LockNow::Locked, true, true, &all).len() <= 2 * MAX_BODY);
    let mut body = [1, 0x86, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0];
    assert_eq!(FromBoard::decode(&body), Err(BadBody::Range("leaf")));
    body[10..].copy_from_slice(&[0, 8, 0]);
    assert_eq!(FromBoard::decode(&body), Err(BadBody::Range("cause")));
    body[10..].copy_from_slice(&[0, 0, 4]);
    assert_eq!(FromBoard::decode(&body), Err(BadBody::Range("flags")));
}

#[test]
fn golden_bytes_of_events() {
    let mut body = [0; MAX_BODY];
    let mut writer = EventsWriter::new(&mut body, 5).unwrap();
    let forced =
        BoardEvent { seq: 6, boot: 1, uptime_ms: 2, utc_us: Some(3), what: What::Door(door::Event::Forced) };
    let fire = BoardEvent { seq: 7, utc_us: None, what: What::Began(Condition::Fire), ..forced };
    writer.push(&forced).unwrap();
    writer.push(&fire).unwrap();
    let used = writer.finish();
    assert_eq!(
        hex(&body[..used]),
        "018205000000\
         17060000000100020000000000000003000000000000002519070000000100020000000000000000000000000000800201 00"
            .replace(' ', "")
    );
    let FromBoard::Events { epoch: 5, events } = FromBoard::decode(&body[..used]).unwrap() else {
        panic!("a batch of events");
    };
    assert_eq!(events.collect::<Result<Vec<_>, _>>(), Ok(vec![forced, fire]));
}

#[test]
fn golden_numbers_of_what_happens() {
    let (entry, exit) = (Direction::Entry, Direction::Exit);
    let golden = [
        (What::Started(Reset::Watchdog), "0102"),
        (What::Began(Condition::Fire), "020100"),
        (What::Began(Condition::BreakGlass), "020200"),
        (What::Began(Condition::Tamper), "020300"),
        (What::Began(Condition::MainsLost), "020400"),
        (What::Began(Condition::BatteryLow), "020500"),
        (What::Began(Condition::Cut(9)), "020609"),
        (What::Ended(Condition::Shorted(9)), "030709"),
        (What::Ended(Condition::ControllerLost), "030800"),
        (What::Ended(Condition::HeldOpen), "030900"),
        (What::Ended(Condition::LockedByCommand), "030a00"),
        (What::Ended(Condition::Lockdown), "030b00"),
        (What::Ended(Condition::LeafStuck), "030c00"),
        (What::Began(Condition::BeamBlocked), "020d00"),
        (What::ClockSet { by_ms: -1 }, "04ffffffffffffffff"),
        (What::Lost { count: 2 }, "0502000000"),
        (What::LocalGranted { reader: 1, list: 2 }, "060102000000"),
        (What::LocalRefused { reader: 1, why: LocalRefusal::Rule }, "070101"),
        (What::LocalRefused { reader: 0, why: LocalRefusal::Locked }, "070006"),
        (What::WhitelistStored { list: 2 }, "0802000000"),
        (What::WhitelistRejected, "09"),
        (What::Configured { digest: 1 }, "0a0100000000000000"),
        (What::KeyChanged, "0b"),
        (What::KeyReset, "0c"),
        (What::UpdateReady { firmware: [1, 2, 3] }, "0d010203"),
        (What::UpdateRefused { why: Unfit::OtherBoard }, "0e03"),
        (What::UpdateTrial { firmware: [1, 2, 3] }, "0f010203"),
        (What::UpdateGood { firmware: [1, 2, 3] }, "10010203"),
        (What::UpdateReturned { firmware: [1, 2, 3] }, "11010203"),
        (What::Door(door::Event::Released { cause: Cause::Rex, id: 1 }), "20040100000000000000"),
        (What::Door(door::Event::Locked), "21"),
        (What::Door(door::Event::Opened { cause: Cause::Grant, id: 1 }), "22060100000000000000"),
        (What::Door(door::Event::FoundOpen), "23"),
        (What::Door(door::Event::Closed), "24"),
        (What::Door(door::Event::Forced), "25"),
        (What::Door(door::Event::HeldTooLong), "26"),
        (What::Door(door::Event::ClosedAfterForced), "27"),
        (What::Door(door::Event::ClosedAfterHeld), "28"),
        (What::Door(door::Event::NotOpened { id: 1 }), "290100000000000000"),
        (What::Door(door::Event::ExitRequested), "2a"),
        (What::Lane(gate_lane::Event::Authorised { direction: entry, id: 1 }), "40000100000000000000"),
        (What::Lane(gate_lane::Event::Passed { direction: exit, id: 1 }), "41010100000000000000"),
        (What::Lane(gate_lane::Event::Abandoned { direction: exit, id: 1 }), "42010100000000000000"),
        (What::Lane(gate_lane::Event::NotUsed { direction: exit, id: 1 }), "43010100000000000000"),
        (What::Lane(gate_lane::Event::Tailgating { direction: entry }), "4400"),
        (What::Lane(gate_lane::Event::WrongWay { direction: exit }), "4501"),
        (What::Lane(gate_lane::Event::Forced { direction: exit }), "4601"),
        (What::Lane(gate_lane::Event::Slipped { direction: exit }), "4701"),
        (What::Lane(gate_lane::Event::Reversed), "48"),
        (What::Lane(gate_lane::Event::ExitRequested), "49"),
        (What::Lane(gate_lane::Event::Freed), "4a"),
        (What::Lane(gate_lane::Event::Secured), "4b"),
        (What::Unknown(0xEE), "ee"),
    ];
    for (happened, bytes) in golden {
        assert_eq!(what(happened), bytes, "{happened:?}");
    }
}

#[test]
fn an_event_of_a_later_version_is_counted_not_lost() {
    let later = [26, 6, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0xEE, 1, 2, 3];
    let (event, used) = BoardEvent::decode(&later).unwrap();
    assert_eq!((event.seq, event.what, used), (6, What::Unknown(0xEE), later.len()));
}

#[test]
fn a_condition_of_a_later_version_holds_up_no_event_behind_it() {
    let mut later = [0; MAX_EVENT];
    let event = |what| BoardEvent { seq: 6, boot: 1, uptime_ms: 2, utc_us: None, what };
    let used = event(What::Ended(Condition::Cut(9))).encode(&mut later).unwrap();
    later[used - 2] = 0xEE;
    assert_eq!(BoardEvent::decode(&later[..used]), Ok((event(What::Unknown(3)), used)));
}

#[test]
fn bad_bodies_say_why() {
    assert_eq!(ToBoard::decode(&[]), Err(BadBody::Short));
    assert_eq!(ToBoard::decode(&[2, 1]), Err(BadBody::Version(2)));
    assert_eq!(ToBoard::decode(&[1, 0x77]), Err(BadBody::Kind(0x77)));
    assert_eq!(ToBoard::decode(&[1, 1, 0]), Err(BadBody::Long));
    let no_id = [1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(ToBoard::decode(&no_id), Err(BadBody::Range("id")));
}

#[test]
fn golden_whitelist_header() {
    let header = Header { list: 1, board: 2, issued_us: 3, expires_us: 4, salt: [0x5A; 16], count: 6 };
    let mut bytes = [0; 48];
    assert_eq!(header.encode(&mut bytes), Ok(48));
    assert_eq!(
        hex(&bytes),
        format!("4748574c0100060001000000020000000300000000000000 0400000000000000{}", "5a".repeat(16))
            .replace(' ', "")
    );
    assert_eq!(Header::decode(&bytes), Ok(header));
    assert_eq!(header.file_len(), 48 + 6 * 8 + 64);
}

#[test]
fn settings_digest_tells_settings_apart() {
    let door = BoardSettings::door();
    assert_eq!(door.digest(), 0xa2fa_8ed1_1cde_ae44);
    assert_ne!(door.digest(), BoardSettings { offline_after_s: 9, ..door }.digest());
    assert_ne!(door.digest(), BoardSettings::gate_lane().digest());
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic_and_what_is_read_reads_back(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let mut buffer = [0; 128];
        if let Ok(message) = ToBoard::decode(&bytes) {
            let used = message.encode(&mut buffer).unwrap();
            prop_assert_eq!(&buffer[..used], &bytes[..]);
        }
        if let Ok(FromBoard::Events { events, .. }) = FromBoard::decode(&bytes) {
            for event in Events::clone(&events) {
                let _ = event;
            }
        }
        if let Ok(message @ FromBoard::Status { .. }) = FromBoard::decode(&bytes) {
            let used = message.encode(&mut buffer).unwrap();
            prop_assert_eq!(&buffer[..used], &bytes[..]);
        }
        let _ = Header::decode(&bytes);
        let _ = BoardSettings::decode(&bytes);
    }
}
