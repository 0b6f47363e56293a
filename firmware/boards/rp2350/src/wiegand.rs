//! Wiegand lines. The GPIO interrupt belongs to embassy and tells a task; the tasks here do nothing but latch, and run in an
//! executor of their own above all others, so that an edge waits for nothing.

use board_tasks::{WiegandEdge, WiegandEdges};
use embassy_executor::SendSpawner;
use embassy_rp::gpio::Input;
use embassy_time::Instant;

static EDGES: WiegandEdges = WiegandEdges::new();

/// Latches every falling edge from now on. `lines` are (reader, whether it carries the ones, pin), at most four.
pub fn latch_wiegand<const N: usize>(
    above_all: SendSpawner,
    lines: [(u8, bool, Input<'static>); N],
) -> &'static WiegandEdges {
    for (reader, one, pin) in lines {
        above_all.spawn(latch(reader, one, pin).expect("at most two readers"));
    }
    &EDGES
}

#[embassy_executor::task(pool_size = 4)]
async fn latch(reader: u8, one: bool, mut pin: Input<'static>) {
    loop {
        pin.wait_for_falling_edge().await;
        EDGES.latch(WiegandEdge { reader, one, at: Instant::now().as_micros() });
    }
}
