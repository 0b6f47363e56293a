//! What goes wrong, at the start and later.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use uplink::reader_link::Face;

use crate::camera::Camera;
use crate::controller::Controller;
use crate::sightings::Gate;
use crate::site::{EVER, Site, Vision, command};
use crate::{fetched, photo};

/// Starts the process, which must fail; its last words.
fn last_words(config: &Path) -> String {
    let output = command(config).stdin(Stdio::null()).output().expect("the process starts");
    assert!(!output.status.success(), "it should have failed");
    let text = String::from_utf8(output.stderr).expect("text");
    let line = text.lines().rfind(|line| line.starts_with("gatehouse-vision: ")).expect("one sentence");
    line.to_owned()
}

fn file_camera(file: &Path) -> String {
    format!(
        "[[camera]]\nname = \"gate-1\"\nfile = \"{}\"\ncontroller = {{ name = \"controller-1\", address = \"127.0.0.1:9\" }}\n",
        file.display()
    )
}

#[test]
fn a_wrong_key_is_named_with_its_line() {
    let site = Site::new();
    let cases = [
        ("[watch]\nlive_form = 0.5\n", ":6: ", "live_form"),
        ("[recognition]\nknown_from = 4.5\n", ":1: ", "recognition.known_from"),
        (
            "[[camera]]\nname = \"a\"\ncontroller = { name = \"controller-1\", address = \"127.0.0.1:1\" }\n",
            ":6: ",
            "exactly one",
        ),
        (
            "[[camera]]\nname = \"a\"\nrtsp = \"rtsp://h/\\\" ! filesink\"\ncontroller = { name = \"c\", address = \"h:1\" }\n",
            ":7: ",
            "address",
        ),
    ];
    for (lines, place, named) in cases {
        let words = last_words(&site.config(lines));
        assert!(words.contains(place) && words.contains(named), "{words}");
    }
    let words = last_words(&site.path("nowhere.toml"));
    assert!(words.contains("nowhere.toml cannot be read"), "{words}");
}

#[test]
fn a_missing_or_altered_model_is_refused_by_name() {
    let site = Site::new();
    let config = site.config(&file_camera(&photo("obama.jpg")));
    let models = site.path("models");
    fs::create_dir(&models).expect("made");
    let text = fs::read_to_string(&config).expect("written before");
    let text = text.replace(&fetched().join("models").display().to_string(), &models.display().to_string());
    fs::write(&config, text).expect("written");
    assert!(last_words(&config).contains("the face detection model"), "{}", last_words(&config));
    let names = ["face_detection_yunet_2023mar.onnx", "fr_liveness.onnx", "sface.onnx"];
    for name in names {
        fs::copy(fetched().join("models").join(name), models.join(name)).expect("copied");
    }
    for name in names {
        let model = models.join(name);
        let whole = fs::read(&model).expect("copied before");
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&model, bytes).expect("written");
        let words = last_words(&config);
        assert!(
            words.contains(&format!("{name} has SHA-256")) && words.contains("it is not used"),
            "{words}"
        );
        fs::write(&model, whole).expect("written");
    }
}

#[test]
fn a_missing_camera_and_a_port_in_use_are_said() {
    let site = Site::new();
    let words = last_words(&site.config(&file_camera(Path::new("/nonexistent/film.mp4"))));
    assert!(words.contains("camera gate-1") && words.contains("/nonexistent/film.mp4"), "{words}");
    let usb = file_camera(Path::new("x")).replace("file = \"x\"", "usb = 77");
    let words = last_words(&site.config(&usb));
    assert!(words.contains("there is no /dev/video77"), "{words}");
    let nobody = file_camera(Path::new("x")).replace("file = \"x\"", "rtsp = \"rtsp://127.0.0.1:9/cam\"");
    let words = last_words(&site.config(&nobody));
    assert!(words.contains("camera gate-1 (rtsp://127.0.0.1:9/cam) gives no picture within 20 s"), "{words}");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound");
    let words = last_words(&site.config(&format!("service = {{ listen = \"{address}\" }}\n")));
    assert!(words.contains(&format!("cannot listen on {address}")), "{words}");
}

#[test]
fn a_gallery_that_was_altered_or_whose_key_lies_open_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new();
    site.enrol(&[(41, &photo("obama.jpg"))]);
    let sealed = site.path("gallery.sealed");
    let mut bytes = fs::read(&sealed).expect("the gallery");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&sealed, bytes).expect("written");
    let vision = Vision::start(&site.config("service = { listen = \"127.0.0.1:0\" }\n"));
    vision.ready();
    assert!(site.path("gallery.damaged").exists() && !sealed.exists(), "put aside");
    drop(vision);
    fs::set_permissions(site.path("gallery.key"), fs::Permissions::from_mode(0o644)).expect("set");
    let words = last_words(&site.config(""));
    assert!(words.contains("gallery.key may be read by others"), "{words}");
}

#[test]
fn a_camera_that_dies_is_reported_and_back_at_work_when_it_returns() {
    let site = Site::new();
    site.enrol(&[(41, &photo("obama.jpg"))]);
    let camera = Camera::start();
    let port = camera.port();
    let controller = Controller::start(&site, &["gate-1"]);
    let vision = Vision::start(&site.config(&Site::camera("gate-1", &camera, &controller)));
    vision.ready();
    assert!(controller.camera(true, EVER));
    drop(camera);
    assert!(controller.camera(false, EVER), "the loss is reported");
    let mut camera = Camera::start_on(port);
    assert!(controller.camera(true, EVER), "the return is reported");
    camera.show(&photo("obama.jpg"));
    let (_, sighting) = controller.sighting(EVER).expect("a sighting");
    assert!(matches!(sighting.face, Face::Known { person: 41, .. }), "{sighting:?}");
}

#[test]
fn a_camera_that_falls_silent_is_reported_too() {
    let mut gate = Gate::open();
    let signal = |name: &str, pid: u32| {
        assert!(Command::new("kill").args([name, &pid.to_string()]).status().expect("kill runs").success());
    };
    signal("-STOP", gate.camera.pid());
    assert!(gate.controller.camera(false, EVER), "silence is loss");
    signal("-CONT", gate.camera.pid());
    assert!(gate.controller.camera(true, EVER), "and it comes back");
    assert!(matches!(gate.show("obama.jpg").face, Face::Known { person: 41, .. }));
}

#[test]
fn a_stream_that_changes_its_size_goes_on() {
    let mut gate = Gate::open();
    for (size, name) in [("480x360", "obama.jpg"), ("800x600", "obama2.jpg"), ("640x480", "obama3.jpg")] {
        gate.camera.say(&format!("size {size}"));
        let sighting = gate.show(name);
        assert!(matches!(sighting.face, Face::Known { person: 41, .. }), "{size}: {sighting:?}");
        gate.leave();
    }
}

#[test]
fn noise_instead_of_pictures_names_nobody_and_passes() {
    let mut gate = Gate::open();
    gate.camera.tell("garble 40");
    // Somebody stands there meanwhile; whatever is seen of them, it is them or nobody.
    gate.camera.show(&photo("biden.jpg"));
    while let Some((_, sighting)) = gate.controller.sighting(Duration::from_secs(3)) {
        assert!(matches!(sighting.face, Face::Unknown { .. }), "{sighting:?}");
    }
    assert!(gate.vision.runs());
    gate.leave();
    assert!(matches!(gate.show("obama.jpg").face, Face::Known { person: 41, .. }));
}

#[test]
fn a_camera_that_speaks_no_rtsp_does_not_hold_up_the_others() {
    let (site, mut camera) = (Site::new(), Camera::start());
    site.enrol(&[(41, &photo("obama.jpg"))]);
    let controller = Controller::start(&site, &["gate-1", "gate-2"]);
    let babbler = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = babbler.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in babbler.incoming().map_while(Result::ok) {
            // Whoever listens hangs up in the middle of it.
            (&stream).write_all(&[0xa5; 100_000]).ok();
        }
    });
    let good = Site::camera("gate-1", &camera, &controller);
    let bad = good.replace("gate-1", "gate-2").replace(&camera.address, &format!("rtsp://{address}/cam"));
    let vision = Vision::start(&site.config(&format!("{bad}{good}")));
    vision.ready();
    camera.show(&photo("obama.jpg"));
    let (_, sighting) = controller.sighting(EVER).expect("a sighting");
    assert_eq!(sighting.camera, "gate-1");
    assert!(matches!(sighting.face, Face::Known { person: 41, .. }), "{sighting:?}");
}

#[test]
fn a_covered_lens_and_the_sun_are_nobody_and_pass() {
    let mut gate = Gate::open();
    for grey in [0, 255] {
        gate.camera.say(&format!("plain {grey}"));
        assert!(gate.is_silent(Duration::from_secs(1)), "nobody is there");
        assert!(gate.vision.runs());
        assert!(matches!(gate.show("obama.jpg").face, Face::Known { person: 41, .. }), "after {grey}");
        gate.leave();
    }
}
