//! The report as a person reads it.

use std::fmt;

use super::recognition::{MARGIN, Recognition, Row};
use super::{Liveness, Presentations, Refused, Report, Stages};

/// Fewer trials than this give no rate worth the name: with no error in 300, the true rate may still be 1 % (the "rule
/// of 3").
const FEW: usize = 300;
/// A standard normal variable lies within so many deviations 95 times of 100.
const DEVIATIONS: f64 = 1.96;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { set, photographs, people, usable, refused, .. } = self;
        writeln!(f, "Set: {set}, {photographs} photographs of {people} people, {usable} usable")?;
        for Refused { photograph, reason } in refused.iter().take(10) {
            writeln!(f, "  refused: {photograph}: {reason}")?;
        }
        if refused.len() > 10 {
            writeln!(f, "  refused: {} more", refused.len() - 10)?;
        }
        write!(f, "{}{}", self.recognition, self.liveness)?;
        let Stages { detect, liveness, embed } = self.cpu_ms;
        writeln!(
            f,
            "\nProcessor time of one thread, median: detect {detect:.1} ms, liveness {liveness:.1} ms, embed {embed:.1} ms"
        )?;
        writeln!(
            f,
            "\nCounts on this set. A rate (with its 95 % interval, as if the trials were independent) stands only where \
             there were {FEW} trials."
        )
    }
}

impl fmt::Display for Recognition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { genuine, impostor, covered, .. } = *self;
        writeln!(f, "\nOne to one (SFace, cosine)")?;
        writeln!(
            f,
            "  {:>9}  {:<36}  {:<40}  missed, mouth covered (drawn)",
            "threshold", "same person missed (FNMR)", "other person taken (FMR)"
        )?;
        for Row { threshold, missed, taken, covered_missed, .. } in &self.rows {
            let (missed, taken) = (of(*missed, genuine), of(*taken, impostor));
            writeln!(f, "  {threshold:>9.3}  {missed:<36}  {taken:<40}  {}", of(*covered_missed, covered))?;
        }
        if let (Some(least), Some(greatest)) = (self.least_genuine, self.greatest_impostor) {
            writeln!(f, "  least of the same person {least:.3}, greatest of different people {greatest:.3}")?;
        }
        writeln!(f, "\nOne to many, {} people enrolled with one photograph each", self.enrolled)?;
        let margin = format!("the same, {MARGIN} over the second");
        writeln!(
            f,
            "  {:>9}  {:<32}  {margin:<32}  {:<34}  {margin}",
            "threshold", "enrolled, not found (FNIR)", "stranger taken (FPIR)"
        )?;
        for row in &self.rows {
            let (lost, unclear) = (of(row.not_found, self.mated), of(row.not_clear, self.mated));
            let (taken, clear) =
                (of(row.strangers_taken, self.unmated), of(row.strangers_clear, self.unmated));
            writeln!(f, "  {:>9.3}  {lost:<32}  {unclear:<32}  {taken:<34}  {clear}", row.threshold)?;
        }
        Ok(())
    }
}

impl fmt::Display for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nLiveness (ISO/IEC 30107-3; one frame, threshold {:.2})", self.threshold)?;
        writeln!(f, "  {:<38}  {:<36}  no response", "attack", "called live (APCER)")?;
        for (name, presentations) in &self.attacks {
            writeln!(f, "  {name:<38}  {presentations}")?;
        }
        writeln!(f, "  {:<38}  unmeasured", "real paper, real screens, solid masks")?;
        writeln!(f, "  {:<38}  {:<36}  no response", "bona fide", "called not live (BPCER)")?;
        writeln!(f, "  {:<38}  {}", "photograph as it is", self.photographs)?;
        writeln!(f, "  {:<38}  {}", "mouth covered, drawn", self.covered)?;
        writeln!(f, "  {:<38}  unmeasured", "living people before a camera")
    }
}

impl fmt::Display for Presentations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shown, no_response, wrong } = *self;
        write!(f, "{:<36}  {}", of(wrong, shown - no_response), of(no_response, shown))
    }
}

fn of(errors: usize, trials: usize) -> String {
    match trials {
        0 => "unmeasured".to_owned(),
        1..FEW => format!("{errors} of {trials}"),
        FEW.. => {
            let (low, high) = interval(errors as f64, trials as f64);
            let rate = errors as f64 / trials as f64;
            // Two figures of the rate: a hundredth of a percent is much where millions are compared.
            let digits = if high < 0.001 { 4 } else { 2 };
            let percent = |part: f64| format!("{:.digits$}", part * 100.0);
            format!("{errors} of {trials} = {} % ({}-{})", percent(rate), percent(low), percent(high))
        }
    }
}

/// Wilson's score interval, 95 %.
fn interval(errors: f64, trials: f64) -> (f64, f64) {
    let (rate, square) = (errors / trials, DEVIATIONS * DEVIATIONS);
    let middle = (rate + square / (2.0 * trials)) / (1.0 + square / trials);
    let half = DEVIATIONS * (rate * (1.0 - rate) / trials + square / (4.0 * trials * trials)).sqrt()
        / (1.0 + square / trials);
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rate_without_trials_enough_and_none_without_its_interval() {
        assert_eq!(of(0, 0), "unmeasured");
        assert_eq!(of(1, 299), "1 of 299");
        // The rule of 3 says 1 %; Wilson's interval is a little wider.
        assert_eq!(of(0, 300), "0 of 300 = 0.00 % (0.00-1.26)");
        assert_eq!(of(50, 1_000), "50 of 1000 = 5.00 % (3.81-6.53)");
        assert_eq!(of(65, 1_000_000), "65 of 1000000 = 0.0065 % (0.0051-0.0083)");
    }
}
