//! The camera: an RTSP stream made from photographs, and what it shows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process::Process;

/// A running camera.
#[derive(Debug)]
pub struct Camera {
    process: Process,
    address: String,
}

/// What the camera says when the first frame with a new picture has gone out.
#[derive(Debug, Clone, Deserialize)]
pub struct Shown {
    /// When that frame was pushed: UTC, microseconds.
    pub utc_us: i64,
}

impl Camera {
    /// Starts the camera on a free port; it shows the empty scene.
    ///
    /// # Errors
    /// When Python or GStreamer's RTSP server is missing.
    pub fn start(name: &str, logs: &Path) -> Result<Self> {
        let script = crate::root().join("tests/rtsp/source.py");
        let mut process = Process::start(name, Path::new("/usr/bin/python3"), [script], logs)?;
        let address = process.ready(Duration::from_secs(20)).context("the RTSP camera did not start")?;
        Ok(Self { process, address })
    }

    /// Its `rtsp://` address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Somebody stands before it: the photograph fills the picture.
    ///
    /// # Errors
    /// When the camera is gone or does not know the file.
    pub fn show(&mut self, photograph: &Path) -> Result<Shown> {
        self.change(&format!("show {}", photograph.display()))
    }

    /// Somebody holds a print of the photograph before it.
    ///
    /// # Errors
    /// As [`Camera::show`].
    pub fn print(&mut self, photograph: &Path) -> Result<Shown> {
        self.change(&format!("print {}", photograph.display()))
    }

    /// Nobody stands before it.
    ///
    /// # Errors
    /// As [`Camera::show`].
    pub fn scene(&mut self) -> Result<Shown> {
        self.change("scene")
    }

    fn change(&mut self, command: &str) -> Result<Shown> {
        self.process.new_lines();
        self.process.say(command)?;
        self.process.wait_for(Duration::from_secs(5), |line| serde_json::from_str(line).ok())
    }
}

/// Where the photographs lie that `cargo xtask fetch` brought.
pub fn photographs() -> PathBuf {
    fetched().join("photos")
}

/// Where everything lies that `cargo xtask fetch` brought.
pub fn fetched() -> PathBuf {
    std::env::var_os("GATEHOUSE_FETCHED").map_or_else(|| crate::root().join(".fetched"), PathBuf::from)
}
