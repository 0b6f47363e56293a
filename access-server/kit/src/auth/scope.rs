//! What a program may be let do.

use super::Role;

/// What a token lets a program do. The words are stored: they are never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Sees what is journaled.
    ReadEvents,
    /// Sees people, their credentials, consents and pictures.
    ReadPeople,
    /// Adds and changes people, credentials, consents and faces.
    WritePeople,
    /// Sees areas, doors, schedules, levels, devices.
    ReadSite,
    /// Imports the site and puts it in force.
    WriteSite,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] =
        [Self::ReadEvents, Self::ReadPeople, Self::WritePeople, Self::ReadSite, Self::WriteSite];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadEvents => "read:events",
            Self::ReadPeople => "read:people",
            Self::WritePeople => "write:people",
            Self::ReadSite => "read:site",
            Self::WriteSite => "write:site",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    /// The rank a person needs for all of it: what a token lets do is never less than its route asks of people.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            Self::ReadEvents | Self::ReadSite => Role::Viewer,
            Self::ReadPeople => Role::Operator,
            Self::WritePeople => Role::Manager,
            Self::WriteSite => Role::Administrator,
        }
    }
}
