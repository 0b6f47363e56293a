//! Events enter once, in order, and are told only when they are safe.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kit::ingest::{self, Committed, Condition, Ingest, Lane, Offer, Reactions};
use kit::journal::{NewEvent, Stream, events_after, verify};
use kit::testing::{Site, sites};
use kit::trouble::Trouble;
use kit::{Kit, Migration, StoredEvent, Tx};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

type Answer = (u64, Vec<u32>);

struct Running {
    ingest: Ingest<u32>,
    committed: mpsc::Receiver<Committed<u32>>,
    task: JoinHandle<Result<(), ingest::Broken>>,
}

fn start(kit: &Kit, reactions: Reactions) -> Running {
    let (ingest, queue) = ingest::queue(1000);
    let (sender, committed) = mpsc::channel(1000);
    let task = tokio::spawn(ingest::run(kit.clone(), queue, reactions, sender));
    Running { ingest, committed, task }
}

impl Running {
    fn offer(&self, numbers: impl IntoIterator<Item = u64>, token: u32) {
        let events = numbers.into_iter().map(event).collect();
        self.ingest.offer(Offer { lane: lane(), events, token }).unwrap();
    }

    async fn answer(&mut self) -> Answer {
        let committed =
            tokio::time::timeout(Duration::from_secs(20), self.committed.recv()).await.unwrap().unwrap();
        assert_eq!(committed.complete.len(), 1);
        assert_eq!(committed.complete[0].0, lane());
        (committed.complete[0].1, committed.tokens)
    }

    async fn stop(self) {
        drop(self.ingest);
        self.task.await.unwrap().unwrap();
    }
}

fn lane() -> Lane {
    Lane { source: "controller-1".into(), epoch: 9, stream: Stream::Bulk }
}

fn event(number: u64) -> NewEvent {
    let Lane { source, epoch, stream } = lane();
    NewEvent {
        source,
        epoch,
        stream,
        number,
        at: 5,
        kind: "door".into(),
        body: format!("{{\"door\":{number}}}"),
    }
}

async fn numbers(site: &Site) -> Vec<u64> {
    let events = events_after(site.kit.read(), 0, 100_000).await.unwrap();
    let report = verify(site.kit.read(), site.kit.keys().journal_public(), &[]).await.unwrap();
    assert_eq!((report.records, report.finding), (events.len() as u64, None));
    events.iter().filter(|event| event.source == "controller-1").map(|event| event.number).collect()
}

#[tokio::test]
async fn duplicates_are_acknowledged_and_not_journaled() {
    for site in sites(&[]).await {
        let mut running = start(&site.kit, Reactions::default());
        running.offer(1..=3, 7);
        assert_eq!(running.answer().await, (3, vec![7]));
        running.offer(1..=5, 8);
        assert_eq!(running.answer().await, (5, vec![8]));
        running.offer([2], 9);
        assert_eq!(running.answer().await, (5, vec![9]));
        assert_eq!((running.ingest.counts().accepted, running.ingest.counts().duplicates), (5, 4));
        running.stop().await;
        assert_eq!(numbers(&site).await, [1, 2, 3, 4, 5]);
    }
}

#[tokio::test]
async fn a_gap_is_waited_for_and_disorder_is_mended() {
    for site in sites(&[]).await {
        let mut running = start(&site.kit, Reactions::default());
        running.offer([2, 3], 1);
        assert_eq!(running.answer().await, (0, vec![1]), "nothing is complete");
        running.offer([6, 5], 2);
        assert_eq!(running.answer().await, (0, vec![2]));
        running.offer([1], 3);
        assert_eq!(running.answer().await, (3, vec![3]), "up to the next gap");
        running.offer([4], 4);
        assert_eq!(running.answer().await, (6, vec![4]));
        running.stop().await;
        assert_eq!(numbers(&site).await, [1, 2, 3, 4, 5, 6]);
    }
}

/// The server dies after its commit and before its acknowledgement: the source sends everything again.
#[tokio::test]
async fn what_was_committed_but_not_acknowledged_comes_again_and_is_not_doubled() {
    for site in sites(&[]).await {
        let mut first = start(&site.kit, Reactions::default());
        first.offer(1..=40, 1);
        first.answer().await;
        first.offer(41..=50, 2);
        while first.ingest.counts().accepted < 50 {
            tokio::task::yield_now().await;
        }
        first.task.abort();
        let mut second = start(&site.kit, Reactions::default());
        second.offer(41..=50, 1);
        assert_eq!(second.answer().await, (50, vec![1]));
        second.stop().await;
        assert_eq!(numbers(&site).await, (1..=50).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_is_queued_goes_into_one_commit() {
    for site in sites(&[]).await {
        let blocker = site.kit.begin().await.unwrap();
        let mut running = start(&site.kit, Reactions::default());
        running.offer([1], 0);
        tokio::task::yield_now().await;
        for number in 2..=300 {
            running.offer([number], u32::try_from(number).unwrap());
        }
        drop(blocker);
        let mut complete = 0;
        while complete < 300 {
            complete = running.answer().await.0;
        }
        assert!(running.ingest.counts().commits <= 3, "{:?}", running.ingest.counts());
        running.stop().await;
        assert_eq!(numbers(&site).await.len(), 300);
    }
}

const TALLY: &[Migration] = &[Migration {
    slice: "tally",
    number: 1,
    sql: "CREATE TABLE tally (number INTEGER PRIMARY KEY CHECK (number <> 13)) STRICT;",
}];

fn tally<'a>(tx: &'a mut Tx, events: &'a [Arc<StoredEvent>]) -> ingest::Reacting<'a> {
    Box::pin(async move {
        for event in events {
            sqlx::query("INSERT INTO tally (number) VALUES ($1)")
                .bind(event.number.cast_signed())
                .execute(&mut **tx)
                .await?;
            if event.number == 4 {
                tx.record("tally.four", &serde_json::json!({})).await?;
            }
        }
        Ok(())
    })
}

#[tokio::test]
async fn reactions_are_part_of_the_commit_and_a_failing_one_costs_no_event() {
    for site in sites(TALLY).await {
        let mut reader = site.kit.events().subscribe(None).await.unwrap();
        let mut running = start(&site.kit, Reactions::default().with("tally", tally));
        running.offer(1..=20, 1);
        assert_eq!(running.answer().await, (20, vec![1]));
        assert_eq!(running.ingest.counts().unreacted, 1);
        running.stop().await;
        let (tallied,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM tally").fetch_one(site.kit.read()).await.unwrap();
        assert_eq!(tallied, 19, "all but the one that cannot be");
        assert_eq!(numbers(&site).await.len(), 20);
        let mut told = Vec::new();
        for _ in 0..21 {
            told.push(reader.next().await.unwrap());
        }
        assert!(told.iter().zip(1..).all(|(event, seq)| event.seq == seq));
        assert_eq!(
            told.iter().filter(|event| event.kind == "tally.four").count(),
            1,
            "undone work is not told"
        );
    }
}

static AWAY: AtomicBool = AtomicBool::new(false);

fn sometimes_away<'a>(_tx: &'a mut Tx, _events: &'a [Arc<StoredEvent>]) -> ingest::Reacting<'a> {
    Box::pin(async move { if AWAY.load(Ordering::SeqCst) { Err(sqlx::Error::PoolTimedOut) } else { Ok(()) } })
}

#[tokio::test]
async fn an_absent_database_is_waited_for_without_a_word_of_success() {
    for site in sites(&[]).await {
        AWAY.store(true, Ordering::SeqCst);
        let mut running = start(&site.kit, Reactions::default().with("away", sometimes_away));
        let mut condition = running.ingest.condition();
        running.offer(1..=3, 1);
        condition.wait_for(|condition| matches!(condition, Condition::Away { .. })).await.unwrap();
        assert!(running.committed.try_recv().is_err(), "nothing is acknowledged");
        assert_eq!(events_after(site.kit.read(), 0, 10).await.unwrap().len(), 0);
        AWAY.store(false, Ordering::SeqCst);
        assert_eq!(running.answer().await, (3, vec![1]));
        assert_eq!(*running.ingest.condition().borrow(), Condition::Working);
        running.stop().await;
        assert_eq!(numbers(&site).await, [1, 2, 3]);
    }
}

#[tokio::test]
async fn stopping_signs_the_end() {
    for site in sites(&[]).await {
        let mut running = start(&site.kit, Reactions::default());
        running.offer(1..=3, 1);
        running.answer().await;
        running.stop().await;
        let report = verify(site.kit.read(), site.kit.keys().journal_public(), &[]).await.unwrap();
        assert_eq!(report.signed_up_to, 3);
    }
}

#[tokio::test]
async fn malformed_payloads_are_counted_and_told_once_a_source() {
    let (ingest, _queue) = ingest::queue::<()>(1);
    assert!(ingest.malformed("controller-1"));
    assert!(!ingest.malformed("controller-1"));
    assert!(ingest.malformed("controller-2"));
    assert_eq!(ingest.counts().malformed, 3);
}

/// A disk without room, as SQLite sees it: the writer's own file may not grow.
#[tokio::test]
async fn a_full_disk_is_said_waited_out_and_costs_nothing() {
    let [site, _] = sites(&[]).await.try_into().unwrap();
    let mut running = start(&site.kit, Reactions::default());
    running.offer(1..=100, 1);
    assert_eq!(running.answer().await, (100, vec![1]));
    let mut tx = site.kit.begin().await.unwrap();
    let (pages,): (i64,) = sqlx::query_as("PRAGMA page_count").fetch_one(&mut *tx).await.unwrap();
    let _: (i64,) = sqlx::query_as(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}")))
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let mut condition = running.ingest.condition();
    running.offer(101..=1000, 2);
    condition.wait_for(|condition| matches!(condition, Condition::Full { .. })).await.unwrap();
    assert!(running.committed.try_recv().is_err(), "nothing is acknowledged");
    assert!(site.kit.troubles().standing().contains_key(&Trouble::DiskFull));
    assert_eq!(numbers(&site).await.len(), 100, "what was there is whole");

    let mut tx = site.kit.begin().await.unwrap();
    let _: (i64,) = sqlx::query_as("PRAGMA max_page_count = 1000000").fetch_one(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(running.answer().await, (1000, vec![2]));
    assert!(site.kit.troubles().standing().is_empty());
    running.stop().await;
    assert_eq!(numbers(&site).await.len(), 1000);
    let told = events_after(site.kit.read(), 1000, 10).await.unwrap();
    assert!(
        told.iter().any(|event| event.kind == "server.ingest-recovered" && event.body.contains("disk-full"))
    );
}

/// PostgreSQL goes away in the middle and comes back.
#[tokio::test]
async fn a_database_that_restarts_is_waited_for() {
    use sqlx::{AssertSqlSafe, Connection, Executor};
    let [_, site] = sites(&[]).await.try_into().unwrap();
    let (admin, name) = site.database.address.split_once("/t").unwrap();
    let name = format!("t{}", name.split_once('?').unwrap().0);
    let host = site.database.address.split_once('?').unwrap().1;
    let mut admin = sqlx::AnyConnection::connect(&format!("{admin}/postgres?{host}")).await.unwrap();
    let mut running = start(&site.kit, Reactions::default());
    running.offer(1..=10, 1);
    assert_eq!(running.answer().await, (10, vec![1]));

    admin.execute(AssertSqlSafe(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"))).await.unwrap();
    let away = format!(
        "SELECT CAST(COUNT(pg_terminate_backend(pid)) AS BIGINT) FROM pg_stat_activity WHERE datname = '{name}'"
    );
    admin.execute(AssertSqlSafe(away)).await.unwrap();
    let mut condition = running.ingest.condition();
    running.offer(11..=20, 2);
    condition.wait_for(|condition| matches!(condition, Condition::Away { .. })).await.unwrap();
    assert!(running.committed.try_recv().is_err(), "nothing is acknowledged");
    assert!(site.kit.troubles().standing().contains_key(&Trouble::DatabaseAway));

    admin.execute(AssertSqlSafe(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"))).await.unwrap();
    assert_eq!(running.answer().await, (20, vec![2]));
    running.stop().await;
    assert_eq!(numbers(&site).await, (1..=20).collect::<Vec<_>>());
}

/// A server that has handed over to another refuses to write on the connections that it still has.
#[tokio::test]
async fn a_writer_that_may_only_read_is_exchanged() {
    use sqlx::Executor;
    for site in sites(&[]).await {
        let mut running = start(&site.kit, Reactions::default());
        running.offer(1..=3, 1);
        assert_eq!(running.answer().await, (3, vec![1]));
        let mut tx = site.kit.begin().await.unwrap();
        tx.execute(match site.database.engine {
            kit::db::Engine::Sqlite => "PRAGMA query_only = ON",
            kit::db::Engine::Postgres => "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
        let mut condition = running.ingest.condition();
        running.offer(4..=6, 2);
        condition.wait_for(|condition| matches!(condition, Condition::Away { .. })).await.unwrap();
        assert_eq!(running.answer().await, (6, vec![2]));
        running.stop().await;
        assert_eq!(numbers(&site).await, [1, 2, 3, 4, 5, 6]);
    }
}

/// A commit that never answered was kept all the same, or a second server took the same events.
#[tokio::test]
async fn what_another_took_is_known_without_a_restart() {
    for site in sites(&[]).await {
        let mut first = start(&site.kit, Reactions::default());
        first.offer(1..=10, 1);
        assert_eq!(first.answer().await, (10, vec![1]));
        let db = kit::Db::open(&site.database.address).await.unwrap();
        let other = Kit::new(db, site.clock.clone(), kit::Keys::ephemeral(), None).unwrap();
        let mut second = start(&other, Reactions::default());
        second.offer(9..=12, 1);
        assert_eq!(second.answer().await, (12, vec![1]));
        first.offer(11..=13, 2);
        assert_eq!(first.answer().await, (13, vec![2]));
        assert_eq!(first.ingest.counts().duplicates, 2);
        second.task.abort();
        first.task.abort();
        let events = events_after(site.kit.read(), 0, 100).await.unwrap();
        let devices = events.iter().filter(|event| event.source == "controller-1");
        assert_eq!(devices.map(|event| event.number).collect::<Vec<_>>(), (1..=13).collect::<Vec<_>>());
    }
}

/// A database took over that had not yet got the last records of the one before.
#[tokio::test]
async fn a_database_that_knows_less_is_told_again() {
    use sqlx::Executor;
    for site in sites(&[]).await {
        let mut running = start(&site.kit, Reactions::default());
        running.offer(1..=10, 1);
        assert_eq!(running.answer().await, (10, vec![1]));
        let mut tx = site.kit.begin().await.unwrap();
        for sql in [
            "DELETE FROM journal WHERE seq > 5",
            "DELETE FROM journal_checkpoint",
            "UPDATE journal_head SET seq = 5, hash = (SELECT hash FROM journal WHERE seq = 5), checkpoint = 0, \
             checkpointed = 0",
            "UPDATE stream_position SET number = 5",
        ] {
            tx.execute(sql).await.unwrap();
        }
        tx.commit().await.unwrap();
        running.offer([11], 2);
        assert_eq!(running.answer().await, (5, vec![2]), "the acknowledgement goes back");
        running.offer(6..=10, 3);
        assert_eq!(running.answer().await, (11, vec![3]));
        running.stop().await;
        assert_eq!(numbers(&site).await, (1..=11).collect::<Vec<_>>());
    }
}

static VANISHED: std::sync::LazyLock<watch::Sender<bool>> =
    std::sync::LazyLock::new(|| watch::Sender::new(false));

static HAS_VANISHED: AtomicBool = AtomicBool::new(false);

/// Asks something of a database whose machine vanishes at that moment, once.
fn vanishing<'a>(tx: &'a mut Tx, events: &'a [Arc<StoredEvent>]) -> ingest::Reacting<'a> {
    Box::pin(async move {
        if events.iter().any(|event| event.number == 11) && !HAS_VANISHED.swap(true, Ordering::SeqCst) {
            VANISHED.send_replace(true);
        }
        let _: (i64,) = sqlx::query_as("SELECT COUNT(*) FROM journal").fetch_one(&mut **tx).await?;
        Ok(())
    })
}

/// Lets a client through to PostgreSQL, until it vanishes: then nothing comes, and nobody says so.
async fn line(mut client: TcpStream, socket: String) {
    let mut server = UnixStream::connect(socket).await.unwrap();
    let mut vanished = VANISHED.subscribe();
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => return,
        _ = vanished.wait_for(|vanished| *vanished) => drop(server),
    }
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_database_that_vanishes_in_the_middle_of_a_commit_is_waited_for() {
    let [_, site] = sites(&[]).await.try_into().unwrap();
    let (address, directory) = site.database.address.split_once("?host=").unwrap();
    let (name, directory) = (address.rsplit_once('/').unwrap().1, directory.to_owned());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let lines = tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            tokio::spawn(line(client, format!("{directory}/.s.PGSQL.5432")));
        }
    });
    let db = kit::Db::open(&format!("postgres://gatehouse@127.0.0.1:{port}/{name}")).await.unwrap();
    let kit = Kit::new(db, site.clock.clone(), kit::Keys::ephemeral(), None).unwrap();
    let mut running = start(&kit, Reactions::default().with("vanishing", vanishing));
    running.offer(1..=10, 1);
    assert_eq!(running.answer().await, (10, vec![1]));
    let mut condition = running.ingest.condition();
    running.offer(11..=20, 2);
    let away = condition.wait_for(|condition| matches!(condition, Condition::Away { .. }));
    tokio::time::timeout(Duration::from_secs(60), away).await.expect("it is noticed").unwrap();
    assert!(kit.troubles().standing().contains_key(&Trouble::DatabaseAway));
    assert!(running.committed.try_recv().is_err(), "nothing is acknowledged");
    VANISHED.send_replace(false);
    assert_eq!(running.answer().await, (20, vec![2]));
    running.task.abort();
    lines.abort();
}
