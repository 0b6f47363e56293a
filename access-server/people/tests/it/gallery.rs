//! A copy that follows by differences is the copy that was sent whole.

use std::collections::BTreeMap;

use kit::Kit;
use kit::testing::sites;
use people::consent::{self, Purpose};
use people::embed::Portrait;
use people::face::{self, Twins};
use people::testing::{Vision, photo};
use people::{MIGRATIONS, gallery, person};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use uplink::sync::{Change, Digest, Have, Set};

use crate::enrolment::willing;

/// What a vision process holds.
#[derive(Default, Debug, PartialEq)]
struct Copy {
    version: Option<u64>,
    rows: BTreeMap<u64, String>,
}

impl Copy {
    fn digest(&self) -> Digest {
        let mut digest = Digest::default();
        for (id, row) in &self.rows {
            digest.toggle("template", *id, row);
        }
        digest
    }

    fn have(&self) -> Have {
        Have { set: Set::Gallery, version: self.version, digest: self.digest() }
    }

    /// Asks and applies; whether it was sent the whole.
    async fn follow(&mut self, kit: &Kit) -> bool {
        let chunks = gallery::answer(kit, &self.have()).await.unwrap();
        let Some(first) = chunks.first() else { return false };
        let (whole, to, digest) = (first.from.is_none(), first.to, first.digest);
        if whole {
            self.rows.clear();
        }
        for change in chunks.into_iter().flat_map(|chunk| chunk.changes) {
            match change {
                Change::Put { id, row, .. } => self.rows.insert(id, row.get().to_owned()),
                Change::Remove { id, .. } => self.rows.remove(&id),
            };
        }
        self.version = Some(to);
        assert_eq!(self.digest(), digest, "the digest is over the rows as sent");
        whole
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Enrol { person: usize, face: usize },
    Withdraw { person: usize },
    Remove { person: usize },
    Follow,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_usize, 0..4_usize).prop_map(|(person, face)| Step::Enrol { person, face }),
        2 => (0..3_usize).prop_map(|person| Step::Withdraw { person }),
        1 => (0..3_usize).prop_map(|person| Step::Remove { person }),
        3 => Just(Step::Follow),
    ];
    prop::collection::vec(step, 1..24)
}

#[tokio::test]
async fn following_by_differences_ends_where_the_whole_does() {
    let vision = Vision::start().await;
    let mut runner = TestRunner::deterministic();
    for _ in 0..6 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        for site in sites(MIGRATIONS).await {
            let kit = &site.kit;
            let mut people = Vec::new();
            for key in ["ada", "bob", "cyd"] {
                people.push(willing(kit, key).await);
            }
            let mut follower = Copy::default();
            for step in &steps {
                match *step {
                    Step::Enrol { person, face } => {
                        let mut vector = [0.0; 4];
                        vector[face] = 1.5;
                        vector[(face + 1) % 4] = 0.1;
                        // Refused when consent is withdrawn or the person is gone.
                        let _ = face::enrol(
                            kit,
                            &vision.service,
                            None,
                            people[person],
                            Portrait::Photograph,
                            &photo(&vector),
                            Twins::Accept,
                        )
                        .await;
                    }
                    // Refused when withdrawn before.
                    Step::Withdraw { person } => {
                        drop(consent::withdraw(kit, None, people[person], Purpose::FaceAccess).await)
                    }
                    Step::Remove { person } => drop(person::remove(kit, None, people[person]).await),
                    Step::Follow => drop(follower.follow(kit).await),
                }
            }
            follower.follow(kit).await;
            assert!(!follower.follow(kit).await, "it holds the newest");
            let mut whole = Copy::default();
            whole.follow(kit).await;
            assert_eq!(follower, whole, "{steps:?}");
        }
    }
}

#[tokio::test]
async fn a_copy_that_went_astray_is_sent_the_whole() {
    let vision = Vision::start().await;
    for site in sites(MIGRATIONS).await {
        let kit = &site.kit;
        let ada = willing(kit, "ada").await;
        let enrol = async |face: f32| {
            face::enrol(
                kit,
                &vision.service,
                None,
                ada,
                Portrait::Photograph,
                &photo(&[face, 1.0]),
                Twins::Accept,
            )
            .await
            .unwrap()
        };
        let mut copy = Copy::default();
        assert!(copy.follow(kit).await, "from nothing to version 0");
        enrol(1.0).await;
        assert!(!copy.follow(kit).await, "by difference");
        // A row changed under it.
        for row in copy.rows.values_mut() {
            row.push(' ');
        }
        assert!(copy.follow(kit).await);
        enrol(2.0).await;
        copy.rows.clear();
        assert!(copy.follow(kit).await);
        // The server came back from a backup: the copy is ahead.
        copy.version = Some(99);
        assert!(copy.follow(kit).await);
        assert_eq!(copy.version, Some(2));
    }
}

#[tokio::test]
async fn old_versions_are_forgotten_and_the_whole_is_sent_instead() {
    let vision = Vision::start().await;
    let site = sites(MIGRATIONS).await.remove(0);
    let kit = &site.kit;
    let ada = willing(kit, "ada").await;
    let mut copy = Copy::default();
    copy.follow(kit).await;
    let examined = face::examine(&vision.service, Portrait::Photograph, &photo(&[1.0])).await.unwrap();
    let mut tx = kit.begin().await.unwrap();
    let mut likenesses = face::Likenesses::open(kit, &mut tx).await.unwrap();
    for _ in 0..gallery::VERSIONS_KEPT + 1 {
        face::store(&mut tx, None, ada, &examined, Twins::Accept, &mut likenesses).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert!(copy.follow(kit).await);
    assert_eq!(copy.rows.len(), 1);
}
