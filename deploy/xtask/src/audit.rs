//! What others' code is let in: held against `deny.toml`, for every workspace of this repository.

use std::process::Command;

use anyhow::Result;

use crate::run::{cargo, root, run, says_yes};

/// The workspaces, as folders below the root.
const WORKSPACES: &[&str] = &["", "firmware/boards", "hardware/endpoints/fuzz", "hardware/osdp/fuzz"];
/// Known vulnerabilities are asked for separately: their database is not on every network.
const CHECKS: &[&str] = &["bans", "licenses", "sources"];

/// Licences, banned crates and registries; with `advisories` known vulnerabilities too, which needs the database's network.
pub(crate) fn every(advisories: bool) -> Result<()> {
    if !says_yes(cargo().args(["deny", "--version"])) {
        run(cargo().args(["install", "cargo-deny", "--locked", "--version", "0.20.2"]))?;
    }
    for workspace in WORKSPACES {
        let mut check = deny(workspace);
        check.args(CHECKS);
        if advisories {
            check.arg("advisories");
        }
        run(&mut check)?;
    }
    Ok(())
}

fn deny(workspace: &str) -> Command {
    let mut command = cargo();
    command.arg("deny").arg("--config").arg(root().join("deny.toml")).arg("--manifest-path");
    command.arg(root().join(workspace).join("Cargo.toml")).arg("check");
    command
}
