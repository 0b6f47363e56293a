//! Supervised inputs: a pull-up, a resistor in series at the end of the line and one across the contact there, so that open, short,
//! rest and operated are four different voltages.

use crate::Sense;

/// The contact at rest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Contact {
    /// Closed at rest (door contact, fire relay, break-glass).
    NormallyClosed,
    /// Open at rest (request to exit).
    NormallyOpen,
}

/// The windows of a supervised line, in per mille of the converter's reference, from the board's pin map.
///
/// With 2.2 kΩ for pull-up, line and contact resistors a closed contact reads 500, an open one 667, a short 0 and a cut line 1000.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Windows {
    /// Below: short.
    pub short_below: u16,
    /// Below: the contact is closed; from here it is open.
    pub middle: u16,
    /// From here: the line is cut.
    pub open_from: u16,
}

impl Windows {
    /// The windows of the standard resistors (2.2 kΩ each).
    pub const STANDARD: Windows = Windows { short_below: 250, middle: 583, open_from: 833 };

    /// What a reading of `per_mille` (0..=1000) says of a line whose contact rests as `contact`.
    pub const fn decode(self, contact: Contact, per_mille: u16) -> Sense {
        if per_mille < self.short_below {
            Sense::Short
        } else if per_mille >= self.open_from {
            Sense::Cut
        } else {
            let closed = per_mille < self.middle;
            match (contact, closed) {
                (Contact::NormallyClosed, true) | (Contact::NormallyOpen, false) => Sense::Rest,
                (Contact::NormallyClosed, false) | (Contact::NormallyOpen, true) => Sense::Active,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reading of a line with the given pull-up, in per mille.
    fn reading(pull: u32, line: u32) -> u16 {
        u16::try_from(1000 * line / (pull + line)).unwrap()
    }

    #[test]
    fn four_states_with_one_per_cent_resistors() {
        for (worst_pull, worst_line) in [(2178, 2222), (2222, 2178), (2200, 2200)] {
            let closed = reading(worst_pull, worst_line + 100);
            let open = reading(worst_pull, worst_line * 2 + 100);
            let w = Windows::STANDARD;
            assert_eq!(w.decode(Contact::NormallyClosed, closed), Sense::Rest);
            assert_eq!(w.decode(Contact::NormallyClosed, open), Sense::Active);
            assert_eq!(w.decode(Contact::NormallyOpen, open), Sense::Rest);
            assert_eq!(w.decode(Contact::NormallyOpen, closed), Sense::Active);
            assert_eq!(w.decode(Contact::NormallyClosed, reading(worst_pull, 100)), Sense::Short);
            assert_eq!(w.decode(Contact::NormallyClosed, 1000), Sense::Cut);
        }
    }
}
