//! How well faces are told apart on a set of labelled photographs.

use std::path::PathBuf;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder.
    pub folder: PathBuf,
}

/// Measures and prints.
///
/// # Errors
/// None.
pub fn run(_arguments: &Arguments) -> anyhow::Result<()> {
    Ok(())
}
