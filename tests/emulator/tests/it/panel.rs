//! A controller for the boards on a bus: our OSDP panel on a thread of its own.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use emulator::Bus;
use endpoints::vendor::{self, BoardSettings, FromBoard, ToBoard};
use osdp::{
    Address, Baud, BusConfig, Command, Cp, DeviceConfig, DeviceSecurity, Event, EventKind, Key, Micros,
    Nonces, Oui, OutputAction, OutputControl, Records, Token,
};

use crate::support::SOON;

type Panel4 = Cp<4, 8>;
type Order = Box<dyn FnOnce(&mut Panel4, Micros) + Send>;

/// What the panel saw, in order.
#[derive(Default)]
struct Log {
    events: Mutex<Vec<(Instant, Event)>>,
    arrived: Condvar,
}

/// The running panel; it ends when dropped.
pub(crate) struct Panel {
    orders: Sender<Order>,
    log: Arc<Log>,
}

/// What is said in our own words goes by this.
const SAID: Token = Token(2);

pub(crate) fn key(address: u8) -> Key {
    let mut key = *b"a key of board  ";
    key[15] = address;
    Key::new(key)
}

pub(crate) fn at(address: u8) -> Address {
    Address::new(address).expect("a small address")
}

/// Whether the board at `address` is now polled over its own key.
pub(crate) fn online(event: &Event, address: u8) -> Option<()> {
    let secured = matches!(event.kind, EventKind::Online { secure: true, .. });
    (event.address == at(address) && secured).then_some(())
}

impl Panel {
    /// A panel on `bus`, with nothing to poll yet.
    pub(crate) fn on(bus: &Bus) -> Self {
        let line = bus.tap("panel").expect("a bus");
        let (orders, given) = channel::<Order>();
        let log = Arc::new(Log::default());
        let told = Arc::clone(&log);
        let baud = Baud::new(115_200).expect("a speed");
        let seed = std::process::id().to_le_bytes();
        let mut nonces = [7; 16];
        nonces[..4].copy_from_slice(&seed);
        thread::spawn(move || {
            let started = Instant::now();
            let now = || started.elapsed().as_micros() as Micros;
            let mut cp = Panel4::new(BusConfig::new(baud), Nonces::new(nonces));
            loop {
                match given.try_recv() {
                    Ok(order) => order(&mut cp, now()),
                    Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
                    Err(std::sync::mpsc::TryRecvError::Empty) => {}
                }
                turn(&mut cp, &line, now());
                while let Some(event) = cp.poll_event() {
                    told.events.lock().expect("no panic").push((Instant::now(), event));
                    told.arrived.notify_all();
                }
            }
        });
        Self { orders, log }
    }

    /// Polls the board at `address` from now on; `install` gives it its key if it has none.
    pub(crate) fn add(&self, address: u8, install: bool) {
        self.order(move |cp, now| {
            let security = if install {
                DeviceSecurity::Install { key: key(address), until: now + 60_000_000 }
            } else {
                DeviceSecurity::Required(key(address))
            };
            cp.add(now, DeviceConfig::new(at(address), security)).expect("a place");
        });
    }

    /// Polls the board at `address` and waits until it answers over its own key.
    pub(crate) fn install(&self, address: u8) {
        let since = Instant::now();
        self.add(address, true);
        self.wait(since, "on-line with its key", |event| online(event, address));
    }

    /// The same with another key than [`Panel::install`] gives.
    pub(crate) fn install_another(&self, address: u8) {
        let since = Instant::now();
        self.order(move |cp, now| {
            let security =
                DeviceSecurity::Install { key: Key::new(*b"and another key."), until: now + 60_000_000 };
            cp.add(now, DeviceConfig::new(at(address), security)).expect("a place");
        });
        self.wait(since, "on-line with another key", |event| online(event, address));
    }

    /// Output `output` on for its time.
    pub(crate) fn release(&self, address: u8, output: u8, tenths: u16) {
        self.order(move |cp, now| {
            let control = [OutputControl { output, action: OutputAction::OnForTimer, timer_100ms: tenths }];
            let command = Command::Output(Records::new(&control));
            cp.submit(now, at(address), &command, Token(1), now + 5_000_000).expect("queued");
        });
    }

    /// Gives a board settings and waits until they are in force.
    pub(crate) fn configure(&self, address: u8, settings: BoardSettings) {
        let since = Instant::now();
        self.say(address, ToBoard::Configure(settings));
        self.wait(since, "settings taken", |event| (event.kind == EventKind::Done(SAID)).then_some(()));
    }

    /// Says `message` in our own words and gives the answer.
    pub(crate) fn say(&self, address: u8, message: ToBoard) {
        self.order(move |cp, now| {
            let mut body = [0; vendor::MAX_BODY];
            let length = message.encode(&mut body).expect("fits");
            let command = Command::Mfg(Oui(vendor::OUI), &body[..length]);
            cp.submit(now, at(address), &command, SAID, now + 5_000_000).expect("queued");
        });
    }

    /// What `pick` makes of the first of the board's own messages since `since` that it takes.
    pub(crate) fn told<T>(&self, since: Instant, what: &str, pick: impl Fn(FromBoard<'_>) -> Option<T>) -> T {
        self.wait(since, what, |event| {
            let EventKind::Mfg { data, .. } = &event.kind else { return None };
            FromBoard::decode(data).ok().and_then(&pick)
        })
        .1
    }

    /// The first event since `since` that `pick` takes, and when it came.
    pub(crate) fn wait<T>(
        &self,
        since: Instant,
        what: &str,
        pick: impl Fn(&Event) -> Option<T>,
    ) -> (Instant, T) {
        let deadline = Instant::now() + SOON;
        let mut events = self.log.events.lock().expect("no panic");
        loop {
            let found = events
                .iter()
                .find_map(|(at, event)| (*at >= since).then(|| pick(event)).flatten().map(|t| (*at, t)));
            if let Some(found) = found {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not in {SOON:?}: {what}; saw {:?}", *events);
            events = self.log.arrived.wait_timeout(events, left).expect("no panic").0;
        }
    }

    fn order(&self, order: impl FnOnce(&mut Panel4, Micros) + Send + 'static) {
        self.orders.send(Box::new(order)).expect("the panel runs");
    }
}

/// Sends what is due and hears what came, for at most a millisecond.
fn turn(cp: &mut Panel4, mut line: &UnixStream, now: Micros) {
    while let Some(frame) = cp.poll_transmit(now) {
        // When the bus has ended, so has the test.
        let _ = line.write_all(frame);
    }
    let wait = cp.poll_timeout().map_or(1000, |at| at.saturating_sub(now)).clamp(50, 1000);
    line.set_read_timeout(Some(Duration::from_micros(wait))).expect("a socket");
    let mut buffer = [0; 512];
    match line.read(&mut buffer) {
        Ok(count) => cp.handle_input(now, &buffer[..count]),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
        Err(error) => panic!("the bus: {error}"),
    }
    cp.handle_timeout(now);
}
