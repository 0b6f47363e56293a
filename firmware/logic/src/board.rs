//! The board: inputs, readers and bytes in; outputs, bytes and storage jobs out.

use endpoints::supervision::{Contact, Windows};
use endpoints::vendor::{BoardSettings, Kind, Reset, What};
use endpoints::{Command, Link, Outcome, Sense};
use heapless::{Deque, Vec};
use osdp::{Address, Baud, Identity, Nonces, Oui, Pd, PdConfig, PdSecurity, RawCard, Reply, function};

use crate::endpoint::{Endpoint, Given, Happening, Shape, shape};
use crate::install::{Button, Window};
use crate::job::{Done, Job, ListHead, Restored};
use crate::journal::Journal;
use crate::lamps::{Lamps, Text, red_green};
use crate::lines::DebouncedLine;
use crate::local::{EXIT_READER, Local};
use crate::panel::{Answer, Expected};
use crate::update::Updating;
use crate::wiegand::{Line, Read, Wiegand};

pub(crate) const MAX_INPUTS: usize = 16;
pub(crate) const MAX_READERS: usize = 2;
/// Numbers of commands remembered, so that a repeat does nothing.
const REMEMBERED: usize = 16;
/// Poll replies up to [`endpoints::vendor::MAX_BODY`] and the OUI.
pub(crate) type Peripheral = Pd<256, 8, 112>;

/// What a board is told once, from its pin map and its address switches.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which kind of endpoint it serves.
    pub kind: Kind,
    /// Its address on the bus.
    pub address: Address,
    /// The bus's speed.
    pub baud: Baud,
    /// Model number, from the pin map.
    pub model: u8,
    /// Serial number.
    pub serial: u32,
    /// Firmware version.
    pub firmware: [u8; 3],
    /// The inputs in OSDP order, as many as the kind has.
    pub inputs: Vec<InputSetup, MAX_INPUTS>,
    /// How many readers are wired, 1 or 2.
    pub readers: u8,
    /// Whether the readers have a text display.
    pub display: bool,
    /// Whether a panel may speak in clear while no key is set (for panels without secure channel; the door then ranks weak).
    pub allow_clear: bool,
    /// Why the board started.
    pub reset: Reset,
}

/// One input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InputSetup {
    /// A level must stand this long, µs; at most 200 ms.
    pub debounce_us: u32,
    /// Supervised: the contact at rest.
    pub contact: Contact,
    /// Supervised: the windows.
    pub windows: Windows,
}

impl InputSetup {
    /// An input that is not supervised.
    pub const fn plain(debounce_ms: u32) -> InputSetup {
        InputSetup {
            debounce_us: debounce_ms * 1000,
            contact: Contact::NormallyOpen,
            windows: Windows::STANDARD,
        }
    }
}

/// All outputs, bit n the output with OSDP number n.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outputs(pub u16);

impl Outputs {
    /// Whether output `number` is on.
    pub const fn is_on(self, number: u8) -> bool {
        self.0 & (1 << number) != 0
    }
}

/// A board. See the crate's page; look at [`Board::outputs`], [`Board::poll_transmit`], [`Board::next_job`] and
/// [`Board::deadline`] after every call.
pub struct Board {
    pub(crate) setup: Setup,
    pub(crate) settings: BoardSettings,
    pub(crate) endpoint: Endpoint,
    lines: Vec<DebouncedLine, MAX_INPUTS>,
    wiegand: [Wiegand; MAX_READERS],
    pub(crate) lamps: [Lamps; MAX_READERS],
    /// The sounder as the panel commands it.
    pub(crate) sounder: Sounder,
    outputs: Outputs,
    pub(crate) pd: Option<Peripheral>,
    pub(crate) expected: Expected,
    /// The answer to a command that was carried out.
    pub(crate) owed: Option<Answer>,
    /// The controller said Hello on this link.
    pub(crate) subscribed: bool,
    pub(crate) link: LinkState,
    seen: Deque<u64, REMEMBERED>,
    pub(crate) clock: Option<Clock>,
    pub(crate) journal: Journal,
    pub(crate) local: Local,
    pub(crate) jobs: Deque<Job, 4>,
    in_flight: Option<InFlight>,
    restored: bool,
    pub(crate) untold_status: UntoldStatus,
    pub(crate) button: Button,
    pub(crate) window: Window,
    /// What the secure channel's random numbers begin with.
    pub(crate) seed: [u8; 16],
    /// Reads that no card was made of, since start.
    bad_reads: u32,
    pub(crate) update: Updating,
    /// Inputs that were read since the start, and those of them by their voltage; bit n the input with number n.
    pub(crate) heard: u16,
    pub(crate) voltages: u16,
}

/// What a panel that does not fetch our events has not yet been told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct UntoldStatus {
    pub(crate) inputs: bool,
    pub(crate) local: bool,
}

/// The sounder under the panel's command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sounder {
    Off,
    On,
    Until(u64),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LinkState {
    pub(crate) state: Link,
    /// Commands the peripheral had taken when it was last looked at.
    commands: u32,
    heard_at: u64,
}

/// The wall clock: what it was at a moment of the monotonic one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Clock {
    pub(crate) utc_us: i64,
    pub(crate) at: u64,
}

impl Clock {
    pub(crate) fn now(self, now: u64) -> i64 {
        self.utc_us.saturating_add_unsigned(now.saturating_sub(self.at))
    }
}

/// The job the storage is at.
enum InFlight {
    Append(endpoints::vendor::BoardEvent),
    Acked(u32),
    Fetch(u32),
    Lookup,
    EraseKey,
    Update,
    /// What the panel waits for.
    Expected,
}

impl Board {
    /// A board that has just started: everything locked, outputs safe. Inputs and outputs work at once; the bus and the log wait for
    /// [`Board::restore`].
    ///
    /// # Panics
    /// If the setup has another number of inputs than its kind, or no reader or more than two.
    pub fn new(setup: Setup) -> Board {
        let shape = shape(setup.kind);
        assert_eq!(setup.inputs.len(), usize::from(shape.inputs), "as many inputs as the kind has");
        assert!((1..=MAX_READERS).contains(&usize::from(setup.readers)), "one or two readers");
        let settings = match setup.kind {
            Kind::Door => BoardSettings::door(),
            Kind::GateLane => BoardSettings::gate_lane(),
        };
        let lines = setup.inputs.iter().map(|i| DebouncedLine::new(i.debounce_us.into())).collect();
        let mut board = Board {
            endpoint: Endpoint::new(settings.kind),
            settings,
            lines,
            wiegand: [Wiegand::new(), Wiegand::new()],
            lamps: [Lamps::default(), Lamps::default()],
            sounder: Sounder::Off,
            outputs: Outputs(0),
            pd: None,
            expected: Expected::Nothing,
            owed: None,
            subscribed: false,
            link: LinkState { state: Link::Down, commands: 0, heard_at: 0 },
            seen: Deque::new(),
            clock: None,
            journal: Journal::new(),
            local: Local::new(),
            jobs: Deque::new(),
            in_flight: None,
            restored: false,
            untold_status: UntoldStatus::default(),
            button: Button::Unheard,
            window: Window::Closed,
            seed: [0; 16],
            bad_reads: 0,
            update: Updating::new(),
            heard: 0,
            voltages: 0,
            setup,
        };
        let started = What::Started(board.setup.reset);
        board.journal.record(0, None, started);
        board.step(0, Given::Tick);
        board.refresh(0);
        board
    }

    /// What the storage knew from before: the bus and the log begin.
    pub fn restore(&mut self, now: u64, restored: Restored) {
        self.journal.restore(restored.boot, restored.epoch, restored.oldest, restored.newest, restored.acked);
        if restored.lost > 0 {
            self.record(now, What::Lost { count: restored.lost });
        }
        if let Some(settings) = restored.settings.filter(|s| self.endpoint.takes(s)) {
            self.settings = settings;
            self.endpoint.set_settings(settings.kind);
        }
        self.local.list = restored.list;
        self.restore_update(now, restored.update);
        self.seed = restored.seed;
        let security = if restored.key_lost { self.closed() } else { self.security(now, restored.key) };
        self.pd = Some(Pd::new(self.peripheral(security), Nonces::new(restored.seed)));
        self.restored = true;
        self.settle(now);
    }

    /// An input's level, with the time it began: active or at rest. Tell every input once at the start.
    pub fn handle_input(&mut self, now: u64, number: u8, active: bool) {
        self.level(now, number, if active { Sense::Active } else { Sense::Rest });
        self.settle(now);
    }

    /// A supervised input's reading, per mille of the converter's reference (0..=1000).
    pub fn handle_reading(&mut self, now: u64, number: u8, per_mille: u16) {
        if let Some(input) = self.setup.inputs.get(usize::from(number)) {
            let sense = input.windows.decode(input.contact, per_mille);
            self.voltages |= 1_u16.checked_shl(number.into()).unwrap_or(0);
            self.level(now, number, sense);
        }
        self.settle(now);
    }

    /// A falling edge on a reader's line, latched at `at`.
    pub fn handle_wiegand(&mut self, at: u64, reader: u8, line: Line) {
        let Some(wiegand) = self.wiegand.get_mut(usize::from(reader)) else { return };
        if let Some(read) = wiegand.edge(at, line) {
            self.read(at, reader, read);
        }
        self.settle(at);
    }

    /// A whole read from a reader that is not on Wiegand lines.
    pub fn handle_read(&mut self, now: u64, reader: u8, read: Read) {
        self.read(now, reader, read);
        self.settle(now);
    }

    /// Bytes from the bus, in any portions.
    pub fn handle_serial(&mut self, now: u64, bytes: &[u8]) {
        if let Some(pd) = &mut self.pd {
            pd.handle_input(now, bytes);
        }
        self.settle(now);
    }

    /// Bytes for the bus: at most one frame, once. Drive the outputs before you ask: making a frame takes longer than carrying out a command.
    pub fn poll_transmit(&mut self, now: u64) -> Option<&[u8]> {
        self.answer_owed(now);
        self.pd.as_mut()?.poll_transmit(now)
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: u64) {
        if let Some(pd) = &mut self.pd {
            pd.handle_timeout(now);
        }
        self.settle(now);
    }

    /// When to call [`Board::handle_timeout`] (and [`Board::poll_transmit`]) at the latest.
    pub fn deadline(&self, now: u64) -> Option<u64> {
        let lines = self.lines.iter().filter_map(DebouncedLine::deadline).min();
        let wiegand = self.wiegand.iter().filter_map(Wiegand::deadline).min();
        let lamps = self.lamps.iter().filter_map(|l| l.deadline(now)).min();
        let sounder = match self.sounder {
            Sounder::Off | Sounder::On => None,
            Sounder::Until(at) => Some(at),
        };
        let link = match self.link.state {
            Link::Up => Some(self.link.heard_at + self.offline_after()),
            Link::Down => None,
        };
        let journal = self.may_tell().then(|| self.journal.deadline()).flatten();
        let pd = self.pd.as_ref().and_then(Peripheral::poll_timeout);
        let install = self.button.deadline();
        let window = self.window.deadline();
        let others = [window, self.local.deadline(), self.endpoint.deadline(), self.update.deadline(now)];
        [lines, wiegand, lamps, sounder, link, journal, pd, install].into_iter().chain(others).flatten().min()
    }

    /// The outputs as they must be now.
    pub const fn outputs(&self) -> Outputs {
        self.outputs
    }

    /// What a reader's display shows.
    pub fn text(&self, reader: u8) -> Option<&Text> {
        self.lamps.get(usize::from(reader)).map(Lamps::text)
    }

    /// Whether the controller polls it over a secured channel.
    pub const fn link(&self) -> Link {
        self.link.state
    }

    /// Reads that no card was made of, since start.
    pub const fn bad_reads(&self) -> u32 {
        self.bad_reads
    }

    /// Counts of the bus, since start.
    pub fn bus_statistics(&self) -> osdp::PdStatistics {
        self.pd.as_ref().map(Peripheral::statistics).unwrap_or_default()
    }

    /// The next job for the storage, if it is at none. Its outcome comes back by [`Board::job_done`].
    pub fn next_job(&mut self) -> Option<Job> {
        if !self.restored || self.in_flight.is_some() {
            return None;
        }
        let urgent = self.jobs.pop_front().or_else(|| self.journal.job());
        let job = urgent.or_else(|| self.erasure()).or_else(|| self.forgetting())?;
        self.in_flight = Some(match &job {
            Job::Append(event) => InFlight::Append(*event),
            Job::Acked { up_to } => InFlight::Acked(*up_to),
            Job::Fetch { from } => InFlight::Fetch(*from),
            Job::Lookup { .. } => InFlight::Lookup,
            Job::EraseKey => InFlight::EraseKey,
            Job::SaveKey(_) | Job::SaveSettings(_) | Job::ListPiece { .. } | Job::ImagePiece { .. } => {
                InFlight::Expected
            }
            Job::CheckImage | Job::MarkSwap { .. } | Job::MarkGood | Job::ForgetImage => InFlight::Update,
        });
        Some(job)
    }

    /// What became of the job given out last.
    pub fn job_done(&mut self, now: u64, done: Done) {
        match (self.in_flight.take(), done) {
            (Some(InFlight::Append(event)), Done::Appended { oldest }) => {
                self.journal.appended(event, oldest);
            }
            (Some(InFlight::Append(_)), _) => self.journal.append_failed(),
            (Some(InFlight::Acked(up_to)), _) => self.journal.ack_stored(up_to),
            (Some(InFlight::Fetch(from)), Done::Fetched(events)) => self.journal.fetched(from, &events),
            (Some(InFlight::Fetch(_)), _) => self.journal.fetch_failed(),
            (Some(InFlight::Lookup), done) => self.looked(now, done == Done::Looked(true)),
            (Some(InFlight::EraseKey), done) => self.erased(now, &done),
            (Some(InFlight::Update), done) => self.update_job_done(now, &done),
            (Some(InFlight::Expected), done) => self.answer_expected(now, done),
            (None, _) => {}
        }
        self.settle(now);
    }

    /// Nothing waits for the log or for the storage.
    pub(crate) fn nothing_to_keep(&self) -> bool {
        self.in_flight.is_none() && self.jobs.is_empty() && self.journal.job().is_none()
    }

    pub(crate) fn shape(&self) -> Shape {
        shape(self.setup.kind)
    }

    pub(crate) fn offline_after(&self) -> u64 {
        u64::from(self.settings.offline_after_s) * 1_000_000
    }

    /// The wall clock as it was told: UTC, microseconds. `None` until it was.
    pub fn utc(&self, now: u64) -> Option<i64> {
        self.clock.map(|c| c.now(now))
    }

    pub(crate) fn record(&mut self, now: u64, what: What) {
        let utc = self.utc(now);
        self.journal.record(now, utc, what);
    }

    /// What counts on an input now.
    pub(crate) fn sense(&self, number: u8) -> Sense {
        self.lines.get(usize::from(number)).map(DebouncedLine::sense).unwrap_or_default()
    }

    /// Carries out a command once per number, but for a passage that waits: the same again renews its time.
    pub(crate) fn command(&mut self, now: u64, command: Command) -> Outcome {
        if command.id != 0 && !self.endpoint.waits_for(command.id) {
            if self.seen.iter().any(|id| *id == command.id) {
                return Outcome::Repeated;
            }
            if self.seen.is_full() {
                self.seen.pop_front();
            }
            self.seen.push_back(command.id).expect("a place was just made");
        }
        self.step(now, Given::Command(command)).expect("a machine answers every command")
    }

    pub(crate) fn set_list(&mut self, head: ListHead) {
        self.local.list = Some(head);
    }

    /// One step of the endpoint's machine.
    fn step(&mut self, now: u64, given: Given) -> Option<Outcome> {
        let mut outcome = None;
        let utc = self.utc(now);
        self.endpoint.step(now, given, |happening| match happening {
            Happening::What(what) => self.journal.record(now, utc, what),
            Happening::Answer(answer) => outcome = Some(answer),
        });
        outcome
    }

    fn level(&mut self, now: u64, number: u8, sense: Sense) {
        let Some(line) = self.lines.get_mut(usize::from(number)) else { return };
        self.heard |= 1_u16.checked_shl(number.into()).unwrap_or(0);
        let before = line.sense();
        if let Some(settled) = line.level(now, sense) {
            self.counts(now, number, before, settled);
        }
    }

    /// What an input says counts from now on.
    fn counts(&mut self, now: u64, number: u8, before: Sense, sense: Sense) {
        self.step(now, Given::Sense(number, sense));
        if before != sense {
            self.untold_status.inputs = true;
            let shape = self.shape();
            self.untold_status.local |= number == shape.tamper || number == shape.mains;
            self.tell_status(now);
        }
    }

    fn read(&mut self, now: u64, reader: u8, read: Read) {
        match read {
            Read::Bad { .. } => self.bad_reads = self.bad_reads.saturating_add(1),
            Read::Key(key) => {
                if self.link.state == Link::Up {
                    self.post(now, &Reply::Keypad(osdp::Keypad { reader, keys: &[key] }));
                }
            }
            Read::Card { bits, data } => match self.link.state {
                Link::Up => {
                    let used = usize::from(bits.div_ceil(8)).min(data.len());
                    let card = RawCard { reader, format: 1, bits, data: &data[..used] };
                    let waits = self.post(now, &Reply::Raw(card));
                    if reader == EXIT_READER {
                        self.leaves(now, waits);
                    }
                }
                Link::Down => self.decide_locally(now, reader, bits, &data),
            },
        }
    }

    /// Tells the panel at its next poll; says whether there was a place for it. When it fetches nothing, cards and keys are given up:
    /// nobody waits so long at a reader.
    pub(crate) fn post(&mut self, now: u64, reply: &Reply<'_>) -> bool {
        self.pd.as_mut().is_some_and(|pd| pd.post(now, reply).is_ok())
    }

    /// Everything that follows from what came in, in order: inputs first, then the bus, then what is shown.
    pub(crate) fn settle(&mut self, now: u64) {
        for number in 0..self.shape().inputs {
            let before = self.sense(number);
            let settled = self.lines.get_mut(usize::from(number)).and_then(|line| line.settle(now));
            if let Some(sense) = settled {
                self.counts(now, number, before, sense);
            }
        }
        self.watch_install(now);
        self.step(now, Given::Tick);
        for reader in 0..self.setup.readers {
            let read = self.wiegand.get_mut(usize::from(reader)).and_then(|w| w.settle(now));
            if let Some(read) = read {
                self.read(now, reader, read);
            }
        }
        self.serve_panel(now);
        self.watch_exit(now);
        self.watch_link(now);
        self.watch_trial(now);
        self.tell_status(now);
        self.tell_events(now);
        self.refresh(now);
    }

    fn watch_link(&mut self, now: u64) {
        let Some(pd) = &self.pd else { return };
        let commands = pd.statistics().commands;
        let trusted = pd.is_secure() || matches!(pd.security(), PdSecurity::Optional(None));
        if commands != self.link.commands && trusted {
            self.link.heard_at = now;
            self.set_link(now, Link::Up);
        } else if now >= self.link.heard_at + self.offline_after() {
            self.set_link(now, Link::Down);
        }
        self.link.commands = commands;
    }

    fn set_link(&mut self, now: u64, link: Link) {
        if link != self.link.state {
            self.link.state = link;
            self.subscribed &= link == Link::Up;
            self.step(now, Given::Link(link));
        }
    }

    fn refresh(&mut self, now: u64) {
        if matches!(self.sounder, Sounder::Until(at) if at <= now) {
            self.sounder = Sounder::Off;
        }
        for lamps in &mut self.lamps {
            lamps.tick(now);
        }
        let machine = self.endpoint.outputs();
        let sounder = u16::from(self.sounder != Sounder::Off) << self.shape().sounder;
        let shown = match self.setup.kind {
            Kind::Door => self.door_lamps(now, machine),
            Kind::GateLane => self.lane_lamps(now, machine),
        };
        self.outputs = Outputs(machine & !shown.mask | sounder | shown.lit);
    }

    /// The reader's lamps: as commanded; without command green when released, red when locked.
    fn door_lamps(&self, now: u64, machine: u16) -> Shown {
        use endpoints::door::Output;
        let bit = |output: Output| 1 << output.number();
        let [lamps, _] = &self.lamps;
        let released = machine & bit(Output::Lock) != 0;
        let (red, green) = match lamps.temporary_color(now).or(lamps.permanent_color(now)) {
            Some(color) => red_green(color),
            None => (!released, released),
        };
        let mut shown = Shown {
            mask: bit(Output::ReaderGreen) | bit(Output::ReaderRed) | bit(Output::ReaderBuzzer),
            lit: 0,
        };
        shown.set(bit(Output::ReaderGreen), green);
        shown.set(bit(Output::ReaderRed), red);
        shown.set(bit(Output::ReaderBuzzer), self.lamps.iter().any(|l| l.buzzes(now)));
        shown
    }

    /// The lane's lamps follow the leaf, except while the panel shows something for a time (a refusal); buzzers sound the sounder.
    fn lane_lamps(&self, now: u64, _machine: u16) -> Shown {
        use endpoints::gate_lane::Output;
        let bit = |output: Output| 1 << output.number();
        let mut shown = Shown { mask: 0, lit: 0 };
        let sides = [(Output::EntryGreen, Output::EntryRed), (Output::ExitGreen, Output::ExitRed)];
        for (lamps, (green_lamp, red_lamp)) in self.lamps.iter().zip(sides) {
            if let Some(color) = lamps.temporary_color(now) {
                let (red, green) = red_green(color);
                shown.mask |= bit(green_lamp) | bit(red_lamp);
                shown.set(bit(green_lamp), green);
                shown.set(bit(red_lamp), red);
            }
            shown.set(bit(Output::Sounder), lamps.buzzes(now));
        }
        shown
    }

    fn peripheral(&self, security: PdSecurity) -> PdConfig {
        let shape = self.shape();
        let setup = &self.setup;
        let identity = Identity {
            vendor: Oui(endpoints::vendor::OUI),
            model: setup.model,
            version: 1,
            serial: setup.serial,
            firmware: setup.firmware,
        };
        let capabilities = [
            (function::CONTACT_STATUS, 1, shape.inputs),
            (function::OUTPUT_CONTROL, 3, shape.commanded),
            (function::CARD_DATA_FORMAT, 1, setup.readers),
            (function::LED_CONTROL, 3, setup.readers),
            (function::AUDIBLE_OUTPUT, 2, setup.readers),
            (function::TEXT_OUTPUT, u8::from(setup.display), setup.readers),
            (function::READERS, 1, setup.readers),
        ];
        let config = PdConfig::new(setup.address, setup.baud, identity, security);
        capabilities.into_iter().fold(config, |config, (code, level, count)| {
            config.with_capability(code, level, count).expect("fewer than the most lines")
        })
    }
}

/// Lamps that are shown in place of what the machine says.
struct Shown {
    mask: u16,
    lit: u16,
}

impl Shown {
    fn set(&mut self, bit: u16, lit: bool) {
        if lit {
            self.lit |= bit;
        }
    }
}
