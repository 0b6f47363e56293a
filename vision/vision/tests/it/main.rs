//! The vision process as a whole: real photographs through a real RTSP stream to a reader link.

mod attacks;
mod camera;
mod controller;
mod copies;
mod enrolment;
mod faults;
mod gallery_sync;
mod lanes;
mod looks;
mod newest;
mod sightings;
mod site;

use std::path::PathBuf;

/// What `cargo xtask fetch` brought.
fn fetched() -> PathBuf {
    let folder = std::env::var_os("GATEHOUSE_FETCHED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.fetched"), PathBuf::from);
    assert!(
        folder.join("models").is_dir() && folder.join("photos").is_dir(),
        "the models and photographs are not in {}: run `cargo xtask fetch`, or set GATEHOUSE_FETCHED",
        folder.display()
    );
    folder
}

fn photo(name: &str) -> PathBuf {
    fetched().join("photos").join(name)
}
