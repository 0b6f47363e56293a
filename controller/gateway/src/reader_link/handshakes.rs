//! Handshakes under way: bounded in all and for each address. One that begins when there is no room takes the place of the
//! oldest of the address that has the most, so that whoever only connects holds up nobody else.

use std::collections::VecDeque;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use tokio::task::{AbortHandle, JoinSet};

/// At once.
const ALL: usize = 32;
/// At once from one address.
const EACH: usize = 8;
/// Refusals are written down so often, with their number.
const TELLING: Duration = Duration::from_secs(60);

/// The handshakes, oldest first.
pub(super) struct Handshakes<T> {
    tasks: JoinSet<T>,
    under_way: VecDeque<(IpAddr, AbortHandle)>,
}

impl<T: Send + 'static> Handshakes<T> {
    pub(super) fn new() -> Self {
        Handshakes { tasks: JoinSet::new(), under_way: VecDeque::new() }
    }

    /// Begins one, and gives up another where there is no room for both.
    pub(super) fn begin(&mut self, peer: IpAddr, handshake: impl Future<Output = T> + Send + 'static) {
        let from = network(peer);
        let addresses: Vec<IpAddr> = self.under_way.iter().map(|(from, _)| *from).collect();
        if let Some((_, given_up)) = gives_way(&addresses, from).and_then(|at| self.under_way.remove(at)) {
            given_up.abort();
        }
        self.under_way.push_back((from, self.tasks.spawn(handshake)));
    }

    /// What the next one came to; nothing when it was given up. Waits while none is under way.
    pub(super) async fn next(&mut self) -> Option<T> {
        let Some(ended) = self.tasks.join_next_with_id().await else { return std::future::pending().await };
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, Some(outcome)),
            Err(given_up) => (given_up.id(), None),
        };
        self.under_way.retain(|(_, handshake)| handshake.id() != id);
        outcome
    }
}

/// Which of those under way, oldest first, gives way to a new one.
fn gives_way(under_way: &[IpAddr], new: IpAddr) -> Option<usize> {
    let of = |from: IpAddr| under_way.iter().filter(|it| **it == from).count();
    let from = if of(new) >= EACH {
        Some(new)
    } else if under_way.len() >= ALL {
        // The first of several that have the most: the oldest.
        under_way.iter().rev().copied().max_by_key(|from| of(*from))
    } else {
        None
    };
    under_way.iter().position(|it| Some(*it) == from)
}

/// What counts as one address: of IPv6 the /64, which one machine has whole.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// Connections refused, told once a minute.
#[derive(Default)]
pub(super) struct Refusals {
    untold: u64,
    told: Option<Instant>,
}

impl Refusals {
    /// One more; says how many there were since the last telling, when it is time to tell.
    pub(super) fn count(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        if self.told.is_some_and(|told| now.duration_since(told) < TELLING) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn an_address_that_has_its_share_gives_way_to_itself() {
        let mut under_way = vec![address(1)];
        under_way.extend([address(2); EACH]);
        assert_eq!(gives_way(&under_way, address(2)), Some(1));
        assert_eq!(gives_way(&under_way, address(1)), None);
    }

    #[test]
    fn when_there_is_no_room_the_oldest_of_the_busiest_address_gives_way() {
        let mut under_way = vec![address(1), address(2), address(3), address(3), address(2)];
        under_way.extend((0..).map(|last| address(100 + last)).take(ALL - under_way.len()));
        assert_eq!(gives_way(&under_way, address(9)), Some(1));
        let singles: Vec<_> = (0..).map(address).take(ALL).collect();
        assert_eq!(gives_way(&singles, address(99)), Some(0));
        assert_eq!(gives_way(&singles[1..], address(99)), None, "there is room");
    }

    #[tokio::test]
    async fn one_given_up_is_told_and_makes_room() {
        let mut handshakes = Handshakes::new();
        for _ in 0..EACH {
            handshakes.begin(address(1), std::future::pending::<u8>());
        }
        handshakes.begin(address(1), async { 7 });
        let mut ended = [handshakes.next().await, handshakes.next().await];
        ended.sort_unstable();
        assert_eq!((ended, handshakes.under_way.len()), ([None, Some(7)], EACH - 1));
    }

    #[test]
    fn refusals_are_told_at_once_and_then_by_the_minute() {
        let (mut refusals, begin) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.count(begin), Some(1));
        assert_eq!((1..60).find_map(|second| refusals.count(begin + Duration::from_secs(second))), None);
        assert_eq!(refusals.count(begin + TELLING), Some(60));
    }
}
