//! Rows of a controller's firmware: images, and which board is to run which of them.
//!
//! | table | id | row |
//! |---|---|---|
//! | `image` | its number | [`ImageRow`] |
//! | `piece` | image's number × 65,536 + place | [`PieceRow`] |
//! | `order` | its number | [`OrderRow`] |
//! | `key` | its number | [`KeyRow`] |

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Change, parse_hex};
use crate::image::{BadImage, Image};

/// Most images at once.
pub const IMAGES_MAX: usize = 4;
/// Longest image file, bytes.
pub const FILE_MAX: u32 = 1024 * 1024 + 4096;
/// Most orders at once.
pub const ORDERS_MAX: usize = 512;
/// Most of the maker's keys.
pub const KEYS_MAX: usize = 4;
/// Bytes of a file in one piece: with base64 and its frame it fits a chunk.
pub const PIECE: usize = 24 * 1024;

/// An image's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRow {
    /// Its length, bytes.
    pub length: u32,
    /// SHA-256 of the file, 64 hexadecimal digits.
    pub sha256: String,
}

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceRow {
    /// Base64.
    pub data: String,
}

/// A board is to run an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// The plan it belongs to: when one of its boards returns, the others are left as they are.
    pub plan: u64,
    /// The bus's name.
    pub bus: String,
    /// The board's OSDP address.
    pub address: u8,
    /// The image's number.
    pub image: u64,
    /// The board starts anew between these: UTC, microseconds. It is sent the image at any time before the end.
    pub from: i64,
    /// The end.
    pub until: i64,
    /// Also while its door stands open.
    pub even_if_open: bool,
}

/// A key of the maker that images are signed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// An ed25519 public key, 64 hexadecimal digits.
    pub public: String,
}

/// The rows put together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firmware {
    /// Images by number, each signed by one of the keys.
    pub images: BTreeMap<u64, Image>,
    /// Orders by number.
    pub orders: BTreeMap<u64, OrderRow>,
}

/// Why rows make no firmware.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FirmwareFault {
    /// A row is not of its form.
    #[error("row {id} of {table}: {why}")]
    Row {
        /// Its table.
        table: String,
        /// Its id.
        id: u64,
        /// What is wrong.
        why: String,
    },
    /// An image's pieces are not its file.
    #[error("image {0}: its pieces are not the file that was announced")]
    Pieces(u64),
    /// An image is none that the maker signed.
    #[error("image {0}: {1}")]
    Image(u64, BadImage),
    /// More than a controller keeps.
    #[error("more {0} than a controller keeps")]
    TooMany(&'static str),
}

/// The rows of one file.
///
/// # Panics
/// If the file is longer than [`FILE_MAX`].
pub fn file_rows(image: u64, file: &[u8]) -> Vec<Change> {
    assert!(u32::try_from(file.len()).is_ok_and(|length| length <= FILE_MAX), "checked when it was taken");
    let digest = ring::digest::digest(&ring::digest::SHA256, file);
    let sha256 = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let length = u32::try_from(file.len()).expect("at most FILE_MAX");
    let mut rows = vec![Change::put("image", image, &ImageRow { length, sha256 })];
    for (place, piece) in (0..).zip(file.chunks(PIECE)) {
        let row = PieceRow { data: STANDARD.encode(piece) };
        rows.push(Change::put("piece", (image << 16) + place, &row));
    }
    rows
}

/// Puts rows together: whole files only, and signed. One that is not makes all of it no good.
///
/// # Errors
/// The first fault.
pub fn assemble<'a>(
    rows: impl IntoIterator<Item = (&'a str, u64, &'a str)>,
) -> Result<Firmware, FirmwareFault> {
    let mut heads: BTreeMap<u64, ImageRow> = BTreeMap::new();
    let mut pieces: BTreeMap<u64, String> = BTreeMap::new();
    let mut firmware = Firmware::default();
    let mut keys = Vec::new();
    for (table, id, text) in rows {
        match table {
            "image" => {
                heads.insert(id, read(table, id, text)?);
            }
            "piece" => {
                pieces.insert(id, read::<PieceRow>(table, id, text)?.data);
            }
            "order" => {
                firmware.orders.insert(id, read(table, id, text)?);
            }
            "key" => {
                let row: KeyRow = read(table, id, text)?;
                let key = parse_hex(&row.public);
                let why = || "public: not 64 hexadecimal digits".to_owned();
                keys.push(key.ok_or_else(|| fault(table, id, why()))?);
            }
            _ => return Err(fault(table, id, "no such table".to_owned())),
        }
    }
    for (held, most, what) in [
        (heads.len(), IMAGES_MAX, "images"),
        (firmware.orders.len(), ORDERS_MAX, "orders"),
        (keys.len(), KEYS_MAX, "keys"),
    ] {
        if held > most {
            return Err(FirmwareFault::TooMany(what));
        }
    }
    for (image, head) in heads {
        let file = file(image, &head, &pieces).ok_or(FirmwareFault::Pieces(image))?;
        let signed = Image::check(file, &keys).map_err(|why| FirmwareFault::Image(image, why))?;
        firmware.images.insert(image, signed);
    }
    let unknown = firmware.orders.iter().find(|(_, order)| !firmware.images.contains_key(&order.image));
    match unknown {
        Some((id, _)) => Err(fault("order", *id, "image: there is none of this number".to_owned())),
        None => Ok(firmware),
    }
}

fn file(image: u64, head: &ImageRow, pieces: &BTreeMap<u64, String>) -> Option<Arc<[u8]>> {
    if head.length > FILE_MAX {
        return None;
    }
    let first = image.checked_mul(1 << 16)?;
    let mut file = Vec::new();
    for (_, piece) in pieces.range(first..first.checked_add(1 << 16)?) {
        file.extend(STANDARD.decode(piece).ok()?);
        if file.len() > head.length as usize {
            return None;
        }
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, &file);
    let right = file.len() == head.length as usize && parse_hex(&head.sha256)?[..] == *digest.as_ref();
    right.then(|| file.into())
}

fn read<R: for<'de> Deserialize<'de>>(table: &str, id: u64, text: &str) -> Result<R, FirmwareFault> {
    serde_json::from_str(text)
        .map_err(|error| fault(table, id, format!("not of its form at column {}", error.column())))
}

fn fault(table: &str, id: u64, why: String) -> FirmwareFault {
    FirmwareFault::Row { table: table.chars().take(32).collect(), id, why }
}
