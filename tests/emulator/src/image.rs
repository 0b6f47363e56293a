//! Where images and pin maps are.

use std::path::{Path, PathBuf};

use crate::{EmulatorError, Machine};

/// A firmware image for the emulated part.
#[derive(Clone, Debug)]
pub struct Image {
    /// The file.
    pub path: PathBuf,
}

impl Image {
    /// The LM3S6965's image called `name` (`door`, `gate-lane`, `loopback`) in `$GATEHOUSE_FIRMWARE_DIR`, else where
    /// `firmware/boards` builds it.
    pub fn named(name: &str) -> Result<Self, EmulatorError> {
        Self::on(Machine::Lm3s6965, name)
    }

    /// The same for another part.
    pub fn on(machine: Machine, name: &str) -> Result<Self, EmulatorError> {
        let (below, prefix) = machine.images();
        let folder = std::env::var_os("GATEHOUSE_FIRMWARE_DIR")
            .map_or_else(|| root().join("firmware/boards/target").join(below), PathBuf::from);
        Self::at(folder.join(format!("{prefix}{name}")))
    }

    /// The image at `path`.
    pub fn at(path: PathBuf) -> Result<Self, EmulatorError> {
        if path.is_file() { Ok(Self { path }) } else { Err(EmulatorError::NoImage { path }) }
    }
}

/// `hardware/boards`, where the pin maps are.
pub fn boards_folder() -> PathBuf {
    root().join("hardware/boards")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate is two folders below the root")
        .to_owned()
}
