//! As much of CBOR (RFC 8949) as authenticators speak (CTAP 2.1, 8: definite lengths, few levels): integers, byte and text
//! strings, maps of them. What is not asked for is stepped over.

use super::webauthn::Wrong;

/// Levels that are stepped into, at most; CTAP2 allows four.
const DEPTH: u8 = 6;

/// Reads from the front of some bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// So many bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Wrong> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Wrong::Form)?;
        self.0 = rest;
        Ok(taken)
    }

    /// So many bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Wrong> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Wrong::Form)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// The major type and the argument of the next item.
    fn head(&mut self) -> Result<(u8, u64), Wrong> {
        let [first] = self.array()?;
        let argument = match first & 0x1f {
            small @ 0..24 => u64::from(small),
            24 => u64::from(u8::from_be_bytes(self.array()?)),
            25 => u64::from(u16::from_be_bytes(self.array()?)),
            26 => u64::from(u32::from_be_bytes(self.array()?)),
            27 => u64::from_be_bytes(self.array()?),
            // Lengths that are told at the end are not CTAP's.
            _ => return Err(Wrong::Form),
        };
        Ok((first >> 5, argument))
    }

    fn of_type(&mut self, wanted: u8) -> Result<u64, Wrong> {
        let (found, argument) = self.head()?;
        if found == wanted { Ok(argument) } else { Err(Wrong::Form) }
    }

    /// An integer.
    pub(super) fn integer(&mut self) -> Result<i64, Wrong> {
        let (kind, argument) = self.head()?;
        let value = i64::try_from(argument).map_err(|_| Wrong::Form)?;
        match kind {
            0 => Ok(value),
            1 => Ok(-1 - value),
            _ => Err(Wrong::Form),
        }
    }

    /// A byte string.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Wrong> {
        let length = self.of_type(2)?;
        self.take(usize::try_from(length).map_err(|_| Wrong::Form)?)
    }

    /// A text string.
    pub(super) fn text(&mut self) -> Result<&'a str, Wrong> {
        let length = self.of_type(3)?;
        let bytes = self.take(usize::try_from(length).map_err(|_| Wrong::Form)?)?;
        std::str::from_utf8(bytes).map_err(|_| Wrong::Form)
    }

    /// Begins a map: how many pairs follow.
    pub(super) fn map(&mut self) -> Result<u64, Wrong> {
        self.of_type(5)
    }

    /// Steps over one item, whatever it is.
    pub(super) fn skip(&mut self) -> Result<(), Wrong> {
        self.skip_to(DEPTH)
    }

    fn skip_to(&mut self, depth: u8) -> Result<(), Wrong> {
        let depth = depth.checked_sub(1).ok_or(Wrong::Form)?;
        let (kind, argument) = self.head()?;
        let items = match kind {
            0 | 1 | 7 => 0,
            2 | 3 => {
                self.take(usize::try_from(argument).map_err(|_| Wrong::Form)?)?;
                0
            }
            4 => argument,
            5 => argument.checked_mul(2).ok_or(Wrong::Form)?,
            6 => 1,
            _ => return Err(Wrong::Form),
        };
        // Each item is a byte at least: a length that lies ends with the bytes.
        for _ in 0..items {
            self.skip_to(depth)?;
        }
        Ok(())
    }
}
