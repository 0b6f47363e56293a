//! A real panel on a real line.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use osdp::cp::{EventKind, Token};
use osdp::{Address, Baud, BusConfig, Command, Cp, DeviceConfig, DeviceSecurity, Key, Nonces};

use crate::process::KEY;

const BOUND: Duration = Duration::from_secs(20);

pub(crate) struct Panel {
    cp: Cp<4, 8>,
    line: File,
    heard: Receiver<Vec<u8>>,
    start: Instant,
    tokens: u64,
}

impl Panel {
    pub(crate) fn connect(socket: &Path, addresses: &[u8]) -> Panel {
        let stream = UnixStream::connect(socket).unwrap();
        Panel::on(File::from(OwnedFd::from(stream)), addresses)
    }

    pub(crate) fn on_terminal(path: &Path, addresses: &[u8]) -> Panel {
        Panel::on(OpenOptions::new().read(true).write(true).open(path).unwrap(), addresses)
    }

    fn on(line: File, addresses: &[u8]) -> Panel {
        let (sender, heard) = mpsc::channel();
        let mut reading = line.try_clone().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok(count @ 1..) = reading.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut cp = Cp::new(BusConfig::new(Baud::new(115_200).unwrap()), Nonces::new([1; 16]));
        for address in addresses {
            let security = DeviceSecurity::Required(Key::new(KEY));
            cp.add(0, DeviceConfig::new(Address::new(*address).unwrap(), security)).unwrap();
        }
        Panel { cp, line, heard, start: Instant::now(), tokens: 0 }
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    /// Works the bus once, waiting for bytes or time.
    fn turn(&mut self) {
        let now = self.now();
        self.cp.handle_timeout(now);
        while let Some(bytes) = self.cp.poll_transmit(now) {
            self.line.write_all(bytes).unwrap();
        }
        let due = self.cp.poll_timeout().unwrap_or(now + 1_000_000).saturating_sub(self.now());
        if let Ok(bytes) = self.heard.recv_timeout(Duration::from_micros(due.min(1_000_000))) {
            let now = self.now();
            self.cp.handle_input(now, &bytes);
        }
    }

    pub(crate) fn until_secure(&mut self, address: u8) {
        let address = Address::new(address).unwrap();
        let start = Instant::now();
        while !self.cp.is_secure(address) || !self.cp.is_online(address) {
            assert!(start.elapsed() < BOUND, "{address} never secure");
            self.turn();
        }
    }

    pub(crate) fn until(&mut self, what: &str, wanted: impl Fn(&EventKind) -> bool) {
        let start = Instant::now();
        loop {
            while let Some(event) = self.cp.poll_event() {
                if wanted(&event.kind) {
                    return;
                }
            }
            assert!(start.elapsed() < BOUND, "never {what}");
            self.turn();
        }
    }

    /// Submits a command and waits until it is carried out.
    pub(crate) fn order(&mut self, address: u8, command: &Command<'_>) {
        self.tokens += 1;
        let token = Token(self.tokens);
        let now = self.now();
        self.cp.submit(now, Address::new(address).unwrap(), command, token, now + 5_000_000).unwrap();
        self.until("done", |event| match event {
            EventKind::Failed(failed, why) if *failed == token => panic!("{why}"),
            event => *event == EventKind::Done(token),
        });
    }
}
