//! A paper print of somebody's head, held up before a lobby: drawn for tests and for measuring the liveness check.
//!
//! Drawn prints are one kind of attack and the plainest; a figure measured on them says nothing of screens or masks.

use opencv::core::{BORDER_CONSTANT, CV_8UC3, Mat, MatTraitConst as _, Rect, Scalar, Size, copy_make_border};
use opencv::imgproc::{INTER_AREA, resize};
use sighting::Face;

use crate::look::Picture;

const WIDTH: i32 = 640;
const HEIGHT: i32 = 480;
/// How much of the head is on the print, as a multiple of the face's box.
const HEAD: f32 = 2.2;
const TALL: i32 = 300;
const BORDER: i32 = 30;

/// The print of this face before an even wall and floor, 640 x 480. `None` when the head does not fit the picture.
///
/// # Errors
/// What OpenCV says.
pub fn held_up(photograph: &Picture, face: &Face) -> opencv::Result<Option<Picture>> {
    let middle = face.rect.centre();
    let (width, height) = (face.rect.width * HEAD, face.rect.height * HEAD);
    let left = ((middle.x - width / 2.0) as i32).clamp(0, photograph.cols());
    let top = ((middle.y - height / 2.0) as i32).clamp(0, photograph.rows());
    let right = ((middle.x + width / 2.0) as i32).clamp(0, photograph.cols());
    let bottom = ((middle.y + height / 2.0) as i32).clamp(0, photograph.rows());
    let (columns, rows) = (right - left, bottom - top);
    if columns < 16 || rows < 16 {
        return Ok(None);
    }
    let wide = (TALL * columns / rows).min(WIDTH - 2 * BORDER - 2);
    let (mut head, mut paper) = (Mat::default(), Mat::default());
    let head_place = Rect::new(left, top, columns, rows);
    resize(&photograph.roi(head_place)?, &mut head, Size::new(wide, TALL), 0.0, 0.0, INTER_AREA)?;
    let white = Scalar::new(244.0, 242.0, 240.0, 0.0);
    copy_make_border(&head, &mut paper, BORDER, BORDER, BORDER, BORDER, BORDER_CONSTANT, white)?;
    let mut scene = lobby()?;
    let place =
        Rect::new((WIDTH - paper.cols()) / 2, (HEIGHT - paper.rows()) / 2, paper.cols(), paper.rows());
    paper.copy_to(&mut Mat::roi_mut(&mut scene, place)?)?;
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
