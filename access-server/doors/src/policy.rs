//! The policy: compiled from the database, published in versions, sent to controllers as differences.
//!
//! Every controller is sent all people and credentials, and of doors and levels its own alone. All people, because a
//! controller that did not know somebody could only say "unknown card": it could not tell an operator that the person
//! lacks a level here, and strangers' tries count towards the alarm. What it is sent names nobody: ids and digests.

mod compile;
mod publish;
pub(crate) mod store;
pub(crate) mod sync;
mod zone;

pub use compile::{compile, for_controller};
pub use publish::{PublishError, Published, current, publish, published_version};
pub(crate) use publish::{objections, objections_to_site};
pub use sync::answer;
pub use zone::zone;
