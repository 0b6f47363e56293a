//! Whether anything changed since faces were last looked for: an empty lobby costs nearly nothing.

use opencv::core::{Mat, MatTraitConst as _, MatTraitConstManual as _, Size};
use opencv::imgproc::{COLOR_BGR2GRAY, INTER_AREA, cvt_color_def, resize};

use super::Picture;

/// The picture is compared this small: one number for about 16 x 16 pixels, so that sensor noise averages out.
const COLUMNS: i32 = 40;
const ROWS: i32 = 30;
/// A place whose mean brightness, of 255, changed by more has changed.
const CHANGE: u8 = 6;
/// So many places must have: 48 pixels of 640 are three.
const PLACES: usize = 3;

/// Remembers the picture in which faces were last looked for.
#[derive(Default)]
pub struct Motion {
    looked_at: Vec<u8>,
}

impl Motion {
    /// Whether this picture differs from the one last looked at. Compares with that one, not with the previous frame, so
    /// a slow approach adds up.
    ///
    /// # Errors
    /// What OpenCV says.
    pub fn changed(&self, picture: &Picture) -> opencv::Result<(bool, Seen)> {
        let (mut small, mut grey) = (Mat::default(), Mat::default());
        resize(picture, &mut small, Size::new(COLUMNS, ROWS), 0.0, 0.0, INTER_AREA)?;
        if small.channels() == 3 {
            cvt_color_def(&small, &mut grey, COLOR_BGR2GRAY)?;
        } else {
            grey = small;
        }
        let seen = grey.data_bytes()?.to_vec();
        let different =
            seen.iter().zip(&self.looked_at).filter(|(new, old)| new.abs_diff(**old) > CHANGE).count();
        Ok((self.looked_at.len() != seen.len() || different >= PLACES, Seen(seen)))
    }

    /// Faces were looked for in this one.
    pub fn looked(&mut self, seen: Seen) {
        self.looked_at = seen.0;
    }
}

/// A picture made small.
pub struct Seen(Vec<u8>);
