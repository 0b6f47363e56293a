//! A whole board on this part: the logic above, its storage below.

use core::fmt::Write;

use board_logic::Board;
use board_tasks::{
    BAUD, Exchange, HalfDuplex, InterruptLines, Model, Parts, run_board, run_storage, run_transmitter,
    run_watchdog,
};
use embassy_time::Duration;
use endpoints::vendor::Reset;
use semihost::{Console, Flash, entropy};
use static_cell::StaticCell;

use crate::{Chip, Input, Output, Pin, Receiver, Transmitter, Watchdog, run, run_above, set_safe_outputs};

/// The board is reset when its loops stood still for so long, ms.
const WATCHDOG_MS: u32 = 8_000;
const FED_EVERY: Duration = Duration::from_secs(2);
/// The serial number of the board with all address switches off; the emulated part has none of its own.
const FIRST_SERIAL: u32 = 0x4C4D_0000;

/// Which pins are what: from the pin map.
pub struct Map {
    /// What does not depend on the part.
    pub model: &'static Model,
    /// Inputs by number, then the reset button, and whether each is active when high.
    pub inputs: &'static [(Pin, bool)],
    /// Outputs by number, and whether each is on when high.
    pub outputs: &'static [(Pin, bool)],
    /// The outputs' safe levels.
    pub safe: &'static [(Pin, bool)],
    /// Address switches, least significant first.
    pub address: &'static [Pin],
    /// Whether a switch that is on is high.
    pub address_on_high: bool,
    /// (D0, D1) in reader order.
    pub wiegand: &'static [(Pin, Pin)],
    /// High while the board transmits.
    pub driver_enable: Pin,
    /// The status lamp, and whether it is lit when high.
    pub status: (Pin, bool),
}

static EXCHANGE: Exchange = Exchange::new();
static BOARD: StaticCell<Board> = StaticCell::new();

/// Runs the board for ever. The whole of `main`.
pub fn start(map: &'static Map) -> ! {
    set_safe_outputs(map.safe);
    let (mut chip, reset) = Chip::start();
    let (receiver, transmitter) = chip.uart(BAUD);
    let watchdog = chip.watchdog(WATCHDOG_MS);
    let switches = switches(map);
    let setup = map.model.setup(switches, FIRST_SERIAL + u32::from(switches), cause(reset));
    let address = setup.address;
    let parts = Parts {
        lines: InterruptLines(
            map.inputs.iter().map(|(pin, active_high)| (Input::new(*pin), *active_high)).collect(),
        ),
        setups: map.model.inputs,
        receiver,
        outputs: map
            .outputs
            .iter()
            .zip(map.safe)
            .map(|((pin, on_high), (_, high))| (Output::new(*pin, *high), *on_high))
            .collect(),
        status: (Output::new(map.status.0, !map.status.1), map.status.1),
        wiegand: chip.wiegand(map.wiegand),
        restart: cortex_m::peripheral::SCB::sys_reset,
    };
    let line = HalfDuplex::new(transmitter, Output::new(map.driver_enable, false));
    run_above(|spawner| {
        spawner.spawn(board(BOARD.init_with(|| Board::new(setup)), parts).expect("spawned once"));
        spawner.spawn(transmit(line).expect("spawned once"));
    });
    let _ = writeln!(Console, "board ready at address {address} after {reset:?}");
    run(|spawner| {
        spawner.spawn(store().expect("spawned once"));
        spawner.spawn(watch(watchdog).expect("spawned once"));
    })
}

fn switches(map: &Map) -> u8 {
    let on = |pin: &Pin| Input::new(*pin).is_high_now() == map.address_on_high;
    map.address.iter().enumerate().fold(0, |number, (bit, pin)| number | u8::from(on(pin)) << bit)
}

fn cause(reset: crate::Reset) -> Reset {
    match reset {
        crate::Reset::Power => Reset::PowerOn,
        crate::Reset::Watchdog => Reset::Watchdog,
        crate::Reset::Panic => Reset::Other,
    }
}

#[embassy_executor::task]
async fn board(board: &'static mut Board, parts: Parts<InterruptLines<Input>, Receiver, Output>) {
    run_board(board, parts, &EXCHANGE).await
}

#[embassy_executor::task]
async fn transmit(line: HalfDuplex<Transmitter, Output>) {
    run_transmitter(line, &EXCHANGE).await
}

#[embassy_executor::task]
async fn store() {
    match Flash::open() {
        Some(flash) => run_storage(flash, None, entropy(), &EXCHANGE).await,
        None => {
            let _ =
                writeln!(Console, "no flash: the host's file cannot be opened; the board stays off the bus");
        }
    }
}

#[embassy_executor::task]
async fn watch(mut watchdog: Watchdog) {
    run_watchdog(|| watchdog.feed(), FED_EVERY, &EXCHANGE).await
}
