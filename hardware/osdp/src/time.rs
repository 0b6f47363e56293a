//! What the line's speed means in microseconds.

/// Microseconds since any fixed moment; never goes back.
pub type Micros = u64;

/// The standard's limit for the beginning of a reply (§5.7).
pub const REPLY_TIMEOUT: Micros = 200_000;
/// A device that was silent for longer is off-line (§5.7).
pub const OFFLINE_AFTER: Micros = 8_000_000;

/// Bits a second on the line: one start bit, eight data bits, one stop bit a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baud(u32);

impl Baud {
    /// What every device starts with (§5.2).
    pub const DEFAULT: Self = Self(9600);

    /// `None` for 0.
    pub const fn new(bits_per_second: u32) -> Option<Self> {
        if bits_per_second == 0 { None } else { Some(Self(bits_per_second)) }
    }

    /// Bits a second.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Time that `count` characters take, rounded up.
    pub const fn characters(self, count: usize) -> Micros {
        (count as u64 * 10_000_000).div_ceil(self.0 as u64)
    }
}
