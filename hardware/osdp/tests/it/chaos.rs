//! Any bytes at all, at every door: nothing panics, nothing grows, nothing unlocks. The fuzz targets in
//! `fuzz/` call the same functions.

use osdp::frame::{Direction, Frame, Header, MAC_LEN, Scs, write_clear};
use osdp::{
    Address, Baud, BusConfig, Check, Command, Cp, DeviceConfig, DeviceSecurity, Handshake, Identity, Key,
    LineSettings, Micros, Nonces, Oui, OutputAction, OutputControl, Pd, PdConfig, PdSecurity, Receiver,
    Records, Reply, Sequence, Session, Token, Writer, function,
};

/// Values out of the input, zeros when it is used up.
struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn at(value: u8) -> Address {
    Address::new(value).expect("a small number")
}

/// Frames, commands, replies and sealed frames.
pub(crate) fn codec(input: &[u8]) {
    let mut receiver = Receiver::<300>::new();
    let mut stream = input;
    let mut outcomes = 0;
    while receiver.advance(&mut stream).is_some() {
        outcomes += 1;
        assert!(outcomes <= input.len(), "each outcome takes at least a byte");
        let _frame = receiver.frame();
    }
    let mut source = Source(input);
    let code = source.byte();
    if let Ok(command) = Command::decode(code, source.0) {
        let mut buffer = [0; 1440];
        let mut writer = Writer::new(&mut buffer);
        if command.encode(&mut writer).is_ok() {
            let len = writer.len();
            assert_eq!(Command::decode(code, &buffer[..len]), Ok(command));
        }
    }
    if let Ok(reply) = Reply::decode(code, source.0) {
        let mut buffer = [0; 1440];
        let mut writer = Writer::new(&mut buffer);
        if reply.encode(&mut writer).is_ok() {
            let len = writer.len();
            assert_eq!(Reply::decode(code, &buffer[..len]), Ok(reply));
        }
    }
    let mut frame = framed(&mut Source(input), Direction::Command, 1);
    assert!(session().open(&mut frame).is_err(), "a MAC out of nothing");
}

/// A panel whose line carries what the input says.
pub(crate) fn cp_input(input: &[u8]) {
    let mut source = Source(input);
    let baud = Baud::new(115_200).expect("a speed");
    let mut cp: Box<Cp<3, 4>> = Box::new(Cp::new(BusConfig::new(baud), Nonces::new([1; 16])));
    let own = || Key::new([1; 16]);
    for (number, security) in [
        (0, DeviceSecurity::Clear),
        (1, DeviceSecurity::Required(own())),
        (2, DeviceSecurity::Install { key: own(), until: 50_000_000 }),
    ] {
        cp.add(0, DeviceConfig::new(at(number), security)).expect("a place");
    }
    let (mut now, mut token): (Micros, u64) = (0, 0);
    let (mut submitted, mut settled) = (0_u64, 0_u64);
    let mut sequence = Sequence::RESTART;
    let mut asked = 0;
    while !source.is_empty() {
        match source.byte() % 8 {
            0 | 1 => now += Micros::from(source.byte()) * 1_000,
            2 => {
                let len = usize::from(source.byte());
                let bytes = source.bytes(len);
                cp.handle_input(now, bytes);
            }
            3 => {
                token += 1;
                let record = OutputControl { output: 0, action: OutputAction::OnForTimer, timer_100ms: 1 };
                let command = Command::Output(Records::new(core::slice::from_ref(&record)));
                let life = 1 + Micros::from(source.byte()) * 10_000;
                let to = at(source.byte() % 3);
                submitted += u64::from(cp.submit(now, to, &command, Token(token), now + life).is_ok());
            }
            4 => {
                let _begun = cp.send_file(at(source.byte() % 3), 1, 1_000, Token(u64::MAX));
                let len = usize::from(source.byte());
                let _taken = cp.file_block(at(source.byte() % 3), source.bytes(len));
            }
            // A well-formed reply with any content to what was asked last.
            _ => {
                let mut from = source.byte();
                if from > 3 {
                    from = asked;
                }
                let mut frame = reply_frame(&mut source, from, sequence);
                cp.handle_input(now, &frame);
                frame.clear();
            }
        }
        cp.handle_timeout(now);
        if let Some(bytes) = cp.poll_transmit(now) {
            let frame = Frame::parse(bytes).expect("the panel sends whole frames");
            sequence = frame.header.sequence;
            asked = frame.header.address;
            let open = matches!(frame.code, 0x61 | 0x76 | 0x77);
            assert!(asked == 0 || open || frame.mac.is_some(), "in clear to a device with a key: {frame:x?}");
        }
        assert!(cp.poll_transmit(now).is_none(), "one at a time");
        let mut events = 0;
        while let Some(event) = cp.poll_event() {
            events += 1;
            assert!(events < 100, "{event:?}");
            let settles = matches!(
                event.kind,
                osdp::EventKind::Done(Token(of)) | osdp::EventKind::Failed(Token(of), _) if of != u64::MAX
            );
            settled += u64::from(settles);
        }
    }
    assert!(settled <= submitted);
    // Nobody answers any more: all that is open settles.
    let end = now + 20_000_000;
    while now < end {
        now = cp.poll_timeout().unwrap_or(end).max(now + 1_000);
        cp.handle_timeout(now);
        let _frame = cp.poll_transmit(now);
        while let Some(event) = cp.poll_event() {
            let settles = matches!(
                event.kind,
                osdp::EventKind::Done(Token(of)) | osdp::EventKind::Failed(Token(of), _) if of != u64::MAX
            );
            settled += u64::from(settles);
        }
    }
    assert_eq!(settled, submitted, "each command settles once");
}

/// A peripheral whose line carries what the input says.
pub(crate) fn pd_input(input: &[u8]) {
    let mut source = Source(input);
    let security = match source.byte() % 3 {
        0 => PdSecurity::Optional(None),
        1 => PdSecurity::Required(Key::new([1; 16])),
        _ => PdSecurity::Install,
    };
    let open = matches!(security, PdSecurity::Optional(_));
    let identity = Identity { vendor: Oui([1, 2, 3]), model: 1, version: 1, serial: 7, firmware: [0; 3] };
    let config = PdConfig::new(at(0), Baud::DEFAULT, identity, security)
        .with_capability(function::OUTPUT_CONTROL, 1, 1)
        .expect("one line");
    let mut pd: Pd<160, 4, 48> = Pd::new(config, Nonces::new([2; 16]));
    let mut now: Micros = 0;
    while !source.is_empty() {
        match source.byte() % 8 {
            0 | 1 => now += Micros::from(source.byte()) * 1_000,
            2 => {
                let len = usize::from(source.byte());
                let bytes = source.bytes(len);
                pd.handle_input(now, bytes);
            }
            3 => {
                let len = usize::from(source.byte());
                let data = source.bytes(len);
                let _posted = pd.post(now, &Reply::InputStatus(data));
            }
            _ => {
                let number = source.byte();
                let frame = framed(&mut source, Direction::Command, number);
                pd.handle_input(now, &frame);
            }
        }
        pd.handle_timeout(now);
        if let Some(command) = pd.poll_request() {
            assert!(open, "without a key nothing is asked of the device: {command:?}");
            let reply = match command {
                Command::Output(_) => Reply::Ack,
                Command::LineSettings(LineSettings { baud, .. }) => {
                    Reply::LineSettings(LineSettings { address: at(0), baud })
                }
                Command::Mfg(oui, _) => Reply::Mfg(oui, &[0; 200]),
                _ => Reply::InputStatus(&[0; 8]),
            };
            if source.byte() > 50 && pd.respond(now, &reply).is_err() {
                pd.respond(now, &Reply::Ack).expect("an acknowledgement always fits");
            }
        }
        while let Some(bytes) = pd.poll_transmit(now) {
            let frame = Frame::parse(bytes).expect("the peripheral sends whole frames");
            assert_eq!(frame.header.direction, Direction::Reply);
        }
        let timeout = pd.poll_timeout();
        assert!(timeout.is_none_or(|time| time > now), "what is due was done: {timeout:?}, now {now}");
        while pd.poll_event().is_some() {}
    }
}

/// A peripheral under a panel that has its key and says anything at all over the secure channel.
pub(crate) fn pd_sealed(input: &[u8]) {
    let mut source = Source(input);
    let (key, random) = (Key::new([1; 16]), [9; 8]);
    let identity = Identity { vendor: Oui([1, 2, 3]), model: 1, version: 1, serial: 7, firmware: [0; 3] };
    let config = PdConfig::new(at(0), Baud::DEFAULT, identity, PdSecurity::Required(key.clone()));
    let mut pd: Pd<160, 4, 48> = Pd::new(config, Nonces::new([2; 16]));
    let mut now: Micros = 0;
    let mut sequence = Sequence::RESTART;
    let mut said = |pd: &mut Pd<160, 4, 48>, frame: &[u8]| {
        pd.handle_input(now, frame);
        now += 50_000;
        pd.poll_transmit(now).map(<[u8]>::to_vec)
    };
    let header =
        |sequence| Header { address: 0, direction: Direction::Command, sequence, check: Check::Crc16 };
    let clear = |sequence, scs, command: &Command<'_>| {
        let mut frame = vec![0; 160];
        let block: Option<(Scs, &[u8])> = Some((scs, &[1]));
        let len = write_clear(&mut frame, header(sequence), block, command.code(), |out| command.encode(out));
        frame.truncate(len.expect("a short command"));
        frame
    };
    let challenge = clear(sequence, Scs::Challenge, &Command::Challenge(random));
    let answer = said(&mut pd, &challenge).expect("an answer to the challenge");
    let answer = Frame::parse(&answer).expect("a whole frame");
    let Ok(Reply::ClientCryptogram(client)) = Reply::decode(answer.code, answer.data) else {
        panic!("{answer:x?}")
    };
    let handshake = Handshake::panel(&key, &random, &client).expect("the same key");
    sequence = sequence.next();
    let cryptogram =
        clear(sequence, Scs::ServerCryptogram, &Command::Cryptogram(handshake.server_cryptogram()));
    let answer = said(&mut pd, &cryptogram).expect("an answer to the cryptogram");
    let answer = Frame::parse(&answer).expect("a whole frame");
    let Ok(Reply::InitialMac(mac)) = Reply::decode(answer.code, answer.data) else { panic!("{answer:x?}") };
    let mut session = handshake.confirm(&mac).expect("the same key");

    while !source.is_empty() && pd.is_secure() {
        let (code, len) = (source.byte(), usize::from(source.byte() % 130));
        let data = source.bytes(len);
        let mut frame = [0; 160];
        let sealed = session.seal(&mut frame, header(sequence.next()), code, |out| out.bytes(data));
        let Ok(sealed) = sealed else { continue };
        sequence = sequence.next();
        pd.handle_input(now, &frame[..sealed]);
        if pd.poll_request().is_some() {
            let body = [source.byte(); 100];
            let reply = match source.byte() % 3 {
                0 => Reply::Ack,
                1 => Reply::InputStatus(&body[..8]),
                _ => Reply::Mfg(Oui([1, 2, 3]), &body),
            };
            pd.respond(now, &reply).expect("it fits, and the request is open");
        }
        now += 50_000;
        let mut answer = pd.poll_transmit(now).expect("each sealed command is answered").to_vec();
        // A handshake begun anew ends the channel and is answered in clear.
        assert!(session.open(&mut answer).is_ok() || !pd.is_secure(), "in clear over a channel: {answer:x?}");
    }
}

/// A frame with a right check around any content.
fn framed(source: &mut Source<'_>, direction: Direction, number: u8) -> Vec<u8> {
    let kind = source.byte();
    let check = if kind & 1 == 0 { Check::Crc16 } else { Check::Checksum };
    let header = Header { address: kind >> 7, direction, sequence: Sequence::from_bits(number), check };
    contents(source, header, kind)
}

fn reply_frame(source: &mut Source<'_>, from: u8, sequence: Sequence) -> Vec<u8> {
    let kind = source.byte();
    let header = Header { address: from, direction: Direction::Reply, sequence, check: Check::Crc16 };
    contents(source, header, kind)
}

fn contents(source: &mut Source<'_>, header: Header, kind: u8) -> Vec<u8> {
    const BLOCKS: [Scs; 8] = [
        Scs::Challenge,
        Scs::ClientCryptogram,
        Scs::ServerCryptogram,
        Scs::InitialMac,
        Scs::CommandMac,
        Scs::ReplyMac,
        Scs::CommandSealed,
        Scs::ReplySealed,
    ];
    let code = source.byte();
    let byte = [source.byte()];
    let scs = BLOCKS[usize::from(kind >> 3 & 7)];
    let block: Option<(Scs, &[u8])> = match (kind & 6, scs.has_mac()) {
        (0 | 2, _) => None,
        (_, true) => Some((scs, &[])),
        (_, false) => Some((scs, &byte)),
    };
    let len = usize::from(source.byte() % 140);
    let mut data = source.bytes(len).to_vec();
    if block.is_some_and(|(scs, _)| scs.has_mac()) {
        data.resize(data.len().max(MAC_LEN), 0);
    }
    let mut frame = vec![0; 300];
    let written = write_clear(&mut frame, header, block, code, |out| out.bytes(&data)).expect("short enough");
    frame.truncate(written);
    frame
}

fn session() -> Session {
    let (key, random) = (Key::new([0x31; 16]), [9; 8]);
    let (board, client) = Handshake::peripheral(&key, &random, &[5; 8], [0; 8]);
    let panel = Handshake::panel(&key, &random, &client).expect("the same key");
    board.accept(&panel.server_cryptogram()).expect("the same key").0
}
