//! One camera's watch: whom to look at in this frame, what is known of each, when to speak.

use std::collections::BTreeMap;

use crate::face::Face;
use crate::policy::Policy;
use crate::quality::{Quality, Refusal};
use crate::track::Tracker;

/// Scores of the liveness check that are kept; older ones are forgotten.
const LIVENESS_WINDOW: usize = 8;

/// The watch of one camera.
///
/// Each frame: [`Watch::frame`] with the faces found; it names at most one to examine. Examine it and tell
/// [`Watch::examined`]; it says what is to be reported, if anything.
///
/// A name and a life are reported together only if the same looks gave both: whoever shows their own living face and then
/// somebody's picture, in one place, is not that person alive.
#[derive(Debug)]
pub struct Watch {
    policy: Policy,
    tracker: Tracker,
    people: BTreeMap<u64, Person>,
}

/// Look closer at this face: check whether it lives and compare it with the gallery.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Examine {
    /// Its track.
    pub track: u64,
    /// Which of the frame's faces it is.
    pub face: usize,
}

/// What a comparison with the gallery gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Identity {
    /// Somebody is near enough.
    Known {
        /// The caller's number of the person.
        person: u64,
        /// Cosine similarity.
        score: f32,
        /// Score minus the second-best person's.
        margin: f32,
    },
    /// Nobody is.
    Unknown {
        /// Cosine similarity of the nearest, if there is anybody.
        best: Option<f32>,
    },
}

/// The liveness check over several frames, all of the face that is reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The judgement.
    pub live: bool,
    /// Mean probability of a living face, 0 to 1.
    pub score: f32,
    /// Over how many frames.
    pub frames: u32,
}

/// Report this.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Say {
    /// The track.
    pub track: u64,
    /// 1 for the first report of the track, counting up.
    pub look: u32,
    /// Who.
    pub identity: Identity,
    /// Living or not.
    pub liveness: Judged,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// Nothing reported yet.
    Gathering,
    /// Reported; a better look may be reported once more.
    Said { at: u64, last: Say, better_left: bool },
    /// The door was released for this track: nothing more to report.
    Granted { last: Say },
}

#[derive(Debug, Clone)]
struct Person {
    phase: Phase,
    /// When the first usable look was.
    first_look: u64,
    /// When it was last compared with the gallery.
    compared: Option<u64>,
    /// Quality of the look being examined, until the answer is there.
    looking: Quality,
    compared_quality: f32,
    looks: u32,
    votes: Vec<Vote>,
    /// Of all looks: what counts when nobody is known.
    liveness: Liveness,
    nearest: Option<f32>,
    /// Such looks since the last that knew somebody.
    doubts: u32,
    /// Comparisons in a row that contradict what was reported.
    strange: u32,
}

/// What the looks so far say for one person.
#[derive(Debug, Clone)]
struct Vote {
    person: u64,
    weight: f32,
    score: f32,
    margin: f32,
    liveness: Liveness,
}

/// Scores of the liveness check, of the last looks that said the same of who it is.
#[derive(Debug, Clone, Default)]
struct Liveness(Vec<f32>);

impl Watch {
    /// A watch that has seen nobody yet.
    pub fn new(policy: Policy) -> Self {
        Self { policy, tracker: Tracker::default(), people: BTreeMap::new() }
    }

    /// Whether anybody is followed now: then every frame matters.
    pub fn busy(&self) -> bool {
        !self.tracker.tracks().is_empty()
    }

    /// Whether the door was released for everybody in view: then not every frame matters.
    pub fn settled(&self) -> bool {
        let granted = |id: &u64| {
            self.people.get(id).is_some_and(|person| matches!(person.phase, Phase::Granted { .. }))
        };
        self.busy() && self.tracker.tracks().iter().all(|track| granted(&track.id))
    }

    /// Takes the faces of one frame and how good each look is; names the one to examine.
    ///
    /// Faces behind another are left out ([`Policy::behind`]). Who was not reported yet comes first, then the larger face.
    ///
    /// # Panics
    /// If there are not as many looks as faces.
    pub fn frame(&mut self, now: u64, faces: &[Face], looks: &[Result<Quality, Refusal>]) -> Option<Examine> {
        assert_eq!(faces.len(), looks.len(), "one look a face");
        let tracks = self.tracker.frame(now, faces, &self.policy);
        let followed = self.tracker.tracks();
        self.people.retain(|id, _| followed.iter().any(|track| track.id == *id));
        let policy = self.policy;
        let front = policy.behind * widest(faces, looks);
        let (_, examine, quality) = tracks
            .into_iter()
            .enumerate()
            .filter(|(index, _)| faces[*index].rect.width >= front)
            .filter_map(|(index, track)| Some((index, track?, looks[index].ok()?)))
            .filter_map(|(face, track, quality)| {
                let person = self.people.get(&track);
                let wanted = person.is_none_or(|person| person.wants(now, &quality, &policy));
                let rank = person.map_or(0, |person| person.rank());
                wanted.then_some((rank, Examine { track, face }, quality))
            })
            .min_by(|(a, one, _), (b, other, _)| {
                let area = |it: &Examine| faces[it.face].rect.area();
                a.cmp(b).then(area(other).total_cmp(&area(one)))
            })?;
        let person = self.people.entry(examine.track).or_insert_with(|| Person::new(now, quality));
        person.looking = quality;
        Some(examine)
    }

    /// Takes what a closer look gave: the probability of a living face, and who it is.
    pub fn examined(&mut self, now: u64, track: u64, liveness: f32, identity: Identity) -> Option<Say> {
        let policy = self.policy;
        let mut track = track;
        let mut person = self.people.remove(&track)?;
        if person.contradicted(&identity) {
            track = self.tracker.renew(track)?;
            person = Person::new(now, person.looking);
        }
        person.learn(now, liveness, identity, &policy);
        let say = person.speak(now, track, &policy);
        self.people.insert(track, person);
        say
    }

    /// What was last said of this track did not reach anybody: it is said again with the next look.
    pub fn unsaid(&mut self, track: u64) {
        if let Some(person) = self.people.get_mut(&track)
            && let Phase::Said { at, .. } = &mut person.phase
        {
            *at = 0;
            person.compared = None;
        }
    }

    /// The door was released for this track: nothing more is said of it unless somebody else takes its place.
    pub fn granted(&mut self, track: u64) {
        if let Some(person) = self.people.get_mut(&track)
            && let Phase::Said { last, .. } = person.phase
        {
            person.phase = Phase::Granted { last };
        }
    }
}

impl Person {
    fn new(now: u64, quality: Quality) -> Self {
        Self {
            phase: Phase::Gathering,
            first_look: now,
            compared: None,
            looking: quality,
            compared_quality: 0.0,
            looks: 0,
            votes: Vec::new(),
            liveness: Liveness::default(),
            nearest: None,
            doubts: 0,
            strange: 0,
        }
    }

    fn rank(&self) -> u8 {
        match self.phase {
            Phase::Gathering => 0,
            Phase::Said { .. } => 1,
            Phase::Granted { .. } => 2,
        }
    }

    /// Whether a closer look is worth its time.
    fn wants(&self, now: u64, quality: &Quality, policy: &Policy) -> bool {
        let due = |ms: u64| self.compared.is_none_or(|at| now.saturating_sub(at) >= ms * 1_000);
        match self.phase {
            Phase::Gathering => true,
            Phase::Said { last, better_left, .. } => {
                let better = quality.score >= self.compared_quality * policy.better;
                let open = better || self.leader().is_some_and(|vote| !last.identity.is(vote.person));
                let pace = if last.liveness.live { policy.recheck_ms } else { policy.recover_ms };
                better_left && open || due(pace)
            }
            Phase::Granted { .. } => due(policy.recheck_ms),
        }
    }

    /// Whether somebody else stands where this person stood: two comparisons in a row that disagree with the report.
    fn contradicted(&mut self, identity: &Identity) -> bool {
        let reported = match self.phase {
            Phase::Gathering => return false,
            Phase::Said { last, .. } | Phase::Granted { last } => last.identity,
        };
        let Identity::Known { person: reported, .. } = reported else { return false };
        self.strange = if identity.is(reported) { 0 } else { self.strange + 1 };
        self.strange >= 2
    }

    fn learn(&mut self, now: u64, liveness: f32, identity: Identity, policy: &Policy) {
        self.compared = Some(now);
        self.compared_quality = self.compared_quality.max(self.looking.score);
        self.looks += 1;
        self.liveness.look(liveness);
        match identity {
            Identity::Known { person, score, margin } => {
                self.doubts = 0;
                let weight = score * self.looking.score.max(0.01);
                let at = self.votes.iter().position(|vote| vote.person == person);
                // Four people in one track is already a muddle; more votes would change nothing.
                let Some(at) = at.or((self.votes.len() < 4).then_some(self.votes.len())) else { return };
                if at == self.votes.len() {
                    self.votes.push(Vote {
                        person,
                        weight: 0.0,
                        score,
                        margin,
                        liveness: Liveness::default(),
                    });
                }
                let vote = &mut self.votes[at];
                vote.weight += weight;
                vote.liveness.look(liveness);
                if score > vote.score {
                    (vote.score, vote.margin) = (score, margin);
                }
            }
            Identity::Unknown { best } => {
                self.nearest = higher(self.nearest, best);
                self.doubts += 1;
                // Whoever was near enough once and is not again and again: a lucky look, or somebody who has left.
                if self.doubts >= policy.unknown_looks {
                    self.votes.clear();
                }
            }
        }
    }

    /// The person most looks speak for, if no other comes near.
    fn leader(&self) -> Option<&Vote> {
        let mut votes: Vec<&Vote> = self.votes.iter().collect();
        votes.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.person.cmp(&b.person)));
        match votes.as_slice() {
            [] => None,
            [only] => Some(only),
            [first, second, ..] => (first.weight >= 2.0 * second.weight).then_some(first),
        }
    }

    /// Who it is, and whether the looks that said so are of a living face.
    fn identity(&self) -> (Identity, &Liveness) {
        if let Some(Vote { person, score, margin, liveness, .. }) = self.leader() {
            return (Identity::Known { person: *person, score: *score, margin: *margin }, liveness);
        }
        let voted = self.votes.iter().map(|vote| vote.score).reduce(f32::max);
        (Identity::Unknown { best: higher(voted, self.nearest) }, &self.liveness)
    }

    fn judged(&self, liveness: &Liveness, policy: &Policy) -> Option<Judged> {
        let (score, frames) = liveness.mean();
        let live = score >= policy.live_from;
        let called_spoof = match self.phase {
            Phase::Said { last, .. } => !last.liveness.live,
            Phase::Gathering | Phase::Granted { .. } => false,
        };
        // Who was once called a picture must be alive for a whole window, not for two lucky frames.
        let needed = match (live, called_spoof) {
            (true, true) => LIVENESS_WINDOW as u32,
            (true, false) => policy.live_frames,
            (false, _) => policy.spoof_frames,
        };
        (frames >= needed.clamp(1, LIVENESS_WINDOW as u32)).then_some(Judged { live, score, frames })
    }

    fn speak(&mut self, now: u64, track: u64, policy: &Policy) -> Option<Say> {
        let (identity, liveness) = self.identity();
        let liveness = self.judged(liveness, policy)?;
        let known = matches!(identity, Identity::Known { .. });
        let waited = self.looks >= policy.unknown_looks
            || now.saturating_sub(self.first_look) >= policy.unknown_after_ms * 1_000;
        let ready = self.looks > 0 && (known || waited);
        let (look, better_left) = match self.phase {
            Phase::Gathering if ready => (1, true),
            Phase::Said { at, last, .. } if now.saturating_sub(at) >= policy.again_ms * 1_000 => {
                (last.look + 1, true)
            }
            Phase::Said { last, better_left: true, .. } if improves(&last, &identity, &liveness) => {
                (last.look + 1, false)
            }
            Phase::Gathering | Phase::Said { .. } | Phase::Granted { .. } => return None,
        };
        let say = Say { track, look, identity, liveness };
        self.phase = Phase::Said { at: now, last: say, better_left };
        if !liveness.live {
            // A recovery is judged by fresh frames only.
            self.liveness = Liveness::default();
            for vote in &mut self.votes {
                vote.liveness = Liveness::default();
            }
        }
        Some(say)
    }
}

impl Identity {
    fn is(&self, who: u64) -> bool {
        matches!(self, Self::Known { person, .. } if *person == who)
    }
}

impl Liveness {
    fn look(&mut self, probability: f32) {
        if self.0.len() == LIVENESS_WINDOW {
            self.0.remove(0);
        }
        // What is not a number is not alive.
        self.0.push(if probability.is_nan() { 0.0 } else { probability.clamp(0.0, 1.0) });
    }

    /// The mean, and of how many.
    fn mean(&self) -> (f32, u32) {
        let frames = u32::try_from(self.0.len()).expect("a short window");
        (self.0.iter().sum::<f32>() / frames.max(1) as f32, frames)
    }
}

/// Whether a later look says something that matters: a name where there was none, life where there was none, or the
/// same name clearly surer.
fn improves(last: &Say, identity: &Identity, liveness: &Judged) -> bool {
    let life = liveness.live && !last.liveness.live;
    match (&last.identity, identity) {
        (Identity::Unknown { .. }, Identity::Known { .. }) => true,
        (Identity::Known { score: before, .. }, Identity::Known { score: after, .. }) => {
            life || *after >= before + 0.05
        }
        (_, Identity::Unknown { .. }) => life,
    }
}

/// Width of the nearest face, in pixels, however badly it is seen: who turns away before the door does not open it to the
/// person behind. What may be no face at all does not count.
fn widest(faces: &[Face], looks: &[Result<Quality, Refusal>]) -> f32 {
    let sure = faces.iter().zip(looks).filter(|(_, look)| !matches!(look, Err(Refusal::Unsure { .. })));
    sure.map(|(face, _)| face.rect.width).fold(0.0, f32::max)
}

fn higher(a: Option<f32>, b: Option<f32>) -> Option<f32> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}
