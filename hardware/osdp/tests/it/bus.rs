//! The panel's rules, over a line in virtual time.

use osdp::frame::Frame;
use osdp::{
    Check, Command, DeviceConfig, DeviceSecurity, EventKind, Failure, FileStatus, Key, Micros, NakCode,
    OfflineReason, Oui, OutputAction, OutputControl, PdEvent, PdSecurity, RawCard, Records, Reply,
    SubmitError, Text, TextMode, Token, command, function,
};

use crate::line::{Board, World, address, key};

const OUI: Oui = Oui([0xBE, 0xBA, 0xFE]);

fn unlock(timer_100ms: u16) -> OutputControl {
    OutputControl { output: 0, action: OutputAction::OnForTimer, timer_100ms }
}

impl World {
    /// Unlocks for `token` times 100 ms, so that the board's record shows which command it was.
    fn unlock(&mut self, at: u8, token: u16, life: Micros) -> Result<(), SubmitError> {
        let now = self.now;
        let record = unlock(token);
        let command = Command::Output(Records::new(core::slice::from_ref(&record)));
        self.cp.submit(now, address(at), &command, Token(u64::from(token)), now + life)
    }

    fn show(&mut self, at: u8, token: u64) -> Result<(), SubmitError> {
        let text =
            Text { reader: 0, mode: TextMode::Permanent, seconds: 0, row: 1, column: 1, text: b"Hello" };
        let now = self.now;
        self.cp.submit(now, address(at), &Command::Text(text), Token(token), now + 10_000_000)
    }

    fn settled(&self, token: u64) -> Vec<Result<(), Failure>> {
        let token = Token(token);
        let outcome = |kind| match kind {
            EventKind::Done(of) if of == token => Some(Ok(())),
            EventKind::Failed(of, failure) if of == token => Some(Err(failure)),
            _ => None,
        };
        self.kinds().into_iter().filter_map(outcome).collect()
    }

    /// Codes of the panel's commands since `from`, with whether they were secured.
    fn commands(&self, from: Micros) -> Vec<(Micros, u8, bool)> {
        let sent = self.wire.iter().filter(|(at, by, _)| *by == 0 && *at >= from);
        sent.map(|(at, _, bytes)| {
            let frame = Frame::parse(bytes).expect("the panel sends whole frames");
            (*at, frame.code, frame.mac.is_some())
        })
        .collect()
    }

    fn lose(&mut self, mut which: impl FnMut(usize, &[u8]) -> bool + 'static) {
        self.fault = Box::new(
            move |from, bytes| {
                if which(from, bytes) { Vec::new() } else { vec![(0, bytes.to_vec())] }
            },
        );
    }
}

fn online(at: u8) -> World {
    let mut world = World::new(115_200);
    world.keep_wire = true;
    world.secure_board(at);
    world.wait_online(at);
    world.run_for(200_000);
    world
}

#[test]
fn a_board_comes_online_over_a_secure_channel_and_unlocks() {
    let mut world = online(3);
    assert!(world.cp.is_secure(address(3)));
    assert!(world.events[0].0 < 50_000, "it took {} us", world.events[0].0);
    // What it is like is asked at once.
    assert!(world.kinds().iter().any(|kind| matches!(kind, EventKind::Inputs(points) if points[1] == 1)));
    assert!(world.kinds().contains(&EventKind::LocalStatus { tamper: false, power: true }));
    world.unlock(3, 50, 1_000_000).expect("offered");
    world.wait_for(100_000, |event| event.kind == EventKind::Done(Token(50)));
    assert_eq!(world.boards[0].driven, [(0, 50, true)]);
}

#[test]
fn a_card_arrives_once() {
    let mut world = World::new(9600);
    world.secure_board(3);
    world.wait_online(3);
    // The first reply that carries it is lost.
    let mut lost = false;
    world.lose(move |from, bytes| from == 1 && bytes.len() > 30 && !core::mem::replace(&mut lost, true));
    let card = RawCard { reader: 0, format: 1, bits: 26, data: &[0x12, 0x34, 0x56, 0x80] };
    world.run_for(1_000_000);
    world.boards[0].pd.post(world.now, &Reply::Raw(card)).expect("room");
    world.wait_for(1_000_000, |event| matches!(&event.kind, EventKind::Card(card) if card.bits == 26));
    world.run_for(5_000_000);
    assert_eq!(world.kinds().iter().filter(|kind| matches!(kind, EventKind::Card(_))).count(), 1);
}

#[test]
fn what_a_device_does_not_offer_is_refused_at_once() {
    let mut world = online(3);
    let now = world.now;
    let submit = |world: &mut World, command: &Command<'_>| {
        world.cp.submit(now, address(3), command, Token(1), now + 1_000_000)
    };
    let buzzer = osdp::Buzzer { reader: 0, tone: osdp::Tone::Default, on_100ms: 1, off_100ms: 0, count: 1 };
    let unsupported = |function| Err(SubmitError::Unsupported { function });
    assert_eq!(submit(&mut world, &Command::Buzzer(buzzer)), unsupported(function::AUDIBLE_OUTPUT));
    let fifth = OutputControl { output: 4, ..unlock(1) };
    let outputs = Command::Output(Records::new(core::slice::from_ref(&fifth)));
    assert_eq!(submit(&mut world, &outputs), unsupported(function::OUTPUT_CONTROL));
    assert_eq!(submit(&mut world, &Command::ExtendedWrite(&[1])), unsupported(function::SMART_CARD));
    assert_eq!(submit(&mut world, &Command::Poll), Err(SubmitError::Reserved));
    assert_eq!(submit(&mut world, &Command::KeySet(key(1))), Err(SubmitError::Reserved));
    assert_eq!(submit(&mut world, &Command::Mfg(OUI, &[0; 250])), Err(SubmitError::TooLong));
    assert_eq!(
        world.cp.submit(now, address(4), &outputs, Token(1), now + 1),
        Err(SubmitError::UnknownDevice)
    );
    assert_eq!(
        world.cp.submit(now, address(3), &Command::LocalStatus, Token(1), now),
        Err(SubmitError::Expired)
    );
}

#[test]
fn a_refusal_never_drops_the_device() {
    let mut world = online(3);
    for token in 0..20 {
        let now = world.now;
        world
            .cp
            .submit(now, address(3), &Command::Mfg(OUI, &[9]), Token(token), now + 1_000_000)
            .expect("room");
        world.run_for(50_000);
        assert_eq!(world.settled(token), [Err(Failure::Refused(NakCode::Record))]);
    }
    assert!(world.cp.is_secure(address(3)));
    assert!(
        !world.kinds().iter().any(|kind| matches!(kind, EventKind::Offline(_) | EventKind::SecureChannelUp))
    );
    assert_eq!(world.cp.device_statistics(address(3)).expect("known").naks, 20);
}

#[test]
fn a_repeat_is_the_same_bytes_after_200_ms_and_executes_once() {
    let mut world = online(3);
    // The board executes, but its answer is lost twice.
    let mut losses = 2;
    world.lose(move |from, _| {
        from == 1 && losses > 0 && {
            losses -= 1;
            true
        }
    });
    let from = world.now;
    world.unlock(3, 7, 5_000_000).expect("offered");
    world.wait_for(2_000_000, |event| event.kind == EventKind::Done(Token(7)));
    assert_eq!(world.boards[0].driven, [(0, 7, true)]);
    assert_eq!(world.boards[0].pd.statistics().repeats, 2);
    let sent: Vec<_> =
        world.wire.iter().filter(|(at, by, bytes)| *at >= from && *by == 0 && bytes.len() > 20).collect();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|(_, _, bytes)| *bytes == sent[0].2));
    for pair in sent.windows(2) {
        let waited = pair[1].0 - pair[0].0;
        assert!((200_000..210_000).contains(&waited), "{waited}");
    }
}

#[test]
fn a_damaged_reply_is_asked_again_without_waiting_for_the_timeout() {
    let mut world = online(3);
    let mut damaged = false;
    world.fault = Box::new(move |from, bytes| {
        let mut bytes = bytes.to_vec();
        if from == 1 && !core::mem::replace(&mut damaged, true) {
            bytes[6] ^= 0x10;
        }
        vec![(0, bytes)]
    });
    let from = world.now;
    world.unlock(3, 7, 5_000_000).expect("offered");
    world.wait_for(2_000_000, |event| event.kind == EventKind::Done(Token(7)));
    assert!(world.now - from < 60_000, "{}", world.now - from);
    assert_eq!(world.cp.device_statistics(address(3)).expect("known").bad_frames, 1);
}

#[test]
fn a_silent_device_is_offline_after_8_s_and_asked_again_after_1_5_and_30_s() {
    let mut world = online(3);
    world.boards[0].unplugged = true;
    let from = world.now;
    world.unlock(3, 7, 60_000_000).expect("still on-line");
    let event = world.wait_for(20_000_000, |event| matches!(event.kind, EventKind::Offline(_)));
    assert_eq!(event.kind, EventKind::Offline(OfflineReason::NoReply));
    let silent = world.now - from;
    assert!((7_900_000..8_300_000).contains(&silent), "{silent}");
    world.run_for(1);
    assert_eq!(world.settled(7), [Err(Failure::Offline)]);
    assert_eq!(world.unlock(3, 8, 1_000_000), Err(SubmitError::Offline));

    let offline_at = world.now;
    world.run_for(80_000_000);
    let probes: Vec<Micros> = world.commands(offline_at).iter().map(|(at, _, _)| *at - offline_at).collect();
    let seconds: Vec<u64> = probes.iter().map(|at| (at + 500_000) / 1_000_000).collect();
    assert_eq!(seconds, [1, 6, 36, 67], "{probes:?}");
    assert!(world.commands(offline_at).iter().all(|(_, code, _)| *code == command::code::ID));
    // Told once.
    assert_eq!(world.kinds().iter().filter(|kind| matches!(kind, EventKind::Offline(_))).count(), 1);

    world.boards[0].unplugged = false;
    world.wait_for(31_000_000, |event| matches!(event.kind, EventKind::Online { secure: true, .. }));
    assert!(world.boards[0].driven.is_empty(), "nothing waits for a device to return");
}

#[test]
fn an_absent_device_is_told_about_once() {
    let mut world = World::new(115_200);
    world.secure_board(3);
    world.boards[0].unplugged = true;
    world.run_for(20_000_000);
    assert_eq!(world.kinds(), [EventKind::Offline(OfflineReason::NoReply)]);
}

#[test]
fn a_busy_device_is_asked_again_and_executes_once() {
    let mut world = online(3);
    world.boards[0].slow = true;
    world.unlock(3, 7, 5_000_000).expect("offered");
    world.run_for(500_000);
    assert!(world.settled(7).is_empty());
    let busy = world.cp.device_statistics(address(3)).expect("known").busy;
    assert!(busy >= 2, "{busy}");
    world.boards[0].slow = false;
    world.wait_for(500_000, |event| event.kind == EventKind::Done(Token(7)));
    assert_eq!(world.boards[0].driven, [(0, 7, true)]);
}

#[test]
fn outputs_go_first() {
    let mut world = online(3);
    world.secure_board(4);
    world.wait_online(4);
    world.run_for(100_000);
    for token in 100..105 {
        world.show(3, token).expect("room");
        world.show(4, token + 10).expect("room");
    }
    let from = world.now;
    world.unlock(3, 1, 1_000_000).expect("room");
    world.unlock(4, 2, 1_000_000).expect("room");
    world.run_for(1_000_000);
    let order: Vec<u8> = world.commands(from).iter().map(|(_, code, _)| *code).collect();
    // One command may have been on the way already.
    let first = order.iter().position(|&code| code == command::code::OUT).expect("sent");
    assert!(first <= 1 && order[first + 1] == command::code::OUT, "{order:x?}");
    assert_eq!(world.boards[0].texts.len() + world.boards[1].texts.len(), 10);
}

#[test]
fn a_queue_has_an_end() {
    let mut world = online(3);
    for token in 0..8 {
        world.show(3, token).expect("a place");
    }
    assert_eq!(world.show(3, 8), Err(SubmitError::Full));
    assert!(world.cp.cancel(address(3), Token(5)));
    world.run_for(1_000_000);
    assert_eq!(world.boards[0].texts.len(), 7);
    assert_eq!(world.settled(5), [Err(Failure::Cancelled)]);
}

#[test]
fn polls_are_fair_and_survive_a_flood_of_commands() {
    let mut world = World::new(115_200);
    for at in 1..=5 {
        world.secure_board(at);
    }
    for at in 1..=5 {
        world.wait_online(at);
    }
    world.run_for(200_000);
    let count = |world: &World, at: u8| world.boards[usize::from(at) - 1].pd.statistics().commands;
    let before: Vec<u32> = (1..=5).map(|at| count(&world, at)).collect();
    world.run_for(1_000_000);
    let polled: Vec<u32> = (1..=5).map(|at| count(&world, at) - before[usize::from(at) - 1]).collect();
    let (least, most) = (polled.iter().min().expect("five"), polled.iter().max().expect("five"));
    assert!(most - least <= 1, "{polled:?}");

    let before = count(&world, 5);
    for token in 0..200 {
        // The caller keeps one device's queue full of outputs.
        while world.unlock(1, token, 1_000_000).is_ok() {}
        world.run_for(5_000);
    }
    assert!(count(&world, 5) - before > 5, "{}", count(&world, 5) - before);
}

#[test]
fn commands_follow_replies_after_the_turnaround_and_no_later() {
    let mut world = World::new(115_200);
    for at in 1..=4 {
        world.secure_board(at);
    }
    for at in 1..=4 {
        world.wait_online(at);
    }
    world.run_for(500_000);
    world.keep_wire = true;
    world.run_for(500_000);
    let turnaround = world.baud.characters(2);
    for pair in world.wire.windows(2) {
        let [(at, from, bytes), (next, by, _)] = pair else { panic!("a pair") };
        assert!((*from == 0) != (*by == 0), "one asks, one answers");
        let idle = next - (at + world.baud.characters(bytes.len()));
        if *by == 0 {
            // All four may have been polled within the shortest interval.
            assert!(idle >= turnaround && idle <= 10_000, "{idle}");
        } else {
            assert_eq!(idle, turnaround);
        }
    }
}

#[test]
fn a_command_is_never_sent_after_its_time() {
    let mut world = online(3);
    world.boards[0].unplugged = true;
    world.run_for(50_000);
    world.unlock(3, 7, 300_000).expect("still on-line");
    world.run_for(2_000_000);
    assert_eq!(world.settled(7).len(), 1);
    world.boards[0].unplugged = false;
    world.run_for(20_000_000);
    assert!(world.boards[0].driven.is_empty());
    assert!(world.cp.is_secure(address(3)));
    world.unlock(3, 8, 300_000).expect("on-line again");
    world.run_for(300_000);
    assert_eq!(world.boards[0].driven, [(0, 8, true)]);
}

#[test]
fn a_restarted_board_gets_a_new_session_without_being_offline() {
    let mut world = online(3);
    world.boards[0] = Board::new(address(3), world.baud, PdSecurity::Required(key(3)));
    world.wait_for(2_000_000, |event| event.kind == EventKind::SecureChannelUp);
    world.unlock(3, 7, 1_000_000).expect("on-line");
    world.run_for(200_000);
    assert_eq!(world.settled(7), [Ok(())]);
    assert!(!world.kinds().iter().any(|kind| matches!(kind, EventKind::Offline(_))));
}

#[test]
fn with_a_key_nothing_but_identification_and_handshake_is_in_clear() {
    // A device that pretends to know nothing of secure channels, as a downgrade would.
    let mut world = World::new(115_200);
    world.keep_wire = true;
    world.board(3, PdSecurity::Optional(None), DeviceSecurity::Required(key(3)));
    world.run_for(60_000_000);
    assert_eq!(world.kinds(), [EventKind::Offline(OfflineReason::NoSecureChannel)]);
    assert_eq!(world.unlock(3, 7, 1_000_000), Err(SubmitError::Offline));
    let allowed = [command::code::ID, command::code::CHLNG, command::code::SCRYPT];
    assert!(world.commands(0).iter().all(|(_, code, _)| allowed.contains(code)));
    assert!(world.boards[0].driven.is_empty());

    // A device that was replaced under way by one that speaks in clear.
    let mut world = online(3);
    world.boards[0] = Board::new(address(3), world.baud, PdSecurity::Optional(None));
    let from = world.now;
    world.wait_for(20_000_000, |event| matches!(event.kind, EventKind::Offline(_)));
    world.run_for(10_000_000);
    assert!(world.commands(from).iter().all(|(_, code, secured)| *secured || allowed.contains(code)));
    assert!(world.boards[0].driven.is_empty());
}

#[test]
fn replies_in_clear_change_nothing_in_a_session() {
    let mut world = online(3);
    // Somebody answers in clear before the device does: a card that nobody showed.
    let mut forged = [0; 64];
    world.fault = Box::new(move |from, bytes| {
        let Some(frame) = Frame::parse(bytes).ok().filter(|_| from == 0) else {
            return vec![(0, bytes.to_vec())];
        };
        let header = osdp::frame::Header { direction: osdp::frame::Direction::Reply, ..frame.header };
        let len = osdp::frame::write_clear(&mut forged, header, None, osdp::reply::code::RAW, |out| {
            out.bytes(&[0, 1, 8, 0, 0xAA])
        })
        .expect("short");
        vec![(0, bytes.to_vec()), (100, forged[..len].to_vec())]
    });
    world.run_for(2_000_000);
    assert!(!world.kinds().iter().any(|kind| matches!(kind, EventKind::Card(_))));
    assert!(world.cp.device_statistics(address(3)).expect("known").refused_clear > 10);
    assert!(world.cp.is_secure(address(3)));
}

#[test]
fn a_new_board_gets_its_key_within_the_install_window() {
    let mut world = World::new(115_200);
    let security = DeviceSecurity::Install { key: key(9), until: 60_000_000 };
    world.board(9, PdSecurity::Install, security);
    world.wait_online(9);
    assert_eq!(world.boards[0].keys, [key(9)]);
    assert!(world.kinds().contains(&EventKind::KeyInstalled));
    // The window has closed by itself.
    assert_eq!(world.cp.security(address(9)), Some(&DeviceSecurity::Required(key(9))));
    assert_eq!(world.boards[0].pd.security(), &PdSecurity::Required(key(9)));
    assert!(Key::DEFAULT.is_default() && !key(9).is_default());
}

#[test]
fn outside_the_window_the_default_key_is_not_tried() {
    let mut world = World::new(115_200);
    world.board(9, PdSecurity::Install, DeviceSecurity::Required(key(9)));
    world.run_for(60_000_000);
    assert_eq!(world.kinds(), [EventKind::Offline(OfflineReason::KeyRefused)]);
    assert!(!world.boards[0].events.contains(&PdEvent::SecureChannelUp { default_key: true }));

    // A window that closes while nobody is there to get the key.
    let mut world = World::new(115_200);
    world.board(9, PdSecurity::Install, DeviceSecurity::Install { key: key(9), until: 2_000_000 });
    world.boards[0].unplugged = true;
    world.run_for(2_100_000);
    world.boards[0].unplugged = false;
    world.run_for(60_000_000);
    assert!(world.kinds().contains(&EventKind::InstallWindowClosed));
    assert!(world.boards[0].keys.is_empty() && !world.cp.is_online(address(9)));

    // Opened again, by hand.
    let until = world.now + 60_000_000;
    let now = world.now;
    assert!(world.cp.set_security(now, address(9), DeviceSecurity::Install { key: key(9), until }));
    world.wait_online(9);
    assert_eq!(world.boards[0].keys, [key(9)]);
}

#[test]
fn a_lost_answer_to_a_key_does_not_lock_the_device_out() {
    for lost in [1, 2, 5] {
        let mut world = online(3);
        let now = world.now;
        world.cp.rekey(now, address(3), key(77), Token(1), now + 5_000_000).expect("secure");
        let (mut sent, mut left) = (false, lost);
        world.lose(move |from, bytes| {
            sent |= from == 0 && bytes.len() > 40;
            let gone = sent && from == 1 && left > 0;
            left -= u32::from(gone);
            gone
        });
        world.wait_for(30_000_000, |event| event.kind == EventKind::KeyInstalled);
        world.run_for(1_000_000);
        assert_eq!(world.settled(1), [Ok(())]);
        assert!(world.cp.is_secure(address(3)));
        assert_eq!(world.cp.security(address(3)), Some(&DeviceSecurity::Required(key(77))));
    }
}

#[test]
fn an_old_device_is_spoken_to_in_clear_only_when_configured() {
    let mut world = World::new(9600);
    let mut config = DeviceConfig::new(address(3), DeviceSecurity::Clear);
    config.check = Check::Checksum;
    world.boards.push(Board::new(address(3), world.baud, PdSecurity::Optional(None)));
    world.cp.add(0, config).expect("free");
    world.wait_online(3);
    assert!(!world.cp.is_secure(address(3)));
    world.unlock(3, 7, 1_000_000).expect("offered");
    world.wait_for(1_000_000, |event| event.kind == EventKind::Done(Token(7)));
    assert_eq!(world.boards[0].driven, [(0, 7, false)]);
}

#[test]
fn a_file_arrives_whole_while_cards_are_read() {
    let mut world = online(3);
    world.file = (0..5000_u32).map(|n| (n * 7 % 253) as u8).collect();
    world.boards[0].file_statuses = vec![FileStatus::FINISHING, FileStatus::FINISHING, FileStatus::PROCESSED];
    world.cp.send_file(address(3), 1, 5000, Token(1)).expect("on-line");
    world.run_for(50_000);
    let card = RawCard { reader: 0, format: 1, bits: 26, data: &[1, 2, 3, 0] };
    world.boards[0].pd.post(world.now, &Reply::Raw(card)).expect("room");
    world.wait_for(200_000, |event| matches!(event.kind, EventKind::Card(_)));
    assert!(world.settled(1).is_empty(), "the card came first");
    world.wait_for(10_000_000, |event| event.kind == EventKind::Done(Token(1)));
    assert!(world.boards[0].file == world.file);
}

#[test]
fn a_refused_file_fails_with_its_status() {
    let mut world = online(3);
    world.file = vec![1; 100];
    world.boards[0].file_statuses = vec![FileStatus::MALFORMED];
    world.cp.send_file(address(3), 1, 100, Token(1)).expect("on-line");
    world.run_for(1_000_000);
    assert_eq!(world.settled(1), [Err(Failure::File(FileStatus::MALFORMED))]);
    assert!(world.cp.is_secure(address(3)));
}

#[test]
fn another_panel_on_the_bus_is_noticed() {
    let mut world = online(3);
    let mut frame = [0; 16];
    let header = osdp::frame::Header {
        address: 5,
        direction: osdp::frame::Direction::Command,
        sequence: osdp::Sequence::RESTART,
        check: Check::Crc16,
    };
    let len =
        osdp::frame::write_clear(&mut frame, header, None, command::code::POLL, |_| Ok(())).expect("short");
    for _ in 0..5 {
        world.inject(&frame[..len]);
        world.run_for(100_000);
    }
    assert_eq!(world.kinds().iter().filter(|kind| **kind == EventKind::ForeignPanel).count(), 1);
    assert_eq!(world.cp.statistics().foreign, 5);
    assert!(world.cp.is_secure(address(3)));
}

#[test]
fn a_makers_reply_carries_its_token() {
    let mut world = online(3);
    let now = world.now;
    world
        .cp
        .submit(now, address(3), &Command::Mfg(OUI, &[1, 2]), Token(5), now + 1_000_000)
        .expect("offered");
    world.wait_for(100_000, |event| event.kind == EventKind::Done(Token(5)));
    let reply =
        world.kinds().into_iter().find(|kind| matches!(kind, EventKind::Mfg { .. })).expect("it came");
    let EventKind::Mfg { oui, data, token } = reply else { panic!("{reply:?}") };
    assert_eq!((oui, &data[..], token), (OUI, &b"pong"[..], Some(Token(5))));
}

#[test]
fn a_removed_device_is_asked_no_more_and_the_others_go_on() {
    let mut world = online(3);
    world.secure_board(4).secure_board(5);
    world.wait_online(5);
    assert!(world.cp.remove(address(3)) && !world.cp.remove(address(3)));
    let from = world.now;
    world.run_for(2_000_000);
    assert!(world.cp.is_secure(address(4)) && world.cp.is_secure(address(5)));
    let asked = world.wire.iter().filter(|(at, by, bytes)| *at > from && *by == 0 && bytes[1] == 3).count();
    assert_eq!(asked, 0);
    assert_eq!(world.unlock(3, 1, 1_000), Err(SubmitError::UnknownDevice));
}

#[test]
fn a_device_that_only_knows_checksums_is_found() {
    let mut world = World::new(9600);
    world.secure_board(3);
    // It refuses every frame with a CRC, as NAK 1.
    world.fault = Box::new(|from, bytes| {
        let crc = from == 0 && bytes[4] & 4 != 0;
        if !crc {
            return vec![(0, bytes.to_vec())];
        }
        let frame = Frame::parse(bytes).expect("whole");
        let header = osdp::frame::Header {
            direction: osdp::frame::Direction::Reply,
            check: Check::Checksum,
            ..frame.header
        };
        let mut nak = [0; 16];
        let len = osdp::frame::write_clear(&mut nak, header, None, osdp::reply::code::NAK, |out| out.u8(1))
            .expect("short");
        vec![(3_000, nak[..len].to_vec())]
    });
    world.wait_online(3);
    assert!(world.cp.is_secure(address(3)));
}

#[test]
fn an_old_reply_settles_nothing_even_without_a_session() {
    let mut world = World::new(115_200);
    world.board(3, PdSecurity::Optional(None), DeviceSecurity::Clear);
    world.wait_online(3);
    world.run_for(200_000);
    // The output command never arrives, and each reply comes a second time, much later.
    world.fault = Box::new(|from, bytes| match from {
        0 if bytes[5] == command::code::OUT => Vec::new(),
        0 => vec![(0, bytes.to_vec())],
        _ => vec![(0, bytes.to_vec()), (7_000, bytes.to_vec())],
    });
    for token in 1..20 {
        world.unlock(3, token, 300_000).expect("offered");
        world.run_for(700_000);
        assert!(matches!(world.settled(u64::from(token))[..], [Err(_)]), "{token}");
    }
    assert!(world.boards[0].driven.is_empty());
}

/// Commands to the boards beside the first within a second, and the longest time between two to the same one.
fn pace(world: &mut World) -> (usize, Micros) {
    world.keep_wire = true;
    world.wire.clear();
    let from = world.now;
    world.run_for(1_000_000);
    let mut count = 0;
    let mut longest = 0;
    for board in 2..=world.boards.len() as u8 {
        let to_board = |bytes: &[u8]| Frame::parse(bytes).is_ok_and(|frame| frame.header.address == board);
        let sent = world.wire.iter().filter(|(_, by, bytes)| *by == 0 && to_board(bytes));
        let times: Vec<Micros> = sent.map(|(at, ..)| *at).collect();
        count += times.len();
        let ends = [from].into_iter().chain(times).chain([world.now]).collect::<Vec<_>>();
        longest = longest.max(ends.windows(2).map(|pair| pair[1] - pair[0]).max().expect("two ends"));
    }
    world.keep_wire = false;
    (count, longest)
}

#[test]
fn a_long_file_to_one_board_leaves_the_others_their_pace() {
    for (boards, share) in [(4, 80), (16, 80)] {
        let mut world = World::new(115_200);
        for at in 1..=boards {
            world.secure_board(at);
        }
        (1..=boards).for_each(|at| world.wait_online(at));
        world.run_for(1_000_000);
        let (quiet, before) = pace(&mut world);
        world.file = vec![7; 200_000];
        world.cp.send_file(address(1), 1, 200_000, Token(1)).expect("on-line");
        world.run_for(200_000);
        let (busy, longest) = pace(&mut world);
        let sent = world.boards[0].file.len();
        println!(
            "{boards} boards: {quiet} polls a second, {busy} beside a file; {before} us, {longest} us between two; {sent} bytes of it"
        );
        assert!(busy * 100 >= quiet * share, "{boards} boards: {busy} of {quiet}");
        assert!(longest <= before + 60_000, "{boards} boards: {longest} us");
        assert!(sent > 1_200, "{boards} boards: {sent} bytes in 1.2 s");
    }
}
