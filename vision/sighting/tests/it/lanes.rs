//! Who is before this lane, and whose a person is whom two cameras see.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sighting::{Claims, Face, Identity, Lane, Limits, Policy, Quality, Refusal, Watch, assess};

use crate::{FRAME, MILLISECOND, clear, face};

fn looks(faces: &[Face]) -> Vec<Result<Quality, Refusal>> {
    faces.iter().map(|face| assess(face, &clear(), FRAME, &Limits::default())).collect()
}

fn known(person: u64) -> Identity {
    Identity::Known { person, score: 0.7, margin: 0.4 }
}

#[test]
fn of_four_in_a_queue_the_nearest_alone_is_looked_at_until_they_are_gone() {
    let mut queue = vec![
        face(20.0, 60.0, 50.0),
        face(130.0, 60.0, 70.0),
        face(250.0, 60.0, 140.0),
        face(480.0, 60.0, 100.0),
    ];
    let (mut watch, mut now, mut order) = (Watch::new(Policy::default()), 0, Vec::new());
    while let Some(nearest) = queue.iter().map(|face| face.rect.width).reduce(f32::max) {
        for _ in 0..30 {
            now += 40 * MILLISECOND;
            let Some(examine) = watch.frame(now, &queue, &looks(&queue)) else { continue };
            assert_eq!(queue[examine.face].rect.width, nearest, "somebody behind was looked at");
            let who = known(examine.track);
            if let Some(say) = watch.examined(now, examine.track, 0.95, who) {
                watch.granted(say.track);
                order.push(queue[examine.face].rect.width);
            }
        }
        queue.retain(|face| face.rect.width < nearest);
    }
    assert_eq!(order, [140.0, 100.0, 70.0, 50.0], "each once, in their turn");
}

#[test]
fn who_turns_away_does_not_open_the_lane_to_the_one_behind() {
    let (front, behind) = (face(100.0, 60.0, 140.0), face(400.0, 60.0, 80.0));
    let mut looks = looks(&[front, behind]);
    looks[0] = Err(Refusal::TurnedAway { measured: 0.9, most: 0.45 });
    let mut watch = Watch::new(Policy::default());
    assert_eq!(watch.frame(0, &[front, behind], &looks), None);
    // What is hardly a face, a poster's corner, holds nobody up.
    looks[0] = Err(Refusal::Unsure { measured: 0.62, least: 0.7 });
    assert_eq!(watch.frame(40 * MILLISECOND, &[front, behind], &looks).map(|examine| examine.face), Some(1));
}

#[test]
fn a_face_before_the_neighbouring_lane_is_not_this_ones() {
    let lane = Lane { left: 0.3, right: 0.7 };
    assert!(lane.holds(&face(270.0, 60.0, 100.0), FRAME));
    assert!(!lane.holds(&face(20.0, 60.0, 100.0), FRAME) && !lane.holds(&face(500.0, 60.0, 100.0), FRAME));
    assert!(Lane::default().holds(&face(0.0, 60.0, 100.0), FRAME));
    assert!(!lane.holds(&face(f32::NAN, 60.0, 100.0), FRAME));
}

#[test]
fn the_lane_with_the_larger_face_takes_over_unless_the_other_was_opened() {
    let policy = Policy::default();
    let mut claims = Claims::default();
    assert!(claims.claim(0, "left", 1, 7, 60.0, &policy));
    assert!(!claims.claim(10, "right", 1, 7, 60.0, &policy), "not clearly larger");
    assert!(claims.claim(20, "right", 1, 7, 90.0, &policy), "clearly larger");
    assert!(!claims.claim(30, "left", 1, 7, 60.0, &policy));
    claims.granted("right", 1);
    assert!(!claims.claim(40, "left", 1, 7, 500.0, &policy), "one face, one lane");
    assert!(claims.claim(50, "left", 2, 8, 60.0, &policy), "somebody else");
    let later = 40 + policy.claim_ms * MILLISECOND;
    assert!(claims.claim(later, "left", 3, 7, 60.0, &policy), "gone from there for long enough");
}

proptest! {
    #[test]
    fn two_lanes_never_open_to_one_face(
        steps in prop::collection::vec((0_u64..900, 0_usize..3, 0_u64..3, 30.0_f32..200.0, any::<bool>()), 1..200),
    ) {
        let (policy, cameras) = (Policy::default(), ["a", "b", "c"]);
        let (mut claims, mut now) = (Claims::default(), 0);
        // For each person: the camera whose lane was opened to them, and when it last saw them.
        let mut opened: BTreeMap<u64, (usize, u64)> = BTreeMap::new();
        for (gap, camera, person, width, grants) in steps {
            now += gap * MILLISECOND;
            let may = claims.claim(now, cameras[camera], 10 * camera as u64 + person, person, width, &policy);
            if let Some(&(lane, seen)) = opened.get(&person)
                && now - seen < policy.claim_ms * MILLISECOND
            {
                prop_assert_eq!(may, lane == camera, "person {} at {}", person, now);
            }
            if may && opened.get(&person).is_none_or(|(lane, _)| *lane != camera) {
                opened.remove(&person);
            }
            if may && (grants || opened.contains_key(&person)) {
                claims.granted(cameras[camera], 10 * camera as u64 + person);
                opened.insert(person, (camera, now));
            }
        }
    }
}
