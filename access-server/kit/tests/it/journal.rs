//! The chain: what is appended is found again, and what is altered is named.

use std::time::Duration;

use kit::journal::{CheckpointLog, Finding, Report, verify};
use kit::testing::{MONDAY, Site, databases, sites};
use kit::{Clock, Db, Keys, Kit, journal};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor};

async fn record(kit: &Kit, count: u64) {
    let mut tx = kit.begin().await.unwrap();
    for number in 0..count {
        tx.record("toy.moved", &json!({ "toy": number })).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn walk(kit: &Kit) -> Report {
    verify(kit.read(), kit.keys().journal_public(), &[]).await.unwrap()
}

/// Changes rows as an intruder with the database file would: past its constraints.
async fn tamper(site: &Site, sql: &str) {
    use sqlx::Connection;
    let mut connection = sqlx::AnyConnection::connect(&site.database.address).await.unwrap();
    if site.database.engine == kit::db::Engine::Sqlite {
        connection.execute("PRAGMA ignore_check_constraints = ON").await.unwrap();
    } else {
        connection
            .execute("ALTER TABLE journal DROP CONSTRAINT IF EXISTS journal_stream_check")
            .await
            .unwrap();
        connection
            .execute("ALTER TABLE journal DROP CONSTRAINT IF EXISTS journal_number_check")
            .await
            .unwrap();
    }
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn an_honest_chain_verifies() {
    for site in sites(&[]).await {
        assert_eq!(
            walk(&site.kit).await,
            Report { records: 0, checkpoints: 0, signed_up_to: 0, unlogged: Vec::new(), finding: None }
        );
        for count in [1, 5, 83, 2, 1500] {
            record(&site.kit, count).await;
        }
        let report = walk(&site.kit).await;
        assert_eq!((report.records, report.checkpoints, report.finding), (1591, 1, None));
        assert!(report.signed_up_to >= 1000, "a checkpoint was due");
        site.kit.checkpoint().await.unwrap();
        site.kit.checkpoint().await.unwrap();
        let report = walk(&site.kit).await;
        assert_eq!((report.checkpoints, report.signed_up_to, report.finding), (1, 1591, None));
    }
}

/// `verify` may be run beside a server that writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_chain_verifies_while_it_grows() {
    for site in sites(&[]).await {
        record(&site.kit, 1500).await;
        let kit = site.kit.clone();
        let writer = tokio::spawn(async move {
            loop {
                record(&kit, 1).await;
                kit.checkpoint().await.unwrap();
            }
        });
        for _ in 0..20 {
            let report = walk(&site.kit).await;
            assert_eq!(report.finding, None, "{:?}", site.database.engine);
        }
        writer.abort();
        assert!(writer.await.unwrap_err().is_cancelled());
    }
}

#[tokio::test]
async fn what_is_not_committed_leaves_no_trace() {
    for site in sites(&[]).await {
        record(&site.kit, 3).await;
        let mut tx = site.kit.begin().await.unwrap();
        tx.record("toy.moved", &json!({})).await.unwrap();
        drop(tx);
        record(&site.kit, 3).await;
        site.kit.checkpoint().await.unwrap();
        let report = walk(&site.kit).await;
        assert_eq!((report.records, report.finding), (6, None));
    }
}

/// One byte of any column of a record: the walk names that record.
#[tokio::test]
async fn one_altered_byte_names_its_record() {
    for site in sites(&[]).await {
        record(&site.kit, 12).await;
        site.kit.checkpoint().await.unwrap();
        let in_hex = |column: &str| match site.database.engine {
            // The last byte with its lowest bit turned over.
            kit::db::Engine::Sqlite => format!(
                "substr({column}, 1, 31) || CAST(char(unicode(substr({column}, 32)) % 2 + 65) AS BLOB)"
            ),
            kit::db::Engine::Postgres => format!("set_byte({column}, 31, get_byte({column}, 31) # 1)"),
        };
        let changes = [
            ("received", "received + 1".to_owned()),
            ("source", "'serves'".to_owned()),
            ("epoch", "epoch + 256".to_owned()),
            ("stream", "'oxn'".to_owned()),
            ("stream", "'bulk'".to_owned()),
            ("number", "number + 4096".to_owned()),
            ("at", "at - 1".to_owned()),
            ("kind", "'toy.mover'".to_owned()),
            ("body", "'{\"toy\":9}'".to_owned()),
            ("prev", in_hex("prev")),
            ("hash", in_hex("hash")),
        ];
        for (column, value) in changes {
            tamper(&site, "CREATE TABLE kept AS SELECT * FROM journal WHERE seq = 7").await;
            let cast = if site.database.engine == kit::db::Engine::Sqlite
                && (column == "prev" || column == "hash")
            {
                format!("CAST({value} AS BLOB)")
            } else {
                value
            };
            tamper(&site, &format!("UPDATE journal SET {column} = {cast} WHERE seq = 7")).await;
            let report = walk(&site.kit).await;
            assert_eq!(
                report.finding,
                Some(Finding::Altered { seq: 7 }),
                "{column} on {:?}",
                site.database.engine
            );
            tamper(
                &site,
                &format!("UPDATE journal SET {column} = (SELECT {column} FROM kept) WHERE seq = 7"),
            )
            .await;
            tamper(&site, "DROP TABLE kept").await;
            assert_eq!(walk(&site.kit).await.finding, None, "{column} put back");
        }
        tamper(&site, "UPDATE journal SET seq = 70 WHERE seq = 7").await;
        assert_eq!(walk(&site.kit).await.finding, Some(Finding::Missing { seq: 7 }));
    }
}

#[tokio::test]
async fn a_cut_end_is_seen_even_with_its_checkpoint() {
    for database in databases().await {
        let db = Db::open(&database.address).await.unwrap();
        db.migrate(journal::MIGRATIONS, MONDAY).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("checkpoints");
        let kit = Kit::new(db, Clock::fixed(MONDAY), Keys::ephemeral(), Some(&log)).unwrap();
        record(&kit, 5).await;
        kit.checkpoint().await.unwrap();
        record(&kit, 5).await;
        kit.checkpoint().await.unwrap();
        let public = kit.keys().journal_public();
        let logged = CheckpointLog::read(&log).unwrap();
        assert_eq!(verify(kit.read(), public, &logged).await.unwrap().finding, None);

        let site = Site { kit: kit.clone(), clock: Clock::fixed(MONDAY), database };
        tamper(&site, "DELETE FROM journal WHERE seq > 8").await;
        assert_eq!(walk(&kit).await.finding, Some(Finding::Truncated { last: 8, proven: 10 }));
        tamper(&site, "DELETE FROM journal_checkpoint WHERE number = 2").await;
        assert_eq!(
            walk(&kit).await.finding,
            Some(Finding::Truncated { last: 8, proven: 10 }),
            "the head knows"
        );
        tamper(&site, "UPDATE journal_head SET seq = 8, checkpoint = 1, hash = (SELECT hash FROM journal WHERE seq = 8)").await;
        assert_eq!(walk(&kit).await.finding, None, "nothing in the database tells any more");
        let report = verify(kit.read(), public, &logged).await.unwrap();
        assert_eq!(report.finding, Some(Finding::Truncated { last: 8, proven: 10 }), "but the log does");
    }
}

#[tokio::test]
async fn checkpoints_are_neither_forged_nor_lost() {
    for site in sites(&[]).await {
        for _ in 0..3 {
            record(&site.kit, 4).await;
            site.clock.advance(Duration::from_secs(60));
            site.kit.checkpoint().await.unwrap();
        }
        tamper(&site, "UPDATE journal_checkpoint SET at = at + 1 WHERE number = 2").await;
        assert_eq!(walk(&site.kit).await.finding, Some(Finding::ForgedCheckpoint { number: 2 }));
        tamper(&site, "DELETE FROM journal_checkpoint WHERE number = 2").await;
        assert_eq!(walk(&site.kit).await.finding, Some(Finding::MissingCheckpoint { number: 2 }));
        tamper(&site, "DELETE FROM journal_checkpoint").await;
        assert_eq!(walk(&site.kit).await.finding, Some(Finding::MissingCheckpoint { number: 1 }));
        let stranger = Keys::ephemeral();
        record(&site.kit, 1).await;
        site.kit.checkpoint().await.unwrap();
        let report = verify(site.kit.read(), stranger.journal_public(), &[]).await.unwrap();
        assert!(matches!(
            report.finding,
            Some(Finding::MissingCheckpoint { .. } | Finding::ForgedCheckpoint { .. })
        ));
    }
}

/// What the walk says of a site with this log beside it.
async fn said(kit: &Kit, log: &[kit::journal::Checkpoint]) -> String {
    let report = verify(kit.read(), kit.keys().journal_public(), log).await.unwrap();
    report.finding.map(|finding| finding.to_string()).unwrap_or_default()
}

/// Three checkpoints, and the log of them.
async fn three_checkpoints(kit: &Kit, log: &std::path::Path) -> Vec<kit::journal::Checkpoint> {
    for _ in 0..3 {
        record(kit, 4).await;
        kit.checkpoint().await.unwrap();
    }
    CheckpointLog::read(log).unwrap()
}

#[tokio::test]
async fn the_database_answers_for_every_checkpoint_of_the_log_and_the_head() {
    for database in databases().await {
        let db = Db::open(&database.address).await.unwrap();
        db.migrate(journal::MIGRATIONS, MONDAY).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoints");
        let kit = Kit::new(db, Clock::fixed(MONDAY), Keys::ephemeral(), Some(&path)).unwrap();
        let log = three_checkpoints(&kit, &path).await;
        let site = Site { kit: kit.clone(), clock: Clock::fixed(MONDAY), database };
        assert_eq!(said(&kit, &log).await, "");
        let report = verify(kit.read(), kit.keys().journal_public(), &log[1..2]).await.unwrap();
        assert_eq!((report.finding, report.unlogged), (None, vec![1, 3]), "the database covers them");

        tamper(&site, "CREATE TABLE kept AS SELECT * FROM journal_checkpoint").await;
        tamper(&site, "DELETE FROM journal_checkpoint WHERE number = 3").await;
        assert_eq!(said(&kit, &log).await, "checkpoint 3 is missing from the database", "both know");
        assert_eq!(said(&kit, &[]).await, "checkpoint 3 is missing from the database", "the head knows");
        tamper(&site, "UPDATE journal_head SET checkpoint = 2, checkpointed = 8").await;
        assert_eq!(said(&kit, &log).await, "checkpoint 3 is missing from the database", "the log knows");

        tamper(&site, "DELETE FROM journal_checkpoint").await;
        tamper(&site, "UPDATE journal_head SET checkpoint = 0, checkpointed = 0").await;
        assert_eq!(said(&kit, &log).await, "checkpoint 1 is missing from the database");
        assert_eq!(said(&kit, &[]).await, "no checkpoint covers records 1 to 12, and one was due");
        tamper(&site, "INSERT INTO journal_checkpoint SELECT * FROM kept").await;
        tamper(&site, "UPDATE journal_head SET checkpoint = 3, checkpointed = 12").await;
        assert_eq!(said(&kit, &log).await, "");
    }
}

/// Whoever takes the later checkpoints away with all that tells of them leaves more unsigned than there can be.
#[tokio::test]
async fn no_thousand_records_are_unsigned() {
    for site in sites(&[]).await {
        record(&site.kit, 4).await;
        site.kit.checkpoint().await.unwrap();
        record(&site.kit, 999).await;
        assert_eq!(said(&site.kit, &[]).await, "", "the next one would have been signed");
        record(&site.kit, 1).await;
        tamper(&site, "DELETE FROM journal_checkpoint WHERE number = 2").await;
        tamper(&site, "UPDATE journal_head SET checkpoint = 1, checkpointed = 4").await;
        assert_eq!(said(&site.kit, &[]).await, "no checkpoint covers records 5 to 1004, and one was due");
    }
}

#[tokio::test]
async fn a_record_before_the_first_is_seen() {
    for site in sites(&[]).await {
        record(&site.kit, 4).await;
        site.kit.checkpoint().await.unwrap();
        for seq in ["0", "-1"] {
            let columns = "received, source, epoch, stream, number + 1000, at, kind, body, prev, hash";
            tamper(&site, &format!("INSERT INTO journal SELECT {seq}, {columns} FROM journal WHERE seq = 2"))
                .await;
            assert_eq!(said(&site.kit, &[]).await, format!("record {seq} stands before the first"));
            tamper(&site, "DELETE FROM journal WHERE seq < 1").await;
            assert_eq!(said(&site.kit, &[]).await, "");
        }
    }
}

/// PostgreSQL lets no such bytes in.
#[tokio::test]
async fn a_record_that_is_no_text_is_named_and_stands_in_for_itself() {
    let [site, _] = sites(&[]).await.try_into().unwrap();
    record(&site.kit, 4).await;
    site.kit.checkpoint().await.unwrap();
    tamper(&site, "UPDATE journal SET body = CAST(x'fffe' AS TEXT) WHERE seq = 3").await;
    assert_eq!(said(&site.kit, &[]).await, "record 3 is altered");

    let after = journal::events_after(site.kit.read(), 1, 10).await.unwrap();
    assert_eq!(after.iter().map(|record| record.seq).collect::<Vec<_>>(), [2, 3, 4]);
    let kinds: Vec<_> = after.iter().map(|record| record.kind.as_str()).collect();
    assert_eq!(kinds, ["toy.moved", "journal.unreadable", "toy.moved"]);
    assert_eq!((after[1].received, after[1].stream), (MONDAY, kit::Stream::Own));
    let before = journal::events_before(site.kit.read(), u64::MAX, 2).await.unwrap();
    assert_eq!(before.iter().map(|record| record.seq).collect::<Vec<_>>(), [4, 3]);
    assert_eq!(before[1].kind, "journal.unreadable");

    tamper(&site, "UPDATE journal SET stream = 'other' WHERE seq = 4").await;
    let last = journal::events_after(site.kit.read(), 3, 10).await.unwrap();
    assert_eq!(last[0].kind, "journal.unreadable", "nor is one of a stream that nobody knows");
    tamper(&site, "DELETE FROM journal WHERE seq = 2").await;
    assert_eq!(said(&site.kit, &[]).await, "record 2 is missing");
}

/// Whoever can recompute hashes but not sign is caught by the next checkpoint.
#[tokio::test]
async fn a_rewritten_chain_is_not_what_was_signed() {
    for site in sites(&[]).await {
        record(&site.kit, 4).await;
        site.kit.checkpoint().await.unwrap();
        record(&site.kit, 4).await;
        site.kit.checkpoint().await.unwrap();
        // The same site written differently from record 5 on: a whole chain with good hashes.
        tamper(&site, "DELETE FROM journal WHERE seq > 4").await;
        tamper(
            &site,
            "UPDATE journal_head SET seq = 4, own = 4, hash = (SELECT hash FROM journal WHERE seq = 4)",
        )
        .await;
        let mut tx = site.kit.begin().await.unwrap();
        for _ in 0..4 {
            tx.record("toy.moved", &json!({ "toy": "another" })).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(walk(&site.kit).await.finding, Some(Finding::Rewritten { from: 5, to: 8 }));
    }
}

#[tokio::test]
async fn readers_hear_after_the_commit_in_order_and_catch_up() {
    for site in sites(&[]).await {
        record(&site.kit, 3).await;
        let mut from_start = site.kit.events().subscribe(Some(0)).await.unwrap();
        let mut from_now = site.kit.events().subscribe(None).await.unwrap();
        record(&site.kit, 600).await;
        for expected in 1..=603 {
            assert_eq!(from_start.next().await.unwrap().seq, expected);
        }
        assert_eq!(from_now.next().await.unwrap().seq, 4);
    }
}

#[tokio::test]
async fn a_stalled_reader_is_dropped_and_comes_back_without_loss() {
    let [site, _] = sites(&[]).await.try_into().unwrap();
    let mut stalled = site.kit.events().subscribe(None).await.unwrap();
    record(&site.kit, kit::stream::RING as u64 + 10).await;
    assert!(stalled.next().await.is_none(), "it fell too far behind");
    let mut again = site.kit.events().subscribe(Some(0)).await.unwrap();
    for expected in 1..=kit::stream::RING as u64 + 10 {
        assert_eq!(again.next().await.unwrap().seq, expected);
    }
}

/// The command line journals beside a running server: its readers hear of it.
#[tokio::test]
async fn what_another_process_journaled_is_told_too() {
    for site in sites(&[]).await {
        record(&site.kit, 2).await;
        site.kit.events().catch_up().await.unwrap();
        let mut reader = site.kit.events().subscribe(None).await.unwrap();
        let db = Db::open(&site.database.address).await.unwrap();
        let other = Kit::new(db, site.clock.clone(), Keys::ephemeral(), None).unwrap();
        record(&other, 3).await;
        site.kit.events().catch_up().await.unwrap();
        record(&site.kit, 1).await;
        site.kit.events().catch_up().await.unwrap();
        for expected in 3..=6 {
            assert_eq!(reader.next().await.unwrap().seq, expected);
        }
    }
}

/// As SQLite does when a commit finds the disk full: the engine ends the transaction, and nobody told the connection.
#[tokio::test]
async fn a_transaction_that_the_engine_ended_leaves_the_writer_usable() {
    for site in sites(&[]).await {
        record(&site.kit, 1).await;
        let mut tx = site.kit.begin().await.unwrap();
        tx.record("toy.lost", &json!({})).await.unwrap();
        tx.execute("ROLLBACK").await.unwrap();
        drop(tx);
        record(&site.kit, 1).await;
        site.kit.checkpoint().await.unwrap();
        let report = walk(&site.kit).await;
        assert_eq!(report.finding, None);
    }
}
