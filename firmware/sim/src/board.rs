//! The board as a process: one loop that never waits for flash, a thread for flash, threads that listen.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::task::{Context as TaskContext, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use board_logic::{Board, Done, Job, Layout, Read, Restored, Setup, Storage};
use endpoints::Link;
use endpoints::vendor::{Kind, Reset};
use osdp::{Address, Baud};
use serde_json::json;

use crate::flash::{FileFlash, STORE};
use crate::pinmap::PinMap;
use crate::script::{self, Command};
use crate::serial::{self, Port, Writer};
use crate::update;

/// What the process is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which board.
    pub kind: Kind,
    /// Its address on the bus.
    pub address: Address,
    /// The bus's speed, for pauses between frames.
    pub baud: Baud,
    /// Its serial number.
    pub serial_number: u32,
    /// Where its bus is.
    pub port: Port,
    /// Its flash.
    pub flash: PathBuf,
    /// A socket for commands, beside standard input.
    pub control: Option<PathBuf>,
    /// A secure-channel key it has from the factory; a key in flash goes before.
    pub key: Option<[u8; 16]>,
    /// Whether a panel without secure channel may drive it while no key is set.
    pub allow_clear: bool,
    /// The maker's public keys, at most two; without any it takes no firmware.
    pub vendor_keys: Vec<[u8; 32]>,
    /// How many readers, if not as the pin map says.
    pub readers: Option<u8>,
}

/// How long the drive takes from limit to limit, µs.
const LEAF_TRAVEL_US: u64 = 600_000;
/// A version that does not come up is reset by its watchdog after this, µs.
const WATCHDOG_US: u64 = 500_000;
/// From beam to beam at a walk, µs.
const STEP_US: u64 = 150_000;

enum Message {
    Serial(Vec<u8>),
    Line(String, Reply),
    Restored(u32, Box<Restored>),
    Done(u32, Box<Done>),
    FlashFailed(String),
}

/// Where the answer to a line goes.
#[derive(Clone)]
enum Reply {
    Console,
    Socket(std::sync::Arc<UnixStream>),
}

/// Runs the board until told to quit.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let (sender, receiver) = mpsc::channel();
    let serial = {
        let sender = sender.clone();
        serial::open(&options.port, move |bytes| {
            // The loop has ended: nobody is left to hear.
            let _ended = sender.send(Message::Serial(bytes.to_vec()));
        })
        .with_context(|| format!("serial {:?}", options.port))?
    };
    if let Some(path) = &options.control {
        listen_for_lines(path, sender.clone())?;
    }
    read_console(sender.clone());
    let pins = PinMap::of(options.kind)?;
    let mut world = World {
        options: options.clone(),
        pins,
        sender,
        serial,
        start: Instant::now(),
        board: None,
        flash: None,
        firmware: update::FACTORY,
        generation: 0,
        shown: 0,
        watchdog_at: None,
        link: Link::Down,
        connected: true,
        leaf_moves: true,
        planned: Vec::new(),
        watchers: Vec::new(),
        levels: Vec::new(),
    };
    world.levels = vec![false; world.pins.inputs.len()];
    world.power_on(Reset::PowerOn)?;
    serial::announce(&format!("board {:?} address {}", options.kind, options.address.get()))?;
    world.live(&receiver)
}

struct World {
    options: Options,
    pins: PinMap,
    sender: Sender<Message>,
    serial: Writer,
    start: Instant,
    /// None without power.
    board: Option<Board>,
    flash: Option<FlashThread>,
    /// The version that runs.
    firmware: [u8; 3],
    /// Which power-on this is; what an earlier one's flash still says is not heard.
    generation: u32,
    shown: u16,
    /// What runs does not come up: when it is reset.
    watchdog_at: Option<u64>,
    link: Link,
    connected: bool,
    leaf_moves: bool,
    /// What the world will do by itself: when, which input, which level.
    planned: Vec<(u64, u8, bool)>,
    watchers: Vec<std::sync::Arc<UnixStream>>,
    levels: Vec<bool>,
}

struct FlashThread {
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
}

impl World {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn live(&mut self, receiver: &Receiver<Message>) -> anyhow::Result<()> {
        loop {
            let now = self.now();
            let board = self.board.as_ref().and_then(|b| b.deadline(now));
            let planned = self.planned.iter().map(|(at, ..)| *at).min();
            let wait = match [board, planned, self.watchdog_at].into_iter().flatten().min() {
                Some(at) => Duration::from_micros(at.saturating_sub(now)),
                None => Duration::from_secs(3600),
            };
            let message = match receiver.recv_timeout(wait) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let now = self.now();
            if let Some(message) = message
                && self.handle(now, message)? == Life::Over
            {
                return Ok(());
            }
            // Power that came has begun time anew.
            let now = self.now();
            self.do_what_was_planned(now);
            if self.watchdog_at.is_some_and(|at| at <= now) {
                self.power_on(Reset::Watchdog)?;
            }
            let now = self.now();
            self.follow(now);
            if self.board.as_ref().is_some_and(|board| board.wants_restart(now)) {
                self.power_cut(now);
                self.power_on(Reset::Software)?;
                self.follow(self.now());
            }
        }
    }

    fn handle(&mut self, now: u64, message: Message) -> anyhow::Result<Life> {
        match (message, &mut self.board) {
            (Message::Serial(bytes), Some(board)) if self.connected => board.handle_serial(now, &bytes),
            (Message::Serial(_), _) => {}
            (Message::Restored(generation, restored), Some(board)) if generation == self.generation => {
                board.restore(now, *restored);
            }
            (Message::Done(generation, done), Some(board)) if generation == self.generation => {
                board.job_done(now, *done);
            }
            (Message::Restored(..) | Message::Done(..), _) => {}
            (Message::FlashFailed(why), _) => anyhow::bail!("flash {}: {why}", self.options.flash.display()),
            (Message::Line(line, reply), _) => return self.line(now, &line, reply),
        }
        Ok(Life::GoesOn)
    }

    fn line(&mut self, now: u64, line: &str, reply: Reply) -> anyhow::Result<Life> {
        let outcome = match script::read(line) {
            Err(script::Misread::Empty) => return Ok(Life::GoesOn),
            Err(misread) => Err(misread.to_string()),
            Ok(Command::Quit) => return Ok(Life::Over),
            Ok(Command::Watch) => {
                if let Reply::Socket(socket) = &reply {
                    self.watchers.push(socket.clone());
                }
                Ok(json!({"ok": true}))
            }
            Ok(Command::State) => Ok(self.state(now)),
            Ok(command) => self.act(now, command)?.map(|()| json!({"ok": true})),
        };
        match (reply, outcome) {
            (Reply::Socket(socket), outcome) => {
                let answer = outcome.unwrap_or_else(|error| json!({"ok": false, "error": error}));
                // A peer that has gone wants no answer.
                let _gone = writeln!(&*socket, "{answer}");
            }
            (Reply::Console, Ok(answer)) if line.trim() == "state" => println!("{answer}"),
            (Reply::Console, Ok(_)) => {}
            (Reply::Console, Err(error)) => eprintln!("{error}"),
        }
        Ok(Life::GoesOn)
    }

    fn act(&mut self, now: u64, command: Command) -> anyhow::Result<Result<(), String>> {
        match command {
            Command::Input { name, active, for_ms } => {
                let Some(number) = self.pins.input(&name) else { return Ok(Err(no_input(&name))) };
                self.set_input(now, number, active);
                if let Some(ms) = for_ms {
                    self.planned.push((now + ms * 1000, number, !active));
                }
            }
            Command::Reading { name, per_mille } => {
                let supervised =
                    self.pins.inputs.iter().position(|(n, supervised, _)| *n == name && *supervised);
                let Some(number) = supervised.and_then(|n| u8::try_from(n).ok()) else {
                    return Ok(Err(format!("{name} is not a supervised input")));
                };
                if let Some(board) = &mut self.board {
                    board.handle_reading(now, number, per_mille);
                }
            }
            Command::Reads { reader, reads } => {
                for read in reads {
                    self.read(now, reader, read);
                }
            }
            Command::Pass(ms) => match self.pins.input("contact") {
                Some(contact) => {
                    self.set_input(now, contact, true);
                    self.planned.push((now + ms * 1000, contact, false));
                }
                None => return Ok(Err(no_input("contact"))),
            },
            Command::Walk { inward } => {
                if self.options.kind != Kind::GateLane {
                    return Ok(Err("only a lane is walked through".to_owned()));
                }
                self.walk(now, inward);
            }
            Command::Leaf { moves } => self.leaf_moves = moves,
            Command::Power { on: true } if self.board.is_none() => self.power_on(Reset::PowerOn)?,
            Command::Power { on: false } => self.power_cut(now),
            Command::Power { on: true } => {}
            Command::Serial { connected } => self.connected = connected,
            Command::State | Command::Watch | Command::Quit => {}
        }
        Ok(Ok(()))
    }

    fn read(&mut self, now: u64, reader: u8, read: Read) {
        if let Some(board) = &mut self.board {
            board.handle_read(now, reader, read);
        }
    }

    /// The first five inputs are the beams, from the entry side.
    fn walk(&mut self, now: u64, inward: bool) {
        for step in 0..5_u8 {
            let beam = if inward { step } else { 4 - step };
            let at = now + u64::from(step) * STEP_US;
            self.planned.push((at, beam, true));
            self.planned.push((at + STEP_US + STEP_US / 3, beam, false));
        }
    }

    fn set_input(&mut self, now: u64, number: u8, active: bool) {
        if let Some(level) = self.levels.get_mut(usize::from(number)) {
            *level = active;
        }
        if let Some(board) = &mut self.board {
            board.handle_input(now, number, active);
        }
    }

    fn do_what_was_planned(&mut self, now: u64) {
        self.planned.sort_by_key(|(at, ..)| *at);
        while let Some((at, number, active)) = self.planned.first().copied().filter(|(at, ..)| *at <= now) {
            self.planned.remove(0);
            self.set_input(at.max(now), number, active);
        }
    }

    /// Everything the board wants done now.
    fn follow(&mut self, now: u64) {
        let Some(board) = &mut self.board else { return };
        board.handle_timeout(now);
        let outputs = board.outputs().0;
        let link = board.link();
        while let Some(bytes) = board.poll_transmit(now) {
            if self.connected {
                self.serial.send(bytes);
            }
        }
        if let (Some(flash), Some(job)) = (&self.flash, board.next_job()) {
            // A thread that ended has said why.
            let _ended = flash.jobs.send(job);
        }
        self.show(now, outputs);
        if link != self.link {
            self.link = link;
            let up = link == Link::Up;
            self.say(&json!({"t_us": now, "unix_us": unix_us(), "link": if up { "up" } else { "down" }}));
        }
    }

    fn show(&mut self, now: u64, outputs: u16) {
        let changed = outputs ^ self.shown;
        self.shown = outputs;
        for (number, name) in self.pins.outputs.clone().iter().enumerate() {
            if changed & 1 << number != 0 {
                let level = outputs & 1 << number != 0;
                self.say(&json!({"t_us": now, "unix_us": unix_us(), "output": name, "level": level}));
                self.move_leaf(now, name, level);
            }
        }
    }

    /// A lane's leaf follows its drive.
    fn move_leaf(&mut self, now: u64, output: &str, on: bool) {
        let limits = (self.pins.input("leaf_closed"), self.pins.input("leaf_open"));
        let (Some(closed), Some(open), true, true) = (limits.0, limits.1, self.leaf_moves, on) else {
            return;
        };
        let (leaves, reaches) = match output {
            "open_entry" | "open_exit" => (closed, open),
            "close" => (open, closed),
            _ => return,
        };
        self.planned.retain(|(_, number, _)| *number != closed && *number != open);
        self.planned.push((now + LEAF_TRAVEL_US / 10, leaves, false));
        self.planned.push((now + LEAF_TRAVEL_US, reaches, true));
    }

    fn state(&self, now: u64) -> serde_json::Value {
        let on: Vec<&String> = self
            .pins
            .outputs
            .iter()
            .enumerate()
            .filter(|(n, _)| self.shown & 1 << n != 0)
            .map(|(_, name)| name)
            .collect();
        let text = self
            .board
            .as_ref()
            .and_then(|b| b.text(0))
            .map(|t| String::from_utf8_lossy(&t.text).into_owned());
        json!({
            "ok": true,
            "t_us": now,
            "power": self.board.is_some(),
            "firmware": self.firmware.map(|part| part.to_string()).join("."),
            "utc_us": self.board.as_ref().and_then(|b| b.utc(now)),
            "link": if self.link == Link::Up { "up" } else { "down" },
            "on": on,
            "text": text,
        })
    }

    fn say(&mut self, line: &serde_json::Value) {
        let line = format!("{line}\n");
        let mut out = std::io::stdout().lock();
        // Whoever closed our output does not want to know.
        let _closed = out.write_all(line.as_bytes()).and_then(|()| out.flush());
        self.watchers.retain(|watcher| (&**watcher).write_all(line.as_bytes()).is_ok());
    }

    fn power_on(&mut self, reset: Reset) -> anyhow::Result<()> {
        self.generation += 1;
        let path = &self.options.flash;
        let image = update::boot(path).with_context(|| format!("flash {}", path.display()))?;
        self.firmware = image.firmware;
        self.watchdog_at = (!image.comes_up).then(|| self.now() + WATCHDOG_US);
        if self.generation > 1 {
            self.say_version(&image);
        }
        if !image.comes_up {
            return Ok(());
        }
        let options = &self.options;
        let setup = Setup {
            kind: options.kind,
            address: options.address,
            baud: options.baud,
            model: self.pins.model,
            serial: options.serial_number,
            firmware: image.firmware,
            inputs: self.pins.inputs.iter().map(|(_, _, setup)| *setup).collect(),
            readers: options.readers.unwrap_or(self.pins.readers),
            display: true,
            allow_clear: options.allow_clear,
            reset,
        };
        // A board counts time from its start.
        let before = self.now();
        self.start = Instant::now();
        for (at, ..) in &mut self.planned {
            *at = at.saturating_sub(before);
        }
        let mut board = Board::new(setup);
        for (number, active) in (0..).zip(&self.levels) {
            board.handle_input(0, number, *active);
        }
        self.board = Some(board);
        self.flash = Some(self.start_flash()?);
        Ok(())
    }

    fn say_version(&mut self, image: &update::Image) {
        let version = image.firmware.map(|part| part.to_string()).join(".");
        let now = self.now();
        self.say(&json!({
            "t_us": now,
            "unix_us": unix_us(),
            "firmware": version,
            "comes_up": image.comes_up,
        }));
    }

    fn power_cut(&mut self, now: u64) {
        self.board = None;
        self.watchdog_at = None;
        self.link = Link::Down;
        if let Some(flash) = self.flash.take() {
            drop(flash.jobs);
            // It ends with the job it is at.
            let _panicked = flash.thread.join();
        }
        self.show(now, 0);
    }

    fn start_flash(&self) -> anyhow::Result<FlashThread> {
        let path = &self.options.flash;
        let flash = FileFlash::open(path).with_context(|| format!("flash {}", path.display()))?;
        let fits = update::fits(self.options.kind, self.pins.model, self.pins.revision);
        let updates = update::updates(fits, self.firmware, &self.options.vendor_keys)?;
        let layout = Layout::new::<FileFlash>(STORE)?.with_updates::<FileFlash>(updates)?;
        let (jobs, asked) = mpsc::channel::<Job>();
        let (answers, generation, key) = (self.sender.clone(), self.generation, self.options.key);
        let entropy = std::fs::File::open("/dev/urandom").and_then(|mut file| {
            let mut bytes = [0; 16];
            std::io::Read::read_exact(&mut file, &mut bytes).map(|()| bytes)
        })?;
        let thread = thread::spawn(move || {
            let opened = block_on(Storage::open(flash, layout, entropy));
            let Ok((mut storage, mut restored)) = opened else {
                let _ended = answers.send(Message::FlashFailed("cannot be read".to_owned()));
                return;
            };
            if let (None, Some(key)) = (restored.key, key)
                && block_on(storage.perform(Job::SaveKey(key))) == Done::KeySaved
            {
                restored.key = Some(key);
                restored.key_lost = false;
            }
            let mut listening = answers.send(Message::Restored(generation, Box::new(restored))).is_ok();
            while let (true, Ok(job)) = (listening, asked.recv()) {
                let done = block_on(storage.perform(job));
                listening = answers.send(Message::Done(generation, Box::new(done))).is_ok();
            }
        });
        Ok(FlashThread { jobs, thread })
    }
}

#[derive(PartialEq, Eq)]
enum Life {
    GoesOn,
    Over,
}

fn no_input(name: &str) -> String {
    format!("no input named {name}")
}

fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn read_console(sender: Sender<Message>) {
    thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(Message::Line(line, Reply::Console)).is_err() {
                return;
            }
        }
    });
}

fn listen_for_lines(path: &std::path::Path, sender: Sender<Message>) -> anyhow::Result<()> {
    let listener = serial::listen(path).with_context(|| format!("control socket {}", path.display()))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || {
                let Ok(answers) = stream.try_clone() else { return };
                let answers = std::sync::Arc::new(answers);
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if sender.send(Message::Line(line, Reply::Socket(answers.clone()))).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(())
}

/// Runs a future over a flash that is always ready.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = TaskContext::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        thread::yield_now();
    }
}
