//! Scans and photographs of plans: decoded, made as large as a screen can use, encoded anew. Nothing but pixels is left.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};

use super::{Media, Picture, Refusal};

/// The most that is decoded: a page of A0 at 150 dots an inch has 35 million.
const PIXELS_MAX: u64 = 40_000_000;
/// The longest side decoded.
const SIDE_MAX: u32 = 20_000;
/// The shortest side that shows anything.
const SIDE_MIN: u32 = 64;
/// The longest side kept.
const KEPT_SIDE: u32 = 4096;
/// What decoding may take at once, in bytes.
const ALLOCATED_MAX: u64 = 256 * 1024 * 1024;
/// Lines stay sharp at this.
const JPEG_QUALITY: u8 = 88;

/// What the first bytes say; `None` when they are neither's.
pub(super) fn kind(upload: &[u8]) -> Option<Media> {
    match upload {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Media::Png),
        [0xff, 0xd8, 0xff, ..] => Some(Media::Jpeg),
        _ => None,
    }
}

pub(super) fn rewrite(media: Media, upload: &[u8]) -> Result<Picture, Refusal> {
    let format = match media {
        Media::Png => ImageFormat::Png,
        Media::Jpeg => ImageFormat::Jpeg,
        Media::Svg => return Err(Refusal::Unknown),
    };
    let size = ImageReader::with_format(Cursor::new(upload), format).into_dimensions();
    let (width, height) = size.map_err(|_| Refusal::Damaged)?;
    if width.max(height) > SIDE_MAX || u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(Refusal::TooManyPixels);
    }
    if width.min(height) < SIDE_MIN {
        return Err(Refusal::TooSmall);
    }
    let mut reader = ImageReader::with_format(Cursor::new(upload), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(ALLOCATED_MAX);
    reader.limits(limits);
    let decoded = reader.decode().map_err(|_| Refusal::Damaged)?;
    let scaled = if width.max(height) > KEPT_SIDE {
        decoded.resize(KEPT_SIDE, KEPT_SIDE, FilterType::Triangle)
    } else {
        decoded
    };
    let mut bytes = Vec::new();
    let (width, height) = (scaled.width(), scaled.height());
    let written = match media {
        Media::Jpeg => {
            scaled.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY))
        }
        Media::Png | Media::Svg => {
            let plain = if scaled.color().has_alpha() {
                DynamicImage::ImageRgba8(scaled.into_rgba8())
            } else {
                DynamicImage::ImageRgb8(scaled.into_rgb8())
            };
            plain.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
        }
    };
    written.map_err(|_| Refusal::Damaged)?;
    Ok(Picture { media, width, height, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let image = DynamicImage::new_rgba8(width, height);
        image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        bytes
    }

    #[test]
    fn what_stood_beside_the_pixels_is_gone() {
        let mut upload = png(100, 80);
        upload.extend_from_slice(b"<script>hidden behind the end</script>");
        // A text chunk in front of the pixels, as cameras and programs write them.
        let text = b"tEXtComment\0taken at 30.1N 120.2E";
        let mut chunk = (text.len() as u32 - 4).to_be_bytes().to_vec();
        chunk.extend_from_slice(text);
        chunk.extend_from_slice(&crc32(text).to_be_bytes());
        upload.splice(33..33, chunk);
        let picture = rewrite(Media::Png, &upload).unwrap();
        assert_eq!((picture.width, picture.height), (100, 80));
        for secret in [&b"script"[..], b"120.2E"] {
            assert!(!picture.bytes.windows(secret.len()).any(|it| it == secret));
        }
    }

    /// CRC-32 of ISO 3309, which PNG's chunks end with.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        })
    }

    #[test]
    fn a_large_scan_is_made_as_large_as_a_screen() {
        let picture = rewrite(Media::Png, &png(6000, 3000)).unwrap();
        assert_eq!((picture.width, picture.height), (4096, 2048));
    }

    #[test]
    fn what_is_none_is_refused_before_it_is_decoded() {
        // The header of a picture of 60,000 by 60,000: 14 gigabytes of pixels.
        let mut bomb = png(64, 64);
        bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        let head = bomb[12..29].to_vec();
        bomb[29..33].copy_from_slice(&crc32(&head).to_be_bytes());
        assert_eq!(rewrite(Media::Png, &bomb).unwrap_err(), Refusal::TooManyPixels);
        assert_eq!(rewrite(Media::Png, &png(10, 500)).unwrap_err(), Refusal::TooSmall);
        let whole = png(100, 100);
        assert_eq!(rewrite(Media::Png, &whole[..whole.len() / 2]).unwrap_err(), Refusal::Damaged);
        assert_eq!(rewrite(Media::Jpeg, b"\xff\xd8\xff\xe0 no more").unwrap_err(), Refusal::Damaged);
        assert_eq!(kind(b"GIF89a"), None);
    }
}
