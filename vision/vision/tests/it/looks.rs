//! Pictures that are hardly pictures: looked at, nothing found, nothing broken.

use opencv::core::{CV_8UC1, CV_8UC3, Mat, MatTraitConst as _, Scalar};
use opencv::imgcodecs::{IMREAD_COLOR, imread};
use sighting::{Limits, Refusal, assess, the_one_face};
use vision::look::{Networks, Picture, measure};

use crate::{fetched, photo};

fn networks() -> Networks {
    Networks::load(&fetched().join("models"), 320).expect("the models")
}

fn plain(rows: i32, columns: i32, kind: i32, grey: f64) -> Picture {
    Mat::new_rows_cols_with_default(rows, columns, kind, Scalar::all(grey)).expect("made")
}

#[test]
fn nothing_is_seen_in_black_white_or_a_sliver() {
    let mut networks = networks();
    for (rows, columns) in [(480, 640), (1, 1), (2, 1_900), (1_080, 3)] {
        for grey in [0.0, 128.0, 255.0] {
            let faces = networks.detector.faces(&plain(rows, columns, CV_8UC3, grey)).expect("looked at");
            assert_eq!(faces, [], "{columns} x {rows}, {grey}");
        }
    }
}

#[test]
fn a_picture_without_colours_is_an_error_and_no_crash() {
    assert!(networks().detector.faces(&plain(480, 640, CV_8UC1, 128.0)).is_err());
    assert!(networks().detector.faces(&Mat::default()).is_err());
}

#[test]
fn a_face_in_ever_more_light_or_less_is_refused_by_name() {
    let (mut networks, portrait) = (networks(), imread(photo("obama.jpg"), IMREAD_COLOR).expect("read"));
    let mut refusal = |gain: f64, lift: f64| {
        let mut picture = Mat::default();
        portrait.convert_to(&mut picture, -1, gain, lift).expect("computed");
        let faces = networks.detector.faces(&picture).expect("looked at");
        let size =
            sighting::Frame { width: picture.cols().unsigned_abs(), height: picture.rows().unsigned_abs() };
        let face = the_one_face(&faces, 0.4)?;
        assess(face, &measure(&picture, face).expect("measured"), size, &Limits::default())
    };
    assert!(refusal(1.0, 0.0).is_ok(), "as it is");
    let glare: Vec<_> = (1..=15).filter_map(|step| refusal(1.0, 16.0 * f64::from(step)).err()).collect();
    assert!(glare.iter().any(|refusal| matches!(refusal, Refusal::TooBright { .. })), "{glare:?}");
    let dark: Vec<_> = (1..=15).filter_map(|step| refusal(1.0 - f64::from(step) / 15.0, 0.0).err()).collect();
    assert!(dark.iter().any(|refusal| matches!(refusal, Refusal::TooDark { .. })), "{dark:?}");
    // However much is too much: nothing passes at the end.
    assert!(refusal(1.0, 255.0).is_err() && refusal(0.0, 0.0).is_err());
}
