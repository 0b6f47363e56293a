//! Templates as 8-bit codes, and how far a code's answer can be from the true one.
//!
//! A row `r` of length 1 is written as `r = s·c + e`: whole numbers `c` in -127..=127, a step `s`, a rest `e`. The query
//! likewise: `q = t·d + f`. Then `r·q = s·t·(c·d) + s·c·f + e·q`, and by Cauchy-Schwarz
//!
//! ```text
//! |r·q - s·t·(c·d)|  <=  |s·c|·|f| + |e|·|q|  <=  (1 + |e|)·|f| + |e|·|q|
//! ```
//!
//! `c·d` is a sum of small whole numbers, exact in 32 bits and quick to take. A row whose upper bound does not reach the
//! best lower bound cannot be the answer and is never looked at again; all others are scored in full.

use crate::template::DIMENSIONS;

/// Rows in a block; they lie interleaved so that one instruction works on all of them.
pub(crate) const LANES: usize = 16;
/// Numbers of one row that lie together.
pub(crate) const TOGETHER: usize = 4;
/// Groups of [`TOGETHER`] numbers in a row.
pub(crate) const GROUPS: usize = DIMENSIONS / TOGETHER;

/// What rounding in single precision may add to any of the bounds, generously.
const SLACK: f32 = 1e-5;

/// A vector in 8 bits.
pub(crate) struct Code {
    /// Whole numbers, -127 to 127.
    pub(crate) numbers: [i8; DIMENSIONS],
    /// What one unit of a number is worth.
    pub(crate) step: f32,
    /// Length of what the code leaves out, rounded up.
    pub(crate) rest: f32,
}

impl Code {
    pub(crate) fn of(vector: &[f32; DIMENSIONS]) -> Self {
        let largest = vector.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        let step = largest / 127.0;
        let numbers = vector.map(|number| (number / step).round().clamp(-127.0, 127.0) as i8);
        let square: f64 = vector
            .iter()
            .zip(&numbers)
            .map(|(&number, &code)| f64::from(number) - f64::from(code) * f64::from(step))
            .map(|rest| rest * rest)
            .sum();
        Self { numbers, step, rest: square.sqrt() as f32 + SLACK }
    }
}

/// Sixteen rows' codes: for each group of four numbers, row 0's four, row 1's four, and so on.
#[repr(C, align(64))]
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) numbers: [[[i8; TOGETHER]; LANES]; GROUPS],
    /// Each row's step.
    pub(crate) step: [f32; LANES],
    /// Each row's rest; infinity would make an empty place a candidate, so an empty place has step and rest zero and is
    /// left out by the count of rows.
    pub(crate) rest: [f32; LANES],
}

impl Block {
    pub(crate) fn empty() -> Self {
        Self { numbers: [[[0; TOGETHER]; LANES]; GROUPS], step: [0.0; LANES], rest: [0.0; LANES] }
    }

    pub(crate) fn put(&mut self, lane: usize, code: &Code) {
        for (group, numbers) in self.numbers.iter_mut().zip(code.numbers.as_chunks().0) {
            group[lane] = *numbers;
        }
        self.step[lane] = code.step;
        self.rest[lane] = code.rest;
    }

    /// Moves a row here from another block, or within this one.
    pub(crate) fn lane(&self, lane: usize) -> Code {
        let mut numbers = [0; DIMENSIONS];
        for (to, group) in numbers.as_chunks_mut().0.iter_mut().zip(&self.numbers) {
            *to = group[lane];
        }
        Code { numbers, step: self.step[lane], rest: self.rest[lane] }
    }
}

/// The query, prepared for the scan.
pub(crate) struct Query {
    pub(crate) numbers: [[i8; TOGETHER]; GROUPS],
    /// Sum of all numbers: the AVX-512 path adds 128 to each row's number and takes it away again with this.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "only AVX-512 multiplies unsigned by signed")
    )]
    pub(crate) sum: i32,
    pub(crate) step: f32,
    /// Its own rest.
    pub(crate) rest: f32,
    /// 1 + rest: what a row's rest is multiplied with.
    pub(crate) reach: f32,
}

impl Query {
    pub(crate) fn of(vector: &[f32; DIMENSIONS]) -> Self {
        let code = Code::of(vector);
        let mut numbers = [[0; TOGETHER]; GROUPS];
        numbers.copy_from_slice(code.numbers.as_chunks().0);
        Self {
            numbers,
            sum: code.numbers.iter().map(|&number| i32::from(number)).sum(),
            step: code.step,
            // |s·c|·|f| + |e|·|q| with |s·c| <= 1 + |e| is |f| + |e|·(|q| + |f|); both lengths are 1 within the slack.
            rest: code.rest * (1.0 + SLACK) + 2.0 * SLACK,
            reach: (1.0 + code.rest) * (1.0 + SLACK),
        }
    }
}
