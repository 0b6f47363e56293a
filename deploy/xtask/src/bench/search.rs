//! `search`: the nearest of 100,000 templates, ours exact, against faiss.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, ensure};
use serde::Deserialize;

use super::conditions::Watch;
use super::turns::{Side, alternate};
use super::{Comparison, built, peers, verdict};

const PAIRS: usize = 15;
const CASES: [Case; 2] = [
    Case { word: "exact", words: "IndexFlatIP, exact", goal: 6.0, stretch: false },
    // As fast as what does not promise the right answer.
    Case { word: "codes", words: "PQ64x4fs, 64 refined", goal: 1.0, stretch: true },
];

struct Case {
    word: &'static str,
    words: &'static str,
    goal: f64,
    stretch: bool,
}

#[derive(Deserialize)]
struct Ours {
    rows: u64,
    dimensions: u64,
    path: String,
}

#[derive(Deserialize)]
struct Peer {
    version: String,
    built_for: String,
    /// The part of the queries answered with the right row, by case.
    right: BTreeMap<String, f64>,
}

pub(super) fn compare(watch: &mut Watch) -> Result<Vec<Comparison>> {
    let program = built("gallery", &[("--example", "search")])?.remove(0);
    let (python, script) = (peers::python("search")?, peers::script("search.py"));
    let folder = peers::scratch("search")?;
    let mut comparisons = Vec::new();
    // One thread, then two at once: what both wait for then is memory.
    for copies in [1, 2] {
        let turns = [&program, Path::new("--turns"), &folder];
        let (mut ours, said): (_, Ours) = Side::start("gallery", copies, &turns, &folder)?;
        // Every answer of ours was compared with all rows before it said this.
        let (mut peer, peer_said): (_, Peer) =
            Side::start("faiss", copies, &[&python, &script, &folder], &folder)?;
        let right = |case: &Case| peer_said.right.get(case.word).copied().unwrap_or(0.0);
        ensure!(right(&CASES[0]) == 1.0, "the two do not agree who is nearest: no ratio");
        eprintln!(
            "  search: ours on {}, checked against every row; faiss-cpu {} ({}), one query a call, {copies} at once",
            said.path, peer_said.version, peer_said.built_for
        );
        watch.begin()?;
        for case in CASES {
            let paired = alternate(PAIRS, || ours.round("search"), || peer.round(case.word))?;
            let ratio = watch.ratios(&paired.ratios("search"));
            comparisons.push(Comparison {
                bench: "search",
                case: format!(
                    "{} x {}, {copies} thread{}",
                    said.rows,
                    said.dimensions,
                    if copies > 1 { "s" } else { "" }
                ),
                ours: paired.ours("search"),
                peer: paired.peer("search"),
                peer_name: format!(
                    "faiss-cpu {} {}, recall {:.3}",
                    peer_said.version,
                    case.words,
                    right(&case)
                ),
                unit: "us CPU/query",
                ratio,
                goal: case.goal,
                stretch: case.stretch,
                verdict: verdict(ratio, case.goal),
            });
        }
        watch.end()?;
    }
    Ok(comparisons)
}
