//! A board on a bench: its storage, a bus to a real panel, and time that passes only when told.

use std::collections::VecDeque;
use std::num::NonZeroU8;

use board_logic::{Board, InputSetup, Layout, Read, Setup, Storage, Updates};
use ed25519_dalek::{Signer, SigningKey};
use endpoints::supervision::{Contact, Windows};
use endpoints::vendor::whitelist::{FILE_TYPE, HEADER_LEN, Header, signed_message};
use endpoints::vendor::{
    self, BoardEvent, BoardSettings, FromBoard, Info, Kind, KindSettings, OfflineRule, Reset, ToBoard, What,
};
use endpoints::{Order, Outcome, door, gate_lane};
use osdp::cp::{Event, EventKind, Token};
use osdp::{
    Address, Baud, BusConfig, Command, Cp, DeviceConfig, DeviceSecurity, Key, Nonces, Oui, OutputAction,
    OutputControl, Records,
};
use sha2::{Digest, Sha256};

use crate::flash::{CAPACITY, Flash, block_on};

pub(crate) const SECOND: u64 = 1_000_000;
/// The device's own key in these tests.
pub(crate) const KEY: [u8; 16] = [0x42; 16];
const SERIAL: u32 = 4711;

pub(crate) fn setup(kind: Kind) -> Setup {
    let supervised = |contact| InputSetup { debounce_us: 5_000, contact, windows: Windows::STANDARD };
    let inputs = match kind {
        Kind::Door => door::Input::ALL
            .iter()
            .map(|input| match input {
                door::Input::Contact | door::Input::Fire | door::Input::BreakGlass => {
                    supervised(Contact::NormallyClosed)
                }
                door::Input::Rex => supervised(Contact::NormallyOpen),
                door::Input::Tamper | door::Input::Mains | door::Input::Battery => InputSetup::plain(100),
            })
            .collect(),
        Kind::GateLane => gate_lane::Input::ALL.iter().map(|_| InputSetup::plain(5)).collect(),
    };
    Setup {
        kind,
        address: address(),
        baud: Baud::new(115_200).unwrap(),
        model: 1,
        serial: SERIAL,
        firmware: [0, 1, 0],
        inputs,
        readers: 2,
        display: true,
        allow_clear: false,
        reset: Reset::PowerOn,
    }
}

fn address() -> Address {
    Address::new(5).unwrap()
}

/// Signs whitelists in these tests.
pub(crate) fn signer() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// A card of 26 bits as the reader sends it.
pub(crate) fn card(number: u16) -> Read {
    let [high, low] = number.to_be_bytes();
    Read::Card { bits: 26, data: [0x12, high, low, 0x40, 0, 0, 0, 0] }
}

/// A whitelist file for these cards.
pub(crate) fn whitelist(
    list: u32,
    cards: &[u16],
    issued_us: i64,
    expires_us: i64,
    signer: &SigningKey,
) -> Vec<u8> {
    let salt = [9; 16];
    let mut entries: Vec<[u8; 8]> = cards
        .iter()
        .map(|number| {
            let Read::Card { bits, data } = card(*number) else { panic!("a card") };
            let hash = Sha256::new()
                .chain_update(salt)
                .chain_update([1])
                .chain_update(bits.to_be_bytes())
                .chain_update(&data[..4])
                .finalize();
            hash[..8].try_into().unwrap()
        })
        .collect();
    entries.sort_unstable();
    let count = entries.len().try_into().unwrap();
    let header = Header { list, board: SERIAL, issued_us, expires_us, salt, count };
    let mut file = vec![0; HEADER_LEN];
    header.encode(&mut file).unwrap();
    file.extend(entries.iter().flatten());
    let signature = signer.sign(&signed_message(&Sha256::digest(&file).into()));
    file.extend(signature.to_bytes());
    file
}

/// Settings of a door with a whitelist, known to be signed by [`signer`].
pub(crate) fn settings(offline: OfflineRule) -> BoardSettings {
    BoardSettings {
        offline_after_s: 8,
        offline,
        whitelist_key: signer().verifying_key().to_bytes(),
        ..BoardSettings::door()
    }
}

/// How the controller is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Connected,
    /// What the board says is lost.
    OneWay,
    Cut,
}

pub(crate) struct Bench {
    pub(crate) board: Board,
    storage: Option<Storage<Flash>>,
    pub(crate) flash: Flash,
    pub(crate) setup: Setup,
    /// Where updates go, if they do.
    pub(crate) updates: Option<Updates>,
    panel: Cp<1, 8>,
    wire: Wire,
    pub(crate) now: u64,
    tokens: u64,
    pub(crate) told: VecDeque<Event>,
    /// Board events the controller got, in order, and acknowledges at once.
    pub(crate) events: Vec<BoardEvent>,
    /// The epoch they are of.
    pub(crate) epoch: u32,
    /// Whether it acknowledges them.
    pub(crate) acknowledges: bool,
    /// Whether it takes any.
    pub(crate) deaf: bool,
    /// How many events the board told, those it told again included.
    pub(crate) sayings: usize,
    starts: u8,
}

impl Bench {
    /// A board of this kind with an empty flash, and a panel that installs its key.
    pub(crate) fn new(kind: Kind) -> Bench {
        let mut bench = Bench::without_panel(kind, Flash::new());
        bench.connect(DeviceSecurity::Install { key: Key::new(KEY), until: u64::MAX });
        bench.until("online", |b| b.panel.is_secure(address()));
        bench
    }

    pub(crate) fn without_panel(kind: Kind, flash: Flash) -> Bench {
        Bench::set_up(setup(kind), flash)
    }

    pub(crate) fn set_up(setup: Setup, flash: Flash) -> Bench {
        let mut bench = Bench {
            board: Board::new(setup.clone()),
            storage: None,
            flash,
            setup,
            updates: None,
            panel: Cp::new(BusConfig::new(Baud::new(115_200).unwrap()), Nonces::new([3; 16])),
            wire: Wire::Cut,
            now: 0,
            tokens: 0,
            told: VecDeque::new(),
            events: Vec::new(),
            epoch: 0,
            acknowledges: true,
            deaf: false,
            sayings: 0,
            starts: 0,
        };
        bench.start();
        bench
    }

    /// Power comes (again): time goes on, the board knows only what is in flash.
    pub(crate) fn start(&mut self) {
        self.starts += 1;
        self.board = Board::new(self.setup.clone());
        let mut layout = Layout::new::<Flash>(CAPACITY as u32).unwrap();
        if let Some(updates) = self.updates.clone() {
            layout = layout.with_updates::<Flash>(updates).unwrap();
        }
        let opened = block_on(Storage::open(self.flash.clone(), layout, [self.starts; 16]));
        let Ok((storage, restored)) = opened else { panic!("the flash opens") };
        self.storage = Some(storage);
        self.board.restore(self.now, restored);
        let inputs = self.setup.inputs.len();
        for number in 0..inputs {
            self.board.handle_input(self.now, number as u8, false);
        }
        self.turn();
    }

    pub(crate) fn connect(&mut self, security: DeviceSecurity) {
        self.panel.add(self.now, DeviceConfig::new(address(), security)).unwrap();
        self.wire = Wire::Connected;
    }

    /// Another controller in the place of this one.
    pub(crate) fn connect_another(&mut self, security: DeviceSecurity) {
        self.panel = Cp::new(BusConfig::new(Baud::new(115_200).unwrap()), Nonces::new([4; 16]));
        self.connect(security);
    }

    pub(crate) fn cut_wire(&mut self) {
        self.wire = Wire::Cut;
    }

    /// From now on what the board says is lost.
    pub(crate) fn lose_replies(&mut self) {
        self.wire = Wire::OneWay;
    }

    pub(crate) fn mend_wire(&mut self) {
        self.wire = Wire::Connected;
        self.panel.probe(self.now, address());
    }

    /// Everything that is due now: jobs, bytes both ways.
    pub(crate) fn turn(&mut self) {
        loop {
            let mut moved = false;
            self.board.handle_timeout(self.now);
            self.panel.handle_timeout(self.now);
            while let (Some(job), Some(storage)) = (self.board.next_job(), &mut self.storage) {
                let done = block_on(storage.perform(job));
                self.board.job_done(self.now, done);
                moved = true;
            }
            if let Some(bytes) = self.panel.poll_transmit(self.now).map(<[u8]>::to_vec) {
                if self.wire != Wire::Cut {
                    self.board.handle_serial(self.now, &bytes);
                }
                moved = true;
            }
            if let Some(bytes) = self.board.poll_transmit(self.now).map(<[u8]>::to_vec) {
                if self.wire == Wire::Connected {
                    self.panel.handle_input(self.now, &bytes);
                }
                moved = true;
            }
            while let Some(event) = self.panel.poll_event() {
                self.hear(event);
                moved = true;
            }
            if !moved {
                return;
            }
        }
    }

    /// Time passes; both sides are woken exactly when they asked.
    pub(crate) fn wait(&mut self, us: u64) {
        let end = self.now + us;
        while self.now < end {
            let due = [self.board.deadline(self.now), self.panel.poll_timeout(), Some(end)];
            let next = due.into_iter().flatten().min().unwrap();
            self.now = next.clamp(self.now + 1, end);
            self.turn();
        }
    }

    /// Waits, at most a minute of virtual time.
    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&Bench) -> bool) {
        let start = self.now;
        while !holds(self) {
            assert!(self.now < start + 60 * SECOND, "waited in vain: {what}");
            self.wait(1_000);
        }
    }

    fn hear(&mut self, event: Event) {
        if let EventKind::Mfg { oui: Oui(vendor::OUI), data, .. } = &event.kind
            && let Ok(FromBoard::Events { epoch, events }) = FromBoard::decode(data)
        {
            let events: Vec<_> = events.map(Result::unwrap).collect();
            self.sayings += events.len();
            if self.deaf {
                return;
            }
            if epoch != self.epoch {
                self.epoch = epoch;
                self.events.clear();
            }
            for event in events {
                // What was told before and not acknowledged comes again; what is missing is waited for.
                if self.events.last().is_none_or(|known| event.seq == known.seq + 1) {
                    self.events.push(event);
                }
            }
            if let (true, Some(up_to)) = (self.acknowledges, self.events.last().map(|e| e.seq)) {
                self.send(ToBoard::Ack { epoch, up_to });
            }
            return;
        }
        self.told.push_back(event);
    }

    pub(crate) fn submit(&mut self, command: &Command<'_>) -> Token {
        self.tokens += 1;
        let token = Token(self.tokens);
        self.panel.submit(self.now, address(), command, token, self.now + 10 * SECOND).unwrap();
        token
    }

    /// Submits, and waits until it is answered; says how.
    pub(crate) fn ask(&mut self, command: &Command<'_>) -> Vec<EventKind> {
        self.told.clear();
        let token = self.submit(command);
        let over = |b: &Bench| {
            b.told.iter().any(|e| match &e.kind {
                EventKind::Done(t) | EventKind::Failed(t, _) => *t == token,
                _ => false,
            })
        };
        self.until("an answer", over);
        self.told.drain(..).map(|e| e.kind).collect()
    }

    fn send(&mut self, message: ToBoard) -> Token {
        let mut body = [0; vendor::MAX_BODY];
        let used = message.encode(&mut body).unwrap();
        self.submit(&Command::Mfg(Oui(vendor::OUI), &body[..used]))
    }

    pub(crate) fn ask_board(&mut self, message: ToBoard) -> Vec<EventKind> {
        let mut body = [0; vendor::MAX_BODY];
        let used = message.encode(&mut body).unwrap();
        self.ask(&Command::Mfg(Oui(vendor::OUI), &body[..used]))
    }

    pub(crate) fn hello(&mut self) -> Info {
        let answers = self.ask_board(ToBoard::Hello);
        answers
            .iter()
            .find_map(|kind| match kind {
                EventKind::Mfg { data, token: Some(_), .. } => match FromBoard::decode(data) {
                    Ok(FromBoard::Info(info)) => Some(info),
                    _ => None,
                },
                _ => None,
            })
            .unwrap_or_else(|| panic!("an Info among {answers:?}"))
    }

    pub(crate) fn configure(&mut self, settings: BoardSettings) {
        let answers = self.ask_board(ToBoard::Configure(settings));
        assert!(answers.iter().any(|a| matches!(a, EventKind::Done(_))), "{answers:?}");
    }

    pub(crate) fn set_clock(&mut self, utc_us: i64) {
        self.ask_board(ToBoard::SetClock { utc_us });
    }

    pub(crate) fn order(&mut self, id: u64, order: Order, for_ms: u32) -> Outcome {
        let answers = self.ask_board(ToBoard::Command { id, order, for_ms });
        answers
            .iter()
            .find_map(|kind| match kind {
                EventKind::Mfg { data, .. } => match FromBoard::decode(data) {
                    Ok(FromBoard::Outcome { id: of, outcome }) if of == id => Some(outcome),
                    _ => None,
                },
                _ => None,
            })
            .unwrap_or_else(|| panic!("an outcome among {answers:?}"))
    }

    pub(crate) fn out(&mut self, output: u8, action: OutputAction, timer_100ms: u16) -> Vec<EventKind> {
        let controls = [OutputControl { output, action, timer_100ms }];
        self.ask(&Command::Output(Records::new(&controls)))
    }

    /// Transfers a whitelist; says whether the board took it.
    pub(crate) fn transfer(&mut self, file: &[u8]) -> bool {
        self.transfer_file(FILE_TYPE, file, 0, u32::MAX)
    }

    /// Transfers a file from a byte on, and stops before another; says whether the board took it.
    pub(crate) fn transfer_file(&mut self, kind: u8, file: &[u8], from: u32, stop: u32) -> bool {
        self.tokens += 1;
        let token = Token(self.tokens);
        self.panel.resume_file(address(), kind, file.len() as u32, from, token).unwrap();
        for _ in 0..60_000 {
            self.wait(1_000);
            if self
                .told
                .iter()
                .any(|e| matches!(e.kind, EventKind::FileWanted { offset, .. } if offset >= stop))
            {
                self.told.clear();
                return false;
            }
            while let Some(event) = self.told.pop_front() {
                match event.kind {
                    EventKind::FileWanted { offset, len, .. } => {
                        let offset = offset as usize;
                        let end = (offset + len).min(file.len());
                        assert!(self.panel.file_block(address(), &file[offset..end]));
                    }
                    EventKind::Done(t) if t == token => return true,
                    EventKind::Failed(t, _) if t == token => return false,
                    _ => {}
                }
            }
        }
        panic!("the transfer never ends");
    }

    /// An input's level, held until told otherwise.
    pub(crate) fn input(&mut self, number: u8, active: bool) {
        self.board.handle_input(self.now, number, active);
        self.turn();
    }

    /// The reset button's state.
    pub(crate) fn button(&mut self, pressed: bool) {
        self.board.handle_button(self.now, pressed);
        self.turn();
    }

    /// Pressed for so long.
    pub(crate) fn press(&mut self, number: u8, us: u64) {
        self.input(number, true);
        self.wait(us);
        self.input(number, false);
    }

    pub(crate) fn show(&mut self, reader: u8, read: Read) {
        self.board.handle_read(self.now, reader, read);
        self.turn();
    }

    pub(crate) fn is_on(&self, number: u8) -> bool {
        self.board.outputs().is_on(number)
    }

    pub(crate) fn has(&self, what: What) -> bool {
        self.events.iter().any(|e| e.what == what)
    }

    pub(crate) fn panel_heard(&self, holds: impl Fn(&EventKind) -> bool) -> bool {
        self.told.iter().any(|e| holds(&e.kind))
    }

    pub(crate) fn panel_is_secure(&self) -> bool {
        self.panel.is_secure(address())
    }
}

/// A strike time for settings.
pub(crate) fn strike(s: u8) -> KindSettings {
    KindSettings::Door(door::Settings { strike_s: NonZeroU8::new(s).unwrap(), ..door::Settings::default() })
}
