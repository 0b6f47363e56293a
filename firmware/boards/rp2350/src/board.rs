//! A whole board on this chip: Wiegand above all, then the logic, its storage below.
#![expect(unsafe_code, reason = "executors are run by their interrupts")]

use board_logic::Board;
use board_tasks::{
    Converter, Exchange, HalfDuplex, Line, MAX_LINES, Model, Parts, SampledLines, run_board, run_storage,
    run_transmitter, run_watchdog,
};
use embassy_executor::{Executor, InterruptExecutor};
use embassy_rp::Peri;
use embassy_rp::adc::{Adc, Config};
use embassy_rp::flash::Flash;
use embassy_rp::gpio::{Input, Output};
use embassy_rp::interrupt::{self, InterruptExt, Priority};
use embassy_rp::otp::get_chipid;
use embassy_rp::peripherals::{ADC, FLASH, TRNG, WATCHDOG};
use embassy_rp::trng::{self, Trng};
use embassy_rp::uart::{BufferedUart, BufferedUartRx};
use embassy_rp::watchdog::{ResetReason, Watchdog};
use embassy_time::Duration;
use endpoints::vendor::Reset;
use heapless::Vec;
use static_cell::StaticCell;

use crate::{Irqs, SPANS, Sender, Store, Voltages, latch_wiegand};

/// The board is reset when its loops stood still for so long.
const WATCHDOG: Duration = Duration::from_secs(8);
const FED_EVERY: Duration = Duration::from_secs(2);

/// A board's inputs, by number.
pub type Lines = Vec<Line<<Voltages as Converter>::Channel, Input<'static>>, MAX_LINES>;

/// What `main` takes from the chip. `READER_LINES` is two a reader.
pub struct Hardware<const READER_LINES: usize> {
    /// What does not depend on the chip.
    pub model: &'static Model,
    /// Inputs by number, and the reset button.
    pub lines: Lines,
    /// Outputs by number, safe, and whether each is on when high.
    pub outputs: Vec<(Output<'static>, bool), MAX_LINES>,
    /// The status lamp, and whether it is lit when high.
    pub status: (Output<'static>, bool),
    /// The address switches as a number.
    pub switches: u8,
    /// The bus.
    pub uart: BufferedUart,
    /// High while the board transmits.
    pub driver_enable: Output<'static>,
    /// The readers' lines: reader, whether it carries the ones, pin.
    pub wiegand: [(u8, bool, Input<'static>); READER_LINES],
    /// Reads the supervised lines.
    pub converter: Peri<'static, ADC>,
    /// Holds the store.
    pub flash: Peri<'static, FLASH>,
    /// Random numbers.
    pub random: Peri<'static, TRNG>,
    /// The watchdog.
    pub watchdog: Peri<'static, WATCHDOG>,
}

static EXCHANGE: Exchange = Exchange::new();
static BOARD: StaticCell<Board> = StaticCell::new();
static FIRST: InterruptExecutor = InterruptExecutor::new();
static ABOVE: InterruptExecutor = InterruptExecutor::new();
static BELOW: StaticCell<Executor> = StaticCell::new();

/// Runs the board for ever.
pub fn start<const READER_LINES: usize>(hardware: Hardware<READER_LINES>) -> ! {
    let mut watchdog = Watchdog::new(hardware.watchdog);
    let reset = match watchdog.reset_reason() {
        Some(ResetReason::TimedOut) => Reset::Watchdog,
        Some(ResetReason::Forced) => Reset::Software,
        None => Reset::PowerOn,
    };
    watchdog.start(WATCHDOG);
    let setup = hardware.model.setup(hardware.switches, serial(), reset);
    let mut entropy = [0; 16];
    Trng::new(hardware.random, Irqs, trng::Config::default()).blocking_fill_bytes(&mut entropy);
    let store = Store::of(Flash::new_blocking(hardware.flash), &SPANS);
    let (transmitter, receiver) = hardware.uart.split();

    // Wiegand above the logic, both below the devices.
    interrupt::SWI_IRQ_0.set_priority(Priority::P2);
    interrupt::SWI_IRQ_1.set_priority(Priority::P3);
    let wiegand = latch_wiegand(FIRST.start(interrupt::SWI_IRQ_0), hardware.wiegand);
    let parts = Parts {
        lines: SampledLines::new(
            hardware.lines,
            Voltages(Adc::new_blocking(hardware.converter, Config::default())),
        ),
        setups: hardware.model.inputs,
        receiver,
        outputs: hardware.outputs,
        status: hardware.status,
        wiegand,
        restart: cortex_m::peripheral::SCB::sys_reset,
    };
    let above = ABOVE.start(interrupt::SWI_IRQ_1);
    above.spawn(board(BOARD.init_with(|| Board::new(setup)), parts).expect("spawned once"));
    let line = HalfDuplex::new(Sender(transmitter), hardware.driver_enable);
    above.spawn(transmit(line).expect("spawned once"));
    BELOW.init(Executor::new()).run(|below| {
        below.spawn(keep(store, entropy).expect("spawned once"));
        below.spawn(watch(watchdog).expect("spawned once"));
    })
}

/// The address switches as a number, least significant first.
pub fn switches<const N: usize>(pins: [Input<'static>; N], on_high: bool) -> u8 {
    // The pull-ups charge the lines in microseconds.
    embassy_time::block_for(Duration::from_millis(1));
    pins.iter().enumerate().fold(0, |number, (bit, pin)| number | u8::from(pin.is_high() == on_high) << bit)
}

/// The executors' interrupts: those that no device has.
#[embassy_rp::interrupt]
unsafe fn SWI_IRQ_0() {
    // SAFETY: its own interrupt, which is let through only once it has started.
    unsafe { FIRST.on_interrupt() }
}

#[embassy_rp::interrupt]
unsafe fn SWI_IRQ_1() {
    // SAFETY: as above.
    unsafe { ABOVE.on_interrupt() }
}

#[embassy_executor::task]
async fn board(
    board: &'static mut Board,
    parts: Parts<SampledLines<Voltages, Input<'static>>, BufferedUartRx, Output<'static>>,
) {
    run_board(board, parts, &EXCHANGE).await
}

#[embassy_executor::task]
async fn transmit(line: HalfDuplex<Sender, Output<'static>>) {
    run_transmitter(line, &EXCHANGE).await
}

#[embassy_executor::task]
async fn keep(store: Store, entropy: [u8; 16]) {
    run_storage(store, None, entropy, &EXCHANGE).await
}

#[embassy_executor::task]
async fn watch(mut watchdog: Watchdog) {
    run_watchdog(|| watchdog.feed(WATCHDOG), FED_EVERY, &EXCHANGE).await
}

/// Half of the chip's own number; 0 if it cannot be read.
fn serial() -> u32 {
    get_chipid().map_or(0, |id| (id ^ id >> 32) as u32)
}
