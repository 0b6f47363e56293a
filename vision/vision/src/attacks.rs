//! Attacks on the liveness check and people who are hard to see, drawn from photographs: for tests and for measuring.
//!
//! Drawn, not photographed: a drawn print has no paper grain, a drawn screen none of a real one's light. A figure measured
//! on these says how the check does on what is drawn here, and is a lower bound of nothing.

mod mask;
mod print;
mod screen;

use opencv::core::{
    BORDER_TRANSPARENT, CV_8UC3, Mat, MatTrait as _, MatTraitConst as _, Point2f, Rect, Scalar, Size,
};
use opencv::imgproc::{INTER_AREA, INTER_LINEAR, get_rotation_matrix_2d, resize, warp_affine};
use sighting::Face;

pub use mask::covered_mouth;

use crate::look::Picture;

const WIDTH: i32 = 640;
const HEIGHT: i32 = 480;

/// A kind of attack: an instrument species in the words of ISO/IEC 30107-3, each reported for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A print of somebody's head with a white border, held up before a lobby.
    Print,
    /// A telephone or a tablet held up that shows somebody, its bezel in view.
    Device,
    /// A screen that shows somebody and fills the view, so that nothing of its edges is seen.
    Monitor,
    /// Somebody's face, printed and cut out, before another person's face.
    PaperMask,
}

/// All kinds.
pub const KINDS: [Kind; 4] = [Kind::Print, Kind::Device, Kind::Monitor, Kind::PaperMask];

impl Kind {
    /// What it is called in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Print => "print on paper, drawn",
            Self::Device => "telephone or tablet, simulated",
            Self::Monitor => "screen that fills the view, simulated",
            Self::PaperMask => "paper mask on another person, drawn",
        }
    }

    /// Every variant of this attack with this person's face; a mask is worn by the other one, and not drawn without
    /// them. Variants for which the photograph is too small are left out.
    ///
    /// # Errors
    /// What OpenCV says.
    pub fn drawn(
        self,
        of: (&Picture, &Face),
        wearer: Option<(&Picture, &Face)>,
    ) -> opencv::Result<Vec<Picture>> {
        match (self, wearer) {
            (Self::Print, _) => print::all(of.0, of.1),
            (Self::Device, _) => screen::devices(of.0, of.1),
            (Self::Monitor, _) => screen::monitors(of.0, of.1),
            (Self::PaperMask, Some(wearer)) => mask::all(of, wearer),
            (Self::PaperMask, None) => Ok(Vec::new()),
        }
    }
}

/// The face and its surroundings, as a multiple of its box, at this height; what lies beyond the photograph is not there.
/// `None` when hardly anything is left.
fn head(
    photograph: &Picture,
    face: &Face,
    around: f32,
    tall: i32,
    widest: i32,
) -> opencv::Result<Option<Mat>> {
    let middle = face.rect.centre();
    let (width, height) = (face.rect.width * around, face.rect.height * around);
    let left = ((middle.x - width / 2.0) as i32).clamp(0, photograph.cols());
    let top = ((middle.y - height / 2.0) as i32).clamp(0, photograph.rows());
    let right = ((middle.x + width / 2.0) as i32).clamp(0, photograph.cols());
    let bottom = ((middle.y + height / 2.0) as i32).clamp(0, photograph.rows());
    let (columns, rows) = (right - left, bottom - top);
    if columns < 16 || rows < 16 {
        return Ok(None);
    }
    let size = Size::new((tall * columns / rows).clamp(1, widest), tall);
    let mut head = Mat::default();
    let place = Rect::new(left, top, columns, rows);
    resize(&photograph.roi(place)?, &mut head, size, 0.0, 0.0, INTER_AREA)?;
    Ok(Some(head))
}

/// A flat thing held up before an even wall and floor, 640 x 480: tilted about its middle, what it does not cover stays.
fn held_up(thing: &Mat, tilt: f64) -> opencv::Result<Picture> {
    let mut scene = lobby()?;
    let from = Point2f::new(thing.cols() as f32 / 2.0, thing.rows() as f32 / 2.0);
    let mut matrix = get_rotation_matrix_2d(from, tilt, 1.0)?;
    *matrix.at_2d_mut::<f64>(0, 2)? += f64::from(WIDTH) / 2.0 - f64::from(from.x);
    *matrix.at_2d_mut::<f64>(1, 2)? += f64::from(HEIGHT) / 2.0 - f64::from(from.y);
    let size = Size::new(WIDTH, HEIGHT);
    warp_affine(thing, &mut scene, &matrix, size, INTER_LINEAR, BORDER_TRANSPARENT, Scalar::default())?;
    Ok(scene)
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
