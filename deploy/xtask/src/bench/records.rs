//! `records`: finding records in a long journal, against the second that is asked for and against an ordinary table with
//! an index for each column.
//!
//! A million records; with `GATEHOUSE_SOAK` ten million, for which some 20 GB and a quarter of an hour are needed. Whoever
//! has which name is the same walk on both sides and left out on ours.

use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::conditions::Watch;
use super::{Comparison, built, verdict};
use crate::run::output;

const RECORDS: u64 = 1_000_000;
const RECORDS_SOAK: u64 = 10_000_000;
const TURNS: u64 = 7;
/// An answer within it does not break a train of thought.
const SECOND_MS: f64 = 1000.0;

/// A line of the example.
#[derive(Deserialize)]
struct Answered {
    case: String,
    ours_ms: f64,
    peer_ms: f64,
    ours_cold_ms: Option<f64>,
}

pub(super) fn compare(watch: &mut Watch) -> Result<Vec<Comparison>> {
    let programs = built("records", &[("--example", "find")])?;
    let find = programs.first().context("cargo built no find")?;
    let records = if std::env::var_os("GATEHOUSE_SOAK").is_some() { RECORDS_SOAK } else { RECORDS };
    eprintln!("  records: writing and indexing {records}");
    watch.begin()?;
    let said = output(Command::new(find).args([records.to_string(), TURNS.to_string()]))?;
    watch.end()?;
    let mut comparisons = Vec::new();
    for line in said.lines() {
        let Answered { case, ours_ms, peer_ms, ours_cold_ms } = serde_json::from_str(line)?;
        let compared = |case: String, ours: f64, (peer, peer_name): (f64, &str), stretch| {
            let ratio = peer / ours;
            let (bench, unit, goal) = ("records", "ms", 1.0);
            let peer_name = peer_name.to_owned();
            Comparison {
                bench,
                case,
                ours,
                peer,
                peer_name,
                unit,
                ratio,
                goal,
                stretch,
                verdict: verdict(ratio, goal),
            }
        };
        let second = (SECOND_MS, "at most");
        comparisons.push(compared(format!("{case}, warm"), ours_ms, second, false));
        if let Some(cold) = ours_cold_ms {
            comparisons.push(compared(format!("{case}, cold"), cold, second, false));
        }
        comparisons.push(compared(case, ours_ms, (peer_ms, "a table and its indices"), true));
    }
    Ok(comparisons)
}
