//! Every test there is, and the long forms.

use anyhow::Result;

use crate::machine;
use crate::run::{cargo, run};

/// Formatting, lints, firmware, then every test.
pub(crate) fn every() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    machine::firmware(None)?;
    machine::pin_maps()?;
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    run(cargo().args(["nextest", "run", "--workspace"]))
}

/// The long forms of the explorations.
pub(crate) fn soak() -> Result<()> {
    machine::firmware(None)?;
    run(cargo().args(["nextest", "run", "--workspace"]).env("GATEHOUSE_SOAK", "1"))
}
