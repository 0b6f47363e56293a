//! A photograph from somebody else: looked at with suspicion, turned into a template.

use opencv::core::{Mat, MatTraitConst as _};
use opencv::imgcodecs::{IMREAD_COLOR, imdecode};
use serde::Serialize;
use sighting::{Face, Frame, Limits, Quality, Refusal, assess, the_one_face};

use crate::look::{Networks, measure};

/// The largest file, in bytes.
pub const MOST_BYTES: usize = 8 * 1024 * 1024;
/// The longest side, in pixels.
pub const MOST_SIDE: u32 = 8_192;
/// The most pixels: decoding takes three bytes for each.
pub const MOST_PIXELS: u64 = 40_000_000;

/// What a photograph gave.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// A template.
    Usable(Box<Usable>),
    /// The reason why there is none.
    Refused(Reason),
}

/// A photograph that will do.
#[derive(Serialize)]
pub struct Usable {
    /// 128 numbers of length 1 together.
    pub template: Vec<f32>,
    /// SHA-256 of the network that made them: templates of different networks do not compare.
    pub model: &'static str,
    /// How good the look is.
    pub quality: Quality,
    /// Whether the one look at it says that the face lives.
    pub live: bool,
    /// Probability of a living face.
    pub liveness: f32,
    /// Where the face is, in pixels.
    #[serde(rename = "box")]
    pub place: Place,
}

/// A rectangle in pixels.
#[derive(Debug, Serialize)]
pub struct Place {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// Why a photograph gave no template.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// Neither JPEG nor PNG, or damaged.
    NotAPhoto,
    /// More bytes or pixels than are looked at.
    TooLarge,
    /// The face, or that there is none, or more than one.
    #[serde(untagged)]
    Face(Refusal),
}

/// What is asked of a photograph.
#[derive(Debug, Clone, Copy)]
pub struct Demands {
    /// What the look must reach.
    pub limits: Limits,
    /// Faces under this part of the largest one's width are bystanders.
    pub bystander: f32,
    /// Probability from which a face counts as living.
    pub live_from: f32,
}

impl std::fmt::Debug for Usable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Usable")
            .field("quality", &self.quality)
            .field("liveness", &self.liveness)
            .finish_non_exhaustive()
    }
}

/// Looks at one photograph.
///
/// # Errors
/// What OpenCV says of a picture that it could decode.
pub fn examine(networks: &mut Networks, bytes: &[u8], demands: &Demands) -> opencv::Result<Outcome> {
    let picture = match decode(bytes) {
        Ok(picture) => picture,
        Err(reason) => return Ok(Outcome::Refused(reason)),
    };
    let faces = networks.detector.faces(&picture)?;
    let face = match the_one_face(&faces, demands.bystander) {
        Ok(face) => *face,
        Err(refusal) => return Ok(Outcome::Refused(Reason::Face(refusal))),
    };
    let quality = match look(&picture, &face, &demands.limits)? {
        Ok(quality) => quality,
        Err(refusal) => return Ok(Outcome::Refused(Reason::Face(refusal))),
    };
    let liveness = networks.liveness.probability(&picture, &face)?;
    let Some(template) = networks.embedder.template(&picture, &face)? else {
        return Ok(Outcome::Refused(Reason::NotAPhoto));
    };
    let place = Place { x: face.rect.x, y: face.rect.y, width: face.rect.width, height: face.rect.height };
    Ok(Outcome::Usable(Box::new(Usable {
        template: template.numbers().to_vec(),
        model: crate::models::EMBEDDING.sha256,
        quality,
        live: liveness >= demands.live_from,
        liveness,
        place,
    })))
}

fn look(picture: &Mat, face: &Face, limits: &Limits) -> opencv::Result<Result<Quality, Refusal>> {
    let size = Frame { width: picture.cols().unsigned_abs(), height: picture.rows().unsigned_abs() };
    Ok(assess(face, &measure(picture, face)?, size, limits))
}

/// Decodes a photograph whose size was read from its own header first.
///
/// # Errors
/// [`Reason::NotAPhoto`] or [`Reason::TooLarge`].
pub fn decode(bytes: &[u8]) -> Result<Mat, Reason> {
    if bytes.len() > MOST_BYTES {
        return Err(Reason::TooLarge);
    }
    let (width, height) = size(bytes).ok_or(Reason::NotAPhoto)?;
    if width == 0 || height == 0 {
        return Err(Reason::NotAPhoto);
    }
    if width.max(height) > MOST_SIDE || u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(Reason::TooLarge);
    }
    let mat = Mat::from_slice(bytes).map_err(|_| Reason::NotAPhoto)?;
    let picture = imdecode(&mat, IMREAD_COLOR).map_err(|_| Reason::NotAPhoto)?;
    if picture.empty() { Err(Reason::NotAPhoto) } else { Ok(picture) }
}

/// Width and height from the header of a PNG (IHDR) or JPEG (the first start-of-frame segment).
fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    if let Some(rest) = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n") {
        let header = rest.strip_prefix(b"\x00\x00\x00\x0dIHDR")?;
        let (width, rest) = header.split_first_chunk::<4>()?;
        return Some((u32::from_be_bytes(*width), u32::from_be_bytes(*rest.first_chunk::<4>()?)));
    }
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let (&[mark, kind], after) = rest.split_first_chunk::<2>()?;
        if mark != 0xff {
            return None;
        }
        match kind {
            // Fill bytes before a marker.
            0xff => rest = &rest[1..],
            // Markers without a body.
            0x01 | 0xd0..=0xd8 => rest = after,
            // Picture data or the end before any size.
            0xd9 | 0xda => return None,
            // Start of frame; c4, c8 and cc are other things.
            0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&kind) => {
                let &[_, _, _, h1, h0, w1, w0] = after.first_chunk::<7>()?;
                return Some((
                    u32::from(u16::from_be_bytes([w1, w0])),
                    u32::from(u16::from_be_bytes([h1, h0])),
                ));
            }
            _ => {
                let length = usize::from(u16::from_be_bytes(*after.first_chunk::<2>()?));
                rest = after.get(length.max(2)..)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_stumble(
            bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0_usize..3,
        ) {
            let head: &[u8] = [&b""[..], b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", b"\xff\xd8\xff"][kind];
            size(&[head, &bytes].concat());
        }

        #[test]
        fn the_size_is_that_of_the_header(width in 1_u16.., height in 1_u16.., before in 0_usize..40) {
            let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe0];
            jpeg.extend_from_slice(&u16::try_from(before + 2).expect("small").to_be_bytes());
            jpeg.extend(vec![0xff; before]);
            jpeg.extend_from_slice(&[0xff, 0xff, 0xc2, 0, 17, 8]);
            jpeg.extend_from_slice(&height.to_be_bytes());
            jpeg.extend_from_slice(&width.to_be_bytes());
            prop_assert_eq!(size(&jpeg), Some((u32::from(width), u32::from(height))));
        }
    }
}
