use proptest::prelude::*;
use sighting::{Examine, Identity, Limits, Policy, Quality, Refusal, Say, Watch, assess};

use crate::{FRAME, MILLISECOND, clear, face};

const GAP: u64 = 40 * MILLISECOND;

/// One camera with one face before it.
struct Scene {
    watch: Watch,
    now: u64,
    width: f32,
}

impl Scene {
    fn new(policy: Policy) -> Self {
        Self { watch: Watch::new(policy), now: 0, width: 80.0 }
    }

    fn look(&self) -> Quality {
        assess(&face(200.0, 100.0, self.width), &clear(), FRAME, &Limits::default()).expect("good enough")
    }

    /// One frame; what was examined and what was said of it.
    fn frame(&mut self, live: f32, identity: Identity) -> (Option<Examine>, Option<Say>) {
        self.now += GAP;
        let look = self.look();
        let Some(examine) = self.watch.frame(self.now, &[face(200.0, 100.0, self.width)], &[Ok(look)]) else {
            return (None, None);
        };
        (Some(examine), self.watch.examined(self.now, examine.track, live, identity))
    }

    fn empty(&mut self) {
        self.now += GAP;
        assert_eq!(self.watch.frame(self.now, &[], &[]), None);
    }

    /// What is said over so many frames.
    fn frames(&mut self, count: usize, live: f32, identity: Identity) -> Vec<Say> {
        (0..count).filter_map(|_| self.frame(live, identity).1).collect()
    }
}

fn known(person: u64) -> Identity {
    Identity::Known { person, score: 0.7, margin: 0.4 }
}

const STRANGER: Identity = Identity::Unknown { best: Some(0.1) };

#[test]
fn a_known_living_person_is_reported_with_the_second_usable_frame() {
    let mut scene = Scene::new(Policy::default());
    assert_eq!(scene.frame(0.95, known(7)).1, None, "one look is none");
    let said = scene.frame(0.95, known(7)).1.expect("said");
    assert_eq!((said.look, said.identity), (1, known(7)));
    assert!(said.liveness.live && said.liveness.frames == 2);
}

#[test]
fn at_a_second_a_frame_somebody_is_known_all_the_same() {
    let mut scene = Scene::new(Policy::default());
    scene.frame(0.95, known(7));
    scene.now += 1_000 * MILLISECOND;
    let said = scene.frame(0.95, known(7)).1.expect("two frames are two frames");
    assert!(said.identity == known(7) && said.liveness.live);
}

#[test]
fn one_frame_is_enough_when_the_site_says_so() {
    let mut scene = Scene::new(Policy { live_frames: 1, ..Policy::default() });
    assert!(scene.frame(0.95, known(7)).1.is_some());
}

#[test]
fn a_look_that_will_not_do_is_not_examined() {
    let mut watch = Watch::new(Policy::default());
    let bad = Err(Refusal::Blurred { measured: 1.0, least: 12.0 });
    assert_eq!(watch.frame(0, &[face(200.0, 100.0, 80.0)], &[bad]), None);
    assert!(watch.busy(), "but followed");
}

#[test]
fn a_print_of_a_known_person_is_reported_by_name_as_not_live() {
    let mut scene = Scene::new(Policy::default());
    let said = scene.frames(3, 0.05, known(7));
    assert_eq!(said.len(), 1);
    assert!(!said[0].liveness.live && said[0].liveness.frames == 3 && said[0].identity == known(7));
    // Two lucky frames do not make it alive; a whole window of them does, and then it is said once.
    assert!(scene.frames(8, 0.99, known(7)).is_empty());
    let said = scene.frames(8, 0.99, known(7));
    assert!(said.len() == 1 && said[0].liveness.live && said[0].look == 2, "{said:?}");
}

#[test]
fn a_living_face_does_not_lend_its_life_to_a_picture() {
    for lent in 1..20 {
        let mut scene = Scene::new(Policy::default());
        let mut said = scene.frames(lent, 0.99, STRANGER);
        said.extend(scene.frames(15, 0.02, known(7)));
        said.extend(scene.frames(1, 0.99, STRANGER));
        said.extend(scene.frames(15, 0.02, known(7)));
        let alive = |say: &&Say| matches!(say.identity, Identity::Known { .. }) && say.liveness.live;
        assert_eq!(said.iter().find(alive), None, "after {lent} frames of somebody else");
        assert!(said.iter().any(|say| say.identity == known(7)), "a picture of them, said so");
    }
}

#[test]
fn a_face_that_is_somebody_now_and_then_is_nobody() {
    let mut scene = Scene::new(Policy::default());
    let mut said = Vec::new();
    let mut compared = 0;
    for _ in 0..400 {
        let identity = if compared % 4 == 0 { known(7) } else { STRANGER };
        let (examine, say) = scene.frame(0.95, identity);
        compared += usize::from(examine.is_some());
        said.extend(say);
    }
    assert!(compared > 20 && said.len() > 3, "{compared}, {said:?}");
    assert!(said.iter().all(|say| say.identity == STRANGER), "{said:?}");
}

#[test]
fn a_stranger_is_reported_after_several_looks_and_not_every_frame() {
    let policy = Policy::default();
    let mut scene = Scene::new(policy);
    let said = scene.frames(10, 0.95, STRANGER);
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].identity, said[0].look), (STRANGER, 1));
    let again =
        scene.frames(usize::try_from(policy.again_ms * MILLISECOND / GAP).expect("small"), 0.95, STRANGER);
    assert_eq!(again.len(), 1, "once more after the time for that");
    assert_eq!(again[0].look, 2);
}

#[test]
fn a_stranger_who_comes_near_enough_to_be_known_is_reported_once_more() {
    let mut scene = Scene::new(Policy::default());
    scene.width = 50.0;
    assert_eq!(scene.frames(6, 0.95, STRANGER).len(), 1);
    scene.width = 75.0;
    let said = scene.frames(6, 0.95, known(7));
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!((said[0].identity, said[0].look), (known(7), 2));
}

#[test]
fn a_granted_track_stays_silent_but_somebody_who_takes_its_place_does_not() {
    let mut scene = Scene::new(Policy::default());
    let first = scene.frames(2, 0.95, known(7))[0];
    scene.watch.granted(first.track);
    assert!(scene.frames(200, 0.95, known(7)).is_empty());
    let said = scene.frames(80, 0.95, known(8));
    assert_eq!(said[0].identity, known(8));
    assert_ne!(said[0].track, first.track, "another person, another track");
}

#[test]
fn not_every_frame_matters_once_the_door_was_released_for_everybody() {
    let mut scene = Scene::new(Policy::default());
    assert!(!scene.watch.settled(), "nobody is there");
    let first = scene.frames(2, 0.95, known(7))[0];
    assert!(!scene.watch.settled(), "said, not yet granted");
    scene.watch.granted(first.track);
    scene.frame(0.95, known(7));
    assert!(scene.watch.settled());
    let somebody = face(20.0, 100.0, 80.0);
    scene.watch.frame(scene.now + GAP, &[face(200.0, 100.0, 80.0), somebody], &[Ok(scene.look()); 2]);
    assert!(!scene.watch.settled(), "somebody else came");
}

#[test]
fn what_reached_nobody_is_said_again_at_once() {
    let mut scene = Scene::new(Policy::default());
    scene.now = 10_000 * MILLISECOND;
    let first = scene.frames(2, 0.95, known(7))[0];
    assert!(scene.frame(0.95, known(7)).1.is_none());
    scene.watch.unsaid(first.track);
    let again = scene.frame(0.95, known(7)).1.expect("said again");
    assert_eq!((again.track, again.look, again.identity), (first.track, 2, known(7)));
    assert!(scene.frame(0.95, known(7)).1.is_none(), "once");
}

#[test]
fn one_bad_comparison_does_not_turn_a_person_into_another() {
    let mut scene = Scene::new(Policy::default());
    let first = scene.frames(2, 0.95, known(7))[0];
    scene.watch.granted(first.track);
    let mut compared = 0;
    for _ in 0..200 {
        // Every second comparison goes wrong.
        let identity = if compared % 2 == 1 { known(8) } else { known(7) };
        let (examine, said) = scene.frame(0.95, identity);
        compared += usize::from(examine.is_some());
        assert_eq!(said, None);
    }
    assert!(compared > 4);
}

#[test]
fn looks_that_disagree_name_nobody() {
    let mut scene = Scene::new(Policy { live_frames: 4, ..Policy::default() });
    scene.frame(0.95, known(7));
    scene.width = 100.0;
    scene.frame(0.95, known(8));
    let said: Vec<Say> = (0..2).filter_map(|at| scene.frame(0.95, known(7 + at % 2)).1).collect();
    assert!(said.iter().all(|say| matches!(say.identity, Identity::Unknown { .. })), "{said:?}");
}

#[test]
fn who_leaves_and_comes_back_is_reported_anew() {
    let mut scene = Scene::new(Policy::default());
    let first = scene.frames(2, 0.95, known(7))[0];
    for _ in 0..20 {
        scene.empty();
    }
    let second = scene.frames(2, 0.95, known(7))[0];
    assert!(second.track != first.track && second.look == 1);
}

#[derive(Debug, Clone)]
struct Moment {
    faces: Vec<(f32, f32, f32, bool)>,
    live: f32,
    person: Option<u64>,
    gap: u64,
    granted: bool,
}

fn moment() -> impl Strategy<Value = Moment> {
    let faces =
        prop::collection::vec((0.0_f32..500.0, 0.0_f32..300.0, 40.0_f32..120.0, prop::bool::ANY), 0..4);
    // The same few places again and again, so that tracks live.
    let still = (0_usize..3).prop_map(|count| {
        (0..count).map(|at| (50.0 + 200.0 * at as f32, 100.0, 80.0, true)).collect::<Vec<_>>()
    });
    let live = prop_oneof![0.0_f32..=1.0, Just(0.99), Just(0.01), Just(f32::NAN)];
    (
        prop_oneof![1 => faces, 4 => still],
        live,
        prop::option::of(0_u64..3),
        20_u64..200,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(faces, live, person, gap, granted)| Moment { faces, live, person, gap, granted })
}

proptest! {
    #[test]
    fn whatever_happens_reports_keep_their_promises(moments in prop::collection::vec(moment(), 1..150)) {
        let policy = Policy { most_tracks: 3, ..Policy::default() };
        let mut watch = Watch::new(policy);
        let mut now = 0;
        let mut looks: std::collections::HashMap<u64, (u32, Vec<u64>, bool)> = Default::default();
        let mut ever_alive = false;
        for moment in moments {
            now += moment.gap * MILLISECOND;
            let faces: Vec<_> = moment.faces.iter().map(|&(x, y, width, _)| face(x, y, width)).collect();
            let seen: Vec<_> = faces
                .iter()
                .zip(&moment.faces)
                .map(|(face, (.., good))| match good {
                    true => assess(face, &clear(), FRAME, &Limits::default()),
                    false => Err(Refusal::NoFace),
                })
                .collect();
            let Some(examine) = watch.frame(now, &faces, &seen) else { continue };
            prop_assert!(seen[examine.face].is_ok(), "only a good look is examined");
            ever_alive |= moment.live >= policy.live_from;
            let identity = match moment.person {
                Some(person) => Identity::Known { person, score: 0.6, margin: 0.2 },
                None => Identity::Unknown { best: None },
            };
            let Some(say) = watch.examined(now, examine.track, moment.live, identity) else { continue };
            let (last, times, granted) = looks.entry(say.track).or_default();
            prop_assert!(!*granted, "a granted track is silent");
            prop_assert_eq!(say.look, *last + 1, "looks count up from 1");
            *last = say.look;
            times.push(now);
            let recent = times.iter().filter(|at| now - **at < policy.again_ms * MILLISECOND).count();
            prop_assert!(recent <= 2, "one report and one better look");
            prop_assert!(say.liveness.score.is_finite() && (0.0..=1.0).contains(&say.liveness.score));
            prop_assert_eq!(say.liveness.live, say.liveness.score >= policy.live_from);
            if say.liveness.live {
                prop_assert!(say.liveness.frames >= policy.live_frames);
                prop_assert!(ever_alive, "alive only if some frame said so");
            }
            if moment.granted {
                watch.granted(say.track);
                *granted = true;
            }
        }
    }
}
