//! What the pixels of a face say about the look.

use opencv::core::{BORDER_DEFAULT, CV_32F, Mat, MatTraitConst as _, Rect, Scalar, Size, mean_std_dev_def};
use opencv::imgproc::{COLOR_BGR2GRAY, INTER_AREA, cvt_color_def, laplacian, resize};
use sighting::{Face, Measures};

use super::Picture;

const SIDE: i32 = 112;

/// Measures one face, scaled to a fixed size so that near and far faces compare.
///
/// # Errors
/// What OpenCV says.
pub fn measure(picture: &Picture, face: &Face) -> opencv::Result<Measures> {
    let Some(inside) = inside(face, picture.cols(), picture.rows()) else {
        return Ok(Measures { sharpness: 0.0, brightness: 0.0, contrast: 0.0 });
    };
    let (mut crop, mut grey, mut edges) = (Mat::default(), Mat::default(), Mat::default());
    resize(&picture.roi(inside)?, &mut crop, Size::new(SIDE, SIDE), 0.0, 0.0, INTER_AREA)?;
    cvt_color_def(&crop, &mut grey, COLOR_BGR2GRAY)?;
    laplacian(&grey, &mut edges, CV_32F, 1, 1.0, 0.0, BORDER_DEFAULT)?;
    let (brightness, contrast) = mean_and_deviation(&grey)?;
    let (_, deviation) = mean_and_deviation(&edges)?;
    Ok(Measures {
        sharpness: (deviation * deviation) as f32,
        brightness: brightness as f32,
        contrast: contrast as f32,
    })
}

fn mean_and_deviation(picture: &Mat) -> opencv::Result<(f64, f64)> {
    let (mut mean, mut deviation) = (Scalar::default(), Scalar::default());
    mean_std_dev_def(picture, &mut mean, &mut deviation)?;
    Ok((mean[0], deviation[0]))
}

/// The part of the face's box inside the picture, if there is any.
fn inside(face: &Face, columns: i32, rows: i32) -> Option<Rect> {
    let left = (face.rect.x as i32).clamp(0, columns);
    let top = (face.rect.y as i32).clamp(0, rows);
    let right = ((face.rect.x + face.rect.width) as i32).clamp(0, columns);
    let bottom = ((face.rect.y + face.rect.height) as i32).clamp(0, rows);
    (right > left && bottom > top).then(|| Rect::new(left, top, right - left, bottom - top))
}
