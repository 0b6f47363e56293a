//! The RTSP source.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::site::lines;

/// A running source; killed when dropped.
pub(crate) struct Camera {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    pub(crate) address: String,
}

impl Camera {
    pub(crate) fn start() -> Self {
        Self::start_on(0)
    }

    pub(crate) fn start_on(port: u16) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/rtsp/source.py");
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .args(["--port", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Debian's Python");
        let lines = lines(child.stdout.take().expect("piped"));
        let first = lines.recv_timeout(Duration::from_secs(20)).expect("the camera starts");
        let address = first.strip_prefix("ready ").expect("ready").to_owned();
        Self { input: child.stdin.take().expect("piped"), child, lines, address }
    }

    pub(crate) fn port(&self) -> u16 {
        let after = self.address.rsplit_once(':').expect("a port").1;
        after.split('/').next().expect("a path").parse().expect("a number")
    }

    /// Gives a command; returns the UTC microseconds at which the first new frame was pushed.
    pub(crate) fn say(&mut self, command: &str) -> i64 {
        writeln!(self.input, "{command}").expect("the camera listens");
        let line = self.lines.recv_timeout(Duration::from_secs(10)).expect("the camera answers");
        let report: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(report["event"], "shown", "{line}");
        report["utc_us"].as_i64().expect("a time")
    }

    pub(crate) fn show(&mut self, photo: &Path) -> i64 {
        self.say(&format!("show {}", photo.display()))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
