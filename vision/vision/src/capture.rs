//! Frames from a camera: low delay, never an old one, back again after every loss.
//!
//! RTSP goes through GStreamer: seen on the same stream, a frame was there 7 ms after it was pushed and the stream open
//! after 0.1 s; through FFmpeg it took 85 ms (its H.264 parser waits for the next frame) and 1.1 s.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use opencv::core::{Mat, MatTraitConst as _};
use opencv::imgcodecs::{IMREAD_COLOR, imread};
use opencv::videoio::{
    CAP_ANY, CAP_FFMPEG, CAP_GSTREAMER, CAP_PROP_BUFFERSIZE, CAP_PROP_FPS, VideoCapture,
    VideoCaptureTrait as _, VideoCaptureTraitConst as _,
};
use tracing::{info, warn};

use crate::clock::Moment;
use crate::config::{Camera, Decoder, plain};
use crate::frames::{Frame, Newest};

/// A camera that sends nothing for this long is lost.
pub const SILENCE: Duration = Duration::from_secs(2);
/// Between two attempts to open, doubling.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A read that does not come back is left behind with its thread; after so many the process is better started anew.
const MOST_STUCK: usize = 4;
/// How long each still picture of a folder is shown.
const STILL: Duration = Duration::from_secs(2);
const STILL_FRAME: Duration = Duration::from_millis(40);

/// Where frames come from.
#[derive(Debug, Clone)]
enum Source {
    Pipeline(String),
    Usb(i32),
    Film(PathBuf),
    Stills(Vec<PathBuf>),
}

/// A camera being watched over; its frames are in [`Capture::frames`].
pub struct Capture {
    /// The newest frame.
    pub frames: Arc<Newest>,
    source: Source,
    name: String,
    shown: String,
}

impl Capture {
    /// Works out where the frames come from; opens nothing that the network could hold up.
    ///
    /// # Errors
    /// When a file, a folder, a device or the password is missing.
    pub fn new(camera: &Camera) -> Result<Self> {
        let name = camera.name.get_ref().clone();
        let (source, shown) = source(camera).with_context(|| format!("camera {name}"))?;
        Ok(Self { frames: Arc::default(), source, name, shown })
    }

    /// What it is, for messages.
    pub fn shown(&self) -> String {
        format!("camera {} ({})", self.name, self.shown)
    }

    /// Keeps frames coming until the frames are closed; tells `changed` when the camera comes and goes. Runs on a thread
    /// of its own.
    pub fn watch(&self, changed: impl Fn(bool)) -> Result<()> {
        let mut up = false;
        let mut stuck = 0;
        loop {
            let current = Arc::new(Newest::default());
            let reader = Reader { source: self.source.clone(), out: current.clone() };
            let thread = thread::Builder::new()
                .name(format!("read-{}", self.name))
                .spawn(move || reader.run())
                .context("no thread can be started")?;
            let started = Instant::now();
            // Frames pass through here, so that a reader that is stuck and wakes up later has no way to the pipeline.
            while !thread.is_finished() && !self.frames.is_closed() {
                if let Some(frame) = current.take(Duration::from_millis(200)) {
                    self.frames.put(frame);
                    if !up {
                        up = true;
                        info!(camera.name = %self.name, "camera gives pictures");
                        changed(true);
                    }
                } else if current.last().unwrap_or(started).elapsed() > SILENCE + allowance(current.last()) {
                    break;
                }
            }
            current.close();
            if self.frames.is_closed() {
                return Ok(());
            }
            if up {
                up = false;
                warn!(camera.name = %self.name, "camera lost");
                changed(false);
            }
            if !thread.is_finished() {
                // A read that hangs cannot be called back.
                stuck += 1;
                if stuck > MOST_STUCK {
                    bail!("{} hangs in the system's video reader", self.shown());
                }
            }
        }
    }
}

/// Opening a stream may take longer than the gap between two frames.
fn allowance(last: Option<Instant>) -> Duration {
    if last.is_some() { Duration::ZERO } else { Duration::from_secs(8) }
}

struct Reader {
    source: Source,
    out: Arc<Newest>,
}

impl Reader {
    /// Opens and reads until the source ends or nobody listens any more.
    fn run(self) {
        let mut pause = FIRST_PAUSE;
        while !self.out.is_closed() && self.out.last().is_none() {
            match self.read() {
                Ok(()) => {}
                Err(error) => tracing::debug!("{error}"),
            }
            if self.out.last().is_none() {
                self.wait(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        // A source that gave pictures and broke off: a short pause, so that a camera that flaps is not hammered.
        self.wait(FIRST_PAUSE);
    }

    fn wait(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.out.is_closed() && Instant::now() < until {
            thread::sleep(Duration::from_millis(25).min(until.saturating_duration_since(Instant::now())));
        }
    }

    fn read(&self) -> opencv::Result<()> {
        match &self.source {
            Source::Pipeline(description) => {
                self.stream(VideoCapture::from_file(description.as_str(), CAP_GSTREAMER)?, None)
            }
            Source::Usb(index) => {
                let mut video = VideoCapture::new(*index, CAP_ANY)?;
                // The driver's queue holds old frames; not every driver can do without.
                video.set(CAP_PROP_BUFFERSIZE, 1.0)?;
                self.stream(video, None)
            }
            Source::Film(path) => {
                let video = VideoCapture::from_file(path.as_path(), CAP_FFMPEG)?;
                let rate = video.get(CAP_PROP_FPS)?;
                let rate = if (1.0..=240.0).contains(&rate) { rate } else { 25.0 };
                self.stream(video, Some(Duration::from_secs_f64(1.0 / rate)))
            }
            Source::Stills(paths) => self.stills(paths),
        }
    }

    fn stream(&self, mut video: VideoCapture, pace: Option<Duration>) -> opencv::Result<()> {
        if !video.is_opened()? {
            return Ok(());
        }
        let mut due = Instant::now();
        while !self.out.is_closed() {
            let mut picture = Mat::default();
            if !video.read(&mut picture)? || picture.empty() {
                break;
            }
            self.out.put(Frame { picture, captured: Moment::now() });
            if let Some(pace) = pace {
                due += pace;
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        }
        video.release()
    }

    fn stills(&self, paths: &[PathBuf]) -> opencv::Result<()> {
        while !self.out.is_closed() {
            for path in paths {
                let still = imread(path.as_path(), IMREAD_COLOR)?;
                let until = Instant::now() + STILL;
                while !still.empty() && Instant::now() < until && !self.out.is_closed() {
                    self.out.put(Frame { picture: still.clone(), captured: Moment::now() });
                    thread::sleep(STILL_FRAME);
                }
            }
        }
        Ok(())
    }
}

fn source(camera: &Camera) -> Result<(Source, String)> {
    if let Some(address) = &camera.rtsp {
        let mut login = String::new();
        if let (Some(user), Some(file)) = (&camera.user, &camera.password_file) {
            let password = std::fs::read_to_string(file)
                .with_context(|| format!("the password file {} cannot be read", file.display()))?;
            let password = password.trim_end();
            if !plain(password) {
                bail!("the password in {} holds quotes, backslashes or control characters", file.display());
            }
            login = format!(" user-id=\"{user}\" user-pw=\"{password}\"");
        }
        let decode = match camera.decoder {
            Decoder::Openh264 => "rtph264depay ! h264parse ! openh264dec",
            Decoder::Libav => "rtph264depay ! h264parse ! avdec_h264 max-threads=1",
        };
        // No jitter buffer, over TCP: frames come in order, and late is worse than lost. The last element keeps one frame.
        let description = format!(
            "rtspsrc location=\"{address}\"{login} latency=0 protocols=tcp tcp-timeout=4000000 ! {decode} ! videoconvert ! \
             video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false",
            address = address.as_str()
        );
        return Ok((Source::Pipeline(description), address.as_str().to_owned()));
    }
    if let Some(index) = camera.usb {
        let device = PathBuf::from(format!("/dev/video{index}"));
        if !device.exists() {
            bail!("there is no {}", device.display());
        }
        return Ok((Source::Usb(i32::try_from(index)?), device.display().to_string()));
    }
    let path = camera.file.as_deref().expect("the configuration was checked: one of the three is given");
    Ok((files(path)?, path.display().to_string()))
}

fn files(path: &Path) -> Result<Source> {
    if path.is_dir() {
        let mut stills: Vec<PathBuf> = std::fs::read_dir(path)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| is_still(path))
            .collect();
        stills.sort();
        if stills.is_empty() {
            bail!("the folder {} holds no JPEG or PNG picture", path.display());
        }
        return Ok(Source::Stills(stills));
    }
    if !path.is_file() {
        bail!("there is no file or folder {}", path.display());
    }
    Ok(if is_still(path) { Source::Stills(vec![path.to_owned()]) } else { Source::Film(path.to_owned()) })
}

/// Whether the name is that of a JPEG or PNG picture.
pub(crate) fn is_still(path: &Path) -> bool {
    path.extension()
        .and_then(|ending| ending.to_str())
        .is_some_and(|ending| ["jpg", "jpeg", "png"].contains(&ending.to_ascii_lowercase().as_str()))
}
