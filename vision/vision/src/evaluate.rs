//! How well faces are told apart, and attacks from people, on a set of labelled photographs: a table that names its set
//! and size, with counts.
//!
//! Who is on a photograph is said by its folder, or, for photographs in the folder itself, by the file's name up to the
//! first digit, `_`, `-` or `.`: `ada.jpg`, `ada2.jpg` and `ada_left.jpg` are the same person.

mod recognition;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use gallery::Template;
use opencv::core::MatTraitConst as _;
use serde::Serialize;
use sighting::{Face, Limits, Policy, assess, the_one_face};

use crate::attacks::{KINDS, covered_mouth};
use crate::capture::is_still;
use crate::look::{Networks, Picture, measure};
use crate::photograph::decode;
use recognition::Recognition;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder with the photographs.
    pub folder: PathBuf,
    /// The folder with the model files.
    #[arg(long)]
    pub models: PathBuf,
    /// Longer side, in pixels, of the picture in which faces are sought.
    #[arg(long, default_value_t = 640)]
    pub detect_size: u32,
    /// Recognition alone: no attacks are drawn.
    #[arg(long)]
    pub no_attacks: bool,
    /// JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    set: String,
    photographs: usize,
    people: usize,
    usable: usize,
    refused: Vec<Refused>,
    recognition: Recognition,
    liveness: Liveness,
    /// Median processor time of one thread for one face, in milliseconds.
    cpu_ms: Stages,
}

#[derive(Debug, Serialize)]
struct Refused {
    photograph: String,
    reason: String,
}

/// Presentation attack detection in the words of ISO/IEC 30107-3, over one frame.
#[derive(Debug, Serialize)]
struct Liveness {
    /// Least probability that counts as living.
    threshold: f32,
    /// Bona fide presentations: the photographs as they are. Their error is BPCER.
    photographs: Presentations,
    /// Bona fide presentations with the mouth covered.
    covered: Presentations,
    /// For each kind of attack; the error is APCER.
    attacks: Vec<(&'static str, Presentations)>,
}

/// How presentations of one kind went.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Presentations {
    shown: usize,
    /// No face was found, or its look would not do: neither living nor not, and no passage either way.
    no_response: usize,
    /// Of the rest: called what they are not.
    wrong: usize,
}

#[derive(Debug, Default, Serialize)]
struct Stages {
    detect: f64,
    liveness: f64,
    embed: f64,
}

struct Photograph {
    label: String,
    name: String,
    path: PathBuf,
}

/// One face, whose it is, and its template; with the mouth covered too, where a face was still found.
struct Sample<'a> {
    label: &'a str,
    template: Template,
    covered: Option<Template>,
}

/// A photograph with a usable face on it.
struct Portrait<'a> {
    label: &'a str,
    picture: Picture,
    face: Face,
}

struct Measuring<'a> {
    networks: &'a mut Networks,
    limits: Limits,
    live_from: f32,
    times: [Vec<Duration>; 3],
    liveness: Liveness,
}

/// Measures and prints.
///
/// # Errors
/// A folder without photographs, a model that is not the right one, an OpenCV that fails.
pub fn run(arguments: &Arguments) -> Result<()> {
    opencv::core::set_num_threads(1)?;
    let mut networks = Networks::load(&arguments.models, arguments.detect_size)?;
    let photographs = photographs(&arguments.folder)?;
    let report = measure_all(&mut networks, arguments, &photographs)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}

fn measure_all(networks: &mut Networks, arguments: &Arguments, photographs: &[Photograph]) -> Result<Report> {
    let live_from = Policy::default().live_from;
    let mut measuring = Measuring {
        networks,
        limits: Limits::default(),
        live_from,
        times: Default::default(),
        liveness: Liveness {
            threshold: live_from,
            photographs: Presentations::default(),
            covered: Presentations::default(),
            attacks: KINDS.iter().map(|kind| (kind.name(), Presentations::default())).collect(),
        },
    };
    let (mut samples, mut refused) = (Vec::new(), Vec::new());
    // The last photograph, and the last one of somebody else: who wears the masks.
    let (mut last, mut other): (Option<Portrait<'_>>, Option<Portrait<'_>>) = (None, None);
    for photograph in photographs {
        let portrait = match measuring.portrait(photograph)? {
            Ok(portrait) => portrait,
            Err(reason) => {
                refused.push(Refused { photograph: photograph.name.clone(), reason });
                continue;
            }
        };
        if last.as_ref().is_some_and(|last| last.label != portrait.label) {
            other = last.take();
        }
        if !arguments.no_attacks {
            measuring.attack(&portrait, other.as_ref())?;
        }
        match measuring.sample(&portrait)? {
            Some(sample) => samples.push(sample),
            None => refused.push(Refused {
                photograph: photograph.name.clone(),
                reason: "its template has no direction".to_owned(),
            }),
        }
        last = Some(portrait);
    }
    let mut labels: Vec<&str> = photographs.iter().map(|photograph| photograph.label.as_str()).collect();
    labels.sort_unstable();
    labels.dedup();
    let [detect, liveness, embed] = measuring.times.map(median);
    Ok(Report {
        set: arguments.folder.display().to_string(),
        photographs: photographs.len(),
        people: labels.len(),
        usable: samples.len(),
        refused,
        recognition: Recognition::of(&samples),
        liveness: measuring.liveness,
        cpu_ms: Stages { detect, liveness, embed },
    })
}

impl Measuring<'_> {
    /// The one face of a photograph, or why it is not used.
    fn portrait<'p>(&mut self, photograph: &'p Photograph) -> Result<Result<Portrait<'p>, String>> {
        let bytes = std::fs::read(&photograph.path)
            .with_context(|| format!("{} cannot be read", photograph.path.display()))?;
        let picture = match decode(&bytes) {
            Ok(picture) => picture,
            Err(reason) => return Ok(Err(format!("{reason:?}"))),
        };
        let faces = timed(&mut self.times[0], || self.networks.detector.faces(&picture))?;
        let face = match the_one_face(&faces, 0.4) {
            Ok(face) => *face,
            Err(reason) => return Ok(Err(format!("{reason:?}"))),
        };
        if let Err(reason) = assess(&face, &measure(&picture, &face)?, size(&picture), &self.limits) {
            return Ok(Err(format!("{reason:?}")));
        }
        let live = timed(&mut self.times[1], || self.networks.liveness.probability(&picture, &face))?;
        self.liveness.photographs.count(Some(live < self.live_from));
        if live < self.live_from {
            tracing::debug!(photograph = %photograph.name, live, "called not live");
        }
        Ok(Ok(Portrait { label: &photograph.label, picture, face }))
    }

    fn attack(&mut self, portrait: &Portrait<'_>, other: Option<&Portrait<'_>>) -> opencv::Result<()> {
        let own = (&portrait.picture, &portrait.face);
        let wearer = other.map(|other| (&other.picture, &other.face));
        for (at, kind) in KINDS.into_iter().enumerate() {
            for picture in kind.drawn(own, wearer)? {
                let called_live = self.live(&picture)?;
                self.liveness.attacks[at].1.count(called_live);
            }
        }
        Ok(())
    }

    /// Whether the largest face of a picture is called live; `None` when there is none that is looked at.
    fn live(&mut self, picture: &Picture) -> opencv::Result<Option<bool>> {
        let Some(face) = self.usable(picture)? else { return Ok(None) };
        Ok(Some(self.networks.liveness.probability(picture, &face)? >= self.live_from))
    }

    fn usable(&mut self, picture: &Picture) -> opencv::Result<Option<Face>> {
        let faces = self.networks.detector.faces(picture)?;
        let largest = faces.into_iter().max_by(|a, b| a.rect.width.total_cmp(&b.rect.width));
        let Some(face) = largest else { return Ok(None) };
        let look = assess(&face, &measure(picture, &face)?, size(picture), &self.limits);
        Ok(look.is_ok().then_some(face))
    }

    fn sample<'p>(&mut self, portrait: &Portrait<'p>) -> opencv::Result<Option<Sample<'p>>> {
        let Portrait { label, picture, face } = portrait;
        let template = timed(&mut self.times[2], || self.networks.embedder.template(picture, face))?;
        let Some(template) = template else { return Ok(None) };
        let scene = covered_mouth(picture, face)?;
        let live = self.live(&scene)?;
        self.liveness.covered.count(live.map(|live| !live));
        let covered = match self.usable(&scene)? {
            Some(face) => self.networks.embedder.template(&scene, &face)?,
            None => None,
        };
        Ok(Some(Sample { label, template, covered }))
    }
}

impl Presentations {
    fn count(&mut self, wrong: Option<bool>) {
        self.shown += 1;
        self.no_response += usize::from(wrong.is_none());
        self.wrong += usize::from(wrong == Some(true));
    }
}

fn size(picture: &Picture) -> sighting::Frame {
    sighting::Frame { width: picture.cols().unsigned_abs(), height: picture.rows().unsigned_abs() }
}

fn photographs(folder: &Path) -> Result<Vec<Photograph>> {
    let mut found = Vec::new();
    for entry in sorted(folder)? {
        if entry.is_dir() {
            let label = name(&entry);
            for path in sorted(&entry)?.into_iter().filter(|path| is_still(path)) {
                found.push(Photograph {
                    label: label.clone(),
                    name: format!("{label}/{}", name(&path)),
                    path,
                });
            }
        } else if is_still(&entry) {
            let name = name(&entry);
            let end = name.find(|c: char| c.is_ascii_digit() || "_-.".contains(c)).unwrap_or(name.len());
            found.push(Photograph { label: name[..end].to_owned(), name, path: entry });
        }
    }
    if found.is_empty() {
        bail!("{} holds no JPEG or PNG photograph", folder.display());
    }
    Ok(found)
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("the folder {} cannot be read", folder.display()))?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn timed<T>(times: &mut Vec<Duration>, work: impl FnOnce() -> opencv::Result<T>) -> opencv::Result<T> {
    let start = thread_time();
    let done = work()?;
    times.push(thread_time().saturating_sub(start));
    Ok(done)
}

fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}
