//! The whole building on one machine: broker, server, controller, vision, boards, camera. Used by the demonstration and
//! by the end-to-end tests; every part is the real program in a process of its own.

use std::path::{Path, PathBuf};

pub mod broker;
pub mod camera;
pub mod demo;
pub mod journal;
pub mod process;
pub mod running;
pub mod scenario;
pub mod site;

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("two folders below the root")
        .to_path_buf()
}
