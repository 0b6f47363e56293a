//! The edges of a sheet or a screen around a face.
//!
//! The network sees only the face's near surroundings; on a larger print nothing but picture is there. But a print that
//! is held up ends below the chin, where a living person has a body: a straight edge runs across underneath, and turns
//! upwards beside the face at both ends. Door frames and posters behind somebody have no such lower edge, because the body
//! hides it, and a counter before somebody has no ends that turn upwards. A sheet whose lower edge is out of the picture
//! is not found: one signal among several.

use opencv::core::{Mat, MatTraitConst as _, MatTraitConstManual as _, Size, Vec4i, Vector};
use opencv::imgproc::{COLOR_BGR2GRAY, INTER_AREA, canny, cvt_color_def, hough_lines_p, resize};
use sighting::{Face, Rect};

use super::Picture;

/// Longer side of the picture in which edges are sought.
const SIDE: f32 = 320.0;
/// A side may lean this far from upright or level: a sine.
const LEAN: f32 = 0.45;
/// The part of a side that must be seen: hands and folds hide some.
const SEEN: f32 = 0.8;
/// The part of a side's continuation beyond a corner that may be seen, for it to count as ending there.
const BEYOND: f32 = 0.4;

type Place = (f32, f32);

/// A piece of a straight edge, its upper or left end first, in the small picture.
#[derive(Clone, Copy)]
struct Piece {
    from: Place,
    to: Place,
}

/// Which places of the small picture lie on an edge.
struct Edges {
    columns: usize,
    rows: usize,
    at: Vec<u8>,
}

/// Whether four straight edges close around the face, the lowest of them below the chin.
///
/// # Errors
/// What OpenCV says.
pub(super) fn outlined(picture: &Picture, face: &Face) -> opencv::Result<bool> {
    let (columns, rows) = (picture.cols() as f32, picture.rows() as f32);
    let scale = (SIDE / columns.max(rows)).min(1.0);
    let (mut small, mut grey, mut edges) = (Mat::default(), Mat::default(), Mat::default());
    let size = Size::new(((columns * scale) as i32).max(1), ((rows * scale) as i32).max(1));
    resize(picture, &mut small, size, 0.0, 0.0, INTER_AREA)?;
    cvt_color_def(&small, &mut grey, COLOR_BGR2GRAY)?;
    canny(&grey, &mut edges, 60.0, 150.0, 3, false)?;
    let Rect { x, y, width, height } = face.rect;
    let face = Rect { x: x * scale, y: y * scale, width: width * scale, height: height * scale };
    let mut lines = Vector::<Vec4i>::new();
    let shortest = f64::from(face.width * 0.5).max(10.0);
    hough_lines_p(&edges, &mut lines, 1.0, std::f64::consts::PI / 180.0, 20, shortest, 4.0)?;
    let edges = Edges {
        columns: size.width.unsigned_abs() as usize,
        rows: size.height.unsigned_abs() as usize,
        at: edges.data_bytes()?.to_vec(),
    };
    let pieces: Vec<Piece> = lines
        .iter()
        .map(|line| Piece { from: (line[0] as f32, line[1] as f32), to: (line[2] as f32, line[3] as f32) })
        .collect();
    Ok(surrounded(&face, &pieces, &edges))
}

fn surrounded(face: &Rect, pieces: &[Piece], edges: &Edges) -> bool {
    let (right_edge, chin) = (face.x + face.width, face.y + face.height);
    let middle = face.centre();
    let slack = face.width * 0.2;
    let upright = |piece: &&Piece| piece.sine(|(x, _)| x) <= LEAN;
    let level = |piece: &&Piece| piece.sine(|(_, y)| y) <= LEAN;
    let (left, right): (Vec<&Piece>, Vec<&Piece>) =
        pieces.iter().filter(upright).partition(|piece| piece.from.0 + piece.to.0 < 2.0 * middle.x);
    // The corner of a side with the lower edge, if the side is seen from there up to the face and ends there.
    let corner = |side: &Piece, lower: &Piece, beside: &dyn Fn(f32) -> bool| {
        let corner = side.meets(lower)?;
        let up = side.at_height(middle.y);
        let on_past = extended(up, corner, face.width * 0.4);
        (beside(up.0)
            && corner.1 > chin - slack
            && edges.hold(corner)
            && edges.seen(up, corner) >= SEEN
            && edges.seen(extended(up, corner, 3.0), on_past) <= BEYOND)
            .then_some((*side, corner))
    };
    // Whether the two sides are closed above the face.
    let closed = |(left, start): (Piece, Place), (right, end): (Piece, Place)| {
        pieces.iter().filter(level).any(|upper| {
            let (Some(first), Some(last)) = (left.meets(upper), right.meets(upper)) else { return false };
            [first, last].into_iter().all(|corner| corner.1 < face.y + slack && edges.hold(corner))
                && edges.seen(first, last) >= SEEN
                && edges.seen(first, start) >= SEEN
                && edges.seen(last, end) >= SEEN
        })
    };
    pieces.iter().filter(level).any(|lower| {
        let corners = |sides: &[&Piece], beside: &dyn Fn(f32) -> bool| -> Vec<(Piece, Place)> {
            sides.iter().filter_map(|side| corner(side, lower, beside)).collect()
        };
        let starts = corners(&left, &|x| x < face.x + slack);
        let ends = if starts.is_empty() { Vec::new() } else { corners(&right, &|x| x > right_edge - slack) };
        let more = face.width * 0.4;
        starts.iter().any(|&(left, start)| {
            ends.iter().any(|&(right, end)| {
                edges.seen(start, end) >= SEEN
                    && edges.seen(extended(start, end, 3.0), extended(start, end, more)) <= BEYOND
                    && edges.seen(extended(end, start, 3.0), extended(end, start, more)) <= BEYOND
                    && closed((left, start), (right, end))
            })
        })
    })
}

/// The place so far beyond `to`, seen from `from`.
fn extended(from: Place, to: Place, by: f32) -> Place {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(1e-3);
    (to.0 + dx / length * by, to.1 + dy / length * by)
}

impl Piece {
    fn sine(&self, of: impl Fn(Place) -> f32) -> f32 {
        let length = (self.to.0 - self.from.0).hypot(self.to.1 - self.from.1).max(1e-3);
        (of(self.to) - of(self.from)).abs() / length
    }

    /// Where the two lines cross, however far away.
    fn meets(&self, other: &Self) -> Option<Place> {
        let (ax, ay) = (self.to.0 - self.from.0, self.to.1 - self.from.1);
        let (bx, by) = (other.to.0 - other.from.0, other.to.1 - other.from.1);
        let cross = ax * by - ay * bx;
        if cross.abs() < 1e-3 {
            return None;
        }
        let along = ((other.from.0 - self.from.0) * by - (other.from.1 - self.from.1) * bx) / cross;
        Some((self.from.0 + along * ax, self.from.1 + along * ay))
    }

    /// The place of an upright line at this height.
    fn at_height(&self, y: f32) -> Place {
        let rise = self.to.1 - self.from.1;
        let along = if rise.abs() < 1e-3 { 0.0 } else { (y - self.from.1) / rise };
        (self.from.0 + along * (self.to.0 - self.from.0), y)
    }
}

impl Edges {
    /// Whether the place lies inside the picture and not on its own edge.
    fn hold(&self, (x, y): Place) -> bool {
        x > 2.0 && y > 2.0 && x < self.columns as f32 - 3.0 && y < self.rows as f32 - 3.0
    }

    /// The part of the way between two places that lies on an edge, or one place beside it.
    fn seen(&self, from: Place, to: Place) -> f32 {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let steps = (dx.hypot(dy).ceil() as usize).clamp(1, 1_000);
        let near = |step: &usize| {
            let part = *step as f32 / steps as f32;
            let (x, y) = ((from.0 + dx * part).round() as i64, (from.1 + dy * part).round() as i64);
            (-1..=1).any(|down| (-1..=1).any(|along| self.is_edge(x + along, y + down)))
        };
        (0..=steps).filter(near).count() as f32 / (steps + 1) as f32
    }

    fn is_edge(&self, x: i64, y: i64) -> bool {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return false };
        x < self.columns && y < self.rows && self.at[y * self.columns + x] != 0
    }
}
