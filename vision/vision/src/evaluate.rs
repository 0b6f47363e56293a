//! How well faces are told apart on a set of labelled photographs: an error table that names its set and size.
//!
//! Who is on a photograph is said by its folder, or, for photographs in the folder itself, by the file's name up to the
//! first digit, `_`, `-` or `.`: `ada.jpg`, `ada2.jpg` and `ada_left.jpg` are the same person.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use gallery::Template;
use serde::Serialize;
use sighting::{Limits, Policy, assess, the_one_face};

use crate::capture::is_still;
use crate::look::{Networks, measure};
use crate::photograph::decode;
use crate::prints::{KINDS, held_up};

const THRESHOLDS: [f32; 7] = [0.30, 0.363, 0.40, 0.45, 0.50, 0.55, 0.60];
/// Fewer trials than this give no rate worth the name: with no error in 300, the true rate may still be 1 % (the "rule
/// of 3").
const FEW: usize = 300;

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
    genuine_pairs: usize,
    impostor_pairs: usize,
    rows: Vec<Row>,
    least_genuine: Option<f32>,
    greatest_impostor: Option<f32>,
    liveness: Liveness,
    /// Median processor time of one thread for one face, in milliseconds.
    cpu_ms: Stages,
}

#[derive(Debug, Serialize)]
struct Refused {
    photograph: String,
    reason: String,
}

/// Errors at one threshold: counts, not rates.
#[derive(Debug, Serialize)]
struct Row {
    threshold: f32,
    false_non_matches: usize,
    false_matches: usize,
}

#[derive(Debug, Serialize)]
struct Liveness {
    threshold: f32,
    photographs: usize,
    called_not_live: usize,
    drawn_prints: usize,
    prints_called_live: usize,
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

/// Measures and prints.
///
/// # Errors
/// A folder without photographs, a model that is not the right one, an OpenCV that fails.
pub fn run(arguments: &Arguments) -> Result<()> {
    opencv::core::set_num_threads(1)?;
    let mut networks = Networks::load(&arguments.models, arguments.detect_size)?;
    let photographs = photographs(&arguments.folder)?;
    let report = measure_all(&mut networks, &arguments.folder, &photographs)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn measure_all(networks: &mut Networks, folder: &Path, photographs: &[Photograph]) -> Result<Report> {
    let (limits, policy) = (Limits::default(), Policy::default());
    let mut seen: Vec<(&str, Template)> = Vec::new();
    let mut refused = Vec::new();
    let mut liveness = Liveness {
        threshold: policy.live_from,
        photographs: 0,
        called_not_live: 0,
        drawn_prints: 0,
        prints_called_live: 0,
    };
    let mut times: [Vec<Duration>; 3] = Default::default();
    for photograph in photographs {
        let mut refuse =
            |reason: String| refused.push(Refused { photograph: photograph.name.clone(), reason });
        let bytes = std::fs::read(&photograph.path)
            .with_context(|| format!("{} cannot be read", photograph.path.display()))?;
        let picture = match decode(&bytes) {
            Ok(picture) => picture,
            Err(reason) => {
                refuse(format!("{reason:?}"));
                continue;
            }
        };
        let faces = timed(&mut times[0], || networks.detector.faces(&picture))?;
        let face = match the_one_face(&faces, 0.4) {
            Ok(face) => *face,
            Err(reason) => {
                refuse(format!("{reason:?}"));
                continue;
            }
        };
        let size = sighting::Frame {
            width: opencv::prelude::MatTraitConst::cols(&picture).unsigned_abs(),
            height: opencv::prelude::MatTraitConst::rows(&picture).unsigned_abs(),
        };
        if let Err(reason) = assess(&face, &measure(&picture, &face)?, size, &limits) {
            refuse(format!("{reason:?}"));
            continue;
        }
        let live = timed(&mut times[1], || networks.liveness.probability(&picture, &face))?;
        liveness.photographs += 1;
        liveness.called_not_live += usize::from(live < policy.live_from);
        if live < policy.live_from {
            tracing::debug!(photograph = %photograph.name, live, "called not live");
        }
        for kind in &KINDS {
            if let Some(scene) = held_up(&picture, &face, kind)?
                && let Some(on_paper) = networks.detector.faces(&scene)?.first()
            {
                liveness.drawn_prints += 1;
                let live = networks.liveness.probability(&scene, on_paper)?;
                if live >= policy.live_from {
                    liveness.prints_called_live += 1;
                    tracing::debug!(photograph = %photograph.name, ?kind, live, "called live");
                }
            }
        }
        match timed(&mut times[2], || networks.embedder.template(&picture, &face))? {
            Some(template) => seen.push((photograph.label.as_str(), template)),
            None => refuse("no direction".to_owned()),
        }
    }
    let (mut genuine, mut impostor) = (Vec::new(), Vec::new());
    for (at, (label, template)) in seen.iter().enumerate() {
        for (other_label, other) in &seen[..at] {
            let pairs = if label == other_label { &mut genuine } else { &mut impostor };
            pairs.push(template.cosine(other));
        }
    }
    let mut labels: Vec<&str> = photographs.iter().map(|photograph| photograph.label.as_str()).collect();
    labels.sort_unstable();
    labels.dedup();
    let [detect, live, embed] = times.map(median);
    Ok(Report {
        set: folder.display().to_string(),
        photographs: photographs.len(),
        people: labels.len(),
        usable: seen.len(),
        refused,
        genuine_pairs: genuine.len(),
        impostor_pairs: impostor.len(),
        rows: THRESHOLDS
            .into_iter()
            .map(|threshold| Row {
                threshold,
                false_non_matches: genuine.iter().filter(|cosine| **cosine < threshold).count(),
                false_matches: impostor.iter().filter(|cosine| **cosine >= threshold).count(),
            })
            .collect(),
        least_genuine: genuine.into_iter().reduce(f32::min),
        greatest_impostor: impostor.into_iter().reduce(f32::max),
        liveness,
        cpu_ms: Stages { detect, liveness: live, embed },
    })
}

fn print(report: &Report) {
    let Report { set, photographs, people, usable, genuine_pairs, impostor_pairs, .. } = report;
    println!("Set: {set}, {photographs} photographs of {people} people, {usable} usable");
    for Refused { photograph, reason } in &report.refused {
        println!("  refused: {photograph}: {reason}");
    }
    println!(
        "\nRecognition (SFace, cosine): {genuine_pairs} pairs of the same person, {impostor_pairs} of different people"
    );
    println!("  threshold   same person missed   other person taken");
    for Row { threshold, false_non_matches, false_matches } in &report.rows {
        println!(
            "  {threshold:>9.3}   {:>18}   {:>18}",
            of(*false_non_matches, *genuine_pairs),
            of(*false_matches, *impostor_pairs)
        );
    }
    if let (Some(least), Some(greatest)) = (report.least_genuine, report.greatest_impostor) {
        println!("  least of the same person {least:.3}, greatest of different people {greatest:.3}");
    }
    let it = &report.liveness;
    println!("\nLiveness (one frame, threshold {:.2})", it.threshold);
    println!("  photographs called not live: {}", of(it.called_not_live, it.photographs));
    println!("  drawn paper prints called live: {}", of(it.prints_called_live, it.drawn_prints));
    println!("  screens, masks and real paper: unmeasured");
    let Stages { detect, liveness, embed } = report.cpu_ms;
    println!(
        "\nProcessor time of one thread, median: detect {detect:.1} ms, liveness {liveness:.1} ms, embed {embed:.1} ms"
    );
    if genuine_pairs.min(impostor_pairs) < &FEW {
        println!(
            "\nFewer than {FEW} pairs of a kind: these are counts on this set, not rates of the system."
        );
    }
}

fn of(errors: usize, trials: usize) -> String {
    if trials == 0 { "unmeasured".to_owned() } else { format!("{errors} of {trials}") }
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
