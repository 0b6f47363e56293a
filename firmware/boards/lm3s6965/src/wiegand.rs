//! Which pins are Wiegand lines; their falling edges are latched in the ports' interrupt.

use core::cell::RefCell;

use board_tasks::{WiegandEdge, WiegandEdges};
use critical_section::Mutex;
use embassy_time::Instant;
use heapless::Vec;

use crate::gpio::{Pin, latch_falling};

/// Readers a board can have.
const READERS: usize = 2;

static LINES: Mutex<RefCell<Vec<(Pin, Pin), READERS>>> = Mutex::new(RefCell::new(Vec::new()));
static EDGES: WiegandEdges = WiegandEdges::new();

/// Starts latching. `readers` are the (D0, D1) pins in reader order; at most two readers.
pub(crate) fn start(readers: &[(Pin, Pin)]) -> &'static WiegandEdges {
    critical_section::with(|section| {
        *LINES.borrow_ref_mut(section) = Vec::from_slice(readers).expect("a board has at most two readers");
    });
    for (zeros, ones) in readers {
        latch_falling(*zeros);
        latch_falling(*ones);
    }
    &EDGES
}

/// In the interrupt: whether `pin` is a Wiegand line; if so its edge is kept.
pub(crate) fn latch(pin: Pin) -> bool {
    let place = critical_section::with(|section| {
        LINES.borrow_ref(section).iter().enumerate().find_map(|(reader, (zeros, ones))| {
            (pin == *zeros || pin == *ones).then_some((reader, pin == *ones))
        })
    });
    if let Some((reader, one)) = place {
        EDGES.latch(WiegandEdge { reader: reader as u8, one, at: Instant::now().as_micros() });
    }
    place.is_some()
}
