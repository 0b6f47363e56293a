//! A serial line to another process, and libosdp at its other end.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use osdp::Micros;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

const LIBOSDP: &str = "libosdp==3.2.9";

pub(crate) struct Line {
    master: File,
    /// Held open, so that the line does not hang up between two users.
    _slave: OwnedFd,
    pub(crate) path: String,
    started: Instant,
}

impl Line {
    pub(crate) fn open() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a pseudo-terminal");
        grantpt(&master).expect("its own");
        unlockpt(&master).expect("its own");
        let path = ptsname(&master, Vec::new()).expect("it has a name").into_string().expect("plain");
        let slave = open(path.as_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
            .expect("just made");
        let mut settings = tcgetattr(&slave).expect("a terminal");
        settings.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &settings).expect("a terminal");
        Self { master: File::from(master), _slave: slave, path, started: Instant::now() }
    }

    pub(crate) fn now(&self) -> Micros {
        Micros::try_from(self.started.elapsed().as_micros()).expect("a short test")
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.master.write_all(bytes).expect("the line takes a frame");
    }

    /// Waits for bytes until then, at most a few milliseconds; empty if none came.
    pub(crate) fn read(&mut self, until: Option<Micros>) -> Vec<u8> {
        let wait = until.map_or(5_000, |at| at.saturating_sub(self.now()).min(5_000));
        let timeout = Duration::from_micros(wait).try_into().expect("short");
        let mut ready = [PollFd::new(&self.master, PollFlags::IN)];
        if poll(&mut ready, Some(&timeout)).expect("a line") == 0 {
            return Vec::new();
        }
        let mut buffer = [0; 512];
        let count = self.master.read(&mut buffer).expect("the line is there");
        buffer[..count].to_vec()
    }
}

/// libosdp, as panel or peripheral.
pub(crate) struct Peer {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    pub(crate) said: Vec<String>,
}

impl Peer {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer/peer.py");
        let mut child = Command::new(python())
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the interpreter starts");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut peer = Self { child, input, lines, said: Vec::new() };
        let first = peer.lines.recv_timeout(Duration::from_secs(30)).expect("the peer starts");
        peer.said.push(first);
        peer
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the peer listens");
    }

    /// Whether it has said a line that begins so.
    pub(crate) fn has_said(&mut self, start: &str) -> bool {
        self.said.extend(self.lines.try_iter());
        self.said.iter().any(|line| line.starts_with(start))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A virtual environment with libosdp, made once and kept below the target directory.
fn python() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libosdp-3.2.9");
    let interpreter = home.join("bin/python");
    let complete = home.join("complete");
    let lock = File::create(home.with_extension("lock")).expect("the target directory is writable");
    lock.lock().expect("a file of our own");
    if !complete.exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
        run(Command::new(&interpreter).args(["-m", "pip", "install", "--quiet", LIBOSDP]));
        File::create(&complete).expect("the target directory is writable");
    }
    interpreter
}

fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status().expect("python3 with venv is installed");
    assert!(status.success(), "{command:?} failed");
}
