//! The one way in and out: size, version, form.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

/// The version this house speaks. A payload of another version is refused, never guessed at.
pub const VERSION: u32 = 1;

/// The largest payload, in bytes, that any of our topics or links carries.
pub const LARGEST: usize = 64 * 1024;

/// Why a payload was refused. The text never repeats the payload: it may hold what must not be logged.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum WireError {
    /// Longer than [`LARGEST`].
    #[error("payload of {0} bytes, at most {LARGEST} are taken")]
    TooLarge(usize),
    /// Another version, or none.
    #[error("payload of version {0}, this side speaks {VERSION}")]
    Version(u32),
    /// Not JSON, or not of the expected form.
    #[error("payload malformed at line {line}, column {column}: {kind}")]
    Malformed {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 0.
        column: usize,
        /// What class of fault: syntax, data, end of input.
        kind: &'static str,
    },
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    #[serde(flatten)]
    body: T,
}

#[derive(Deserialize)]
struct VersionOnly {
    #[serde(default)]
    v: u32,
}

/// Reads one payload.
///
/// # Errors
/// [`WireError`] when it is too large, of another version or malformed; nothing of it is returned then.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, WireError> {
    if payload.len() > LARGEST {
        return Err(WireError::TooLarge(payload.len()));
    }
    let VersionOnly { v } = serde_json::from_slice(payload).map_err(malformed)?;
    if v != VERSION {
        return Err(WireError::Version(v));
    }
    serde_json::from_slice::<T>(payload).map_err(malformed)
}

/// Writes one payload with its version.
///
/// # Panics
/// Never for the types of this crate: they hold no map with non-string keys and no failing serializer.
pub fn encode<T: Serialize>(body: &T) -> Vec<u8> {
    serde_json::to_vec(&Versioned { v: VERSION, body }).expect("the wire types serialise to JSON")
}

fn malformed(error: serde_json::Error) -> WireError {
    use serde_json::error::Category;
    let kind = match error.classify() {
        Category::Io => "input",
        Category::Syntax => "syntax",
        Category::Data => "data",
        Category::Eof => "end of input",
    };
    WireError::Malformed { line: error.line(), column: error.column(), kind }
}
