//! Speed, as ratios against what a user would pick instead.

use anyhow::{Result, bail};
use clap::Args;

#[derive(Args)]
pub(crate) struct Options {
    /// Which one; all when none is named.
    name: Option<String>,
    /// One line of JSON a comparison, instead of a table.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(_options: &Options) -> Result<()> {
    bail!("no measurement yet")
}
