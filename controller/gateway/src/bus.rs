//! One serial bus: a thread of its own that lends its port to the OSDP panel.
//!
//! The panel (`osdp::cp`) decides what is said and when; this only moves bytes and waits, to a fraction of a millisecond where a
//! turnaround asks for it. The thread serves nothing else, so a short wait may block it. A port that is lost is opened again
//! with increasing pauses, and its devices then begin anew.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use osdp::cp::{
    BusConfig, Cp, DeviceConfig, DeviceSecurity, DeviceStatistics, Event, EventKind, Failure, Token,
};
use osdp::{Address, Baud, Command, Key, Nonces, Oui, Records};
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_serial::{SerialPortBuilderExt, SerialStream};

use endpoints::vendor::{MAX_BODY, OUI};

use crate::site::Say;

/// Devices on one bus at most: OSDP has 127 addresses, the standard's timing allows far fewer.
pub const DEVICES_MAX: usize = 32;
/// Commands that wait for one device.
const QUEUE: usize = 16;
/// Lights and sounds of one device on the way at once; more are dropped, so that an order always finds a place.
const SHOWS: usize = 3;
/// The token of lights and sounds: nobody waits for them.
const SHOW: Token = Token(u64::MAX);
/// Waits shorter than this are slept to the microsecond; longer ones wake this much earlier for it.
const FINE: Duration = Duration::from_millis(2);
/// A write that takes longer than this means that the port is gone.
const WRITE_LIMIT: Duration = Duration::from_secs(1);
/// How far a file is, is told every so many bytes.
const FILE_TOLD: u32 = 8 * 1024;
/// What was counted is told so often.
const COUNTED_EVERY: Duration = Duration::from_secs(1);
/// Pauses before a lost port is opened again.
const REOPEN: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5)];

/// A bus and what hangs on it.
pub struct BusPlan {
    /// Its name, for logs.
    pub name: String,
    /// The device file.
    pub port: PathBuf,
    /// Its speed.
    pub baud: Baud,
    /// Addresses and keys.
    pub devices: Vec<(Address, Key)>,
}

/// Something to say to a device.
#[derive(Debug)]
pub struct ToBus {
    /// To whom.
    pub address: Address,
    /// What.
    pub say: Say,
    /// Comes back in the answer.
    pub token: u64,
    /// Not sent after this.
    pub expires: Instant,
}

/// What a bus tells.
#[derive(Debug)]
pub enum FromBus {
    /// Something happened at a device.
    Device(Box<Event>),
    /// A file is on its way to a device, up to this byte; told now and then.
    FileAt(Address, u32),
    /// What was counted at a device since it was last told.
    Counted(Address, Counted),
    /// The port is usable.
    Up,
    /// It is not.
    Down,
}

/// What is counted at a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Commands sent, repeats not counted.
    pub commands: u32,
    /// Commands sent again.
    pub retries: u32,
    /// Commands without any reply in time.
    pub timeouts: u32,
    /// Replies whose check or code was wrong.
    pub damaged: u32,
    /// From the end of the last command to its reply, in microseconds.
    pub reply_us: u64,
}

impl Counted {
    fn of(all: &DeviceStatistics) -> Self {
        Self {
            commands: all.commands,
            retries: all.retries,
            timeouts: all.timeouts,
            damaged: all.bad_frames.saturating_add(all.bad_macs),
            reply_us: all.last_reply_time,
        }
    }

    fn since(self, told: Self) -> Self {
        Self {
            commands: self.commands.saturating_sub(told.commands),
            retries: self.retries.saturating_sub(told.retries),
            timeouts: self.timeouts.saturating_sub(told.timeouts),
            damaged: self.damaged.saturating_sub(told.damaged),
            reply_us: self.reply_us,
        }
    }
}

/// Why a port was given up.
#[derive(Debug, Error)]
enum PortError {
    #[error("the port cannot be opened")]
    Open(#[from] tokio_serial::Error),
    #[error("the port failed")]
    Io(#[from] std::io::Error),
    #[error("the other end is closed")]
    Closed,
}

type Panel = Cp<DEVICES_MAX, QUEUE>;

/// Starts the bus's thread. It ends when nobody listens or speaks to it any more.
///
/// # Errors
/// When the thread cannot be started.
pub fn start(
    plan: BusPlan,
    commands: mpsc::Receiver<ToBus>,
    events: mpsc::Sender<FromBus>,
) -> std::io::Result<thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(format!("bus {}", plan.name).chars().take(15).collect()).spawn(move || {
        let bus = Bus {
            plan,
            commands,
            events,
            began: Instant::now(),
            shows: BTreeMap::new(),
            files: BTreeMap::new(),
            counted: BTreeMap::new(),
            counted_told_at: Instant::now(),
        };
        runtime.block_on(bus.run());
    })
}

struct Bus {
    plan: BusPlan,
    commands: mpsc::Receiver<ToBus>,
    events: mpsc::Sender<FromBus>,
    began: Instant,
    /// Lights and sounds on the way, by device.
    shows: BTreeMap<u8, usize>,
    /// Files on the way, by device.
    files: BTreeMap<u8, Arc<[u8]>>,
    /// What was told of each device.
    counted: BTreeMap<u8, Counted>,
    counted_told_at: Instant,
}

impl Bus {
    async fn run(mut self) {
        let mut pauses = 0;
        loop {
            match self.open() {
                Ok(mut port) => {
                    pauses = 0;
                    if self.events.send(FromBus::Up).await.is_err() {
                        return;
                    }
                    match self.drive(&mut port).await {
                        Ok(()) => return,
                        Err(error) => self.report(&error),
                    }
                }
                Err(error) if pauses == 0 => self.report(&error),
                Err(_) => {}
            }
            if self.events.send(FromBus::Down).await.is_err() {
                return;
            }
            let pause = REOPEN[pauses.min(REOPEN.len() - 1)];
            pauses += 1;
            if !self.wait_without_port(pause).await {
                return;
            }
        }
    }

    fn report(&self, error: &PortError) {
        tracing::error!(bus = %self.plan.name, error = error as &dyn std::error::Error, "bus lost");
    }

    fn open(&self) -> Result<SerialStream, PortError> {
        let path = self.plan.port.to_string_lossy();
        Ok(tokio_serial::new(path, self.plan.baud.get()).open_native_async()?)
    }

    /// Nothing waits for a lost port: what is asked meanwhile fails at once. Says whether to go on.
    async fn wait_without_port(&mut self, pause: Duration) -> bool {
        let until = tokio::time::sleep(pause);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return true,
                command = self.commands.recv() => match command {
                    None => return false,
                    Some(command) => {
                        let failed = EventKind::Failed(Token(command.token), Failure::Expired);
                        let event = Event { address: command.address, kind: failed };
                        if self.events.send(FromBus::Device(Box::new(event))).await.is_err() {
                            return false;
                        }
                    }
                },
            }
        }
    }

    fn now(&self) -> u64 {
        micros(self.began.elapsed())
    }

    fn panel(&self) -> Result<Panel, PortError> {
        let mut seed = [0; 16];
        SystemRandom::new().fill(&mut seed).map_err(|_| std::io::Error::other("no random numbers"))?;
        let mut panel = Panel::new(BusConfig::new(self.plan.baud), Nonces::new(seed));
        for (address, key) in &self.plan.devices {
            let config = DeviceConfig::new(*address, DeviceSecurity::Required(key.clone()));
            panel.add(self.now(), config).expect("the configuration has at most so many, each address once");
        }
        Ok(panel)
    }

    /// Moves bytes until the port fails; `Ok` when there is nothing left to do.
    async fn drive(&mut self, port: &mut SerialStream) -> Result<(), PortError> {
        let mut panel = self.panel()?;
        self.shows.clear();
        self.files.clear();
        self.counted.clear();
        let mut buffer = [0; 2048];
        loop {
            // Commands that came meanwhile go before the next poll.
            while let Ok(command) = self.commands.try_recv() {
                self.submit(&mut panel, &command).await;
            }
            if let Some(bytes) = panel.poll_transmit(self.now()) {
                tokio::time::timeout(WRITE_LIMIT, port.write_all(bytes))
                    .await
                    .map_err(|_| PortError::Closed)??;
            }
            while let Some(mut event) = panel.poll_event() {
                if let EventKind::FileWanted { token, offset, len } = event.kind {
                    if self.next_block(&mut panel, event.address, offset, len) {
                        let told = FromBus::FileAt(event.address, offset);
                        if offset / FILE_TOLD
                            != offset.saturating_add(u32::try_from(len).unwrap_or(0)) / FILE_TOLD
                            && self.events.send(told).await.is_err()
                        {
                            return Ok(());
                        }
                        continue;
                    }
                    event.kind = EventKind::Failed(token, Failure::Cancelled);
                }
                if let EventKind::Done(SHOW) | EventKind::Failed(SHOW, _) = event.kind {
                    let shows = self.shows.entry(event.address.get()).or_default();
                    *shows = shows.saturating_sub(1);
                    continue;
                }
                if self.events.send(FromBus::Device(Box::new(event))).await.is_err() {
                    return Ok(());
                }
            }
            if !self.tell_counted(&panel).await {
                return Ok(());
            }
            let wake = panel.poll_timeout();
            tokio::select! {
                biased;
                read = port.read(&mut buffer) => match read? {
                    0 => return Err(PortError::Closed),
                    count => panel.handle_input(self.now(), &buffer[..count]),
                },
                command = self.commands.recv() => match command {
                    None => return Ok(()),
                    Some(command) => self.submit(&mut panel, &command).await,
                },
                () = until(self.began, wake) => panel.handle_timeout(self.now()),
            }
        }
    }

    async fn submit(&mut self, panel: &mut Panel, command: &ToBus) {
        let now = self.now();
        let left = micros(command.expires.saturating_duration_since(Instant::now()));
        let (address, token, until) = (command.address, Token(command.token), now + left);
        let mut body = [0; MAX_BODY];
        let outcome = match &command.say {
            Say::Ours(message) => {
                let length = message.encode(&mut body).expect("every message fits the longest body");
                panel.submit(now, address, &Command::Mfg(Oui(OUI), &body[..length]), token, until)
            }
            Say::Output(control) => {
                panel.submit(now, address, &Command::Output(Records::new(&[*control])), token, until)
            }
            Say::Install | Say::EndInstall => {
                let own = self.plan.devices.iter().find(|(it, _)| *it == address).map(|(_, key)| key.clone());
                let Some(key) = own else { return };
                let security = if matches!(command.say, Say::Install) {
                    DeviceSecurity::Install { key, until }
                } else {
                    DeviceSecurity::Required(key)
                };
                panel.set_security(now, address, security);
                return;
            }
            Say::Led(control) => {
                return self.show(panel, address, &Command::Led(Records::new(&[*control])), until);
            }
            Say::Buzzer(buzzer) => return self.show(panel, address, &Command::Buzzer(*buzzer), until),
            Say::File { kind, data, from } => {
                let total = u32::try_from(data.len()).expect("a megabyte at most");
                let sent = panel.resume_file(address, *kind, total, *from, token);
                // One that is not sent takes nothing from the one that is.
                if sent.is_ok() {
                    self.files.insert(address.get(), Arc::clone(data));
                }
                sent
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(bus = %self.plan.name, %address, %error, "not sent");
            // Whatever the reason, none of it went out.
            let event = Event { address, kind: EventKind::Failed(token, Failure::Expired) };
            // When nobody listens any more the main loop ends by itself.
            let _ = self.events.send(FromBus::Device(Box::new(event))).await;
        }
    }
}

impl Bus {
    /// The next piece of a file. `false` when there is no such piece: the transfer is given up.
    fn next_block(&mut self, panel: &mut Panel, address: Address, offset: u32, len: usize) -> bool {
        let file = self.files.get(&address.get());
        let piece = file.zip(usize::try_from(offset).ok()).and_then(|(file, at)| file.get(at..at + len));
        let given = piece.is_some_and(|piece| panel.file_block(address, piece));
        if !given {
            panel.cancel_file(self.now(), address);
        }
        given
    }

    /// Says what was counted, now and then. `false` when nobody listens any more.
    async fn tell_counted(&mut self, panel: &Panel) -> bool {
        if self.counted_told_at.elapsed() < COUNTED_EVERY {
            return true;
        }
        self.counted_told_at = Instant::now();
        for (address, _) in &self.plan.devices {
            let Some(counted) = panel.device_statistics(*address).map(|it| Counted::of(&it)) else {
                continue;
            };
            let told = self.counted.insert(address.get(), counted).unwrap_or_default();
            let since = counted.since(told);
            if counted != told && self.events.send(FromBus::Counted(*address, since)).await.is_err() {
                return false;
            }
        }
        true
    }

    /// A light or a sound: dropped when the device cannot do it or has enough of them to do.
    fn show(&mut self, panel: &mut Panel, address: Address, command: &Command<'_>, until: u64) {
        let now = self.now();
        let shows = self.shows.entry(address.get()).or_default();
        if *shows < SHOWS && panel.submit(now, address, command, SHOW, until).is_ok() {
            *shows += 1;
        }
    }
}

/// Sleeps until a time of the panel, to the microsecond as far as the system lets it.
async fn until(began: Instant, wake: Option<u64>) {
    let Some(wake) = wake else { return std::future::pending().await };
    let left = || Duration::from_micros(wake.saturating_sub(micros(began.elapsed())));
    if left() > FINE {
        tokio::time::sleep(left() - FINE).await;
        // Whatever came in the meantime goes first.
        return;
    }
    // No other task lives on this thread, and what arrives meanwhile waits in the port for less than FINE.
    thread::sleep(left());
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
