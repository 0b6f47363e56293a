//! YuNet, decoded by hand: OpenCV 4.6's own `FaceDetectorYN` throws on this version of the model.

use opencv::core::{
    BORDER_CONSTANT, CV_32F, Mat, MatTraitConst as _, MatTraitConstManual as _, Scalar, Size, Vector,
    copy_make_border,
};
use opencv::dnn::{Net, NetTrait as _, blob_from_image};
use opencv::imgproc::{INTER_AREA, resize};
use sighting::{Face, Point, Rect};

use super::Picture;

/// Side lengths the network halves down to must divide into this.
const MULTIPLE: i32 = 32;
const STRIDES: [usize; 3] = [8, 16, 32];
/// Faces less sure than this are not even reported.
const LEAST_SCORE: f32 = 0.6;
/// Boxes that overlap more are the same face.
const SAME: f32 = 0.3;
/// More faces than a gate can hold are a fault of the picture.
const MOST_FACES: usize = 64;

/// Finds faces.
pub struct Detector {
    net: Net,
    size: i32,
    names: Vector<String>,
}

impl Detector {
    pub(super) fn new(net: Net, size: u32) -> Self {
        let mut names = Vector::new();
        for kind in ["cls", "obj", "bbox", "kps"] {
            for stride in STRIDES {
                names.push(format!("{kind}_{stride}").as_str());
            }
        }
        Self { net, size: i32::try_from(size).unwrap_or(i32::MAX), names }
    }

    /// All faces, the surest first, in the picture's own coordinates. The picture is looked at with its longer side
    /// brought down to the size given at the start; smaller ones are taken as they are.
    ///
    /// # Errors
    /// What OpenCV says.
    pub fn faces(&mut self, picture: &Picture) -> opencv::Result<Vec<Face>> {
        let (width, height) = (picture.cols(), picture.rows());
        let scale = (f64::from(self.size) / f64::from(width.max(height))).min(1.0);
        let mut small = Mat::default();
        let picture = if scale < 1.0 {
            let to = Size::new(
                ((f64::from(width) * scale).round() as i32).max(1),
                ((f64::from(height) * scale).round() as i32).max(1),
            );
            resize(picture, &mut small, to, 0.0, 0.0, INTER_AREA)?;
            &small
        } else {
            picture
        };
        let (right, bottom) = (pad(picture.cols()), pad(picture.rows()));
        let mut padded = Mat::default();
        copy_make_border(picture, &mut padded, 0, bottom, 0, right, BORDER_CONSTANT, Scalar::default())?;
        let size = padded.size()?;
        let blob = blob_from_image(&padded, 1.0, size, Scalar::default(), false, false, CV_32F)?;
        self.net.set_input(&blob, "", 1.0, Scalar::default())?;
        let mut outputs = Vector::<Mat>::new();
        self.net.forward(&mut outputs, &self.names)?;
        let columns = size.width.unsigned_abs() as usize;
        let mut faces = Vec::new();
        for (level, stride) in STRIDES.into_iter().enumerate() {
            let [cls, obj, bbox, kps] = [0, 1, 2, 3].map(|kind| outputs.get(kind * STRIDES.len() + level));
            let (cls, obj, bbox, kps) = (cls?, obj?, bbox?, kps?);
            decode(
                &mut faces,
                columns / stride,
                stride as f32,
                [cls.data_typed()?, obj.data_typed()?, bbox.data_typed()?, kps.data_typed()?],
            );
        }
        let back = (1.0 / scale) as f32;
        Ok(apart(faces).into_iter().map(|face| scaled(face, back)).collect())
    }
}

fn pad(length: i32) -> i32 {
    (MULTIPLE - length % MULTIPLE) % MULTIPLE
}

fn decode(faces: &mut Vec<Face>, columns: usize, stride: f32, [cls, obj, bbox, kps]: [&[f32]; 4]) {
    let boxes = bbox.as_chunks::<4>().0.iter().zip(kps.as_chunks::<10>().0);
    for (at, ((&cls, &obj), (bbox, kps))) in cls.iter().zip(obj).zip(boxes).enumerate() {
        let score = (cls.clamp(0.0, 1.0) * obj.clamp(0.0, 1.0)).sqrt();
        if score.is_nan() || score < LEAST_SCORE {
            continue;
        }
        let (column, row) = ((at % columns) as f32, (at / columns) as f32);
        let (x, y) = ((column + bbox[0]) * stride, (row + bbox[1]) * stride);
        let (width, height) = (bbox[2].exp() * stride, bbox[3].exp() * stride);
        let mut landmarks = [Point::default(); 5];
        for (landmark, k) in landmarks.iter_mut().zip(kps.as_chunks::<2>().0) {
            *landmark = Point { x: (k[0] + column) * stride, y: (k[1] + row) * stride };
        }
        faces.push(Face {
            rect: Rect { x: x - width / 2.0, y: y - height / 2.0, width, height },
            landmarks,
            score,
        });
    }
}

/// Non-maximum suppression: of boxes that overlap only the surest stays.
fn apart(mut faces: Vec<Face>) -> Vec<Face> {
    faces.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Face> = Vec::new();
    for face in faces {
        if kept.len() == MOST_FACES {
            break;
        }
        if kept.iter().all(|other| other.rect.overlap(&face.rect) <= SAME) {
            kept.push(face);
        }
    }
    kept
}

fn scaled(face: Face, by: f32) -> Face {
    let Rect { x, y, width, height } = face.rect;
    Face {
        rect: Rect { x: x * by, y: y * by, width: width * by, height: height * by },
        landmarks: face.landmarks.map(|point| Point { x: point.x * by, y: point.y * by }),
        score: face.score,
    }
}
