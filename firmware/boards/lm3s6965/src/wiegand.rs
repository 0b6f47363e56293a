//! Wiegand lines: every falling edge is kept with its time, in the interrupt, until a task takes it.

use core::cell::RefCell;
use core::future::poll_fn;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Poll;

use critical_section::Mutex;
use embassy_sync::waitqueue::AtomicWaker;
use embassy_time::Instant;
use heapless::{Deque, Vec};

use crate::gpio::{Pin, latch_falling};

/// Readers a board can have.
const READERS: usize = 2;
/// Edges kept: more than three of the longest frames in use (37 bits).
const KEPT: usize = 128;

/// One falling edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The reader, from 0.
    pub reader: u8,
    /// The line: false for D0 (a zero), true for D1 (a one).
    pub one: bool,
    /// When, µs since start.
    pub at: u64,
}

struct Latch {
    lines: Vec<(Pin, Pin), READERS>,
    edges: Deque<Edge, KEPT>,
}

static LATCH: Mutex<RefCell<Latch>> =
    Mutex::new(RefCell::new(Latch { lines: Vec::new(), edges: Deque::new() }));
static WAKER: AtomicWaker = AtomicWaker::new();
static LOST: AtomicU32 = AtomicU32::new(0);

/// The edges of all readers, in the order they came.
pub struct Edges(());

/// Starts latching. `readers` are the (D0, D1) pins in reader order; at most two readers.
pub(crate) fn start(readers: &[(Pin, Pin)]) -> Edges {
    critical_section::with(|section| {
        let mut latch = LATCH.borrow_ref_mut(section);
        latch.lines = Vec::from_slice(readers).expect("a board has at most two readers");
    });
    for (zeros, ones) in readers {
        latch_falling(*zeros);
        latch_falling(*ones);
    }
    Edges(())
}

impl Edges {
    /// The next edge; waits for it.
    pub async fn next(&mut self) -> Edge {
        poll_fn(|context| {
            WAKER.register(context.waker());
            let edge = critical_section::with(|section| LATCH.borrow_ref_mut(section).edges.pop_front());
            edge.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Edges dropped since start because nobody took them.
    pub fn lost(&self) -> u32 {
        LOST.load(Ordering::Relaxed)
    }
}

/// In the interrupt: whether `pin` is a Wiegand line; if so its edge is kept.
pub(crate) fn latch(pin: Pin) -> bool {
    critical_section::with(|section| {
        let mut latch = LATCH.borrow_ref_mut(section);
        let place = latch.lines.iter().enumerate().find_map(|(reader, (zeros, ones))| {
            (pin == *zeros || pin == *ones).then_some((reader, pin == *ones))
        });
        let Some((reader, one)) = place else { return false };
        let at = Instant::now().as_micros();
        if latch.edges.push_back(Edge { reader: reader as u8, one, at }).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        WAKER.wake();
        true
    })
}
