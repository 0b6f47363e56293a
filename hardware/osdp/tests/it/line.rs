//! A bus in virtual time: one panel, some boards, a line that takes its time and may spoil bytes.

use osdp::{
    Address, Baud, BusConfig, Command, Cp, DeviceConfig, DeviceSecurity, Event, EventKind, Identity, Key,
    Micros, NakCode, Nonces, Oui, Pd, PdConfig, PdEvent, PdSecurity, Reply, function,
};

/// What the line makes of one transmission by 0, the panel, or a board: what arrives, and how much later.
pub(crate) type Fault = Box<dyn FnMut(usize, &[u8]) -> Vec<(Micros, Vec<u8>)>>;

/// A board: a peripheral with a little application behind it.
pub(crate) struct Board {
    pub(crate) pd: Pd,
    /// Each output command that was executed, with whether the session was secure.
    pub(crate) driven: Vec<(u8, u16, bool)>,
    pub(crate) texts: Vec<Vec<u8>>,
    pub(crate) file: Vec<u8>,
    pub(crate) keys: Vec<Key>,
    pub(crate) events: Vec<PdEvent>,
    pub(crate) unplugged: bool,
    /// Requests stay open until cleared.
    pub(crate) slow: bool,
    /// Status given to file blocks behind the last one, in turn.
    pub(crate) file_statuses: Vec<i16>,
}

pub(crate) fn address(value: u8) -> Address {
    Address::new(value).expect("a valid address")
}

pub(crate) fn key(seed: u8) -> Key {
    Key::new([seed ^ 0x5A; 16])
}

pub(crate) fn identity(serial: u32) -> Identity {
    Identity { vendor: Oui([0xBE, 0xBA, 0xFE]), model: 1, version: 1, serial, firmware: [1, 2, 3] }
}

impl Board {
    pub(crate) fn new(address: Address, baud: Baud, security: PdSecurity) -> Self {
        let mut config = PdConfig::new(address, baud, identity(u32::from(address.get())), security);
        for (code, level, count) in [
            (function::CONTACT_STATUS, 1, 8),
            (function::OUTPUT_CONTROL, 1, 4),
            (function::LED_CONTROL, 1, 1),
            (function::TEXT_OUTPUT, 1, 1),
        ] {
            config = config.with_capability(code, level, count).expect("a few capabilities");
        }
        Self {
            pd: Pd::new(config, Nonces::new([address.get() ^ 0xA7; 16])),
            driven: Vec::new(),
            texts: Vec::new(),
            file: Vec::new(),
            keys: Vec::new(),
            events: Vec::new(),
            unplugged: false,
            slow: false,
            file_statuses: Vec::new(),
        }
    }

    /// Answers what the panel asked.
    pub(crate) fn work(&mut self, now: Micros) {
        while let Some(event) = self.pd.poll_event() {
            self.events.push(event);
        }
        if self.slow {
            return;
        }
        let secure = self.pd.is_secure();
        let Some(command) = self.pd.poll_request() else { return };
        let mut file_status = None;
        let reply = match command {
            Command::Output(records) => {
                for record in records.iter() {
                    self.driven.push((record.output, record.timer_100ms, secure));
                }
                Reply::Ack
            }
            Command::InputStatus => Reply::InputStatus(&[0, 1, 0, 0, 0, 0, 0, 0]),
            Command::OutputStatus => Reply::OutputStatus(&[0; 4]),
            Command::LocalStatus => Reply::LocalStatus { tamper: false, power: true },
            Command::ReaderStatus => Reply::ReaderStatus(&[0]),
            Command::Led(_) => Reply::Ack,
            Command::Text(text) => {
                self.texts.push(text.text.to_vec());
                Reply::Ack
            }
            Command::KeySet(key) => {
                self.keys.push(key);
                Reply::Ack
            }
            Command::LineSettings(settings) => Reply::LineSettings(settings),
            Command::Mfg(oui, [1, ..]) => Reply::Mfg(oui, b"pong"),
            Command::Mfg(..) => Reply::Nak(NakCode::Record, &[]),
            Command::File(block) => {
                let offset = block.offset as usize;
                self.file.resize(self.file.len().max(offset + block.data.len()), 0);
                self.file[offset..offset + block.data.len()].copy_from_slice(block.data);
                let whole = offset + block.data.len() >= block.total as usize;
                let status = if !whole {
                    0
                } else if self.file_statuses.is_empty() {
                    1
                } else {
                    self.file_statuses.remove(0)
                };
                file_status = Some(status);
                Reply::Ack
            }
            Command::Abort => Reply::Ack,
            Command::Poll
            | Command::Id
            | Command::Capabilities
            | Command::Challenge(_)
            | Command::Cryptogram(_)
            | Command::ReceiveSize(_)
            | Command::Other(..) => panic!("answered by the peripheral itself"),
            Command::Buzzer(_)
            | Command::BioRead(_)
            | Command::BioMatch(..)
            | Command::ExtendedWrite(_)
            | Command::PivData(_)
            | Command::GenAuth(_)
            | Command::CrAuth(_)
            | Command::KeepActive(_) => Reply::Nak(NakCode::UnknownCommand, &[]),
        };
        let reply = match file_status {
            Some(status) => {
                Reply::FileStatus(osdp::FileStatus { control: 1, delay_ms: 0, status, max_message: 0 })
            }
            None => reply,
        };
        self.pd.respond(now, &reply).expect("the request is open and the answer is short");
    }
}

/// Bytes that nobody on the bus has sent.
const NOWHERE: usize = usize::MAX;

struct Flight {
    arrives: Micros,
    /// 0 is the panel, then the boards.
    from: usize,
    bytes: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) now: Micros,
    pub(crate) baud: Baud,
    pub(crate) cp: Box<Cp<32, 8>>,
    pub(crate) boards: Vec<Board>,
    pub(crate) events: Vec<(Micros, Event)>,
    pub(crate) fault: Fault,
    /// Every frame as it was sent.
    pub(crate) wire: Vec<(Micros, usize, Vec<u8>)>,
    pub(crate) keep_wire: bool,
    pub(crate) wire_bytes: u64,
    /// A file that the panel sends, served when asked.
    pub(crate) file: Vec<u8>,
    flights: Vec<Flight>,
}

impl World {
    pub(crate) fn new(baud: u32) -> Self {
        let baud = Baud::new(baud).expect("not zero");
        Self::with(BusConfig::new(baud), [7; 16])
    }

    pub(crate) fn with(config: BusConfig, seed: [u8; 16]) -> Self {
        Self {
            now: 0,
            baud: config.baud,
            cp: Box::new(Cp::new(config, Nonces::new(seed))),
            boards: Vec::new(),
            events: Vec::new(),
            fault: Box::new(|_, bytes| vec![(0, bytes.to_vec())]),
            wire: Vec::new(),
            keep_wire: false,
            wire_bytes: 0,
            file: Vec::new(),
            flights: Vec::new(),
        }
    }

    /// A board with its own key at this address.
    pub(crate) fn secure_board(&mut self, at: u8) -> &mut Self {
        self.board(at, PdSecurity::Required(key(at)), DeviceSecurity::Required(key(at)))
    }

    pub(crate) fn board(&mut self, at: u8, pd: PdSecurity, cp: DeviceSecurity) -> &mut Self {
        self.boards.push(Board::new(address(at), self.baud, pd));
        self.cp.add(self.now, DeviceConfig::new(address(at), cp)).expect("a free address");
        self
    }

    /// Lets everything happen that happens until then.
    pub(crate) fn run_until(&mut self, end: Micros) {
        self.settle();
        let mut idle = 0;
        while let Some(next) = self.next_time().filter(|&at| at <= end) {
            idle = if next > self.now { 0 } else { idle + 1 };
            assert!(
                idle < 1_000,
                "time stands still at {}: {:?}, {:?}",
                self.now,
                self.cp.poll_timeout(),
                self.boards.iter().map(|b| b.pd.poll_timeout()).collect::<Vec<_>>()
            );
            self.now = self.now.max(next);
            self.deliver();
            self.cp.handle_timeout(self.now);
            for board in &mut self.boards {
                board.pd.handle_timeout(self.now);
            }
            self.settle();
        }
        self.now = end;
    }

    pub(crate) fn run_for(&mut self, time: Micros) {
        self.run_until(self.now + time);
    }

    /// Runs until an event is the one that is waited for; panics after `limit`.
    pub(crate) fn wait_for(&mut self, limit: Micros, mut wanted: impl FnMut(&Event) -> bool) -> Event {
        let end = self.now + limit;
        let mut seen = self.events.len();
        loop {
            while let Some((_, event)) = self.events.get(seen) {
                seen += 1;
                if wanted(event) {
                    return event.clone();
                }
            }
            assert!(self.now < end, "it did not happen; seen: {:?}", self.events);
            let next = self.next_time().unwrap_or(end).min(end).max(self.now);
            self.run_until(next);
        }
    }

    pub(crate) fn wait_online(&mut self, at: u8) {
        if !self.cp.is_online(address(at)) {
            self.wait_for(60_000_000, |event| {
                event.address == address(at) && matches!(event.kind, EventKind::Online { .. })
            });
        }
    }

    pub(crate) fn kinds(&self) -> Vec<EventKind> {
        self.events.iter().map(|(_, event)| event.kind.clone()).collect()
    }

    /// Bytes that come from nowhere.
    pub(crate) fn inject(&mut self, bytes: &[u8]) {
        self.flights.push(Flight { arrives: self.now, from: NOWHERE, bytes: bytes.to_vec() });
    }

    fn next_time(&self) -> Option<Micros> {
        let flights = self.flights.iter().map(|flight| flight.arrives);
        let boards = self.boards.iter().filter_map(|board| board.pd.poll_timeout());
        flights.chain(boards).chain(self.cp.poll_timeout()).min()
    }

    fn deliver(&mut self) {
        let now = self.now;
        let due: Vec<Flight> = self.flights.extract_if(.., |flight| flight.arrives <= now).collect();
        for flight in due {
            let unplugged = (1..NOWHERE).contains(&flight.from)
                && self.boards.get(flight.from - 1).is_some_and(|board| board.unplugged);
            if unplugged {
                continue;
            }
            let arrivals = if flight.from == NOWHERE {
                vec![(0, flight.bytes)]
            } else {
                (self.fault)(flight.from, &flight.bytes)
            };
            for (later, bytes) in arrivals {
                if later > 0 {
                    self.flights.push(Flight { arrives: now + later, from: NOWHERE, bytes });
                    continue;
                }
                if flight.from != 0 {
                    self.cp.handle_input(now, &bytes);
                }
                for (index, board) in self.boards.iter_mut().enumerate() {
                    if flight.from != index + 1 && !board.unplugged {
                        board.pd.handle_input(now, &bytes);
                    }
                }
            }
        }
    }

    fn settle(&mut self) {
        loop {
            let mut busy = false;
            while let Some(event) = self.cp.poll_event() {
                busy = true;
                if let EventKind::FileWanted { offset, len, .. } = event.kind {
                    let from = offset as usize;
                    assert!(self.cp.file_block(event.address, &self.file[from..from + len]));
                }
                self.events.push((self.now, event));
            }
            for board in &mut self.boards {
                board.work(self.now);
            }
            if let Some(bytes) = self.cp.poll_transmit(self.now) {
                let bytes = bytes.to_vec();
                self.send(0, bytes);
                busy = true;
            }
            for index in 0..self.boards.len() {
                if let Some(bytes) = self.boards[index].pd.poll_transmit(self.now) {
                    let bytes = bytes.to_vec();
                    self.send(index + 1, bytes);
                    busy = true;
                }
            }
            if !busy {
                return;
            }
        }
    }

    fn send(&mut self, from: usize, bytes: Vec<u8>) {
        self.wire_bytes += bytes.len() as u64;
        if self.keep_wire {
            self.wire.push((self.now, from, bytes.clone()));
        }
        let arrives = self.now + self.baud.characters(bytes.len());
        self.flights.push(Flight { arrives, from, bytes });
    }
}
