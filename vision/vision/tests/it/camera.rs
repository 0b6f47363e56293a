//! The RTSP source.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use opencv::core::{MatTraitConst as _, Vec3b};
use vision::look::Picture;

use crate::site::lines;

/// Decoding a photograph takes a while where the processor is busy.
const ANSWER: Duration = Duration::from_secs(30);

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
        Self::start_with(&["--port", &port.to_string()])
    }

    /// A camera that numbers its frames, see [`number`].
    pub(crate) fn numbered() -> Self {
        Self::start_with(&["--numbered"])
    }

    fn start_with(options: &[&str]) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/rtsp/source.py");
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .args(options)
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
        self.tell(command);
        self.answer("shown")["utc_us"].as_i64().expect("a time")
    }

    /// Gives a command that has no answer.
    pub(crate) fn tell(&mut self, command: &str) {
        writeln!(self.input, "{command}").expect("the camera listens");
    }

    /// No frame any more until it is told to go on; the number of the last one.
    pub(crate) fn hold(&mut self) -> u32 {
        self.tell("hold");
        let number = self.answer("held")["number"].as_u64().expect("a number");
        u32::try_from(number).expect("far from the end")
    }

    fn answer(&self, event: &str) -> serde_json::Value {
        let line = self.lines.recv_timeout(ANSWER).expect("the camera answers");
        let report: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(report["event"], event, "{line}");
        report
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

/// The number of a frame of [`Camera::numbered`]: 16 squares of 16 pixels, the lowest bit first.
pub(crate) fn number(picture: &Picture) -> u32 {
    (0..16)
        .map(|bit| {
            let blue = picture.at_2d::<Vec3b>(8, 16 * bit + 8).expect("inside the picture")[0];
            u32::from(blue > 127) << bit
        })
        .sum()
}
