use proptest::prelude::*;
use sighting::{Limits, Measures, Refusal, assess, the_one_face};

use crate::{FRAME, clear, face};

fn turned(angle: f32) -> sighting::Face {
    let mut face = face(200.0, 150.0, 100.0);
    let middle = face.rect.centre();
    let (sin, cos) = angle.to_radians().sin_cos();
    for point in &mut face.landmarks {
        let (x, y) = (point.x - middle.x, point.y - middle.y);
        *point = sighting::Point { x: middle.x + x * cos - y * sin, y: middle.y + x * sin + y * cos };
    }
    face
}

proptest! {
    #[test]
    fn a_clear_face_that_looks_ahead_will_do(x in 0.0_f32..500.0, y in 0.0_f32..300.0, width in 48.0_f32..130.0) {
        let quality = assess(&face(x, y, width), &clear(), FRAME, &Limits::default()).expect("good enough");
        prop_assert!(quality.score > 0.0 && quality.score <= 1.0);
        prop_assert!(quality.turn.abs() < 1e-3 && quality.tilt.abs() < 1e-3);
    }

    #[test]
    fn nearer_is_never_worse(width in 48.0_f32..200.0, more in 1.0_f32..1.5) {
        let score = |width| assess(&face(100.0, 100.0, width), &clear(), FRAME, &Limits::default()).map(|it| it.score);
        prop_assert!(score(width * more).unwrap_or(1.0) >= score(width).expect("good enough") - 1e-3);
    }

    #[test]
    fn tilting_the_head_changes_the_tilt_alone(angle in -29.0_f32..29.0) {
        let straight = assess(&turned(0.0), &clear(), FRAME, &Limits::default()).expect("good enough");
        let tilted = assess(&turned(angle), &clear(), FRAME, &Limits::default()).expect("good enough");
        prop_assert!((tilted.tilt - angle).abs() < 0.1);
        prop_assert!((tilted.turn - straight.turn).abs() < 1e-3 && (tilted.nod - straight.nod).abs() < 1e-3);
    }

    #[test]
    fn a_mirrored_face_is_turned_the_other_way(shift in -0.15_f32..0.15) {
        let mut one = face(200.0, 150.0, 100.0);
        one.landmarks[2].x += shift * 100.0;
        let mut other = one;
        for (to, from) in [(0, 1), (1, 0), (2, 2), (3, 4), (4, 3)] {
            other.landmarks[to] = one.landmarks[from];
            other.landmarks[to].x = 640.0 - other.landmarks[to].x;
        }
        other.rect.x = 640.0 - one.rect.x - one.rect.width;
        let turn = |face| assess(&face, &clear(), FRAME, &Limits::default()).expect("good enough").turn;
        prop_assert!((turn(one) + turn(other)).abs() < 1e-3);
    }

    #[test]
    fn nothing_that_is_not_a_number_will_do(which in 0_usize..4) {
        let (mut it, mut measures) = (face(100.0, 100.0, 100.0), clear());
        match which {
            0 => measures.sharpness = f32::NAN,
            1 => measures.brightness = f32::NAN,
            2 => measures.contrast = f32::NAN,
            _ => it.score = f32::NAN,
        }
        prop_assert!(assess(&it, &measures, FRAME, &Limits::default()).is_err());
    }
}

#[test]
fn each_fault_has_its_own_reason() {
    let limits = Limits::default();
    let of = |face: &sighting::Face, measures: &Measures| {
        assess(face, measures, FRAME, &limits).expect_err("a fault")
    };
    let good = face(200.0, 150.0, 100.0);
    let mut away = good;
    away.landmarks[2].x += 60.0;
    let mut down = good;
    down.landmarks[2].y += 25.0;
    let mut unsure = good;
    unsure.score = 0.5;
    assert!(
        matches!(of(&face(200.0, 150.0, 30.0), &clear()), Refusal::TooSmall { measured, .. } if measured == 30.0)
    );
    assert!(matches!(of(&face(-50.0, 150.0, 100.0), &clear()), Refusal::CutOff { .. }));
    assert!(matches!(of(&away, &clear()), Refusal::TurnedAway { .. }));
    assert!(matches!(of(&down, &clear()), Refusal::Nodding { .. }));
    assert!(matches!(of(&turned(45.0), &clear()), Refusal::Tilted { .. }));
    assert!(matches!(of(&unsure, &clear()), Refusal::Unsure { .. }));
    assert!(matches!(of(&good, &Measures { sharpness: 1.0, ..clear() }), Refusal::Blurred { .. }));
    assert!(matches!(of(&good, &Measures { brightness: 10.0, ..clear() }), Refusal::TooDark { .. }));
    assert!(matches!(of(&good, &Measures { brightness: 250.0, ..clear() }), Refusal::TooBright { .. }));
    assert!(matches!(of(&good, &Measures { contrast: 2.0, ..clear() }), Refusal::TooFlat { .. }));
}

#[test]
fn a_photograph_is_of_one_person_and_bystanders() {
    let (large, small) = (face(100.0, 100.0, 200.0), face(400.0, 100.0, 40.0));
    assert_eq!(the_one_face(&[], 0.4), Err(Refusal::NoFace));
    assert_eq!(the_one_face(&[small, large], 0.4), Ok(&large));
    assert_eq!(the_one_face(&[large, large, small], 0.4), Err(Refusal::SeveralFaces { count: 2 }));
}

#[test]
fn reasons_travel_with_their_numbers() {
    let reason = Refusal::TooSmall { measured: 30.0, least: 48.0 };
    let text = serde_json::to_string(&reason).expect("JSON");
    assert_eq!(text, r#"{"reason":"too-small","measured":30.0,"least":48.0}"#);
    assert_eq!(serde_json::from_str::<Refusal>(&text).expect("the same"), reason);
    assert_eq!(serde_json::to_string(&Refusal::NoFace).expect("JSON"), r#"{"reason":"no-face"}"#);
}
