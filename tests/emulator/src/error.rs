//! What can go wrong, each in a sentence that says what to do.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a board could not be started or used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum EmulatorError {
    #[error("{0} is not installed (Debian: apt-get install qemu-system-arm)")]
    NotInstalled(String),
    #[error("no QEMU of version 9 or newer: set GATEHOUSE_QEMU_ARM to the path of a qemu-system-arm")]
    NoNewerQemu,
    #[error(
        "image {path} not found: build it with `cargo xtask firmware` (firmware/boards/README.md), or set GATEHOUSE_FIRMWARE_DIR"
    )]
    NoImage { path: PathBuf },
    #[error(transparent)]
    Pinmap(#[from] pinmap::PinmapError),
    #[error("pin `{0}` is not one of the emulated part's")]
    Pin(String),
    #[error("address {address} does not fit the board's {switches} switches")]
    Address { address: u8, switches: usize },
    #[error("path {0} is too long or not UTF-8: the emulated board cannot open it")]
    FlashPath(PathBuf),
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
    #[error("the emulator ended ({status}): {said}")]
    Ended { status: String, said: String },
    #[error("the emulator refused `{command}`: {answer}")]
    Refused { command: String, answer: String },
    #[error("the board has no power")]
    NoPower,
    #[error("the board has no {kind} called `{name}`")]
    NoFunction { kind: &'static str, name: String },
    #[error("nothing for {within:?}: {what}")]
    Timeout { what: String, within: Duration },
}

impl EmulatorError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
