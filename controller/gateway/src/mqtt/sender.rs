//! What to send next of the outbox: urgent before bulk, in a window, again from the lowest unacknowledged after each
//! reconnect and each silence. Only the server's acknowledgement moves the window; a broker's proves nothing.
//!
//! An acknowledgement may go back: a server that was restored from a backup has less than it had. So that this is found
//! though nothing happens, the last acknowledged event goes again at each connection and now and then: the answer says
//! what the server has. One answer alone may be an old one; only when it is given again a while later it counts.

use uplink::event::{Ack, Stream};

use crate::outbox::{Levels, index};

/// Events of one stream on the way at once.
const WINDOW: u64 = 1_000;
/// After so many microseconds without progress the window is sent again.
const SILENCE: u64 = 5_000_000;
/// The last acknowledged event of a quiet stream goes again so often, in microseconds.
const PROBE: u64 = 60_000_000;
/// That the server has less than it acknowledged is believed when it is said again after so many microseconds.
const CONFIRM: u64 = 2_000_000;
/// That it has more than was ever numbered, after so many: nothing is lost meanwhile, and it may be a server that errs.
const CONFIRM_MORE: u64 = 30_000_000;

/// The sender's place in both streams. Times are microseconds since start.
#[derive(Debug, Default)]
pub(super) struct Sender {
    lanes: [Lane; 2],
}

#[derive(Debug, Default, Clone, Copy)]
struct Lane {
    epoch: u32,
    /// Sent up to here since the last beginning.
    sent: u64,
    /// Ever sent by this process: more cannot honestly be acknowledged.
    highest: u64,
    acked: u64,
    progress_at: u64,
    /// When the last acknowledged event goes again.
    probe_at: u64,
    /// Since when the server's answers do not fit.
    misfit_since: Option<u64>,
}

/// What an acknowledgement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing new: one of another epoch, the same again, one beyond what was sent, or one that does not fit yet.
    Nothing,
    /// The server has everything up to here.
    Has(u64),
    /// The server has no more than this, though it acknowledged more.
    HasOnly(u64),
    /// The server has numbers that were never given.
    HasMore,
}

impl Lane {
    /// Follows the outbox into another epoch.
    fn follow(&mut self, now: u64, levels: &Levels, stream: Stream) {
        let (epoch, acked) = (levels.epoch[index(stream)], levels.acked[index(stream)]);
        if self.epoch != epoch {
            *self = Lane {
                epoch,
                sent: acked,
                highest: acked,
                acked,
                progress_at: now,
                probe_at: now,
                misfit_since: None,
            };
        }
    }

    /// When the last acknowledged event goes again. What is on its way asks as well.
    fn probe(&self) -> Option<u64> {
        (self.acked > 0 && self.sent == self.acked).then_some(self.probe_at)
    }

    /// An answer that does not fit: whether it is to be believed now, given that it must stand for so long.
    fn misfit(&mut self, now: u64, confirm: u64) -> bool {
        let since = *self.misfit_since.get_or_insert(now);
        let believed = now.saturating_sub(since) >= confirm;
        if believed {
            self.misfit_since = None;
        } else {
            self.probe_at = since + confirm;
        }
        believed
    }
}

impl Sender {
    /// A connection was made: everything unacknowledged goes again.
    pub(super) fn connected(&mut self, now: u64, levels: &Levels) {
        for stream in [Stream::Urgent, Stream::Bulk] {
            let lane = &mut self.lanes[index(stream)];
            lane.follow(now, levels, stream);
            lane.acked = lane.acked.max(levels.acked[index(stream)]);
            lane.sent = lane.acked;
            lane.progress_at = now;
            lane.probe_at = now;
            lane.misfit_since = None;
        }
    }

    /// The stream to read from, and after which number; `None` when nothing may be sent now.
    pub(super) fn next(&mut self, now: u64, levels: &Levels) -> Option<(Stream, u64)> {
        [Stream::Urgent, Stream::Bulk].into_iter().find_map(|stream| {
            let lane = &mut self.lanes[index(stream)];
            lane.follow(now, levels, stream);
            if lane.sent > lane.acked && now.saturating_sub(lane.progress_at) >= SILENCE {
                lane.sent = lane.acked;
                lane.progress_at = now;
            }
            if lane.probe().is_some_and(|at| at <= now) {
                lane.probe_at = now + PROBE;
                return Some((stream, lane.acked - 1));
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

    /// The server acknowledges.
    pub(super) fn acknowledged(&mut self, now: u64, levels: &Levels, stream: Stream, ack: Ack) -> Heard {
        let lane = &mut self.lanes[index(stream)];
        lane.follow(now, levels, stream);
        if ack.epoch != lane.epoch {
            return Heard::Nothing;
        }
        if ack.up_to > levels.last[index(stream)] {
            return if lane.misfit(now, CONFIRM_MORE) { Heard::HasMore } else { Heard::Nothing };
        }
        if ack.up_to < lane.acked {
            if !lane.misfit(now, CONFIRM) {
                return Heard::Nothing;
            }
            (lane.acked, lane.sent, lane.progress_at) = (ack.up_to, ack.up_to, now);
            return Heard::HasOnly(ack.up_to);
        }
        lane.misfit_since = None;
        if ack.up_to == lane.acked || ack.up_to > lane.highest {
            return Heard::Nothing;
        }
        lane.acked = ack.up_to;
        lane.sent = lane.sent.max(lane.acked);
        lane.progress_at = now;
        lane.probe_at = now + PROBE;
        Heard::Has(ack.up_to)
    }

    /// When [`Sender::next`] may have something that it has not now.
    pub(super) fn deadline(&self) -> Option<u64> {
        let again = self.lanes.iter().filter(|lane| lane.sent > lane.acked);
        let again = again.map(|lane| lane.progress_at + SILENCE);
        again.chain(self.lanes.iter().filter_map(Lane::probe)).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EPOCH: u32 = 7;

    fn levels(urgent: u64, bulk: u64) -> Levels {
        Levels { epoch: [EPOCH; 2], last: [urgent, bulk], acked: [0, 0] }
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
        assert_eq!(sender.acknowledged(SILENCE, &levels, Stream::Bulk, ack(4)), Heard::Has(4));
        sender.connected(SILENCE + 1, &levels);
        assert_eq!(
            sender.next(SILENCE + 1, &levels),
            Some((Stream::Bulk, 3)),
            "does the server still have it?"
        );
        assert_eq!(sender.next(SILENCE + 1, &levels), Some((Stream::Bulk, 4)));
    }

    #[test]
    fn a_lie_moves_nothing() {
        let mut sender = Sender::default();
        let levels = levels(0, 10);
        sender.connected(0, &levels);
        sender.sent(0, Stream::Bulk, 5);
        assert_eq!(sender.acknowledged(0, &levels, Stream::Bulk, ack(6)), Heard::Nothing, "never sent");
        let other = Ack { epoch: EPOCH + 1, up_to: 5 };
        assert_eq!(sender.acknowledged(0, &levels, Stream::Bulk, other), Heard::Nothing, "another epoch");
        assert_eq!(sender.acknowledged(0, &levels, Stream::Bulk, ack(5)), Heard::Has(5));
        assert_eq!(sender.acknowledged(0, &levels, Stream::Bulk, ack(5)), Heard::Nothing, "again");
    }

    #[test]
    fn a_server_that_was_set_back_is_believed_when_it_says_so_again() {
        let mut sender = Sender::default();
        let mut levels = levels(0, 10);
        sender.connected(0, &levels);
        sender.sent(0, Stream::Bulk, 10);
        assert_eq!(sender.acknowledged(0, &levels, Stream::Bulk, ack(10)), Heard::Has(10));
        levels.acked = [0, 10];
        assert_eq!(sender.deadline(), Some(PROBE));
        assert_eq!(sender.next(PROBE, &levels), Some((Stream::Bulk, 9)), "a quiet stream is asked about");
        sender.sent(PROBE, Stream::Bulk, 10);
        assert_eq!(sender.acknowledged(PROBE, &levels, Stream::Bulk, ack(6)), Heard::Nothing, "once");
        let later = PROBE + CONFIRM;
        assert_eq!(sender.next(later - 1, &levels), None);
        assert_eq!(sender.next(later, &levels), Some((Stream::Bulk, 9)), "asked again");
        assert_eq!(sender.acknowledged(later, &levels, Stream::Bulk, ack(6)), Heard::HasOnly(6));
        assert_eq!(sender.next(later, &levels), Some((Stream::Bulk, 6)));
        sender.sent(later, Stream::Bulk, 10);
        assert_eq!(sender.acknowledged(later, &levels, Stream::Bulk, ack(10)), Heard::Has(10));
    }

    #[test]
    fn one_old_answer_changes_nothing() {
        let mut sender = Sender::default();
        let levels = levels(0, 10);
        sender.connected(0, &levels);
        sender.sent(0, Stream::Bulk, 10);
        assert_eq!(sender.acknowledged(0, &levels, Stream::Bulk, ack(10)), Heard::Has(10));
        assert_eq!(sender.acknowledged(1, &levels, Stream::Bulk, ack(6)), Heard::Nothing);
        assert_eq!(sender.acknowledged(2, &levels, Stream::Bulk, ack(10)), Heard::Nothing, "it is there");
        assert_eq!(
            sender.acknowledged(CONFIRM * 2, &levels, Stream::Bulk, ack(6)),
            Heard::Nothing,
            "old again"
        );
    }

    #[test]
    fn numbers_that_were_never_given_show_that_the_outbox_was_set_back() {
        let mut sender = Sender::default();
        let mut levels = levels(0, 10);
        levels.acked = [0, 8];
        sender.connected(0, &levels);
        assert_eq!(sender.acknowledged(0, &levels, Stream::Bulk, ack(40)), Heard::Nothing);
        let later = CONFIRM_MORE;
        assert_eq!(sender.acknowledged(later - 1, &levels, Stream::Bulk, ack(40)), Heard::Nothing);
        assert_eq!(sender.acknowledged(later, &levels, Stream::Bulk, ack(40)), Heard::HasMore);
        levels = Levels { epoch: [EPOCH, EPOCH + 1], last: [1, 2], acked: [0, 0] };
        assert_eq!(sender.next(later, &levels), Some((Stream::Urgent, 0)));
        sender.sent(later, Stream::Urgent, 1);
        assert_eq!(sender.next(later, &levels), Some((Stream::Bulk, 0)), "from the beginning");
        assert_eq!(
            sender.acknowledged(later, &levels, Stream::Bulk, ack(40)),
            Heard::Nothing,
            "another epoch"
        );
    }

    /// A server, as far as one stream's numbers go.
    #[derive(Default)]
    struct Server {
        complete: u64,
    }

    impl Server {
        fn takes(&mut self, after: u64, up_to: u64) {
            if after <= self.complete {
                self.complete = self.complete.max(up_to);
            }
        }
    }

    proptest! {
        /// Whatever a broker loses and however often the server is set back: what is let go was sent, and in the end the
        /// server has all of it.
        #[test]
        fn nothing_is_let_go_unsent_and_the_server_has_all_in_the_end(
            steps in proptest::collection::vec((0u8..7, 0u64..40), 1..200)
        ) {
            let mut sender = Sender::default();
            let mut server = Server::default();
            let (mut now, mut last, mut seen) = (0, 0u64, 0u64);
            sender.connected(now, &levels(0, 0));
            for (kind, n) in steps {
                now += 500_000;
                let levels = levels(0, last);
                match kind {
                    0 => last += n,
                    1 => sender.connected(now, &levels),
                    2 => server.complete = server.complete.saturating_sub(n),
                    3 => {
                        let heard = sender.acknowledged(now, &levels, Stream::Bulk, ack(server.complete));
                        prop_assert!(!matches!(heard, Heard::Has(up_to) if up_to > seen), "{:?}", heard);
                        prop_assert!(heard != Heard::HasMore);
                    }
                    _ => {
                        if let Some((_, after)) = sender.next(now, &levels) {
                            prop_assert!(after < last);
                            let up_to = (after + 10).min(last);
                            seen = seen.max(up_to);
                            sender.sent(now, Stream::Bulk, up_to);
                            if kind > 4 {
                                server.takes(after, up_to);
                            }
                        }
                    }
                }
            }
            // From here on nothing is lost, and the server keeps what it takes.
            let levels = levels(0, last);
            sender.connected(now, &levels);
            let mut rounds = 0;
            while server.complete < last {
                rounds += 1;
                prop_assert!(rounds < 1_000);
                now += CONFIRM;
                while let Some((_, after)) = sender.next(now, &levels) {
                    let up_to = (after + 10).min(last);
                    sender.sent(now, Stream::Bulk, up_to);
                    server.takes(after, up_to);
                    sender.acknowledged(now, &levels, Stream::Bulk, ack(server.complete));
                }
            }
        }
    }
}
