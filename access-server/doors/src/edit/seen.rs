//! What somebody saw before they changed it.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};

/// A fingerprint of a thing as it was shown, to be handed back with the change: whoever changed it meanwhile is not
/// overruled unseen. Not kept: another version of this program may give another, and the form is opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen(u64);

impl Seen {
    /// Of a thing as it is.
    #[must_use]
    pub fn of(thing: &impl fmt::Debug) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(format!("{thing:?}").as_bytes());
        Self(hasher.finish())
    }

    /// As it was written into a form; `None` for what is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::Label;

    #[test]
    fn it_is_read_as_it_is_written_and_tells_what_differs() {
        let (one, other) = (Seen::of(&Label::new("a", "门")), Seen::of(&Label::new("a", "大门")));
        assert_eq!(Seen::parse(&one.to_string()), Some(one));
        assert_ne!(one, other);
        assert_eq!(Seen::parse("x"), None);
    }
}
