//! Two programs that take turns: A B A B, each on its own processor or processors, until there are enough pairs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use building::process::Process;
use serde::de::DeserializeOwned;

/// Loading and checking take a while, one round a few seconds at most.
const READY: Duration = Duration::from_secs(120);
const ROUND: Duration = Duration::from_secs(60);

/// What one round took: figures by name.
pub(super) type Figures = BTreeMap<String, f64>;

/// One side: so many copies of a program at once, each pinned to a processor of its own. They speak in lines of JSON:
/// first what they are, then, for each line that they are told, a round's figures.
pub(super) struct Side {
    copies: Vec<Process>,
}

impl Side {
    /// Starts the copies one after the other; what the first one says of itself.
    pub(super) fn start<T: DeserializeOwned>(
        name: &str,
        copies: usize,
        command: &[&Path],
        logs: &Path,
    ) -> Result<(Self, T)> {
        let mut side = Self { copies: Vec::new() };
        let mut first = None;
        for processor in 0..copies {
            let number = processor.to_string();
            let pinned = [Path::new("--cpu-list"), Path::new(&number)];
            let words = pinned.iter().chain(command);
            let mut copy = Process::start(name, Path::new("/usr/bin/taskset"), words, logs)?;
            let said = copy.wait_for(READY, |line| serde_json::from_str(line).ok())?;
            first.get_or_insert(said);
            side.copies.push(copy);
        }
        Ok((side, first.context("at least one copy")?))
    }

    /// One round of every copy at the same time: the mean of what they say.
    pub(super) fn round(&mut self, word: &str) -> Result<Figures> {
        for copy in &mut self.copies {
            copy.say(word)?;
        }
        let mut sum = Figures::new();
        let count = self.copies.len() as f64;
        for copy in &mut self.copies {
            let figures: Figures = copy.wait_for(ROUND, |line| serde_json::from_str(line).ok())?;
            for (name, figure) in figures {
                *sum.entry(name).or_default() += figure / count;
            }
        }
        Ok(sum)
    }
}

/// What came of the turns.
pub(super) struct Paired {
    rounds: Vec<(Figures, Figures)>,
}

/// Takes turns. The first pair warms up and does not count.
pub(super) fn alternate(
    pairs: usize,
    mut ours: impl FnMut() -> Result<Figures>,
    mut peer: impl FnMut() -> Result<Figures>,
) -> Result<Paired> {
    let mut rounds = Vec::new();
    for pair in 0..=pairs {
        let round = (ours()?, peer()?);
        if pair > 0 {
            rounds.push(round);
        }
    }
    Ok(Paired { rounds })
}

impl Paired {
    /// Our median of one figure.
    pub(super) fn ours(&self, name: &str) -> f64 {
        median(self.rounds.iter().filter_map(|(ours, _)| ours.get(name).copied()))
    }

    /// The other program's.
    pub(super) fn peer(&self, name: &str) -> f64 {
        median(self.rounds.iter().filter_map(|(_, peer)| peer.get(name).copied()))
    }

    /// The ratio of each pair: the other program's figure by ours.
    pub(super) fn ratios(&self, name: &str) -> Vec<f64> {
        let pairs = self.rounds.iter();
        pairs.filter_map(|(ours, peer)| Some(peer.get(name)? / ours.get(name)?)).collect()
    }

    /// The names of our figures and the other's, with their medians, for a person to read.
    pub(super) fn stages(&self) -> Result<(String, String)> {
        let Some((ours, peer)) = self.rounds.first() else { bail!("no round was done") };
        let list = |figures: &Figures, of: &dyn Fn(&str) -> f64| {
            let one = |name: &String| format!("{name} {:.0}", of(name));
            figures.keys().map(one).collect::<Vec<_>>().join(", ")
        };
        Ok((list(ours, &|name| self.ours(name)), list(peer, &|name| self.peer(name))))
    }
}

/// The middle one; of an even number, the mean of the two in the middle. Zero of none.
pub(super) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    let half = figures.len() / 2;
    match figures.len() {
        0 => 0.0,
        count if count % 2 == 1 => figures[half],
        _ => f64::midpoint(figures[half - 1], figures[half]),
    }
}

/// How far the middle half of the figures is spread, as a part of their median.
pub(super) fn spread(figures: &[f64]) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0..4 => 0.0,
        count => (figures[count - 1 - count / 4] - figures[count / 4]) / median(figures.iter().copied()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_and_one_bad_turn_does_not_move_it() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median([2.0, 2.0, 2.0, 2.0, 90.0]), 2.0);
        assert_eq!(spread(&[2.0, 2.0, 2.0, 2.0, 90.0]), 0.0);
        assert!(spread(&[1.0, 1.0, 2.0, 3.0, 3.0]) > 0.9);
    }

    #[test]
    fn ratios_are_of_neighbours_and_above_one_when_ours_is_quicker() {
        let figure = |value| Figures::from([("x".to_owned(), value)]);
        let (mut ours, mut peer) = ([100.0, 1.0, 2.0].into_iter(), [1.0, 6.0, 6.0].into_iter());
        let paired = alternate(
            2,
            || Ok(figure(ours.next().expect("three"))),
            || Ok(figure(peer.next().expect("three"))),
        )
        .expect("no round fails");
        assert_eq!(paired.ratios("x"), [6.0, 3.0], "the first pair warms up");
        assert_eq!((paired.ours("x"), paired.peer("x")), (1.5, 6.0));
    }
}
