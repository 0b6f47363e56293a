//! Speed, as ratios against what a user would pick instead, or against the limit that physics sets.

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::run::{cargo, output};

#[derive(Args)]
pub(crate) struct Options {
    /// Which one; all when none is named: bus.
    name: Option<String>,
    /// One line of JSON a comparison, instead of a table.
    #[arg(long)]
    json: bool,
}

/// One comparison.
#[derive(Serialize)]
struct Comparison {
    bench: &'static str,
    case: String,
    ours: f64,
    peer: f64,
    peer_name: &'static str,
    unit: &'static str,
    /// Above 1: ours is better.
    ratio: f64,
    goal: f64,
    verdict: &'static str,
}

/// Runs what is asked for; fails when a goal is missed.
pub(crate) fn run(options: &Options) -> Result<()> {
    let comparisons = match options.name.as_deref() {
        None | Some("bus") => vec![bus()?],
        Some(other) => bail!("there is no measurement called {other}: bus"),
    };
    for it in &comparisons {
        if options.json {
            println!("{}", serde_json::to_string(it)?);
        } else {
            println!(
                "{:8} {:32} ours {:>10.0} {unit}   {} {:>10.0} {unit}   ratio {:.3} (goal {:.3})   {}",
                it.bench,
                it.case,
                it.ours,
                it.peer_name,
                it.peer,
                it.ratio,
                it.goal,
                it.verdict,
                unit = it.unit,
            );
        }
    }
    if comparisons.iter().any(|it| it.verdict != "pass") {
        bail!("a goal was missed");
    }
    Ok(())
}

/// What `osdp`'s example prints: virtual time, boards that answer after two characters.
#[derive(Deserialize)]
struct BusTimes {
    cycle_us: f64,
    wire_us: f64,
}

/// A cycle over 16 boards with Secure Channel at 115200 baud, against the time its bytes take on the wire.
fn bus() -> Result<Comparison> {
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
    let times: BusTimes = serde_json::from_str(line)?;
    let ratio = times.wire_us / times.cycle_us;
    let goal = 1.0 / 1.2;
    Ok(Comparison {
        bench: "bus",
        case: "16 boards, 115200 baud, secure".to_owned(),
        ours: times.cycle_us,
        peer: times.wire_us,
        peer_name: "the wire",
        unit: "us",
        ratio,
        goal,
        verdict: if ratio >= goal { "pass" } else { "fail" },
    })
}
