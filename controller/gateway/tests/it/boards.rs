//! Two boards running the firmware's own logic, on one bus.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use board_sim::board::{Options, run};
use board_sim::hub;
use board_sim::serial::Port;
use endpoints::vendor::Kind;
use osdp::{Address, Baud};
use serde_json::Value;

use crate::building::{BOARD_KEY, until};

/// A board, and everything it said.
pub(crate) struct Board {
    control: PathBuf,
    said: Arc<Mutex<Vec<Value>>>,
}

impl Board {
    /// A door board at address 1 and a lane board at address 2, their bus at `folder/bus`.
    pub(crate) fn start_two(folder: &Path) -> Vec<Board> {
        Board::start_two_with(folder, Some(BOARD_KEY))
    }

    /// The same two, fresh from the factory where they have no key.
    pub(crate) fn start_two_with(folder: &Path, key: Option<[u8; 16]>) -> Vec<Board> {
        let boards = [(1, Kind::Door), (2, Kind::GateLane)]
            .map(|(address, kind)| Board::start(folder, address, kind, key));
        let ports = [
            Port::Pty(folder.join("bus")),
            Port::Connect(folder.join("board-1.bus")),
            Port::Connect(folder.join("board-2.bus")),
        ];
        hub::join(&ports).expect("the bus is joined");
        boards.into_iter().collect()
    }

    fn start(folder: &Path, address: u8, kind: Kind, key: Option<[u8; 16]>) -> Board {
        let control = folder.join(format!("board-{address}.control"));
        let options = Options {
            kind,
            address: Address::new(address).expect("1 or 2"),
            baud: Baud::new(115_200).expect("not 0"),
            serial_number: 1_000 + u32::from(address),
            port: Port::Listen(folder.join(format!("board-{address}.bus"))),
            flash: folder.join(format!("board-{address}.flash")),
            control: Some(control.clone()),
            key,
            allow_clear: false,
            vendor_keys: vec![crate::firmware::maker_public()],
            readers: None,
        };
        thread::spawn(move || run(&options).expect("the board runs"));
        let stream = until("the board's control socket", || UnixStream::connect(&control).ok());
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        let mut lines = BufReader::new(stream.try_clone().expect("cloned"));
        writeln!(&stream, "watch").expect("said");
        let mut first = String::new();
        lines.read_line(&mut first).expect("answered");
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if let Ok(value) = serde_json::from_str(&line) {
                    heard.lock().expect("nobody panics with it").push(value);
                }
            }
        });
        Board { control, said }
    }

    /// Does something in the world around the board.
    pub(crate) fn world(&self, line: &str) {
        let answer = self.ask(line);
        assert_eq!(answer["ok"], true, "{line}: {answer}");
    }

    fn ask(&self, line: &str) -> Value {
        let stream = UnixStream::connect(&self.control).expect("the board is there");
        writeln!(&stream, "{line}").expect("said");
        let mut answer = String::new();
        BufReader::new(&stream).read_line(&mut answer).expect("answered");
        serde_json::from_str(&answer).expect("an answer is JSON")
    }

    /// The version it runs.
    pub(crate) fn version(&self) -> String {
        self.ask("state")["firmware"].as_str().unwrap_or_default().to_owned()
    }

    /// The versions that were started, one after the other, since it was there.
    pub(crate) fn started(&self) -> Vec<String> {
        let said = self.said.lock().expect("nobody panics with it");
        said.iter().filter_map(|line| line["firmware"].as_str().map(str::to_owned)).collect()
    }

    pub(crate) fn linked(&self) -> bool {
        self.ask("state")["link"] == "up"
    }

    /// The board's own clock, a little behind: it was told the time over the bus. UTC, microseconds.
    pub(crate) fn clock(&self) -> i64 {
        self.ask("state")["utc_us"].as_i64().expect("it was told the time")
    }

    pub(crate) fn wait_alone(&self) {
        until("a board that knows it is alone", || (!self.linked()).then_some(()));
    }

    pub(crate) fn wait_linked(&self) {
        until("the board's link", || self.linked().then_some(()));
    }

    /// Whether an output is on now.
    pub(crate) fn is_on(&self, output: &str) -> bool {
        self.ask("state")["on"].as_array().is_some_and(|on| on.iter().any(|name| name == output))
    }

    /// When an output went on, each time: UTC microseconds.
    pub(crate) fn went_on(&self, output: &str) -> Vec<i64> {
        let said = self.said.lock().expect("nobody panics with it");
        let edges = said.iter().filter(|line| line["output"] == output && line["level"] == true);
        edges.filter_map(|line| line["unix_us"].as_i64()).collect()
    }

    /// Waits until an output has gone on so many times; the last time.
    pub(crate) fn wait_on(&self, output: &str, times: usize) -> i64 {
        until(&format!("{output} on, {times} times"), || {
            let edges = self.went_on(output);
            (edges.len() >= times).then(|| edges[times - 1])
        })
    }

    pub(crate) fn wait_off(&self, output: &str) {
        until(&format!("{output} off"), || (!self.is_on(output)).then_some(()));
    }
}
