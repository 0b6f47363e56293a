//! Exact one-to-many search over face templates.
//!
//! A [`Gallery`] holds unit vectors of [`DIMENSIONS`] numbers, several a person, and answers a query with the two
//! nearest *people*. The answer is the one a comparison with every row would give; 8-bit codes only make it quick
//! (see [`codes`]). It never decides who is meant, keeps nothing on disk and knows no names: vision searches a passage
//! with it, the server looks for duplicate identities at enrolment.

mod codes;
mod rows;
mod scan;
mod template;

pub use rows::{Found, Gallery, Match};
pub use scan::Path;
pub use template::{BadTemplate, DIMENSIONS, Person, Template};
