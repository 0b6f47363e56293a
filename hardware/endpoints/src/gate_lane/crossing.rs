//! Who is in the lane, as far as five beams can tell: one beam changes at a time.
//!
//! People are counted where they come in, to raise the alarm early, and where they leave, to say who has passed: one passage is told each
//! time the far beam clears behind somebody, whatever covers the beams behind them meanwhile.

use super::Direction;

/// The beams.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Beams {
    /// Bit 0 is the outermost on the entry side.
    blocked: u8,
    /// The one in the plane of the leaf has been blocked once: it is not left out.
    has_middle: bool,
}

impl Beams {
    pub(super) const ALL_CLEAR: Beams = Beams { blocked: 0, has_middle: false };

    /// The beams around the leaf's sweep: the leaf never closes on one of these.
    const SAFETY: u8 = 0b01110;

    pub(super) const fn with(self, beam: u8, blocked: bool) -> Beams {
        let has_middle = self.has_middle || blocked && beam == MIDDLE;
        let blocked = if blocked { self.blocked | 1 << beam } else { self.blocked & !(1 << beam) };
        Beams { blocked, has_middle }
    }

    pub(super) const fn are_clear(self) -> bool {
        self.blocked == 0
    }

    pub(super) const fn leaf_may_close(self) -> bool {
        self.blocked & Self::SAFETY == 0
    }

    const fn blocked_at(self, direction: Direction, depth: u8) -> bool {
        self.blocked & 1 << beam_at(direction, depth) != 0
    }

    /// How deep the deepest blocked beam between the outermost ones lies.
    fn deepest_inner(self, direction: Direction) -> Option<u8> {
        (1..FAR).rev().find(|depth| self.blocked_at(direction, *depth))
    }
}

/// Whether the people in the lane may be there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Standing {
    /// All of them.
    Authorised,
    /// Not yet, and not deep enough to be an alarm: somebody stands at the reader.
    Waiting,
    /// No, and it was said.
    Alarmed,
}

/// Somebody between the outermost beams.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Crossing {
    Empty,
    Inside {
        /// Which way they came in to go.
        direction: Direction,
        /// The deepest beam reached by the first of them, 0 (where they came in) to [`FAR`] (where they leave).
        reached: u8,
        /// How deep the last of them is. Who is alone may step back.
        last: u8,
        /// How many came in and have not left, at most [`MOST_PEOPLE`].
        people: u8,
        standing: Standing,
    },
}

/// More people than this in one crossing are counted as this many.
const MOST_PEOPLE: u8 = 4;
/// How deep the beam lies where they leave.
const FAR: u8 = 4;
/// The beam in the plane of the leaf, and how deep it lies.
const MIDDLE: u8 = 2;

/// What one beam's change means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    Nothing,
    /// Somebody came in.
    CameIn(Direction),
    /// Those inside are deeper than before.
    Deeper,
    /// One more came in behind the others.
    Followed,
    /// Somebody came in from the other end.
    Opposed(Direction),
    /// The first of those inside has left at the far end; who is still there, seen to follow or not, is the crossing now.
    OneLeft {
        direction: Direction,
        standing: Standing,
    },
    /// All out, at the far end.
    Left {
        direction: Direction,
        people: u8,
        standing: Standing,
    },
    /// All out, where they came in.
    WentBack {
        direction: Direction,
        standing: Standing,
    },
}

/// How deep a beam lies for somebody going `direction`.
const fn depth(direction: Direction, beam: u8) -> u8 {
    match direction {
        Direction::Entry => beam,
        Direction::Exit => FAR - beam,
    }
}

/// Which beam lies so deep.
const fn beam_at(direction: Direction, deep: u8) -> u8 {
    depth(direction, deep)
}

impl Crossing {
    /// One beam changed; `beams` is how they are now. `toward` is the way the leaf is open, for somebody who appears in the middle.
    pub(super) fn beam(&mut self, beam: u8, blocked: bool, beams: Beams, toward: Option<Direction>) -> Seen {
        match (*self, blocked) {
            (Crossing::Empty, false) => Seen::Nothing,
            (Crossing::Empty, true) => {
                let direction = match beam {
                    0 | 1 => Direction::Entry,
                    3 | 4 => Direction::Exit,
                    _ => toward.unwrap_or(Direction::Entry),
                };
                *self = Crossing::alone(direction, depth(direction, beam));
                Seen::CameIn(direction)
            }
            (Crossing::Inside { direction, .. }, true) => {
                self.advanced(direction, depth(direction, beam), beams)
            }
            (Crossing::Inside { direction, reached, last, people, standing }, false) => {
                let deep = depth(direction, beam);
                if beams.are_clear() {
                    *self = Crossing::Empty;
                    let front = if people == 1 { last } else { reached };
                    if front.max(deep) > MIDDLE {
                        Seen::Left { direction, people, standing }
                    } else {
                        Seen::WentBack { direction, standing }
                    }
                } else if deep == FAR && reached == FAR {
                    self.one_left(beams);
                    Seen::OneLeft { direction, standing }
                } else {
                    self.cleared(direction, deep, beams);
                    Seen::Nothing
                }
            }
        }
    }

    /// Who is alone is where the beam beside is still blocked: before the one that has cleared, or else behind it.
    fn cleared(&mut self, direction: Direction, deep: u8, beams: Beams) {
        let Crossing::Inside { last, people: 1, .. } = self else { return };
        if deep != *last {
            return;
        }
        if deep < FAR && beams.blocked_at(direction, deep + 1) {
            *last = deep + 1;
        } else if deep > 0 && beams.blocked_at(direction, deep - 1) {
            *last = deep - 1;
        }
    }

    const fn alone(direction: Direction, deep: u8) -> Crossing {
        Crossing::Inside { direction, reached: deep, last: deep, people: 1, standing: Standing::Waiting }
    }

    /// The beam at this depth is blocked: by whom?
    fn advanced(&mut self, direction: Direction, deep: u8, beams: Beams) -> Seen {
        let Crossing::Inside { reached, last, people, .. } = self else { return Seen::Nothing };
        let front = if *people == 1 { *last } else { *reached };
        // Nobody gets to one of the last two beams but by the one before it.
        let before = if deep == FAR || beams.has_middle { deep.saturating_sub(1) } else { MIDDLE - 1 };
        if deep > MIDDLE && front < before && !beams.blocked_at(direction, deep - 1) {
            return Seen::Opposed(direction.opposite());
        }
        if deep + 2 <= *last {
            *last = deep;
            *people = (*people + 1).min(MOST_PEOPLE);
            return Seen::Followed;
        }
        if *people == 1 || deep <= *reached {
            *last = deep;
        }
        if deep > *reached {
            *reached = deep;
            return Seen::Deeper;
        }
        Seen::Nothing
    }

    /// The first has left. Who stands in the inner beams though nobody was counted has come in unseen.
    fn one_left(&mut self, beams: Beams) {
        let Crossing::Inside { direction, reached, last, people, standing } = self else { return };
        let inner = beams.deepest_inner(*direction);
        match (*people - 1, inner) {
            (0, inner) => *self = Crossing::alone(*direction, inner.unwrap_or(0)),
            (rest, inner) => {
                *people = rest;
                *reached = inner.unwrap_or(0).max((*last).min(FAR - 1));
                *last = (*last).min(*reached);
                if *standing == Standing::Authorised {
                    *standing = Standing::Waiting;
                }
            }
        }
    }
}
