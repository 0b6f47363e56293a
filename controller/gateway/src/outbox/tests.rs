use uplink::event::{Board, BoardChange, Door, DoorChange};

use super::*;

struct Case {
    _folder: tempfile::TempDir,
    options: Options,
}

fn case(limit: u64, max_pages: Option<u32>) -> Case {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let options = Options { path: folder.path().join("outbox.sqlite"), limit, max_pages };
    Case { _folder: folder, options }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn moved(door: u64, change: DoorChange) -> Entry {
    Entry { at: 1, body: Body::Door(Door { door, change, side: None }) }
}

fn write(token: u64, events: Vec<Entry>) -> Job {
    Job::Write(Write { token, events, kept: Vec::new() })
}

async fn seqs(reader: &mut Reader, stream: Stream, after: u64) -> Vec<u64> {
    reader.after(stream, after).await.expect("read").iter().map(|event| event.seq).collect()
}

#[test]
fn numbers_have_no_gaps_and_go_on_after_a_restart() {
    run(async {
        let case = case(1_000, None);
        let mut writer = Writer::open(&case.options).await.expect("opened");
        let epoch = writer.levels().borrow().epoch;
        let answers = writer
            .commit(vec![
                write(1, vec![moved(1, DoorChange::Opened), moved(1, DoorChange::Forced)]),
                write(2, vec![moved(1, DoorChange::Closed)]),
            ])
            .await;
        assert!(answers.iter().all(|answer| answer.result.is_ok()));
        drop(writer);
        let mut writer = Writer::open(&case.options).await.expect("opened again");
        assert_eq!(*writer.levels().borrow(), Levels { epoch, last: [1, 2], acked: [0, 0] });
        writer.commit(vec![write(3, vec![moved(2, DoorChange::Opened)])]).await;
        let mut reader = Reader::open(&case.options.path).await.expect("opened");
        assert_eq!(seqs(&mut reader, Stream::Bulk, 0).await, [1, 2, 3]);
        assert_eq!(seqs(&mut reader, Stream::Urgent, 0).await, [1]);
        assert_eq!(seqs(&mut reader, Stream::Bulk, 2).await, [3]);
    });
}

#[test]
fn only_an_acknowledgement_lets_go_and_never_beyond_what_was_written() {
    run(async {
        let case = case(1_000, None);
        let mut writer = Writer::open(&case.options).await.expect("opened");
        writer.commit(vec![write(1, vec![moved(1, DoorChange::Opened); 5])]).await;
        writer.commit(vec![Job::Acknowledged { stream: Stream::Bulk, up_to: 3 }]).await;
        assert_eq!(writer.levels().borrow().waiting(Stream::Bulk), 2);
        writer.commit(vec![Job::Acknowledged { stream: Stream::Bulk, up_to: 2 }]).await;
        assert_eq!(writer.levels().borrow().acked, [0, 3], "an older word changes nothing");
        writer.commit(vec![Job::Acknowledged { stream: Stream::Bulk, up_to: 99 }]).await;
        assert_eq!(writer.levels().borrow().acked, [0, 5], "what was never written cannot be acknowledged");
    });
}

#[test]
fn when_full_everyday_events_are_refused_whole_and_urgent_ones_are_not() {
    run(async {
        let case = case(3, None);
        let mut writer = Writer::open(&case.options).await.expect("opened");
        writer.commit(vec![write(1, vec![moved(1, DoorChange::Opened); 3])]).await;
        let answers = writer
            .commit(vec![
                write(2, vec![moved(1, DoorChange::Forced), moved(1, DoorChange::Closed)]),
                write(3, vec![moved(1, DoorChange::Forced)]),
            ])
            .await;
        assert!(matches!(answers[0].result, Err(OutboxError::Full(5))), "{answers:?}");
        assert!(answers[1].result.is_ok());
        assert_eq!(writer.levels().borrow().last, [1, 3]);
        writer.commit(vec![Job::Acknowledged { stream: Stream::Bulk, up_to: 3 }]).await;
        let answers = writer.commit(vec![write(4, vec![moved(1, DoorChange::Closed)])]).await;
        assert!(answers[0].result.is_ok(), "there is room again");
    });
}

#[test]
fn a_full_disk_fails_the_whole_commit_and_nothing_is_half_written() {
    run(async {
        let case = case(100_000, Some(24));
        let mut writer = Writer::open(&case.options).await.expect("opened");
        let mut good = 0;
        let failed = loop {
            let answers = writer.commit(vec![write(good, vec![moved(1, DoorChange::Opened); 20])]).await;
            if answers[0].result.is_err() {
                break answers;
            }
            good += 1;
            assert!(good < 1_000, "the limit of pages holds");
        };
        assert!(matches!(failed[0].result, Err(OutboxError::Database(_))), "{failed:?}");
        assert_eq!(writer.levels().borrow().last, [0, good * 20]);
        drop(writer);
        let writer = Writer::open(&case.options).await.expect("opened again");
        assert_eq!(writer.levels().borrow().last, [0, good * 20]);
    });
}

#[test]
fn acknowledged_rows_stay_in_a_ring_for_each_door() {
    run(async {
        let case = case(100_000, None);
        let mut writer = Writer::open(&case.options).await.expect("opened");
        writer.commit(vec![write(0, vec![moved(2, DoorChange::Opened); 3])]).await;
        let mut last = 3;
        for token in 0..15 {
            writer.commit(vec![write(token, vec![moved(1, DoorChange::Opened); 100])]).await;
            last += 100;
            writer.commit(vec![Job::Acknowledged { stream: Stream::Bulk, up_to: last }]).await;
        }
        writer.commit(vec![write(99, vec![moved(1, DoorChange::Closed); 7])]).await;
        let of = async |writer: &mut Writer, door: i64| -> i64 {
            sqlx::query_scalar("SELECT count(*) FROM event WHERE door = $1")
                .bind(door)
                .fetch_one(&mut writer.connection)
                .await
                .expect("counted")
        };
        let kept = of(&mut writer, 1).await.cast_unsigned();
        assert!((RING + 7..=RING + 107).contains(&kept), "{kept}");
        assert_eq!(of(&mut writer, 2).await, 3, "a quiet door keeps its own");
        let mut reader = Reader::open(&case.options.path).await.expect("opened");
        assert_eq!(seqs(&mut reader, Stream::Bulk, last).await.len(), 7, "nothing that waits is trimmed");
    });
}

#[test]
fn a_broken_database_is_set_aside_and_the_epoch_is_new() {
    run(async {
        let case = case(1_000, None);
        std::fs::write(&case.options.path, "this is not a database, and long enough to tell")
            .expect("written");
        let writer = Writer::open(&case.options).await.expect("begun anew");
        assert!(writer.set_aside().is_some_and(|path| path.exists()));
        assert_eq!(writer.levels().borrow().last, [0, 0]);
    });
}

#[test]
fn memory_is_written_with_the_events_and_read_back() {
    run(async {
        let case = case(1_000, None);
        let mut writer = Writer::open(&case.options).await.expect("opened");
        let kept =
            |value: Option<&str>| Kept { kind: "board", key: "a".into(), value: value.map(Into::into) };
        let job = |value| Job::Write(Write { token: 1, events: vec![], kept: vec![kept(value)] });
        writer.commit(vec![job(Some("{}")), job(Some("[1]"))]).await;
        drop(writer);
        let mut writer = Writer::open(&case.options).await.expect("opened again");
        assert_eq!(writer.memory().await.expect("read"), [("board".into(), "a".into(), "[1]".into())]);
        writer.commit(vec![job(None)]).await;
        assert_eq!(writer.memory().await.expect("read"), []);
    });
}

#[test]
fn what_is_sent_is_what_happened() {
    run(async {
        let case = case(1_000, None);
        let mut writer = Writer::open(&case.options).await.expect("opened");
        let body = Body::Board(Board { bus: "lobby".into(), address: 3, change: BoardChange::Offline });
        writer.commit(vec![write(1, vec![Entry { at: -5, body: body.clone() }])]).await;
        let mut reader = Reader::open(&case.options.path).await.expect("opened");
        let events = reader.after(Stream::Urgent, 0).await.expect("read");
        let batch = uplink::event::Batch { epoch: 1, events };
        let back: uplink::event::Batch =
            uplink::wire::decode(&uplink::wire::encode(&batch)).expect("our own form");
        assert_eq!(back.events, [uplink::event::Event { seq: 1, at: -5, body }]);
    });
}
