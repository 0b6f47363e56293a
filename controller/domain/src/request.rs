//! What is asked of a door: who shows what, at which side.

use core::fmt;

use crate::ids::{CredentialId, DoorId, OperatorId, PersonId};
use crate::time::Utc;

/// HMAC-SHA256 of a credential under the site's key. Not secret like the credential, yet not printed either.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialDigest(pub [u8; 32]);

impl fmt::Debug for CredentialDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialDigest(…)")
    }
}

impl CredentialDigest {
    /// Its first 64 bits: enough to tell two unknown cards apart, not enough to show one.
    #[must_use]
    pub const fn tag(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// A card's entry on the lists that boards open by while they are alone: the first eight bytes of SHA-256 over a secret
/// salt of the site and the card (`endpoints::vendor::whitelist`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoardEntry(pub [u8; 8]);

impl fmt::Debug for BoardEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoardEntry(…)")
    }
}

/// A similarity or a difference of similarities, in ten-thousandths: 10 000 is the same picture, 0 is unrelated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(pub i16);

/// What kind of credential a digest stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum CredentialKind {
    Card,
    Pin,
    Qr,
}

/// A set of factors: what was shown, or what must be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Factors(u8);

/// The side of a door a person stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Outside, going in.
    Entry,
    /// Inside, going out.
    Exit,
}

/// What liveness detection said of a face.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Liveness {
    /// A person in front of the camera.
    Live,
    /// A picture, a screen, a mask.
    NotLive,
    /// Not looked at. Counts as not live.
    Unchecked,
}

/// One thing shown to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A face that vision matched to a person.
    Face {
        /// Who it looks like.
        person: PersonId,
        /// How much.
        score: Score,
        /// How far ahead of the next person.
        margin: Score,
        /// Whether it was a living face.
        live: Liveness,
    },
    /// A face that matches nobody in the gallery.
    UnknownFace {
        /// The best similarity found.
        score: Score,
        /// Whether it was a living face.
        live: Liveness,
    },
    /// A card, PIN or QR code.
    Digest {
        /// Which.
        kind: CredentialKind,
        /// Its keyed digest.
        digest: CredentialDigest,
    },
}

/// Something shown, and when the reader or camera took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// What.
    pub shown: Shown,
    /// When.
    pub at: Utc,
}

/// Most things shown at once; no combination has more factors.
pub const PRESENTED_MAX: usize = 4;

/// A short list kept in place, so that a decision needs no heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Few<T>([Option<T>; PRESENTED_MAX]);

/// Who wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedBy {
    /// A reader, for somebody who stands there.
    Reader,
    /// An operator who tries what would happen.
    Preview(OperatorId),
}

/// A question put to [`crate::decide()`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// At which access point.
    pub door: DoorId,
    /// On which side of it.
    pub side: Side,
    /// What was shown. Nothing at all is a push on the request-to-exit button.
    pub presented: Few<Presented>,
    /// Who wants to know.
    pub asked_by: AskedBy,
}

/// What a presented thing turned out to be; this, never a digest, is what a trace keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields repeat those of Shown")]
pub enum Seen {
    Face {
        person: PersonId,
        score: Score,
        margin: Score,
        live: Liveness,
    },
    UnknownFace {
        score: Score,
        live: Liveness,
    },
    Credential {
        id: CredentialId,
        person: PersonId,
        kind: CredentialKind,
    },
    /// Not in the policy. `tag` tells unknown cards and codes apart; a PIN has none.
    UnknownCredential {
        kind: CredentialKind,
        tag: Option<u64>,
    },
}

impl Request {
    /// Somebody at a reader shows one thing.
    #[must_use]
    pub fn shows(door: DoorId, side: Side, shown: Shown, at: Utc) -> Request {
        let presented = Few::one(Presented { shown, at });
        Request { door, side, presented, asked_by: AskedBy::Reader }
    }

    /// Somebody pushes the request-to-exit button.
    #[must_use]
    pub fn exit_button(door: DoorId) -> Request {
        Request { door, side: Side::Exit, presented: Few::new(), asked_by: AskedBy::Reader }
    }
}

impl Shown {
    /// The factor it is.
    #[must_use]
    pub const fn factor(&self) -> Factors {
        match self {
            Shown::Face { .. } | Shown::UnknownFace { .. } => Factors::FACE,
            Shown::Digest { kind, .. } => kind.factor(),
        }
    }
}

impl CredentialKind {
    /// The factor it is.
    #[must_use]
    pub const fn factor(self) -> Factors {
        match self {
            CredentialKind::Card => Factors::CARD,
            CredentialKind::Pin => Factors::PIN,
            CredentialKind::Qr => Factors::QR,
        }
    }
}

impl Factors {
    /// No factor.
    pub const NONE: Factors = Factors(0);
    /// A face.
    pub const FACE: Factors = Factors(1);
    /// A card.
    pub const CARD: Factors = Factors(2);
    /// A PIN. Never alone: whose it is must be known first.
    pub const PIN: Factors = Factors(4);
    /// A QR code.
    pub const QR: Factors = Factors(8);

    /// From stored bits: 1 face, 2 card, 4 PIN, 8 QR; `None` when others are set.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Factors> {
        if bits & !15 == 0 { Some(Factors(bits)) } else { None }
    }

    /// The bits, as [`Factors::from_bits`] takes them.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Factors) -> Factors {
        Factors(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn without(self, other: Factors) -> Factors {
        Factors(self.0 & !other.0)
    }

    /// Whether the other set is all in this one.
    #[must_use]
    pub const fn covers(self, other: Factors) -> bool {
        other.0 & !self.0 == 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }
}

impl fmt::Debug for Factors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            [(Factors::FACE, "face"), (Factors::CARD, "card"), (Factors::PIN, "pin"), (Factors::QR, "qr")];
        let mut set = f.debug_set();
        for (factor, name) in names {
            if self.covers(factor) {
                set.entry(&format_args!("{name}"));
            }
        }
        set.finish()
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Few::new()
    }
}

impl<T> Few<T> {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Few<T> {
        Few([const { None }; PRESENTED_MAX])
    }

    /// A list of one.
    #[must_use]
    pub fn one(item: T) -> Few<T> {
        Few([Some(item), None, None, None])
    }

    /// Adds one; gives it back when the list is full.
    ///
    /// # Errors
    /// The item, when there are [`PRESENTED_MAX`] already.
    pub fn push(&mut self, item: T) -> Result<(), T> {
        match self.0.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(item);
                Ok(())
            }
            None => Err(item),
        }
    }

    /// The items, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.0.iter().flatten()
    }

    /// Each item turned into something else.
    pub fn map<U>(&self, turn: impl Fn(&T) -> U) -> Few<U> {
        Few(self.0.each_ref().map(|place| place.as_ref().map(&turn)))
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0[0].is_none()
    }
}
