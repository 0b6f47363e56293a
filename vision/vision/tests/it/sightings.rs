//! From a photograph before the camera to a sighting at the controller.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use uplink::reader_link::{Face, Sighting};

use crate::camera::Camera;
use crate::controller::Controller;
use crate::photo;
use crate::site::{EVER, Site, Vision};

/// A site with one gate, one person enrolled, and the process ready.
pub(crate) struct Gate {
    pub(crate) camera: Camera,
    pub(crate) controller: Controller,
    pub(crate) vision: Vision,
    pub(crate) _site: Site,
}

impl Gate {
    pub(crate) fn open() -> Self {
        Self::open_with("")
    }

    /// With these further lines in the configuration.
    fn open_with(further: &str) -> Self {
        let site = Site::new();
        site.enrol(&[(41, &photo("obama.jpg"))]);
        let camera = Camera::start();
        let controller = Controller::start(&site, &["gate-1"]);
        let vision = Vision::start(
            &site.config(&format!("{}{further}", Site::camera("gate-1", &camera, &controller))),
        );
        vision.ready();
        assert!(controller.camera(true, EVER), "the camera is reported");
        Self { camera, controller, vision, _site: site }
    }

    /// Changes the picture; what is said of a frame from then on, and when it was pushed and heard.
    pub(crate) fn present(&mut self, command: &str) -> Presented {
        let pushed = self.camera.say(command);
        let until = Instant::now() + EVER;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (heard, sighting) = self.controller.sighting(left).expect("a sighting");
            // What was under way of the picture before is none of it.
            if sighting.captured_at >= pushed {
                return Presented { pushed, heard, sighting };
            }
        }
    }

    pub(crate) fn show(&mut self, name: &str) -> Sighting {
        self.present(&format!("show {}", photo(name).display())).sighting
    }

    /// The gate is empty until nobody is followed any more.
    pub(crate) fn leave(&mut self) {
        self.vision.log_from_here();
        self.camera.say("scene");
        self.vision.log_says("nobody is before the camera any more");
    }

    /// Whether nothing is said for so long.
    pub(crate) fn is_silent(&self, during: Duration) -> bool {
        self.controller.sighting(during).is_none()
    }
}

/// A sighting; times are UTC, microseconds.
pub(crate) struct Presented {
    pushed: i64,
    heard: i64,
    pub(crate) sighting: Sighting,
}

#[test]
fn the_enrolled_person_is_found_by_other_photographs_and_a_stranger_is_not() {
    let mut gate = Gate::open();
    let mut tracks = Vec::new();
    for name in ["obama.jpg", "obama2.jpg", "obama3.jpg", "obama_partial_face.jpg", "obama_partial_face2.jpg"]
    {
        let sighting = gate.show(name);
        let Face::Known { person, score, .. } = sighting.face else { panic!("{name}: {sighting:?}") };
        assert_eq!(person, 41, "{name}");
        assert!(sighting.liveness.live, "{name}: {:?}", sighting.liveness);
        assert!(score > 0.45, "{name}: {score}");
        assert_eq!((sighting.camera.as_str(), sighting.look, sighting.gallery_version), ("gate-1", 1, 7));
        tracks.push(sighting.track);
        gate.leave();
    }
    let sighting = gate.show("biden.jpg");
    assert!(matches!(sighting.face, Face::Unknown { best: Some(best) } if best < 0.45), "{sighting:?}");
    assert!(sighting.liveness.live);
    tracks.push(sighting.track);
    tracks.dedup();
    assert_eq!(tracks.len(), 6, "each a way of its own: {tracks:?}");
}

#[test]
fn a_print_before_the_scene_is_named_as_not_live() {
    let mut gate = Gate::open();
    for (name, head) in
        [("obama.jpg", ".257 0 .815 .534"), ("obama2.jpg", ".05 0 1 .705"), ("biden.jpg", ".27 0 .9 .357")]
    {
        let sighting = gate.present(&format!("print {} {head}", photo(name).display())).sighting;
        assert!(!sighting.liveness.live, "{name}: {sighting:?}");
        assert!(sighting.liveness.frames >= 3);
        if name.starts_with("obama") {
            assert!(
                matches!(sighting.face, Face::Known { person: 41, .. }),
                "whose print it is, is said: {sighting:?}"
            );
        }
        gate.leave();
    }
}

#[test]
fn other_cuts_of_a_print_are_named_as_not_live_too() {
    let mut gate = Gate::open();
    // By rule of thumb, and the whole photograph on one sheet.
    for (name, part) in [("obama.jpg", ""), ("obama.jpg", "0 0 1 1"), ("obama3.jpg", "0.2 0 0.9 0.45")] {
        let sighting = gate.present(&format!("print {} {part}", photo(name).display())).sighting;
        assert!(!sighting.liveness.live, "{name} {part}: {sighting:?}");
        gate.leave();
    }
}

#[test]
fn somebody_who_walks_up_is_one_track_and_known() {
    let mut gate = Gate::open();
    gate.controller.grant();
    let first = gate.present(&format!("walk {}", photo("obama.jpg").display())).sighting;
    assert!(matches!(first.face, Face::Known { person: 41, .. }) && first.liveness.live, "{first:?}");
    assert!(gate.is_silent(Duration::from_secs(3)), "granted on the way");
}

/// `GATEHOUSE_PRESENTATIONS` says how many. The figures are printed, none is asserted: they are the machine's. That no old
/// frame is looked at is shown in `newest`.
#[test]
fn every_presentation_is_seen_and_its_stages_are_told() {
    let count: usize =
        std::env::var("GATEHOUSE_PRESENTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    let mut gate = Gate::open();
    let mut waited = Vec::new();
    let mut stages: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for name in ["obama.jpg", "obama2.jpg", "obama3.jpg"].into_iter().cycle().take(count) {
        let Presented { pushed, heard, sighting } = gate.present(&format!("show {}", photo(name).display()));
        assert!(matches!(sighting.face, Face::Known { person: 41, .. }), "{sighting:?}");
        waited.push(u64::try_from(heard - pushed).expect("after the push"));
        for stage in ["capture", "detect", "liveness", "embed", "search", "send"] {
            assert!(sighting.stages_us.contains_key(stage), "{stage}: {sighting:?}");
        }
        for (stage, time) in sighting.stages_us {
            stages.entry(stage).or_default().push(time);
        }
        gate.leave();
    }
    let of = |times: &mut Vec<u64>, percent: usize| {
        times.sort_unstable();
        times[(times.len() - 1) * percent / 100] / 1_000
    };
    println!("{count} presentations: p50 {} ms, p95 {} ms", of(&mut waited, 50), of(&mut waited, 95));
    for (stage, mut times) in stages {
        println!("  {stage}: p50 {} ms, p95 {} ms", of(&mut times, 50), of(&mut times, 95));
    }
}

#[test]
fn an_empty_gate_costs_less_than_half_a_core() {
    let gate = Gate::open();
    let before = processor_time(gate.vision.pid());
    let start = Instant::now();
    while gate.controller.sighting(Duration::from_secs(4).saturating_sub(start.elapsed())).is_some() {}
    let share = (processor_time(gate.vision.pid()) - before).as_secs_f64() / start.elapsed().as_secs_f64();
    println!("an empty gate: {:.0} % of a core", share * 100.0);
    assert!(share < 0.5, "{share}");
}

/// What a presentation costs in processor time of the whole process, decoding included: the approach, and a second in
/// which the person still stands there; with and without looking seldom once the door was released. Printed.
#[test]
#[ignore = "a measurement: it prints figures and asserts none"]
fn what_a_presentation_costs() {
    let cost = |further: &str| {
        let mut gate = Gate::open_with(further);
        gate.controller.grant();
        let (mut spent, count) = (Duration::ZERO, 4);
        for _ in 0..count {
            let before = processor_time(gate.vision.pid());
            gate.show("obama.jpg");
            assert!(gate.is_silent(Duration::from_secs(1)));
            spent += processor_time(gate.vision.pid()) - before;
            gate.leave();
        }
        spent.as_millis() / count
    };
    let (every, seldom) = (cost("[watch]\nsettled_ms = 0\n"), cost(""));
    println!("a presentation: {seldom} ms of processor time; {every} ms with every frame looked at");
}

fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let after_name = stat.rsplit_once(')').expect("a name in brackets").1;
    let fields: Vec<u64> =
        after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    // In hundredths of a second on every Linux there is.
    Duration::from_millis(fields.iter().sum::<u64>() * 10)
}

#[test]
fn a_granted_track_is_not_reported_again_until_somebody_else_stands_there() {
    let mut gate = Gate::open();
    gate.controller.grant();
    let first = gate.show("obama.jpg");
    assert!(gate.is_silent(Duration::from_secs(5)), "granted and still there");
    // At once another face in the same place: no empty frame between.
    let other = gate.show("biden.jpg");
    assert_ne!(other.track, first.track);
    assert!(matches!(other.face, Face::Unknown { .. }), "{other:?}");
}
