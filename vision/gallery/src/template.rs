//! A template: a unit vector.

use std::fmt;

/// Numbers in a template.
pub const DIMENSIONS: usize = 128;

/// Whose templates they are; the caller's own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person(pub u64);

/// A direction in the space of faces: [`DIMENSIONS`] finite numbers of length 1 together.
///
/// Its `Debug` shows no number: a template is a person's biometric data.
#[derive(Clone, PartialEq)]
pub struct Template([f32; DIMENSIONS]);

/// Why numbers are no template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// Another count of numbers.
    #[error("a template has {DIMENSIONS} numbers, not {0}")]
    Length(usize),
    /// A number is infinite or not a number.
    #[error("number {0} of the template is not finite")]
    NotFinite(usize),
    /// All numbers are zero, or so nearly zero that they point nowhere.
    #[error("the template has no direction: its length is zero")]
    NoDirection,
}

/// Shorter than this a vector has no direction that rounding left intact.
const SHORTEST: f64 = 1e-12;

impl Template {
    /// Checks the numbers and scales them to length 1.
    ///
    /// # Errors
    /// Anything but [`DIMENSIONS`] finite numbers that point somewhere.
    pub fn new(numbers: &[f32]) -> Result<Self, BadTemplate> {
        let numbers: &[f32; DIMENSIONS] =
            numbers.try_into().map_err(|_| BadTemplate::Length(numbers.len()))?;
        if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(BadTemplate::NotFinite(at));
        }
        let length = numbers.iter().map(|&number| f64::from(number) * f64::from(number)).sum::<f64>().sqrt();
        if length < SHORTEST {
            return Err(BadTemplate::NoDirection);
        }
        Ok(Self(numbers.map(|number| (f64::from(number) / length) as f32)))
    }

    /// The numbers, of length 1 together.
    pub fn numbers(&self) -> &[f32; DIMENSIONS] {
        &self.0
    }

    /// The cosine of the angle between two templates, -1 to 1. Summed in double precision and in one fixed order, so
    /// that every machine gives the same number.
    pub fn cosine(&self, other: &Self) -> f32 {
        cosine(&self.0, &other.0)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Template(..)")
    }
}

/// The one definition of a score. Eight running sums, added as a tree.
pub(crate) fn cosine(a: &[f32; DIMENSIONS], b: &[f32; DIMENSIONS]) -> f32 {
    let mut sums = [0.0_f64; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for (sum, (&a, &b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += f64::from(a) * f64::from(b);
        }
    }
    let [s0, s1, s2, s3, s4, s5, s6, s7] = sums;
    (((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))).clamp(-1.0, 1.0) as f32
}
