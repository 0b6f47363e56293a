//! A whole board on this chip: the logic in an interrupt, its storage below.
#![expect(unsafe_code, reason = "an executor is run by its interrupt")]

use board_logic::{Board, Updates};
use board_tasks::{
    Converter, Exchange, Line, MAX_LINES, Model, Parts, SampledLines, WiegandEdges, run_board, run_storage,
    run_transmitter, run_watchdog,
};
use embassy_executor::{Executor, InterruptExecutor};
use embassy_stm32::Peri;
use embassy_stm32::adc::{Adc, AdcConfig};
use embassy_stm32::flash::Flash;
use embassy_stm32::gpio::{Input, Output};
use embassy_stm32::interrupt::{self, InterruptExt, Priority};
use embassy_stm32::peripherals::{ADC1, FLASH, IWDG, RNG};
use embassy_stm32::rng::Rng;
use embassy_stm32::usart::{BufferedUart, BufferedUartRx, BufferedUartTx};
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_time::Duration;
use heapless::Vec;
use static_cell::StaticCell;

use crate::{Irqs, MARKS, PLACE, SPANS, Store, Voltages};

/// The board is reset when its loops stood still for so long, µs.
const WATCHDOG_US: u32 = 8_000_000;
const FED_EVERY: Duration = Duration::from_secs(2);

/// A board's inputs, by number.
pub type Lines = Vec<Line<<Voltages as Converter>::Channel, Input<'static>>, MAX_LINES>;

/// What `main` takes from the chip.
pub struct Hardware {
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
    pub uart: BufferedUart<'static>,
    /// The readers' edges.
    pub wiegand: &'static WiegandEdges,
    /// Reads the supervised lines.
    pub converter: Peri<'static, ADC1>,
    /// Holds the store.
    pub flash: Peri<'static, FLASH>,
    /// Random numbers.
    pub random: Peri<'static, RNG>,
    /// The watchdog.
    pub watchdog: Peri<'static, IWDG>,
}

static EXCHANGE: Exchange = Exchange::new();
static BOARD: StaticCell<Board> = StaticCell::new();
static ABOVE: InterruptExecutor = InterruptExecutor::new();
static BELOW: StaticCell<Executor> = StaticCell::new();

/// Runs the board for ever.
pub fn start(hardware: Hardware) -> ! {
    let setup = hardware.model.setup(hardware.switches, serial(), stm32::cause());
    let mut entropy = [0; 16];
    Rng::new(hardware.random, Irqs).fill_bytes(&mut entropy);
    let store = Store::of(Flash::new_blocking(hardware.flash), &SPANS);
    let updates = hardware.model.updates(PLACE, MARKS);
    let (transmitter, receiver) = hardware.uart.split();
    let parts = Parts {
        lines: SampledLines::new(
            hardware.lines,
            Voltages(Adc::new(hardware.converter, AdcConfig::default())),
        ),
        setups: hardware.model.inputs,
        receiver,
        outputs: hardware.outputs,
        status: hardware.status,
        wiegand: hardware.wiegand,
        restart,
    };
    let mut watchdog = IndependentWatchdog::new(hardware.watchdog, WATCHDOG_US);
    watchdog.unleash();

    // Below every device, above the storage.
    interrupt::UART5.set_priority(Priority::P15);
    let above = ABOVE.start(interrupt::UART5);
    above.spawn(board(BOARD.init_with(|| Board::new(setup)), parts).expect("spawned once"));
    above.spawn(transmit(transmitter).expect("spawned once"));
    BELOW.init(Executor::new()).run(|below| {
        below.spawn(keep(store, updates, entropy).expect("spawned once"));
        below.spawn(watch(watchdog).expect("spawned once"));
    })
}

/// The upper executor's interrupt: UART 5's, which nobody uses.
#[embassy_stm32::interrupt]
unsafe fn UART5() {
    // SAFETY: its own interrupt, which is let through only once it has started.
    unsafe { ABOVE.on_interrupt() }
}

#[embassy_executor::task]
async fn board(
    board: &'static mut Board,
    parts: Parts<SampledLines<Voltages, Input<'static>>, BufferedUartRx<'static>, Output<'static>>,
) {
    run_board(board, parts, &EXCHANGE).await
}

#[embassy_executor::task]
async fn transmit(line: BufferedUartTx<'static>) {
    run_transmitter(line, &EXCHANGE).await
}

#[embassy_executor::task]
async fn keep(store: Store, updates: Option<Updates>, entropy: [u8; 16]) {
    run_storage(store, updates, entropy, &EXCHANGE).await
}

#[embassy_executor::task]
async fn watch(mut watchdog: IndependentWatchdog<'static, IWDG>) {
    run_watchdog(|| watchdog.pet(), FED_EVERY, &EXCHANGE).await
}

/// Outputs go to their safe levels first, and to what the pins are without a program then.
fn restart() -> ! {
    stm32::drive_safe_outputs();
    cortex_m::peripheral::SCB::sys_reset()
}

/// Of the chip's 96 bits a 32-bit number (FNV-1a): two of a site's boards are the same once in a million sites of ninety.
fn serial() -> u32 {
    embassy_stm32::uid::uid()
        .iter()
        .fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
