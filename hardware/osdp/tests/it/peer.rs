//! Against libosdp, a C implementation by others, over a pseudo-terminal.

use std::time::{Duration, Instant};

use osdp::{
    Baud, Blink, BusConfig, Command, Cp, DeviceConfig, DeviceSecurity, Event, EventKind, FileStatus, Key,
    LedColor, LedControl, Micros, NakCode, Nonces, Oui, OutputAction, OutputControl, Pd, PdConfig,
    PdSecurity, RawCard, Records, Reply, SubmitError, TemporaryLed, Text, TextMode, Token, function,
};

use crate::line::{address, identity};
use crate::pty::{Line, Peer};

const KEY: [u8; 16] =
    [0x94, 0x4b, 0x8e, 0xdd, 0xcb, 0xaa, 0x2b, 0x5f, 0xe2, 0xb0, 0x14, 0x8d, 0x1b, 0x2f, 0x95, 0xc9];
const LIMIT: Duration = Duration::from_secs(20);
const HOUR: Micros = 3_600_000_000;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn baud() -> Baud {
    Baud::new(115_200).expect("not zero")
}

/// Our panel, libosdp's peripheral.
struct PanelBench {
    line: Line,
    peer: Peer,
    cp: Box<Cp<4, 8>>,
    events: Vec<EventKind>,
    file: Vec<u8>,
}

impl PanelBench {
    fn start(security: DeviceSecurity, peer_key: &str, flags: &[&str]) -> Self {
        let line = Line::open();
        let mut arguments = vec!["pd", line.path.as_str(), "9", peer_key];
        arguments.extend(flags);
        let peer = Peer::start(&arguments);
        let mut cp = Box::new(Cp::new(BusConfig::new(baud()), Nonces::new([3; 16])));
        cp.add(line.now(), DeviceConfig::new(address(9), security)).expect("a place");
        Self { line, peer, cp, events: Vec::new(), file: Vec::new() }
    }

    fn turn(&mut self) {
        let bytes = self.line.read(self.cp.poll_timeout());
        let now = self.line.now();
        if !bytes.is_empty() {
            self.cp.handle_input(now, &bytes);
        }
        self.cp.handle_timeout(now);
        while let Some(Event { kind, address }) = self.cp.poll_event() {
            if let EventKind::FileWanted { offset, len, .. } = kind {
                let from = offset as usize;
                assert!(self.cp.file_block(address, &self.file[from..from + len]));
            }
            self.events.push(kind);
        }
        if let Some(frame) = self.cp.poll_transmit(now) {
            let frame = frame.to_vec();
            self.line.write(&frame);
        }
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + LIMIT;
        while !done(self) {
            assert!(Instant::now() < end, "{what}: ours {:?}, peer {:?}", self.events, self.peer.said);
            self.turn();
        }
    }

    fn until_event(&mut self, what: &str, wanted: impl Fn(&EventKind) -> bool) {
        self.until(what, |bench| bench.events.iter().any(&wanted));
    }

    fn submit(&mut self, command: &Command<'_>, token: u64) -> Result<(), SubmitError> {
        let now = self.line.now();
        self.cp.submit(now, address(9), command, Token(token), now + HOUR)
    }
}

#[test]
fn our_panel_drives_their_peripheral() {
    let key = Key::new(KEY);
    let mut bench = PanelBench::start(DeviceSecurity::Required(key), &hex(&KEY), &["enforce"]);
    bench.until_event("on-line", |kind| matches!(kind, EventKind::Online { secure: true, .. }));

    let output = OutputControl { output: 1, action: OutputAction::OnForTimer, timer_100ms: 50 };
    bench.submit(&Command::Output(Records::new(&[output])), 1).expect("offered");
    let led = LedControl {
        reader: 0,
        led: 0,
        temporary: TemporaryLed::Keep,
        permanent: Some(Blink::steady(LedColor::GREEN)),
    };
    bench.submit(&Command::Led(Records::new(&[led])), 2).expect("offered");
    let text = Text { reader: 0, mode: TextMode::Permanent, seconds: 0, row: 1, column: 1, text: b"Welcome" };
    bench.submit(&Command::Text(text), 3).expect("offered");
    bench.submit(&Command::Mfg(Oui([0xBE, 0xBA, 0xFE]), b"hello"), 4).expect("offered");
    for token in 1..=4 {
        bench.until_event("done", |kind| *kind == EventKind::Done(Token(token)));
    }
    bench.until("the peer saw all", |bench| {
        ["output 1 5 50", "led 0 2", "text 57656c636f6d65", "mfg febabe 68656c6c6f"]
            .iter()
            .all(|line| bench.peer.has_said(line))
    });

    bench.peer.tell("card 26 12345680");
    bench.until_event("card", |kind| {
        matches!(kind, EventKind::Card(card) if card.bits == 26 && card.data == [0x12, 0x34, 0x56, 0x80])
    });
    bench.peer.tell("keys 31323334");
    bench.until_event("keys", |kind| matches!(kind, EventKind::Keys(keys) if keys.keys == *b"1234"));
    bench.peer.tell("status local 0100");
    bench.until_event("tamper", |kind| *kind == EventKind::LocalStatus { tamper: true, power: false });
    bench.peer.tell("status input 00010000");
    bench.until_event("inputs", |kind| matches!(kind, EventKind::Inputs(points) if *points == [0, 1, 0, 0]));
    bench.peer.tell("mfgrep febabe 0102");
    bench.until_event(
        "mfg",
        |kind| matches!(kind, EventKind::Mfg { data, token: None, .. } if **data == [1, 2]),
    );

    // It has no buzzer: refused to the caller, and never sent.
    let buzzer = osdp::Buzzer { reader: 0, tone: osdp::Tone::Default, on_100ms: 1, off_100ms: 1, count: 1 };
    let refusal = SubmitError::Unsupported { function: function::AUDIBLE_OUTPUT };
    assert_eq!(bench.submit(&Command::Buzzer(buzzer), 5), Err(refusal));
    // A refusal by the device drops nothing.
    bench.submit(&Command::LocalStatus, 6).expect("always offered");
    bench.until("settled", |bench| {
        bench
            .events
            .iter()
            .any(|kind| matches!(kind, EventKind::Done(Token(6)) | EventKind::Failed(Token(6), _)))
    });
    assert!(bench.cp.is_secure(address(9)), "{:?}", bench.events);
}

#[test]
fn our_panel_sends_their_peripheral_a_file() {
    let mut bench = PanelBench::start(DeviceSecurity::Required(Key::new(KEY)), &hex(&KEY), &["enforce"]);
    bench.until_event("on-line", |kind| matches!(kind, EventKind::Online { .. }));
    bench.file = (0..3000_u32).map(|n| (n * 7 % 251) as u8).collect();
    bench.cp.send_file(address(9), 1, 3000, Token(1)).expect("on-line");
    bench.until_event("sent", |kind| *kind == EventKind::Done(Token(1)));
    let whole = format!("file {}", hex(&bench.file));
    bench.until("written", |bench| bench.peer.has_said(&whole));
}

#[test]
fn our_panel_installs_a_key_in_their_peripheral() {
    let own = Key::new([0x42; 16]);
    let security = DeviceSecurity::Install { key: own, until: HOUR };
    let mut bench = PanelBench::start(security, "-", &["install"]);
    bench.until_event("on-line", |kind| matches!(kind, EventKind::Online { secure: true, .. }));
    assert!(bench.events.contains(&EventKind::KeyInstalled));
    bench.until("the peer got the key", |bench| bench.peer.has_said(&format!("keyset {}", hex(&[0x42; 16]))));
}

#[test]
fn their_peripheral_with_another_key_is_off_line_and_hears_no_command() {
    let security = DeviceSecurity::Required(Key::new([1; 16]));
    let mut bench = PanelBench::start(security, &hex(&KEY), &["enforce"]);
    bench.until_event("refused", |kind| *kind == EventKind::Offline(osdp::OfflineReason::KeyRefused));
    assert_eq!(bench.submit(&Command::LocalStatus, 1), Err(SubmitError::Offline));
}

/// Our peripheral, libosdp's panel.
struct BoardBench {
    line: Line,
    peer: Peer,
    pd: Pd,
    driven: Vec<OutputControl>,
    texts: Vec<Vec<u8>>,
    makers: Vec<Vec<u8>>,
    keys: Vec<Key>,
    file: Vec<u8>,
}

impl BoardBench {
    fn start(security: PdSecurity, peer_key: &str, flags: &[&str]) -> Self {
        let line = Line::open();
        let mut config = PdConfig::new(address(9), baud(), identity(7), security);
        for (code, level, count) in [
            (function::CONTACT_STATUS, 1, 4),
            (function::OUTPUT_CONTROL, 1, 2),
            (function::TEXT_OUTPUT, 1, 1),
        ] {
            config = config.with_capability(code, level, count).expect("a few");
        }
        let pd = Pd::new(config, Nonces::new([5; 16]));
        let mut arguments = vec!["cp", line.path.as_str(), "9", peer_key];
        arguments.extend(flags);
        let peer = Peer::start(&arguments);
        let (driven, texts, makers, keys, file) = Default::default();
        Self { line, peer, pd, driven, texts, makers, keys, file }
    }

    fn turn(&mut self) {
        let bytes = self.line.read(self.pd.poll_timeout());
        let now = self.line.now();
        self.pd.handle_input(now, &bytes);
        self.pd.handle_timeout(now);
        while self.pd.poll_event().is_some() {}
        let mut file_status = None;
        if let Some(command) = self.pd.poll_request() {
            let reply = match command {
                Command::Output(records) => {
                    self.driven.extend(records.iter());
                    // This panel expects the outputs' state, not just an acknowledgement.
                    Reply::OutputStatus(&[0, 1])
                }
                Command::InputStatus => Reply::InputStatus(&[0, 1, 0, 1]),
                Command::Text(text) => {
                    self.texts.push(text.text.to_vec());
                    Reply::Ack
                }
                Command::Mfg(oui, data) => {
                    self.makers.push(data.to_vec());
                    Reply::Mfg(oui, b"pong")
                }
                Command::KeySet(key) => {
                    self.keys.push(key);
                    Reply::Ack
                }
                Command::File(block) => {
                    self.file.extend_from_slice(block.data);
                    let status = if self.file.len() == block.total as usize { 1 } else { 0 };
                    file_status = Some(FileStatus { control: 1, delay_ms: 0, status, max_message: 0 });
                    Reply::Ack
                }
                other => {
                    assert!(!matches!(other, Command::Poll), "answered by the peripheral itself");
                    Reply::Nak(NakCode::UnknownCommand, &[])
                }
            };
            let reply = file_status.map_or(reply, Reply::FileStatus);
            self.pd.respond(now, &reply).expect("open and short");
        }
        if let Some(frame) = self.pd.poll_transmit(now) {
            let frame = frame.to_vec();
            self.line.write(&frame);
        }
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + LIMIT;
        while !done(self) {
            assert!(Instant::now() < end, "{what}: {:?}, peer {:?}", self.pd.statistics(), self.peer.said);
            self.turn();
        }
    }
}

#[test]
fn their_panel_drives_our_peripheral() {
    let mut bench = BoardBench::start(PdSecurity::Required(Key::new(KEY)), &hex(&KEY), &["enforce"]);
    bench.until("on-line and secure", |bench| bench.peer.has_said("link 1 1"));
    assert!(bench.pd.is_secure());

    bench.peer.tell("output 1 5 50");
    bench.until("output", |bench| !bench.driven.is_empty());
    let expected = OutputControl { output: 1, action: OutputAction::OnForTimer, timer_100ms: 50 };
    assert_eq!(bench.driven, [expected]);
    bench.peer.tell("text 57656c636f6d65");
    bench.until("text", |bench| bench.texts == [b"Welcome"]);
    bench.peer.tell("mfg febabe 0102");
    bench.until("mfg answered", |bench| bench.peer.has_said("mfgrep febabe 706f6e67"));
    assert_eq!(bench.makers, [[1, 2]]);
    bench.peer.tell("istat");
    bench.until("inputs", |bench| bench.peer.has_said("status 0 00010001"));

    let now = bench.line.now();
    let card = RawCard { reader: 0, format: 1, bits: 26, data: &[0x12, 0x34, 0x56, 0x80] };
    bench.pd.post(now, &Reply::Raw(card)).expect("room");
    bench.until("card", |bench| bench.peer.has_said("card 26 12345680"));
    bench.pd.post(now, &Reply::Keypad(osdp::Keypad { reader: 0, keys: b"1234" })).expect("room");
    bench.until("keys", |bench| bench.peer.has_said("keys 31323334"));
    assert_eq!(bench.pd.statistics().bad_macs, 0);
}

#[test]
fn their_panel_sends_our_peripheral_a_file() {
    let mut bench = BoardBench::start(PdSecurity::Required(Key::new(KEY)), &hex(&KEY), &["enforce"]);
    bench.until("secure", |bench| bench.peer.has_said("link 1 1"));
    let file: Vec<u8> = (0..2000_u32).map(|n| (n * 11 % 251) as u8).collect();
    bench.peer.tell(&format!("file {}", hex(&file)));
    bench.until("received", |bench| bench.file.len() >= file.len());
    assert!(bench.file == file);
}

#[test]
fn their_panel_installs_a_new_key_in_our_peripheral() {
    let mut bench = BoardBench::start(PdSecurity::Required(Key::new(KEY)), &hex(&KEY), &[]);
    bench.until("secure", |bench| bench.peer.has_said("link 1 1"));
    bench.peer.tell(&format!("keyset {}", hex(&[0x42; 16])));
    bench.until("installed", |bench| !bench.keys.is_empty());
    let new = PdSecurity::Required(Key::new([0x42; 16]));
    bench.until("secure with the new key", |bench| bench.pd.is_secure() && *bench.pd.security() == new);
}

#[test]
fn our_peripheral_refuses_their_panel_in_clear() {
    let mut bench = BoardBench::start(PdSecurity::Required(Key::new([9; 16])), &hex(&KEY), &[]);
    bench.until("refused", |bench| bench.pd.statistics().naks > 0);
    bench.peer.tell("output 1 5 50");
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        bench.turn();
    }
    assert!(bench.driven.is_empty());
}
