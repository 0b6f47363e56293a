//! What is written is read again; what is damaged is not.

use osdp::frame::{Direction, Frame, Header, write_clear};
use osdp::{
    Biometric, Blink, Buzzer, Capability, Check, ClientCryptogram, Command, FileBlock, FileStatus,
    FormattedCard, Handshake, Identity, Key, Keypad, LedColor, LedControl, LineSettings, NakCode, Oui,
    OutputAction, OutputControl, RawCard, Receiver, Records, Reply, SecureError, Sequence, Session,
    TemporaryLed, Text, TextMode, Tone, Writer,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::line::address;

fn blink() -> impl Strategy<Value = Blink> {
    any::<[u8; 4]>().prop_map(|[on_100ms, off_100ms, on, off]| Blink {
        on_100ms,
        off_100ms,
        on: LedColor(on),
        off: LedColor(off),
    })
}

fn led() -> impl Strategy<Value = LedControl> {
    let temporary = prop_oneof![
        Just(TemporaryLed::Keep),
        Just(TemporaryLed::Cancel),
        (blink(), any::<u16>()).prop_map(|(blink, timer)| TemporaryLed::Set(blink, timer)),
    ];
    (any::<[u8; 2]>(), temporary, proptest::option::of(blink()))
        .prop_map(|([reader, led], temporary, permanent)| LedControl { reader, led, temporary, permanent })
}

fn output() -> impl Strategy<Value = OutputControl> {
    (any::<u8>(), proptest::sample::select(OutputAction::ALL), any::<u16>())
        .prop_map(|(output, action, timer_100ms)| OutputControl { output, action, timer_100ms })
}

fn settings() -> impl Strategy<Value = LineSettings> {
    (0..127_u8, any::<u32>()).prop_map(|(at, baud)| LineSettings { address: address(at), baud })
}

fn biometric() -> impl Strategy<Value = Biometric> {
    any::<[u8; 4]>().prop_map(|[reader, part, format, quality]| Biometric { reader, part, format, quality })
}

/// Everything a command can borrow from, and which command it is.
#[derive(Clone, Debug)]
struct Parts {
    which: u8,
    data: Vec<u8>,
    outputs: Vec<OutputControl>,
    leds: Vec<LedControl>,
    settings: LineSettings,
    biometric: Biometric,
    numbers: (u8, u16, u32, [u8; 16]),
    tone: Tone,
    mode: TextMode,
}

fn parts() -> impl Strategy<Value = Parts> {
    (
        (any::<u8>(), vec(any::<u8>(), 0..200), vec(output(), 1..20), vec(led(), 1..8)),
        (settings(), biometric(), any::<(u8, u16, u32, [u8; 16])>()),
        (proptest::sample::select(Tone::ALL), proptest::sample::select(TextMode::ALL)),
    )
        .prop_map(|((which, data, outputs, leds), (settings, biometric, numbers), (tone, mode))| Parts {
            which,
            data,
            outputs,
            leds,
            settings,
            biometric,
            numbers,
            tone,
            mode,
        })
}

impl Parts {
    fn command(&self) -> Command<'_> {
        let data = &self.data[..];
        let (byte, word, long, block) = self.numbers;
        let [a, b, c, d, e, f, g, h, ..] = block;
        let commands = [
            Command::Poll,
            Command::Id,
            Command::Capabilities,
            Command::LocalStatus,
            Command::InputStatus,
            Command::OutputStatus,
            Command::ReaderStatus,
            Command::Output(Records::new(&self.outputs)),
            Command::Led(Records::new(&self.leds)),
            Command::Buzzer(Buzzer { reader: byte, tone: self.tone, on_100ms: a, off_100ms: b, count: c }),
            Command::Text(Text { reader: byte, mode: self.mode, seconds: a, row: b, column: c, text: data }),
            Command::LineSettings(self.settings),
            Command::BioRead(self.biometric),
            Command::BioMatch(self.biometric, data),
            Command::KeySet(Key::new(block)),
            Command::Challenge([a, b, c, d, e, f, g, h]),
            Command::Cryptogram(block),
            Command::ReceiveSize(word),
            Command::File(FileBlock { kind: byte, total: long, offset: long / 2, data }),
            Command::Mfg(Oui([a, b, c]), data),
            Command::ExtendedWrite(data),
            Command::Abort,
            Command::PivData(data),
            Command::GenAuth(data),
            Command::CrAuth(data),
            Command::KeepActive(word),
            Command::Other(0xB0 | byte & 0x0F, data),
        ];
        let which = usize::from(self.which) % commands.len();
        commands[which].clone()
    }

    fn reply<'a>(&'a self, capabilities: &'a [Capability]) -> Reply<'a> {
        let data = &self.data[..];
        let (byte, word, long, block) = self.numbers;
        let [a, b, c, d, e, f, g, h, ..] = block;
        let replies = [
            Reply::Ack,
            Reply::Nak(NakCode::from_byte(byte), data),
            Reply::Identity(Identity {
                vendor: Oui([a, b, c]),
                model: d,
                version: e,
                serial: long,
                firmware: [f, g, h],
            }),
            Reply::Capabilities(Records::new(capabilities)),
            Reply::LocalStatus { tamper: a & 1 == 1, power: b & 1 == 1 },
            Reply::InputStatus(data),
            Reply::OutputStatus(data),
            Reply::ReaderStatus(data),
            Reply::Raw(RawCard { reader: a, format: b, bits: (data.len() * 8) as u16, data }),
            Reply::Formatted(FormattedCard { reader: a, direction: b, characters: data }),
            Reply::Keypad(Keypad { reader: a, keys: data }),
            Reply::LineSettings(self.settings),
            Reply::BioRead(self.biometric, data),
            Reply::BioMatch(a, b, c),
            Reply::ClientCryptogram(ClientCryptogram {
                client_id: [a, b, c, d, e, f, g, h],
                random: [h, g, f, e, d, c, b, a],
                cryptogram: block,
            }),
            Reply::InitialMac(block),
            Reply::Busy,
            Reply::FileStatus(FileStatus {
                control: a,
                delay_ms: word,
                status: long as i16,
                max_message: word ^ 1,
            }),
            Reply::PivData(data),
            Reply::GenAuth(data),
            Reply::CrAuth(data),
            Reply::MfgStatus(data),
            Reply::MfgError(data),
            Reply::Mfg(Oui([a, b, c]), data),
            Reply::ExtendedRead(data),
            Reply::Other(0xE0 | byte & 0x0F, data),
        ];
        replies[usize::from(self.which) % replies.len()]
    }
}

fn header(direction: Direction, sequence: u8, check: Check) -> Header {
    Header { address: 0x25, direction, sequence: Sequence::from_bits(sequence), check }
}

fn sessions() -> (Session, Session) {
    let (key, random) = (Key::new([0x31; 16]), [9; 8]);
    let (board, client) = Handshake::peripheral(&key, &random, &[5; 8], [0; 8]);
    let panel = Handshake::panel(&key, &random, &client).expect("the same key");
    let (board, initial) = board.accept(&panel.server_cryptogram()).expect("the same key");
    (panel.confirm(&initial).expect("the same session"), board)
}

proptest! {
    #[test]
    fn commands_are_read_as_they_were_written(parts in parts()) {
        let command = parts.command();
        let mut buffer = [0; 512];
        let mut writer = Writer::new(&mut buffer);
        command.encode(&mut writer).expect("short enough");
        let len = writer.len();
        prop_assert_eq!(Command::decode(command.code(), &buffer[..len]), Ok(command));
    }

    #[test]
    fn replies_are_read_as_they_were_written(
        parts in parts(),
        lines in vec(any::<[u8; 3]>().prop_map(|[function, level, count]| Capability { function, level, count }), 0..30),
    ) {
        let reply = parts.reply(&lines);
        let mut buffer = [0; 512];
        let mut writer = Writer::new(&mut buffer);
        reply.encode(&mut writer).expect("short enough");
        let len = writer.len();
        prop_assert_eq!(reply.data_len(), Some(len));
        prop_assert_eq!(Reply::decode(reply.code(), &buffer[..len]), Ok(reply));
    }

    #[test]
    fn frames_are_found_behind_noise_and_in_any_portions(
        noise in vec(any::<u8>(), 0..60),
        data in vec(any::<u8>(), 0..100),
        crc in any::<bool>(),
        portion in 1..50_usize,
    ) {
        let check = if crc { Check::Crc16 } else { Check::Checksum };
        let mut frame = [0; 128];
        let len = write_clear(&mut frame, header(Direction::Reply, 2, check), None, 0x50, |out| out.bytes(&data))
            .expect("short enough");
        // Noise may look like the beginning of a long frame: then it takes later frames to see that it was none.
        let mut stream = noise;
        for _ in 0..4 {
            stream.extend_from_slice(&frame[..len]);
        }
        stream.extend_from_slice(&[0; 128]);
        let mut receiver = Receiver::<128>::new();
        let mut found = 0;
        for mut part in stream.chunks(portion) {
            while let Some(outcome) = receiver.advance(&mut part) {
                if outcome.is_ok() && receiver.frame().expect("whole").data == data {
                    found += 1;
                }
            }
        }
        // A false frame that passes the one-byte checksum can swallow what it covers.
        prop_assert!(found >= if crc { 4 } else { 1 }, "{found}");
    }

    #[test]
    fn a_session_carries_both_ways_and_refuses_any_change(
        parts in vec(parts(), 1..6),
        spoil in any::<(usize, u8)>(),
    ) {
        let (mut panel, mut board) = sessions();
        for (index, part) in parts.iter().enumerate() {
            let command = part.command();
            let mut frame = [0; 512];
            let sequence = Sequence::from_bits((index % 3 + 1) as u8);
            let head = Header { sequence, ..header(Direction::Command, 0, Check::Crc16) };
            let len = panel.seal(&mut frame, head, command.code(), |out| command.encode(out)).expect("short");
            let (whole, whole_len) = (frame, len);

            // Any one changed bit, with the check made right again.
            let (at, bit) = (spoil.0 % (len - 2), spoil.1 % 8);
            frame[at] ^= 1 << bit;
            let crc = osdp::crc16(&frame[..len - 2]).to_le_bytes();
            frame[len - 2..len].copy_from_slice(&crc);
            let refused = board.open(&mut frame[..len]);
            prop_assert!(matches!(refused, Err(SecureError::Mac | SecureError::Unsecured)), "{:?}", refused);

            // It has moved nothing: the real one is still accepted.
            frame = whole;
            let data = board.open(&mut frame[..len]).expect("untouched");
            prop_assert_eq!(Command::decode(command.code(), &frame[data]), Ok(command));
            let reply = part.reply(&[]);
            let head = Header { direction: Direction::Reply, ..head };
            let len = board.seal(&mut frame, head, reply.code(), |out| reply.encode(out)).expect("short");
            prop_assert_eq!(len, osdp::sealed_len(reply.data_len().expect("encodes"), Check::Crc16));
            // Once answered, the same command again is refused; until then the sequence number tells a repeat.
            let mut again = whole;
            prop_assert_eq!(board.open(&mut again[..whole_len]), Err(SecureError::Mac));
            let data = panel.open(&mut frame[..len]).expect("untouched");
            prop_assert_eq!(Reply::decode(reply.code(), &frame[data]), Ok(reply));
        }
    }

    #[test]
    fn a_spoilt_frame_is_hardly_ever_taken(
        data in vec(any::<u8>(), 0..100),
        flips in vec((any::<usize>(), 0..8_u8), 1..4),
    ) {
        let mut frame = [0; 128];
        let len = write_clear(&mut frame, header(Direction::Reply, 2, Check::Crc16), None, 0x50, |out| out.bytes(&data))
            .expect("short enough");
        let whole = frame;
        for (at, bit) in flips {
            frame[at % len] ^= 1 << bit;
        }
        // Up to three flipped bits: the CRC finds every one at this length, unless the flag that says
        // whether there is a CRC was hit.
        if frame != whole && frame[4] & 4 != 0 {
            prop_assert!(Frame::parse(&frame[..len]).is_err());
        }
    }
}
