//! Where the leaf goes: brings it in line with what is wanted, and the outputs in line with the leaf.

use super::super::crossing::{Crossing, Standing};
use super::{GateLane, Leaf, Mode, Out, OutputSet};
use crate::common::{Effect, Sense, push};
use crate::gate_lane::{Direction, Event, Output};

impl GateLane {
    /// The way the leaf is open, or on its way to or from there.
    pub(super) const fn open_toward(&self) -> Option<Direction> {
        match self.leaf {
            Leaf::Opening { to, .. } | Leaf::Open { to } | Leaf::Closing { from: to, .. } => Some(to),
            Leaf::Closed | Leaf::Free => None,
        }
    }

    /// The way the leaf should be open.
    fn wanted(&self) -> Option<Direction> {
        if self.is_held() {
            // Whoever passes: as it stands, or outward. A hold may mean a fire elsewhere in the zone.
            return Some(self.open_toward().unwrap_or(Direction::Exit));
        }
        if let Crossing::Inside { direction, standing: Standing::Authorised, .. } = self.crossing {
            return Some(direction);
        }
        let waiting = |d| match d {
            Direction::Entry => !self.entry.ids.is_empty(),
            Direction::Exit => !self.exit.ids.is_empty(),
        };
        if matches!(self.crossing, Crossing::Inside { standing: Standing::Alarmed, .. }) {
            // Somebody without authority is inside: shut, unless an exit waits, which nothing denies.
            return waiting(Direction::Exit).then_some(Direction::Exit);
        }
        match self.open_toward() {
            Some(open) if waiting(open) => Some(open),
            Some(_) | None if waiting(Direction::Exit) => Some(Direction::Exit),
            Some(_) | None => waiting(Direction::Entry).then_some(Direction::Entry),
        }
    }

    pub(super) const fn is_held(&self) -> bool {
        matches!(self.mode, Mode::HeldOpen { .. })
    }

    fn may_close(&self) -> bool {
        self.beams.leaf_may_close() && !self.obstructed
    }

    /// Brings the leaf in line with what is wanted, and the outputs in line with the leaf.
    pub(super) fn settle(&mut self, now: u64, out: &mut Out) {
        self.watch_crossing(now);
        let before = self.leaf;
        self.leaf = self.next_leaf(now, out);
        match (before, self.leaf) {
            (Leaf::Free, Leaf::Free) => {}
            (Leaf::Free, _) => push(out, Effect::Event(Event::Secured)),
            (_, Leaf::Free) => push(out, Effect::Event(Event::Freed)),
            (Leaf::Closed | Leaf::Opening { .. } | Leaf::Open { .. } | Leaf::Closing { .. }, _) => {}
        }
        let driven = self.drive();
        for output in Output::ALL {
            let bit = 1 << output.number();
            if (driven ^ self.driven) & bit != 0 {
                push(out, Effect::Set(output, driven & bit != 0));
            }
        }
        self.driven = driven;
    }

    fn next_leaf(&self, now: u64, out: &mut Out) -> Leaf {
        if self.must_be_free() {
            return Leaf::Free;
        }
        let until = now + u64::from(self.settings.travel_ds.get()) * 100_000;
        let wanted = self.wanted();
        match self.leaf {
            Leaf::Closed => wanted.map_or(Leaf::Closed, |to| Leaf::Opening { to, until }),
            Leaf::Opening { .. } => self.leaf,
            Leaf::Free => match (wanted, self.may_close()) {
                (Some(to), _) => Leaf::Opening { to, until },
                (None, true) => Leaf::Closing { from: Direction::Exit, until },
                (None, false) => Leaf::Open { to: Direction::Exit },
            },
            Leaf::Open { to } => {
                if wanted != Some(to) && self.may_close() {
                    Leaf::Closing { from: to, until }
                } else {
                    self.leaf
                }
            }
            Leaf::Closing { from, .. } => {
                if !self.may_close() {
                    push(out, Effect::Event(Event::Reversed));
                    Leaf::Opening { to: from, until }
                } else if wanted == Some(from) {
                    Leaf::Opening { to: from, until }
                } else {
                    self.leaf
                }
            }
        }
    }

    fn drive(&self) -> OutputSet {
        let opening = |d| match self.leaf {
            Leaf::Opening { to, .. } | Leaf::Open { to } => to == d,
            // In a fire the leaf opens outward; without mains nothing is driven and it swings free.
            Leaf::Free => d == Direction::Exit && self.mains != Sense::Active,
            Leaf::Closed | Leaf::Closing { .. } => false,
        };
        let go = |d| match self.leaf {
            Leaf::Opening { to, .. } | Leaf::Open { to } => {
                self.is_held() || to == d && self.wanted() == Some(d)
            }
            Leaf::Free => d == Direction::Exit,
            Leaf::Closed | Leaf::Closing { .. } => false,
        };
        let alarmed = matches!(self.crossing, Crossing::Inside { standing: Standing::Alarmed, .. });
        let on = |output| match output {
            Output::OpenEntry => opening(Direction::Entry),
            Output::OpenExit => opening(Direction::Exit),
            Output::Sounder => alarmed && !self.must_be_free(),
            Output::Close => matches!(self.leaf, Leaf::Closing { .. }),
            Output::Brake => self.leaf == Leaf::Closed,
            Output::EntryGreen => go(Direction::Entry),
            Output::EntryRed => !go(Direction::Entry),
            Output::ExitGreen => go(Direction::Exit),
            Output::ExitRed => !go(Direction::Exit),
        };
        Output::ALL.into_iter().filter(|o| on(*o)).fold(0, |set, o| set | 1 << o.number())
    }
}
