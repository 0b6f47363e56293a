//! `bus`: a cycle over 16 boards with Secure Channel at 115200 baud, against the time its bytes take on the wire.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Comparison, verdict};
use crate::run::{cargo, output};

/// What `osdp`'s example prints: virtual time, boards that answer after two characters.
#[derive(Deserialize)]
struct Times {
    cycle_us: f64,
    wire_us: f64,
}

/// In virtual time: what else the machine does changes nothing.
pub(super) fn compare() -> Result<Comparison> {
    let said = output(cargo().args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "osdp",
        "--example",
        "bus",
        "--",
        "16",
        "115200",
    ]))?;
    let line = said.lines().find(|line| line.starts_with('{')).context("the example printed no figures")?;
    let times: Times = serde_json::from_str(line)?;
    let ratio = times.wire_us / times.cycle_us;
    let goal = 1.0 / 1.2;
    Ok(Comparison {
        bench: "bus",
        case: "16 boards, 115200 baud, secure".to_owned(),
        ours: times.cycle_us,
        peer: times.wire_us,
        peer_name: "the wire".to_owned(),
        unit: "us",
        ratio,
        goal,
        stretch: false,
        verdict: verdict(ratio, goal),
    })
}
