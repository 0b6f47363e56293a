//! `frame`: a camera frame with a face, from pixels to template, against `face_recognition`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use building::camera::{fetched, photographs};
use serde::Deserialize;

use super::conditions::Watch;
use super::turns::{Side, alternate};
use super::{Comparison, built, peers, verdict};

const PAIRS: usize = 4;
const CASES: [(&str, &str, f64); 2] = [("default", "default", 12.0), ("plain", "without upsampling", 6.0)];
/// Boxes whose common part is at least this much of both together are of the same face: the two draw them differently.
const SAME_FACE: f64 = 0.4;

#[derive(Deserialize)]
struct Seen {
    /// `[x, y, width, height]` by photograph.
    faces: BTreeMap<String, Vec<[f64; 4]>>,
    /// Pairs of photographs of the same person.
    same: BTreeSet<(String, String)>,
}

#[derive(Deserialize)]
struct Ours {
    version: String,
    detect_size: u32,
    #[serde(flatten)]
    seen: Seen,
}

#[derive(Deserialize)]
struct Peer {
    version: String,
    dlib: String,
    blas: bool,
    avx: bool,
    seen: BTreeMap<String, Seen>,
}

pub(super) fn compare(watch: &mut Watch) -> Result<Vec<Comparison>> {
    let program = built("vision", &[("--example", "frame")])?.remove(0);
    let (python, script) = (peers::python("frame")?, peers::script("frame.py"));
    let (folder, logs) = (peers::scratch("frame")?, peers::scratch("frame-logs")?);
    let (models, photographs) = (fetched().join("models"), photographs());
    let mut comparisons = Vec::new();
    for copies in [1, 2] {
        let look = [&*program, &models, &photographs, &folder];
        let (mut ours, said): (_, Ours) = Side::start("vision", copies, &look, &logs)?;
        let command = [&*python, &script, &folder];
        let (mut peer, peer_said): (_, Peer) = Side::start("face_recognition", copies, &command, &logs)?;
        let frames = said.seen.faces.len();
        for (name, seen) in &peer_said.seen {
            agree(&said.seen, seen).map_err(|error| error.context(format!("against {name}: no ratio")))?;
        }
        eprintln!(
            "  frame: ours on OpenCV {}, faces sought at {} pixels; face_recognition {} on dlib {} (BLAS {}, AVX {}); \
             the same faces in {frames} frames of 640 x 480, {copies} at once",
            said.version, said.detect_size, peer_said.version, peer_said.dlib, peer_said.blas, peer_said.avx
        );
        watch.begin()?;
        for (case, words, goal) in CASES {
            let paired = alternate(PAIRS, || ours.round("look"), || peer.round(case))?;
            let ratio = watch.ratios(&paired.ratios("frame"));
            let (our_stages, peer_stages) = paired.stages()?;
            eprintln!("  frame: us of a frame: ours {our_stages}; {words}: {peer_stages}");
            comparisons.push(Comparison {
                bench: "frame",
                case: format!("one face, 640 x 480, {copies} thread{}", if copies > 1 { "s" } else { "" }),
                ours: paired.ours("frame"),
                peer: paired.peer("frame"),
                peer_name: format!(
                    "face_recognition {} (dlib {}) {words}",
                    peer_said.version, peer_said.dlib
                ),
                unit: "us CPU/frame",
                ratio,
                goal,
                stretch: false,
                verdict: verdict(ratio, goal),
            });
        }
        watch.end()?;
    }
    Ok(comparisons)
}

/// Whether two programs saw the same: in every frame the same faces, and the same pairs of the same person.
fn agree(ours: &Seen, peer: &Seen) -> Result<()> {
    ensure!(ours.faces.keys().eq(peer.faces.keys()), "the two did not look at the same frames");
    for (name, faces) in &ours.faces {
        let others = &peer.faces[name];
        ensure!(
            !faces.is_empty() && faces.len() == others.len(),
            "{name}: {} and {} faces",
            faces.len(),
            others.len()
        );
        let found = |face: &[f64; 4]| others.iter().any(|other| overlap(face, other) >= SAME_FACE);
        ensure!(faces.iter().all(found), "{name}: not the same faces: {faces:?} and {others:?}");
    }
    ensure!(ours.same == peer.same, "not the same people: {:?} and {:?}", ours.same, peer.same);
    Ok(())
}

/// The common part of two rectangles by both together.
fn overlap(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let along = |at: usize| ((a[at] + a[at + 2]).min(b[at] + b[at + 2]) - a[at].max(b[at])).max(0.0);
    let common = along(0) * along(1);
    common / (a[2] * a[3] + b[2] * b[3] - common)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(faces: &[(&str, [f64; 4])], same: &[(&str, &str)]) -> Seen {
        Seen {
            faces: faces.iter().map(|(name, face)| ((*name).to_owned(), vec![*face])).collect(),
            same: same.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        }
    }

    #[test]
    fn boxes_that_overlap_are_one_face_and_others_give_no_ratio() {
        let ours = seen(&[("a", [10.0, 10.0, 100.0, 130.0]), ("b", [0.0, 0.0, 50.0, 50.0])], &[("a", "b")]);
        let near = seen(&[("a", [5.0, 30.0, 105.0, 105.0]), ("b", [4.0, 4.0, 50.0, 50.0])], &[("a", "b")]);
        agree(&ours, &near).expect("the same faces");
        let elsewhere =
            seen(&[("a", [5.0, 30.0, 105.0, 105.0]), ("b", [40.0, 4.0, 50.0, 50.0])], &[("a", "b")]);
        assert!(agree(&ours, &elsewhere).is_err());
        let stranger = seen(&[("a", [5.0, 30.0, 105.0, 105.0]), ("b", [4.0, 4.0, 50.0, 50.0])], &[]);
        assert!(agree(&ours, &stranger).is_err());
        assert!(agree(&ours, &seen(&[("a", [10.0, 10.0, 100.0, 130.0])], &[("a", "b")])).is_err());
    }
}
