//! What the machine was like while something was measured: what it did besides, what its host took away, how long its
//! disk takes to keep something.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::peers;
use super::turns::{median, spread};

/// How long is looked at what the machine does by itself, before and after.
const LOOK: Duration = Duration::from_secs(1);
/// More than this part of all processors at work for others is too busy.
const MOST_OTHERS: f64 = 0.10;
/// More than this part of the time taken by the host is too busy.
const MOST_STOLEN: f64 = 0.05;
/// Neighbouring turns that differ by more than this part of their median say nothing.
const MOST_SPREAD: f64 = 0.30;

/// Watches the machine over one measurement.
#[derive(Default)]
pub(super) struct Watch {
    began: Option<Ticks>,
    others: Vec<f64>,
    spreads: Vec<f64>,
    stolen: f64,
    synced: Option<Duration>,
}

/// Of all processors together, since the start of the machine, in hundredths of a second.
#[derive(Clone, Copy)]
struct Ticks {
    all: f64,
    idle: f64,
    stolen: f64,
}

impl Watch {
    /// Everything is built and started, and nothing of ours works: the measuring begins.
    pub(super) fn begin(&mut self) -> Result<()> {
        self.others.push(others()?);
        self.synced = Some(sync_time(&peers::folder()?)?);
        self.began = Some(ticks()?);
        Ok(())
    }

    /// The ratios of one case, as they came.
    pub(super) fn ratios(&mut self, ratios: &[f64]) -> f64 {
        self.spreads.push(spread(ratios));
        median(ratios.iter().copied())
    }

    /// The measuring is over, and nothing of ours works any more.
    pub(super) fn end(&mut self) -> Result<()> {
        if let Some(began) = self.began {
            let now = ticks()?;
            self.stolen = (now.stolen - began.stolen) / (now.all - began.all).max(1.0);
        }
        self.others.push(others()?);
        Ok(())
    }

    /// Says what the machine was like; whether it was quiet enough.
    pub(super) fn report(&self) -> bool {
        let most = |parts: &[f64]| parts.iter().copied().fold(0.0, f64::max);
        let (others, spread) = (most(&self.others), most(&self.spreads));
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load: Vec<_> = load.split_whitespace().take(3).collect();
        eprintln!(
            "  machine: load {}, others at work {:.0} %, stolen by the host {:.1} %, one fdatasync {:.1} ms, \
             middle half of the ratios within {:.0} %",
            load.join(" "),
            others * 100.0,
            self.stolen * 100.0,
            self.synced.unwrap_or_default().as_secs_f64() * 1e3,
            spread * 100.0,
        );
        others <= MOST_OTHERS && self.stolen <= MOST_STOLEN && spread <= MOST_SPREAD
    }
}

/// Which part of all processors is at work while this program waits.
fn others() -> Result<f64> {
    let before = ticks()?;
    std::thread::sleep(LOOK);
    let after = ticks()?;
    Ok(1.0 - (after.idle - before.idle) / (after.all - before.all).max(1.0))
}

fn ticks() -> Result<Ticks> {
    let text = fs::read_to_string("/proc/stat").context("/proc/stat")?;
    parse(&text).context("an unknown form of /proc/stat")
}

/// The first line of `/proc/stat` (proc_stat(5)): user, nice, system, idle, waiting for the disk, interrupts twice,
/// stolen; guests are counted in user.
fn parse(text: &str) -> Option<Ticks> {
    let numbers: Vec<f64> = text
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace()
        .map_while(|it| it.parse().ok())
        .collect();
    let first = numbers.get(..8)?;
    Some(Ticks { all: first.iter().sum(), idle: first[3] + first[4], stolen: first[7] })
}

/// The median of some: 4 KiB written and kept.
fn sync_time(folder: &Path) -> Result<Duration> {
    let path = folder.join("sync");
    let mut file = File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..9 {
        let start = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64());
    }
    fs::remove_file(path)?;
    Ok(Duration::from_secs_f64(median(times)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_counts_is_read() {
        let ticks =
            parse("cpu  100 20 30 400 50 6 4 10 99 99\ncpu0 1 2 3 4 5 6 7 8 9 10\n").expect("its form");
        assert_eq!((ticks.all, ticks.idle, ticks.stolen), (620.0, 450.0, 10.0));
        assert!(parse("intr 1 2 3").is_none());
    }

    #[test]
    fn a_busy_machine_gives_no_verdict() {
        let quiet = Watch { others: vec![0.01, 0.05], spreads: vec![0.1], stolen: 0.01, ..Watch::default() };
        assert!(quiet.report());
        for busy in [
            Watch { others: vec![0.01, 0.5], ..Watch::default() },
            Watch { stolen: 0.2, ..Watch::default() },
            Watch { spreads: vec![0.1, 0.9], ..Watch::default() },
        ] {
            assert!(!busy.report());
        }
    }
}
