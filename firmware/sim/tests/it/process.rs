//! Starting and ending the processes, and hearing what they say.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take here.
const BOUND: Duration = Duration::from_secs(20);
pub(crate) const KEY: [u8; 16] = [0x5A; 16];

pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Place {
        Place(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    control: Option<BufReader<UnixStream>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl Process {
    fn start(mut command: Command) -> Process {
        let mut child =
            command.arg("--die-with-parent").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let process = Process { child, lines, control: None };
        assert!(process.lines.recv_timeout(BOUND).unwrap().starts_with("ready "));
        process
    }

    /// Waits until an output has this level, and says when it came to it, in µs.
    pub(crate) fn edge(&mut self, output: &str, level: bool) -> u64 {
        loop {
            let line = self.lines.recv_timeout(BOUND).unwrap_or_else(|_| panic!("{output} never {level}"));
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["output"] == output && line["level"] == level {
                return line["t_us"].as_u64().unwrap();
            }
        }
    }

    /// Says a line to the board's world, and hears its answer.
    pub(crate) fn say(&mut self, line: &str) -> Value {
        let control = self.control.as_mut().unwrap();
        writeln!(control.get_mut(), "{line}").unwrap();
        let mut answer = String::new();
        control.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }
}

pub(crate) fn board(place: &Place, kind: &str, address: u8) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse-board"));
    let control = place.path(&format!("{kind}.control"));
    let key: String = KEY.iter().map(|b| format!("{b:02x}")).collect();
    command
        .args(["--board", kind, "--address", &address.to_string(), "--key", &key])
        .arg("--serial")
        .arg(place.path(&format!("{kind}.sock")))
        .arg("--flash")
        .arg(place.path(&format!("{kind}.flash")))
        .arg("--control")
        .arg(&control);
    let mut process = Process::start(command);
    let stream = UnixStream::connect(control).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    process.control = Some(BufReader::new(stream));
    process
}

pub(crate) fn hub(place: &Place, boards: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse-bus-hub"));
    command.arg(format!("pty:{}", place.path("bus").display()));
    for board in boards {
        command.arg(format!("connect:{}", place.path(board).display()));
    }
    Process::start(command)
}
