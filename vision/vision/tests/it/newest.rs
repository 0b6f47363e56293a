//! Never an old frame: whoever looks, however late, sees the newest one that came.

use std::sync::Arc;
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use vision::capture::Capture;
use vision::config::Config;
use vision::frames::{Frame, Newest};

use crate::camera::{Camera, number};
use crate::site::Site;

/// No figure: a bound for what must come at all.
const EVER: Duration = Duration::from_secs(60);

/// A camera that numbers its frames, and a capture of it.
struct Watched {
    camera: Camera,
    frames: Arc<Newest>,
    thread: Option<JoinHandle<()>>,
}

impl Watched {
    fn start() -> Self {
        let (site, camera) = (Site::new(), Camera::numbered());
        let config = site.config(&format!(
            "[[camera]]\nname = \"gate-1\"\nrtsp = \"{}\"\ncontroller = {{ name = \"controller-1\", address = \"127.0.0.1:9\" }}\n",
            camera.address
        ));
        let config = Config::read(&config).expect("a good configuration");
        let capture = Capture::new(&config.cameras[0]).expect("nothing is missing");
        let frames = capture.frames.clone();
        let thread = spawn(move || capture.watch(|_| {}).expect("it never hangs"));
        Self { camera, frames, thread: Some(thread) }
    }

    fn take(&self) -> Frame {
        self.frames.take(EVER).expect("a frame")
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.frames.close();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

#[test]
fn who_is_slow_skips_frames_and_sees_the_newest() {
    let watched = Watched::start();
    for _ in 0..3 {
        let before = number(&watched.take().picture);
        let missed = watched.frames.missed();
        let until = Instant::now() + EVER;
        while watched.frames.missed() < missed + 20 {
            assert!(Instant::now() < until, "frames keep coming");
            sleep(Duration::from_millis(5));
        }
        let skipped = u32::try_from(watched.frames.missed() - missed).expect("few");
        let seen = number(&watched.take().picture);
        // Each of the frames that were pushed out had a number of its own.
        assert!(seen > before + skipped, "{seen} is older than {skipped} frames after {before}");
    }
}

#[test]
fn no_frame_waits_for_the_next_one() {
    let mut watched = Watched::start();
    for _ in 0..5 {
        let mut seen = number(&watched.take().picture);
        let last = watched.camera.hold();
        let until = Instant::now() + EVER;
        // What is on its way comes; the very last one must, although nothing follows it.
        while seen < last {
            assert!(Instant::now() < until, "{last} was pushed, {seen} is the last that came");
            if let Some(frame) = watched.frames.take(Duration::from_millis(100)) {
                let newer = number(&frame.picture);
                assert!(newer > seen, "{newer} after {seen}");
                seen = newer;
            }
        }
        watched.camera.tell("go");
    }
}
