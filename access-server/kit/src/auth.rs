//! Operators: who may sign in, what rank they have, and the session that says so on every request.
//!
//! Whoever has a [second factor](second) is asked for it after the password: until then they are [half](Half) signed in,
//! which grants nothing. A [passkey] is both at once; under a rule that asks for a second factor it is asked for too where
//! there is no other.
//!
//! Passwords are argon2id. A session is an opaque 256-bit id in a cookie, of which the database holds the SHA-256; it
//! ends by itself after [`IDLE`] without use and after [`LONGEST`] in any case, and at once when revoked.
//! The [table of routes](crate::routes) asks for it, and for the token of our own pages where something is changed.
//!
//! What counts as use: every request but those for pictures, and, for the ranks of the control room, an open live page.
//! Who watches is at work, and a screen on the wall is not signed out in the middle of the night; its shift ends after
//! [`LONGEST`]. A manager's or administrator's page is left open at a desk that nobody sits at: it ends after [`IDLE`].

mod admit;
mod attempts;
mod change;
pub mod codes;
mod csrf;
mod half;
mod operator;
mod operators;
pub mod passkey;
mod password;
mod ranks;
mod scope;
pub mod second;
mod session;
pub mod sessions;
pub mod token;
mod totp;

use std::time::Duration;

pub(crate) use admit::admit;
#[cfg(feature = "testing")]
pub(crate) use admit::signed_in;
pub(crate) use attempts::Attempts;
pub use change::{PasswordChanged, change_password, reset_password, set_disabled, set_role};
pub use half::{HALF, Half, finish};
pub use operator::{Operator, Owed};
pub use operators::{OperatorError, OperatorId, OperatorRow, add, list};
pub use password::{PasswordError, generate as generate_password};
pub use ranks::{MOST_PLACES, Ranks, RanksError};
pub use scope::Scope;
pub(crate) use session::Uses;
pub use session::{Desk, Entry, LoginRefusal, NewSession, SESSION_COOKIE, end, end_cookie, is_live, sign_in};

/// Where operators sign in.
pub const LOGIN_PATH: &str = "/login";
/// A session unused for so long has ended.
pub const IDLE: Duration = Duration::from_secs(60 * 60);
/// No session lives longer than a shift.
pub const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// What an operator may do; a higher rank may do all that a lower one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// Looks only.
    Viewer = 1,
    /// Acknowledges, opens a door with a reason.
    Guard = 2,
    /// Runs the control room: holds doors open, locks down.
    Operator = 3,
    /// Adds people, doors and rights.
    Manager = 4,
    /// Adds operators and changes the site.
    Administrator = 5,
}

impl Role {
    /// Every role, lowest first.
    pub const ALL: [Self; 5] =
        [Self::Viewer, Self::Guard, Self::Operator, Self::Manager, Self::Administrator];

    /// Its rank, from 1.
    #[must_use]
    pub fn rank(self) -> u8 {
        self as u8
    }

    /// The role of a rank.
    #[must_use]
    pub fn of_rank(rank: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.rank() == rank)
    }

    /// Whether an open live page counts as use: those who watch and act on what they see.
    #[must_use]
    pub fn is_of_the_control_room(self) -> bool {
        self <= Self::Operator
    }

    /// The word used in commands and language files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Guard => "guard",
            Self::Operator => "operator",
            Self::Manager => "manager",
            Self::Administrator => "administrator",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

#[cfg(feature = "testing")]
pub(crate) fn statements() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    operators::STATEMENTS
        .iter()
        .chain(change::STATEMENTS)
        .chain(half::STATEMENTS)
        .chain(ranks::STATEMENTS)
        .chain(passkey::STATEMENTS)
        .chain(second::STATEMENTS)
        .chain(session::STATEMENTS)
        .chain(sessions::STATEMENTS)
        .chain(token::STATEMENTS)
}
