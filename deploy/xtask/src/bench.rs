//! Speed, as ratios against what a user would pick instead, or against the limit that physics sets.
//!
//! Ours and the other program run in one command and take turns on the same processor; a figure is the median of the
//! ratios of neighbouring turns. Answers are compared before anything is measured. What a ratio cannot say, because the
//! machine had other things to do, is called inconclusive.

mod bus;
mod conditions;
mod fanout;
mod frame;
mod ingest;
mod peers;
mod records;
mod search;
mod turns;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::run::cargo;
use crate::{fetch, machine};
use conditions::Watch;

#[derive(Args)]
pub(crate) struct Options {
    /// Which one; all when none is named.
    name: Option<Name>,
    /// One line of JSON a comparison, instead of a table.
    #[arg(long)]
    json: bool,
    /// Do not ask before installing.
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// The OSDP bus against the time its bytes take on the wire.
    Bus,
    /// One-to-many search against faiss.
    Search,
    /// MQTT to a durable row against Node with `mqtt` and `better-sqlite3`.
    Ingest,
    /// An event on every screen against Node with `ws`.
    Fanout,
    /// Finding records in a long journal, against a second and an ordinary table.
    Records,
    /// A camera frame against `face_recognition`.
    Frame,
}

/// One comparison.
#[derive(Serialize)]
struct Comparison {
    bench: &'static str,
    case: String,
    ours: f64,
    peer: f64,
    /// With its version.
    peer_name: String,
    unit: &'static str,
    /// Above 1: ours is better.
    ratio: f64,
    goal: f64,
    /// Worth reaching, and no fault while it is not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stretch: bool,
    verdict: Verdict,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Pass,
    Fail,
    Inconclusive,
}

/// The exit code that says: ask again on a quieter machine.
const INCONCLUSIVE: u8 = 3;

/// What tests hold the server against: what calls its interface for programs, and what takes its webhooks.
pub(crate) fn peers_of_tests() -> Result<()> {
    ["schemathesis", "webhooks"].into_iter().try_for_each(|name| peers::python(name).map(drop))
}

/// Runs what is asked for: success when every goal is met, stretches aside, 1 when one is missed, 3 when the machine was too busy to say.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut verdicts = Vec::new();
    for &name in Name::value_variants() {
        if options.name.is_some_and(|only| only != name) {
            continue;
        }
        let comparisons = match name {
            Name::Bus => vec![bus::compare()?],
            Name::Search => on_this_machine(options, search::compare)?,
            Name::Ingest => on_this_machine(options, ingest::compare)?,
            Name::Fanout => on_this_machine(options, fanout::compare)?,
            Name::Records => on_this_machine(options, records::compare)?,
            Name::Frame => {
                fetch::all(None)?;
                on_this_machine(options, frame::compare)?
            }
        };
        for it in &comparisons {
            it.print(options.json)?;
            if !it.stretch {
                verdicts.push(it.verdict);
            }
        }
    }
    Ok(if verdicts.contains(&Verdict::Fail) {
        eprintln!("cargo xtask bench: a goal was missed");
        ExitCode::FAILURE
    } else if verdicts.contains(&Verdict::Inconclusive) {
        eprintln!("cargo xtask bench: INCONCLUSIVE: this machine was too busy");
        ExitCode::from(INCONCLUSIVE)
    } else {
        ExitCode::SUCCESS
    })
}

/// A measurement that depends on what else the machine does.
fn on_this_machine(
    options: &Options,
    compare: fn(&mut Watch) -> Result<Vec<Comparison>>,
) -> Result<Vec<Comparison>> {
    machine::packages(options.yes)?;
    let mut watch = Watch::default();
    let mut comparisons = compare(&mut watch)?;
    let quiet = watch.report();
    for it in &mut comparisons {
        if !quiet {
            it.verdict = Verdict::Inconclusive;
        }
    }
    Ok(comparisons)
}

impl Comparison {
    fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        println!(
            "{:7} {:44} ours {:>9} {unit}   {:>9} {unit} {}   ratio {:.2} ({} {:.2})   {}",
            self.bench,
            self.case,
            digits(self.ours),
            digits(self.peer),
            self.peer_name,
            self.ratio,
            if self.stretch { "stretch" } else { "goal" },
            self.goal,
            match self.verdict {
                Verdict::Pass => "pass",
                Verdict::Fail => "FAIL",
                Verdict::Inconclusive => "INCONCLUSIVE",
            },
            unit = self.unit,
        );
        Ok(())
    }
}

fn verdict(ratio: f64, goal: f64) -> Verdict {
    if ratio >= goal { Verdict::Pass } else { Verdict::Fail }
}

fn digits(figure: f64) -> String {
    if figure < 100.0 { format!("{figure:.2}") } else { format!("{figure:.0}") }
}

/// Builds with optimisation; where cargo laid the programs, in the order asked for.
fn built(package: &str, targets: &[(&str, &str)]) -> Result<Vec<std::path::PathBuf>> {
    #[derive(serde::Deserialize)]
    struct Message {
        target: Option<Target>,
        executable: Option<std::path::PathBuf>,
    }
    #[derive(serde::Deserialize)]
    struct Target {
        name: String,
    }
    let mut build = cargo();
    build.args(["build", "--release", "--message-format", "json-render-diagnostics", "--package", package]);
    for (kind, name) in targets {
        build.args([*kind, *name]);
    }
    eprintln!("  building {package} with optimisation");
    let said = crate::run::output(&mut build)?;
    let messages: Vec<Message> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let find = |name: &str| {
        let mut found = messages.iter().filter(|it| it.target.as_ref().is_some_and(|it| it.name == name));
        found.find_map(|it| it.executable.clone())
    };
    targets
        .iter()
        .map(|(_, name)| find(name).ok_or_else(|| anyhow::anyhow!("cargo built no {name}")))
        .collect()
}
