//! From a frame to a sighting: one thread a camera, one frame in flight.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gallery::Template;
use opencv::prelude::MatTraitConst as _;
use sighting::{Claims, Face as Seen, Identity, Lane, Limits, Policy, Say, Watch, assess};
use tracing::{debug, error};
use uplink::reader_link::{Face, Liveness, Sighting};

use crate::clock::{Moment, micros};
use crate::frames::{Frame, Newest};
use crate::link::Outgoing;
use crate::look::{Motion, Networks, measure};
use crate::replica::Replica;

/// Faces are sought this often even when nothing moves.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often the thread looks whether it should stop.
const WAIT: Duration = Duration::from_millis(200);

/// The sets of networks; a thread borrows one for one frame.
pub struct Pool {
    free: Mutex<Vec<Networks>>,
    returned: Condvar,
}

/// One camera's pipeline.
pub struct Pipeline {
    /// The camera's name.
    pub camera: String,
    /// Where its frames are.
    pub frames: Arc<Newest>,
    /// The networks.
    pub pool: Arc<Pool>,
    /// The gallery.
    pub replica: Arc<Replica>,
    /// Where its sightings go.
    pub outgoing: Arc<Outgoing>,
    /// Whose each person is, shared by the cameras of the process.
    pub claims: Arc<Mutex<Claims>>,
    /// The part of the picture that is this camera's.
    pub lane: Lane,
    /// What a look must reach.
    pub limits: Limits,
    /// When to look and when to speak.
    pub policy: Policy,
    /// Cosine from which somebody is known.
    pub known_from: f32,
}

/// Microseconds of each stage of the last frame examined.
type Stages = BTreeMap<String, u64>;

impl Pool {
    /// A pool of these.
    pub fn new(networks: Vec<Networks>) -> Self {
        Self { free: Mutex::new(networks), returned: Condvar::new() }
    }

    /// Borrows a set, waiting for one if all are in use.
    pub fn with<T>(&self, work: impl FnOnce(&mut Networks) -> T) -> T {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free =
            self.returned.wait_while(free, |free| free.is_empty()).unwrap_or_else(PoisonError::into_inner);
        let mut networks = free.pop().expect("waited until there is one");
        drop(free);
        let done = work(&mut networks);
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(networks);
        self.returned.notify_one();
        done
    }
}

impl Pipeline {
    /// Works until the frames are closed.
    pub fn run(self) {
        let mut watch = Watch::new(self.policy);
        let mut motion = Motion::default();
        let mut looked = None;
        let mut faults = 0_u32;
        while !self.frames.is_closed() {
            let Some(frame) = self.frames.take(WAIT) else { continue };
            for track in self.outgoing.granted(&self.camera) {
                watch.granted(track);
                self.claims().granted(&self.camera, track);
            }
            for track in self.outgoing.unsent(&self.camera) {
                watch.unsaid(track);
            }
            match self.frame(&frame, &mut watch, &mut motion, &mut looked) {
                Ok(()) => faults = 0,
                Err(fault) => {
                    // One bad picture is the camera's; logged once per run of them.
                    if faults == 0 {
                        error!(camera.name = %self.camera, "a frame could not be looked at: {fault}");
                    }
                    faults = faults.saturating_add(1);
                }
            }
        }
    }

    fn frame(
        &self,
        frame: &Frame,
        watch: &mut Watch,
        motion: &mut Motion,
        looked: &mut Option<Instant>,
    ) -> opencv::Result<()> {
        let mut stages = Stages::new();
        let mut mark = frame.captured.instant;
        let mut stage = |stages: &mut Stages, name: &str| {
            let now = Instant::now();
            stages.insert(name.to_owned(), micros(now.saturating_duration_since(mark)));
            mark = now;
        };
        let pace =
            if watch.settled() { Duration::from_millis(self.policy.settled_ms) } else { Duration::ZERO };
        if looked.is_some_and(|at| at.elapsed() < pace) {
            return Ok(());
        }
        let (changed, seen) = motion.changed(&frame.picture)?;
        let quiet = looked.is_some_and(|at: Instant| at.elapsed() < HEARTBEAT);
        if !changed && quiet && !watch.busy() {
            return Ok(());
        }
        motion.looked(seen);
        *looked = Some(Instant::now());
        stage(&mut stages, "capture");
        self.pool.with(|networks| {
            let size = sighting::Frame {
                width: frame.picture.cols().unsigned_abs(),
                height: frame.picture.rows().unsigned_abs(),
            };
            let mut faces = networks.detector.faces(&frame.picture)?;
            faces.retain(|face| self.lane.holds(face, size));
            let looks = faces
                .iter()
                .map(|face| Ok(assess(face, &measure(&frame.picture, face)?, size, &self.limits)))
                .collect::<opencv::Result<Vec<_>>>()?;
            stage(&mut stages, "detect");
            let now = frame.captured.monotonic();
            let was_busy = watch.busy();
            let examine = watch.frame(now, &faces, &looks);
            if was_busy && !watch.busy() {
                debug!(camera.name = %self.camera, "nobody is before the camera any more");
            }
            let Some(examine) = examine else { return Ok(()) };
            let face = &faces[examine.face];
            let live = networks.liveness.probability(&frame.picture, face)?;
            stage(&mut stages, "liveness");
            let Some(template) = networks.embedder.template(&frame.picture, face)? else { return Ok(()) };
            stage(&mut stages, "embed");
            let identity = self.identify(&template);
            stage(&mut stages, "search");
            // Each comparison keeps the person this camera's; whoever is another's is not spoken for.
            if let Identity::Known { person, .. } = identity {
                self.claim(now, examine.track, person, face);
            }
            if let Some(say) = watch.examined(now, examine.track, live, identity)
                && self.may_speak(now, &say, face)
            {
                self.outgoing.sighting(self.sighting(say, frame.captured, stages), frame.captured.instant);
            }
            Ok(())
        })
    }

    fn claims(&self) -> MutexGuard<'_, Claims> {
        // A claim is taken or not: nothing is ever half done.
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim(&self, now: u64, track: u64, person: u64, face: &Seen) -> bool {
        self.claims().claim(now, &self.camera, track, person, face.rect.width, &self.policy)
    }

    fn may_speak(&self, now: u64, say: &Say, face: &Seen) -> bool {
        match say.identity {
            Identity::Known { person, .. } => self.claim(now, say.track, person, face),
            Identity::Unknown { .. } => true,
        }
    }

    fn identify(&self, template: &Template) -> Identity {
        let found = self.replica.search(template);
        match (found.best, found.margin()) {
            (Some(best), Some(margin)) if best.cosine >= self.known_from => {
                Identity::Known { person: best.person.0, score: best.cosine, margin }
            }
            (best, _) => Identity::Unknown { best: best.map(|best| best.cosine) },
        }
    }

    fn sighting(&self, say: Say, captured: Moment, stages_us: Stages) -> Sighting {
        Sighting {
            camera: self.camera.clone(),
            track: say.track,
            look: say.look,
            captured_at: captured.utc,
            face: match say.identity {
                Identity::Known { person, score, margin } => Face::Known { person, score, margin },
                Identity::Unknown { best } => Face::Unknown { best },
            },
            liveness: Liveness {
                live: say.liveness.live,
                score: say.liveness.score,
                frames: say.liveness.frames,
            },
            stages_us,
            gallery_version: self.replica.version().unwrap_or(0),
        }
    }
}
