//! What boards report of themselves is in the record.

use endpoints::vendor::firmware::Unfit;
use endpoints::vendor::{BoardEvent, EventsWriter, FromBoard, MAX_BODY, What};
use uplink::event::BoardChange;

use super::*;

const BOARD: BoardId = BoardId(0);

/// What the record has of the lobby's board after it told this.
fn recorded(what: What) -> Option<(BoardChange, Option<i64>, Stream)> {
    let mut case = Case::new(policy(|_| ()));
    let before = case.written.len();
    let mut body = [0; MAX_BODY];
    let mut writer = EventsWriter::new(&mut body, 0).expect("room");
    writer.push(&BoardEvent { seq: 1, boot: 1, uptime_ms: 0, utc_us: None, what }).expect("room");
    let used = writer.finish();
    let Ok(FromBoard::Events { epoch, events }) = FromBoard::decode(&body[..used]) else {
        panic!("it was just written")
    };
    let now = case.time();
    case.site.board_events(now, BOARD, epoch, events);
    case.step(Input::Tick);
    let mut told = case.written[before..].iter().filter_map(|entry| match &entry.body {
        Body::Board(it) => Some((it.change, it.count, entry.body.stream())),
        _ => None,
    });
    told.next()
}

#[test]
fn what_was_done_to_a_board_is_recorded() {
    for (what, change, count, stream) in [
        (What::ClockSet { by_ms: -4_000 }, BoardChange::ClockSet, Some(-4_000), Stream::Bulk),
        (What::WhitelistStored { list: 12 }, BoardChange::WhitelistStored, Some(12), Stream::Bulk),
        (What::WhitelistRejected, BoardChange::WhitelistRejected, None, Stream::Urgent),
        (What::Configured { digest: u64::MAX }, BoardChange::Configured, None, Stream::Bulk),
        (What::KeyChanged, BoardChange::KeyChanged, None, Stream::Bulk),
        (What::KeyReset, BoardChange::KeyReset, None, Stream::Urgent),
        (
            What::UpdateReady { firmware: [1, 2, 3] },
            BoardChange::FirmwareReady,
            Some(1_002_003),
            Stream::Bulk,
        ),
        (What::UpdateRefused { why: Unfit::Digest }, BoardChange::FirmwareRefused, Some(6), Stream::Urgent),
        (What::UpdateTrial { firmware: [0, 2, 0] }, BoardChange::FirmwareTrial, Some(2_000), Stream::Bulk),
        (What::UpdateGood { firmware: [0, 2, 0] }, BoardChange::FirmwareGood, Some(2_000), Stream::Bulk),
        (
            What::UpdateReturned { firmware: [0, 2, 0] },
            BoardChange::FirmwareReturned,
            Some(2_000),
            Stream::Urgent,
        ),
        (What::Unknown(99), BoardChange::UnknownEvent, Some(99), Stream::Bulk),
    ] {
        assert_eq!(recorded(what), Some((change, count, stream)), "{what:?}");
    }
}
