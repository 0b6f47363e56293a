//! Compiled, published, followed.

use std::collections::BTreeMap;
use std::time::Instant;

use domain::ids::{ControllerId, PersonId, PolicyVersion};
use domain::policy::{Policy, PolicyParts};
use domain::schedule::{Days, Span, Window};
use domain::time::Utc;
use doors::label::Label;
use doors::level;
use doors::policy::{PublishError, Published, answer, compile, current, for_controller, publish};
use doors::schedule::{self, Schedule};
use kit::Kit;
use people::credential::{self, Card, Pin, Secret, Terms};
use people::person::{self, Particulars};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use uplink::sync::policy::assemble;
use uplink::sync::{Change, Digest, Have, Set};

use crate::site::{Small, sites};

/// What a controller holds.
#[derive(Default, Debug, PartialEq)]
struct Copy {
    version: Option<u64>,
    rows: BTreeMap<(String, u64), String>,
}

impl Copy {
    fn have(&self) -> Have {
        let mut digest = Digest::default();
        for ((table, id), row) in &self.rows {
            digest.toggle(table, *id, row);
        }
        Have { set: Set::Policy, version: self.version, digest }
    }

    /// Asks and applies; how many rows came or went, and whether it was the whole.
    async fn follow(&mut self, kit: &Kit, controller: u64) -> (usize, bool) {
        let chunks = answer(kit, ControllerId(controller), &self.have()).await.unwrap().expect("it is known");
        let Some(first) = chunks.first() else { return (0, false) };
        let (whole, to, digest) = (first.from.is_none(), first.to, first.digest);
        if whole {
            self.rows.clear();
        }
        let mut count = 0;
        for change in chunks.into_iter().flat_map(|chunk| chunk.changes) {
            count += 1;
            match change {
                Change::Put { table, id, row } => drop(self.rows.insert((table, id), row.get().to_owned())),
                Change::Remove { table, id } => drop(self.rows.remove(&(table, id))),
            }
        }
        self.version = Some(to);
        assert_eq!(self.have().digest, digest);
        (count, whole)
    }

    fn policy(&self) -> Policy {
        let rows = self.rows.iter().map(|((table, id), row)| (table.as_str(), *id, row.as_str()));
        Policy::try_from(assemble(self.version.unwrap(), rows).unwrap()).unwrap()
    }
}

async fn compiled(kit: &Kit, version: u64) -> PolicyParts {
    let mut connection = kit.read().acquire().await.unwrap();
    compile(&mut connection, PolicyVersion(version), Utc(kit.now())).await.unwrap()
}

async fn ada(kit: &Kit, small: &Small) -> PersonId {
    let mut tx = kit.begin().await.unwrap();
    let ada = Particulars { groups: vec![small.staff], ..Particulars::named("ada", "艾达") };
    let ada = person::add(&mut tx, None, &ada).await.unwrap();
    let card = Secret::Card(Card::wiegand26(12, 3456));
    credential::add(&mut tx, None, ada, &card, &Terms::ordinary("main")).await.unwrap();
    let pin = Secret::Pin(Pin::parse("1234").unwrap());
    credential::add(&mut tx, None, ada, &pin, &Terms::ordinary("")).await.unwrap();
    tx.commit().await.unwrap();
    ada
}

async fn small(kit: &Kit) -> Small {
    let mut tx = kit.begin().await.unwrap();
    let small = Small::put(&mut tx).await;
    tx.commit().await.unwrap();
    small
}

#[tokio::test]
async fn what_a_controller_assembles_is_what_was_compiled_for_it() {
    for site in sites().await {
        let kit = &site.kit;
        let small = small(kit).await;
        ada(kit, &small).await;
        assert_eq!(publish(kit, None).await.unwrap(), Published::New(PolicyVersion(1)));
        let parts = compiled(kit, 1).await;
        let whole = Policy::try_from(parts.clone()).unwrap();
        assert_eq!(current(kit).await.unwrap().unwrap(), whole);
        for controller in [1, 2] {
            let mut copy = Copy::default();
            copy.follow(kit, controller).await;
            let own = Policy::try_from(for_controller(&parts, ControllerId(controller))).unwrap();
            assert_eq!(copy.policy(), own);
            assert_eq!(own.doors().len(), 1);
            assert_eq!(own.people_count(), 1);
        }
        assert_eq!(whole.doors().len(), 2);
        assert!(answer(kit, ControllerId(9), &Copy::default().have()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn only_a_change_makes_a_version() {
    for site in sites().await {
        let kit = &site.kit;
        assert!(matches!(publish(kit, None).await, Err(PublishError::NoSite)));
        let small = small(kit).await;
        assert_eq!(publish(kit, None).await.unwrap(), Published::New(PolicyVersion(1)));
        site.clock.advance(std::time::Duration::from_secs(60));
        assert_eq!(publish(kit, None).await.unwrap(), Published::Unchanged(PolicyVersion(1)));
        let mut copy = Copy::default();
        copy.follow(kit, 1).await;
        ada(kit, &small).await;
        assert_eq!(publish(kit, None).await.unwrap(), Published::New(PolicyVersion(2)));
        // The person, two credentials, and the site's row, which says when.
        assert_eq!(copy.follow(kit, 1).await, (4, false));
        assert_eq!(copy.follow(kit, 1).await, (0, false));
    }
}

#[tokio::test]
async fn a_faulty_policy_lists_every_fault_and_changes_nothing() {
    for site in sites().await {
        let kit = &site.kit;
        small(kit).await;
        publish(kit, None).await.unwrap();
        // The constraints do not let such rows be; a newer or older program might.
        let mut tx = kit.begin().await.unwrap();
        for statement in [
            "UPDATE door SET held_after_ms = held_after_ms + 1 WHERE key = 'main'",
            "INSERT INTO area (key, name, latin, kind, parent) SELECT 'a', 'a', '', 'area', id FROM area WHERE key = 'hall'",
            "INSERT INTO area (key, name, latin, kind, parent) SELECT 'b', 'b', '', 'area', id FROM area WHERE key = 'a'",
            "UPDATE area SET parent = (SELECT id FROM area WHERE key = 'b') WHERE key = 'a'",
        ] {
            sqlx::query(statement).execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        let error = publish(kit, None).await.unwrap_err();
        assert_eq!(error.faults().len(), 2, "both areas lie within themselves: {error}");
        assert_eq!(doors::policy::published_version(kit).await.unwrap(), PolicyVersion(1));
        let mut copy = Copy::default();
        copy.follow(kit, 1).await;
        assert_eq!(copy.policy().version(), PolicyVersion(1));
    }
}

/// The server and an import on the command line, say: each of them with a writer of its own.
#[tokio::test]
async fn two_processes_publish_at_once() {
    for site in sites().await {
        let kit = &site.kit;
        small(kit).await;
        let db = kit::Db::open(&site.database.address).await.unwrap();
        let other = Kit::new(db, site.clock.clone(), kit::Keys::ephemeral(), None).unwrap();
        for round in 0..20 {
            let mut tx = kit.begin().await.unwrap();
            person::add(&mut tx, None, &Particulars::named(&format!("p{round}"), "某人")).await.unwrap();
            tx.commit().await.unwrap();
            let (one, two) = tokio::join!(publish(kit, None), publish(&other, None));
            let version = PolicyVersion(round + 1);
            for published in [one, two] {
                let published = published.unwrap();
                assert!(
                    published == Published::New(version) || published == Published::Unchanged(version),
                    "{published:?} in round {round}"
                );
            }
        }
        other.db().close().await;
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Add,
    RemovePerson(usize),
    Schedule(u16),
    RemoveLevel,
    Publish,
    Follow,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Add),
        2 => (0..4_usize).prop_map(Step::RemovePerson),
        2 => (0..1000_u16).prop_map(Step::Schedule),
        1 => Just(Step::RemoveLevel),
        4 => Just(Step::Publish),
        3 => Just(Step::Follow),
    ];
    prop::collection::vec(step, 1..24)
}

#[tokio::test]
async fn a_chain_of_differences_ends_where_the_whole_does() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..6 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        for site in sites().await {
            let kit = &site.kit;
            let small = small(kit).await;
            publish(kit, None).await.unwrap();
            let mut people = Vec::new();
            let mut follower = Copy::default();
            for (at, step) in steps.iter().enumerate() {
                let mut tx = kit.begin().await.unwrap();
                match *step {
                    Step::Add => {
                        let new = Particulars {
                            groups: vec![small.staff],
                            ..Particulars::named(&format!("p{at}"), "某人")
                        };
                        let id = person::add(&mut tx, None, &new).await.unwrap();
                        let card = Secret::Card(Card::wiegand26(1, at as u16));
                        credential::add(&mut tx, None, id, &card, &Terms::ordinary("main")).await.unwrap();
                        people.push(id);
                        tx.commit().await.unwrap();
                    }
                    Step::RemovePerson(which) => {
                        drop(tx);
                        if which < people.len() {
                            person::remove(kit, None, people.remove(which)).await.unwrap();
                        }
                    }
                    Step::Schedule(from) => {
                        let schedule = Schedule {
                            label: Label::new("office", "工作时间"),
                            windows: vec![Window { days: Days::EVERY, span: Span::new(from, 300).unwrap() }],
                            exceptions: vec![],
                        };
                        schedule::put(&mut tx, None, &schedule).await.unwrap();
                        tx.commit().await.unwrap();
                    }
                    Step::RemoveLevel => {
                        for (id, _) in level::list(&mut tx).await.unwrap() {
                            level::remove(&mut tx, None, id).await.unwrap();
                        }
                        tx.commit().await.unwrap();
                    }
                    Step::Publish => {
                        drop(tx);
                        publish(kit, None).await.unwrap();
                    }
                    Step::Follow => {
                        drop(tx);
                        follower.follow(kit, 2).await;
                    }
                }
            }
            publish(kit, None).await.unwrap();
            follower.follow(kit, 2).await;
            let mut whole = Copy::default();
            whole.follow(kit, 2).await;
            assert_eq!(follower, whole, "{steps:?}");
            let version = whole.version.unwrap();
            let mut expected = for_controller(&compiled(kit, version).await, ControllerId(2));
            expected.made_at = whole.policy().made_at();
            assert_eq!(whole.policy(), Policy::try_from(expected).unwrap());
        }
    }
}

#[tokio::test]
async fn ten_thousand_people_are_published_and_followed() {
    for site in sites().await {
        let kit = &site.kit;
        let small = small(kit).await;
        let mut tx = kit.begin().await.unwrap();
        for at in 0..10_000_u32 {
            sqlx::query("INSERT INTO person (key, kind, name, latin, department, number, status, clearance, changed_at) VALUES ($1, 'employee', 'x', '', '', '', 'active', 0, 0)")
                .bind(format!("p{at}"))
                .execute(&mut *tx)
                .await
                .unwrap();
        }
        sqlx::query("INSERT INTO person_group_member (person, person_group) SELECT id, $1 FROM person")
            .bind(small.staff.0 as i64)
            .execute(&mut *tx)
            .await
            .unwrap();
        let everybody: Vec<(i64,)> =
            sqlx::query_as("SELECT id FROM person").fetch_all(&mut *tx).await.unwrap();
        for (id,) in everybody {
            let card = Secret::Card(Card::raw(32, &(id as u32).to_be_bytes()).unwrap());
            let digest = card.digest(kit.keys().credential(), PersonId(id as u64));
            sqlx::query("INSERT INTO credential (person, kind, key, digest, use_as, status, changed_at) VALUES ($1, 'card', 'main', $2, 'ordinary', 'active', 0)")
                .bind(id)
                .bind(digest.0.to_vec())
                .execute(&mut *tx)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();

        let started = Instant::now();
        compiled(kit, 1).await;
        let compile = started.elapsed();
        let started = Instant::now();
        publish(kit, None).await.unwrap();
        let first = started.elapsed();
        let mut copy = Copy::default();
        site.clock.advance(std::time::Duration::from_secs(60));
        let started = Instant::now();
        assert!(copy.follow(kit, 1).await.0 > 20_000);
        let whole = started.elapsed();
        ada(kit, &small).await;
        let started = Instant::now();
        publish(kit, None).await.unwrap();
        let again = started.elapsed();
        let started = Instant::now();
        assert_eq!(copy.follow(kit, 1).await, (4, false));
        let difference = started.elapsed();
        println!(
            "{:?}, 10 000 people with a card: compile {compile:?}, first publication {first:?}, sent whole {whole:?}, one person more published {again:?}, sent as a difference {difference:?}",
            site.database.engine
        );
        assert_eq!(copy.policy().people_count(), 10_001);
    }
}
