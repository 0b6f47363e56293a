//! What to send next of the outbox: urgent before bulk, in a window, again from the lowest unacknowledged after each
//! reconnect and each silence. Only the server's acknowledgement moves the window; a broker's proves nothing.

use uplink::event::{Ack, Stream};

use crate::outbox::{Levels, index};

/// Events of one stream on the way at once.
const WINDOW: u64 = 1_000;
/// After so many microseconds without progress the window is sent again.
const SILENCE: u64 = 5_000_000;

/// The sender's place in both streams. Times are microseconds since start.
#[derive(Debug, Default)]
pub(super) struct Sender {
    lanes: [Lane; 2],
}

#[derive(Debug, Default, Clone, Copy)]
struct Lane {
    /// Sent up to here since the last beginning.
    sent: u64,
    /// Ever sent by this process: more cannot honestly be acknowledged.
    highest: u64,
    acked: u64,
    progress_at: u64,
}

impl Sender {
    /// A connection was made: everything unacknowledged goes again.
    pub(super) fn connected(&mut self, now: u64, levels: &Levels) {
        for (lane, acked) in self.lanes.iter_mut().zip(levels.acked) {
            lane.acked = lane.acked.max(acked);
            lane.sent = lane.acked;
            lane.progress_at = now;
        }
    }

    /// The stream to read from, and after which number; `None` when nothing may be sent now.
    pub(super) fn next(&mut self, now: u64, levels: &Levels) -> Option<(Stream, u64)> {
        [Stream::Urgent, Stream::Bulk].into_iter().find_map(|stream| {
            let lane = &mut self.lanes[index(stream)];
            if lane.sent > lane.acked && now.saturating_sub(lane.progress_at) >= SILENCE {
                lane.sent = lane.acked;
                lane.progress_at = now;
            }
            let open = levels.last[index(stream)] > lane.sent && lane.sent - lane.acked < WINDOW;
            open.then_some((stream, lane.sent))
        })
    }

    /// A batch up to that number is on its way.
    pub(super) fn sent(&mut self, now: u64, stream: Stream, up_to: u64) {
        let lane = &mut self.lanes[index(stream)];
        if lane.sent == lane.acked {
            lane.progress_at = now;
        }
        lane.sent = lane.sent.max(up_to);
        lane.highest = lane.highest.max(up_to);
    }

    /// The server acknowledges. Gives the number to store; `None` for one of another epoch, an older one, or one beyond
    /// what was ever sent.
    pub(super) fn acknowledged(
        &mut self,
        now: u64,
        levels: &Levels,
        stream: Stream,
        ack: Ack,
    ) -> Option<u64> {
        let lane = &mut self.lanes[index(stream)];
        if ack.epoch != levels.epoch || ack.up_to > lane.highest || ack.up_to <= lane.acked {
            return None;
        }
        lane.acked = ack.up_to;
        lane.sent = lane.sent.max(lane.acked);
        lane.progress_at = now;
        Some(ack.up_to)
    }

    /// When [`Sender::next`] may have something that it has not now.
    pub(super) fn deadline(&self) -> Option<u64> {
        let waits = self.lanes.iter().filter(|lane| lane.sent > lane.acked);
        waits.map(|lane| lane.progress_at + SILENCE).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EPOCH: u32 = 7;

    fn levels(urgent: u64, bulk: u64) -> Levels {
        Levels { epoch: EPOCH, last: [urgent, bulk], acked: [0, 0] }
    }

    fn ack(up_to: u64) -> Ack {
        Ack { epoch: EPOCH, up_to }
    }

    #[test]
    fn urgent_goes_first() {
        let mut sender = Sender::default();
        let levels = levels(2, 50);
        sender.connected(0, &levels);
        assert_eq!(sender.next(0, &levels), Some((Stream::Urgent, 0)));
        sender.sent(0, Stream::Urgent, 2);
        assert_eq!(sender.next(0, &levels), Some((Stream::Bulk, 0)));
    }

    #[test]
    fn a_silent_server_gets_everything_again_and_a_reconnect_too() {
        let mut sender = Sender::default();
        let levels = levels(0, 10);
        sender.connected(0, &levels);
        sender.sent(0, Stream::Bulk, 10);
        assert_eq!(sender.next(SILENCE - 1, &levels), None);
        assert_eq!(sender.deadline(), Some(SILENCE));
        assert_eq!(sender.next(SILENCE, &levels), Some((Stream::Bulk, 0)));
        sender.sent(SILENCE, Stream::Bulk, 10);
        assert_eq!(sender.acknowledged(SILENCE, &levels, Stream::Bulk, ack(4)), Some(4));
        sender.connected(SILENCE + 1, &levels);
        assert_eq!(sender.next(SILENCE + 1, &levels), Some((Stream::Bulk, 4)));
    }

    #[test]
    fn a_lie_moves_nothing() {
        let mut sender = Sender::default();
        let levels = levels(0, 10);
        sender.connected(0, &levels);
        sender.sent(0, Stream::Bulk, 5);
        assert_eq!(sender.acknowledged(0, &levels, Stream::Bulk, ack(6)), None, "never sent");
        let other = Ack { epoch: EPOCH + 1, up_to: 5 };
        assert_eq!(sender.acknowledged(0, &levels, Stream::Bulk, other), None, "another epoch");
        assert_eq!(sender.acknowledged(0, &levels, Stream::Bulk, ack(5)), Some(5));
        assert_eq!(sender.acknowledged(0, &levels, Stream::Bulk, ack(5)), None, "again");
    }

    proptest! {
        /// Whatever a broker loses and a server says: what is let go was sent, and in the end all of it is sent.
        #[test]
        fn nothing_is_let_go_unsent_and_all_is_sent_in_the_end(
            steps in proptest::collection::vec((0u8..5, 0u64..40), 1..200)
        ) {
            let mut sender = Sender::default();
            let (mut now, mut last, mut seen, mut stored) = (0, 0u64, 0u64, 0u64);
            sender.connected(now, &levels(0, 0));
            for (kind, n) in steps {
                now += 500_000;
                match kind {
                    0 => last += n,
                    1 => sender.connected(now, &levels(0, last)),
                    2 => {
                        if let Some(up_to) = sender.acknowledged(now, &levels(0, last), Stream::Bulk, ack(n * 10)) {
                            prop_assert!(up_to <= seen && up_to > stored);
                            stored = up_to;
                        }
                    }
                    _ => {
                        if let Some((_, after)) = sender.next(now, &levels(0, last)) {
                            prop_assert!(after >= stored && after < last);
                            let up_to = (after + 10).min(last);
                            seen = seen.max(up_to);
                            sender.sent(now, Stream::Bulk, up_to);
                        }
                    }
                }
            }
            // An honest server from here on.
            let mut rounds = 0;
            while stored < last {
                rounds += 1;
                prop_assert!(rounds < 1_000);
                now += SILENCE;
                if let Some((_, after)) = sender.next(now, &levels(0, last)) {
                    let up_to = (after + 10).min(last);
                    sender.sent(now, Stream::Bulk, up_to);
                    if let Some(up_to) = sender.acknowledged(now, &levels(0, last), Stream::Bulk, ack(up_to)) {
                        stored = up_to;
                    }
                }
            }
        }
    }
}
