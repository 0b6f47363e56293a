//! Brings a face to the place and size the embedding was trained on.

use sighting::Point;

/// Side of an aligned face, in pixels.
pub(crate) const SIDE: i32 = 112;

/// Where the five landmarks lie in an aligned face (the template of ArcFace and SFace).
const TEMPLATE: [Point; 5] = [
    Point { x: 38.2946, y: 51.6963 },
    Point { x: 73.5318, y: 51.5014 },
    Point { x: 56.0252, y: 71.7366 },
    Point { x: 41.5493, y: 92.3655 },
    Point { x: 70.7299, y: 92.2041 },
];

/// The turn, scale and shift that bring the landmarks nearest to the template in the sense of least squares, as the two
/// rows of an affine matrix.
pub(crate) fn similarity(landmarks: &[Point; 5]) -> [f64; 6] {
    let mean = |points: &[Point; 5]| {
        let (x, y) =
            points.iter().fold((0.0, 0.0), |(x, y), point| (x + f64::from(point.x), y + f64::from(point.y)));
        (x / 5.0, y / 5.0)
    };
    let (from, to) = (mean(landmarks), mean(&TEMPLATE));
    let (mut along, mut across, mut square) = (0.0, 0.0, 0.0);
    for (a, b) in landmarks.iter().zip(&TEMPLATE) {
        let (ax, ay) = (f64::from(a.x) - from.0, f64::from(a.y) - from.1);
        let (bx, by) = (f64::from(b.x) - to.0, f64::from(b.y) - to.1);
        along += ax * bx + ay * by;
        across += ax * by - ay * bx;
        square += ax * ax + ay * ay;
    }
    let square = square.max(1e-9);
    let (cos, sin) = (along / square, across / square);
    [cos, -sin, to.0 - cos * from.0 + sin * from.1, sin, cos, to.1 - sin * from.0 - cos * from.1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_turned_scaled_shifted_template_comes_back(
            turn in -3.1_f64..3.1, scale in 0.1_f64..10.0, dx in -900.0_f64..900.0, dy in -900.0_f64..900.0,
        ) {
            let (sin, cos) = turn.sin_cos();
            let moved = TEMPLATE.map(|point| {
                let (x, y) = (f64::from(point.x), f64::from(point.y));
                Point {
                    x: (scale * (cos * x - sin * y) + dx) as f32,
                    y: (scale * (sin * x + cos * y) + dy) as f32,
                }
            });
            let [a, b, c, d, e, f] = similarity(&moved);
            for (point, wanted) in moved.iter().zip(&TEMPLATE) {
                let (x, y) = (f64::from(point.x), f64::from(point.y));
                prop_assert!((a * x + b * y + c - f64::from(wanted.x)).abs() < 0.05);
                prop_assert!((d * x + e * y + f - f64::from(wanted.y)).abs() < 0.05);
            }
        }
    }
}
