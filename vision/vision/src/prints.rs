//! A paper print of somebody's head, held up before a lobby: drawn for tests and for measuring the liveness check.
//!
//! Drawn prints are one kind of attack and the plainest; a figure measured on them says nothing of screens or masks.

use opencv::core::{
    BORDER_CONSTANT, BORDER_TRANSPARENT, CV_8UC3, Mat, MatTrait as _, MatTraitConst as _, Point2f, Rect,
    Scalar, Size, copy_make_border,
};
use opencv::imgproc::{INTER_AREA, INTER_LINEAR, get_rotation_matrix_2d, resize, warp_affine};
use sighting::Face;

use crate::look::Picture;

const WIDTH: i32 = 640;
const HEIGHT: i32 = 480;

/// How a print looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Print {
    /// How much of the photograph is on it, as a multiple of the face's box; what lies beyond the photograph is not.
    pub around: f32,
    /// Height of the picture on it, in pixels.
    pub tall: i32,
    /// White around the picture, in pixels.
    pub border: i32,
    /// How it is tilted, in degrees.
    pub tilt: f64,
}

/// The prints that are drawn of each photograph when the liveness check is measured.
pub const KINDS: [Print; 6] = [
    Print { around: 2.2, tall: 300, border: 30, tilt: 0.0 },
    Print { around: 2.2, tall: 280, border: 20, tilt: 8.0 },
    Print { around: 1.6, tall: 240, border: 12, tilt: 0.0 },
    Print { around: 3.2, tall: 340, border: 15, tilt: -5.0 },
    Print { around: 20.0, tall: 320, border: 14, tilt: 0.0 },
    Print { around: 20.0, tall: 400, border: 14, tilt: 4.0 },
];

/// The print of this face before an even wall and floor, 640 x 480. `None` when the head does not fit the picture.
///
/// # Errors
/// What OpenCV says.
pub fn held_up(photograph: &Picture, face: &Face, print: &Print) -> opencv::Result<Option<Picture>> {
    let middle = face.rect.centre();
    let (width, height) = (face.rect.width * print.around, face.rect.height * print.around);
    let left = ((middle.x - width / 2.0) as i32).clamp(0, photograph.cols());
    let top = ((middle.y - height / 2.0) as i32).clamp(0, photograph.rows());
    let right = ((middle.x + width / 2.0) as i32).clamp(0, photograph.cols());
    let bottom = ((middle.y + height / 2.0) as i32).clamp(0, photograph.rows());
    let (columns, rows) = (right - left, bottom - top);
    if columns < 16 || rows < 16 {
        return Ok(None);
    }
    let wide = (print.tall * columns / rows).min(WIDTH - 2 * print.border - 2);
    let (mut head, mut paper) = (Mat::default(), Mat::default());
    let head_place = Rect::new(left, top, columns, rows);
    resize(&photograph.roi(head_place)?, &mut head, Size::new(wide, print.tall), 0.0, 0.0, INTER_AREA)?;
    let (white, border) = (Scalar::new(244.0, 242.0, 240.0, 0.0), print.border);
    copy_make_border(&head, &mut paper, border, border, border, border, BORDER_CONSTANT, white)?;
    let mut scene = lobby()?;
    // Turned about its own middle, then brought to the middle of the picture; what the paper does not cover stays.
    let from = Point2f::new(paper.cols() as f32 / 2.0, paper.rows() as f32 / 2.0);
    let mut matrix = get_rotation_matrix_2d(from, print.tilt, 1.0)?;
    *matrix.at_2d_mut::<f64>(0, 2)? += f64::from(WIDTH) / 2.0 - f64::from(from.x);
    *matrix.at_2d_mut::<f64>(1, 2)? += f64::from(HEIGHT) / 2.0 - f64::from(from.y);
    let size = Size::new(WIDTH, HEIGHT);
    warp_affine(&paper, &mut scene, &matrix, size, INTER_LINEAR, BORDER_TRANSPARENT, Scalar::default())?;
    Ok(Some(scene))
}

fn lobby() -> opencv::Result<Mat> {
    let mut scene =
        Mat::new_rows_cols_with_default(HEIGHT, WIDTH, CV_8UC3, Scalar::new(150.0, 155.0, 160.0, 0.0))?;
    let floor = Rect::new(0, HEIGHT * 3 / 4, WIDTH, HEIGHT / 4);
    let grey = Mat::new_rows_cols_with_default(
        floor.height,
        floor.width,
        CV_8UC3,
        Scalar::new(90.0, 95.0, 100.0, 0.0),
    )?;
    grey.copy_to(&mut Mat::roi_mut(&mut scene, floor)?)?;
    Ok(scene)
}
