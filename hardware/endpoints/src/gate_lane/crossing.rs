//! Who is in the lane, as far as five beams can tell: one beam changes at a time.

use super::Direction;

/// The beams, bit 0 the outermost on the entry side.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Beams(u8);

impl Beams {
    pub(super) const ALL_CLEAR: Beams = Beams(0);

    /// The beams around the leaf's sweep: the leaf never closes on one of these.
    const SAFETY: u8 = 0b01110;

    pub(super) const fn with(self, beam: u8, blocked: bool) -> Beams {
        if blocked { Beams(self.0 | 1 << beam) } else { Beams(self.0 & !(1 << beam)) }
    }

    pub(super) const fn are_clear(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn leaf_may_close(self) -> bool {
        self.0 & Self::SAFETY == 0
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
        /// The deepest beam reached, 0 (where they came in) to 4 (where they leave).
        reached: u8,
        /// Whether the beam where they came in has cleared since.
        behind_clear: bool,
        /// How many came in behind each other, at most [`MOST_PEOPLE`].
        people: u8,
        standing: Standing,
    },
}

/// More people than this in one crossing are counted as this many.
pub(super) const MOST_PEOPLE: u8 = 4;

/// What one beam's change means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    Nothing,
    /// Somebody came in.
    CameIn(Direction),
    /// Those inside are deeper than before.
    Deeper,
    /// One more came in behind the first.
    Followed,
    /// Somebody came in from the other end.
    Opposed(Direction),
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
        Direction::Exit => 4 - beam,
    }
}

impl Crossing {
    /// One beam changed; `beams` is how they are now. `toward` is the way the leaf is open, for somebody who appears in the middle.
    pub(super) fn beam(&mut self, beam: u8, blocked: bool, beams: Beams, toward: Option<Direction>) -> Seen {
        match (&mut *self, blocked) {
            (Crossing::Empty, false) => Seen::Nothing,
            (Crossing::Empty, true) => {
                let direction = match beam {
                    0 | 1 => Direction::Entry,
                    3 | 4 => Direction::Exit,
                    _ => toward.unwrap_or(Direction::Entry),
                };
                let reached = depth(direction, beam);
                *self = Crossing::Inside {
                    direction,
                    reached,
                    behind_clear: reached > 0,
                    people: 1,
                    standing: Standing::Waiting,
                };
                Seen::CameIn(direction)
            }
            (Crossing::Inside { direction, reached, behind_clear, people, .. }, true) => {
                let deep = depth(*direction, beam);
                if deep == 0 && *behind_clear && *reached >= 2 {
                    *behind_clear = false;
                    *people = (*people + 1).min(MOST_PEOPLE);
                    Seen::Followed
                } else if deep == 4 && *reached < 3 {
                    Seen::Opposed(direction.opposite())
                } else if deep > *reached {
                    *reached = deep;
                    Seen::Deeper
                } else {
                    Seen::Nothing
                }
            }
            (Crossing::Inside { direction, behind_clear, people, standing, .. }, false) => {
                let (direction, people, standing) = (*direction, *people, *standing);
                let deep = depth(direction, beam);
                if deep == 0 {
                    *behind_clear = true;
                }
                if !beams.are_clear() {
                    return Seen::Nothing;
                }
                *self = Crossing::Empty;
                if deep >= 3 {
                    Seen::Left { direction, people, standing }
                } else {
                    Seen::WentBack { direction, standing }
                }
            }
        }
    }
}
