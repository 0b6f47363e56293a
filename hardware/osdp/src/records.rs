//! Repeating records: a list that is either the caller's own or still on the wire.

use core::marker::PhantomData;

use crate::wire::{TooLong, Writer};

/// Why a message's data could not be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Too short, too long, or a length inside disagrees (NAK 2).
    #[error("wrong length for its code")]
    Length,
    /// A field holds a value the standard does not define (NAK 9).
    #[error("undefined value in a field")]
    Value,
}

/// A record of fixed size inside a message.
pub trait Record: Copy + Sized + PartialEq {
    /// Its size in bytes.
    const LEN: usize;
    /// Reads `LEN` bytes.
    fn read(bytes: &[u8]) -> Result<Self, DecodeError>;
    /// Writes `LEN` bytes.
    fn write(&self, out: &mut Writer<'_>) -> Result<(), TooLong>;
}

/// A list of records, borrowed either as values (to send) or as checked bytes (received).
#[derive(Clone, Copy)]
pub struct Records<'a, T> {
    source: Source<'a, T>,
}

#[derive(Clone, Copy)]
enum Source<'a, T> {
    Values(&'a [T]),
    Wire(&'a [u8], PhantomData<T>),
}

impl<'a, T: Record> Records<'a, T> {
    /// A list to send.
    pub const fn new(values: &'a [T]) -> Self {
        Self { source: Source::Values(values) }
    }

    /// Checks every record once, so that [`iter`](Self::iter) cannot fail.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if !bytes.len().is_multiple_of(T::LEN) {
            return Err(DecodeError::Length);
        }
        for record in bytes.chunks_exact(T::LEN) {
            T::read(record)?;
        }
        Ok(Self { source: Source::Wire(bytes, PhantomData) })
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) -> Result<(), TooLong> {
        self.iter().try_for_each(|record| record.write(out))
    }

    /// The records in order.
    pub fn iter(&self) -> impl Iterator<Item = T> + use<'a, T> {
        let (values, wire): (&'a [T], &'a [u8]) = match self.source {
            Source::Values(values) => (values, &[]),
            Source::Wire(bytes, _) => (&[], bytes),
        };
        values.iter().copied().chain(wire.chunks_exact(T::LEN).filter_map(|record| T::read(record).ok()))
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        match self.source {
            Source::Values(values) => values.len(),
            Source::Wire(bytes, _) => bytes.len() / T::LEN,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Record> PartialEq for Records<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<T: Record + core::fmt::Debug> core::fmt::Debug for Records<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A field-less enum whose variants are exactly the values the standard defines.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $value:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$doc])* $variant = $value,)+
        }

        impl $name {
            /// Every defined value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value on the wire, or [`DecodeError::Value`].
            pub const fn from_byte(byte: u8) -> Result<Self, $crate::records::DecodeError> {
                match byte {
                    $($value => Ok(Self::$variant),)+
                    _ => Err($crate::records::DecodeError::Value),
                }
            }
        }
    };
}
pub(crate) use wire_enum;
