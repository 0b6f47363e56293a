//! Something before a face: another's face on paper, or cloth over the mouth.

use opencv::core::{
    BORDER_CONSTANT, CV_8UC1, Mat, MatTraitConst as _, MatTraitConstManual as _, Point as Pixel, Scalar,
    Size, Vector, add_weighted_def,
};
use opencv::imgproc::{
    FILLED, INTER_LINEAR, LINE_8, ellipse, fill_convex_poly_def, invert_affine_transform, warp_affine,
};
use sighting::Face;

use crate::look::{ALIGNED, Picture, similarity};

/// The outline of a face in the aligned picture: middle and half axes.
const MIDDLE: (i32, i32) = (56, 62);
const AXES: (i32, i32) = (46, 58);
/// The eyes in the aligned picture, and the half axes of the holes that are cut for them.
const EYES: [(i32, i32); 2] = [(38, 52), (74, 52)];
const HOLES: (i32, i32) = (11, 6);
/// The corners of a mask over nose and mouth in the aligned picture.
const CLOTH: [(f64, f64); 6] =
    [(14.0, 66.0), (56.0, 58.0), (98.0, 66.0), (92.0, 102.0), (56.0, 124.0), (20.0, 102.0)];

/// The one's face, printed and cut out along its outline, before the other's: whole, and with holes for the eyes.
pub(super) fn all(of: (&Picture, &Face), wearer: (&Picture, &Face)) -> opencv::Result<Vec<Picture>> {
    let mut drawn = Vec::new();
    for holes in [false, true] {
        let mut cut = Mat::new_rows_cols_with_default(ALIGNED, ALIGNED, CV_8UC1, Scalar::default())?;
        oval(&mut cut, MIDDLE, AXES, 255.0)?;
        for eye in EYES.into_iter().filter(|_| holes) {
            oval(&mut cut, eye, HOLES, 0.0)?;
        }
        let face = warped(of.0, &matrix(of.1)?, Size::new(ALIGNED, ALIGNED))?;
        // Print is paler than skin: less contrast, lighter blacks.
        let mut paper = Mat::default();
        add_weighted_def(&face, 0.85, &face, 0.0, 22.0, &mut paper)?;
        let (there, size) = (inverse(&matrix(wearer.1)?)?, wearer.0.size()?);
        let (paper, cut) = (warped(&paper, &there, size)?, warped(&cut, &there, size)?);
        let mut scene = wearer.0.clone();
        paper.copy_to_masked(&mut scene, &cut)?;
        drawn.push(scene);
    }
    Ok(drawn)
}

/// A living person with cloth over nose and mouth: no attack, but hard to see.
///
/// # Errors
/// What OpenCV says.
pub fn covered_mouth(photograph: &Picture, face: &Face) -> opencv::Result<Picture> {
    let there = inverse(&matrix(face)?)?;
    let numbers = there.data_typed::<f64>()?;
    let corners: Vector<Pixel> = CLOTH
        .iter()
        .map(|&(x, y)| {
            let at = |row: usize| numbers[3 * row] * x + numbers[3 * row + 1] * y + numbers[3 * row + 2];
            Pixel::new(at(0).round() as i32, at(1).round() as i32)
        })
        .collect();
    let mut scene = photograph.clone();
    fill_convex_poly_def(&mut scene, &corners, Scalar::new(214.0, 190.0, 150.0, 0.0))?;
    Ok(scene)
}

fn matrix(face: &Face) -> opencv::Result<Mat> {
    Mat::new_rows_cols_with_data(2, 3, &similarity(&face.landmarks))?.try_clone()
}

fn inverse(matrix: &Mat) -> opencv::Result<Mat> {
    let mut inverse = Mat::default();
    invert_affine_transform(matrix, &mut inverse)?;
    Ok(inverse)
}

fn warped(picture: &Mat, matrix: &Mat, size: Size) -> opencv::Result<Mat> {
    let mut warped = Mat::default();
    warp_affine(picture, &mut warped, matrix, size, INTER_LINEAR, BORDER_CONSTANT, Scalar::default())?;
    Ok(warped)
}

fn oval(on: &mut Mat, middle: (i32, i32), axes: (i32, i32), value: f64) -> opencv::Result<()> {
    let (middle, axes) = (Pixel::new(middle.0, middle.1), Size::new(axes.0, axes.1));
    ellipse(on, middle, axes, 0.0, 0.0, 360.0, Scalar::all(value), FILLED, LINE_8, 0)
}
