//! Drawn attacks are what they say: somebody's face, shown by something that is not them.

use opencv::core::{MatTraitConst as _, NORM_L1, no_array, norm2};
use opencv::imgcodecs::{IMREAD_COLOR, imread};
use sighting::{Face, the_one_face};
use vision::attacks::{KINDS, Kind, covered_mouth};
use vision::look::{Networks, Picture};

use crate::{fetched, photo};

struct Portrait {
    picture: Picture,
    face: Face,
}

fn portrait(networks: &mut Networks, name: &str) -> Portrait {
    let picture = imread(photo(name), IMREAD_COLOR).expect("the photograph");
    let faces = networks.detector.faces(&picture).expect("looked at");
    let face = *the_one_face(&faces, 0.4).expect("one face");
    Portrait { picture, face }
}

fn cosine(networks: &mut Networks, one: &Portrait, other: &Portrait) -> f32 {
    let mut template = |portrait: &Portrait| {
        let found = networks.embedder.template(&portrait.picture, &portrait.face);
        found.expect("looked at").expect("a template")
    };
    template(one).cosine(&template(other))
}

#[test]
fn every_attack_shows_the_one_it_is_drawn_of() {
    let mut networks = Networks::load(&fetched().join("models"), 640).expect("the models");
    let (of, wearer) = (portrait(&mut networks, "obama.jpg"), portrait(&mut networks, "sunak.jpg"));
    for kind in KINDS {
        let drawn =
            kind.drawn((&of.picture, &of.face), Some((&wearer.picture, &wearer.face))).expect("drawn");
        assert!(drawn.len() >= 2, "{kind:?}");
        for picture in drawn {
            let faces = networks.detector.faces(&picture).expect("looked at");
            let face = *the_one_face(&faces, 0.4).expect("one face");
            let shown = Portrait { picture, face };
            let (pictured, worn) =
                (cosine(&mut networks, &shown, &of), cosine(&mut networks, &shown, &wearer));
            assert!(pictured > worn, "{kind:?}: {pictured} and {worn}");
            let lives = networks.liveness.probability(&shown.picture, &shown.face).expect("looked at");
            // The prints and what else is refused today stay refused; what is not is in the table.
            assert!(kind != Kind::Print || lives < 0.6, "{kind:?}: {lives}");
        }
    }
    assert!(Kind::PaperMask.drawn((&of.picture, &of.face), None).expect("nobody wears it").is_empty());
}

#[test]
fn a_covered_mouth_changes_the_lower_half_of_the_face_alone() {
    let mut networks = Networks::load(&fetched().join("models"), 640).expect("the models");
    let of = portrait(&mut networks, "obama.jpg");
    let covered = covered_mouth(&of.picture, &of.face).expect("drawn");
    let eyes = of.face.landmarks[0].y.max(of.face.landmarks[1].y) as i32;
    let changed = |from: i32, to: i32| {
        let rows =
            |picture: &Picture| picture.row_bounds(from, to).expect("inside").try_clone().expect("copied");
        norm2(&rows(&of.picture), &rows(&covered), NORM_L1, &no_array()).expect("computed")
    };
    assert_eq!(changed(0, eyes), 0.0);
    assert!(changed(eyes, of.picture.rows()) > 0.0);
}
