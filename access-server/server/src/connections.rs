//! How many connections of browsers there are at once: a bound for all, and a smaller one for each address. Whoever opens
//! connections and says nothing shuts out nobody else, and leaves broker and database the files they need.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum_server::accept::Accept;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Files that are left to broker, database, keys and pictures.
const OTHER_FILES: u64 = 256;
/// Connections of all browsers, however many files there may be.
const MOST: u64 = 2048;
/// Connections of one address: an office behind one router, each browser with one or a few.
const MOST_EACH: usize = 256;
/// Refusals are written down so often, with their number.
const TELLING: Duration = Duration::from_secs(60);

/// How many connections are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    all: usize,
    each: usize,
}

impl Bounds {
    /// For a process that may have so many files open.
    #[must_use]
    pub fn of(files: u64) -> Self {
        let all = files.saturating_sub(OTHER_FILES).max(files / 2).clamp(1, MOST);
        let all = usize::try_from(all).expect("at most `MOST`");
        Self { all, each: (all / 4).clamp(1, MOST_EACH) }
    }
}

/// Raises the number of files this process may have open to what the system lets it; gives that number.
pub fn raise_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(error) => {
            tracing::warn!(%error, files = current, "the number of open files could not be raised");
            current.unwrap_or(u64::MAX)
        }
    }
}

/// The places for connections. Copies share them.
#[derive(Clone, Debug)]
pub struct Places(Arc<Mutex<Taken>>);

#[derive(Debug)]
struct Taken {
    bounds: Bounds,
    all: usize,
    each: BTreeMap<IpAddr, usize>,
    refused: u64,
    told: u64,
    told_at: Option<Instant>,
}

impl Places {
    /// All of them free.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let taken = Taken { bounds, all: 0, each: BTreeMap::new(), refused: 0, told: 0, told_at: None };
        Self(Arc::new(Mutex::new(taken)))
    }

    /// Connections refused since the start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.taken().refused
    }

    /// A place for a connection from an address; nothing when all, or all of that address, are taken.
    fn take(&self, peer: IpAddr, now: Instant) -> Option<Place> {
        let from = network(peer);
        let mut taken = self.taken();
        let here = taken.each.get(&from).copied().unwrap_or(0);
        if taken.all >= taken.bounds.all || here >= taken.bounds.each {
            taken.refuse(peer, now);
            return None;
        }
        taken.all += 1;
        taken.each.insert(from, here + 1);
        Some(Place { of: self.clone(), from })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn refuse(&mut self, peer: IpAddr, now: Instant) {
        self.refused += 1;
        if self.told_at.is_none_or(|told| now.duration_since(told) >= TELLING) {
            let refused = self.refused - self.told;
            tracing::warn!(refused, last = %peer, open = self.all, "too many connections: some were refused");
            (self.told, self.told_at) = (self.refused, Some(now));
        }
    }
}

/// What counts as one address: of IPv6 the /64, which one machine has whole.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// A place; free again when dropped.
#[derive(Debug)]
struct Place {
    of: Places,
    from: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.of.taken();
        taken.all -= 1;
        let left = taken.each.get(&self.from).copied().unwrap_or(0).saturating_sub(1);
        if left == 0 {
            taken.each.remove(&self.from);
        } else {
            taken.each.insert(self.from, left);
        }
    }
}

/// Before the handshake: who is refused costs no more than that.
impl<S> Accept<TcpStream, S> for Places {
    type Stream = Placed;
    type Service = S;
    type Future = Ready<io::Result<(Placed, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(stream.peer_addr().and_then(|peer| {
            let place = self.take(peer.ip(), Instant::now());
            let place = place.ok_or_else(|| io::Error::other("too many connections"))?;
            Ok((Placed { stream, _place: place }, service))
        }))
    }
}

/// A connection and its place.
#[derive(Debug)]
pub struct Placed {
    stream: TcpStream,
    _place: Place,
}

impl AsyncRead for Placed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Placed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn broker_and_database_keep_their_files() {
        assert_eq!(Bounds::of(1024), Bounds { all: 768, each: 192 });
        assert_eq!(Bounds::of(1_048_576), Bounds { all: 2048, each: 256 });
        assert_eq!(Bounds::of(64), Bounds { all: 32, each: 8 });
        assert_eq!(Bounds::of(0), Bounds { all: 1, each: 1 });
    }

    #[test]
    fn one_address_takes_its_share_and_all_together_the_rest() {
        let (places, now) = (Places::new(Bounds { all: 3, each: 2 }), Instant::now());
        let take = |from: &str| places.take(address(from), now);
        let (first, _second) = (take("2001:db8::1"), take("2001:db8::ffff:1"));
        assert!(first.is_some() && take("2001:db8::2").is_none(), "one /64");
        let other = take("::ffff:192.0.2.1");
        assert!(other.is_some() && take("198.51.100.1").is_none(), "all are taken");
        assert_eq!(places.refused(), 2);
        drop((first, other));
        assert!(take("2001:db8::3").is_some(), "a place is free again");
        assert_eq!(places.taken().each.len(), 1, "who is gone is forgotten");
    }

    #[test]
    fn ipv4_in_an_ipv6_socket_is_an_address_of_its_own() {
        assert_ne!(network(address("::ffff:192.0.2.1")), network(address("::ffff:192.0.2.2")));
        assert_eq!(network(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }
}
