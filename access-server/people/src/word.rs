//! Enums that are kept in rows, files and messages as a word.

use domain::policy::{CredentialStatus, CredentialUse, DoorKind, Egress, EntryRule, PersonStatus, Relock};
use domain::request::CredentialKind;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// An enum with a word for each of its values. The words are stored: they are never changed.
pub trait Word: Copy + PartialEq + Sized + 'static {
    /// Every value.
    const ALL: &'static [Self];

    /// The word.
    fn word(self) -> &'static str;

    /// Reads the word.
    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.word() == word)
    }

    /// Reads the word out of a row.
    ///
    /// # Errors
    /// When the row holds another word: it was written by a newer program.
    fn from_row(word: &str) -> Result<Self, sqlx::Error> {
        Self::parse(word).ok_or_else(|| sqlx::Error::Decode("a word that this program does not know".into()))
    }

    /// Every word, for a message: `a, b, c`.
    fn words() -> String {
        Self::ALL.iter().map(|value| value.word()).collect::<Vec<_>>().join(", ")
    }
}

/// What programs are told of a field with such a word.
#[must_use]
pub fn schema<W: Word>() -> Object {
    let words = W::ALL.iter().map(|value| serde_json::Value::from(value.word()));
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

/// Gives an enum its words: `words!(Colour { Red = "red", Blue = "blue" })`.
#[macro_export]
macro_rules! words {
    ($enum:ty { $($value:ident = $word:literal),+ $(,)? }) => {
        impl $crate::word::Word for $enum {
            const ALL: &'static [Self] = &[$(<$enum>::$value),+];

            fn word(self) -> &'static str {
                match self {
                    $(<$enum>::$value => $word),+
                }
            }
        }
    };
}

words!(PersonStatus { Active = "active", Suspended = "suspended" });
words!(CredentialKind { Card = "card", Pin = "pin", Qr = "qr" });
words!(CredentialStatus { Active = "active", Suspended = "suspended", Lost = "lost", Stolen = "stolen" });
words!(CredentialUse { Ordinary = "ordinary", Duress = "duress" });

// The doors' rows hold these; they are here because an enum of `domain` can be given words only beside the trait.
words!(DoorKind { Door = "door", Lane = "lane" });
words!(Egress { Exit = "exit", Both = "both" });
words!(Relock { OnOpen = "on-open", OnClose = "on-close", AfterTime = "after-time" });
words!(EntryRule { Refuse = "refuse", Allow = "allow" });
