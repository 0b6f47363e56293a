//! What one camera frame with a face costs, stage by stage, beside another program that looks at the same frames:
//! `frame MODELS PHOTOGRAPHS FRAMES`.
//!
//! Each photograph is put before the camera: as high as a frame of 640 x 480 pixels, grey beside it. The frames are
//! laid into FRAMES as PNG for the other program. Then one line of JSON says which faces were found (`[x, y, width,
//! height]` in pixels) and which pairs of photographs show the same person; and for each line on standard input, one
//! line says the microseconds of this thread's processor time for one frame, by stage. The networks are set as the
//! vision process sets them for a camera.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gallery::Template;
use opencv::core::{BORDER_CONSTANT, MatTraitConst as _, Scalar, Size, Vector, copy_make_border};
use opencv::imgproc::{INTER_AREA, resize};
use serde_json::json;
use vision::config::Recognition;
use vision::look::{Networks, Picture, aligned};
use vision::photograph::decode;

const WIDTH: i32 = 640;
const HEIGHT: i32 = 480;

fn main() -> anyhow::Result<()> {
    let mut folders = std::env::args_os().skip(1).map(PathBuf::from);
    let mut folder = |what: &str| folders.next().ok_or_else(|| anyhow::anyhow!("the folder of {what}?"));
    let (models, photographs, out) = (folder("models")?, folder("photographs")?, folder("frames")?);
    opencv::core::set_num_threads(1)?;
    let recognition = Recognition::default();
    let mut networks = Networks::load(&models, recognition.detect_size)?;
    let frames = frames(&photographs, &out)?;

    let mut faces = BTreeMap::new();
    let mut templates: Vec<(&str, Template)> = Vec::new();
    for (name, frame) in &frames {
        let found = networks.detector.faces(frame)?;
        for face in &found {
            templates
                .extend(networks.embedder.template(frame, face)?.map(|template| (name.as_str(), template)));
        }
        let boxes = found.iter().map(|face| face.rect);
        faces.insert(name, boxes.map(|at| [at.x, at.y, at.width, at.height]).collect::<Vec<_>>());
    }
    let mut same = Vec::new();
    for (at, (one, template)) in templates.iter().enumerate() {
        let others = templates[at + 1..].iter();
        let known = others.filter(|(_, other)| template.cosine(other) >= recognition.known_from);
        same.extend(known.map(|(other, _)| [one, other]));
    }
    println!(
        "{}",
        json!({ "version": opencv::core::get_version_string()?, "detect_size": recognition.detect_size, "faces": faces, "same": same })
    );
    for line in std::io::stdin().lock().lines() {
        line?;
        println!("{}", round(&mut networks, &frames)?);
    }
    Ok(())
}

/// Looks at every frame once: mean microseconds of thread time a frame.
fn round(networks: &mut Networks, frames: &[(String, Picture)]) -> anyhow::Result<serde_json::Value> {
    let [mut detect, mut align, mut embed] = [Duration::ZERO; 3];
    for (_, frame) in frames {
        let start = thread_time();
        let faces = networks.detector.faces(frame)?;
        let mut last = thread_time();
        detect += last - start;
        for face in &faces {
            let face = aligned(frame, face)?;
            let cut = thread_time();
            std::hint::black_box(networks.embedder.embed(&face)?);
            let done = thread_time();
            (align, embed, last) = (align + (cut - last), embed + (done - cut), done);
        }
    }
    let mean = |time: Duration| time.as_secs_f64() * 1e6 / frames.len() as f64;
    let (detect, align, embed) = (mean(detect), mean(align), mean(embed));
    Ok(json!({ "detect": detect, "align": align, "embed": embed, "frame": detect + align + embed }))
}

/// The photographs before the camera, by name.
fn frames(photographs: &Path, out: &Path) -> anyhow::Result<Vec<(String, Picture)>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(photographs)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    // One face each. The PNG among what is fetched shows patches on a suit that others take for faces.
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "jpg"));
    paths.sort();
    anyhow::ensure!(
        !paths.is_empty(),
        "{}: no photographs: `cargo xtask fetch` brings them",
        photographs.display()
    );
    let mut frames = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let photograph = decode(&std::fs::read(&path)?)
            .map_err(|reason| anyhow::anyhow!("{}: {reason:?}", path.display()))?;
        let frame = before_camera(&photograph)?;
        lay(&out.join(format!("{name}.png")), &frame)?;
        frames.push((name, frame));
    }
    Ok(frames)
}

fn before_camera(photograph: &Picture) -> opencv::Result<Picture> {
    let width = (i64::from(photograph.cols()) * i64::from(HEIGHT) / i64::from(photograph.rows())) as i32;
    let (mut person, mut frame) = (Picture::default(), Picture::default());
    resize(photograph, &mut person, Size::new(width.clamp(1, WIDTH), HEIGHT), 0.0, 0.0, INTER_AREA)?;
    let left = (WIDTH - person.cols()) / 2;
    let right = WIDTH - person.cols() - left;
    copy_make_border(&person, &mut frame, 0, 0, left, right, BORDER_CONSTANT, Scalar::all(128.0))?;
    Ok(frame)
}

/// Whole or not at all: another copy of this program may be laying the same.
fn lay(path: &Path, frame: &Picture) -> anyhow::Result<()> {
    let mut bytes = Vector::new();
    anyhow::ensure!(opencv::imgcodecs::imencode_def(".png", frame, &mut bytes)?, "a frame is no PNG");
    let part = path.with_extension(format!("{}.part", std::process::id()));
    std::fs::write(&part, bytes.as_slice())?;
    Ok(std::fs::rename(part, path)?)
}

fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
