use uplink::event::{Board, BoardChange, ControllerChange, Door, DoorChange};

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

/// The numbers of the epoch in force.
async fn seqs(reader: &mut Reader, stream: Stream, after: u64) -> Vec<u64> {
    let epoch = reader.levels().await.expect("read").epoch[index(stream)];
    reader.after(epoch, stream, after).await.expect("read").iter().map(|event| event.seq).collect()
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
        let body =
            Body::Board(Board { bus: "lobby".into(), address: 3, change: BoardChange::Offline, count: None });
        writer.commit(vec![write(1, vec![Entry { at: -5, body: body.clone() }])]).await;
        let mut reader = Reader::open(&case.options.path).await.expect("opened");
        let epoch = writer.levels().borrow().epoch[0];
        let events = reader.after(epoch, Stream::Urgent, 0).await.expect("read");
        let batch = uplink::event::Batch { epoch: 1, events };
        let back: uplink::event::Batch =
            uplink::wire::decode(&uplink::wire::encode(&batch)).expect("our own form");
        assert_eq!(back.events, [uplink::event::Event { seq: 1, at: -5, body }]);
    });
}

/// A writer whose only door has `count` acknowledged everyday events.
async fn acknowledged(case: &Case, count: u64) -> Writer {
    let mut writer = Writer::open(&case.options).await.expect("opened");
    let mut written = 0;
    while written < count {
        let some = usize::try_from((count - written).min(100)).expect("a few");
        writer.commit(vec![write(written, vec![moved(1, DoorChange::Opened); some])]).await;
        written += 100;
        let up_to = written.min(count);
        writer.commit(vec![Job::Acknowledged { stream: Stream::Bulk, up_to }]).await;
    }
    writer
}

async fn urgent_bodies(reader: &mut Reader) -> Vec<Body> {
    let epoch = reader.levels().await.expect("read").epoch[0];
    let events = reader.after(epoch, Stream::Urgent, 0).await.expect("read");
    let batch = uplink::event::Batch { epoch, events };
    let batch: uplink::event::Batch =
        uplink::wire::decode(&uplink::wire::encode(&batch)).expect("our own form");
    batch.events.into_iter().map(|event| event.body).collect()
}

#[test]
fn what_a_server_that_was_set_back_lacks_goes_again_from_the_ring() {
    run(async {
        let case = case(100_000, None);
        let mut writer = acknowledged(&case, 900).await;
        let epoch = writer.levels().borrow().epoch;
        writer.commit(vec![write(1, vec![moved(1, DoorChange::Closed)])]).await;
        writer.commit(vec![Job::ServerHas { stream: Stream::Bulk, up_to: 400, at: 5 }]).await;
        let levels = *writer.levels().borrow();
        assert_eq!(
            levels,
            Levels { epoch, last: [0, 901], acked: [0, 400] },
            "no epoch, no alarm: nothing is lost"
        );
        let mut reader = Reader::open(&case.options.path).await.expect("opened");
        assert_eq!(seqs(&mut reader, Stream::Bulk, 400).await.first(), Some(&401));
        writer.commit(vec![Job::ServerHas { stream: Stream::Bulk, up_to: 600, at: 5 }]).await;
        assert_eq!(writer.levels().borrow().acked, [0, 400], "more than it is known to have changes nothing");
        drop(writer);
        let mut writer = Writer::open(&case.options).await.expect("opened again");
        assert_eq!(writer.levels().borrow().acked, [0, 400], "across a restart");
        // What waits again is not trimmed, however much comes after it.
        writer.commit(vec![write(2, vec![moved(1, DoorChange::Opened); 1_200])]).await;
        writer.commit(vec![Job::Acknowledged { stream: Stream::Bulk, up_to: 2_101 }]).await;
        writer.commit(vec![write(3, vec![])]).await;
        assert_eq!(writer.levels().borrow().waiting(Stream::Bulk), 0);
    });
}

#[test]
fn where_the_ring_does_not_reach_back_the_loss_is_named_and_the_stream_goes_on() {
    run(async {
        let case = case(100_000, None);
        let mut writer = acknowledged(&case, 2_000).await;
        let before = *writer.levels().borrow();
        writer.commit(vec![write(1, vec![moved(1, DoorChange::Closed), moved(1, DoorChange::Forced)])]).await;
        let mut reader = Reader::open(&case.options.path).await.expect("opened");
        let oldest = seqs(&mut reader, Stream::Bulk, 0).await[0];
        assert!((900..=1_001).contains(&oldest), "{oldest}");
        writer.commit(vec![Job::ServerHas { stream: Stream::Bulk, up_to: 300, at: 77 }]).await;
        let levels = *writer.levels().borrow();
        assert_eq!(levels.epoch[0], before.epoch[0], "the other stream goes on as it was");
        assert_ne!(levels.epoch[1], before.epoch[1]);
        // All that was kept, and the one that waited.
        let carried = 2_000 - (oldest - 1) + 1;
        assert_eq!((levels.last, levels.acked), ([2, carried], [0, 0]));
        let numbers = seqs(&mut reader, Stream::Bulk, carried - 3).await;
        assert_eq!(numbers, [carried - 2, carried - 1, carried]);
        let told = urgent_bodies(&mut reader).await;
        let Body::Controller(it) = &told[1] else { panic!("{told:?}") };
        assert_eq!((it.change, it.count), (ControllerChange::EventsLost, Some((oldest - 301).cast_signed())));
        let lost = it.lost.expect("named");
        assert_eq!((lost.epoch, lost.stream), (before.epoch[1], Stream::Bulk));
        assert_eq!((lost.from, lost.up_to), (301, oldest - 1));
        // In their order: the newest is the one that closed.
        let events = reader.after(levels.epoch[1], Stream::Bulk, carried - 1).await.expect("read");
        assert!(events[0].data.get().contains("closed"), "{events:?}");
        drop((writer, reader));
        let writer = Writer::open(&case.options).await.expect("opened again");
        assert_eq!(*writer.levels().borrow(), levels);
    });
}

#[test]
fn an_outbox_that_was_set_back_numbers_anew_and_says_so() {
    run(async {
        let case = case(100_000, None);
        let mut writer = acknowledged(&case, 10).await;
        let before = *writer.levels().borrow();
        writer.commit(vec![write(1, vec![moved(1, DoorChange::Closed); 3])]).await;
        writer.commit(vec![Job::SetBack { stream: Stream::Bulk, at: 77 }]).await;
        let levels = *writer.levels().borrow();
        assert_ne!(levels.epoch[1], before.epoch[1]);
        assert_eq!((levels.last, levels.acked), ([1, 3], [0, 0]), "what was not acknowledged goes on");
        let mut reader = Reader::open(&case.options.path).await.expect("opened");
        assert_eq!(seqs(&mut reader, Stream::Bulk, 0).await, [1, 2, 3]);
        let told = urgent_bodies(&mut reader).await;
        assert!(matches!(&told[0], Body::Controller(it) if it.change == ControllerChange::OutboxSetBack));
    });
}

#[test]
fn rows_of_earlier_epochs_are_part_of_the_ring() {
    run(async {
        let case = case(100_000, None);
        let mut writer = acknowledged(&case, 1_000).await;
        writer.commit(vec![Job::SetBack { stream: Stream::Bulk, at: 1 }]).await;
        let mut last = 0;
        for token in 0..12 {
            writer.commit(vec![write(token, vec![moved(1, DoorChange::Opened); 100])]).await;
            last += 100;
            writer.commit(vec![Job::Acknowledged { stream: Stream::Bulk, up_to: last }]).await;
        }
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM event WHERE door = 1")
            .fetch_one(&mut writer.connection)
            .await
            .expect("counted");
        assert!((1_000..=1_100).contains(&kept), "{kept}");
    });
}

#[test]
fn a_database_of_before_goes_on_where_it_was() {
    run(async {
        let case = case(1_000, None);
        let options = schema::connect_options(&case.options.path);
        let mut old = sqlx::ConnectOptions::connect(&options).await.expect("opened");
        sqlx::raw_sql(schema::MIGRATIONS[0]).execute(&mut old).await.expect("made");
        sqlx::raw_sql(
            "INSERT INTO outbox VALUES (1, 4711); INSERT INTO stream VALUES (0, 1, 1), (1, 2, 1); \
             INSERT INTO event VALUES (1, 1, 1, 5, 1, 'door', '{}'), (2, 0, 1, 6, 1, 'door', '{}'), (3, 1, 2, 7, 1, 'door', '{}'); \
             INSERT INTO kept VALUES ('board', 'a', '{}')",
        )
        .execute(&mut old)
        .await
        .expect("filled");
        sqlx::Connection::close(old).await.expect("closed");
        let mut writer = Writer::open(&case.options).await.expect("brought up to date");
        assert!(writer.set_aside().is_none());
        assert_eq!(*writer.levels().borrow(), Levels { epoch: [4711; 2], last: [1, 2], acked: [1, 1] });
        assert_eq!(writer.memory().await.expect("read").len(), 1);
        let mut reader = Reader::open(&case.options.path).await.expect("opened");
        assert_eq!(seqs(&mut reader, Stream::Bulk, 0).await, [1, 2]);
    });
}
