//! Several people before one camera, one person before several.

use std::time::Duration;

use uplink::reader_link::Face;

use crate::camera::Camera;
use crate::controller::Controller;
use crate::photo;
use crate::sightings::Gate;
use crate::site::{EVER, Site, Vision};

#[test]
fn the_gate_is_for_whoever_stands_first() {
    let mut gate = Gate::open();
    let crowd = |names: [&str; 4]| {
        let files: Vec<String> = names.iter().map(|name| photo(name).display().to_string()).collect();
        format!("crowd {}", files.join(" "))
    };
    // Each stands farther back than the one before, and the photographs are not equally near: the first is the nearest.
    // A stranger first, the enrolled person behind: the stranger alone is spoken of, however long they wait.
    let first = gate.present(&crowd(["sunak.jpg", "obama2.jpg", "biden.jpg", "macron2.jpg"])).sighting;
    assert!(matches!(first.face, Face::Unknown { .. }), "{first:?}");
    while let Some((_, sighting)) = gate.controller.sighting(Duration::from_secs(4)) {
        assert_eq!(sighting.track, first.track, "{sighting:?}");
        assert!(matches!(sighting.face, Face::Unknown { .. }), "{sighting:?}");
        if sighting.look > 2 {
            break;
        }
    }
    gate.leave();
    gate.controller.grant();
    let first = gate.present(&crowd(["obama4.jpg", "biden.jpg", "hopper.jpg", "macron2.jpg"])).sighting;
    assert!(matches!(first.face, Face::Known { person: 41, .. }), "{first:?}");
    assert!(gate.is_silent(Duration::from_secs(4)), "granted; the others wait for their turn");
}

#[test]
fn one_face_before_two_lanes_opens_one() {
    let (site, mut camera) = (Site::new(), Camera::start());
    site.enrol(&[(41, &photo("obama.jpg"))]);
    let controller = Controller::start(&site, &["lane-1", "lane-2"]);
    controller.grant();
    let lanes = ["lane-1", "lane-2"].map(|name| Site::camera(name, &camera, &controller));
    let vision = Vision::start(&site.config(&lanes.concat()));
    vision.ready();
    camera.show(&photo("obama.jpg"));
    let (_, first) = controller.sighting(EVER).expect("a sighting");
    assert!(matches!(first.face, Face::Known { person: 41, .. }), "{first:?}");
    // Longer than it takes until somebody still there is reported again.
    let second = controller.sighting(Duration::from_secs(5));
    assert!(second.is_none(), "the other lane must not open too: {second:?}");
}

#[test]
fn who_stands_before_the_neighbouring_lane_is_not_seen_by_this_one() {
    let (site, mut camera) = (Site::new(), Camera::start());
    site.enrol(&[(41, &photo("obama.jpg"))]);
    let controller = Controller::start(&site, &["lane-1", "lane-2"]);
    let [left, right] = [("lane-1", "left = 0.0, right = 0.5"), ("lane-2", "left = 0.5, right = 1.0")]
        .map(|(name, lane)| format!("{}lane = {{ {lane} }}\n", Site::camera(name, &camera, &controller)));
    let vision = Vision::start(&site.config(&format!("{left}{right}")));
    vision.ready();
    // The first of a crowd stands at the left edge.
    camera.say(&format!("crowd {}", photo("obama.jpg").display()));
    for _ in 0..2 {
        let (_, sighting) = controller.sighting(EVER).expect("a sighting");
        assert_eq!(sighting.camera, "lane-1", "{sighting:?}");
    }
}
