//! From detected faces to a sighting: is the look good enough, whose way through the picture is it, what is there to
//! say and when.
//!
//! Pure: pictures are measured by the caller, time is passed in (microseconds of a clock that never goes back), and
//! what to do next comes out as values. It never decides a passage and never sees a template. The vision process calls
//! it once a frame; the server may use [`Refusal`] to word why a photograph was not accepted.

mod face;
mod lane;
mod policy;
mod quality;
mod track;
mod watch;

pub use face::{Face, Frame, Point, Rect};
pub use lane::{Claims, Lane};
pub use policy::Policy;
pub use quality::{Limits, Measures, Quality, Refusal, assess, the_one_face};
pub use track::{Track, Tracker};
pub use watch::{Examine, Identity, Judged, Say, Watch};
