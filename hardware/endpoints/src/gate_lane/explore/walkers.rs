//! Whether there must be a second person, by the three inner beams alone: one body covers one of them, or two side by side, and moves past
//! them one by one. When it cannot be what covers a beam next, that is somebody else.

use super::{Event, GateLane, Output};
use crate::common::{Effect, Effects};

/// More than this are counted as this many: with three, any of them may be anywhere.
const MOST: i8 = 2;

/// Who is in the lane, against what was authorised.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Walkers {
    /// Where the last of them is.
    last: Place,
    /// The first inner beam they covered; 0 where that is not known.
    from: usize,
    people: i8,
    authorised: i8,
    alarms: i8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
enum Place {
    /// Anywhere outside the inner beams.
    #[default]
    Unseen,
    /// In one of these gaps: bit 0 is the one before beam 1, bit n the one behind beam n.
    Between(u8),
    /// Where beams are covered.
    Covers,
    /// Beams are covered as no single body covers them.
    Many,
}

impl Walkers {
    /// The law: one authority lets one person through. A second one, and whoever gets through without, is an alarm.
    pub(super) fn one_for_each_authority(
        &mut self,
        beam: Option<(usize, bool)>,
        beams: [bool; 5],
        effects: &Effects<Output, Event>,
        after: &GateLane,
    ) {
        if let Some((beam @ 1..=3, blocked)) = beam {
            self.inner(beam, blocked, beams);
        }
        let left = self.told(beams, effects);
        let covered = beams[1..4].contains(&true);
        assert!(self.people <= self.authorised.max(1) + self.alarms, "two: {self:?} {after:?}");
        if self.is_through() || left && covered {
            assert!(self.authorised + self.alarms > 0, "one without authority: {self:?} {after:?}");
        }
        if beams == [false; 5] {
            let used = i8::from(self.is_through() && self.alarms == 0);
            *self = Walkers { authorised: (self.authorised - used).max(0), ..Walkers::default() };
        }
    }

    /// Past the inner beams, and the lane has not told that they have left.
    fn is_through(&self) -> bool {
        matches!((self.from, self.last), (1, Place::Between(0b1100)) | (3, Place::Between(0b0011)))
    }

    /// What the lane tells; says whether that somebody has left.
    fn told(&mut self, beams: [bool; 5], effects: &Effects<Output, Event>) -> bool {
        let mut left = false;
        for effect in effects {
            match effect {
                Effect::Event(Event::Authorised { .. }) => self.authorised += 1,
                Effect::Event(Event::NotUsed { .. }) => self.authorised = (self.authorised - 1).max(0),
                Effect::Event(Event::Passed { .. }) => {
                    self.authorised = (self.authorised - 1).max(0);
                    left = true;
                }
                Effect::Event(Event::Slipped { .. }) => left = true,
                Effect::Event(Event::Tailgating { .. } | Event::WrongWay { .. } | Event::Forced { .. }) => {
                    self.alarms = (self.alarms + 1).min(MOST);
                }
                Effect::Event(_)
                | Effect::Set(..)
                | Effect::Began(_)
                | Effect::Ended(_)
                | Effect::Answer(_) => {}
            }
        }
        if left {
            self.people = i8::from(beams[1..4].contains(&true));
            self.from = 0;
            self.last = match beams[1..4] {
                [false, false, false] => Place::Unseen,
                [true, _, true] => Place::Many,
                _ => Place::Covers,
            };
        }
        left
    }

    fn inner(&mut self, beam: usize, blocked: bool, beams: [bool; 5]) {
        let beside = 0b11 << (beam - 1);
        let (somebody_else, place) = match (self.last, blocked, &beams[1..4]) {
            (Place::Covers, false, [false, false, false]) => (false, Place::Between(beside)),
            (_, false, [false, false, false]) => (false, Place::Unseen),
            (last, false, _) => (false, last),
            (Place::Unseen, true, _) => (self.people == 0, Place::Covers),
            (Place::Between(gaps), true, _) => (gaps & beside == 0, Place::Covers),
            (Place::Covers, true, [true, false, true]) => (true, Place::Many),
            (Place::Covers, true, [true, true, true]) | (Place::Many, true, _) => (false, Place::Many),
            (Place::Covers, true, _) => (false, Place::Covers),
        };
        self.last = place;
        if somebody_else {
            self.from = if self.people == 0 { beam } else { 0 };
            self.people = (self.people + 1).min(MOST);
        }
    }
}
