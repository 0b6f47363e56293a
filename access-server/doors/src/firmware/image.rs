//! The maker's keys and images.

use domain::policy::DoorKind;
use ed25519_dalek::VerifyingKey;
use endpoints::vendor::Kind;
use kit::Tx;
use kit::auth::OperatorId;
use serde_json::json;
use sqlx::AnyConnection;
use uplink::event::firmware_number;
use uplink::image::{BadImage, Image as Signed};
use uplink::sync::firmware::{FILE_MAX, KEYS_MAX};
use uplink::sync::parse_hex;

use super::sync::changed;
use crate::error::{DoorsError, on_constraint};

/// Images kept at most.
pub const IMAGES_KEPT: usize = 16;

kit::statements! {
    ADD_KEY = "INSERT INTO firmware_key (public, added_at) VALUES ($1, $2) RETURNING id";
    REMOVE_KEY = "DELETE FROM firmware_key WHERE id = $1";
    KEYS = "SELECT id, public, added_at FROM firmware_key ORDER BY id";
    ADD_IMAGE = "INSERT INTO firmware_image (sha256, file, kind, target, version, security, words, added_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
    REMOVE_IMAGE = "DELETE FROM firmware_image WHERE id = $1";
    IMAGES = "SELECT id, kind, target, version, security, words, added_at FROM firmware_image ORDER BY version DESC, id DESC";
}

/// An image's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageId(pub i64);

/// An image on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its number.
    pub id: ImageId,
    /// Which kind of endpoint its boards serve.
    pub kind: DoorKind,
    /// The chip it runs on, as pin maps name it.
    pub target: String,
    /// Its version.
    pub firmware: [u8; 3],
    /// Its security number: boards that ran it take none with a lower one.
    pub security: u32,
    /// What people call it.
    pub words: String,
    /// When it was put there: UTC, microseconds.
    pub added_at: i64,
}

/// A key of the maker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its number.
    pub id: i64,
    /// 64 hexadecimal digits.
    pub public: String,
    /// When it was put there: UTC, microseconds.
    pub added_at: i64,
}

/// Takes a key.
///
/// # Errors
/// When it is none, is there already, or there are enough.
pub async fn add_key(tx: &mut Tx, by: Option<OperatorId>, public: &str) -> Result<i64, DoorsError> {
    let public = public.trim().to_ascii_lowercase();
    let bytes = parse_hex(&public);
    let bytes = bytes.ok_or_else(|| DoorsError::field("public", "a key is 64 hexadecimal digits"))?;
    // Under a point of small order anything may seem signed.
    if VerifyingKey::from_bytes(&bytes).map_or(true, |key| key.is_weak()) {
        return Err(DoorsError::field("public", "these digits are no key that anybody can sign with"));
    }
    let known = keys(tx).await?;
    if known.iter().any(|key| key.public == public) {
        return Err(DoorsError::field("public", "the key is there already"));
    }
    if known.len() >= KEYS_MAX {
        return Err(DoorsError::field("public", format!("there are {KEYS_MAX} keys already")));
    }
    let now = tx.now();
    let (id,): (i64,) = sqlx::query_as(ADD_KEY).bind(&public).bind(now).fetch_one(&mut **tx).await?;
    tx.record("firmware.key-added", &json!({ "key": id, "public": public, "by": by.map(|by| by.0) })).await?;
    changed(tx).await?;
    Ok(id)
}

/// Takes no more images that this key signed. Images that are there stay, and are sent no more where it alone signed them.
///
/// # Errors
/// When there is no such key.
pub async fn remove_key(tx: &mut Tx, by: Option<OperatorId>, id: i64) -> Result<(), DoorsError> {
    let gone = sqlx::query(REMOVE_KEY).bind(id).execute(&mut **tx).await?.rows_affected();
    if gone == 0 {
        return Err(DoorsError::Unknown("key"));
    }
    tx.record("firmware.key-removed", &json!({ "key": id, "by": by.map(|by| by.0) })).await?;
    Ok(changed(tx).await?)
}

/// The keys, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn keys(connection: &mut AnyConnection) -> Result<Vec<Key>, sqlx::Error> {
    let rows: Vec<(i64, String, i64)> = sqlx::query_as(KEYS).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(id, public, added_at)| Key { id, public, added_at }).collect())
}

/// Takes an image that one of the keys has signed.
///
/// # Errors
/// What is wrong with it, or that it is there already, or that there are enough.
pub async fn add_image(tx: &mut Tx, by: Option<OperatorId>, file: &[u8]) -> Result<ImageId, DoorsError> {
    let wrong = |why: String| DoorsError::field("image", why);
    if u32::try_from(file.len()).map_or(true, |length| length > FILE_MAX) {
        return Err(wrong(format!("the file is larger than {FILE_MAX} bytes")));
    }
    let keys: Vec<_> = keys(tx).await?.iter().filter_map(|key| parse_hex(&key.public)).collect();
    let image = Signed::check(file.into(), &keys).map_err(|why| wrong(words(why)))?;
    if images(tx).await?.len() >= IMAGES_KEPT {
        return Err(wrong(format!("there are {IMAGES_KEPT} images already: remove one that is not needed")));
    }
    let header = image.header;
    let kind = match header.fits.kind {
        Kind::Door => "door",
        Kind::GateLane => "lane",
    };
    let (id,): (i64,) = sqlx::query_as(ADD_IMAGE)
        .bind(image.sha256())
        .bind(file.to_vec())
        .bind(kind)
        .bind(header.fits.target.as_str())
        .bind(firmware_number(header.firmware))
        .bind(i64::from(header.security))
        .bind(header.words.as_str())
        .bind(tx.now())
        .fetch_one(&mut **tx)
        .await
        .map_err(on_constraint(wrong("the image is there already".to_owned())))?;
    let version = firmware_number(header.firmware);
    tx.record("firmware.image-added", &json!({ "image": id, "version": version, "by": by.map(|by| by.0) }))
        .await?;
    Ok(ImageId(id))
}

/// Removes an image that no plan names.
///
/// # Errors
/// When there is none, or a plan names it.
pub async fn remove_image(tx: &mut Tx, by: Option<OperatorId>, id: ImageId) -> Result<(), DoorsError> {
    let gone = sqlx::query(REMOVE_IMAGE)
        .bind(id.0)
        .execute(&mut **tx)
        .await
        .map_err(on_constraint(DoorsError::InUse("image")))?;
    if gone.rows_affected() == 0 {
        return Err(DoorsError::Unknown("image"));
    }
    tx.record("firmware.image-removed", &json!({ "image": id.0, "by": by.map(|by| by.0) })).await?;
    Ok(())
}

/// The images, newest version first.
///
/// # Errors
/// When the database fails.
pub async fn images(connection: &mut AnyConnection) -> Result<Vec<Image>, sqlx::Error> {
    type Row = (i64, String, String, i64, i64, String, i64);
    let rows: Vec<Row> = sqlx::query_as(IMAGES).fetch_all(connection).await?;
    let image = |(id, kind, target, version, security, words, added_at): Row| {
        let kind = if kind == "door" { DoorKind::Door } else { DoorKind::Lane };
        let security = u32::try_from(security).unwrap_or_default();
        let firmware = version_of(version);
        Image { id: ImageId(id), kind, target, firmware, security, words, added_at }
    };
    Ok(rows.into_iter().map(image).collect())
}

/// A version out of its number.
pub(super) fn version_of(number: i64) -> [u8; 3] {
    let part = |place: i64| u8::try_from(number / place % 1_000).unwrap_or(u8::MAX);
    [part(1_000_000), part(1_000), part(1)]
}

fn words(why: BadImage) -> String {
    match why {
        BadImage::Signature => "none of the keys that are trusted here has signed it".to_owned(),
        BadImage::Short | BadImage::Head(_) | BadImage::Length | BadImage::Digest => {
            format!("it is no firmware for our boards: {why}")
        }
    }
}
