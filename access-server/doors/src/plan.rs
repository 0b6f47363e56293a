//! Floor plans: the picture of a floor, and where doors stand on it.
//!
//! What was uploaded is never stored or served: a photograph or scan is decoded and encoded anew, a drawing is written out
//! from an allow-list. Both are done by one bounded worker, away from everything else.

mod drawing;
mod raster;
mod style;

use std::collections::BTreeSet;
use std::time::Duration;

use domain::ids::{AreaId, DoorId};
use kit::auth::OperatorId;
use kit::{Kit, Problem, Tx};
use people::word::Word;
use people::words;
use serde_json::json;
use sqlx::AnyConnection;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::{DoorsError, on_constraint};
use crate::label::row_id;
use crate::place::{self, AreaKind};

/// The largest upload, in bytes.
pub const UPLOAD_MAX: usize = 16 * 1024 * 1024;
/// The largest picture kept, in bytes.
pub const KEPT_MAX: usize = 12 * 1024 * 1024;
/// Doors on one plan at most.
pub const DOORS_MAX: usize = 1000;
/// What a [`Point`]'s sides are divided into.
pub const PARTS: u16 = 10_000;

/// Plans are rewritten one at a time: one may take two hundred megabytes while it is decoded.
static WORKER: Semaphore = Semaphore::const_new(1);
/// How long an upload waits for those before it.
const TURN: Duration = Duration::from_secs(20);

/// What a kept picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Media {
    Png,
    Jpeg,
    Svg,
}

words!(Media { Png = "image/png", Jpeg = "image/jpeg", Svg = "image/svg+xml" });

/// A picture that this server wrote itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// What it is: its content type.
    pub media: Media,
    /// Pixels, or units of the drawing; 1 to 100,000.
    pub width: u32,
    /// As the width.
    pub height: u32,
    /// The file, at most [`KEPT_MAX`].
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { media, width, height, bytes } = self;
        write!(f, "Picture({media:?}, {width} x {height}, {} bytes)", bytes.len())
    }
}

/// A plan without its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Pixels, or units of the drawing.
    pub width: u32,
    /// As the width.
    pub height: u32,
    /// When the picture was put there: UTC, microseconds.
    pub stored_at: i64,
}

/// A place on a plan, in ten-thousandths of its width from the left and of its height from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the type says it")]
pub struct Point {
    pub x: u16,
    pub y: u16,
}

/// Why an upload is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More than [`UPLOAD_MAX`] came, or more than [`KEPT_MAX`] would be kept.
    #[error("the file is too large")]
    TooLarge,
    /// Wider or higher than is decoded.
    #[error("the picture has too many pixels")]
    TooManyPixels,
    /// So small that nothing could be seen on it.
    #[error("the picture is too small")]
    TooSmall,
    /// Neither PNG, JPEG nor SVG.
    #[error("the file is neither a PNG, a JPEG nor an SVG")]
    Unknown,
    /// It says what it is, and cannot be read as that.
    #[error("the file is damaged")]
    Damaged,
    /// A drawing nested or repeated without measure.
    #[error("the drawing is nested too deep or repeats itself too often")]
    TooDeep,
    /// Others are being rewritten.
    #[error("other plans are being read: try again")]
    Busy,
}

impl Refusal {
    /// The stable kind, for programs and language files.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "plan-too-large",
            Self::TooManyPixels => "plan-too-many-pixels",
            Self::TooSmall => "plan-too-small",
            Self::Unknown => "plan-unknown",
            Self::Damaged => "plan-damaged",
            Self::TooDeep => "plan-too-deep",
            Self::Busy => "plan-busy",
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Busy => Self::unavailable(refusal.to_string()),
            Refusal::TooLarge
            | Refusal::TooManyPixels
            | Refusal::TooSmall
            | Refusal::Unknown
            | Refusal::Damaged
            | Refusal::TooDeep => Self::refused(refusal.code(), refusal.to_string()),
        }
    }
}

kit::statements! {
    PUT = "INSERT INTO floor_plan (area, media, width, height, bytes, stored_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (area) DO UPDATE SET media = excluded.media, width = excluded.width, height = excluded.height, bytes = excluded.bytes, stored_at = excluded.stored_at";
    GET = "SELECT media, width, height, bytes FROM floor_plan WHERE area = $1";
    LIST = "SELECT area, width, height, stored_at FROM floor_plan ORDER BY area";
    REMOVE = "DELETE FROM floor_plan WHERE area = $1";
    STAND = "INSERT INTO floor_plan_door (area, door, x, y) VALUES ($1, $2, $3, $4)";
    CLEAR = "DELETE FROM floor_plan_door WHERE area = $1";
    STANDING = "SELECT door, x, y FROM floor_plan_door WHERE area = $1 ORDER BY door";
}

/// Rewrites an upload: what comes out was written by this server, and shows what came in.
///
/// # Errors
/// Why it is no plan.
pub async fn rewrite(upload: Vec<u8>) -> Result<Picture, Refusal> {
    if upload.len() > UPLOAD_MAX {
        return Err(Refusal::TooLarge);
    }
    let turn = timeout(TURN, WORKER.acquire()).await.map_err(|_| Refusal::Busy)?;
    let _turn = turn.expect("it is never closed");
    let written = tokio::task::spawn_blocking(move || match raster::kind(&upload) {
        Some(media) => raster::rewrite(media, &upload),
        None => drawing::rewrite(&upload),
    });
    // A decoder that panics has read something that is none.
    let picture = written.await.unwrap_or(Err(Refusal::Damaged))?;
    if picture.bytes.len() > KEPT_MAX { Err(Refusal::TooLarge) } else { Ok(picture) }
}

/// Puts a floor's plan in place; doors stay where they stand on it.
///
/// # Errors
/// When there is no such floor.
pub async fn put(
    tx: &mut Tx,
    by: Option<OperatorId>,
    floor: AreaId,
    picture: &Picture,
) -> Result<(), DoorsError> {
    let areas = place::areas(tx).await?;
    if !areas.iter().any(|(id, area)| *id == floor && area.kind == AreaKind::Floor) {
        return Err(DoorsError::Unknown("floor"));
    }
    let now = tx.now();
    sqlx::query(PUT)
        .bind(row_id(floor.0))
        .bind(picture.media.word())
        .bind(i64::from(picture.width))
        .bind(i64::from(picture.height))
        .bind(picture.bytes.clone())
        .bind(now)
        .execute(&mut **tx)
        .await?;
    tx.record("floor-plan.changed", &json!({ "area": floor.0, "by": by.map(|by| by.0) })).await?;
    Ok(())
}

/// Removes a floor's plan, and where doors stood on it.
///
/// # Errors
/// When there is none.
pub async fn remove(tx: &mut Tx, by: Option<OperatorId>, floor: AreaId) -> Result<(), DoorsError> {
    let done = sqlx::query(REMOVE).bind(row_id(floor.0)).execute(&mut **tx).await?;
    if done.rows_affected() == 0 {
        return Err(DoorsError::Unknown("floor plan"));
    }
    tx.record("floor-plan.removed", &json!({ "area": floor.0, "by": by.map(|by| by.0) })).await?;
    Ok(())
}

/// Every plan, by floor.
///
/// # Errors
/// When the database fails.
pub async fn list(connection: &mut AnyConnection) -> Result<Vec<(AreaId, Plan)>, sqlx::Error> {
    let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(LIST).fetch_all(connection).await?;
    rows.into_iter()
        .map(|(area, width, height, stored_at)| {
            let plan = Plan { width: side(width)?, height: side(height)?, stored_at };
            Ok((AreaId(area.cast_unsigned()), plan))
        })
        .collect()
}

/// A floor's picture.
///
/// # Errors
/// When the database fails.
pub async fn picture(kit: &Kit, floor: AreaId) -> Result<Option<Picture>, sqlx::Error> {
    let row: Option<(String, i64, i64, Vec<u8>)> =
        sqlx::query_as(GET).bind(row_id(floor.0)).fetch_optional(kit.read()).await?;
    row.map(|(media, width, height, bytes)| {
        Ok(Picture { media: Media::from_row(&media)?, width: side(width)?, height: side(height)?, bytes })
    })
    .transpose()
}

/// Where doors stand on a floor's plan, by door.
///
/// # Errors
/// When the database fails.
pub async fn standing(
    connection: &mut AnyConnection,
    floor: AreaId,
) -> Result<Vec<(DoorId, Point)>, sqlx::Error> {
    let rows: Vec<(i64, i64, i64)> =
        sqlx::query_as(STANDING).bind(row_id(floor.0)).fetch_all(connection).await?;
    let part = |value: i64| u16::try_from(value).map_err(|error| sqlx::Error::Decode(error.into()));
    rows.into_iter()
        .map(|(door, x, y)| Ok((DoorId(door.cast_unsigned()), Point { x: part(x)?, y: part(y)? })))
        .collect()
}

/// Says where all doors of a plan stand; one that is not named stands nowhere on it.
///
/// # Errors
/// When a door or the plan is not there, or a place lies beside it.
pub async fn stand(
    tx: &mut Tx,
    by: Option<OperatorId>,
    floor: AreaId,
    doors: &[(DoorId, Point)],
) -> Result<(), DoorsError> {
    if doors.len() > DOORS_MAX {
        return Err(DoorsError::field("doors", "at most 1000 on one plan"));
    }
    let mut seen = BTreeSet::new();
    for (door, Point { x, y }) in doors {
        if *x > PARTS || *y > PARTS {
            return Err(DoorsError::field("doors", "a place lies beside the plan"));
        }
        if !seen.insert(door) {
            return Err(DoorsError::field("doors", "a door stands in two places"));
        }
    }
    if !list(tx).await?.iter().any(|(id, _)| *id == floor) {
        return Err(DoorsError::Unknown("floor plan"));
    }
    sqlx::query(CLEAR).bind(row_id(floor.0)).execute(&mut **tx).await?;
    for (door, Point { x, y }) in doors {
        let add = sqlx::query(STAND).bind(row_id(floor.0)).bind(row_id(door.0));
        let added = add.bind(i64::from(*x)).bind(i64::from(*y)).execute(&mut **tx).await;
        added.map_err(on_constraint(DoorsError::field("doors", "there is no such door")))?;
    }
    tx.record("floor-plan.changed", &json!({ "area": floor.0, "by": by.map(|by| by.0) })).await?;
    Ok(())
}

fn side(value: i64) -> Result<u32, sqlx::Error> {
    u32::try_from(value).map_err(|error| sqlx::Error::Decode(error.into()))
}
