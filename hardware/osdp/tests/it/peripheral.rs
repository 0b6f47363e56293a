//! The peripheral's rules, frame by frame.

use osdp::frame::{Direction, Frame, Header, Scs, write_clear};
use osdp::{
    Address, BROADCAST, Baud, Check, Command, Handshake, Key, LineSettings, Micros, NakCode, Nonces,
    OutputAction, OutputControl, Pd, PdConfig, PdEvent, PdSecurity, PostError, RawCard, Records, Reply,
    RespondError, Sequence, Session, command, function, reply,
};

use crate::line::{address, identity, key};

/// A panel that says exactly what the test tells it to.
struct Bench {
    now: Micros,
    pd: Pd,
    session: Option<Session>,
    sequence: Sequence,
}

/// What came back: code, data, sequence, whether secured.
type Answer = (u8, Vec<u8>, u8, bool);

fn nak(code: NakCode, sequence: u8) -> Option<Answer> {
    Some((reply::code::NAK, vec![code.byte()], sequence, false))
}

impl Bench {
    fn new(security: PdSecurity) -> Self {
        let config = PdConfig::new(address(3), Baud::DEFAULT, identity(7), security)
            .with_capability(function::OUTPUT_CONTROL, 1, 2)
            .expect("one line");
        Self { now: 0, pd: Pd::new(config, Nonces::new([9; 16])), session: None, sequence: Sequence::RESTART }
    }

    fn secure(own: u8) -> Self {
        let mut bench = Self::new(PdSecurity::Required(key(own)));
        bench.handshake(&key(own), 1).expect("the same key");
        bench
    }

    fn header(&self, sequence: Sequence) -> Header {
        Header { address: 3, direction: Direction::Command, sequence, check: Check::Crc16 }
    }

    fn clear_frame(&self, sequence: Sequence, command: &Command<'_>, block: Option<(Scs, u8)>) -> Vec<u8> {
        let mut frame = vec![0; 300];
        let data = block.map(|(scs, byte)| (scs, [byte]));
        let block = data.as_ref().map(|(scs, byte)| (*scs, &byte[..]));
        let header = self.header(sequence);
        let len =
            write_clear(&mut frame, header, block, command.code(), |out| command.encode(out)).expect("short");
        frame.truncate(len);
        frame
    }

    fn sealed_frame(&mut self, command: &Command<'_>) -> Vec<u8> {
        self.sequence = self.sequence.next();
        let header = self.header(self.sequence);
        let mut frame = vec![0; 300];
        let session = self.session.as_mut().expect("a session");
        let len = session.seal(&mut frame, header, command.code(), |out| command.encode(out)).expect("short");
        frame.truncate(len);
        frame
    }

    /// Sends bytes and returns the bytes that come back by themselves.
    fn raw(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.now += 10_000;
        self.pd.handle_input(self.now, bytes);
        self.heard()
    }

    fn heard(&mut self) -> Option<Vec<u8>> {
        self.now += 10_000;
        self.pd.poll_transmit(self.now).map(<[u8]>::to_vec)
    }

    fn read(&mut self, bytes: Option<Vec<u8>>) -> Option<Answer> {
        let mut bytes = bytes?;
        let frame = Frame::parse(&bytes).expect("a whole frame");
        let (code, sequence, mac) = (frame.code, frame.header.sequence.bits(), frame.mac.is_some());
        let clear = frame.data_at..frame.data_at + frame.data.len();
        let data = match &mut self.session {
            Some(session) if mac => session.open(&mut bytes).expect("the right MAC"),
            Some(_) | None => clear,
        };
        Some((code, bytes[data].to_vec(), sequence, mac))
    }

    fn ask_clear(&mut self, sequence: u8, command: &Command<'_>) -> Option<Answer> {
        self.sequence = Sequence::from_bits(sequence);
        let frame = self.clear_frame(self.sequence, command, None);
        let answer = self.raw(&frame);
        self.read(answer)
    }

    fn ask(&mut self, command: &Command<'_>) -> Option<Answer> {
        let frame = self.sealed_frame(command);
        let answer = self.raw(&frame);
        self.read(answer)
    }

    fn handshake(&mut self, key: &Key, choice: u8) -> Option<()> {
        self.session = None;
        self.sequence = Sequence::RESTART;
        let random = [1, 2, 3, 4, 5, 6, 7, 8];
        let challenge =
            self.clear_frame(self.sequence, &Command::Challenge(random), Some((Scs::Challenge, choice)));
        let bytes = self.raw(&challenge)?;
        let frame = Frame::parse(&bytes).ok()?;
        let Ok(Reply::ClientCryptogram(client)) = Reply::decode(frame.code, frame.data) else { return None };
        let handshake = Handshake::panel(key, &random, &client).ok()?;
        self.sequence = self.sequence.next();
        let command = Command::Cryptogram(handshake.server_cryptogram());
        let cryptogram = self.clear_frame(self.sequence, &command, Some((Scs::ServerCryptogram, choice)));
        let bytes = self.raw(&cryptogram)?;
        let frame = Frame::parse(&bytes).ok()?;
        let Ok(Reply::InitialMac(mac)) = Reply::decode(frame.code, frame.data) else { return None };
        self.session = Some(handshake.confirm(&mac).ok()?);
        Some(())
    }

    /// Answers the open request with an acknowledgement, if there is one.
    fn acknowledge(&mut self) -> Option<Answer> {
        self.pd.respond(self.now, &Reply::Ack).ok()?;
        let answer = self.heard();
        self.read(answer)
    }
}

const UNLOCK: OutputControl = OutputControl { output: 0, action: OutputAction::OnForTimer, timer_100ms: 50 };

fn unlock() -> Command<'static> {
    Command::Output(Records::new(&[UNLOCK]))
}

#[test]
fn zero_after_zero_is_a_new_command_not_a_repeat() {
    let mut bench = Bench::new(PdSecurity::Optional(None));
    for _ in 0..3 {
        let (code, _, sequence, _) = bench.ask_clear(0, &Command::Poll).expect("answered");
        assert_eq!((code, sequence), (reply::code::ACK, 0));
    }
    let statistics = bench.pd.statistics();
    assert_eq!((statistics.commands, statistics.repeats), (3, 0));
}

#[test]
fn a_repeat_gets_the_same_bytes_and_executes_nothing() {
    let mut bench = Bench::secure(3);
    let frame = bench.sealed_frame(&unlock());
    assert_eq!(bench.raw(&frame), None);
    assert_eq!(bench.pd.poll_request(), Some(unlock()));
    assert_eq!(bench.pd.poll_request(), None, "given out once");
    bench.pd.respond(bench.now, &Reply::Ack).expect("open");
    let first = bench.heard().expect("answered");
    assert_eq!(bench.raw(&frame), Some(first));
    assert_eq!(bench.pd.poll_request(), None);
    assert_eq!(bench.pd.respond(bench.now, &Reply::Ack), Err(RespondError::NoRequest));
}

#[test]
fn each_refusal_has_its_reason() {
    let mut bench = Bench::new(PdSecurity::Optional(None));
    assert_eq!(bench.ask_clear(2, &Command::Poll), nak(NakCode::Sequence, 2));
    assert!(bench.ask_clear(0, &Command::Poll).is_some());
    assert_eq!(bench.ask_clear(1, &Command::Other(0x99, &[])), nak(NakCode::UnknownCommand, 1));
    assert_eq!(bench.ask_clear(2, &Command::Other(command::code::OUT, &[0, 5, 1])), nak(NakCode::Length, 2));
    assert_eq!(
        bench.ask_clear(3, &Command::Other(command::code::OUT, &[0, 99, 1, 0])),
        nak(NakCode::Record, 3)
    );
    assert_eq!(
        bench.ask_clear(3, &Command::Id),
        nak(NakCode::Sequence, 3),
        "another command under the same number"
    );
    assert_eq!(bench.ask_clear(2, &Command::Id), nak(NakCode::Sequence, 2));
    assert_eq!(bench.ask_clear(1, &Command::Challenge([0; 8])), nak(NakCode::SecurityBlock, 1));
    let challenge =
        bench.clear_frame(Sequence::from_bits(2), &Command::Challenge([0; 8]), Some((Scs::Challenge, 1)));
    let answer = bench.raw(&challenge);
    assert_eq!(bench.read(answer), nak(NakCode::SecurityBlock, 2));
}

#[test]
fn with_a_key_only_identification_is_answered_in_clear() {
    let mut bench = Bench::new(PdSecurity::Required(key(3)));
    assert_eq!(bench.ask_clear(0, &Command::Poll), nak(NakCode::SecurityRequired, 0));
    // A panel that began with a poll goes on with the next number.
    assert_eq!(bench.ask_clear(1, &Command::Id).expect("answered").0, reply::code::PDID);
    assert_eq!(bench.ask_clear(2, &Command::Capabilities).expect("answered").0, reply::code::PDCAP);
    for (sequence, command) in [(3, unlock()), (1, Command::LocalStatus), (2, Command::KeySet(key(4)))] {
        assert_eq!(bench.ask_clear(sequence, &command), nak(NakCode::SecurityRequired, sequence));
        assert_eq!(bench.pd.poll_request(), None);
    }
    assert!(bench.handshake(&key(4), 1).is_none(), "another key");
    assert!(bench.handshake(&Key::DEFAULT, 0).is_none(), "the default key");
    assert!(bench.handshake(&key(3), 1).is_some());
    // In a session a command in clear is refused, and disturbs nothing.
    let sequence = bench.sequence;
    let intruder = bench.clear_frame(sequence.next(), &unlock(), None);
    let answer = bench.raw(&intruder);
    assert_eq!(bench.read(answer), nak(NakCode::SecurityRequired, sequence.next().bits()));
    assert_eq!(bench.pd.poll_request(), None);
    assert_eq!(bench.ask(&Command::Poll).expect("answered").0, reply::code::ACK);
}

#[test]
fn a_wrong_mac_executes_nothing_and_ends_the_session() {
    for bit in 0..8 * 26 {
        let mut bench = Bench::secure(3);
        let mut frame = bench.sealed_frame(&unlock());
        let body = frame.len() - 2;
        if bit / 8 >= body {
            break;
        }
        frame[bit / 8] ^= 1 << (bit % 8);
        // An attacker makes the check right again.
        let crc = osdp::crc16(&frame[..body]).to_le_bytes();
        frame[body..].copy_from_slice(&crc);
        let answer = bench.raw(&frame);
        assert_eq!(bench.pd.poll_request(), None, "bit {bit}");
        if let Some((code, _, _, secured)) = bench.read(answer) {
            assert!(code == reply::code::NAK && !secured, "bit {bit}");
        }
    }
}

#[test]
fn recorded_frames_open_nothing_later() {
    let mut bench = Bench::secure(3);
    let recorded = bench.sealed_frame(&unlock());
    assert_eq!(bench.raw(&recorded), None);
    assert!(bench.pd.poll_request().is_some());
    bench.acknowledge().expect("answered");
    for _ in 0..7 {
        bench.ask(&Command::Poll).expect("answered");
        bench.raw(&recorded);
        assert_eq!(bench.pd.poll_request(), None);
        if !bench.pd.is_secure() {
            bench.handshake(&key(3), 1).expect("a new session");
        }
    }
    // The whole session again, handshake included: the peripheral's random number is another now.
    let mut first = Bench::secure(3);
    let challenge = first.clear_frame(
        Sequence::RESTART,
        &Command::Challenge([1, 2, 3, 4, 5, 6, 7, 8]),
        Some((Scs::Challenge, 1)),
    );
    let one = first.raw(&challenge).expect("answered");
    let two = first.raw(&challenge).expect("answered");
    assert_ne!(one, two);
}

#[test]
fn silence_of_8_s_ends_the_session() {
    let mut bench = Bench::secure(3);
    assert!(bench.pd.is_online());
    let offline = bench.pd.poll_timeout().expect("it waits for the panel");
    bench.now = offline;
    bench.pd.handle_timeout(offline);
    assert!(!bench.pd.is_online() && !bench.pd.is_secure());
    let events: Vec<PdEvent> = core::iter::from_fn(|| bench.pd.poll_event()).collect();
    let expected = [
        PdEvent::Online,
        PdEvent::SecureChannelUp { default_key: false },
        PdEvent::SecureChannelDown,
        PdEvent::Offline,
    ];
    assert_eq!(events, expected);
    assert_eq!(bench.ask(&Command::Poll), nak(NakCode::Sequence, 2));
}

#[test]
fn whoever_has_no_key_does_not_keep_it_on_line() {
    let mut bench = Bench::secure(3);
    for _ in 0..5 {
        bench.now += 2_000_000;
        bench.pd.handle_timeout(bench.now);
        bench.ask_clear(0, &Command::Id);
    }
    assert!(!bench.pd.is_online());
}

#[test]
fn with_the_default_key_one_may_look_and_install_but_not_unlock() {
    let mut bench = Bench::new(PdSecurity::Install);
    bench.handshake(&Key::DEFAULT, 0).expect("install mode");
    assert!(!bench.pd.is_secure());
    let (code, data, _, secured) = bench.ask(&unlock()).expect("answered");
    assert_eq!((code, &data[..], secured), (reply::code::NAK, &[6][..], true));
    assert_eq!(bench.pd.poll_request(), None);
    assert_eq!(bench.ask(&Command::KeySet(key(5))), None);
    assert_eq!(bench.pd.poll_request(), Some(Command::KeySet(key(5))));
    bench.acknowledge().expect("answered");
    assert_eq!(bench.pd.security(), &PdSecurity::Required(key(5)));
    assert!(bench.handshake(&Key::DEFAULT, 0).is_none(), "install mode is over");
    assert!(bench.handshake(&key(5), 1).is_some());
}

#[test]
fn everybody_answers_the_broadcast_address() {
    let mut bench = Bench::new(PdSecurity::Optional(None));
    let mut frame = [0; 16];
    let header = Header { address: BROADCAST, ..bench.header(Sequence::RESTART) };
    let len = write_clear(&mut frame, header, None, command::code::ID, |out| out.u8(0)).expect("short");
    let answer = bench.raw(&frame[..len]).expect("answered");
    let frame = Frame::parse(&answer).expect("whole");
    assert_eq!((frame.header.address, frame.code), (BROADCAST, reply::code::PDID));
    // Another's address is not ours.
    let header = Header { address: 4, ..bench.header(Sequence::RESTART) };
    let mut frame = [0; 16];
    let len = write_clear(&mut frame, header, None, command::code::ID, |out| out.u8(0)).expect("short");
    assert_eq!(bench.raw(&frame[..len]), None);
}

#[test]
fn replies_stay_within_the_panels_buffer() {
    let mut bench = Bench::new(PdSecurity::Optional(None));
    assert_eq!(bench.ask_clear(0, &Command::ReceiveSize(128)).expect("answered").0, reply::code::ACK);
    assert_eq!(bench.ask_clear(1, &Command::Mfg(osdp::Oui([1, 2, 3]), &[])), None);
    assert!(bench.pd.poll_request().is_some());
    let long = [0; 200];
    let refused = bench.pd.respond(bench.now, &Reply::Mfg(osdp::Oui([1, 2, 3]), &long));
    assert_eq!(refused, Err(RespondError::TooLong));
    bench.acknowledge().expect("the request is still open");
}

#[test]
fn new_line_settings_hold_after_the_answer() {
    let mut bench = Bench::new(PdSecurity::Optional(None));
    let settings = LineSettings { address: address(12), baud: 38_400 };
    assert_eq!(bench.ask_clear(0, &Command::LineSettings(settings)), None);
    assert!(bench.pd.poll_request().is_some());
    bench.pd.respond(bench.now, &Reply::LineSettings(settings)).expect("open");
    assert_eq!(bench.pd.address(), address(3));
    assert!(bench.heard().is_some());
    assert_eq!(bench.pd.address(), address(12));
    assert_eq!(bench.ask_clear(1, &Command::Poll), None, "nobody has this address any more");
}

#[test]
fn a_card_that_nobody_fetched_is_forgotten_but_a_tamper_is_not() {
    let mut bench = Bench::new(PdSecurity::Optional(None));
    let card = RawCard { reader: 0, format: 1, bits: 8, data: &[0xAA] };
    bench.pd.post(0, &Reply::Raw(card)).expect("room");
    bench.pd.post(0, &Reply::LocalStatus { tamper: true, power: false }).expect("room");
    bench.now = 6_000_000;
    assert_eq!(bench.ask_clear(0, &Command::Poll).expect("answered").0, reply::code::LSTATR);
    // A panel that begins anew has perhaps not got it.
    assert_eq!(bench.ask_clear(0, &Command::Poll).expect("answered").0, reply::code::LSTATR);
    assert_eq!(bench.ask_clear(1, &Command::Poll).expect("answered").0, reply::code::ACK);
}

/// A card at this reader, a byte long.
fn card(reader: u8) -> Reply<'static> {
    Reply::Raw(RawCard { reader, format: 1, bits: 8, data: &[0xAA] })
}

#[test]
fn whoever_writes_on_the_line_cannot_have_a_card_told_twice() {
    let mut bench = Bench::secure(3);
    bench.pd.post(bench.now, &card(0)).expect("room");
    bench.pd.post(bench.now, &Reply::LocalStatus { tamper: true, power: false }).expect("room");
    assert_eq!(bench.ask(&Command::Poll).expect("answered").0, reply::code::RAW);
    // A frame that anybody can make: the first of a session, in clear.
    bench.session = None;
    bench.ask_clear(0, &Command::Id);
    let events = core::iter::from_fn(|| bench.pd.poll_event());
    assert!(events.into_iter().any(|event| event == PdEvent::CardGivenUp));
    bench.handshake(&key(3), 1).expect("the same key");
    assert_eq!(bench.ask(&Command::Poll).expect("answered").0, reply::code::LSTATR);
    // A state may come twice.
    bench.handshake(&key(3), 1).expect("the same key");
    assert_eq!(bench.ask(&Command::Poll).expect("answered").0, reply::code::LSTATR);
    assert_eq!(bench.ask(&Command::Poll).expect("answered").0, reply::code::ACK);
    // Nor silence: the panel is gone for 8 s, and may have got it.
    bench.pd.post(bench.now, &card(0)).expect("room");
    assert_eq!(bench.ask(&Command::Poll).expect("answered").0, reply::code::RAW);
    bench.now += 8_000_000;
    bench.pd.handle_timeout(bench.now);
    bench.handshake(&key(3), 1).expect("the same key");
    assert_eq!(bench.ask(&Command::Poll).expect("answered").0, reply::code::ACK);
    // A card that was not sent yet waits.
    bench.pd.post(bench.now, &card(0)).expect("room");
    bench.handshake(&key(3), 1).expect("the same key");
    assert_eq!(bench.ask(&Command::Poll).expect("answered").0, reply::code::RAW);
}

#[test]
fn cards_taken_back_are_not_told_and_not_repeated() {
    let mut bench = Bench::secure(3);
    bench.pd.post(bench.now, &card(0)).expect("room");
    bench.pd.post(bench.now, &card(1)).expect("room");
    assert!(bench.pd.take_back_cards(1), "it was still there");
    assert!(!bench.pd.take_back_cards(1), "and is not any more");
    let poll = bench.sealed_frame(&Command::Poll);
    let told = bench.raw(&poll);
    assert_eq!(bench.read(told).expect("answered").0, reply::code::RAW);
    // The panel has not got it, asks again, and gets no card.
    assert!(bench.pd.take_back_cards(0));
    let answer = bench.raw(&poll);
    assert_eq!(bench.read(answer), nak(NakCode::Sequence, bench.sequence.bits()));
    bench.handshake(&key(3), 1).expect("the same key");
    assert_eq!(bench.ask(&Command::Poll).expect("answered").0, reply::code::ACK);
    // One that has arrived is not there to be taken.
    bench.pd.post(bench.now, &card(1)).expect("room");
    assert_eq!(bench.ask(&Command::Poll).expect("answered").0, reply::code::RAW);
    assert_eq!(bench.ask(&Command::Poll).expect("answered").0, reply::code::ACK);
    assert!(!bench.pd.take_back_cards(1));
    // The reply is made and not out yet: the next in the queue does not count as told in its place.
    bench.pd.post(bench.now, &card(1)).expect("room");
    bench.pd.post(bench.now, &Reply::LocalStatus { tamper: true, power: false }).expect("room");
    let poll = bench.sealed_frame(&Command::Poll);
    bench.pd.handle_input(bench.now, &poll);
    assert!(bench.pd.take_back_cards(1));
    assert_eq!(bench.heard(), None);
    bench.handshake(&key(3), 1).expect("the same key");
    assert_eq!(bench.ask(&Command::Poll).expect("answered").0, reply::code::LSTATR);
}

#[test]
fn the_poll_queue_has_an_end() {
    let mut bench = Bench::new(PdSecurity::Optional(None));
    let status = Reply::LocalStatus { tamper: true, power: false };
    let posted = (0..20).filter(|_| bench.pd.post(0, &status).is_ok()).count();
    assert_eq!((posted, bench.pd.posted()), (8, 8));
    assert_eq!(bench.pd.post(0, &status), Err(PostError::Full));
    assert_eq!(bench.pd.post(0, &Reply::Mfg(osdp::Oui([0; 3]), &[0; 62])), Err(PostError::TooLong));
}

#[test]
fn a_request_that_takes_long_is_put_off_and_answered_at_the_repeat() {
    let mut bench = Bench::secure(3);
    let frame = bench.sealed_frame(&unlock());
    assert_eq!(bench.raw(&frame), None);
    let busy_at = bench.pd.poll_timeout().expect("it will be put off");
    bench.pd.handle_timeout(busy_at);
    bench.now = busy_at;
    let busy = bench.heard();
    assert_eq!(bench.read(busy), Some((reply::code::BUSY, vec![], 0, false)));
    assert!(bench.pd.poll_request().is_some());
    bench.pd.respond(bench.now, &Reply::Ack).expect("open");
    assert_eq!(bench.heard(), None, "nobody listens now");
    let answer = bench.raw(&frame);
    let (code, _, sequence, secured) = bench.read(answer).expect("answered");
    assert_eq!((code, sequence, secured), (reply::code::ACK, bench.sequence.bits(), true));
}

#[test]
fn it_fits_a_small_controller() {
    let size = size_of::<Pd>();
    assert!(size < 4096, "{size} bytes");
    assert_eq!(size_of::<Address>(), 1);
}
