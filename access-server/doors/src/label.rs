//! What everything of the site is called.

use people::person::{KEY_RULE, is_key};
use people::text;

use crate::error::DoorsError;

/// The names of a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The site's own name for the row: letters, digits, `-`, `_`, `.`; imports find it by this.
    pub key: String,
    /// The name as it is shown; a [`text::name`].
    pub name: String,
    /// The name in Latin letters; may be empty.
    pub latin: String,
}

/// What became of something that was put in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Put {
    /// It was not there.
    Created,
    /// It was there, otherwise.
    Changed,
    /// It was there just so: nothing was written.
    Same,
}

impl Label {
    /// A label with a key and a name.
    #[must_use]
    pub fn new(key: &str, name: &str) -> Self {
        Self { key: key.to_owned(), name: name.to_owned(), latin: String::new() }
    }

    pub(crate) fn check(&self) -> Result<(), DoorsError> {
        if !is_key(&self.key) {
            return Err(DoorsError::field("key", KEY_RULE));
        }
        text::name(&self.name).map_err(|why| DoorsError::field("name", why))?;
        text::line(&self.latin).map_err(|why| DoorsError::field("latin", why))
    }
}

/// An id as rows hold it. Ids come from the database, where they are positive; others find nothing.
pub(crate) fn row_id(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(-1)
}

pub(crate) fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) fn from_millis(millis: i64) -> std::time::Duration {
    std::time::Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
