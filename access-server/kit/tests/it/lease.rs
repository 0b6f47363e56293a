//! One server writes, and the one that was held up does not.

use std::time::Duration;

use kit::db::{Db, Engine};
use kit::lease::{Candidate, Lease, Looked};
use kit::testing::{MONDAY, databases};
use kit::{Clock, Keys, Kit, journal};

async fn server(address: &str) -> (Kit, Candidate) {
    let db = Db::open(address).await.unwrap();
    let candidate = Candidate::new(&db, "gate-1").await.unwrap().unwrap();
    (Kit::new(db, Clock::fixed(MONDAY), Keys::ephemeral(), None).unwrap(), candidate)
}

async fn taken(candidate: &mut Candidate) -> Lease {
    let taken = async {
        loop {
            match candidate.look().await.unwrap() {
                Looked::Taken(lease) => return lease,
                Looked::Held(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), taken).await.unwrap()
}

async fn write(kit: &Kit) -> Result<(), sqlx::Error> {
    let mut tx = kit.begin().await?;
    tx.record("toy.moved", &()).await?;
    tx.commit().await
}

#[tokio::test]
async fn on_sqlite_there_is_no_lease() {
    let [database, _] = databases().await;
    let db = Db::open(&database.address).await.unwrap();
    assert!(Candidate::new(&db, "gate-1").await.unwrap().is_none());
}

#[tokio::test]
async fn one_server_writes_and_another_takes_over_from_one_that_is_held_up() {
    let [_, database] = databases().await;
    assert_eq!(database.engine, Engine::Postgres);
    let (first, mut candidate) = server(&database.address).await;
    first.db().migrate(journal::MIGRATIONS, MONDAY).await.unwrap();
    let lease = taken(&mut candidate).await;
    assert_eq!(lease.epoch(), 1);
    write(&first).await.unwrap();
    let (second, mut other) = server(&database.address).await;
    assert!(matches!(other.look().await.unwrap(), Looked::Held(holder) if holder.place == "gate-1"));
    // The first has begun to write when it is held up: it renews no more, and holds the journal's lock.
    let mut half = first.begin().await.unwrap();
    half.record("toy.moved", &()).await.unwrap();
    let lease_of_second = taken(&mut other).await;
    assert_eq!(lease_of_second.epoch(), 2);
    write(&second).await.unwrap();
    assert!(half.commit().await.is_err(), "what it had begun was ended");
    let refused = write(&first).await.unwrap_err();
    assert!(kit::db::Fault::of(&refused).passes(), "what waits is not given up: {refused}");
    assert_eq!(lease.keep().await.place, "gate-1", "and it hears of it");
    write(&second).await.unwrap();
    let (records,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM journal").fetch_one(second.read()).await.unwrap();
    assert_eq!(records, 3);
}

#[tokio::test]
async fn a_server_that_stops_or_is_killed_leaves_the_lease_at_once() {
    let [_, database] = databases().await;
    let (first, mut candidate) = server(&database.address).await;
    let lease = taken(&mut candidate).await;
    let (second, mut other) = server(&database.address).await;
    lease.give_up().await.unwrap();
    let lease = taken(&mut other).await;
    // Its connections are closed, as the system does for one that was killed; it was to be believed for seconds yet.
    second.db().close().await;
    drop((lease, second));
    let (_third, mut last) = server(&database.address).await;
    let before = std::time::Instant::now();
    assert_eq!(taken(&mut last).await.epoch(), 3);
    assert!(before.elapsed() < kit::lease::LIFE, "nobody waited for it to run out");
    drop(first);
}
