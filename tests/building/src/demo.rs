//! The demonstration.
use std::path::PathBuf;

/// Its options.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Do not ask before installing.
    #[arg(long)]
    pub yes: bool,
    /// Run a scripted piece of building life, check each step, and stop.
    #[arg(long)]
    pub headless: bool,
    /// Write the result of --headless here, as JSON.
    #[arg(long, value_name = "FILE", requires = "headless")]
    pub report: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// When a part does not start.
pub fn run(_options: &Options) -> anyhow::Result<()> {
    anyhow::bail!("not yet")
}
