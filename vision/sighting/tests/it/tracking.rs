use std::collections::HashSet;

use proptest::prelude::*;
use sighting::{Policy, Tracker};

use crate::{MILLISECOND, face};

proptest! {
    #[test]
    fn somebody_who_walks_keeps_their_number(
        x in 0.0_f32..300.0, y in 0.0_f32..200.0, dx in -12.0_f32..12.0, dy in -8.0_f32..8.0, grow in 0.98_f32..1.03,
        missed in 0_u64..5,
    ) {
        let policy = Policy::default();
        let mut tracker = Tracker::default();
        let first = tracker.frame(0, &[face(x, y, 90.0)], &policy)[0];
        for step in 1..40_u64 {
            // The detector misses the face now and then.
            if missed > 0 && step % 7 < missed.min(2) {
                tracker.frame(step * 40 * MILLISECOND, &[], &policy);
                continue;
            }
            let place = face(x + dx * step as f32, y + dy * step as f32, 90.0 * grow.powi(step as i32));
            prop_assert_eq!(tracker.frame(step * 40 * MILLISECOND, &[place], &policy)[0], first);
        }
    }

    #[test]
    fn numbers_are_never_used_twice_and_room_is_bounded(
        frames in prop::collection::vec(
            (prop::collection::vec((0.0_f32..600.0, 0.0_f32..400.0, 20.0_f32..150.0), 0..14), 10_u64..900), 1..60,
        ),
    ) {
        let policy = Policy { most_tracks: 5, ..Policy::default() };
        let mut tracker = Tracker::default();
        let (mut now, mut alive, mut gone) = (0, HashSet::new(), HashSet::new());
        for (places, gap) in frames {
            now += gap * MILLISECOND;
            let faces: Vec<_> = places.iter().map(|&(x, y, width)| face(x, y, width)).collect();
            let given: Vec<u64> = tracker.frame(now, &faces, &policy).into_iter().flatten().collect();
            prop_assert_eq!(given.iter().collect::<HashSet<_>>().len(), given.len(), "two faces, one number");
            prop_assert!(tracker.tracks().len() <= policy.most_tracks);
            let current: HashSet<u64> = tracker.tracks().iter().map(|track| track.id).collect();
            prop_assert!(current.is_disjoint(&gone), "a number came back");
            gone.extend(alive.difference(&current).copied());
            alive = current;
        }
    }
}

#[test]
fn two_people_side_by_side_stay_two() {
    let policy = Policy::default();
    let mut tracker = Tracker::default();
    let pair = |step: f32| [face(100.0 + step, 100.0, 80.0), face(300.0 - step, 110.0, 80.0)];
    let first = tracker.frame(0, &pair(0.0), &policy);
    for step in 1..10_u64 {
        let mut faces = pair(step as f32 * 5.0);
        faces.reverse();
        let mut now = tracker.frame(step * 40 * MILLISECOND, &faces, &policy);
        now.reverse();
        assert_eq!(now, first);
    }
}

#[test]
fn who_was_looked_for_in_vain_for_long_is_somebody_new() {
    let (policy, place) = (Policy::default(), face(100.0, 100.0, 80.0));
    let long = policy.gone_after_ms * MILLISECOND;
    let mut tracker = Tracker::default();
    let first = tracker.frame(0, &[place], &policy);
    tracker.frame(1, &[], &policy);
    assert_eq!(tracker.frame(long - 1, &[place], &policy), first, "not long enough");
    tracker.frame(long, &[], &policy);
    assert_ne!(tracker.frame(2 * long - 1, &[place], &policy), first);
}

#[test]
fn a_machine_that_looks_seldom_still_knows_whom_it_saw() {
    let (policy, place) = (Policy::default(), face(100.0, 100.0, 80.0));
    let slow = policy.unwatched_ms * MILLISECOND - 1;
    let mut tracker = Tracker::default();
    let first = tracker.frame(0, &[place], &policy);
    for frame in 1..5 {
        assert_eq!(tracker.frame(frame * slow, &[place], &policy), first, "nobody saw them leave");
    }
    let gap = policy.unwatched_ms * MILLISECOND;
    assert_ne!(tracker.frame(4 * slow + gap, &[place], &policy), first, "but not for ever");
}

#[test]
fn with_no_room_left_the_nearest_are_followed() {
    let policy = Policy { most_tracks: 1, ..Policy::default() };
    let mut tracker = Tracker::default();
    let given = tracker.frame(0, &[face(10.0, 10.0, 50.0), face(300.0, 100.0, 120.0)], &policy);
    assert_eq!(given, [None, Some(1)]);
}
