//! From a photograph before the camera to a sighting at the controller.

use std::time::Duration;

use uplink::reader_link::{Face, Sighting};

use crate::camera::Camera;
use crate::controller::Controller;
use crate::photo;
use crate::site::{Site, Vision};

const SOON: Duration = Duration::from_secs(5);

/// A site with one gate, one person enrolled, and the process ready.
struct Gate {
    camera: Camera,
    controller: Controller,
    vision: Vision,
    _site: Site,
}

impl Gate {
    fn open() -> Self {
        let site = Site::new();
        site.enrol(&[(41, &photo("obama.jpg"))]);
        let camera = Camera::start();
        let controller = Controller::start(&site, &["gate-1"]);
        let vision = Vision::start(&site.config(&gate_1(&camera, &controller)));
        vision.ready();
        assert!(controller.camera(true, SOON), "the camera is reported");
        Self { camera, controller, vision, _site: site }
    }

    fn sighting(&self) -> Sighting {
        self.controller.sighting(SOON).expect("a sighting").1
    }
}

fn gate_1(camera: &Camera, controller: &Controller) -> String {
    format!(
        "[[camera]]\nname = \"gate-1\"\nrtsp = \"{}\"\ncontroller = {{ name = \"controller-1\", address = \"{}\" }}\n",
        camera.address, controller.address
    )
}

#[test]
fn the_enrolled_person_is_found_by_other_photographs_and_a_stranger_is_not() {
    let mut gate = Gate::open();
    let mut tracks = Vec::new();
    for name in ["obama.jpg", "obama2.jpg", "obama3.jpg", "obama_partial_face.jpg", "obama_partial_face2.jpg"]
    {
        gate.camera.show(&photo(name));
        let sighting = gate.sighting();
        let Face::Known { person, score, .. } = sighting.face else { panic!("{name}: {sighting:?}") };
        eprintln!("{name}: {score:.3} live {:.2} {:?}", sighting.liveness.score, sighting.stages_us);
        assert_eq!(person, 41, "{name}");
        assert!(sighting.liveness.live, "{name}: {:?}", sighting.liveness);
        assert!(score > 0.45, "{name}: {score}");
        assert_eq!((sighting.camera.as_str(), sighting.look, sighting.gallery_version), ("gate-1", 1, 7));
        tracks.push(sighting.track);
        leave(&mut gate);
    }
    gate.camera.show(&photo("biden.jpg"));
    let sighting = gate.sighting();
    eprintln!("stranger: {sighting:?}");
    assert!(matches!(sighting.face, Face::Unknown { best: Some(best) } if best < 0.45), "{sighting:?}");
    assert!(sighting.liveness.live);
    tracks.push(sighting.track);
    tracks.dedup();
    assert_eq!(tracks.len(), 6, "each a way of its own: {tracks:?}");
}

/// The gate is empty until the track is gone; what was still under way is thrown away.
fn leave(gate: &mut Gate) {
    gate.camera.say("scene");
    while gate.controller.sighting(Duration::from_millis(900)).is_some() {}
}

#[test]
fn a_print_before_the_scene_is_named_as_not_live() {
    let mut gate = Gate::open();
    for (name, head) in
        [("obama.jpg", ".257 0 .815 .534"), ("obama2.jpg", ".05 0 1 .705"), ("biden.jpg", ".27 0 .9 .357")]
    {
        gate.camera.say(&format!("print {} {head}", photo(name).display()));
        let sighting = gate.sighting();
        eprintln!("{name}: {sighting:?}");
        assert!(!sighting.liveness.live, "{name}: {sighting:?}");
        assert!(sighting.liveness.frames >= 3);
        if name.starts_with("obama") {
            assert!(
                matches!(sighting.face, Face::Known { person: 41, .. }),
                "whose print it is, is said: {sighting:?}"
            );
        }
        leave(&mut gate);
    }
    assert!(gate.vision.pid() > 0);
}
