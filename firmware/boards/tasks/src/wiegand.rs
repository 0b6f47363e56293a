//! Wiegand edges on their way from the interrupt that latched them to the task that reads them.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;

use critical_section::Mutex;
use embassy_sync::waitqueue::AtomicWaker;
use heapless::Deque;

/// Edges kept: more than three of the longest frames in use (37 bits).
const KEPT: usize = 128;

/// One falling edge of a reader's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WiegandEdge {
    /// The reader, from 0.
    pub reader: u8,
    /// The line: false for D0 (a zero), true for D1 (a one).
    pub one: bool,
    /// When, µs since start.
    pub at: u64,
}

struct Kept {
    edges: Deque<WiegandEdge, KEPT>,
    lost: u32,
}

/// The edges of all readers in the order they came. A board has one, in a static.
pub struct WiegandEdges {
    kept: Mutex<RefCell<Kept>>,
    waker: AtomicWaker,
}

impl WiegandEdges {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            kept: Mutex::new(RefCell::new(Kept { edges: Deque::new(), lost: 0 })),
            waker: AtomicWaker::new(),
        }
    }

    /// Keeps an edge; called in the interrupt. The newest is dropped and counted when nobody takes them.
    pub fn latch(&self, edge: WiegandEdge) {
        critical_section::with(|section| {
            let mut kept = self.kept.borrow_ref_mut(section);
            if kept.edges.push_back(edge).is_err() {
                kept.lost = kept.lost.saturating_add(1);
            }
        });
        self.waker.wake();
    }

    /// The next edge; waits for it. For one task.
    pub async fn next(&self) -> WiegandEdge {
        poll_fn(|context| {
            self.waker.register(context.waker());
            self.take().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// The next edge, if there is one.
    pub fn take(&self) -> Option<WiegandEdge> {
        critical_section::with(|section| self.kept.borrow_ref_mut(section).edges.pop_front())
    }

    /// Edges dropped since start.
    pub fn lost(&self) -> u32 {
        critical_section::with(|section| self.kept.borrow_ref(section).lost)
    }
}

impl Default for WiegandEdges {
    fn default() -> Self {
        Self::new()
    }
}
