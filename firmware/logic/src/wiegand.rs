//! Wiegand readers: pulses on two lines, latched by an interrupt with their times.
//!
//! 26, 34 and 37 bits with their parities are cards; 4 bits (or 8: the complement first) are a key. Anything else is a bad read.
//! The medium is unauthenticated: whoever holds the two wires can present any card.

use heapless::Vec;

/// Silence after which a transmission is over, µs. Readers pause at most 20 ms between bits.
const END_US: u64 = 25_000;
/// Pulses closer than this are one pulse and its ringing, µs.
const RING_US: u64 = 100;
const MAX_BITS: usize = 64;

/// The two lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// A pulse here is a 0.
    D0,
    /// A pulse here is a 1.
    D1,
}

/// What a reader sent. Debug shows no credential.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// A card of so many bits, first bit in the highest place.
    Card {
        /// 26, 34 or 37.
        bits: u16,
        /// The bits, left-aligned, zero-padded; `bits` divided by 8, rounded up, count.
        data: [u8; 8],
    },
    /// A key, as OSDP has it: ASCII digit, 0x7F for `*`, 0x0D for `#`.
    Key(u8),
    /// A transmission of the wrong length or parity.
    Bad {
        /// How many bits came.
        bits: u16,
    },
}

impl core::fmt::Debug for Read {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Read::Card { bits, .. } => write!(f, "Card of {bits} bits"),
            Read::Key(_) => f.write_str("Key"),
            Read::Bad { bits } => write!(f, "Bad read of {bits} bits"),
        }
    }
}

/// One reader's receiver.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wiegand {
    bits: Vec<bool, MAX_BITS>,
    /// Bits beyond [`MAX_BITS`].
    beyond: u16,
    last: u64,
}

impl Wiegand {
    /// A receiver that has heard nothing.
    pub const fn new() -> Wiegand {
        Wiegand { bits: Vec::new(), beyond: 0, last: 0 }
    }

    /// A falling edge at `now`, µs. If the transmission before it was over, that is returned.
    pub fn edge(&mut self, now: u64, line: Line) -> Option<Read> {
        let before = self.settle(now);
        if !self.bits.is_empty() && now < self.last + RING_US {
            return before;
        }
        self.last = now;
        if self.bits.push(line == Line::D1).is_err() {
            self.beyond = self.beyond.saturating_add(1);
        }
        before
    }

    /// The transmission that was over by `now`, once.
    pub fn settle(&mut self, now: u64) -> Option<Read> {
        if self.bits.is_empty() || now < self.last + END_US {
            return None;
        }
        let read = if self.beyond == 0 { decode(&self.bits) } else { None };
        let bits = u16::try_from(self.bits.len()).expect("at most MAX_BITS").saturating_add(self.beyond);
        self.bits.clear();
        self.beyond = 0;
        Some(read.unwrap_or(Read::Bad { bits }))
    }

    /// When [`Wiegand::settle`] will have something.
    pub fn deadline(&self) -> Option<u64> {
        (!self.bits.is_empty()).then_some(self.last + END_US)
    }
}

fn decode(bits: &[bool]) -> Option<Read> {
    match bits.len() {
        4 => key(number(bits)),
        8 => {
            let (complement, code) = (number(&bits[..4]), number(&bits[4..]));
            if complement == code ^ 0xF { key(code) } else { None }
        }
        26 | 34 | 37 => parities_hold(bits).then(|| {
            let mut data = [0; 8];
            for (i, _) in bits.iter().enumerate().filter(|(_, one)| **one) {
                data[i / 8] |= 0x80 >> (i % 8);
            }
            Read::Card { bits: u16::try_from(bits.len()).expect("at most 37"), data }
        }),
        _ => None,
    }
}

/// Even parity over the first half, odd over the second; with 37 bits both halves hold the middle one.
fn parities_hold(bits: &[bool]) -> bool {
    let half = bits.len().div_ceil(2);
    let ones = |part: &[bool]| part.iter().filter(|one| **one).count();
    ones(&bits[..half]).is_multiple_of(2) && !ones(&bits[bits.len() - half..]).is_multiple_of(2)
}

fn number(bits: &[bool]) -> u8 {
    bits.iter().fold(0, |n, one| n << 1 | u8::from(*one))
}

fn key(code: u8) -> Option<Read> {
    match code {
        0..=9 => Some(Read::Key(b'0' + code)),
        10 => Some(Read::Key(0x7F)),
        11 => Some(Read::Key(0x0D)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// A card's bits with right parities around `payload`.
    fn with_parities(length: usize, payload: u64) -> Vec<bool> {
        let mut bits: Vec<bool> = (0..length - 2).rev().map(|i| payload >> i & 1 == 1).collect();
        bits.insert(0, false);
        bits.push(false);
        let half = length.div_ceil(2);
        bits[0] = bits[..half].iter().filter(|b| **b).count() % 2 == 1;
        bits[length - 1] = bits[length - half..].iter().filter(|b| **b).count() % 2 == 0;
        bits
    }

    fn send(reader: &mut Wiegand, from: u64, gap: u64, bits: &[bool]) -> u64 {
        for (i, one) in (0..).zip(bits) {
            assert_eq!(reader.edge(from + i * gap, if *one { Line::D1 } else { Line::D0 }), None);
        }
        from + bits.len() as u64 * gap + END_US
    }

    proptest! {
        #[test]
        fn every_card_is_read_and_no_single_wrong_bit_passes(
            length in prop::sample::select(&[26_usize, 34, 37]),
            payload: u64,
            gap in 150_u64..20_000,
            wrong in 0_usize..37,
        ) {
            let bits = with_parities(length, payload & ((1 << (length - 2)) - 1));
            let mut reader = Wiegand::new();
            let end = send(&mut reader, 1_000, gap, &bits);
            let mut data = [0; 8];
            for (i, one) in bits.iter().enumerate() {
                data[i / 8] |= u8::from(*one) << (7 - i % 8);
            }
            let length_bits = u16::try_from(length).unwrap();
            prop_assert_eq!(reader.settle(end), Some(Read::Card { bits: length_bits, data }));
            prop_assert_eq!(reader.deadline(), None);

            // With 37 bits the middle one is in both halves: changing it breaks both.
            let mut bits = bits;
            let wrong = wrong % length;
            bits[wrong] = !bits[wrong];
            let end = send(&mut reader, end, gap, &bits);
            prop_assert_eq!(reader.settle(end), Some(Read::Bad { bits: length_bits }));
        }

        #[test]
        fn noise_never_panics_nor_stays(edges in prop::collection::vec((0_u64..40_000, any::<bool>()), 0..300)) {
            let mut reader = Wiegand::new();
            let mut now = 0;
            for (after, one) in edges {
                now += after;
                let _ = reader.edge(now, if one { Line::D1 } else { Line::D0 });
            }
            let _ = reader.settle(now + END_US);
            prop_assert_eq!(reader.deadline(), None);
        }
    }

    #[test]
    fn ringing_counts_once_and_two_cards_are_two() {
        let bits = with_parities(26, 0x12_3456);
        let mut reader = Wiegand::new();
        for (i, one) in (0..).zip(&bits) {
            let line = if *one { Line::D1 } else { Line::D0 };
            assert_eq!(reader.edge(i * 2_000, line), None);
            assert_eq!(reader.edge(i * 2_000 + 40, line), None);
        }
        let next = reader.edge(26 * 2_000 + 100_000, Line::D0);
        assert!(matches!(next, Some(Read::Card { bits: 26, .. })));
    }

    #[test]
    fn keys_in_four_and_eight_bits() {
        let mut reader = Wiegand::new();
        let end = send(&mut reader, 0, 2_000, &[false, true, true, true]);
        assert_eq!(reader.settle(end), Some(Read::Key(b'7')));
        let end = send(&mut reader, end, 2_000, &[false, true, false, false, true, false, true, true]);
        assert_eq!(reader.settle(end), Some(Read::Key(0x0D)));
        let end = send(&mut reader, end, 2_000, &[true, true, false, false, true, false, true, true]);
        assert_eq!(reader.settle(end), Some(Read::Bad { bits: 8 }));
    }
}
